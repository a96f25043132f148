"""The orders that a customer has had for some days and kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oscar_integration import OscarShop
from tests.oscar_integration.shopping import create_order, fill_basket
from tests.oscar_integration.test_facts import pay_back, reach, ship, source

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
PLACED = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
DELIVERED = PLACED + 3 * DAY


@pytest.fixture
def place(mat: Any, make_customer: Any) -> Any:
    def place(name: str = "lea", moment: datetime = PLACED) -> Any:
        basket = fill_basket(mat, user=make_customer(f"{name}@example.com"))
        order = create_order(basket, user=basket.owner, date_placed=moment)
        order.shipping_code = "home-delivery"
        order.save()
        return order

    return place


def deliver(order: Any) -> None:
    reach(order, "Paid", PLACED)
    reach(order, "Shipped", DELIVERED)


def good(start: datetime = DELIVERED, end: datetime = DELIVERED + DAY) -> list[Any]:
    return [
        (order.reference, order.user_id, order.placed_at, order.shipped_at)
        for order in OscarShop().recent_good_orders(start, end)
    ]


def test_by_status_or_by_what_was_sent(place: Any) -> None:
    by_status, by_event, not_sent = place("lea"), place("paul"), place("robin")
    deliver(by_status)
    ship(by_event, DELIVERED, "MAT")
    type(by_event).objects.filter(pk=by_event.pk).update(status="Shipped")
    reach(not_sent, "Paid", DELIVERED)
    assert good() == [(order.number, order.user_id, PLACED, DELIVERED) for order in (by_status, by_event)]
    assert good(DELIVERED + timedelta(seconds=1)) == good(DELIVERED - DAY, DELIVERED) == []


def test_what_needs_no_delivery_is_there_when_it_is_paid_for(place: Any) -> None:
    order = place()
    order.shipping_code = "no-shipping-required"
    order.save()
    reach(order, "Paid", DELIVERED)
    assert [row[0] for row in good()] == [order.number]


@pytest.mark.parametrize("what", ["cancelled", "refunded", "refunded at the bank", "a guest's"])
def test_orders_that_did_not_turn_out_well(what: str, place: Any) -> None:
    order = place()
    deliver(order)
    assert len(good()) == 1
    if what == "cancelled":
        type(order).objects.update(status="Cancelled")
    elif what == "refunded":
        pay_back(order, "5.00")
    elif what == "refunded at the bank":
        source(order, "5.00")
    else:
        order.user, order.guest_email = None, "guest@example.com"
        order.save()
    assert good() == []


def test_many_cost_no_more_queries(place: Any) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert good()
        return len(queries)

    deliver(place())
    before = cost()
    for number in range(5):
        deliver(place(f"customer{number}"))
    assert cost() == before <= 12
