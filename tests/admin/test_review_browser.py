"""The review queue in a real browser: selected, decided, and readable on a phone."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from playwright.sync_api import expect
from wagtail.users.models import UserProfile

from tests.admin.held import LONG_AGO, make_held
from tests.admin.rows import NOW, make_advocate, make_program
from tests.admin.test_browser import admin_page, audit  # noqa: F401
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.trust import postpone
from wagtail_referrals.trust.models import Decision

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.django_db(transaction=True)

INDEX = "wagtail_referrals_review:index"


@pytest.fixture
def advocate(transactional_db: None) -> Advocate:
    make_program()
    return make_advocate()


@pytest.fixture
def queue(advocate: Advocate) -> list[Referral]:
    """More than one page."""
    terms = Terms.objects.get()
    names = ("Léa", "Tom", "Zoé", *(f"Friend {number}" for number in range(25)))
    return [
        make_held(terms, advocate, name, moment=LONG_AGO + timedelta(minutes=number))
        for number, name in enumerate(names)
    ]


def picture(page: Page, name: str) -> None:
    folder = os.environ.get("REVIEW_PICTURES")
    if folder:
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_some_are_selected_and_approved_and_then_all_that_a_search_finds(
    admin_page: Page,  # noqa: F811
    live_server: Any,
    browser_problems: Any,
    queue: list[Referral],
) -> None:
    page = admin_page
    page.goto(live_server.url + reverse(INDEX))
    expect(page.get_by_text("To check (28)")).to_have_count(1)
    boxes = page.locator("table.listing tbody [data-bulk-action-checkbox]")
    boxes.nth(0).check()
    boxes.nth(2).check()
    expect(page.get_by_text("2 items selected")).to_be_visible()
    picture(page, "selected")
    page.get_by_role("link", name="Approve", exact=True).click()
    expect(page.get_by_text("You are about to approve 2 referrals.")).to_be_visible()
    expect(page.locator(".referral-decide")).to_contain_text("Léa")
    expect(page.locator(".referral-decide")).not_to_contain_text("Tom")
    picture(page, "approve")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("2 referrals were approved.")).to_be_visible()
    assert Decision.objects.filter(check_key="reviewer").count() == 2

    page.goto(f"{live_server.url}{reverse(INDEX)}?q=Tom")
    page.locator("th [data-bulk-action-select-all-checkbox]").check()
    page.get_by_role("button", name="Select all that are found").click()
    page.get_by_role("link", name="Refuse").click()
    expect(page.get_by_text("You are about to refuse 1 referral.")).to_be_visible()
    page.get_by_role("button", name="Refuse").click()
    expect(page.get_by_text("Say why: it is kept in the timeline.")).to_be_visible()
    page.get_by_label("Reason").fill("The same person")
    page.get_by_role("button", name="Refuse").click()
    expect(page.get_by_text("1 referral was refused.")).to_be_visible()
    browser_problems.assert_none()


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_barrier_and_nothing_that_sticks_out(
    admin_page: Page,  # noqa: F811
    live_server: Any,
    browser_problems: Any,
    queue: list[Referral],
    language: str,
    width: int,
) -> None:
    UserProfile.objects.update_or_create(
        user=get_user_model().objects.get(email="admin@example.com"),
        defaults={"preferred_language": language},
    )
    page = admin_page
    page.set_viewport_size({"width": width, "height": 900})
    postpone(queue[1].pk, NOW.date() + timedelta(days=9), actor=None)
    index = reverse(INDEX)
    for name, path in (
        ("queue", index),
        ("later", f"{index}?when=later"),
        ("refuse", f"{index}refuse/?id=all"),
        ("postpone", f"{index}postpone/?id={queue[0].pk}"),
        ("referral", reverse("wagtail_referrals_referrals:inspect", args=[queue[1].pk])),
    ):
        page.goto(live_server.url + path)
        assert page.locator("html").get_attribute("lang") == language
        picture(page, f"{name}-{language}-{width}")
        assert audit(page) == [], name
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{name}: {wide} px too wide"
    browser_problems.assert_none()
