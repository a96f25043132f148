"""Who was a customer before the package came is known by all variants of their address."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connection
from django.db.models.signals import post_save
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_integration import receivers
from oscar_integration.shop import OscarShop, orders_of
from tests.oscar_integration.shopping import Friend, create_order, fill_basket
from tests.oscar_integration.test_attribution_robust import unheard
from wagtail_referrals import rewards
from wagtail_referrals.people import email_key
from wagtail_referrals.people.hashing import key_id
from wagtail_referrals.people.models import Backfill, CustomerEmail
from wagtail_referrals.referrals import backfill
from wagtail_referrals.referrals.models import Purchase, Referral

pytestmark = pytest.mark.django_db

VARIANTS = ["jo.doe@example.com", "jodoe+shop@example.com", "J.O.DOE+x.y@Example.COM", "jodoe@example.com"]


def known(user: Any = None, email: str = "") -> bool:
    return OscarShop().was_customer(user=user, email=email, excluding=None)


def ordered(product: Any, *, user: Any = None, email: str = "", status: str = "") -> Any:
    made = create_order(fill_basket(product, user=user), user=user, email=email)
    if status:
        type(made).objects.filter(pk=made.pk).update(status=status)
    return made


def installed_now() -> None:
    """What is there was there before the package: nothing of it is known."""
    CustomerEmail.objects.all().delete()
    Backfill.objects.all().delete()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("before", ["guest", "account"])
@pytest.mark.parametrize("now", ["guest", "account"])
def test_a_variant_of_an_old_customers_address_is_an_old_customer(
    before: str, now: str, variant: str, strap: Any, make_customer: Any
) -> None:
    if before == "guest":
        ordered(strap, email="JoDoe@example.com")
    else:
        ordered(strap, user=make_customer("JoDoe@example.com"))
    installed_now()
    user = make_customer(variant) if now == "account" else None
    email = "" if user else variant
    assert known(user, email) == (variant == "jodoe@example.com"), "the very address is compared anyway"
    backfill()
    assert known(user, email)
    assert not known(None, "jo-doe@example.com") and not known(None, "jodoe@example.org")


def test_an_order_that_is_placed_from_now_on_is_known_without_a_backfill(
    strap: Any, make_customer: Any
) -> None:
    ordered(strap, email="jo.doe@example.com")
    assert known(None, "jodoe+x@example.com")
    ordered(strap, user=make_customer("lea@example.com"))
    assert known(None, "l.ea@example.com")


def test_a_former_address_of_an_account_still_leads_to_its_orders(strap: Any, make_customer: Any) -> None:
    ordered(strap, email="old@example.com")
    lea = make_customer("old@example.com")
    lea.email = "new@example.com"
    lea.save()
    assert known(lea, ""), "the account had the guest's address once"
    ordered(strap, user=lea)
    for email in ("o.ld@example.com", "new+1@example.com"):
        assert known(None, email)


def test_a_deleted_account_leaves_no_row(strap: Any, make_customer: Any) -> None:
    lea = make_customer("lea@example.com")
    order = ordered(strap, user=lea)
    backfill()
    lea.delete()
    assert not CustomerEmail.objects.exists()
    assert get_model("order", "Order").objects.filter(pk=order.pk, user=None).exists()
    assert not known(None, "lea@example.com")


def test_an_old_order_that_was_cancelled_makes_nobody_a_customer(strap: Any) -> None:
    ordered(strap, email="lea@example.com", status="Cancelled")
    installed_now()
    backfill()
    assert not known(None, "l.ea@example.com")


def test_what_came_without_a_signal_is_found_by_the_sweep(strap: Any, orders: Any) -> None:
    backfill()
    before = timezone.now()
    with unheard():
        ordered(strap, email="lea@example.com")
    assert not known(None, "lea@example.com"), "the table answers alone now"
    rewards.sweep(now=before + timedelta(hours=23))
    assert not known(None, "lea@example.com"), "once a day is enough"
    rewards.sweep(now=before + timedelta(hours=25))
    assert known(None, "le.a@example.com")


def test_the_sweep_does_not_begin_by_itself(strap: Any) -> None:
    ordered(strap, email="lea@example.com")
    installed_now()
    rewards.sweep(now=timezone.now() + timedelta(days=2))
    assert not CustomerEmail.objects.exists()


def test_another_secret_makes_the_table_useless_and_the_backfill_makes_it_anew(
    strap: Any, make_customer: Any
) -> None:
    ordered(strap, email="guest@example.com")
    ordered(strap, user=make_customer("lea@example.com"))
    backfill()
    old = key_id()
    with override_settings(SECRET_KEY="another"):
        assert key_id() != old
        assert known(None, "guest@example.com") and known(None, "lea@example.com"), "the very address"
        assert not known(None, "gu.est@example.com")
        assert backfill() == {"accounts": 1, "orders": 1}
        assert known(None, "gu.est@example.com") and known(None, "l.ea@example.com")
        assert set(CustomerEmail.objects.values_list("key_id", flat=True)) == {key_id()}
        assert CustomerEmail.objects.count() == 2
        assert Backfill.objects.get().key_id == key_id()
        assert backfill() == {"accounts": 0, "orders": 0}


def test_who_comes_back_by_a_variant_gets_no_discount_and_earns_nobody_anything(
    friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    ordered(mat, email="jodoe@example.com")
    installed_now()
    backfill()
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("jo.doe+sale@example.com")
    order = friend.buy()
    assert order.total_incl_tax == 100
    purchase = Purchase.objects.get()
    assert purchase.was_customer
    rewards.sweep(now=timezone.now())
    assert Referral.objects.get().reason == "existing_customer"


def test_a_receiver_that_cannot_write_keeps_nobody_from_an_account(
    monkeypatch: pytest.MonkeyPatch, make_customer: Any, caplog: Any
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("a deadlock, say")

    with monkeypatch.context() as patch:
        patch.setattr("wagtail_referrals.receivers.remember_account", broken)
        lea = make_customer("lea@example.com")
    assert "lea@" not in caplog.text
    assert get_user_model().objects.filter(pk=lea.pk).exists()
    assert not CustomerEmail.objects.exists()
    assert backfill() == {"accounts": 1, "orders": 0}


def test_a_login_writes_nothing(make_customer: Any) -> None:
    lea = make_customer("lea@example.com")
    with CaptureQueriesContext(connection) as captured:
        lea.save(update_fields=["last_login"])
    assert len(captured) == 1
    assert any("account_saved" in str(entry[0]) for entry in post_save.receivers)


def test_a_guests_order_costs_one_statement_more(strap: Any, make_customer: Any) -> None:
    """The address is written in the savepoint that is there anyway. Nothing more for an account, which has its row."""

    def statements(user: Any, email: str) -> int:
        basket = fill_basket(strap, user=user)
        with CaptureQueriesContext(connection) as captured:
            create_order(basket, user=user, email=email)
        return sum("SAVEPOINT" not in query["sql"] for query in captured.captured_queries)

    lea = make_customer("lea@example.com")
    statements(lea, "")
    with unheard():
        without = statements(lea, ""), statements(None, "zoe@example.com")
    # What is set aside, the claims of the basket and of the account, referrals. A guest has neither credit nor account.
    assert statements(lea, "") - without[0] == 4
    assert statements(None, "zoe@example.com") - without[1] == 2 + 1
    assert not CustomerEmail.objects.exclude(email_hash=email_key("zoe@example.com")).exclude(user=lea)


def test_an_address_is_noted_also_where_another_process_was_faster(
    strap: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, times = receivers.attribute, []

    def faster(order: Any, **options: Any) -> Any:
        times.append(order)
        if len(times) == 1:
            raise IntegrityError("the referral is there already")
        return real(order, **options)

    monkeypatch.setattr(receivers, "attribute", faster)
    ordered(strap, email="lea@example.com")
    assert len(times) == 2
    assert known(None, "l.ea@example.com")


def test_asking_is_one_query(strap: Any, make_customer: Any, django_assert_num_queries: Any) -> None:
    lea = make_customer("lea@example.com")
    with django_assert_num_queries(1):
        list(orders_of(lea, "other@example.com"))


def test_an_address_is_noted_also_where_the_order_could_not_be_attributed(
    strap: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("a deadlock, say")

    backfill()
    monkeypatch.setattr(receivers, "attribute", broken)
    ordered(strap, email="zoe@example.com")
    assert "zoe@" not in caplog.text
    assert known(email="z.oe+again@example.com")
