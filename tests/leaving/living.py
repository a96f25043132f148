"""The old shop with the package, some days later: orders with a discount, an order with credit, an open basket.

Runs in the folder of the project. Writes what there is to look for afterwards into known.json.
"""

from __future__ import annotations

import json
import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, os.getcwd())
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"

import django

CUSTOMER, PASSWORD = "nadia.favre@bluemail.example", "knit-two-purl-two"
CARD = {"number": "4242424242424242", "expiry_month_0": "05", "expiry_month_1": "2030", "ccv": "123"}
ADDRESS = {
    "first_name": "Léa",
    "last_name": "Monnier",
    "line1": "Rue du Simplon 3",
    "line4": "Vevey",
    "postcode": "1800",
    "country": "CH",
}


def main() -> None:
    django.setup()
    from django.contrib.auth import get_user_model
    from django.test.utils import setup_test_environment
    from oscar.core.loading import get_model
    from wagtail.models import Page, Site

    from wagtail_referrals import credit, people, rewards
    from wagtail_referrals.programs import publish_terms
    from wagtail_referrals.programs.models import Program, ProgramRule, ProgramText
    from wagtail_referrals.site.models import HubPage

    setup_test_environment()
    program = Program(name="Ten for you, fifteen for me", live=True, hold_days=0, new_customers_only=False)
    program.texts = [ProgramText(language="en", headline="Welcome")]
    program.rules = [
        ProgramRule(side="friend", trigger="arrives", kind="discount_percent", percent=Decimal(10)),
        ProgramRule(side="advocate", trigger="first_purchase", kind="credit", amounts={"CHF": "15.00"}),
    ]
    program.save()
    program.save_revision().publish()
    publish_terms(program)
    home = Site.objects.get(is_default_site=True).root_page
    hub = home.add_child(instance=HubPage(title="Refer a friend", slug="refer"))
    hub.save_revision().publish()
    hub.add_child(instance=Page(title="Terms of the offer", slug="terms"))

    nadia = get_user_model().objects.get(email=CUSTOMER)
    link = f"/r/{people.code_of(people.advocate_for(nadia))}/"

    friend = visitor()
    friend.get(link)
    with_discount = order_of(friend, guest="lea.monnier@example.com")
    assert with_discount.total_discount_incl_tax > 0, "the friend got no discount"
    for status in ("Being packed", "Sent"):
        with_discount.set_status(status)
    rewards.sweep()
    assert str(credit.available(nadia, "CHF")) == "15.00"

    customer = visitor()
    customer.force_login(nadia, backend="django.contrib.auth.backends.ModelBackend")
    with_credit = order_of(customer, use_credit="10")
    assert with_credit.sources.filter(source_type__code="referral-credit").exists()
    assert str(credit.available(nadia, "CHF")) == "5.00"

    another = visitor()
    another.get(link)
    another.post("/en/basket/add/1/", {"quantity": "3"})
    basket = another.get("/en/basket/").context["basket"]
    assert basket.offer_applications, "no discount in the open basket"
    known = {
        "customer": str(nadia.pk),
        "with_discount": with_discount.number,
        "code": with_discount.discounts.exclude(voucher_code=None).first().voucher_code,
        "offer": with_discount.discounts.exclude(voucher_code=None).first().offer_id,
        "with_credit": with_credit.number,
        "cookies": {name: morsel.value for name, morsel in another.cookies.items()},
        "before_discounts": str(basket.total_incl_tax_excl_discounts),
        "parent": home.pk,
        "issued": get_model("voucher", "Voucher").objects.filter(code__startswith="REF-").count(),
    }
    Path("known.json").write_text(json.dumps(known))


def visitor() -> Any:
    from django.test import Client

    return Client(headers={"host": "shop.example", "accept-language": "en"})


def order_of(client: Any, *, guest: str = "", use_credit: str = "") -> Any:
    """From the product to the page that says thank you; the order."""
    from oscar.core.loading import get_model

    client.post("/en/basket/add/1/", {"quantity": "3"})
    if guest:
        client.post("/en/checkout/", {"username": guest, "options": "anonymous"})
    else:
        client.get("/en/checkout/")
    client.post("/en/checkout/shipping-address/", ADDRESS)
    client.post("/en/checkout/shipping-method/", {"method_code": "post"})
    client.post("/en/checkout/gift/", {"message": ""})
    client.get("/en/checkout/payment-method/")
    page = client.get("/en/checkout/payment-details/")
    assert page.status_code == 200, page.headers
    if use_credit:
        wish = {"action": "referral-credit", "use": "on", "amount": use_credit}
        assert client.post("/en/checkout/payment-details/", wish).status_code == 302
    client.post("/en/checkout/preview/", CARD)
    placed = client.post("/en/checkout/preview/", CARD | {"action": "place_order"})
    assert placed.status_code == 302 and placed.url.endswith("/thank-you/"), placed.content.decode()[-3000:]
    return get_model("order", "Order").objects.latest("pk")


if __name__ == "__main__":
    main()
