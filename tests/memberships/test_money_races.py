"""What must not be charged: somebody ends, refunds or prolongs a membership just as its renewal begins."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, connections

from oscar_integration.memberships import placing
from oscar_integration.memberships.admin.actions import BeingCharged, end_now
from oscar_integration.memberships.models import Membership, Period, Renewal
from oscar_integration.memberships.opening import take_back
from oscar_integration.memberships.renewals import renew_due
from tests.books import LEDGER, assert_audit_clean
from tests.memberships.renewing import (
    DAY,
    DUE,
    NEXT,
    Bank,
    fresh,
    has_credit,
    left,
    make_member,
    orders_of,
    renewal_of,
)
from tests.memberships.rows import NOW, give, make_user
from tests.memberships.shopping import pay, place
from tests.oscar_integration.test_checkout_credit_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)

on_postgres = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="concurrency is proved on PostgreSQL"
)


@pytest.fixture
def member(bank: Bank, transactional_db: None) -> Membership:
    """Announced, and due; credit pays a part."""
    membership = make_member()
    has_credit(membership.user, "12.00")
    renew_due(NOW)
    renew_due(DUE - 7 * DAY)
    return membership


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """What happens elsewhere, and is committed, after a worker has seen that a renewal is wanted."""

    def happens(work: Callable[[], Any]) -> None:
        remember, once = placing.remember_price, iter([True])

        def elsewhere() -> None:
            try:
                work()
            finally:
                connections.close_all()

        def remember_price(*args: Any, **kwargs: Any) -> None:
            if next(once, False):
                thread = threading.Thread(target=elsewhere)
                thread.start()
                thread.join(20)
                assert not thread.is_alive(), "it waits for the worker"
            remember(*args, **kwargs)

        monkeypatch.setattr(placing, "remember_price", remember_price)

    return happens


def take_all_back(membership: Membership, reason: str) -> None:
    for period in Period.objects.filter(membership=membership, taken_back_at=None):
        take_back(period, reason, now=DUE)


def test_it_is_not_ended_while_the_card_is_asked(member: Membership, bank: Bank) -> None:
    """The page of staff had looked before the worker began: the end itself looks again."""
    refused = []

    def end(request: Any) -> None:
        with pytest.raises(BeingCharged):
            end_now(member, DUE)
        refused.append(request.key)

    bank.before = end
    renew_due(DUE)
    assert len(refused) == 1
    assert (renewal_of(member).state, fresh(member).ends_at) == (Renewal.State.DONE, NEXT)
    assert not member.periods.filter(taken_back_at__isnull=False).exists()
    assert fresh(member).renews, "nothing of the end was written"


@on_postgres
@pytest.mark.parametrize("reason", [Membership.Reason.REFUNDED, Membership.Reason.STAFF])
def test_nothing_is_charged_for_what_was_taken_back_meanwhile(
    member: Membership, bank: Bank, meanwhile: Any, reason: str
) -> None:
    meanwhile(lambda: take_all_back(member, reason))
    renew_due(DUE)
    assert (bank.asked, orders_of(member)) == ([], [])
    assert renewal_of(member).state == Renewal.State.CALLED_OFF
    assert left(member.user) == "12.00"
    assert_audit_clean(only=LEDGER)


@on_postgres
def test_nothing_is_charged_for_a_day_that_has_moved(member: Membership, bank: Bank, meanwhile: Any) -> None:
    """The customer has bought one more month meanwhile: the renewal is for its end."""
    meanwhile(lambda: give(member.user, member.plan, now=DUE, origin="order"))
    renew_due(DUE)
    assert (bank.asked, orders_of(member)) == ([], [])
    renewal = renewal_of(member)
    assert (renewal.state, renewal.due_at, renewal.announced_at) == (Renewal.State.PLANNED, NEXT, None)
    assert left(member.user) == "12.00"


@on_postgres
def test_staff_end_it_as_a_worker_begins(member: Membership, bank: Bank) -> None:
    """Either it has ended and nothing is charged, or it is being charged and goes on."""
    _nothing, ended = at_once(lambda: renew_due(DUE), lambda: end_now(member, DUE))
    if ended is True and not bank.taken:
        assert (fresh(member).state, orders_of(member), left(member.user)) == ("ended", [], "12.00")
    elif ended is True:
        # It was renewed already when staff ended it: the order is theirs to refund.
        assert (fresh(member).state, len(orders_of(member))) == ("ended", 1)
    else:
        assert isinstance(ended, BeingCharged)
        assert (len(bank.taken), len(orders_of(member)), fresh(member).ends_at) == (1, 1, NEXT)


def test_nothing_is_charged_for_an_order_that_was_refunded_and_not_looked_at(
    bank: Bank, transactional_db: None, monthly: Any
) -> None:
    """The shop said nothing of it: what is charged is asked of the order itself."""
    user = make_user("jade@example.com")
    with time_machine.travel(NOW, tick=False):
        order = pay(place(monthly, user=user))
    member = Membership.objects.get(user=user)
    renew_due(NOW)
    renew_due(DUE - 7 * DAY)
    type(order)._default_manager.filter(pk=order.pk).update(status="Cancelled")
    renew_due(DUE)
    assert bank.asked == []
    assert (fresh(member).state, fresh(member).ended_reason) == ("ended", "cancelled")
    assert renewal_of(member).state == Renewal.State.CALLED_OFF


def test_seconds_between_two_sweeps_leave_totals_and_ledger_in_agreement(
    member: Membership, bank: Bank
) -> None:
    """Each sweep finds it in another state: due, charged with no answer, asked again, placed."""
    lost = iter([True])

    def lose(request: Any) -> None:
        if next(lost, False):
            raise TimeoutError

    bank.after = lose
    for seconds in (-1, 0, 1, 2, 15 * 60 + 1, 15 * 60 + 2):
        renew_due(DUE + timedelta(seconds=seconds))
        assert_audit_clean(only=LEDGER)
        assert_audit_clean(only=("renewals",))
    (order,) = orders_of(member)
    assert (bank.amounts, {request.key for request in bank.asked}) == (
        ["18.00"],
        {renewal_of(member).charge_key},
    )
    assert order.total_incl_tax == sum(source.amount_debited for source in order.sources.all()) == 30
    assert (left(member.user), fresh(member).ends_at) == ("0.00", NEXT)
