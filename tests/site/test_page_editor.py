"""An editor builds the landing page and the hub from nothing, in a real browser, and looks at them beforehand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from oscar.test.factories import create_product
from playwright.sync_api import expect
from wagtail.models import Site

from tests.admin.test_browser import admin_page  # noqa: F401  (pytest finds the fixture by its name)
from tests.site.conftest import publish
from wagtail_referrals.programs.models import Program, ProgramRule
from wagtail_referrals.site.models import HubPage, LandingPage
from wagtail_referrals.tracking.models import Visit

if TYPE_CHECKING:
    from playwright.sync_api import FrameLocator, Page

pytestmark = pytest.mark.django_db(transaction=True)

# The panel waits until one stops typing, asks whether the form is sound, and draws the page in a second frame.
PREVIEW_TIMEOUT = 20_000


def see(seen: FrameLocator, words: str, role: str = "") -> None:
    found = seen.get_by_role(role, name=words) if role else seen.get_by_text(words)
    expect(found.first).to_be_visible(timeout=PREVIEW_TIMEOUT)


@pytest.fixture
def programs(db: None) -> None:
    """10 % off today, half off from December 2030."""
    publish()
    later = Program(name="Christmas", precedence=1, live=False, go_live_at=datetime(2030, 12, 1, tzinfo=UTC))
    later.rules = [ProgramRule(side="friend", trigger="arrives", kind="discount_percent", percent=50)]
    later.save()
    later.save_revision().publish()


@pytest.fixture
def editor(
    admin_page: Page,  # noqa: F811
    live_server: Any,
    programs: None,
    browser_problems: Any,
) -> Callable[[str], Page]:
    """Opens the form of a new page of this type."""
    home = Site.objects.get(is_default_site=True).root_page

    # The draft is saved while one types, and is refused as long as something in it is wrong.
    browser_problems.allow("answer 400 for POST .*/admin/pages/")

    def open_it(model: str) -> Page:
        address = reverse("wagtailadmin_pages:add", args=["wagtail_referrals", model, home.pk])
        admin_page.add_init_script(
            "document.addEventListener('w-unsaved:watch-edits', "
            "() => { document.documentElement.dataset.watched = 'yes' })"
        )
        admin_page.set_viewport_size({"width": 1500, "height": 1000})
        admin_page.goto(live_server.url + address)
        return admin_page

    return open_it


def look_ahead(page: Page) -> None:
    # What is typed in its first seconds Wagtail takes for what was there: then nothing seems to have changed.
    page.locator("html[data-watched]").wait_for()
    page.locator("[name=preview_on]").press_sequentially("2030-12-10 12:00", delay=50)


def add_block(page: Page, section: str, label: str = "") -> None:
    page.locator(f"[id$='-{section}-section'] button[title='Insert a block']").last.click()
    if label:
        page.get_by_role("option", name=label).click()


def write_text(page: Page, section: str, text: str) -> None:
    page.locator(f"[id$='-{section}-section'] [contenteditable=true]").first.click()
    page.keyboard.type(text)


def press_publish(page: Page) -> None:
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("button", name="Publish", exact=True).click()


def open_preview(page: Page) -> FrameLocator:
    page.get_by_role("button", name="Toggle preview").click()
    # While it draws the page anew, the panel has a second frame for a moment.
    return page.frame_locator("#w-preview-iframe")


def test_a_landing_page_from_nothing(
    editor: Callable[[str], Page], link: str, new_page: Any, browser_problems: Any
) -> None:
    product = create_product(title="Cork mat")
    page = editor("landingpage")
    page.fill("[name=title]", "Your invitation")
    page.fill("[name=headline]", "{name} has a present for you")
    write_text(page, "invitation", "We are a small studio: {gift}.")

    # Only what the chosen target asks is there.
    choose_page = page.locator("#id_option_action_page-chooser")
    choose_product = page.locator("#id_option_action_product-chooser")
    expect(choose_page).to_be_hidden()
    page.select_option("[name=action_target]", "page")
    expect(choose_page).to_be_visible()
    expect(choose_product).to_be_hidden()
    page.select_option("[name=action_target]", "product")
    expect(choose_page).to_be_hidden()
    choose_product.get_by_role("button", name="Choose a product").click()
    page.get_by_role("dialog").get_by_role("link", name="Cork mat").click()
    expect(choose_product.get_by_text("Cork mat")).to_be_visible()

    add_block(page, "body", "Questions and answers")
    add_block(page, "variants")
    page.get_by_label("QR code").check()
    page.fill("[name=variants-0-value-headline]", "Scanned: {nmae}")
    add_block(page, "situations")
    page.select_option("[name=situations-0-value-situation]", "closed")
    page.fill("[name=situations-0-value-headline]", "It is over")

    page.get_by_role("tab", name="Sharing").click()
    page.fill("[name=colour_ground]", "#ffffff")
    page.fill("[name=colour_ink]", "#cccccc")
    expect(page.locator("#id_colour_ink ~ input[type=color]")).to_have_value("#cccccc")

    # What visitors could not read is refused, in words, where it is.
    press_publish(page)
    expect(page.get_by_text("Visitors would read {nmae} as it is.")).to_be_visible()
    page.fill("[name=variants-0-value-headline]", "{name} gave you a card")
    page.get_by_role("tab", name="Sharing").click()
    expect(page.get_by_text("Nobody can read this text on this ground: the contrast is 1.6")).to_be_visible()
    page.locator("#id_colour_ink ~ input[type=color]").fill("#1d4d4f")
    expect(page.locator("[name=colour_ink]")).to_have_value("#1d4d4f")
    press_publish(page)
    page.wait_for_url("**/admin/pages/*/")
    landing = LandingPage.objects.get()
    assert landing.live and landing.colour_ink == "#1d4d4f"
    assert landing.action_options == {"action_product": product.pk}

    friend = new_page(viewport={"width": 360, "height": 800})
    friend.goto(link)
    friend.get_by_role("heading", name="Camille has a present for you").wait_for()
    friend.get_by_text("We are a small studio: 10% off one order.").wait_for()
    friend.get_by_role("link", name="Have a look").click()
    friend.wait_for_url(f"**/cork-mat_{product.pk}/")
    scanned = new_page()
    scanned.goto(f"{link}?via=qr")
    scanned.get_by_role("heading", name="Camille gave you a card").wait_for()
    browser_problems.assert_none()


def test_the_preview_shows_every_visitor_on_any_day(
    editor: Callable[[str], Page], live_server: Any, browser_problems: Any
) -> None:
    page = editor("landingpage")
    landing = LandingPage(
        title="Invitation",
        slug="invitation",
        headline="{name} has a present for you",
        variants=[{"type": "variant", "value": {"channels": ["qr"], "headline": "Scanned"}}],
    )
    Site.objects.get(is_default_site=True).root_page.add_child(instance=landing)
    landing.save_revision()
    page.goto(live_server.url + reverse("wagtailadmin_pages:edit", args=[landing.pk]))
    seen = open_preview(page)
    see(seen, "Your present: 10% off one order")
    look_ahead(page)
    see(seen, "Your present: 50% off one order")
    see(seen, "Valid until Jan. 9, 2031.")
    mode = page.get_by_label("Preview mode")
    for key, words in {
        "returning": "Your present waits: 50% off one order",
        "used": "You have ordered with an invitation already.",
        "customer": "Camille thought of you.",
        "own": "It is for your friends.",
        "closed": "This invitation has ended",
        "variant-0": "Scanned",
    }.items():
        mode.select_option(key)
        see(seen, words)
    assert not Visit.objects.exists()
    browser_problems.assert_none()


def test_a_hub_from_nothing(
    editor: Callable[[str], Page], live_server: Any, new_page: Any, browser_problems: Any
) -> None:
    page = editor("hubpage")
    page.fill("[name=title]", "Refer a friend")
    page.fill("[name=headline]", "Give {gift}")
    add_block(page, "body", "Questions and answers")
    add_block(page, "body", "Terms of the offer")
    press_publish(page)
    page.wait_for_url("**/admin/pages/*/")
    hub = HubPage.objects.get()
    visitor = new_page(viewport={"width": 360, "height": 800})
    visitor.goto(hub.url)
    visitor.get_by_role("heading", name="Give 10% off one order").wait_for()
    # Where the editor placed them, and nowhere else.
    assert visitor.get_by_text("Terms of the offer").count() == 1
    page.goto(live_server.url + reverse("wagtailadmin_pages:edit", args=[hub.pk]))
    seen = open_preview(page)
    see(seen, "Get your link", "link")
    look_ahead(page)
    see(seen, "Give 50% off one order", "heading")
    page.get_by_label("Preview mode").select_option("referrer")
    expect(seen.get_by_label("Your link")).to_be_visible(timeout=PREVIEW_TIMEOUT)
    browser_problems.assert_none()


def test_our_panels_have_no_barrier(editor: Callable[[str], Page]) -> None:
    page = editor("landingpage")
    found = Axe().run(page, context={"include": [["[id$='-button-section']"]]}).response
    page.get_by_role("tab", name="Sharing").click()
    more = Axe().run(page, context={"include": [[".referral-colour"]]}).response
    assert found["passes"] and more["passes"]
    assert [item["id"] for item in found["violations"] + more["violations"]] == []
