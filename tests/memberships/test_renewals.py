"""A membership goes on by itself: planned, announced, charged, placed; credit pays first; a declined card ends it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from oscar_integration.memberships.models import Membership, Period, Plan, Renewal
from oscar_integration.memberships.renewals import renew_due
from tests.memberships import renewing
from tests.memberships.renewing import (
    DAY,
    Bank,
    mails,
    make_member,
    make_renewing_plan,
    open_bank,
    orders_of,
    renewal_of,
    run_until,
)
from tests.memberships.rows import NOW

pytestmark = pytest.mark.django_db

D = Decimal
State = Renewal.State
# A month on, at the same time by the clock of Paris, where summer has begun.
DUE = NOW.replace(month=4, hour=8)
NEXT = DUE.replace(month=5)


@pytest.fixture(autouse=True)
def _clock(clock: Any) -> None:
    """No test here depends on the day it runs."""


@pytest.fixture
def bank(settings: Any) -> Bank:
    settings.WAGTAIL_REFERRALS_OSCAR = {"RENEWAL_CARDS": renewing.PATH}
    return open_bank()


@pytest.fixture
def plan(db: None) -> Plan:
    return make_renewing_plan()


@pytest.fixture
def member(plan: Plan, bank: Bank) -> Membership:
    return make_member(plan=plan)


def fresh(membership: Membership) -> Membership:
    return Membership.objects.select_related("plan", "user").get(pk=membership.pk)


def test_it_is_announced_charged_and_goes_on_without_a_gap(member: Membership, bank: Bank) -> None:
    run_until(DUE - 7 * DAY - timedelta(minutes=1))
    assert mails(member.user) == []
    run_until(DUE - 7 * DAY, start=DUE - 7 * DAY)
    renewal = renewal_of(member)
    assert (renewal.state, renewal.announced_total) == (State.PLANNED, D("30.00"))
    assert mails(member.user) == ["membership_renews"]
    renew_due(DUE - timedelta(seconds=1))
    assert bank.asked == []
    renew_due(DUE + timedelta(minutes=3))
    renewal.refresh_from_db()
    assert renewal.state == State.DONE
    (order,) = orders_of(member)
    assert (order.number, str(order.total_incl_tax), order.status) == (renewal.order_number, "30.00", "Paid")
    (request,) = bank.asked
    assert (request.user, request.key, request.order_number) == (
        member.user,
        f"renewal:{renewal.pk}:0",
        order.number,
    )
    member.refresh_from_db()
    assert (member.state, member.ends_at) == (Membership.State.ACTIVE, NEXT)
    assert mails(member.user) == ["membership_renews", "membership_renewed"]
    period = member.periods.latest("pk")
    assert (period.kind, period.starts_at, period.order_number) == (Period.Kind.RENEWAL, DUE, order.number)
    renew_due(DUE + timedelta(minutes=4))
    assert renewal_of(member).number == 2
    assert len(orders_of(member)) == 1
