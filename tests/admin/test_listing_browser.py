"""Listings in a real browser: columns chosen with the keyboard, and downloads of what the filters show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from tests.admin.rows import make_advocate, make_program, make_referral, make_user
from tests.admin.test_browser import admin_page, audit  # noqa: F401
from wagtail_referrals.programs.models import Terms

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def two(transactional_db: None) -> None:
    terms = Terms.objects.get(program_key=make_program().key)
    camille = make_advocate()
    make_referral(terms, camille, make_user("lea@example.com", "Léa"), state="to_check")
    make_referral(terms, camille, make_user("hugo@example.com", "Hugo"))


@pytest.mark.usefixtures("two")
def test_columns_are_chosen_with_the_keyboard(
    admin_page: Page,  # noqa: F811
    live_server: Any,
    browser_problems: Any,
) -> None:
    page = admin_page
    page.goto(f"{live_server.url}{reverse('wagtail_referrals_referrals:index')}?state=to_check")
    headings = page.locator("table.listing thead th")
    expect(headings).to_have_count(6)
    page.get_by_role("button", name="Columns").focus()
    page.keyboard.press("Enter")
    box = page.get_by_role("checkbox", name="Orders")
    expect(box).to_be_visible()
    assert audit(page) == []
    box.focus()
    page.keyboard.press("Space")
    page.get_by_role("checkbox", name="Program").uncheck()
    page.keyboard.press("Enter")
    expect(headings).to_have_text(["Friend", "Referred by", "State", "Why", "Orders", "Date"])
    # The filter is still on.
    expect(page.locator("table.listing tbody tr")).to_have_count(1)
    browser_problems.assert_none()


@pytest.mark.usefixtures("two")
def test_what_is_found_without_a_new_page_is_downloaded(
    admin_page: Page,  # noqa: F811
    live_server: Any,
    browser_problems: Any,
) -> None:
    """Wagtail swaps the rows while somebody types, and the links for downloads with them."""
    page = admin_page
    page.goto(live_server.url + reverse("wagtail_referrals_referrals:index"))
    rows = page.locator("table.listing tbody tr")
    expect(rows).to_have_count(2)
    page.get_by_role("searchbox").or_(page.locator("#id_q")).first.fill("hugo")
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="Actions").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    assert download.value.suggested_filename.startswith("referrals-")
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    assert [line.split(",")[0] for line in text.splitlines()] == ["Friend", "Hugo"]
    browser_problems.assert_none()


@pytest.mark.usefixtures("two")
def test_buttons_do_not_cut_the_title_of_programs(
    admin_page: Page,  # noqa: F811
    live_server: Any,
) -> None:
    page = admin_page
    for width in (360, 900, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(live_server.url + reverse("wagtail_referrals_programs:list"))
        crumbs = page.locator(".w-slim-header .w-breadcrumbs")
        assert crumbs.evaluate("it => it.scrollWidth <= it.clientWidth"), width
        assert crumbs.evaluate("it => it.clientWidth > 100"), width
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), width
