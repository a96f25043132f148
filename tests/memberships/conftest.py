from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine

from oscar_integration.memberships.models import Plan
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
