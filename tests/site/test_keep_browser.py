"""Keeping an invitation in a real browser, with a strict content security policy, and without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from django.core import mail
from wagtail.models import Locale, Site

from tests.shared_cache import as_configured, serve
from tests.site.conftest import publish
from tests.site.test_browser import STRICT
from wagtail_referrals.site.models import LandingPage
from wagtail_referrals.tracking.models import Claim, Lead, Visit

EMAIL = "robin@friends.example"


@pytest.fixture
def origin(transactional_db: None, alone: None, settings: Any, live_server: Any) -> Iterator[str]:
    """The shop under the policy, with a landing page in both languages that offers to keep the invitation."""
    settings.MIDDLEWARE = ["tests.site.test_browser.strict", *settings.MIDDLEWARE]
    publish()
    page = LandingPage(title="Invitation", slug="invitation", keep_by_email=True)
    home = Site.objects.get(is_default_site=True).root_page
    home.add_child(instance=page)
    page.save_revision().publish()
    locale, _created = Locale.objects.get_or_create(language_code="fr")
    if not home.has_translation(locale):
        home.copy_for_translation(locale)
    page.copy_for_translation(locale).save_revision().publish()
    serving = serve(as_configured)
    address = next(serving)
    # The links of a mail lead to the site's own address.
    site = Site.objects.get(is_default_site=True)
    site.hostname, site.port = "localhost", int(address.rpartition(":")[2])
    site.save()
    yield address
    serving.close()


def link_in_mail(words: str) -> str:
    html = str(mail.outbox[-1].alternatives[0][0])
    links = BeautifulSoup(html, "html.parser").find_all("a")
    return next(str(each["href"]) for each in links if each.get_text(strip=True) == words)


@pytest.mark.parametrize("scripts", [True, False])
def test_a_friend_keeps_it_and_comes_back_elsewhere(scripts, origin, link, new_page, browser_problems):
    page = new_page(base_url=origin, java_script_enabled=scripts)
    answer = page.goto(link)
    assert answer is not None and answer.headers["content-security-policy"] == STRICT
    page.get_by_text("Not now? Keep it by e-mail").click()
    page.get_by_label("Your e-mail address").fill(EMAIL)
    # The browser itself asks for the consent.
    page.get_by_role("button", name="Send me the invitation").click()
    assert page.url == f"{origin}{link}" and not Lead.objects.exists()
    page.get_by_label("Yes, send me one e-mail").check()
    page.get_by_role("button", name="Send me the invitation").click()
    page.get_by_role("heading", name="Check your inbox").wait_for()
    assert Lead.objects.get().email == EMAIL and EMAIL not in page.url

    phone = new_page(base_url=origin, java_script_enabled=scripts, locale="en-GB")
    phone.goto(link_in_mail("Open the invitation"))
    phone.get_by_text("10% off one order").first.wait_for()
    assert phone.url == f"{origin}{link}" and Visit.objects.count() == Claim.objects.count() == 1
    assert "referral" in [each["name"] for each in phone.context.cookies()]

    phone.goto(link_in_mail("Remove my address"))
    phone.get_by_role("button", name="Remove my address").click()
    phone.get_by_role("heading", name="Your address is removed").wait_for()
    assert not Lead.objects.exists()
    browser_problems.assert_none()


def test_by_keyboard_alone(origin, link, new_page):
    page = new_page(base_url=origin)
    page.goto(link)
    page.locator(".referrals-keep summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type(EMAIL)
    for key in ("Tab", "Space", "Tab", "Space", "Tab"):
        page.keyboard.press(key)
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Check your inbox").wait_for()
    assert Lead.objects.get().wants_reminders


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_barrier_and_nothing_that_sticks_out(width, language, origin, link, new_page):
    page = new_page(
        base_url=origin, viewport={"width": width, "height": 800}, locale=language, bypass_csp=True
    )
    page.goto(link)
    page.locator(".referrals-keep summary").click()
    check(page, "landing", width)
    page.locator("#referrals-keep-email").fill(EMAIL)
    page.locator("#referrals-keep-mail").check()
    page.locator(".referrals-keep [type=submit]").click()
    page.wait_for_url("**/keep/sent/")
    token = Lead.objects.get().token
    for path in (f"{link}keep/", f"{link}keep/sent/", f"/r/kept/{token}/remove/"):
        page.goto(path)
        check(page, path, width)
    # What is missing is said.
    page.goto(f"{link}keep/")
    page.locator("form").evaluate("form => { form.noValidate = true; form.requestSubmit(); }")
    page.locator("[role=alert]").wait_for()
    check(page, "errors", width)
    page.goto(f"/r/kept/{token}/remove/")
    page.locator("[type=submit]").click()
    page.wait_for_load_state()
    check(page, "removed", width)


def check(page: Any, what: str, width: int) -> None:
    results = Axe().run(page)
    assert results.violations_count == 0, (what, results.generate_report())
    assert page.evaluate("document.documentElement.scrollWidth") <= width, what
