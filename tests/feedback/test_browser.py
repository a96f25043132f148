"""The feedback page in a real browser: by hand, by keyboard, without JavaScript, and its page in the admin."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import expect

from tests.admin.rows import make_advocate, make_program, make_referral, make_reward, make_user
from tests.browser_fixtures import PHONE
from tests.feedback.conftest import make_page
from wagtail_referrals.feedback.models import FeedbackPage, FeedbackSubmission
from wagtail_referrals.feedback.respondents import token_for
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals.models import Referral

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.django_db(transaction=True)

# "referrals" is our own part of the page; the rest is the shop's.
OURS = {"include": [[".referrals"]]}


@pytest.fixture
def asked(transactional_db: None) -> tuple[FeedbackPage, Referral]:
    terms = Terms.objects.get(program_key=make_program().key)
    referral = make_referral(terms, make_advocate(), make_user("nadia@example.com", "Nadia"))
    make_reward(referral, "15.00", "15.00")
    return make_page(), referral


def address(asked: tuple[FeedbackPage, Referral], side: str = "friend") -> str:
    page, referral = asked
    return f"{page.url}?t={token_for(referral.pk, side)}"


@pytest.mark.parametrize("options", [{}, PHONE, {"java_script_enabled": False}])
def test_an_answer_is_given_in_two_touches(
    new_page: Callable[..., Page], asked: Any, browser_problems: Any, options: dict[str, Any]
) -> None:
    browser = new_page(**options)
    browser.goto(address(asked))
    # Nothing is chosen beforehand.
    expect(browser.locator("input:checked")).to_have_count(0)
    browser.get_by_text("9", exact=True).click()
    browser.get_by_role("button", name="Send").click()
    expect(browser.get_by_role("heading", name="Thank you!")).to_be_visible()
    assert FeedbackSubmission.objects.get().rating == 9
    browser_problems.assert_none()


def test_the_keyboard_is_enough(new_page: Callable[..., Page], asked: Any) -> None:
    browser = new_page()
    browser.goto(address(asked))
    browser.get_by_role("radio", name="0", exact=True).focus()
    for _press in range(7):
        browser.keyboard.press("ArrowRight")
    expect(browser.get_by_role("radio", name="7")).to_be_checked()
    browser.keyboard.press("Tab")
    browser.keyboard.type("More tea")
    browser.keyboard.press("Tab")
    browser.keyboard.press("Enter")
    expect(browser.get_by_role("heading", name="Thank you!")).to_be_visible()
    kept = FeedbackSubmission.objects.get()
    assert (kept.rating, kept.form_data) == (7, {"what_could_be_better": "More tea"})


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_in_the_way_of_anybody(new_page: Callable[..., Page], asked: Any, width: int) -> None:
    browser = new_page(viewport={"width": width, "height": 900})
    browser.goto(address(asked))
    browser.get_by_role("button", name="Send").click()
    expect(browser.get_by_role("alert")).to_be_visible()
    results = Axe().run(browser, context=OURS)
    assert results.violations_count == 0, results.generate_report()
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


def test_the_score_is_found_in_the_menu(
    new_page: Callable[..., Page], live_server: Any, asked: Any, browser_problems: Any
) -> None:
    # Wagtail asks its maker for the newest version; there is no network here.
    browser_problems.allow("releases.wagtail.org|ERR_NAME_NOT_RESOLVED|ERR_INTERNET_DISCONNECTED|gravatar")
    page, referral = asked
    FeedbackSubmission.objects.create(
        page=page,
        referral=referral,
        side="advocate",
        program_key=referral.program_key,
        rating=9,
        form_data={"what_could_be_better": "More tea"},
    )
    client = Client()
    client.force_login(make_user("admin@example.com", "Alix", is_superuser=True, is_staff=True))
    browser = new_page()
    browser.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    browser.goto("/admin/")
    browser.get_by_role("button", name="Marketing").click()
    browser.get_by_role("button", name="Referrals").click()
    browser.get_by_role("link", name="Reports", exact=True).click()
    browser.get_by_role("link", name="Feedback").click()
    expect(browser.get_by_role("heading", name="What people say")).to_be_visible()
    expect(browser.get_by_text("More tea")).to_be_visible()
    results = Axe().run(browser, context={"include": [[".referral-summary"]]})
    assert results.violations_count == 0, results.generate_report()
    browser_problems.assert_none()
