"""Reading the books."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction
from django.db.models import F

from wagtail_referrals import credit
from wagtail_referrals.credit import Account, Entry, Lot

D = Decimal


def test_nobody_has_no_account_and_asks_nothing(db, django_assert_num_queries):
    with django_assert_num_queries(0):
        for nobody in (None, AnonymousUser()):
            assert credit.account_of(nobody, "EUR") is None
            assert credit.accounts_of(nobody) == []
            assert credit.available(nobody, "EUR") == 0


def test_what_is_available_is_one_query(customer, give, set_aside, now, django_assert_num_queries):
    give("10", days=1)
    give("20.30")
    set_aside("5")
    with django_assert_num_queries(1):
        assert credit.available(customer, "EUR", now=now) == D("25.30")
    later = now + timedelta(days=1)
    with django_assert_num_queries(1):
        # 5 of the lot that ended are still set aside, and 5 are lost.
        assert credit.available(customer, "EUR", now=later) == D("20.30")
    assert credit.account_of(customer, "EUR", now=later).available == D("20.30")
    assert [a.available for a in credit.accounts_of(customer, now=later)] == [D("20.30")]
    assert credit.available(customer, "USD", now=now) == 0
    assert credit.account_of(customer, "USD") is None


def test_movements_come_newest_first(customer, give, set_aside, now, django_assert_num_queries):
    give("10")
    set_aside("4")
    credit.capture(order_number="100001", now=now + timedelta(minutes=1))
    account = credit.account_of(customer, "EUR")
    with django_assert_num_queries(1):
        movements = [
            (e.kind, e.reservation and e.reservation.order_number) for e in credit.entries_of(account)
        ]
    assert movements == [("capture", "100001"), ("reserve", "100001"), ("grant", None)]
    assert [e.kind for e in credit.entries_of(account, 1)] == ["capture"]


def test_accounts_can_be_locked_together(customer, make_customer, give, now):
    give("10")
    other = make_customer()
    with transaction.atomic():
        credit.lock_accounts([(other, "EUR"), (customer, "EUR"), (customer, "EUR"), (None, "EUR")])
    assert set(Account.objects.values_list("user_id", "currency")) == {
        (customer.pk, "EUR"),
        (other.pk, "EUR"),
    }
    assert credit.available(customer, "EUR", now=now) == D(10)


def test_the_database_refuses_what_the_code_never_does(give):
    give("10")
    account, lot = Account.objects.get(), Lot.objects.get()
    for change in (
        lambda: Account.objects.update(reserved=D(11)),
        lambda: Account.objects.update(reserved=D(-1)),
        lambda: Account.objects.update(balance=D(-1)),
        lambda: Account.objects.update(shortfall=D(-1)),
        lambda: Lot.objects.update(remaining=D(11)),
        lambda: Lot.objects.update(reserved=F("remaining") + 1),
        lambda: Account.objects.create(user_id=account.user_id, currency="EUR"),
        lambda: Entry.objects.create(
            account=account, lot=lot, kind="grant", key="grant:1", part=0, created_at=lot.created_at
        ),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()


def test_the_rows_stay_out_of_wagtails_reference_index():
    from wagtail.models import ReferenceIndex

    from wagtail_referrals.credit import Reservation

    for model in (Account, Entry, Lot, Reservation):
        assert not ReferenceIndex.model_is_indexable(model)


def test_no_row_shows_who_it_is_about(customer, give, set_aside):
    entry = give("10")
    reservation = set_aside("4")
    shown = " ".join(map(str, (entry, entry.account, entry.lot, reservation)))
    assert customer.username not in shown
    assert "100001" not in shown


def test_the_room_can_be_imported_before_the_apps_are_ready():
    code = (
        "from wagtail_referrals import credit; import wagtail_referrals.kinds; credit.quantize;"
        "assert 'wagtail_referrals.credit.models' not in __import__('sys').modules;"
        "assert set(credit.__all__) >= set(credit._HOMES)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_every_name_of_the_room_is_there():
    for name in credit.__all__:
        assert getattr(credit, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        credit.nothing
