"""Several workers, and the customer's own tabs, at once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from example_site.card.gateway import ACCEPTED
from oscar_integration.memberships.models import Membership, Renewal
from oscar_integration.memberships.renewals import LEASE, renew_due, switch_renewal
from tests.books import LEDGER, assert_audit_clean
from tests.credit.audit import assert_books_agree
from tests.memberships.renewing import (
    DAY,
    DUE,
    NEXT,
    Bank,
    fresh,
    has_credit,
    join,
    left,
    make_member,
    make_renewing_plan,
    orders_of,
    renewal_of,
)
from tests.memberships.rows import NOW, give
from tests.oscar_integration.paying import Customer
from tests.oscar_integration.shopping import make_product
from tests.oscar_integration.test_checkout_credit_races import at_once
from wagtail_referrals import credit
from wagtail_referrals.messages.models import Message

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
State = Renewal.State


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    """What hears of a renewal's order looks at the clock of the machine: it is the day on which they are due."""
    with time_machine.travel(DUE, tick=True):
        yield


@pytest.fixture
def member(bank: Bank, transactional_db: None) -> Membership:
    """Announced, and due: bought and told without the day of this machine."""
    membership = make_member()
    has_credit(membership.user, "12.00")
    renew_due(NOW)
    renew_due(DUE - 7 * DAY)
    return membership


def failures(results: list[Any]) -> list[Any]:
    return [result for result in results if isinstance(result, Exception)]


def assert_renewed_once(member: Any, bank: Bank) -> None:
    (order,) = orders_of(member)
    assert (bank.amounts, left(member.user)) == (["18.00"], "0.00")
    assert fresh(member).ends_at == NEXT
    assert member.renewals.filter(state=State.DONE).count() == 1
    assert credit.captured_amount(order.number) == D(12)
    assert sorted(str(source.amount_debited) for source in order.sources.all()) == ["12.00", "18.00"]
    assert order.payment_events.count() == 1
    assert_audit_clean(only=LEDGER)
    assert_books_agree()


@pytest.mark.parametrize("workers", [2, 8])
def test_one_of_the_workers_renews(workers: int, member: Any, bank: Bank) -> None:
    gone = threading.Semaphore(0)

    def work() -> None:
        renew_due(DUE)
        gone.release()

    # Its card is charged once all the others have come by, and gone.
    bank.before = lambda request: [gone.acquire(timeout=30) for _other in range(workers - 1)]
    assert not failures(at_once(*[work] * workers))
    assert len(bank.asked) == 1, "the others left it to the one that has it"
    assert_renewed_once(member, bank)


def test_workers_after_a_lease_that_was_too_short(member: Any, bank: Bank) -> None:
    """The first one is slower than its lease: the card is asked again with the same key, and both want to place it."""
    arrived, go_on = threading.Event(), threading.Event()

    def hold(request: Any) -> None:
        if len(bank.asked) == 1:
            arrived.set()
            go_on.wait(30)

    bank.before = hold
    late = DUE + LEASE + timedelta(minutes=1)

    def second() -> None:
        arrived.wait(30)
        renew_due(late)
        go_on.set()

    assert not failures(at_once(lambda: renew_due(DUE), second))
    assert [request.key for request in bank.asked] == [bank.asked[0].key] * 2
    assert_renewed_once(member, bank)


def test_planned_once_by_several_workers(bank: Bank, transactional_db: None) -> None:
    members = [
        make_member(f"member{number}@example.com", plan)
        for number, plan in enumerate([make_renewing_plan()] * 20)
    ]
    assert not failures(at_once(*[lambda: renew_due(NOW)] * 4))
    assert Counter(Renewal.objects.values_list("membership", flat=True)) == Counter(
        member.pk for member in members
    )


