"""The question after a good order, in a shop without Oscar: its own orders, the engine's own rules."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.plainshop.models import Order
from tests.plainshop.shop import PlainShop
from wagtail_referrals.messages.models import Message, MessageSwitch
from wagtail_referrals.messages.sweeping import plan_all
from wagtail_referrals.rewards import sweep

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def order(make_program: Any, make_user: Any, now: Any) -> Order:
    """Delivered 8 days ago, placed when there was a program."""
    make_program()
    MessageSwitch.objects.create(kind="share_it", is_on=True)
    return Order.objects.create(
        number="1",
        user=make_user("lea"),
        email="lea@example.com",
        goods=Decimal("60.00"),
        placed_at=now + DAY,
        paid_at=now + DAY,
        shipped_at=now + 2 * DAY,
    )


def test_the_sweep_asks_once(order: Order, now: Any) -> None:
    for days in (8, 9, 10, 11):
        sweep(now=now + days * DAY)
    assert Message.objects.filter(kind="share_it").count() == 1


@pytest.mark.parametrize(
    "values",
    [{"cancelled": True}, {"refunded": Decimal(5)}, {"refunded_lines": {"mat": "5.00"}}, {"user": None}],
)
def test_not_after_an_order_that_went_badly(order: Order, now: Any, values: Any) -> None:
    Order.objects.update(**values)
    assert plan_all(now=now + 10 * DAY) == 0


def test_a_shop_that_does_not_say_asks_nobody(order: Order, now: Any, monkeypatch: Any) -> None:
    monkeypatch.delattr(PlainShop, "recent_good_orders")
    assert plan_all(now=now + 10 * DAY) == 0


def test_orders_from_before_the_program_are_no_cause(order: Order, now: Any) -> None:
    Order.objects.update(placed_at=now - DAY)
    assert plan_all(now=now + 10 * DAY) == 0
