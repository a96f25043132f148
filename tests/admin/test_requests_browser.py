"""Requests about orders in a real browser: found in the menu, decided, and readable on a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from playwright.sync_api import expect
from wagtail.users.models import UserProfile

from tests.admin.rows import make_advocate, make_program, make_user
from tests.admin.test_browser import admin_page, audit  # noqa: F401
from tests.admin.test_requests import make_order
from wagtail_referrals.people import code_of
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.referrals import match_requests, name_friend, note_order, report_order
from wagtail_referrals.referrals.models import AttributionRequest, Referral

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def advocate(transactional_db: None) -> Advocate:
    make_program()
    return make_advocate()


@pytest.fixture
def named(advocate: Advocate) -> AttributionRequest:
    """A name that the shop does not know: staff find who is meant."""
    order = make_order(make_user("lea@example.com", "Léa", "Lang"))
    name_friend(basket_reference=str(order.basket_id), name="Camille from yoga", town="Lyon", user=order.user)
    note_order(order.number, basket_reference=str(order.basket_id), user=order.user)
    match_requests()
    return AttributionRequest.objects.get()


def test_a_request_is_found_and_confirmed(
    admin_page: Page,  # noqa: F811
    live_server: Any,
    browser_problems: Any,
    named: AttributionRequest,
    advocate: Advocate,
) -> None:
    page = admin_page
    page.goto(live_server.url + reverse("wagtail_referrals_requests:index"))
    row = page.locator("table.listing tbody tr")
    expect(row).to_contain_text("You are asked")
    row.get_by_role("link", name=named.reference).click()
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("Say who referred the friend.")).to_be_visible()
    page.get_by_label("Referrer", exact=True).fill(code_of(advocate))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("judged like any other")).to_be_visible()
    page.get_by_role("link", name="What became of it").click()
    expect(page.locator(".referral-record")).to_contain_text("referred by Camille")
    assert Referral.objects.get().advocate == advocate
    browser_problems.assert_none()


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_barrier_and_nothing_that_sticks_out(
    admin_page: Page,  # noqa: F811
    live_server: Any,
    browser_problems: Any,
    named: AttributionRequest,
    advocate: Advocate,
    language: str,
    width: int,
) -> None:
    UserProfile.objects.update_or_create(
        user__username="admin@example.com",
        defaults={"preferred_language": language, "user": _administrator()},
    )
    unknown = report_order(advocate, "1" * 60)
    admin_page.set_viewport_size({"width": width, "height": 900})
    for request in (named, unknown):
        admin_page.goto(live_server.url + reverse("wagtail_referrals_requests:inspect", args=[request.pk]))
        assert admin_page.locator("html").get_attribute("lang") == language
        assert audit(admin_page) == []
        wide = admin_page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{wide} px too wide"
    browser_problems.assert_none()


def _administrator() -> Any:
    return get_user_model().objects.get(username="admin@example.com")
