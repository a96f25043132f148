"""Nobody pays twice: not with credit beside a card that was charged for everything."""

from __future__ import annotations

from typing import Any

import pytest
from oscar.core.loading import get_model

from example_site.card.gateway import ACCEPTED, ASKS_THE_BANK, DECLINED
from oscar_integration.capture import capture_for_order
from tests.oscar_integration.paying import Customer, available, balance, give, sources
from tests.oscar_integration.shopping import create_order, fill_basket

Order = get_model("order", "Order")
pytestmark = pytest.mark.django_db


@pytest.fixture
def lea(make_customer: Any) -> Any:
    user = make_customer("lea@example.com", first_name="Léa")
    give(user, "15")
    return user


@pytest.fixture
def customer(lea: Any, france: Any, mat: Any, strap: Any) -> Customer:
    return Customer(lea)


def test_declined_with_credit_then_paid_without_it(customer: Customer, lea: Any) -> None:
    """Whoever places the order, or repairs it later, must not take the credit beside the whole card payment."""
    customer.go_to_payment()
    customer.use("15")
    assert customer.place(DECLINED).status_code == 200
    customer.remove()
    response = customer.place(ACCEPTED)
    assert response.status_code == 302
    order = Order.objects.get()
    capture_for_order(order)
    assert sources(order) == {"card": "100.00"}
    assert (balance(lea), available(lea)) == ("15.00", "15.00")


def test_declined_with_credit_then_the_bank_tells_a_webhook_that_all_was_paid(
    customer: Customer, lea: Any
) -> None:
    customer.go_to_payment()
    customer.use("15")
    assert customer.place(DECLINED).status_code == 200
    customer.remove()
    leave = customer.place(ASKS_THE_BANK)
    assert leave.status_code == 302
    basket = get_model("basket", "Basket").objects.get()
    basket.strategy = fill_basket(user=None).strategy
    order = create_order(basket, user=lea)
    assert "referral-credit" not in sources(order)
    assert balance(lea) == "15.00"
