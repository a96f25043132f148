"""`seed_shop` on an empty database, and again."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.urls import reverse
from django.utils.translation import override
from oscar.core.loading import get_model
from wagtail.models import Page, Site

from example_site.seed.catalogue import ARTICLES
from example_site.seed.people import PASSWORD
from example_site.seed.plans import MEMBERS
from oscar_integration.memberships.models import Plan


def counts() -> dict[str, int]:
    User = get_user_model()
    return {
        "pages": Page.objects.count(),
        "products": get_model("catalogue", "Product").objects.count(),
        "pictures": get_model("catalogue", "ProductImage").objects.count(),
        "stock": get_model("partner", "StockRecord").objects.count(),
        "ranges": get_model("offer", "Range").objects.count(),
        "people": User.objects.count(),
        "plans": Plan.objects.count(),
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
            expected = 302 if each.get_view_restrictions().exists() else 200
            assert client.get(each.url).status_code == expected, each.url


@pytest.mark.parametrize(
    ("language", "slug", "title", "said"),
    [
        ("en", "practice-at-home", "Practice at home", "This page is for members"),
        ("fr", "pratiquer-chez-soi", "Pratiquer chez soi", ""),
    ],
)
def test_the_members_page_opens_for_the_group_only(
    shop: None, client: Any, language: str, slug: str, title: str, said: str
) -> None:
    path = f"/{language}/{slug}/"
    away = client.get(path, follow=True)
    assert away.redirect_chain == [(f"/{language}/members-only/?next={path}", 302)]
    assert away.status_code == 403
    assert f"/{language}/accounts/login/?next={path}" in away.content.decode()
    assert said in away.content.decode()
    elsewhere = client.get("/en/members-only/?next=https://example.net/").content.decode()
    assert "accounts/login/?next" not in elsewhere
    camille = get_user_model().objects.get(email="camille@example.com")
    client.force_login(camille)
    refused = client.get(path, follow=True).content.decode()
    assert "accounts/login/?next" not in refused, "who has signed in is not asked to again"
    camille.groups.add(Group.objects.get(name=MEMBERS))
    page = client.get(path)
    assert page.status_code == 200
    assert title in page.content.decode()


def test_plans_are_sold_or_given_and_speak_french(shop: None) -> None:
    plans = {plan.slug: plan for plan in Plan.objects.select_related("product", "group")}
    assert {slug: (plan.uses, plan.renews) for slug, plan in plans.items()} == {
        "monthly": (None, True),
        "yearly": (None, True),
        "home": (None, True),
        "ten-classes": (10, False),
        "five-classes": (5, False),
        "single-class": (1, False),
        "friends-pass": (1, False),
    }
    friends = plans["friends-pass"]
    assert (friends.gift_only, friends.is_trial, friends.period_length, friends.period_unit) == (
        True,
        True,
        30,
        "days",
    )
    assert all(plan.product is not None for slug, plan in plans.items() if slug != "friends-pass")
    assert {slug for slug, plan in plans.items() if plan.group} == {"monthly", "yearly", "home"}
    for plan in plans.values():
        plan.full_clean()
        with override("fr"):
            french = plan.title
        assert french != plan.title


def test_seeding_again_keeps_what_the_editor_changed_of_a_plan(shop: None) -> None:
    Plan.objects.filter(slug="monthly").update(grace_days=3)
    call_command("seed_shop", verbosity=0)
    assert Plan.objects.get(slug="monthly").grace_days == 3


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


@pytest.mark.parametrize(
    ("email", "sees", "not_this"),
    [
        ("reviewer@example.com", "wagtail_referrals_review:index", "wagtail_referrals_summary"),
        ("finance@example.com", "wagtail_referrals_accounts:index", "wagtail_referrals_review:index"),
        ("reports@example.com", "wagtail_referrals_summary", "wagtail_referrals_referrals:index"),
    ],
)
def test_who_looks_after_referrals_has_a_part_of_it(
    shop: None, client: Any, email: str, sees: str, not_this: str
) -> None:
    assert client.login(username=email, password=PASSWORD)
    assert client.get("/admin/").status_code == 200
    assert client.get(reverse(sees)).status_code == 200
    assert client.get(reverse(not_this)).status_code in (302, 403)
