"""Giving, taking back, correcting."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import AnonymousUser

from wagtail_referrals import credit
from wagtail_referrals.credit import Account, Entry, Lot

D = Decimal


def claw_back(customer, amount, key, now, source="", currency="EUR"):
    return credit.claw_back(
        user=customer, currency=currency, amount=D(amount), key=key, source=source, now=now
    )


def adjust(customer, amount, key, now):
    return credit.adjust(user=customer, currency="EUR", amount=D(amount), key=key, now=now)


def remaining():
    return list(Lot.objects.order_by("pk").values_list("remaining", flat=True))


def test_a_grant_makes_a_lot_and_an_account(customer, give, now):
    entry = give("15.00", source="reward:7", days=90)
    assert (entry.kind, entry.amount, entry.created_at) == (Entry.Kind.GRANT, D("15.00"), now)
    lot = Lot.objects.get()
    assert (lot.source, lot.amount, lot.remaining, lot.expires_at) == (
        "reward:7",
        D("15.00"),
        D("15.00"),
        now + timedelta(days=90),
    )
    assert entry.lot_id == lot.pk
    assert credit.available(customer, "EUR", now=now) == D("15.00")


def test_the_same_key_is_one_grant(customer, give):
    first = give("15", key="reward:1:1")
    again = give("15", key="reward:1:1")
    assert again.pk == first.pk
    assert Account.objects.get().balance == D("15.00")


@pytest.mark.parametrize("amount", ["0", "-1", "0.004"])
def test_a_grant_is_positive(give, amount):
    with pytest.raises(ValueError, match="positive"):
        give(amount)
    assert not Entry.objects.exists()


def test_a_currency_has_its_own_account_and_its_own_unit(customer, give, now):
    give("10.005")
    give("1000.4", currency="JPY")
    give("3.5", currency="points")
    assert [(a.currency, a.balance) for a in credit.accounts_of(customer)] == [
        ("EUR", D("10.01")),
        ("JPY", D("1000.00")),
        ("points", D("4.00")),
    ]


def test_three_decimals_are_refused_rather_than_lost(customer, give, set_aside, now):
    """The ledger and Oscar keep two: 1.234 KWD would have become 1.23 in silence."""
    give("1.23", currency="KWD")
    with pytest.raises(ValueError, match="two decimals"):
        give("1.234", currency="KWD")
    with pytest.raises(ValueError, match="two decimals"):
        set_aside("1.234", currency="KWD")
    with pytest.raises(ValueError, match="two decimals"):
        claw_back(customer, "0.001", "reward:1:2", now, currency="KWD")
    set_aside("1.23", currency="KWD")
    credit.capture(order_number="100001", now=now)
    with pytest.raises(ValueError, match="two decimals"):
        credit.refund(order_number="100001", amount=D("0.999"), key="refund:1", now=now)
    assert credit.available(customer, "KWD", now=now) == D("0.00")


def test_taking_back_begins_with_what_it_was_given_for(customer, give, now):
    give("10", days=5)
    give("10", source="reward:2", days=50)
    give("10", days=9)
    entry = claw_back(customer, "14", "reward:2:2", now, source="reward:2")
    assert remaining() == [D(6), D(0), D(10)]
    assert (entry.kind, entry.amount, entry.part) == (Entry.Kind.CLAWBACK, D("-10.00"), 0)


def test_what_was_spent_becomes_a_shortfall(customer, give, set_aside, now):
    give("10", source="reward:1")
    set_aside("8")
    credit.capture(order_number="100001", now=now)
    claw_back(customer, "10", "reward:1:2", now, source="reward:1")
    account = Account.objects.get()
    assert (account.balance, account.shortfall) == (D(0), D(8))


def test_what_is_set_aside_is_not_taken_back(customer, give, set_aside, now):
    give("10", source="reward:1")
    set_aside("8")
    claw_back(customer, "10", "reward:1:2", now, source="reward:1")
    account = Account.objects.get()
    assert (account.balance, account.reserved, account.shortfall) == (D(8), D(8), D(8))
    # The payment fails: what was freed pays the shortfall.
    credit.release(order_number="100001", now=now)
    account.refresh_from_db()
    assert (account.balance, account.reserved, account.shortfall) == (D(0), D(0), D(0))


def test_taking_back_from_nothing_still_writes_one_entry(customer, now, books):
    first = claw_back(customer, "5", "reward:1:2", now, source="reward:1")
    again = claw_back(customer, "5", "reward:1:2", now, source="reward:1")
    assert (first.amount, first.lot_id, first.shortfall_delta) == (D(0), None, D(5))
    assert again.pk == first.pk
    assert Account.objects.get().shortfall == D(5)


def test_what_expired_unused_is_owed_by_nobody(customer, give, set_aside, now):
    """10 of 15 expired and 5 were spent: only the 5 are owed, and nothing is taken of what came for something else."""
    give("15", source="reward:1", days=5)
    set_aside("5")
    credit.capture(order_number="100001", now=now)
    later = now + timedelta(days=6)
    credit.expire(now=later)
    entry = claw_back(customer, "15", "reward:1:2", later, source="reward:1")
    assert (entry.kind, entry.lot_id, entry.shortfall_delta) == (Entry.Kind.CLAWBACK, None, D(15))
    forgiven = Entry.objects.get(kind=Entry.Kind.FORGIVEN)
    assert (forgiven.key, forgiven.part, forgiven.lot_id) == ("reward:1:2", 1, Lot.objects.get().pk)
    assert (forgiven.amount, forgiven.reserved_delta, forgiven.shortfall_delta) == (0, 0, D(-10))
    account = Account.objects.get()
    assert (account.balance, account.shortfall) == (D(0), D(5))


def test_what_expired_is_forgiven_before_others_are_touched_and_once(customer, give, set_aside, now):
    give("15", source="reward:1", days=5)
    set_aside("5")
    credit.capture(order_number="100001", now=now)
    later = now + timedelta(days=6)
    credit.expire(now=later)
    give("20", source="reward:2")
    claw_back(customer, "7.50", "reward:1:2", later, source="reward:1")
    assert (Account.objects.get().balance, Account.objects.get().shortfall) == (D(20), D(0))
    # 2.50 are left that expired; 5 were spent.
    claw_back(customer, "7.50", "reward:1:3", later, source="reward:1")
    assert (Account.objects.get().balance, Account.objects.get().shortfall) == (D(15), D(0))
    assert (
        sum(Entry.objects.filter(kind=Entry.Kind.FORGIVEN).values_list("shortfall_delta", flat=True)) == -10
    )


def test_given_again_and_expired_again_is_forgiven_again(customer, give, now):
    for turn in (1, 2):
        give("15", source="reward:1", days=5, key=f"reward:1:{2 * turn - 1}")
        credit.expire(now=now + timedelta(days=6))
        claw_back(customer, "15", f"reward:1:{2 * turn}", now + timedelta(days=7), source="reward:1")
        assert Account.objects.get().shortfall == D(0)
    assert Entry.objects.filter(kind=Entry.Kind.FORGIVEN).count() == 2


def test_without_a_source_nothing_is_forgiven(customer, give, now):
    give("15", days=5)
    later = now + timedelta(days=6)
    credit.expire(now=later)
    claw_back(customer, "15", "reward:1:2", later)
    assert Account.objects.get().shortfall == D(15)


def test_what_was_set_aside_while_it_expired_pays_what_was_to_be_recovered(customer, give, set_aside, now):
    """Taken back while it was set aside, freed after it had expired: the customer never had it, and owes nothing."""
    give("10", source="reward:1", days=5)
    set_aside("10", expires_at=now + timedelta(days=7))
    claw_back(customer, "10", "reward:1:2", now, source="reward:1")
    assert Account.objects.get().shortfall == D(10)
    credit.release(order_number="100001", now=now + timedelta(days=6))
    credit.expire(now=now + timedelta(days=6))
    account = Account.objects.get()
    assert (account.balance, account.reserved, account.shortfall) == (D(0), D(0), D(0))


def test_taking_back_skips_what_has_expired_elsewhere(customer, give, now):
    give("10", days=1)
    give("4", days=40)
    later = now + timedelta(days=2)
    claw_back(customer, "6", "reward:1:2", later)
    assert remaining() == [D(10), D(0)]
    assert Account.objects.get().shortfall == D(2)


def test_a_grant_pays_the_shortfall_first(customer, give, now):
    claw_back(customer, "6", "reward:1:2", now)
    entry = give("10", key="reward:2:1")
    assert entry.amount == D(10)
    account = Account.objects.get()
    assert (account.balance, account.shortfall) == (D(4), D(0))
    recovery = Entry.objects.get(key="reward:2:1:recovery")
    assert (recovery.kind, recovery.amount, recovery.shortfall_delta) == (Entry.Kind.RECOVERY, D(-6), D(-6))


def test_a_small_grant_pays_a_part_of_the_shortfall(customer, give, now):
    claw_back(customer, "6", "reward:1:2", now)
    give("2")
    account = Account.objects.get()
    assert (account.balance, account.shortfall) == (D(0), D(4))


def test_taking_back_from_a_deleted_customer_finds_the_account(customer, give, make_customer, now):
    give("10", source="reward:1")
    other = make_customer()
    give("10", source="reward:2", user=other)
    customer.delete()
    other.delete()
    assert Account.objects.filter(user=None, currency="EUR").count() == 2
    entry = claw_back(None, "4", "reward:2:2", now, source="reward:2")
    assert entry.lot.source == "reward:2"
    assert remaining() == [D(10), D(6)]
    assert claw_back(None, "4", "reward:2:2", now, source="reward:2").pk == entry.pk
    assert give("3", user=AnonymousUser(), source="reward:1").account.balance == D(13)


def test_a_key_is_found_again_after_the_customer_is_gone(customer, now, books):
    first = adjust(customer, "5", "adjust:1", now)
    customer.delete()
    assert adjust(None, "5", "adjust:1", now).pk == first.pk


@pytest.mark.parametrize("source", ["", "reward:9"])
def test_nobody_without_a_lot_has_no_account(now, db, source):
    with pytest.raises(ValueError, match="no account"):
        claw_back(None, "4", "reward:9:2", now, source=source)
    with pytest.raises(ValueError, match="no account"):
        credit.grant(user=None, currency="EUR", amount=D(1), key="k", source=source, now=now)


def test_staff_can_add_and_take(customer, give, now):
    give("10", days=3)
    assert adjust(customer, "5", "adjust:1", now).amount == D(5)
    taken = adjust(customer, "-12", "adjust:2", now)
    assert (taken.kind, taken.amount) == (Entry.Kind.ADJUST, D(-10))
    assert remaining() == [D(0), D(3)]
    assert adjust(customer, "-12", "adjust:2", now).pk == taken.pk
    assert credit.available(customer, "EUR", now=now) == D(3)


def test_staff_cannot_take_what_is_not_there(customer, give, set_aside, now):
    give("10")
    set_aside("7")
    with pytest.raises(credit.InsufficientCredit) as refused:
        adjust(customer, "-4", "adjust:1", now)
    assert (refused.value.available, refused.value.currency) == (D(3), "EUR")
    assert not Entry.objects.filter(kind=Entry.Kind.ADJUST).exists()
    with pytest.raises(ValueError, match="positive"):
        adjust(customer, "0", "adjust:2", now)


def test_credit_that_staff_add_pays_the_shortfall(customer, now, books):
    claw_back(customer, "6", "reward:1:2", now)
    adjust(customer, "10", "adjust:1", now)
    account = Account.objects.get()
    assert (account.balance, account.shortfall) == (D(4), D(0))


def test_many_lots_are_many_entries_under_one_key(customer, give, now):
    for days in range(1, 8):
        give("1", days=days)
    adjust(customer, "-6.50", "adjust:1", now)
    entries = Entry.objects.filter(key="adjust:1").order_by("part")
    assert [(e.part, e.amount) for e in entries] == [(part, D(-1)) for part in range(6)] + [(6, D("-0.50"))]
