"""What was confirmed is what is charged: another tab changed the credit or the basket after the preview was shown."""

from __future__ import annotations

import re
from typing import Any

import pytest
from oscar.core.loading import get_model

from example_site.card.gateway import ACCEPTED
from example_site.card.models import DemoCharge
from tests.credit.audit import assert_books_agree
from tests.oscar_integration.paying import Customer, available, charges, give, sources, states

Basket = get_model("basket", "Basket")
Order = get_model("order", "Order")

SHOWN = re.compile(r'<input type="hidden" name="referral_credit_shown" value="([^"]*)"[^>]*>')


@pytest.fixture
def lea(make_customer: Any) -> Any:
    user = make_customer("lea@example.com", first_name="Léa")
    give(user, "150")
    return user


@pytest.fixture
def customer(lea: Any, france: Any, mat: Any, strap: Any) -> Customer:
    customer = Customer(lea)
    customer.go_to_payment()
    return customer


def shown(response: Any) -> str:
    """What the page of the preview is going to send along, once and in the form that places the order."""
    (field,) = SHOWN.finditer(response.content.decode())
    if response.context["referral_credit"].pays_all:
        assert "form=" not in field[0]
    else:
        assert 'form="place_order_form"' in field[0]
    return field[1]


def confirm(customer: Customer, value: str, number: str = ACCEPTED) -> Any:
    return customer.place_order(number, referral_credit_shown=value)


def assert_stopped(response: Any, words: str) -> None:
    assert response.status_code == 200
    page = response.content.decode()
    assert words in page
    assert "Nothing was charged. Please check again." in page
    assert not DemoCharge.objects.exists() and not Order.objects.exists()
    assert states() == []
    assert Basket.objects.get().status == "Open"


def test_what_the_preview_said_is_charged(customer: Customer) -> None:
    customer.use("20")
    value = shown(customer.preview(ACCEPTED))
    assert value == "20.00/80.00 EUR"
    assert confirm(customer, value).url.endswith("/checkout/thank-you/")
    assert sources(Order.objects.get()) == {"card": "80.00", "referral-credit": "20.00"}
    assert_books_agree()


@pytest.mark.parametrize(
    ("change", "words", "paid"),
    [
        (
            lambda customer: customer.use("50"),
            "€50.00 with credit and €50.00 by card.",
            {"card": "50.00", "referral-credit": "50.00"},
        ),
        (
            lambda customer: customer.add("STRAP"),
            "€20.00 with credit and €100.00 by card.",
            {"card": "100.00", "referral-credit": "20.00"},
        ),
        (lambda customer: customer.remove(), "€100.00 by card, without credit.", {"card": "100.00"}),
        (
            lambda customer: customer.use("100"),
            "€100.00 with credit and €0.00 by card.",
            {"referral-credit": "100.00"},
        ),
    ],
    ids=["other-amount", "other-basket", "taken-out", "pays-all"],
)
def test_anything_else_is_shown_again_before_it_is_charged(
    customer: Customer, lea: Any, change: Any, words: str, paid: dict[str, str]
) -> None:
    customer.use("20")
    value = shown(customer.preview(ACCEPTED))
    change(customer)
    response = confirm(customer, value)
    assert_stopped(response, f"What you pay has changed in the meantime: {words}")
    assert available(lea) == "150.00"
    # The preview, with the card that was typed where one is needed.
    page = response.content.decode()
    assert 'value="place_order"' in page
    assert ("4242" in page) is ("card" in paid)
    assert confirm(customer, shown(response)).url.endswith("/checkout/thank-you/")
    assert sources(Order.objects.get()) == paid
    assert_books_agree()


def test_credit_that_was_not_used_in_the_preview(customer: Customer) -> None:
    value = shown(customer.preview(ACCEPTED))
    assert value == "0.00/100.00 EUR"
    customer.use("50")
    assert_stopped(confirm(customer, value), "€50.00 with credit and €50.00 by card.")


def test_no_card_was_asked_for_and_one_is_needed_now(customer: Customer) -> None:
    customer.use("100")
    value = shown(customer.client.get(customer.url("checkout/preview/")))
    customer.add("STRAP")
    response = confirm(customer, value, "")
    assert_stopped(response, "€100.00 with credit and €20.00 by card.")
    assert 'id="card_form"' in response.content.decode()
    assert confirm(customer, shown(customer.preview(ACCEPTED))).status_code == 302
    assert charges() == [("20.00", "authorised")]


def test_a_preview_that_does_not_say_what_it_showed_is_not_compared(customer: Customer) -> None:
    customer.use("20")
    customer.preview(ACCEPTED)
    customer.use("50")
    assert customer.place_order(ACCEPTED).status_code == 302
    assert charges() == [("50.00", "authorised")]
