"""Setting aside, spending, freeing: every step of a checkout and every way it can go wrong."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from wagtail_referrals import credit
from wagtail_referrals.credit import Account, Entry, Lot, Reservation

D = Decimal
State = Reservation.State
NUMBER = "100001"


def account_now():
    account = Account.objects.get()
    return account.balance, account.reserved, account.shortfall


def claw_back(customer, amount, now, key="reward:1:2"):
    return credit.claw_back(user=customer, currency="EUR", amount=D(amount), key=key, now=now)


def test_credit_is_set_aside_and_spent(customer, give, set_aside, now):
    give("20")
    reservation = set_aside("12")
    assert (reservation.state, reservation.key, reservation.amount) == (State.ACTIVE, "100001:1", D(12))
    assert account_now() == (D(20), D(12), D(0))
    assert credit.available(customer, "EUR", now=now) == D(8)
    assert credit.active_reservation(NUMBER) == reservation
    captured = credit.capture(order_number=NUMBER, now=now)
    assert (captured.pk, captured.state) == (reservation.pk, State.CAPTURED)
    assert captured.spent_now
    assert not credit.capture(order_number=NUMBER, now=now).spent_now
    assert account_now() == (D(8), D(0), D(0))
    assert credit.active_reservation(NUMBER) is None
    assert credit.captured_amount(NUMBER) == D(12)


def test_the_soonest_to_expire_is_spent_first(give, set_aside, now):
    never, late, soon = give("5"), give("5", days=30), give("5", days=3)
    set_aside("12")
    credit.capture(order_number=NUMBER, now=now)
    left = dict(Lot.objects.values_list("pk", "remaining"))
    assert left == {never.lot_id: D(3), late.lot_id: D(0), soon.lot_id: D(0)}


def test_only_what_is_available_can_be_set_aside(customer, give, set_aside, now):
    give("20")
    set_aside("15")
    with pytest.raises(credit.InsufficientCredit) as refused:
        set_aside("5.01", "100002")
    assert (refused.value.available, refused.value.currency) == (D(5), "EUR")
    assert account_now() == (D(20), D(15), D(0))
    set_aside("5", "100003")
    assert account_now() == (D(20), D(20), D(0))


def test_what_has_expired_cannot_be_set_aside_before_the_sweep_was_there(customer, give, set_aside, now):
    give("20", days=1)
    give("5", days=9)
    later = now + timedelta(days=1)
    assert credit.available(customer, "EUR", now=later) == D(5)
    with pytest.raises(credit.InsufficientCredit) as refused:
        set_aside("6", now=later)
    assert refused.value.available == D(5)


@pytest.mark.parametrize("nobody", [None, AnonymousUser()])
def test_nobody_has_no_credit(give, set_aside, nobody, now):
    give("20")
    with pytest.raises(credit.InsufficientCredit) as refused:
        set_aside("1", user=nobody)
    assert (refused.value.available, refused.value.currency) == (D(0), "EUR")


def test_a_customer_without_an_account_has_no_credit_and_gets_no_account(set_aside, now):
    with pytest.raises(credit.InsufficientCredit):
        set_aside("1")
    assert not Account.objects.exists()


def test_an_amount_set_aside_is_positive(give, set_aside):
    give("20")
    with pytest.raises(ValueError, match="positive"):
        set_aside("0")


def test_a_double_click_sets_aside_once(give, set_aside, now):
    give("20")
    first = set_aside("12")
    again = set_aside("12", expires_at=now + timedelta(hours=2))
    assert again.pk == first.pk
    assert account_now() == (D(20), D(12), D(0))
    first.refresh_from_db()
    assert first.expires_at == now + timedelta(hours=2)
    set_aside("12", expires_at=now)
    first.refresh_from_db()
    assert first.expires_at == now + timedelta(hours=2), "a second click does not shorten it"


def test_another_amount_replaces_the_attempt(give, set_aside, now):
    give("20")
    first = set_aside("12")
    second = set_aside("18")
    first.refresh_from_db()
    assert (first.state, second.state, second.key) == (State.RELEASED, State.ACTIVE, "100001:2")
    assert account_now() == (D(20), D(18), D(0))
    credit.capture(order_number=NUMBER, now=now)
    assert account_now() == (D(2), D(0), D(0))


def test_a_replacement_that_is_refused_leaves_the_attempt(give, set_aside):
    give("20")
    first = set_aside("12")
    with pytest.raises(credit.InsufficientCredit) as refused:
        set_aside("21")
    assert refused.value.available == D(20)
    assert credit.active_reservation(NUMBER) == first
    assert account_now() == (D(20), D(12), D(0))


def test_a_replacement_pays_the_shortfall_first(customer, give, set_aside, now):
    give("20")
    set_aside("20")
    claw_back(customer, "5", now)
    with pytest.raises(credit.InsufficientCredit) as refused:
        set_aside("16")
    assert refused.value.available == D(15)
    set_aside("15")
    assert account_now() == (D(15), D(15), D(0))


def test_the_order_moves_to_the_account_that_pays_now(customer, make_customer, give, set_aside, now):
    """The order number belongs to a basket; its currency, even its owner, can change between two attempts."""
    give("20")
    give("2000", currency="JPY")
    first = set_aside("12")
    second = set_aside("900", currency="JPY")
    first.refresh_from_db()
    assert (first.state, second.state, second.key) == (State.RELEASED, State.ACTIVE, "100001:2")
    assert credit.available(customer, "EUR", now=now) == D(20)
    third = set_aside("12")
    assert (third.key, third.account_id) == ("100001:3", first.account_id)
    credit.capture(order_number=NUMBER, now=now)
    assert [a.balance for a in credit.accounts_of(customer)] == [D(8), D(2000)]
    give("5", user=(friend := make_customer()))
    assert set_aside("5", user=friend).pk == third.pk, "the order has been placed"


def test_a_refused_move_leaves_the_other_account_alone(give, set_aside):
    give("20")
    give("20", currency="JPY")
    first = set_aside("12")
    with pytest.raises(credit.InsufficientCredit):
        set_aside("21", currency="JPY")
    assert credit.active_reservation(NUMBER) == first


def test_an_order_number_that_was_captured_is_not_set_aside_again(give, set_aside, now):
    give("20")
    reservation = set_aside("12")
    credit.capture(order_number=NUMBER, now=now)
    again = set_aside("3")
    assert (again.pk, again.state) == (reservation.pk, State.CAPTURED)
    assert account_now() == (D(8), D(0), D(0))


def test_a_second_capture_changes_nothing(give, set_aside, now):
    give("20")
    first = set_aside("12")
    credit.capture(order_number=NUMBER, now=now)
    entries = Entry.objects.count()
    assert credit.capture(order_number=NUMBER, now=now).pk == first.pk
    assert Entry.objects.count() == entries


def test_an_order_without_credit_captures_nothing(db, now):
    assert credit.capture(order_number="100009", now=now) is None
    assert credit.release(order_number="100009", now=now) is None
    assert credit.withdraw(order_number="100009", now=now) is None
    assert credit.captured_amount("100009") == 0


def test_a_failed_payment_frees_what_was_set_aside(give, set_aside, now):
    give("20")
    set_aside("12")
    released = credit.release(order_number=NUMBER, now=now)
    assert released.state == State.RELEASED
    assert account_now() == (D(20), D(0), D(0))
    entries = Entry.objects.count()
    assert credit.release(order_number=NUMBER, now=now) == released
    assert Entry.objects.count() == entries
    assert set_aside("12").key == "100001:2", "the customer may try again"


def test_a_captured_order_is_not_released(give, set_aside, now):
    give("20")
    set_aside("12")
    credit.capture(order_number=NUMBER, now=now)
    assert credit.release(order_number=NUMBER, now=now).state == State.CAPTURED
    assert credit.withdraw(order_number=NUMBER, now=now).state == State.CAPTURED
    assert account_now() == (D(8), D(0), D(0))


@pytest.mark.parametrize("ended", ["expired", "released"])
def test_an_order_placed_late_spends_what_is_there(give, set_aside, now, ended):
    give("20")
    first = set_aside("12")
    later = now + timedelta(hours=2)
    if ended == "expired":
        assert credit.expire_reservations(now=later) == 1
    else:
        credit.release(order_number=NUMBER, now=later)
    set_aside("15", "100002")
    captured = credit.capture(order_number=NUMBER, now=later)
    assert (captured.pk, captured.state) == (first.pk, State.CAPTURED)
    assert account_now() == (D(15), D(15), D(7)), "5 were there, 7 are still to recover"
    assert credit.captured_amount(NUMBER) == D(12)
    assert credit.capture(order_number=NUMBER, now=later) == captured
    assert account_now() == (D(15), D(15), D(7))


def test_an_order_placed_late_with_nothing_left(customer, give, set_aside, now):
    give("12")
    set_aside("12")
    credit.release(order_number=NUMBER, now=now)
    claw_back(customer, "12", now)
    assert credit.capture(order_number=NUMBER, now=now).state == State.CAPTURED
    assert account_now() == (D(0), D(0), D(12))


def test_an_overdue_reservation_that_was_not_swept_is_spent_in_full(give, set_aside, now):
    give("20", days=1)
    set_aside("12")
    later = now + timedelta(days=3)
    assert credit.expire(now=later) == 1
    assert account_now() == (D(12), D(12), D(0)), "what is set aside does not expire"
    credit.capture(order_number=NUMBER, now=later)
    assert account_now() == (D(0), D(0), D(0))


def test_an_order_placed_late_spends_what_was_good_when_it_was_set_aside(give, set_aside, now):
    give("12", days=1)
    set_aside("12")
    later = now + timedelta(days=2)
    credit.expire_reservations(now=later)
    credit.capture(order_number=NUMBER, now=later)
    assert account_now() == (D(0), D(0), D(0))


@pytest.mark.parametrize("before", ["active", "released", "expired"])
def test_an_order_that_is_paid_without_credit_after_all_captures_nothing(give, set_aside, now, before):
    give("20")
    set_aside("12")
    later = now + timedelta(hours=2)
    if before == "released":
        credit.release(order_number=NUMBER, now=now)
    if before == "expired":
        credit.expire_reservations(now=later)
    assert credit.withdraw(order_number=NUMBER, now=later).state == State.WITHDRAWN
    assert account_now() == (D(20), D(0), D(0))
    assert credit.capture(order_number=NUMBER, now=later) is None
    assert account_now() == (D(20), D(0), D(0))
    # The customer changes their mind once more.
    assert set_aside("10").key == "100001:2"
    credit.capture(order_number=NUMBER, now=later)
    assert account_now() == (D(10), D(0), D(0))


def test_deleting_the_customer_keeps_the_books_and_the_order(customer, give, set_aside, now):
    give("20")
    set_aside("12")
    customer.delete()
    account = Account.objects.get()
    assert (account.user_id, account.balance) == (None, D(20))
    assert credit.capture(order_number=NUMBER, now=now).state == State.CAPTURED
    assert account_now() == (D(8), D(0), D(0))


def statements(queries: CaptureQueriesContext) -> list[str]:
    aside = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT")
    return [query["sql"] for query in queries if not query["sql"].startswith(aside)]


@pytest.mark.parametrize(("lots", "history"), [(1, 0), (1, 120), (6, 0)])
def test_setting_aside_and_spending_cost_the_same_whatever_there_was_before(
    give, set_aside, now, lots, history
):
    """One statement reads and locks; then attempt, entries, lots and account are written: 5 for each of the two."""
    for number in range(history // 4):
        give("1", days=100 + number)
        set_aside("1", f"old-{number}")
        credit.capture(order_number=f"old-{number}", now=now)
    for number in range(lots):
        give("2", days=10 + number)
    with CaptureQueriesContext(connection) as reserving:
        set_aside(str(2 * lots))
    with CaptureQueriesContext(connection) as capturing:
        credit.capture(order_number=NUMBER, now=now)
    reserve, capture = statements(reserving), statements(capturing)
    assert len(reserve) == 5, reserve
    assert len(capture) == 5, capture
    assert not any("SUM(" in sql or "COUNT(" in sql for sql in reserve + capture)
