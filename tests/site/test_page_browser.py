"""The landing page and the hub as each visitor sees them: no barrier, nothing that sticks out, nothing inline."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from wagtail.models import Locale, Site

from tests.site.test_browser import shop  # noqa: F401  (pytest finds the fixture by its name)
from wagtail_referrals import programs, rewards
from wagtail_referrals.programs.models import Program
from wagtail_referrals.site.models import HubPage, LandingPage
from wagtail_referrals.tracking.models import Claim, Visit

if TYPE_CHECKING:
    from playwright.sync_api import Page

BODY: list[dict[str, Any]] = [
    {"type": "text", "value": "<h2>A small studio</h2><p>By the river.</p>"},
    {"type": "referral_how_it_works", "value": {}},
    {"type": "referral_faq", "value": {}},
]


@pytest.fixture
def pages(shop: Any) -> dict[str, dict[str, str]]:  # noqa: F811
    """Addresses of landing page and hub, in both languages."""
    home = Site.objects.get(is_default_site=True).root_page
    landing = LandingPage(title="Invitation", slug="invitation", keep_by_email=True, body=BODY)
    hub = HubPage(title="Refer a friend", slug="refer", body=BODY)
    french, _created = Locale.objects.get_or_create(language_code="fr")
    if not home.has_translation(french):
        home.copy_for_translation(french)
    found: dict[str, dict[str, str]] = {"en": {}, "fr": {}}
    for name, page in (("landing", landing), ("hub", hub)):
        home.add_child(instance=page)
        page.save_revision().publish()
        translated = page.copy_for_translation(french)
        translated.save_revision().publish()
        found["en"][name] = f"/en/{page.slug}/"
        found["fr"][name] = f"/fr/{page.slug}/"
    cache.clear()
    return found


def look(page: Page, address: str, kind: str = "") -> list[str]:
    page.goto(address)
    if kind:
        assert page.locator("[data-invitation]").get_attribute("data-invitation") == kind
    found = Axe().run(page).response
    faults = [
        f"{kind or address}: {item['id']} {item['nodes'][0]['html'][:90]}" for item in found["violations"]
    ]
    wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return [*faults, *([f"{kind or address}: {wider} px too wide"] if wider > 0 else [])]


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_each_visitor_finds_no_barrier(
    width: int,
    language: str,
    pages: Any,
    link: str,
    camille: Any,
    new_page: Any,
    live_server: Any,
    browser_problems: Any,
) -> None:
    def visitor() -> Page:
        page: Page = new_page(viewport={"width": width, "height": 800}, locale=language, bypass_csp=True)
        return page

    friend = visitor()
    faults = look(friend, link, "friend")
    Visit.objects.update(created_at=timezone.now() - timedelta(hours=3))
    faults += look(friend, link, "returning")
    claim = rewards.commit(visit=Visit.objects.latest("pk"), basket_reference="1", source="link")
    Claim.objects.filter(pk=claim.pk).update(state=Claim.State.USED)
    claim.discounts.update(state="used", used_reference="100001")
    faults += look(friend, link, "used")

    own = visitor()
    client = Client()
    client.force_login(camille)
    own.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    faults += look(own, link, "own") + look(own, pages[language]["hub"])

    stranger = visitor()
    faults += look(stranger, pages[language]["landing"], "general") + look(stranger, pages[language]["hub"])
    faults += look(stranger, "/r/ZZZZZZZZ/", "unknown")
    Program.objects.update(live=False)
    programs.forget_open_terms()
    faults += look(stranger, link, "closed")
    assert faults == []
    browser_problems.assert_none()


def test_under_a_strict_policy_and_by_keyboard(
    pages: Any, link: str, page: Page, browser_problems: Any
) -> None:
    page.goto(link)
    page.keyboard.press("Tab")
    focused = page.evaluate("document.activeElement.className")
    assert focused == "referrals-button"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert float(outline.removesuffix("px")) >= 2
    # The shop's own pages have scripts and fonts of their own.
    browser_problems.assert_none()
    page.keyboard.press("Enter")
    page.wait_for_url("**/en/catalogue/")


def test_without_scripts_everything_is_said(pages: Any, link: str, new_page: Any) -> None:
    page = new_page(java_script_enabled=False)
    page.goto(link)
    for words in ("Camille invites you", "By the river.", "How it works", "Not for cash."):
        page.get_by_text(words).first.wait_for()
