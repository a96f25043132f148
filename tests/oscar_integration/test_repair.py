"""The sweep makes up for an order that could not be attributed when it was placed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_integration import repair
from tests.oscar_integration.shopping import Friend, create_order, fill_basket
from wagtail_referrals import rewards
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.tracking.models import Claim

pytestmark = pytest.mark.django_db

D = Decimal
SOON = timedelta(minutes=10)


def _broken(*args: Any, **kwargs: Any) -> None:
    raise RuntimeError("a deadlock, say")


def missed(friend: Friend, monkeypatch: pytest.MonkeyPatch, email: str = "lea@example.com") -> Any:
    friend.add("MAT")
    friend.as_guest(email)
    with monkeypatch.context() as patch:
        patch.setattr(rewards, "order_placed", _broken)
        order = friend.buy()
    assert not Purchase.objects.exists()
    return order


def test_a_missed_order_is_attributed_by_the_sweep(
    friend: Friend, advocate: Any, terms: Any, mat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    friend.click(advocate, terms)
    missed(friend, monkeypatch)
    rewards.sweep(now=timezone.now())
    assert not Purchase.objects.exists(), "the checkout may still be at it"
    for _again in range(2):
        rewards.sweep(now=timezone.now() + SOON)
    purchase = Purchase.objects.get()
    assert (purchase.eligible, purchase.referral.advocate) == (D("90.00"), advocate)
    assert repair.missed_orders(timezone.now() + SOON) == []


def test_one_that_fails_again_keeps_neither_the_others_nor_the_sweep(
    friend: Friend, advocate: Any, terms: Any, mat: Any, monkeypatch: pytest.MonkeyPatch, france: Any
) -> None:
    friend.click(advocate, terms)
    first = missed(friend, monkeypatch)
    other = Friend()
    other.click(advocate, terms)
    second = missed(other, monkeypatch, "tom@example.com")
    real = rewards.order_placed

    def only_the_second(snapshot: Any, **values: Any) -> Any:
        return real(snapshot, **values) if snapshot.reference == second.number else _broken()

    monkeypatch.setattr(rewards, "order_placed", only_the_second)
    run = rewards.sweep(now=timezone.now() + SOON)
    assert run.finished_at is not None
    assert list(Purchase.objects.values_list("reference", flat=True)) == [second.number]
    assert [order.number for order in repair.missed_orders(timezone.now() + SOON)] == [first.number]


def test_an_order_before_the_invitation_stays_nobodys(
    friend: Friend, advocate: Any, terms: Any, mat: Any, make_customer: Any
) -> None:
    lea = make_customer("lea@example.com")
    order = create_order(fill_basket(mat, user=lea), user=lea)
    get_model("order", "Order").objects.filter(pk=order.pk).update(
        date_placed=timezone.now() - timedelta(hours=1)
    )
    friend.client.force_login(lea, backend="django.contrib.auth.backends.ModelBackend")
    friend.click(advocate, terms)
    friend.add("MAT")
    assert Claim.objects.exists()
    # Even where a basket is tied afterwards.
    Claim.objects.get().baskets.update(basket_reference=str(order.basket_id))
    rewards.sweep(now=timezone.now() + SOON)
    assert not Purchase.objects.exists() and not Referral.objects.exists()
