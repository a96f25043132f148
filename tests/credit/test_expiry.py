"""What ends by the clock."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from wagtail_referrals import credit
from wagtail_referrals.credit import Account, Entry, Lot, Reservation, expiry

D = Decimal


def account_now():
    account = Account.objects.get()
    return account.balance, account.reserved, account.shortfall


def test_a_lot_expires_at_its_time_and_not_before(give, now):
    give("10", days=5)
    give("3")
    end = now + timedelta(days=5)
    assert credit.expire(now=end - timedelta(seconds=1)) == 0
    assert credit.expire(now=end) == 1
    assert account_now() == (D(3), D(0), D(0))
    assert Entry.objects.get(kind=Entry.Kind.EXPIRE).amount == D(-10)
    assert credit.expire(now=end) == 0, "a second sweep finds nothing"


def test_what_is_set_aside_expires_once_it_is_freed(give, set_aside, now):
    give("10", days=1)
    set_aside("4", expires_at=now + timedelta(days=2))
    assert credit.expire(now=now + timedelta(days=1)) == 1
    assert account_now() == (D(4), D(4), D(0))
    credit.release(order_number="100001", now=now + timedelta(days=1))
    assert credit.expire(now=now + timedelta(days=1)) == 1
    assert account_now() == (D(0), D(0), D(0))


def test_overdue_reservations_are_freed(give, set_aside, now):
    give("20")
    set_aside("4", "100001")
    set_aside("5", "100002")
    set_aside("6", "100003", expires_at=now + timedelta(hours=3))
    assert credit.expire_reservations(now=now + timedelta(minutes=59)) == 0
    assert credit.expire_reservations(now=now + timedelta(hours=1)) == 2
    assert account_now() == (D(20), D(6), D(0))
    states = list(Reservation.objects.order_by("pk").values_list("state", flat=True))
    assert states == ["expired", "expired", "active"]


def test_what_an_overdue_reservation_frees_pays_the_shortfall(give, set_aside, customer, now):
    give("10")
    set_aside("4")
    set_aside("6", "100002")
    credit.claw_back(user=customer, currency="EUR", amount=D(9), key="reward:1:2", now=now)
    assert account_now() == (D(10), D(10), D(9))
    assert credit.expire_reservations(now=now + timedelta(hours=1)) == 2
    assert account_now() == (D(1), D(0), D(0))


def test_one_account_that_fails_does_not_keep_the_others_waiting(
    give, make_customer, now, monkeypatch, caplog
):
    broken = give("10", days=1).account_id
    give("10", days=1, user=make_customer())
    work = expiry._end_lots

    def fail_for_one(account, moment):
        if account.pk == broken:
            raise RuntimeError("broken")
        return work(account, moment)

    monkeypatch.setattr(expiry, "_end_lots", fail_for_one)
    assert credit.expire(now=now + timedelta(days=1)) == 1
    assert f"account {broken}" in caplog.text
    assert set(Lot.objects.values_list("remaining", flat=True)) == {D(10), D(0)}


def test_lots_that_will_expire_can_be_announced(give, set_aside, make_customer, now):
    give("10")
    late, soon, used = give("10", days=30), give("5", days=7), give("3", days=2)
    other = give("4", days=8, user=make_customer())
    set_aside("3")
    week, month = now + timedelta(days=7), now + timedelta(days=30)
    assert [lot.pk for lot in credit.expiring_lots(until=week, now=now)] == [soon.lot_id]
    assert [lot.pk for lot in credit.expiring_lots(until=month, now=now)] == [
        soon.lot_id,
        other.lot_id,
        late.lot_id,
    ]
    of_one = credit.expiring_lots(until=month, account=used.account, now=week)
    assert [lot.pk for lot in of_one] == [late.lot_id], "what ends now is too late to announce"
