"""Promise 12 in any shop: an order that was placed before the invitation is nobody's, in whatever way it comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.plainshop.models import Order
from tests.plainshop.test_chain import DAY, visit
from wagtail_referrals import messages, referrals, rewards
from wagtail_referrals.messages.models import Message
from wagtail_referrals.referrals import PurchaseSnapshot, record_purchase, register_friend
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.models import Reward

pytestmark = pytest.mark.django_db


@pytest.fixture
def old(now: Any) -> PurchaseSnapshot:
    """An order of the friend's, a year before the invitation."""
    Order.objects.create(
        number="old", email="lea@example.com", goods=Decimal(50), placed_at=now - 365 * DAY, paid_at=now
    )
    return PurchaseSnapshot(
        reference="old",
        placed_at=now - 365 * DAY,
        currency="EUR",
        eligible=Decimal(50),
        total=Decimal(50),
        was_customer=False,
    )


@pytest.fixture
def invited(advocate, make_program, make_user, basket, now):
    """(account, basket, claim) of a friend who came today."""
    _, terms, _ = make_program()
    lea = make_user("lea")
    made = basket(lea)
    claim = rewards.commit(
        visit=visit(advocate, terms, now), basket_reference=str(made.pk), user=lea, now=now
    )
    return lea, made, claim


def nothing_comes(now: Any) -> None:
    for days in (0, 1, 30, 200):
        rewards.sweep(now=now + days * DAY)
        messages.deliver_pending(now=now + days * DAY)
    assert not Purchase.objects.exists() and not Message.objects.exists()
    assert not Reward.objects.filter(given_at__isnull=False).exists()


def test_by_its_basket(old, invited, now):
    lea, made, _claim = invited
    assert rewards.order_placed(old, basket_reference=str(made.pk), user=lea, now=now) is None
    nothing_comes(now)


def test_by_the_customer_who_is_a_friend_by_now(old, invited, now):
    lea, _made, claim = invited
    register_friend(lea, claim=claim, now=now)
    for person in ({"user": lea}, {"email": "lea@example.com"}):
        assert rewards.order_placed(old, now=now, **person) is None
    nothing_comes(now)
    assert not Referral.objects.get().purchases.exists()


def test_by_its_claim(old, invited, now):
    lea, _made, claim = invited
    assert record_purchase(old, claim=claim, user=lea, now=now) is None
    nothing_comes(now)


def test_by_a_change(old, invited, now):
    lea, _made, claim = invited
    register_friend(lea, claim=claim, now=now)
    Order.objects.update(shipped_at=now, refunded=Decimal(10))
    rewards.check_soon("old", at_once=True, now=now)
    nothing_comes(now)


def test_by_the_backfill(old, invited, now):
    referrals.backfill(now=now)
    nothing_comes(now)


def test_to_the_second(old, invited, now):
    """The order that follows the invitation at once is the friend's."""
    lea, made, _claim = invited
    just_before = replace(old, placed_at=now - timedelta(seconds=1))
    assert rewards.order_placed(just_before, basket_reference=str(made.pk), user=lea, now=now) is None
    assert (
        rewards.order_placed(
            replace(old, placed_at=now), basket_reference=str(made.pk), user=lea, now=now
        ).referral.friend
        == lea
    )
