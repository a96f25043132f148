"""Tax is inside the price, and every sum is exact to the cent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from oscar.core.loading import get_class, get_model

from example_site.partner.strategy import without_tax
from tests.example_site.conftest import Shopper

D = Decimal


@pytest.mark.parametrize(
    ("price", "excl"),
    [("84.00", "70.00"), ("4.90", "4.08"), ("50.00", "41.67"), ("0.01", "0.01"), ("0", "0")],
)
def test_the_tax_is_the_rest(price: str, excl: str) -> None:
    assert without_tax(D(price)) == D(excl)


def test_an_order_adds_up(catalogue: None, client: Any) -> None:
    someone = Shopper(client)
    someone.add("STRAP", 3)  # 45.00: the parcel costs 4.90
    someone.as_guest()
    someone.deliver()
    someone.place("4242424242424242")
    order = get_model("order", "Order").objects.get()
    line = order.lines.get()
    assert (line.line_price_incl_tax, line.line_price_excl_tax) == (D("45.00"), D("37.50"))
    assert (order.shipping_incl_tax, order.shipping_excl_tax) == (D("4.90"), D("4.08"))
    assert (order.total_incl_tax, order.total_excl_tax) == (D("49.90"), D("41.58"))
    assert order.currency == "EUR"


@pytest.mark.parametrize(
    ("sku", "quantity", "method", "charge"),
    [
        ("STRAP", 3, "home-delivery", "4.90"),
        ("STRAP", 4, "home-delivery", "0.00"),  # 60.00 exactly
        ("STRAP", 1, "studio-pick-up", "0.00"),
    ],
)
def test_delivery(catalogue: None, client: Any, sku: str, quantity: int, method: str, charge: str) -> None:
    someone = Shopper(client)
    someone.add(sku, quantity)
    someone.as_guest()
    someone.deliver(method)
    someone.place("4242424242424242")
    assert get_model("order", "Order").objects.get().shipping_incl_tax == D(charge)


def test_a_pass_needs_no_address(catalogue: None, client: Any) -> None:
    someone = Shopper(client)
    someone.add("PASS-10")
    someone.as_guest()
    client.get("/en/checkout/shipping-method/")
    someone.place("4242424242424242")
    order = get_model("order", "Order").objects.get()
    assert order.shipping_address is None
    assert (order.shipping_code, order.total_incl_tax) == ("no-shipping-required", D("150.00"))


def test_a_percentage_is_taken_off_the_price_that_is_shown(catalogue: None, client: Any) -> None:
    ranges, conditions = get_model("offer", "Range"), get_model("offer", "Condition")
    everything = ranges.objects.get(slug="whole-shop")
    get_model("offer", "ConditionalOffer").objects.create(
        name="Ten",
        condition=conditions.objects.create(range=everything, type="Count", value=1),
        benefit=get_model("offer", "Benefit").objects.create(range=everything, type="Percentage", value=10),
    )
    someone = Shopper(client)
    someone.add("MAT-ROOT")
    someone.as_guest()
    someone.deliver()
    someone.place("4242424242424242")
    order = get_model("order", "Order").objects.get()
    assert (order.total_incl_tax, order.total_excl_tax) == (D("75.60"), D("63.00"))


def test_a_variant_names_its_size_on_the_order(catalogue: None, client: Any) -> None:
    product = get_model("catalogue", "Product").objects.get(upc="LEGGINGS")
    child = product.children.get(upc="LEGGINGS-M")
    client.post(f"/en/basket/add/{product.pk}/", {"quantity": 1, "child_id": child.pk})
    someone = Shopper(client)
    someone.as_guest()
    someone.deliver()
    someone.place("4242424242424242")
    assert get_model("order", "Line").objects.get().title == "Marée leggings, M"


def test_stock_limits_what_can_be_bought(catalogue: None) -> None:
    workshop = get_model("catalogue", "Product").objects.get(upc="WORKSHOP-BREATH")
    availability = (
        get_class("partner.strategy", "Selector")().strategy().fetch_for_product(workshop).availability
    )
    assert availability.is_purchase_permitted(12)[0]
    assert not availability.is_purchase_permitted(13)[0]
