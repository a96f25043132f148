"""The audit of the accounts finds each kind of corruption, and says which."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from tests.audit.tampering import change, drop_constraint, past_the_triggers, problems, sql
from tests.books import LEDGER, assert_audit_clean, audited
from tests.credit.audit import assert_books_agree
from wagtail_referrals import credit
from wagtail_referrals.credit import Account, Entry, Lot, Reservation, triggers

D = Decimal
Kind = Entry.Kind


@pytest.fixture
def lived(live: Callable[..., None]) -> None:
    live("EUR")


def found(now: Any) -> list[tuple[str, str, Any]]:
    return problems(now=now, only=LEDGER)


def test_a_healthy_history_gives_nothing(live, make_customer, now):
    live("EUR")
    live("JPY")
    deleted = make_customer()
    live("EUR", deleted)
    deleted.delete()
    assert set(Entry.objects.values_list("kind", flat=True)) == set(Kind.values)
    assert_books_agree()
    assert_audit_clean(now=now, only=("safeguards", "ledger"))


@pytest.mark.parametrize("field", ["balance", "reserved", "shortfall"])
def test_an_account_that_is_not_the_sum_of_its_movements(lived, now, field):
    account = Account.objects.get()
    change(account, **{field: getattr(account, field) + D("0.01")})
    (finding,) = audited(now=now, only=LEDGER)
    assert (finding.problem.key, finding.about, finding.number) == ("account_sums", "account", account.pk)
    assert (finding.expected, finding.found) == (
        str(getattr(account, field)),
        str(getattr(account, field) + D("0.01")),
    )
    assert finding.currency == "EUR"


@pytest.mark.parametrize("field", ["remaining", "reserved", "amount"])
def test_a_lot_that_is_not_the_sum_of_its_movements(lived, now, field):
    lot = Lot.objects.filter(reserved__gt=0).get()
    change(lot, **{field: getattr(lot, field) + D("0.01")})
    assert found(now) == [("lot_sums", "lot", lot.pk)]


def test_cents_are_exact_on_every_database(customer, now):
    """A hundred thousand times 0.1 is not 10,000 as floats."""
    entry = credit.grant(user=customer, currency="EUR", amount=D("9999999999.99"), key="big", now=now)
    for number in range(30):
        credit.grant(user=customer, currency="JPY", amount=D(1), key=f"small:{number}", now=now)
        credit.adjust(user=customer, currency="EUR", amount=D("-0.10"), key=f"take:{number}", now=now)
    assert_audit_clean(now=now, only=LEDGER)
    change(Account.objects.get(pk=entry.account_id), balance=D("9999999996.98"))
    (finding,) = audited(now=now, only=LEDGER)
    assert (finding.expected, finding.found) == ("9999999996.99", "9999999996.98")


def test_a_movement_that_was_changed(lived, now):
    entry = Entry.objects.get(kind=Kind.GRANT, key__endswith=":3")
    change(entry, amount=D("11.00"))
    assert found(now) == [("account_sums", "account", entry.account_id), ("lot_sums", "lot", entry.lot_id)]


def test_a_movement_that_was_deleted(lived, now):
    entry = Entry.objects.get(kind=Kind.ADJUST, amount__lt=0)
    past_the_triggers(f"DELETE FROM {Entry._meta.db_table} WHERE id = %s", entry.pk)
    assert found(now) == [("account_sums", "account", entry.account_id), ("lot_sums", "lot", entry.lot_id)]


def test_a_part_of_an_operation_that_was_deleted(lived, now):
    entry = Entry.objects.filter(part__gt=0, kind=Kind.FORGIVEN).first()
    past_the_triggers(f"DELETE FROM {Entry._meta.db_table} WHERE key = %s AND part = 0", entry.key)
    assert ("key_parts", "key", entry.key) in found(now)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite cannot drop this constraint.")
@pytest.mark.django_db(transaction=True)
def test_an_operation_that_was_written_twice(lived, now):
    drop_constraint(Entry, "referrals_entry_key")
    entry = Entry.objects.get(kind=Kind.ADJUST, amount__gt=0)
    values = {
        field.attname: getattr(entry, field.attname) for field in Entry._meta.fields if field.name != "id"
    }
    Entry.objects.bulk_create([Entry(**values)])
    keys = {key for key, _about, _number in problems(now=now, only=("safeguards", "ledger"))}
    assert keys == {"account_sums", "constraint_missing", "duplicate", "key_parts", "lot_sums"}


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Kind.GRANT, {"lot_id": None}),
        (Kind.GRANT, {"kind": "gift"}),
        (Kind.CAPTURE, {"reservation_id": None}),
        (Kind.RESERVE, {"shortfall_delta": D(1)}),
    ],
)
def test_a_movement_that_no_operation_writes(lived, now, kind, values):
    entry = Entry.objects.filter(kind=kind).first()
    change(entry, **values)
    assert ("entry_shape", "entry", entry.pk) in found(now)


def test_a_movement_in_the_lot_of_another_account(live, make_customer, now):
    live("EUR")
    live("EUR", make_customer())
    first, second = Account.objects.order_by("pk")
    entry = first.entries.filter(kind=Kind.ADJUST, amount__lt=0).get()
    change(entry, lot_id=second.lots.order_by("pk").last().pk)
    assert ("entry_shape", "entry", entry.pk) in found(now)


def test_amounts_that_were_below_zero_on_the_way(lived, now):
    """At the end everything adds up again: only the order of the movements shows it."""
    account = Account.objects.get()
    lot = account.lots.get(source="reward:3")
    grant = lot.entries.get(kind=Kind.GRANT)
    values = {"account": account, "lot": lot, "kind": Kind.ADJUST, "created_at": now}
    Entry.objects.bulk_create(
        [Entry(amount=D(-100), key="by hand:1", **values), Entry(amount=D(100), key="by hand:2", **values)]
    )
    assert found(now) == [("negative", "lot", lot.pk)]
    assert grant.amount == lot.amount


def test_less_than_nothing_was_to_recover_on_the_way(lived, now):
    account = Account.objects.get()
    lot = account.lots.filter(remaining__gt=0).first()
    values = {"account": account, "kind": Kind.CLAWBACK, "created_at": now}
    Entry.objects.bulk_create(
        [
            Entry(lot=lot, shortfall_delta=-100, key="by hand:1", **(values | {"kind": Kind.FORGIVEN})),
            Entry(shortfall_delta=100, key="by hand:2", **values),
        ]
    )
    assert found(now) == [("lot_sums", "lot", lot.pk), ("negative", "account", account.pk)]


@pytest.mark.parametrize(
    ("state", "values"),
    [
        ("captured", {"state": "released"}),
        ("released", {"state": "captured"}),
        ("active", {"state": "expired"}),
        ("expired", {"state": "active"}),
        ("active", {"amount": D("2.01")}),
        ("captured", {"key": "another:1"}),
    ],
)
def test_a_reservation_that_its_movements_do_not_confirm(lived, now, state, values):
    reservation = Reservation.objects.filter(state=state).first()
    change(reservation, **values)
    keys = {row for row in found(now) if row[0] != "reservation_overdue"}
    assert keys == {("reservation", "reservation", reservation.pk)}


def test_more_was_given_back_than_spent(lived, now):
    entry = Entry.objects.filter(kind=Kind.REFUND).order_by("pk").first()
    change(entry, amount=entry.amount + 100)
    assert ("reservation", "reservation", entry.reservation_id) in found(now)


def test_an_order_that_was_paid_with_credit_twice(lived, now):
    first, second = Reservation.objects.filter(state="captured")
    change(second, order_number=first.order_number, key=f"{first.order_number}:2")
    assert found(now) == [("captured_twice", "order", first.order_number)]


@pytest.mark.parametrize("expires_at", [None, 365])
def test_credit_that_expired_before_its_time(lived, now, expires_at):
    lot = Lot.objects.get(source="reward:2")
    assert lot.entries.filter(kind=Kind.EXPIRE).exists()
    change(lot, expires_at=None if expires_at is None else now + timedelta(days=expires_at))
    assert found(now) == [("lot_expiry", "lot", lot.pk)]


def test_credit_that_was_given_back_while_the_sweep_held_the_account(customer, now):
    """Who gives back looks at the clock, then waits for the account; meanwhile the sweep lets the credit expire."""
    ends = now - timedelta(seconds=2)
    credit.grant(
        user=customer, currency="EUR", amount=D(10), key="1", expires_at=ends, now=now - timedelta(days=1)
    )
    early = now - timedelta(hours=2)
    credit.reserve(user=customer, currency="EUR", amount=D(6), order_number="1", expires_at=now, now=early)
    credit.capture(order_number="1", now=early)
    credit.expire(now=now)
    credit.refund(order_number="1", amount=D(6), key="back", now=now - timedelta(seconds=1))
    assert Lot.objects.get().expires_at > now
    assert found(now) == []


def test_credit_that_was_set_aside_after_it_had_expired(lived, now):
    lot = Lot.objects.filter(reserved__gt=0).get()
    change(lot, expires_at=now - timedelta(hours=1))
    assert found(now) == [("lot_expiry", "lot", lot.pk)]


def test_more_was_forgiven_than_expired(lived, now):
    entry = Entry.objects.get(kind=Kind.FORGIVEN, lot__source="reward:2")
    change(entry, lot_id=Lot.objects.get(source="reward:3").pk)
    assert ("lot_sums", "lot", Lot.objects.get(source="reward:3").pk) in found(now)


def test_what_the_sweep_has_not_done(customer, now):
    credit.grant(user=customer, currency="EUR", amount=D(5), key="1", expires_at=now, now=now)
    lot = Lot.objects.get()
    credit.grant(user=customer, currency="EUR", amount=D(5), key="2", now=now)
    later = now + timedelta(hours=1)
    credit.reserve(user=customer, currency="EUR", amount=D(5), order_number="1", expires_at=later, now=later)
    reservation = Reservation.objects.get()
    assert found(now + timedelta(hours=23)) == []
    assert found(now + timedelta(hours=24, minutes=1)) == [("lot_overdue", "lot", lot.pk)]
    assert found(now + timedelta(days=2)) == [
        ("lot_overdue", "lot", lot.pk),
        ("reservation_overdue", "reservation", reservation.pk),
    ]
    credit.expire_reservations(now=now + timedelta(days=2))
    credit.expire(now=now + timedelta(days=2))
    assert found(now + timedelta(days=2)) == []


@pytest.mark.parametrize("name", [triggers.UPDATE, triggers.DELETE])
def test_a_trigger_that_is_missing(lived, now, name):
    on = f" ON {Entry._meta.db_table}" if connection.vendor == "postgresql" else ""
    sql(f"DROP TRIGGER {name}{on}")
    assert problems(now=now, only=("safeguards",)) == [("trigger_missing", "trigger", name)]


def test_a_constraint_that_was_dropped_and_what_offends_against_it(lived, now):
    missing = ("constraint_missing", "constraint", "referrals_one_active_reservation")
    sql("DROP INDEX referrals_one_active_reservation")
    assert problems(now=now, only=("safeguards",)) == [missing]
    active = Reservation.objects.get(state="active")
    again = {"account": active.account, "amount": 1, "created_at": now, "expires_at": now}
    Reservation.objects.create(order_number=active.order_number, key="again:1", **again)
    Reservation.objects.create(order_number="another", key="another:1", **again)
    assert problems(now=now, only=("safeguards",)) == [
        missing,
        ("duplicate", "referrals_one_active_reservation", f"order_number {active.order_number}"),
    ]