def test_announced_once_by_several_workers(bank: Bank, transactional_db: None) -> None:
    plan = make_renewing_plan()
    for number in range(10):
        make_member(f"member{number}@example.com", plan)
    renew_due(NOW)
    assert not failures(at_once(*[lambda: renew_due(DUE - 7 * DAY)] * 4))
    assert Message.objects.filter(kind="membership_renews").count() == 10


@pytest.mark.parametrize("workers", [1, 4])
def test_the_customer_switches_it_off_at_that_moment(workers: int, member: Any, bank: Bank) -> None:
    """Either it was too late, and they have what they paid for, or nothing was charged."""
    results = at_once(*[lambda: renew_due(DUE)] * workers, lambda: switch_renewal(member.pk, False, DUE))
    assert not failures(results)
    found, renewal = fresh(member), renewal_of(member)
    assert not found.renews
    if renewal.state == State.DONE:
        assert (bank.amounts, len(orders_of(member)), found.ends_at) == (["18.00"], 1, NEXT)
    else:
        assert (renewal.state, bank.asked, orders_of(member)) == (State.CALLED_OFF, [], [])
        assert left(member.user) == "12.00"
    assert_audit_clean(only=LEDGER)


def test_the_customer_buys_it_for_longer_at_that_moment(member: Any, bank: Bank) -> None:
    results = at_once(
        lambda: renew_due(DUE),
        lambda: give(member.user, member.plan, now=DUE, origin="order"),
        lambda: renew_due(DUE),
    )
    assert not failures(results)
    renewed = len(orders_of(member))
    assert len(bank.amounts) == renewed
    assert fresh(member).ends_at == (NEXT.replace(month=6) if renewed else NEXT)
    assert member.renewals.filter(state__in=Renewal.OPEN).count() <= 1


def test_a_renewal_and_a_checkout_that_spend_the_same_credit(member: Any, bank: Bank, france: Any) -> None:
    """It is spent once; whoever comes second pays with the card, or is told before anything is charged."""
    make_product("MAT", "100.00")
    customer = Customer(member.user)
    customer.go_to_payment()
    customer.use("12")
    customer.preview(ACCEPTED)
    responses: list[Any] = []
    results = at_once(lambda: responses.append(customer.place_order(ACCEPTED)), lambda: renew_due(DUE))
    assert not failures(results)
    orders = {str(order.total_incl_tax): order for order in orders_of(member)}
    spent = {total: credit.captured_amount(order.number) for total, order in orders.items()}
    renewal = renewal_of(member)
    assert renewal.state == State.DONE and renewal.credit == spent["30.00"]
    assert bank.amounts == [str(D(30) - spent["30.00"])]
    if "100.00" in orders:
        assert sum(spent.values()) == D(12)
    else:
        assert "You no longer have that much credit" in responses[0].content.decode()
        assert spent["30.00"] == D(12)
    account = credit.account_of(member.user, "EUR")
    assert account is not None
    assert (account.balance, account.reserved, account.shortfall) == (D(0), D(0), D(0))
    assert_audit_clean(only=LEDGER)
    assert_books_agree()


def test_many_renewals_of_one_customer_spend_the_credit_once(bank: Bank, transactional_db: None) -> None:
    """Several plans, due at the same moment, and as many workers: the account is never overdrawn."""
    first = make_member()
    has_credit(first.user, "50.00")
    members = [first] + [join(first.user, make_renewing_plan(f"plan{number}")) for number in range(4)]
    renew_due(NOW)
    renew_due(DUE - 7 * DAY)
    assert not failures(at_once(*[lambda: renew_due(DUE)] * 4))
    for _again in range(2):
        renew_due(DUE + LEASE + timedelta(minutes=1))
    assert [fresh(member).ends_at for member in members] == [NEXT] * 5
    charged = sum((request.amount for request in bank.taken.values()), D(0))
    assert (charged, left(first.user)) == (D(100), "0.00")
    assert len(orders_of(first)) == 5
    assert_audit_clean(only=LEDGER)
