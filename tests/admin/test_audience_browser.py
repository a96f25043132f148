"""The form of an audience in a real browser: it counts while one types, and shows what the chosen fact asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from playwright.sync_api import expect

from tests.admin.rows import make_user
from tests.admin.test_browser import admin_page, audit  # noqa: F401  (pytest finds the fixture by its name)
from tests.audiences import make_audience
from wagtail_referrals.programs.models import Audience

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def vip(db: None) -> Group:
    group = Group.objects.create(name="VIP")
    for number in range(12):
        make_user(f"c{number}@example.com", f"Customer{number}").groups.add(group)
    return group


def publish(page: Page) -> None:
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("button", name="Publish").click()


def test_one_is_written_while_it_counts(
    admin_page: Page,  # noqa: F811
    live_server: Any,
    browser_problems: Any,
    vip: Group,
) -> None:
    page = admin_page
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/count/" in request.url else None)
    page.goto(live_server.url + reverse("wagtail_referrals_audiences:add"))
    count = page.locator(".referral-audience__count")
    assert count.inner_text() == "13 customers"
    page.fill("[name=name]", "Members")
    page.get_by_role("button", name="Add rule").click()
    group = page.locator(".referral-rule__option_group")
    assert group.is_hidden() and page.locator(".referral-rule__options").is_hidden()
    page.select_option("[name=rules-0-fact]", "group")
    assert group.is_visible()
    assert page.locator(".referral-rule__option_orders_at_least").is_hidden()
    page.select_option("[name=rules-0-option_group]", str(vip.pk))
    page.get_by_text("12 customers").wait_for()
    page.get_by_text("A customer who is in the group “VIP”.").wait_for()
    names = page.locator(".referral-audience__names li")
    assert names.count() == 10 and names.first.inner_text() == "Customer11"
    assert "example.com" not in page.locator(".referral-audience__samples").inner_text()

    # A number that is typed is asked about once, when the typing has stopped.
    page.get_by_role("button", name="Add rule").click()
    page.select_option("[name=rules-1-fact]", "orders")
    page.locator(".referral-sentence__hints").get_by_text("not complete").wait_for()
    asked.clear()
    page.locator("[name=rules-1-option_orders_at_least]").press_sequentially("12", delay=50)
    page.locator(".referral-sentence__hints").get_by_text("Nobody is in this audience").wait_for()
    assert len(asked) == 1
    assert page.locator(".referral-audience__samples").is_hidden()
    page.select_option("[name=match]", "any")
    page.get_by_text("12 customers").wait_for()
    page.click("#id_rules-1-DELETE-button")
    page.wait_for_function(
        "!document.querySelector('.referral-audience__words').textContent.includes('orders')"
    )
    publish(page)
    page.get_by_text("published").first.wait_for()
    audience = Audience.objects.get()
    assert audience.live and [row.fact for row in audience.rules.all()] == ["group"]
    browser_problems.assert_none()


def test_an_error_stands_where_it_is_mended(
    admin_page: Page,  # noqa: F811
    live_server: Any,
    browser_problems: Any,
) -> None:
    page = admin_page
    page.goto(live_server.url + reverse("wagtail_referrals_audiences:add"))
    page.fill("[name=name]", "Members")
    page.get_by_role("button", name="Add rule").click()
    page.select_option("[name=rules-0-fact]", "orders")
    publish(page)
    page.get_by_text("Give a number of orders, in one of the two fields.").wait_for()
    expect(page.locator("[name=rules-0-option_orders_at_least]")).to_be_visible()
    assert not Audience.objects.exists()
    browser_problems.assert_none()


def test_it_is_accessible_and_fits_a_phone(
    admin_page: Page,  # noqa: F811
    live_server: Any,
    browser_problems: Any,
    vip: Group,
) -> None:
    made = make_audience(("group", {"group": str(vip.pk), "title": "VIP"}))
    paths = [
        reverse("wagtail_referrals_audiences:add"),
        reverse("wagtail_referrals_audiences:edit", args=[made.pk]),
        reverse("wagtail_referrals_audiences:list"),
    ]
    for width in (1280, 390):
        admin_page.set_viewport_size({"width": width, "height": 800})
        for path in paths:
            admin_page.goto(live_server.url + path)
            assert audit(admin_page) == [], path
            wide = admin_page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert wide <= 0, f"{path} is {wide} px too wide"
            ends = admin_page.locator("#w-editor-form select:visible").evaluate_all(
                "selects => selects.map(select => select.getBoundingClientRect().right)"
            )
            assert all(end <= width - 10 for end in ends), f"a choice of {path} is cut off: {ends}"
    browser_problems.assert_none()
