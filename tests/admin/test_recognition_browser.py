"""The forms of a badge and of the wall of thanks in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from tests.admin.rows import make_advocate, make_program
from tests.admin.test_browser import admin_page, audit  # noqa: F401  (pytest finds the fixture by its name)
from tests.badges import make_badge
from wagtail_referrals.people import code_of
from wagtail_referrals.recognition.models import Badge, BadgeAward, Featured, FeaturedText

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_badge_asks_for_what_its_criterion_needs(admin_page: Page, live_server: Any) -> None:  # noqa: F811
    page = admin_page
    program = make_program(name="Give 10, get 15")
    page.goto(live_server.url + reverse("wagtail_referrals_badges:add"))
    fields = {
        name: page.locator(f".referral-badge__{name}")
        for name in ("threshold", "revenue", "period", "program_key")
    }
    for criterion, shown in (
        ("none", set()),
        ("referrals", {"threshold", "period", "program_key"}),
        ("revenue", {"revenue", "period", "program_key"}),
        ("first", {"program_key"}),
    ):
        page.select_option("[name=criterion]", criterion)
        for name, field in fields.items():
            (expect(field).to_be_visible if name in shown else expect(field).to_be_hidden)()
    page.fill("[name=names-0-name]", "Pioneer")
    page.fill("[name=names-1-name]", "Pionnière")
    page.get_by_role("button", name="Save").first.click()
    # With an error a field stays, whatever is chosen then.
    expect(page.get_by_text("Say of which program.")).to_be_visible()
    page.select_option("[name=program_key]", str(program.key))
    page.get_by_role("button", name="Save").first.click()
    page.wait_for_url("**/referrals/badges/")
    badge = Badge.objects.get()
    assert (badge.criterion, badge.program_key) == ("first", program.key)
    row = page.locator("table tbody tr").first
    expect(row).to_contain_text("the first friend of all who has ordered by “Give 10, get 15”")


def test_forms_and_lists_are_accessible_and_fit_a_phone(admin_page: Page, live_server: Any) -> None:  # noqa: F811
    page = admin_page
    make_program()
    camille, lea = make_advocate(), make_advocate("lea@example.com", "Léa")
    badge = make_badge("Five friends", criterion="referrals", threshold=5, period="year")
    make_badge("Big basket", icon="crown", criterion="revenue", revenue={"EUR": "500.00", "CHF": "500.00"})
    BadgeAward.objects.create(badge=badge, advocate=camille, awarded_at=timezone.now())
    featured = Featured(advocate=camille, created_at=timezone.now(), agreed_at=timezone.now())
    featured.texts = [
        FeaturedText(language="en", text="She brought seven friends to the Saturday class."),
        FeaturedText(language="fr", text="Elle a amené sept proches au cours du samedi."),
    ]
    featured.save()
    pages = {
        "badges": reverse("wagtail_referrals_badges:list"),
        "badge": reverse("wagtail_referrals_badges:edit", args=[badge.pk]),
        "wall": reverse("wagtail_referrals_wall:list"),
        "thanks": reverse("wagtail_referrals_wall:edit", args=[featured.pk]),
        "new-thanks": reverse("wagtail_referrals_wall:add") + f"?code={code_of(lea)}",
    }
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for name, path in pages.items():
            page.goto(live_server.url + path)
            # Those of the wall are Wagtail's own.
            assert name in ("wall", "thanks", "new-thanks") or audit(page) == [], (name, width)
            wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert wide <= 0, f"{name} is {wide} px too wide"
