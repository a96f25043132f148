"""The card step: accepted, declined, by way of the bank; and the clicks that people do twice."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from oscar.core.loading import get_model

from example_site.card.gateway import ACCEPTED, ASKS_THE_BANK, DECLINED
from example_site.card.models import DemoCharge
from tests.example_site.conftest import Shopper

D = Decimal
Basket = get_model("basket", "Basket")
Order = get_model("order", "Order")


def test_an_accepted_card_is_charged_once(shopper: Shopper) -> None:
    response = shopper.place(ACCEPTED)
    assert response.url == "/en/checkout/thank-you/"
    order, charge = Order.objects.get(), DemoCharge.objects.get()
    assert (charge.order_number, charge.amount, charge.status) == (order.number, D("84.00"), "authorised")
    source = order.sources.get()
    assert (source.source_type.code, source.amount_allocated, source.amount_debited) == (
        "card",
        D("84.00"),
        D("0.00"),
    )
    assert [txn.txn_type for txn in source.transactions.all()] == ["Authorise"]
    assert order.guest_email == "zoe@example.com"
    assert "4242424242424242" not in shopper.client.get(response.url).content.decode()


def test_the_second_click_shows_the_same_order(shopper: Shopper) -> None:
    shopper.place(ACCEPTED)
    again = shopper.client.post("/en/checkout/preview/", {"action": "place_order", **shopper.card(ACCEPTED)})
    assert again.url == "/en/checkout/thank-you/"
    assert Order.objects.count() == DemoCharge.objects.count() == 1


def test_a_retry_after_a_failed_placement_charges_once(
    shopper: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oscar.apps.order.utils import OrderCreator

    with monkeypatch.context() as patch:
        patch.setattr(OrderCreator, "place_order", lambda self, **kwargs: 1 / 0)
        assert shopper.place(ACCEPTED).status_code == 200
    assert not Order.objects.exists()
    assert shopper.place(ACCEPTED).url == "/en/checkout/thank-you/"
    charge = DemoCharge.objects.get()
    assert (charge.amount, charge.attempts) == (D("84.00"), 1)


def test_a_declined_card_stays_on_the_payment_step(shopper: Shopper) -> None:
    response = shopper.place(DECLINED)
    assert response.status_code == 200
    assert "oscar/checkout/payment_details.html" in [each.name for each in response.templates]
    assert "Your bank declined this card" in response.content.decode()
    assert not Order.objects.exists()
    assert Basket.objects.get().status == "Open"
    assert shopper.place(ACCEPTED).url == "/en/checkout/thank-you/"
    assert DemoCharge.objects.get().status == "authorised"


@pytest.mark.parametrize("number", ["4111111111111111", "", "abc"])
def test_an_unknown_number_is_refused_in_the_form(shopper: Shopper, number: str) -> None:
    response = shopper.client.post("/en/checkout/preview/", shopper.card(number))
    assert response.context["card_form"].errors["number"]
    assert not DemoCharge.objects.exists()


def test_no_card_no_order(shopper: Shopper) -> None:
    response = shopper.client.post("/en/checkout/preview/", {"action": "place_order"})
    assert "Please enter your card." in response.content.decode()
    assert not Order.objects.exists()


@pytest.fixture
def at_the_bank(shopper: Shopper) -> str:
    response = shopper.place(ASKS_THE_BANK)
    charge = DemoCharge.objects.get()
    assert response.url == f"/bank/en/{charge.token}/"
    assert charge.status == "at_bank"
    assert Basket.objects.get().status == "Frozen"
    assert b"84.00" in shopper.client.get(response.url).content
    return response.url


def test_confirmed_at_the_bank(shopper: Shopper, at_the_bank: str) -> None:
    back = shopper.client.post(at_the_bank, {"answer": "confirm"}, follow=True)
    assert back.redirect_chain[-1][0] == "/en/checkout/thank-you/"
    order = Order.objects.get()
    assert (order.total_incl_tax, order.sources.get().amount_allocated) == (D("84.00"), D("84.00"))
    assert order.guest_email == "zoe@example.com"
    # The customer reloads the way back: the same order again.
    assert shopper.client.get("/en/checkout/card-return/").url == "/en/checkout/thank-you/"
    assert Order.objects.count() == 1


@pytest.mark.parametrize(
    ("answer", "said"), [("refuse", "declined this card"), ("leave", "You left your bank")]
)
def test_refused_or_left(shopper: Shopper, at_the_bank: str, answer: str, said: str) -> None:
    back = shopper.client.post(at_the_bank, {"answer": answer}, follow=True)
    assert back.redirect_chain[-1][0] == "/en/checkout/payment-details/"
    assert said in back.content.decode()
    assert not Order.objects.exists()
    assert shopper.place(ACCEPTED).url == "/en/checkout/thank-you/"
    assert Order.objects.count() == DemoCharge.objects.count() == 1


def test_a_closed_window_gives_the_basket_back(shopper: Shopper, at_the_bank: str) -> None:
    page = shopper.client.get("/en/basket/")
    assert "Racine mat" in page.content.decode()
    assert DemoCharge.objects.get().status == "abandoned"
    # What is still open in the other window cannot be confirmed any more.
    shopper.client.post(at_the_bank, {"answer": "confirm"})
    assert DemoCharge.objects.get().status == "abandoned"
    assert not Order.objects.exists()


def test_nobody_places_an_order_by_visiting_the_way_back(shopper: Shopper, client: Any) -> None:
    assert client.get("/en/checkout/card-return/").url == "/en/basket/"
    assert client.get("/bank/en/AAAAAAAAAAAAAAAAAAAA/", follow=True).status_code == 404


def test_what_is_charged_is_what_handle_payment_is_told(
    shopper: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An app that pays a part itself passes the rest on: the card is charged that rest, also by way of the bank."""
    from oscar.core.prices import Price

    from example_site.checkout.views import PaymentDetailsView

    original = PaymentDetailsView.handle_payment

    def with_part_paid(self: Any, order_number: Any, total: Any, **kwargs: Any) -> None:
        rest = Price(currency="EUR", excl_tax=D("69.00"), incl_tax=D("69.00"))
        original(self, order_number, rest, **kwargs)

    monkeypatch.setattr(PaymentDetailsView, "handle_payment", with_part_paid)
    bank = shopper.place(ASKS_THE_BANK).url
    shopper.client.post(bank, {"answer": "confirm"}, follow=True)
    order = Order.objects.get()
    assert (order.total_incl_tax, order.sources.get().amount_allocated) == (D("84.00"), D("69.00"))
    assert DemoCharge.objects.get().amount == D("69.00")
