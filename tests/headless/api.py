"""A friend who shops through django-oscar-api: no page, no cookie of ours. Run by test_attribution_headless."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from oscar.core.loading import get_model

from tests.oscar_integration.conftest import (  # noqa: F401
    advocate,
    camille,
    france,
    make_customer,
    mat,
    terms,
)
from wagtail_referrals import tracking
from wagtail_referrals.referrals.models import Purchase
from wagtail_referrals.rewards.models import DiscountGrant
from wagtail_referrals.tracking.models import Visit

pytestmark = pytest.mark.django_db


def test_a_headless_basket(advocate: Any, terms: Any, mat: Any, france: Any) -> None:  # noqa: F811
    def post(path: str, **data: Any) -> Any:
        response = client.post(f"/api/{path}/", data, content_type="application/json")
        assert response.status_code in (200, 201), response.content
        return response.json()

    client = Client()
    visit = Visit.objects.create(advocate=advocate, terms=terms, created_at=timezone.now())
    basket = client.get("/api/basket/").json()
    post("basket/add-product", url=f"http://testserver/api/products/{mat.pk}/", quantity=1)
    assert post("invitation", token="forged") == {"accepted": False}
    assert post("invitation", token=tracking.token_for(visit)) == {"accepted": True}
    assert client.get("/api/basket/").json()["total_incl_tax"] == "90.00"
    order = post(
        "checkout",
        basket=basket["url"],
        guest_email="lea@example.com",
        total="90.00",
        shipping_method_code="home-delivery",
        shipping_address={
            "country": "http://testserver/api/countries/FR/",
            "first_name": "Léa",
            "last_name": "Petit",
            "line1": "1 rue de la Paix",
            "line4": "Nantes",
            "postcode": "44000",
            "title": "Ms",
        },
    )
    placed = get_model("order", "Order").objects.get(number=order["number"])
    assert placed.total_incl_tax == Decimal("90.00")
    assert Purchase.objects.get().reference == placed.number
    assert Purchase.objects.get().referral.advocate == advocate
    grant = DiscountGrant.objects.get()
    assert (grant.state, grant.used_amount, grant.used_reference) == ("used", Decimal("10.00"), placed.number)
