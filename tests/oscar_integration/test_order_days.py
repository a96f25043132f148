"""All orders of the shop by day: what reports compare friends' orders with."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oscar_integration import OscarShop
from tests.oscar_integration.shopping import create_order, fill_basket
from wagtail_referrals.insights import ShopFigures, refresh_days, shop_orders
from wagtail_referrals.insights.models import FiguredDay, ShopDay
from wagtail_referrals.referrals import DayOrders

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
D = Decimal


@pytest.fixture(autouse=True)
def zone(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Paris"


@pytest.fixture
def place(mat: Any, make_customer: Any) -> Any:
    """An order of one mat, 100.00, by an account or a guest."""

    keeper = make_customer("keeper@example.com")

    def place(moment: datetime, user: Any = None, email: str = "", currency: str = "EUR") -> Any:
        basket = fill_basket(mat, user=user or keeper)
        order = create_order(basket, user=user or keeper, date_placed=moment)
        order.shipping_incl_tax, order.currency = D("4.90"), currency
        order.total_incl_tax += D("4.90")
        if user is None:
            order.user, order.guest_email = None, email
        order.save()
        return order

    return place


def asked(start: datetime, end: datetime) -> list[DayOrders]:
    return sorted(OscarShop().orders_by_day(start, end), key=lambda row: (row.day, row.currency))


def test_orders_of_accounts_and_guests(place: Any, make_customer: Any) -> None:
    lea = make_customer("lea@example.com")
    place(NOON - 9 * DAY, lea)
    place(NOON, lea)
    place(NOON, make_customer("new@example.com"))
    place(NOON, email="Guest@example.com")
    place(NOON + timedelta(hours=1), email="guest@example.com")
    place(NOON + timedelta(hours=1), email="other@example.com", currency="USD")
    # After midnight in Paris.
    place(NOON + timedelta(hours=11, minutes=30), lea)
    assert asked(NOON - DAY, NOON + DAY) == [
        DayOrders(date(2026, 3, 2), "EUR", 4, 2, D("400.00")),
        DayOrders(date(2026, 3, 2), "USD", 1, 0, D("100.00")),
        DayOrders(date(2026, 3, 3), "EUR", 1, 1, D("100.00")),
    ]


def test_the_cost_does_not_grow(place: Any, make_customer: Any) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            asked(NOON - DAY, NOON + DAY)
        return len(queries)

    place(NOON, make_customer("a@example.com"))
    place(NOON, email="a-guest@example.com")
    before = cost()
    for number in range(4):
        place(NOON, email=f"guest{number}@example.com")
    assert cost() == before == 4


def test_days_that_are_over_are_asked_for_once(place: Any, make_customer: Any, monkeypatch: Any) -> None:
    lea = make_customer("lea@example.com")
    place(NOON, lea)
    place(NOON + 5 * DAY, lea)
    FiguredDay.objects.create(day=NOON.date(), figured_at=NOON)
    refresh_days(NOON + DAY)
    assert ShopDay.objects.get().orders == 1
    questions = []
    real = OscarShop.orders_by_day

    def orders_by_day(self: Any, start: datetime, end: datetime) -> Any:
        questions.append((start, end))
        return real(self, start, end)

    monkeypatch.setattr(OscarShop, "orders_by_day", orders_by_day)
    assert shop_orders(NOON.date(), NOON.date()) == {"EUR": ShopFigures(1, 0, D("100.00"))}
    assert questions == []
    found = shop_orders(NOON.date(), (NOON + 6 * DAY).date())
    assert found == {"EUR": ShopFigures(2, 1, D("200.00"))} and len(questions) == 1


def test_a_shop_that_fails_says_nothing(place: Any, monkeypatch: Any, caplog: Any) -> None:
    def orders_by_day(self: Any, start: datetime, end: datetime) -> Any:
        raise ValueError("no")

    monkeypatch.setattr(OscarShop, "orders_by_day", orders_by_day)
    FiguredDay.objects.create(day=NOON.date(), figured_at=NOON)
    refresh_days(NOON + DAY)
    assert not FiguredDay.objects.get(day=NOON.date()).shop_counted
    assert shop_orders(NOON.date(), NOON.date()) is None
    assert "could not say" in caplog.text
    # The next sweep asks again.
    monkeypatch.undo()
    refresh_days(NOON + DAY)
    assert FiguredDay.objects.get(day=NOON.date()).shop_counted


def test_a_shop_that_does_not_tell(monkeypatch: Any) -> None:
    monkeypatch.delattr(OscarShop, "orders_by_day")
    assert shop_orders(NOON.date(), NOON.date()) is None
    FiguredDay.objects.create(day=NOON.date(), figured_at=NOON)
    refresh_days(NOON + DAY)
    assert not ShopDay.objects.exists()
