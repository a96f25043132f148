"""What people of the admin do on a phone: nothing that they need is cut off. In French, which has the longer words."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from playwright.sync_api import expect
from wagtail.users.models import UserProfile

from tests.admin.held import LONG_AGO, make_held
from tests.admin.rows import make_advocate, make_program, make_referral, make_reward, make_user
from tests.admin.test_browser import admin_page
from wagtail_referrals.programs.models import Terms

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

__all__ = ["admin_page"]

pytestmark = pytest.mark.django_db(transaction=True)

WIDTH = 360


@pytest.fixture
def phone(admin_page: Page) -> Page:
    UserProfile.objects.update_or_create(
        user=get_user_model().objects.get(email="admin@example.com"), defaults={"preferred_language": "fr"}
    )
    admin_page.set_viewport_size({"width": WIDTH, "height": 740})
    return admin_page


def sides(part: Locator) -> tuple[float, float]:
    """Where it begins and ends, from the left."""
    box = part.bounding_box()
    assert box is not None
    return box["x"], box["x"] + box["width"]


def assert_fits(part: Locator) -> None:
    left, right = sides(part)
    assert left >= 0, part
    assert right <= WIDTH, part


def test_columns_that_find_no_room_are_reached_sideways(
    phone: Page, live_server: Any, browser_problems: Any
) -> None:
    make_advocate()
    phone.goto(live_server.url + reverse("wagtail_referrals_advocates:index"))
    results = phone.locator("#listing-results")
    assert results.evaluate("it => it.scrollWidth > it.clientWidth"), "all of it is seen: nothing to test"
    results.hover()
    phone.mouse.wheel(1000, 0)
    last = phone.locator("table.listing thead th", has_text="Statut")
    # But for a part of a pixel.
    expect(last).to_be_in_viewport(ratio=0.97)
    browser_problems.assert_none()


def test_all_decisions_can_be_pressed(phone: Page, live_server: Any, browser_problems: Any) -> None:
    make_program()
    terms, advocate = Terms.objects.get(), make_advocate()
    for number in range(25):
        make_held(terms, advocate, f"Friend {number}", moment=LONG_AGO + timedelta(minutes=number))
    phone.goto(live_server.url + reverse("wagtail_referrals_review:index"))
    phone.locator("th [data-bulk-action-select-all-checkbox]").check()
    foot = phone.locator(".bulk-actions-choices")
    buttons = foot.locator("[data-bulk-action-button], [data-bulk-action-num-objects-in-listing]")
    expect(buttons).to_have_count(4)
    for button in buttons.all():
        expect(button).to_be_visible()
        assert_fits(button)
    foot.get_by_role("link", name="Revoir plus tard").click()
    phone.wait_for_url("**/postpone/**")
    browser_problems.assert_none()


def test_the_words_of_a_button_are_whole(phone: Page, live_server: Any, browser_problems: Any) -> None:
    make_program()
    referral = make_referral(Terms.objects.get(), make_advocate(), make_user("lea@example.com", "Léa"))
    make_reward(referral, "15.00", "0", state="failed")
    for width in (WIDTH, 1280):
        phone.set_viewport_size({"width": width, "height": 740})
        phone.goto(live_server.url + reverse("wagtail_referrals_rewards:index"))
        phone.locator("td [data-bulk-action-checkbox]").check()
        button = phone.get_by_role("link", name="Réessayer maintenant")
        expect(button).to_be_visible()
        assert button.evaluate("it => it.scrollWidth <= it.clientWidth"), width
    browser_problems.assert_none()


@pytest.mark.parametrize("name", ["wall", "badges"])
def test_a_listing_says_what_it_is_and_offers_what_it_can(
    phone: Page, live_server: Any, browser_problems: Any, name: str
) -> None:
    phone.goto(live_server.url + reverse(f"wagtail_referrals_{name}:list"))
    left, right = sides(phone.locator(".w-slim-header .w-breadcrumbs"))
    assert right - left > 100
    buttons = phone.locator("#w-slim-header-buttons > *")
    assert buttons.count() > 1
    for button in buttons.all():
        assert_fits(button)
    browser_problems.assert_none()


def test_no_field_of_a_program_is_wider(phone: Page, live_server: Any, browser_problems: Any) -> None:
    phone.goto(
        live_server.url + reverse("wagtail_referrals_programs:add") + "?preset=give_percent_get_credit"
    )
    fields = phone.locator("#w-editor-form :is(select, input, textarea, .help)").filter(visible=True)
    assert fields.count() > 10
    for field in fields.all():
        assert_fits(field)
    browser_problems.assert_none()


def test_names_of_friends_are_not_broken(phone: Page, live_server: Any, browser_problems: Any) -> None:
    make_program()
    terms, advocate = Terms.objects.get(), make_advocate()
    referral = make_referral(terms, advocate, make_user("max@example.com", "Maximilienne"), state="to_check")
    phone.goto(live_server.url + reverse("wagtail_referrals_advocates:inspect", args=[referral.advocate_id]))
    name = phone.get_by_role("link", name="Maximilienne")
    assert name.evaluate("it => it.getClientRects().length") == 1
    browser_problems.assert_none()


def test_both_weeks_are_seen_on_the_first_page(phone: Page, live_server: Any, browser_problems: Any) -> None:
    phone.goto(live_server.url + reverse("wagtailadmin_home"))
    table = phone.locator(".referral-home .referral-scroll")
    assert table.evaluate("it => it.scrollWidth <= it.clientWidth")
    for heading in table.locator("thead th").all():
        assert heading.evaluate("it => it.scrollWidth <= it.clientWidth")
    browser_problems.assert_none()
