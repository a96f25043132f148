"""The old shop is a shop of its own: it runs without the package, on both databases and in both languages."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.oldshop_pages.shops import SOURCE, Shop

pytestmark = pytest.mark.xdist_group("oldshop")

STRANGE = re.compile(
    r"^\s*(from|import)\s+(tests|wagtail|wagtail_referrals|oscar_integration|example_site)\b", re.MULTILINE
)


@pytest.fixture(scope="module")
def facts(found: Shop) -> dict[str, Any]:
    """Of the shop's past, before anybody of these tests was there."""
    return found.inside("look.py")


@pytest.fixture(scope="module")
def answers(found: Shop, facts: dict[str, Any]) -> list[dict[str, Any]]:
    return found.inside("visit.py", walks=[["en", "shop.example"], ["fr", "boutique.example"]])


def answer(answers: list[dict[str, Any]], visitor: str, request: str) -> dict[str, Any]:
    """The last answer to a request, which is named as in the walk."""
    return [a for a in answers if (a["visitor"], a["request"]) == (visitor, request)][-1]


def test_it_imports_nothing_of_ours() -> None:
    files = [path for path in SOURCE.rglob("*.py") if STRANGE.search(path.read_text(encoding="utf-8"))]
    assert files == []


def test_its_migrations_and_settings_are_in_order(found: Shop) -> None:
    assert "No changes detected" in found.manage("makemigrations", "--check", "--dry-run")
    assert "no issues" in found.manage("check")


def test_it_is_the_same_shop_each_time(facts: dict[str, Any]) -> None:
    """Sizes are what was asked for, some guests are customers under another spelling, and no total is wrong."""
    assert facts["fingerprint"] == "31337ce596d5"
    assert facts["customers"] == 60
    assert facts["orders"] == 160
    assert facts["vouchers"] == 20
    assert facts["guest orders"] == 38
    assert facts["guests who are customers"] > 0
    assert facts["accounts of one person"] > 0
    assert facts["statuses"] >= 4
    assert facts["refunded"] > 0
    assert facts["wrong totals"] == 0
    assert facts["orders before their account"] == 0


def test_no_page_fails(answers: list[dict[str, Any]]) -> None:
    failed = [(a["visitor"], a["request"], a["status"]) for a in answers if a["status"] not in (200, 302)]
    assert {(request, status) for _visitor, request, status in failed} == {
        ("GET /en/nothing/", 404),
        ("GET /fr/nothing/", 404),
        ("GET /nothing/", 404),
    }


@pytest.mark.parametrize(
    ("language", "brand", "thanks"),
    [
        ("en", "Lakeside Wool", "Your order has been placed"),
        ("fr", "Laines du Lac", "Votre commande a été enregistrée"),
    ],
)
@pytest.mark.parametrize("visitor", ["guest", "customer"])
def test_an_order_is_paid_by_card(
    answers: list[dict[str, Any]], visitor: str, language: str, brand: str, thanks: str
) -> None:
    declined = answer(answers, visitor, f"POST /{language}/checkout/preview/ (declined)")
    assert declined["status"] == 200
    assert "alert-danger" in declined["body"]
    placed = answer(answers, visitor, f"POST /{language}/checkout/preview/ (ordered)")
    assert placed["headers"]["Location"] == f"/{language}/checkout/thank-you/"
    assert len(placed["mails"]) == 1
    thank_you = answer(answers, visitor, f"GET /{language}/checkout/thank-you/")
    assert thanks in thank_you["body"]
    assert brand in thank_you["body"]


def test_the_order_has_what_the_forks_added(found: Shop, answers: list[dict[str, Any]]) -> None:
    orders = found.inside("look.py")["new orders"]
    assert len({order["number"] for order in orders}) == 4
    assert {order["gift message"] for order in orders} == {"Happy birthday"}
    assert [order["site"] for order in orders] == [
        "shop.example",
        "shop.example",
        "boutique.example",
        "boutique.example",
    ]
    assert {order["status"] for order in orders} == {"Payment received", "Being packed"}
    for order in orders:
        amount = order["total"].removesuffix(" CHF")
        assert (order["sources"], order["events"]) == (f"Card {amount} CHF", f"Paid {amount}")
