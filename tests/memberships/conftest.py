from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
import time_machine

from oscar_integration.memberships.models import Membership, Plan
from tests.memberships import renewing
from tests.memberships.rows import NOW, make_user
from tests.memberships.shopping import make_sold_plan
from tests.oscar_integration.conftest import france, make_customer  # noqa: F401  (pytest finds these by their names)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """It is ``rows.NOW`` until the test moves on: ``clock.move_to(moment)``."""
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def plan(db: None) -> Plan:
    """A month for 30.00, which does not renew by itself."""
    return make_sold_plan()


@pytest.fixture
def lea(db: None) -> Any:
    return make_user("lea@example.com", "Léa")


@pytest.fixture
def bank(settings: Any) -> renewing.Bank:
    """Of all customers' cards; what it shall do, its fields say."""
    settings.WAGTAIL_REFERRALS_OSCAR = {"RENEWAL_CARDS": renewing.PATH}
    return renewing.open_bank()


@pytest.fixture
def monthly(db: None) -> Plan:
    """A month for 30.00, which renews by itself."""
    return renewing.make_renewing_plan()


@pytest.fixture
def member(clock: Any, monthly: Plan, bank: renewing.Bank) -> Membership:
    """Bought just now: ``rows.NOW``."""
    return renewing.make_member(plan=monthly)


@pytest.fixture
def at(clock: time_machine.Traveller) -> Callable[[datetime], None]:
    """It is that moment, and a sweep renews what is due."""
    return lambda moment: renewing.sweep_at(moment, clock)


@pytest.fixture
def until(at: Callable[[datetime], None]) -> Callable[..., None]:
    """A sweep each day at the time of ``moment``, the last one then."""

    def run(moment: datetime, start: datetime = NOW) -> None:
        for days in range((moment - start) // renewing.DAY, -1, -1):
            at(moment - days * renewing.DAY)

    return run
