"""French is complete: what a shopper reads on the way to an order has no English in it."""

from __future__ import annotations

import re
from typing import Any

from django.contrib.auth import get_user_model
from django.utils.translation import override
from oscar.core.loading import get_model

from example_site.card.gateway import ACCEPTED, DECLINED
from example_site.seed.catalogue import ARTICLES, KINDS, SHELVES
from example_site.seed.plans import seed_plans
from tests.example_site.conftest import Shopper

# Words that are English and nothing else; names of people and classes of yoga are not in it.
ENGLISH = re.compile(
    r"\b(the|your|you|and|with|from|order|basket|cart|shipping|payment|address|search|sign|add|delivery|checkout|"
    r"pending|paid|card|mat|pass|size|price|total excl|update|remove|quantity)\b",
    re.IGNORECASE,
)


def words(content: bytes) -> str:
    """What is read on a page: without scripts, styles, attributes and the names of the languages."""
    text = re.sub(r"(?s)<(script|style|head)\b.*?</\1>", " ", content.decode())
    text = re.sub(r"(?s)<[^>]*>", " ", text)
    return re.sub(r"\s+", " ", text.replace("English", ""))


def test_the_catalogue_is_translated(catalogue: None) -> None:
    with override("fr"):
        for article in ARTICLES:
            product = get_model("catalogue", "Product").objects.get(upc=article.sku)
            assert product.get_title() != article.title
            assert product.display_description != article.text
        for category, shelf in (
            (get_model("catalogue", "Category").objects.get(slug=s.slug), s) for s in SHELVES
        ):
            assert category.display_name != shelf.name
        for kind in KINDS:
            assert (
                get_model("catalogue", "ProductClass").objects.get(name=kind.name).display_name != kind.name
            )


def test_pages_for_everybody(shop: None, client: Any) -> None:
    found = {}
    for path in (
        "",
        "catalogue/",
        "le-studio/",
        "horaires/",
        "equipe/",
        "premiere-visite/",
        "basket/",
        "accounts/login/",
    ):
        response = client.get(f"/fr/{path}")
        assert response.status_code == 200, path
        found[path] = ENGLISH.findall(words(response.content))
    assert {path: each for path, each in found.items() if each} == {}


def test_the_way_to_an_order(catalogue: None, client: Any) -> None:
    someone = Shopper(client, "fr")
    with override("fr"):
        address = get_model("catalogue", "Product").objects.get(upc="MAT-ROOT").get_absolute_url()
    pages = {"product": client.get(address)}
    someone.add("MAT-ROOT")
    pages["basket"] = client.get("/fr/basket/")
    pages["gateway"] = client.get("/fr/checkout/")
    someone.as_guest()
    pages["address"] = client.get("/fr/checkout/shipping-address/")
    someone.deliver()
    pages["method"] = client.get("/fr/checkout/shipping-method/")
    pages["payment"] = client.get("/fr/checkout/payment-details/")
    pages["preview"] = client.post("/fr/checkout/preview/", someone.card(ACCEPTED))
    someone.place(ACCEPTED)
    pages["thank you"] = client.get("/fr/checkout/thank-you/")
    found = {name: ENGLISH.findall(words(page.content)) for name, page in pages.items()}
    assert {name: each for name, each in found.items() if each} == {}
    order = get_model("order", "Order").objects.get()
    assert (order.lines.get().title, order.shipping_method) == (
        "Tapis Racine, caoutchouc naturel",
        "Livraison à domicile",
    )


def test_what_a_member_reads(people: None, client: Any) -> None:
    seed_plans()
    pages = {"refused": client.get("/fr/members-only/")}
    camille = get_user_model().objects.get(email="camille@example.com")
    client.force_login(camille)
    pages["refused to a customer"] = client.get("/fr/members-only/")
    someone = Shopper(client, "fr")
    someone.add("MEMBER-MONTH")
    client.get("/fr/checkout/shipping-method/")
    pages["payment"] = client.get("/fr/checkout/payment-details/")
    assert "card-keep" in pages["payment"].content.decode()
    pages["no card"] = client.get("/fr/account/card/")
    pages["declined"] = client.post("/fr/account/card/", someone.card(DECLINED))
    client.post("/fr/account/card/", someone.card(ACCEPTED))
    pages["card"] = client.get("/fr/account/card/")
    assert "•••• 4242" in pages["card"].content.decode()
    found = {name: ENGLISH.findall(words(page.content)) for name, page in pages.items()}
    assert {name: each for name, each in found.items() if each} == {}


def test_search_knows_french_words_and_no_accents(catalogue: None, client: Any) -> None:
    assert "Débardeur Brise" in client.get("/fr/search/?q=debardeur").content.decode()
    assert "Brise tank top" in client.get("/en/search/?q=TANK").content.decode()
    assert client.get("/fr/search/?q=%00%ff%F0").status_code == 200


def test_the_switch_leads_to_the_same_page(shop: None, client: Any) -> None:
    assert 'href="/fr/horaires/"' in re.sub(
        r"https?://[^/\"]+", "", client.get("/en/timetable/").content.decode()
    )
    assert 'href="/fr/catalogue/?page=1"' in client.get("/en/catalogue/?page=1").content.decode()
