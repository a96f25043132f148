"""Takes the pictures of the tutorial for editors, by doing what it says: see docs/tutorials/pages-for-editors.md.

``make screenshots`` runs it, in a shop of its own, filled anew: it publishes pages there. In a shop that is
served already: ``python -m tools.tutorial_pictures http://127.0.0.1:8000``.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from PIL import Image

from tests.browser_fixtures import ARGUMENTS, PERSON, chromium
from tools.screenshots import PASSWORD, PICTURES, served_shop

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

WIDTH = 1280
EVERY_BLOCK = (
    "“You have been invited”",
    "How it works",
    "Progress to the next reward",
    "Leaderboard",
    "Wall of thanks",
    "Referral credit",
    "Questions and answers",
    "Share panel",
    "Terms of the offer",
)


def keep(page: Page, name: str, top: Locator | None = None, height: int = 640) -> None:
    """Save a part of what the page shows, from ``top`` on, in 256 colours."""
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.wait_for_timeout(600)  # Blocks fold open.
    # A block that was just added is not filled in yet: what is written meanwhile is saved once it is.
    page.get_by_text("Autosave is paused").first.wait_for(state="hidden")
    if top is not None:
        # Below the bar that stays at the top of the admin.
        page.evaluate("document.activeElement.blur()")
        for _ in range(2):  # What unfolds while it scrolls moves it once more.
            top.evaluate(
                "element => window.scrollTo({top: element.getBoundingClientRect().top + scrollY - 70, left: 0,"
                " behavior: 'instant'})"
            )
            page.wait_for_timeout(600)
    else:
        page.evaluate("window.scrollTo(0, 0)")
    page.mouse.move(0, 0)
    page.wait_for_load_state("networkidle")
    path = PICTURES / f"tutorial-{name}.png"
    page.screenshot(path=path, animations="disabled")
    Image.open(path).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"  tutorial-{name}", flush=True)


def sign_in_to_admin(page: Page, base: str) -> None:
    page.goto(f"{base}/admin/login/")
    page.fill("input[name=username]", "editor@example.com")
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_load_state()


def add_page(page: Page, base: str, kind: str, title: str) -> None:
    """Studio Souffle, "Add child page", the type, the title."""
    page.goto(f"{base}/admin/pages/{home(page, base)}/add_subpage/")
    page.get_by_role("link", name=kind, exact=True).click()
    page.wait_for_load_state("networkidle")
    page.fill("[name=title]", title)


def home(page: Page, base: str) -> str:
    """The number of the English first page, below which everything is made."""
    page.goto(f"{base}/admin/pages/")
    link = page.locator("main tr", has_text="English").locator("a[href*='/admin/pages/']").first
    return str(link.get_attribute("href")).strip("/").split("/")[2]


def field(page: Page, name: str) -> Locator:
    return page.locator(f"[name={name}]")


def section(page: Page, name: str) -> Locator:
    return page.locator(f"[id$='-{name}-section']").first


def add_block(page: Page, stream: str, label: str = "") -> None:
    """The last plus of a stream, and one of its blocks where there are several."""
    section(page, stream).locator("button.c-sf-add-button").last.click()
    if label:
        page.get_by_role("option", name=label, exact=True).click()


def choose_picture(page: Page, place: Locator, title: str) -> None:
    place.get_by_role("button", name="Choose an image").first.click()
    page.locator(".modal a.image-choice", has_text=title).first.click()
    page.locator(".modal").wait_for(state="hidden")


def write(place: Locator, text: str) -> None:
    """Into a rich text field."""
    place.locator("[contenteditable=true]").first.fill(text)


def publish(page: Page) -> None:
    page.wait_for_timeout(2000)  # Until the draft is saved by itself.
    page.wait_for_load_state("networkidle")
    page.get_by_role("button", name="More actions").last.click()
    page.get_by_role("button", name="Publish", exact=True).click()
    page.locator(".messages .success", has_text="published").first.wait_for()


def preview(page: Page, mode: str) -> None:
    if not page.locator("[data-side-panel=preview]").is_visible():
        page.locator("[data-side-panel-toggle=preview]").click()
    field(page, "preview_mode").select_option(label=mode)
    page.wait_for_load_state("networkidle")


def landing_page(page: Page, base: str) -> None:
    add_page(page, base, "Referral landing page", "Bring a friend to class")
    invitation = section(page, "invitation")
    field(page, "headline").fill("{name} saves you a mat")
    write(invitation, "We keep a mat free for you, and tea for afterwards. Come on any evening.")
    choose_picture(page, invitation, "The large room")
    keep(page, "landing", height=900)
    field(page, "action_text").fill("Choose a mat")
    field(page, "action_target").select_option(label="the shop")
    add_block(page, "body", "Questions and answers")
    add_block(page, "variants")
    variants = section(page, "variants")
    variants.get_by_label("QR code").check()
    field(page, "variants-0-value-headline").fill("{name} gave you this card")
    keep(page, "variants", variants, height=1000)
    add_block(page, "situations")
    field(page, "situations-0-value-situation").select_option(
        label="A friend who comes again: the present still waits"
    )
    field(page, "situations-0-value-headline").fill("Your mat still waits, until {day}")
    keep(page, "situations", section(page, "situations"), height=900)
    page.get_by_role("tab", name="Sharing").click()
    add_block(page, "share_messages")
    messages = section(page, "share_messages")
    field(page, "share_messages-0-value-channel").select_option(label="WhatsApp")
    field(page, "share_messages-0-value-message").fill("Come to yoga with me? You get {gift}:")
    for label, colour in {"ground": "#1d4d4f", "ink": "#fdf9f1", "accent": "#e8c3ae"}.items():
        field(page, f"colour_{label}").fill(colour)
    field(page, "card_heading").fill("{gift}, from {name}")
    field(page, "card_text").fill("Show this card, or scan it. First classes are on Mondays.")
    keep(page, "sharing", messages, height=1100)


def previews(page: Page, base: str) -> None:
    shown = page.frame_locator("[data-side-panel=preview] iframe").first
    page.get_by_role("tab", name="Content").click()
    page.locator("[data-side-panel-toggle=preview]").click()
    page.select_option("#id_preview_mode", label="As a friend")
    shown.get_by_text("saves you a mat").first.wait_for()
    keep(page, "preview", section(page, "invitation"), height=860)
    page.select_option("#id_preview_mode", label="As a friend who comes again")
    shown.get_by_text("Your mat still waits").first.wait_for()
    field(page, "preview_on").fill("2031-06-01 10:00")
    page.keyboard.press("Escape")
    shown.get_by_text("2031").first.wait_for()
    keep(page, "preview-returning", section(page, "situations"), height=1100)
    field(page, "preview_on").fill("")
    page.select_option("#id_preview_mode", label="On cards")
    shown.get_by_text("First classes are on Mondays").first.wait_for()
    page.locator("[data-side-panel-toggle=preview]").click()
    publish(page)


def landing_page_of_program(page: Page, base: str) -> None:
    """The program that most customers offer names the new page."""
    page.goto(f"{base}/admin/referrals/programs/")
    page.get_by_role("link", name="Give 10%, get €15", exact=True).first.click()
    page.wait_for_load_state("networkidle")
    page.get_by_role("tab", name="Settings").click()
    place = section(page, "landing_page")
    if place.get_by_role("button", name="Choose a page").is_visible():
        place.get_by_role("button", name="Choose a page").click()
    else:
        place.get_by_role("button", name="Actions").click()
        page.get_by_role("button", name="Choose another page").click()
    page.locator(".modal").get_by_role("link", name="Bring a friend to class").first.click()
    page.locator(".modal").wait_for(state="hidden")
    publish(page)


def thanks(page: Page, base: str) -> None:
    """From the page of the referrer. They are asked; the wall shows them once they agree."""
    page.goto(f"{base}/admin/referrals/referrers/?q=Ga%C3%ABlle")
    page.locator("main table").get_by_role("link", name="Gaëlle").first.click()
    page.get_by_role("link", name="Thank them in public").click()
    page.fill("[name=texts-0-text]", "Gaëlle brought half her choir to the Tuesday class.")
    page.fill("[name=texts-1-text]", "Gaëlle a amené la moitié de sa chorale au cours du mardi.")
    keep(page, "thanks", height=860)
    page.get_by_role("button", name="Save").click()
    page.wait_for_load_state()


def hub_page(page: Page, base: str) -> None:
    add_page(page, base, "Referral program page", "Yoga is better with two")
    field(page, "headline").fill("Bring a friend: {gift} for them, and a thank-you for you")
    add_block(page, "body", "Leaderboard")
    publish(page)


def page_with_every_block(page: Page, base: str) -> None:
    add_page(page, base, "Content page", "All about friends")
    for label in EVERY_BLOCK:
        section(page, "body").locator("button.c-sf-add-button").last.click()
        option = page.get_by_role("option", name=label, exact=True)
        if label == EVERY_BLOCK[0]:
            page.wait_for_timeout(300)
            keep(page, "blocks", section(page, "body"), height=1000)
        option.last.click()
    page.locator("select[name$=value-period]").select_option("ever")
    publish(page)


def badge(page: Page, base: str) -> None:
    page.goto(f"{base}/admin/referrals/badges/add/")
    page.locator("[name=names-0-name]").fill("First mat")
    page.locator("[name=names-1-name]").fill("Premier tapis")
    page.check("[name=icon][value=sun]")
    field(page, "criterion").select_option(label="a number of friends who have ordered")
    page.locator("[name=threshold]").fill("1")
    keep(page, "badge", field(page, "criterion").locator("xpath=ancestor::section[1]"), height=760)
    page.get_by_role("button", name="Save").click()
    page.wait_for_load_state()


def feedback_page(page: Page, base: str) -> None:
    add_page(page, base, "Referral feedback page", "Tell us")
    page.get_by_role("button", name="Add question").click()
    page.select_option("[name=form_fields-0-field_type]", label="Multi-line text")
    field(page, "form_fields-0-label").fill("What should we do better?")
    publish(page)


def as_shopper(browser: Browser, base: str) -> None:
    """The person who was thanked agrees and looks at the page with every block."""
    page = person(browser)
    page.goto(f"{base}/en/accounts/login/")
    page.fill("#id_login-username", "gaelle@example.com")
    page.fill("#id_login-password", PASSWORD)
    page.click("[name=login_submit]")
    page.wait_for_load_state()
    page.goto(f"{base}/en/account/refer-a-friend/")
    page.get_by_role("button", name="Yes, show it").click()
    page.wait_for_load_state()
    page.goto(f"{base}/en/all-about-friends/")
    keep(page, "shopper", page.get_by_role("heading", name="Who brings the most friends"), height=1000)
    page.context.close()


def as_friend(browser: Browser, base: str, link: str) -> None:
    page = person(browser)
    page.goto(link)
    keep(page, "friend", height=800)
    page.context.close()


def person(browser: Browser) -> Page:
    """Somebody's browser, with cookies of its own."""
    context: Any = browser.new_context(
        viewport={"width": WIDTH, "height": 900},
        locale="en-GB",
        user_agent=PERSON.format(version=browser.version),
    )
    context.set_default_timeout(30_000)
    page: Page = context.new_page()
    return page


def as_writer(browser: Browser, base: str) -> None:
    """Follow the tutorial from the first step to the last, in the shop served at ``base``."""
    page = person(browser)
    sign_in_to_admin(page, base)
    for step in STEPS:
        step(page, base)
    page.goto(f"{base}/admin/referrals/referrers/?q=camille")
    code = (
        page.locator("main table tbody tr", has_text="Camille")
        .first.locator("td")
        .nth(2)
        .inner_text()
        .strip()
    )
    page.context.close()
    as_shopper(browser, base)
    as_friend(browser, base, f"{base}/r/{code}/")


STEPS: tuple[Any, ...] = (
    landing_page,
    previews,
    landing_page_of_program,
    hub_page,
    badge,
    thanks,
    page_with_every_block,
    feedback_page,
)


def main() -> None:
    path = chromium()
    if path is None:
        sys.exit("No Chromium found: install the package chromium, or name one in $CHROMIUM.")
    from playwright.sync_api import sync_playwright

    shop = nullcontext(sys.argv[1].rstrip("/")) if len(sys.argv) > 1 else served_shop()
    with shop as base, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        as_writer(browser, base)
        browser.close()


if __name__ == "__main__":
    main()
