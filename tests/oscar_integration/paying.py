"""A customer with credit at the checkout, and what is left in the books afterwards."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.test import Client
from oscar.core.loading import get_model

from example_site.card.models import DemoCharge
from tests.oscar_integration.shopping import Friend
from wagtail_referrals import credit
from wagtail_referrals.credit.models import Reservation

Order = get_model("order", "Order")


class Customer(Friend):
    """A signed-in customer's browser."""

    def __init__(self, user: Any, language: str = "en", client: Client | None = None) -> None:
        super().__init__(client, language)
        self.user = user
        self.client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    def go_to_payment(self, sku: str = "MAT", quantity: int = 1) -> Any:
        self.add(sku, quantity)
        self.deliver()
        return self.client.get(self.url("checkout/payment-details/"))

    def use(self, amount: str, **values: str) -> Any:
        """Send our form."""
        return self.client.post(
            self.url("checkout/payment-details/"),
            {"action": "referral-credit", "use": "on", "amount": amount, **values},
        )

    def remove(self) -> Any:
        return self.client.post(
            self.url("checkout/payment-details/"), {"action": "referral-credit", "remove": "1"}
        )

    def preview(self, number: str) -> Any:
        return self.client.post(self.url("checkout/preview/"), self.card(number))

    def place_order(self, number: str = "", **values: str) -> Any:
        card = self.card(number) if number else {}
        return self.client.post(self.url("checkout/preview/"), {"action": "place_order", **card, **values})

    def panel(self) -> Any:
        return self.client.get(self.url("checkout/payment-details/")).context["referral_credit"]


def give(user: Any, amount: str, currency: str = "EUR") -> None:
    credit.grant(
        user=user, currency=currency, amount=Decimal(amount), key=f"test:{user.pk}:{currency}:{amount}"
    )


def available(user: Any) -> str:
    return str(credit.available(user, "EUR"))


def balance(user: Any) -> str:
    account = credit.account_of(user, "EUR")
    return str(account.balance) if account else "0.00"


def states() -> list[str]:
    return list(Reservation.objects.order_by("pk").values_list("state", flat=True))


def charges() -> list[tuple[str, str]]:
    return [(str(charge.amount), charge.status) for charge in DemoCharge.objects.order_by("pk")]


def sources(order: Any) -> dict[str, str]:
    return {
        source.source_type.code: str(source.amount_allocated)
        for source in order.sources.select_related("source_type")
    }
