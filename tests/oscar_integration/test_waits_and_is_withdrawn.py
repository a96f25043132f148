"""A discount that waits for its stage becomes usable at the very moment at which it is withdrawn."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection  # noqa: F401 (the marks ask for it)
from django.utils import timezone
from oscar.core.loading import get_model

from tests.oscar_integration.shopping import create_order, make_program
from tests.oscar_integration.test_checkout_and_settle import Stop, meet
from tests.oscar_integration.test_rewards_to_use import PERCENT
from tests.oscar_integration.test_vouchers import claimed
from wagtail_referrals import rewards
from wagtail_referrals.referrals.models import Purchase
from wagtail_referrals.rewards.discounts import issue_waiting, withdraw
from wagtail_referrals.rewards.models import DiscountGrant
from wagtail_referrals.rewards.settle import settle

Voucher = get_model("voucher", "Voucher")


@pytest.fixture
def order(settings: Any, advocate: Any, mat: Any) -> Any:
    """It earned a reward that waits: the shop gave no discounts when it was due, and does now."""
    terms = make_program(
        [{"side": "advocate", "trigger": "first_purchase"} | PERCENT], hold_days=0, hold_anchor="paid"
    )
    settings.WAGTAIL_REFERRALS_OSCAR = {"VOUCHERS": False}
    made = create_order(claimed(advocate, terms, mat), email="lea@example.com")
    made.set_status("Paid")
    rewards.sweep()
    assert DiscountGrant.objects.get().state == "offered"
    settings.WAGTAIL_REFERRALS_OSCAR = {"VOUCHERS": True}
    return made


def assert_gone() -> None:
    grant = DiscountGrant.objects.get()
    assert grant.state == "void"
    assert not Voucher.objects.filter(end_datetime__gt=timezone.now()).exists()


@pytest.mark.django_db
def test_what_was_issued_since_it_was_read_ends_too(order: Any) -> None:
    read = list(DiscountGrant.objects.select_related("claim", "reward__referral"))
    assert len(issue_waiting()) == 1
    withdraw(read, "revoked", now=timezone.now())
    assert Voucher.objects.exists()
    assert_gone()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="row locks are proved on PostgreSQL")
def test_taken_back_and_issued_at_once(order: Any) -> None:
    referral = Purchase.objects.get(reference=order.number).referral_id
    type(order).objects.filter(pk=order.pk).update(status="Cancelled")
    stop = Stop(f'UPDATE "{DiscountGrant._meta.db_table}" SET', '"reason"', before=True)
    meet(lambda: settle(referral), stop, issue_waiting)
    assert_gone()
    settle(referral)
    assert issue_waiting() == []
    assert_gone()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="row locks are proved on PostgreSQL")
def test_two_sweeps_at_once_give_it_once(order: Any) -> None:
    stop = Stop("discountgrant", "FOR NO KEY UPDATE")
    first, second = meet(issue_waiting, stop, issue_waiting)
    assert (len(first), len(second)) == (1, 0)
    assert Voucher.objects.count() == 1
    assert DiscountGrant.objects.get().state == "issued"
