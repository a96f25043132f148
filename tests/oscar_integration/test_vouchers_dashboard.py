"""Our offers and vouchers in Oscar's dashboard: the pages work, and saving one changes nothing else."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from oscar.core.loading import get_model

from oscar_integration import OscarShop
from tests.oscar_integration.test_vouchers import request

pytestmark = pytest.mark.django_db

KINDS: list[dict[str, Any]] = [
    {"percent": Decimal(10)},
    {"kind": "discount_percent", "minimum_spend": {"EUR": Decimal("30.00")}},
    {"kind": "discount_fixed", "percent": None, "amounts": {"EUR": Decimal("5.00")}},
    {"kind": "free_shipping", "percent": None},
    {"kind": "free_product", "percent": None, "options": {"gift_product": 99, "gift_titles": {"en": "Gone"}}},
]


@pytest.mark.parametrize("values", KINDS, ids=["percent", "minimum", "amount", "delivery", "product"])
def test_pages_of_the_dashboard(admin_client: Any, values: dict[str, Any]) -> None:
    OscarShop().issue_discount(request("discount:1", **values))
    offer = get_model("offer", "ConditionalOffer").objects.get()
    voucher = get_model("voucher", "Voucher").objects.get()
    for path in (
        "offers/",
        f"offers/{offer.pk}/",
        f"offers/{offer.pk}/metadata/",
        f"offers/{offer.pk}/condition/",
        f"offers/{offer.pk}/incentive/",
        f"offers/{offer.pk}/restrictions/",
        "vouchers/",
        f"vouchers/stats/{voucher.pk}/",
        f"vouchers/update/{voucher.pk}/",
    ):
        response = admin_client.get(f"/en/dashboard/{path}", follow=True)
        assert response.status_code == 200, path
        assert response.request["PATH_INFO"] == f"/en/dashboard/{path}"
    assert str(offer.condition) and str(offer.benefit)


def test_saving_an_offer_keeps_what_it_gives(admin_client: Any) -> None:
    OscarShop().issue_discount(request("discount:1"))
    offer = get_model("offer", "ConditionalOffer").objects.get()
    response = admin_client.post(
        f"/en/dashboard/offers/{offer.pk}/metadata/",
        {"name": "From a friend", "description": "", "offer_type": "Voucher", "exclusive": "on", "save": "1"},
        follow=True,
    )
    assert response.status_code == 200
    offer.refresh_from_db()
    assert offer.name == "From a friend"
    assert offer.benefit.proxy().value == Decimal(10)
    OscarShop().issue_discount(request("discount:2"))
    assert offer.vouchers.count() == 2, "the next ones are on it too"
