"""Choosing the product that a program gives for free."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse
from oscar.core.loading import get_model
from oscar.test import factories

from tests.admin.test_browser import admin_page
from tests.admin.test_program_form import ADD, SENTENCE, errors_of, publish, start
from wagtail_referrals.programs import heal_terms, parse
from wagtail_referrals.programs.models import Program, Terms

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.django_db
__all__ = ["admin_page"]

Product = get_model("catalogue", "Product")


def product(title: str, upc: str, **values: Any) -> Any:
    made = factories.create_product(title=title, upc=upc, **values)
    factories.create_stockrecord(made, price=Decimal("12.00"), num_in_stock=5)
    return made


def chosen(client: Client, **search: str) -> list[str]:
    response = client.get(reverse("referrals_product_chooser:choose_results"), search)
    assert response.status_code == 200
    links = BeautifulSoup(response.content, "html.parser").select("a[data-chooser-modal-choice]")
    return [link.get_text(strip=True) for link in links]


def test_the_window_finds_what_a_basket_can_take(admin: Client) -> None:
    product("Cork bolster", "B1")
    parent = product("Meditation cushion", "C0", structure="parent")
    factories.create_product(structure="child", parent=parent, title="Small", upc="C1")
    hidden = product("Old bolster", "B0")
    Product.objects.filter(pk=hidden.pk).update(is_public=False)
    assert set(chosen(admin)) == {"Cork bolster", "Small"}
    assert chosen(admin, q="bolst cork") == ["Cork bolster"]
    assert chosen(admin, q="meditation") == ["Small"], "a variant is found by its parent's title"
    assert chosen(admin, q="b1") == ["Cork bolster"]
    assert chosen(admin, q="nothing") == []


def test_only_what_the_window_lists_is_chosen(admin: Client) -> None:
    """Nobody finds out by its number what a product is called that is not on offer yet."""
    bolster, hidden = product("Cork bolster", "B1"), product("Secret bolster", "B0")
    Product.objects.filter(pk=hidden.pk).update(is_public=False)
    answer = admin.get(reverse("referrals_product_chooser:chosen", args=[bolster.pk])).json()
    assert answer["result"]["title"] == "Cork bolster"
    answer = admin.get(reverse("referrals_product_chooser:chosen", args=[hidden.pk]), follow=True)
    assert answer.status_code == 404
    many = reverse("referrals_product_chooser:chosen_multiple")
    answer = admin.get(many, {"id": [bolster.pk, hidden.pk, "x", "9" * 40]}).json()
    assert [item["title"] for item in answer["result"]] == ["Cork bolster"]


def test_the_window_is_for_the_admin_only(client: Client) -> None:
    response = client.get(reverse("referrals_product_chooser:choose"))
    assert response.status_code == 302
    assert "login" in response.url


def test_the_window_asks_as_often_for_many_products(
    admin: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(10):
        product(f"Mat {number}", f"M{number}")
    with django_assert_max_num_queries(12):
        assert len(chosen(admin)) == 10


def test_the_choice_is_in_the_terms_and_in_the_sentence(admin: Client) -> None:
    bolster = product("Cork bolster", "B1")
    values = {"rules-1-kind": "free_product", "rules-1-option_gift_product": str(bolster.pk)}
    words = admin.post(reverse(SENTENCE), start(admin, **values)).json()["sentence"]
    assert "your customer gets a free “Cork bolster”" in words
    assert publish(admin, start(admin, **values)).status_code == 302
    options = parse(Terms.objects.get()).rules[1].options
    assert options == {
        "gift_product": bolster.pk,
        "gift_titles": {"en": "Cork bolster", "fr": "Cork bolster"},
    }
    # Gone from the shop, what was promised stays promised: the sweep writes no other terms.
    bolster.delete()
    assert heal_terms() == 0
    assert Program.objects.get().terms.count() == 1


def test_a_rule_without_a_product_is_not_published(admin: Client) -> None:
    response = publish(admin, start(admin, **{"rules-1-kind": "free_product"}))
    assert "This field is required." in errors_of(response)


@pytest.mark.django_db(transaction=True)
def test_in_a_browser(admin_page: Page, live_server: Any, browser_problems: Any) -> None:
    product("Cork bolster", "B1")
    product("Yoga mat", "M1")
    page = admin_page
    page.goto(live_server.url + reverse(ADD) + "?preset=give_percent_get_credit")
    page.select_option("[name=rules-1-kind]", "free_product")
    row = page.locator("#inline_child_rules-1")
    row.get_by_role("button", name="Choose a product").click()
    window = page.locator(".modal-body")
    window.get_by_role("link", name="Yoga mat").wait_for()
    window.get_by_label("Search term").fill("bolster")
    window.get_by_role("link", name="Yoga mat").wait_for(state="detached")
    window.get_by_role("link", name="Cork bolster").click()
    page.get_by_text("your customer gets a free “Cork bolster”").wait_for()
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("button", name="Publish").click()
    page.get_by_text("published").first.wait_for()
    assert parse(Terms.objects.get()).rules[1].options["gift_titles"]["en"] == "Cork bolster"
    browser_problems.assert_none()
