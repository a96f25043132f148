"""`seed_shop` on an empty database, and again."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from oscar.core.loading import get_model
from wagtail.models import Page, Site

from example_site.seed.catalogue import ARTICLES
from example_site.seed.people import PASSWORD


def counts() -> dict[str, int]:
    User = get_user_model()
    return {
        "pages": Page.objects.count(),
        "products": get_model("catalogue", "Product").objects.count(),
        "pictures": get_model("catalogue", "ProductImage").objects.count(),
        "stock": get_model("partner", "StockRecord").objects.count(),
        "ranges": get_model("offer", "Range").objects.count(),
        "people": User.objects.count(),
        "addresses": get_model("address", "UserAddress").objects.count(),
    }


def test_seeding_twice_makes_nothing_twice(shop: None) -> None:
    first = counts()
    call_command("seed_shop", verbosity=0)
    assert counts() == first
    assert len(ARTICLES) >= 20
    assert first["pictures"] == len(ARTICLES)


def test_seeding_again_keeps_what_the_manager_changed(shop: None) -> None:
    stock = get_model("partner", "StockRecord").objects.get(partner_sku="MAT-ROOT")
    stock.num_in_stock = 1
    stock.save()
    call_command("seed_shop", verbosity=0)
    stock.refresh_from_db()
    assert stock.num_in_stock == 1


def test_every_page_has_both_languages(shop: None, client: Any) -> None:
    home = Site.objects.get(is_default_site=True).root_page
    for page in [home, *home.get_children().live()]:
        translations = page.get_translations(inclusive=True)
        assert {each.locale.language_code for each in translations} == {"en", "fr"}
        for each in translations:
            assert client.get(each.url).status_code == 200, each.url


def test_people_can_do_their_part_and_no_more(shop: None, client: Any) -> None:
    assert client.login(username="editor@example.com", password=PASSWORD)
    assert client.get("/admin/").status_code == 200
    assert client.get("/en/dashboard/").status_code == 403
    client.logout()
    assert client.login(username="manager@example.com", password=PASSWORD)
    assert client.get("/en/dashboard/orders/").status_code == 200
    assert client.get("/en/mails/").status_code == 200
    assert client.get("/admin/").status_code == 302
    client.logout()
    assert client.login(username="camille@example.com", password=PASSWORD)
    assert client.get("/en/accounts/addresses/").status_code == 200
    assert client.get("/en/mails/").status_code == 302
