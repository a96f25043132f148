"""The sweep makes up for an order that used a reward, and could not be noted when it was placed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_integration import vouchers
from tests.books import assert_audit_clean
from tests.oscar_integration.shopping import create_order, fill_basket
from tests.oscar_integration.test_repair import SOON, _broken
from tests.oscar_integration.test_rewards_to_use import PERCENT, earn
from wagtail_referrals import rewards
from wagtail_referrals.rewards.models import DiscountGrant

pytestmark = pytest.mark.django_db


def missed(camille: Any, product: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The referrer's own order, with their reward in it, of which nothing was written down."""
    basket = fill_basket(product, user=camille)
    basket.vouchers.add(get_model("voucher", "Voucher").objects.get(code=DiscountGrant.objects.get().code))
    with monkeypatch.context() as patch:
        patch.setattr(rewards, "order_placed", _broken)
        order = create_order(basket, user=camille)
    assert order.discounts.get().voucher_code.startswith(vouchers.PREFIX)
    assert DiscountGrant.objects.get().state == "issued"
    return order


def test_a_reward_that_an_order_used_is_noted_by_the_sweep(
    advocate: Any, camille: Any, mat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    earn(advocate, mat, PERCENT)
    order = missed(camille, mat, monkeypatch)
    for _again in range(2):
        rewards.sweep(now=timezone.now() + SOON)
    grant = DiscountGrant.objects.get()
    assert (grant.state, grant.used_reference) == ("used", order.number)
    assert grant.used_amount == order.discounts.get().amount
    assert_audit_clean()


def test_it_is_there_again_where_that_order_never_happened(
    advocate: Any, camille: Any, mat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    earn(advocate, mat, PERCENT)
    order = missed(camille, mat, monkeypatch)
    order.set_status("Cancelled")
    rewards.sweep(now=timezone.now() + SOON)
    rewards.sweep(now=timezone.now() + SOON + timedelta(minutes=1))
    grant = DiscountGrant.objects.get()
    assert (grant.state, grant.issue) == ("issued", 1)
