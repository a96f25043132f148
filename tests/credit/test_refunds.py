"""Giving back what an order was paid with."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from wagtail_referrals import credit
from wagtail_referrals.credit import Account, Entry, Lot

D = Decimal
NUMBER = "100001"


def refund(amount, key, now, number=NUMBER):
    return credit.refund(order_number=number, amount=D(amount), key=key, now=now)


def remaining():
    return list(Lot.objects.order_by("pk").values_list("remaining", flat=True))


def account_now():
    account = Account.objects.get()
    return account.balance, account.reserved, account.shortfall


@pytest.fixture
def paid(give, set_aside, now):
    """An order of 12 that was paid from two lots: 10 that end in 5 days, 2 of the 10 that end in 50 days."""
    give("10", days=50)
    give("10", days=5)
    set_aside("12")
    credit.capture(order_number=NUMBER, now=now)
    assert remaining() == [D(8), D(0)]


def test_credit_goes_back_where_it_came_from_last_spent_first(paid, now):
    entry = refund("3", "refund:1", now)
    assert (entry.kind, entry.amount, entry.part) == (Entry.Kind.REFUND, D(2), 0)
    assert remaining() == [D(10), D(1)]
    assert credit.captured_amount(NUMBER) == D(9)
    refund("4", "refund:2", now)
    assert remaining() == [D(10), D(5)]
    assert credit.captured_amount(NUMBER) == D(5)


def test_the_same_key_is_one_refund(paid, now):
    first = refund("3", "refund:1", now)
    assert refund("3", "refund:1", now).pk == first.pk
    assert credit.captured_amount(NUMBER) == D(9)


def test_no_more_than_was_paid_goes_back(paid, now):
    refund("9999", "refund:1", now)
    assert remaining() == [D(10), D(10)]
    assert credit.captured_amount(NUMBER) == D(0)
    with pytest.raises(credit.NothingToRefund):
        refund("1", "refund:2", now)
    assert refund("9999", "refund:1", now).amount == D(2), "the first one is still known"


@pytest.mark.parametrize("state", ["none", "active", "released"])
def test_an_order_that_was_not_paid_with_credit_has_nothing_to_give_back(give, set_aside, now, state):
    give("10")
    if state != "none":
        set_aside("10")
    if state == "released":
        credit.release(order_number=NUMBER, now=now)
    with pytest.raises(credit.NothingToRefund):
        refund("1", "refund:1", now)


@pytest.mark.parametrize("amount", ["0", "-2"])
def test_a_refund_is_positive(paid, now, amount):
    with pytest.raises(ValueError, match="positive"):
        refund(amount, "refund:1", now)


def test_credit_that_comes_back_after_its_time_lives_for_thirty_days(paid, customer, now):
    later = now + timedelta(days=20)
    refund("12", "refund:1", later)
    lots = Lot.objects.order_by("pk")
    assert [lot.expires_at for lot in lots] == [now + timedelta(days=50), later + timedelta(days=30)]
    assert credit.available(customer, "EUR", now=later) == D(20)
    assert credit.expire(now=later + timedelta(days=30)) == 2
    assert account_now() == (D(0), D(0), D(0))


@pytest.mark.parametrize("swept", [True, False])
def test_a_second_life_is_for_what_comes_back_only(give, set_aside, customer, now, swept):
    give("10", days=5)
    set_aside("4")
    credit.capture(order_number=NUMBER, now=now)
    later = now + timedelta(days=6)
    if swept:
        credit.expire(now=later)
    refund("4", "refund:1", later)
    assert account_now() == (D(4), D(0), D(0)), "the 6 that had not been spent are gone either way"
    assert credit.available(customer, "EUR", now=later) == D(4)


def test_a_refund_pays_the_shortfall(paid, customer, now):
    credit.claw_back(user=customer, currency="EUR", amount=D(11), key="reward:1:2", now=now)
    assert account_now() == (D(0), D(0), D(3))
    refund("12", "refund:1", now)
    assert account_now() == (D(9), D(0), D(0))


@pytest.fixture
def paid_by_shortfall(give, set_aside, now):
    """An order of 12 that was placed late, when only 5 were there."""
    give("12")
    set_aside("12")
    credit.release(order_number=NUMBER, now=now)
    set_aside("7", "100002")
    credit.capture(order_number=NUMBER, now=now)
    assert account_now() == (D(7), D(7), D(7))


def test_what_a_shortfall_paid_for_comes_back_as_less_shortfall(paid_by_shortfall, now):
    entry = refund("9", "refund:1", now)
    assert (entry.amount, entry.shortfall_delta) == (D(0), D(-7))
    assert account_now() == (D(9), D(7), D(0))
    assert credit.captured_amount(NUMBER) == D(3)


def test_a_shortfall_that_was_recovered_comes_back_as_credit(paid_by_shortfall, give, now):
    give("4")
    assert account_now() == (D(7), D(7), D(3))
    refund("12", "refund:1", now)
    assert account_now() == (D(16), D(7), D(0))
    assert credit.captured_amount(NUMBER) == D(0)
    with pytest.raises(credit.NothingToRefund):
        refund("1", "refund:2", now)


def test_small_refunds_of_a_recovered_shortfall_add_up(paid_by_shortfall, give, now):
    give("7")
    for number in range(6):
        refund("2", f"refund:{number}", now)
    assert account_now() == (D(19), D(7), D(0))
    assert credit.captured_amount(NUMBER) == D(0)


def test_a_refund_finds_the_order_of_a_deleted_customer(paid, customer, now):
    customer.delete()
    refund("12", "refund:1", now)
    assert account_now() == (D(20), D(0), D(0))
