"""A filled shop, and a customer who walks through its checkout."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from oscar.core.loading import get_model


@pytest.fixture
def small_pictures(settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of 40 pixels in a folder of this test: how they look is not tested here."""
    from example_site.seed import pictures

    settings.MEDIA_ROOT = tmp_path / "media"
    monkeypatch.setattr(pictures.Canvas, "__init__", _small(pictures.Canvas.__init__))


@pytest.fixture
def shop(db: None, small_pictures: None) -> None:
    """The whole example shop, as `seed_shop` fills it."""
    call_command("seed_shop", verbosity=0)


@pytest.fixture
def catalogue(db: None, small_pictures: None) -> None:
    """What can be bought, without pages and people: a third of the time."""
    from example_site.seed.shop import seed_catalogue, seed_countries

    seed_countries()
    seed_catalogue()


@pytest.fixture
def people(catalogue: None) -> None:
    """The accounts, for tests that sign in."""
    from example_site.seed.people import seed_people

    seed_people()


def _small(original: Callable[..., None]) -> Callable[..., None]:
    def init(self: Any, width: int, height: int, size: int, background: Any) -> None:
        original(self, width, height, 40, background)

    return init


class Shopper:
    """One browser session, driven through the checkout by its forms."""

    def __init__(self, client: Client, language: str = "en") -> None:
        self.client, self.language = client, language

    def url(self, path: str) -> str:
        return f"/{self.language}/{path}"

    def add(self, sku: str, quantity: int = 1) -> None:
        product = get_model("catalogue", "Product").objects.get(upc=sku)
        response = self.client.post(self.url(f"basket/add/{product.pk}/"), {"quantity": quantity})
        assert response.status_code == 302

    def as_guest(self, email: str = "zoe@example.com") -> None:
        response = self.client.post(self.url("checkout/"), {"username": email, "options": "anonymous"})
        assert response.status_code == 302

    def deliver(self, method: str = "home-delivery") -> None:
        response = self.client.post(
            self.url("checkout/shipping-address/"),
            {
                "first_name": "Zoé",
                "last_name": "Lang",
                "line1": "1 rue de la Paix",
                "line4": "Nantes",
                "postcode": "44000",
                "country": "FR",
            },
        )
        assert response.status_code == 302
        response = self.client.post(self.url("checkout/shipping-method/"), {"method_code": method})
        assert response.status_code == 302

    def card(self, number: str) -> dict[str, str]:
        return {"card-number": number, "card-expiry": "04 / 30", "card-code": "123"}

    def place(self, number: str) -> Any:
        """Send the card through the preview and place the order, as the two pages do."""
        preview = self.client.post(self.url("checkout/preview/"), self.card(number))
        assert preview.status_code == 200
        assert b'value="place_order"' in preview.content
        return self.client.post(self.url("checkout/preview/"), {"action": "place_order", **self.card(number)})


@pytest.fixture
def shopper(catalogue: None, client: Client) -> Shopper:
    """A guest with a mat (84.00) in the basket, delivered home (free from 60.00), ready to pay."""
    someone = Shopper(client)
    someone.add("MAT-ROOT")
    someone.as_guest()
    someone.deliver()
    return someone


@pytest.fixture
def paid_order(shopper: Shopper) -> Any:
    """An order of 84.00, charged to the card and marked as paid."""
    from example_site.backoffice import orders
    from example_site.card.gateway import ACCEPTED

    shopper.place(ACCEPTED)
    order = get_model("order", "Order").objects.get()
    orders.mark_paid(order)
    order.refresh_from_db()
    assert order.total_incl_tax == Decimal("84.00")
    return order
