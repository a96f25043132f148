"""Takes the pictures of the README and the docs anew: ``make screenshots``.

Fills the example shop in ``.cache``, serves it, and walks it with Chromium as a friend, a customer and an editor, at
phone and desktop width, in both languages. Needs a Chromium (Debian's package ``chromium``).
"""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

from PIL import Image

from tests.browser_fixtures import ARGUMENTS, PERSON, chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
CACHE = ROOT / ".cache" / "screenshots"
DATABASE = CACHE / "shop.sqlite3"
MAIL = CACHE / "mail"
PASSWORD = "souffle"
# What the shop's pages are called in their addresses.
WITH_A_FRIEND = {"en": "with-a-friend", "fr": "entre-amis"}
HUB = {"en": "refer-a-friend", "fr": "parrainage"}
GOOD_COMPANY = {"en": "good-company", "fr": "en-bonne-compagnie"}
FEEDBACK = {"en": "how-was-it", "fr": "votre-avis"}
WIDTHS = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@contextmanager
def served_shop() -> Iterator[str]:
    """The filled example shop at a free port."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "EXAMPLE_DATABASE": str(DATABASE),
        "EXAMPLE_MAIL": str(MAIL),
        "EXAMPLE_HOST": f"127.0.0.1:{port}",
    }

    def manage(*arguments: str) -> list[str]:
        return [sys.executable, "manage.py", *arguments]

    for left in (*CACHE.glob("shop.sqlite3*"), *MAIL.glob("*.log")):
        left.unlink()
    for command in ("migrate", "seed_shop", "seed_history"):
        print(f"{command} …", flush=True)
        subprocess.run(manage(command), cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    server = subprocess.Popen(
        manage("runserver", "--noreload", f"127.0.0.1:{port}"),
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        base = f"http://127.0.0.1:{port}"
        for _ in range(120):
            try:
                urlopen(base, timeout=10).close()
                break
            except URLError:
                time.sleep(0.5)
        yield base
    finally:
        server.terminate()
        server.wait(timeout=20)


def keep(page: Page, name: str, *, full: bool = False, settled: bool = False) -> None:
    """Save what the page shows, in 256 colours: a fifth of the size, and nobody sees it.

    ``settled``: the caller has waited for what is to be seen. A mail in a preview never counts as loaded.
    """
    if not settled:
        page.wait_for_load_state("networkidle")
    path = PICTURES / f"{name}.png"
    page.screenshot(path=path, full_page=full, animations="disabled")
    Image.open(path).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"  {name}", flush=True)


def sign_in(page: Page, base: str, name: str, language: str) -> None:
    page.goto(f"{base}/{language}/accounts/login/")
    page.fill("#id_login-username", f"{name}@example.com")
    page.fill("#id_login-password", PASSWORD)
    page.click("[name=login_submit]")
    page.wait_for_load_state()


def as_advocate(page: Page, base: str, language: str, suffix: str) -> None:
    sign_in(page, base, "camille", language)
    own = f"{base}/{language}/account/refer-a-friend/"
    page.goto(own)
    keep(page, f"account-{suffix}", full=True)
    for name, path in {
        "account-friends": "friends/",
        "account-rewards": "rewards/",
        "account-settings": "settings/",
        "account-mails": "settings/mails/",
        "print-cards": "print/",
        "print-poster": "print/?layout=poster",
    }.items():
        page.goto(own + path)
        keep(page, f"{name}-{suffix}", full=True)
    page.goto(f"{base}/{language}/{GOOD_COMPANY[language]}/")
    keep(page, f"blocks-{suffix}", full=True)
    page.goto(f"{base}/{language}/{FEEDBACK[language]}/")
    keep(page, f"feedback-{suffix}", full=True)
    page.goto(f"{base}/{language}/catalogue/")
    page.goto(base + str(page.locator("article h3 a").nth(9).get_attribute("href")))
    page.click("form[action*='/basket/add/'] button[type=submit]")
    page.goto(f"{base}/{language}/checkout/shipping-address/")
    page.locator("main form button[type=submit], main a.btn").first.click()
    page.wait_for_load_state()
    if "shipping-method" in page.url:
        page.locator("main form button[type=submit]").first.click()
        page.wait_for_load_state()
    if page.locator(".referral-credit input[type=checkbox]").count():
        page.locator(".referral-credit input[type=checkbox]").first.check()
        page.locator(".referral-credit button").first.click()
        page.wait_for_load_state()
    keep(page, f"payment-{suffix}", full=True)


def as_regular(page: Page, base: str, language: str, suffix: str) -> None:
    """On the way to a milestone, and a customer already where somebody else's link is concerned."""
    sign_in(page, base, "gaelle", language)
    page.goto(f"{base}/{language}/account/refer-a-friend/")
    keep(page, f"milestones-{suffix}", full=True)
    page.goto(f"{base}/r/{code_of('camille@example.com')}/")
    keep(page, f"landing-customer-{suffix}", full=True)


def as_member(page: Page, base: str, language: str, suffix: str) -> None:
    """Whose next renewal is paid with credit first."""
    sign_in(page, base, "salome", language)
    page.goto(f"{base}/{language}/memberships/")
    keep(page, f"memberships-{suffix}", full=True)


def as_friend(page: Page, base: str, language: str, suffix: str) -> None:
    link = f"{base}/r/{code_of('camille@example.com')}/"
    page.goto(link)
    keep(page, f"landing-{suffix}", full=True)
    page.goto(f"{link}keep/")
    keep(page, f"keep-{suffix}", full=True)
    page.goto(f"{base}/{language}/{HUB[language]}/")
    keep(page, f"hub-{suffix}", full=True)
    let_a_day_pass()
    page.goto(link)
    keep(page, f"landing-returning-{suffix}", full=True)
    page.locator("main a[href*='to=']").first.click()
    fill_basket(page, base, language)
    keep(page, f"basket-{suffix}", full=True)


def as_friend_with_a_gift(page: Page, base: str, language: str, suffix: str) -> None:
    """Whose basket is joined by a free product."""
    page.goto(f"{base}/r/{code_of('julie.perrot@example.com')}/")
    fill_basket(page, base, language)
    keep(page, f"gift-{suffix}", full=True)


def fill_basket(page: Page, base: str, language: str) -> None:
    page.goto(f"{base}/{language}/catalogue/")
    page.goto(base + str(page.locator("article h3 a").nth(9).get_attribute("href")))
    page.click("form[action*='/basket/add/'] button[type=submit]")
    page.goto(f"{base}/{language}/basket/")


def enter_admin(page: Page, base: str, language: str) -> None:
    """As the editor, in the language of the pictures."""
    page.goto(f"{base}/admin/login/")
    page.fill("input[name=username]", "editor@example.com")
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_load_state()
    page.goto(f"{base}/admin/account/")
    page.select_option("select[name$=preferred_language]", language)
    page.locator("form button[type=submit]").last.click()
    page.wait_for_load_state()


def as_editor(page: Page, base: str, language: str, suffix: str) -> None:
    enter_admin(page, base, language)
    for name, path in {
        "programs": "/admin/referrals/programs/",
        "presets": "/admin/referrals/programs/add/",
        "program": "/admin/referrals/programs/add/?preset=give_percent_get_credit",
        "referrals": "/admin/referrals/referrals/",
        "home": "/admin/",
        "review": "/admin/referrals/review/",
        "referrers": "/admin/referrals/referrers/",
        "report-months": "/admin/referrals/reports/months/?period=year",
        "report-credit": "/admin/referrals/reports/credit/",
        "report-health": "/admin/referrals/reports/health/",
        "members": "/admin/memberships/members/",
        "checkin": "/admin/memberships/check-in/",
        "badge": "/admin/referrals/badges/add/",
        "requests": "/admin/referrals/requests/",
        "feedback-score": "/admin/referrals/feedback/",
    }.items():
        page.goto(base + path)
        keep(page, f"{name}-{suffix}")
    page.goto(f"{base}/admin/referrals/summary/?period=year")
    keep(page, f"summary-{suffix}", full=True)
    page.goto(f"{base}/admin/referrals/reports/top/?period=year")
    keep(page, f"report-top-{suffix}")
    page.goto(f"{base}/admin/referrals/programs/")
    program = str(page.locator("main table a[href*='/edit/']").first.get_attribute("href"))
    page.goto(base + program.replace("/edit/", "/replay/"))
    keep(page, f"replay-{suffix}", full=True)
    page.goto(f"{base}/admin/referrals/audiences/")
    page.locator("main table a", has_text="Regulars").first.click()
    page.wait_for_url("**/edit/**")
    keep(page, f"audience-{suffix}")
    page.goto(f"{base}/admin/referrals/referrals/")
    page.goto(base + str(page.locator("main table a[href*='/inspect/']").first.get_attribute("href")))
    keep(page, f"referral-{suffix}", full=True)
    edit_landing_page(page, base, language, suffix)


def as_writer(page: Page, base: str, language: str, suffix: str) -> None:
    """The editor, who writes messages and sequences."""
    enter_admin(page, base, language)
    page.goto(f"{base}/admin/referrals/messages/")
    keep(page, f"messages-{suffix}")
    page.goto(f"{base}/admin/referrals/messages/own/add/?kind=reward_given")
    open_preview(page)
    keep(page, f"message-{suffix}", settled=True)
    keep_mail(page, language, f"mail-reward-{suffix}")
    page.goto(f"{base}/admin/referrals/sequences/")
    form = str(page.locator("main table a[href*='/edit/']").first.get_attribute("href"))
    width = WIDTHS["phone" if suffix.endswith("phone") else "desktop"]
    # The admin scrolls within the window: a picture of more of it needs a higher one.
    page.set_viewport_size({"width": width["width"], "height": 1500})
    page.goto(base + form)
    keep(page, f"sequence-{suffix}")
    page.goto(base + form.replace("/edit/", "/preview/"))
    keep(page, f"sequence-preview-{suffix}")
    page.set_viewport_size({"width": width["width"], "height": width["height"]})
    page.goto(base + form.replace("/edit/", "/people/"))
    keep(page, f"sequence-people-{suffix}")
    # What its first step sends, in the dark.
    page.goto(f"{base}/admin/referrals/messages/own/")
    page.goto(base + str(page.locator("main table a[href*='/edit/']").first.get_attribute("href")))
    open_preview(page)
    page.emulate_media(color_scheme="dark")
    keep_mail(page, language, f"mail-pass-{suffix}")


def open_preview(page: Page) -> None:
    """Of a message. Wagtail would open it by itself where it was open before, and a click would close it."""
    page.evaluate("localStorage.clear()")
    page.reload()
    page.locator("[data-side-panel-toggle=preview]").click()
    page.frame_locator("[data-side-panel=preview] iframe").first.locator(".card").wait_for()


def keep_mail(page: Page, language: str, name: str) -> None:
    """Save the whole mail that the form beside its preview would send, as a mail program shows it."""
    size = page.viewport_size or WIDTHS["phone"]
    preview = page.locator("[data-side-panel=preview] iframe").first
    address = str(preview.get_attribute("src")).partition("?")[0]
    page.set_viewport_size({"width": size["width"], "height": 400})
    page.goto(f"{address}?mode={language}:known")
    keep(page, name, full=True)
    page.set_viewport_size({"width": size["width"], "height": size["height"]})


def edit_landing_page(page: Page, base: str, language: str, suffix: str) -> None:
    """The editor's form, then with the preview beside it, or over it on a phone."""
    page.goto(f"{base}/admin/pages/{landing_page(language)}/edit/")
    keep(page, f"editor-{suffix}")
    page.locator("[data-side-panel-toggle=preview]").click()
    preview = page.frame_locator("[data-side-panel=preview] iframe").first
    preview.locator("[data-invitation]").first.wait_for()
    keep(page, f"editor-preview-{suffix}")


def landing_page(language: str) -> int:
    """The number of the landing page that most friends see, in this language."""
    (number,) = ask("SELECT id FROM wagtailcore_page WHERE url_path LIKE ?", f"/%/{WITH_A_FRIEND[language]}/")
    return int(number)


def code_of(email: str) -> str:
    """The customer's code, asked from the database: what a friend would have been sent."""
    (code,) = ask(
        "SELECT c.text FROM wagtail_referrals_code c JOIN wagtail_referrals_advocate a ON a.id = c.advocate_id"
        " JOIN auth_user u ON u.id = a.user_id WHERE u.email = ? AND c.is_active",
        email,
    )
    return str(code)


def let_a_day_pass() -> None:
    """Date back who followed a link last, so that they come again later."""
    ask(
        "UPDATE wagtail_referrals_visit SET created_at = datetime(created_at, '-1 day')"
        " WHERE id = (SELECT max(id) FROM wagtail_referrals_visit) RETURNING id"
    )


def ask(sql: str, *values: str) -> tuple[Any, ...]:
    """The one row that the shop's database answers."""
    with closing(sqlite3.connect(DATABASE)) as database, database:
        (row,) = database.execute(sql, values).fetchall()
    return tuple(row)


def main() -> None:
    path = chromium()
    if path is None:
        sys.exit("No Chromium found: install the package chromium, or name one in $CHROMIUM.")
    from playwright.sync_api import sync_playwright

    PICTURES.mkdir(parents=True, exist_ok=True)
    with served_shop() as base, sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        for language in ("en", "fr"):
            for width, viewport in WIDTHS.items():
                suffix = f"{language}-{width}"
                for person in (
                    as_advocate,
                    as_regular,
                    as_member,
                    as_friend,
                    as_friend_with_a_gift,
                    as_editor,
                    as_writer,
                ):
                    context: Any = started.new_context(
                        viewport=viewport,  # type: ignore[arg-type]
                        locale={"en": "en-GB", "fr": "fr-FR"}[language],
                        user_agent=PERSON.format(version=started.version),
                    )
                    person(context.new_page(), base, language, suffix)
                    context.close()
        started.close()


if __name__ == "__main__":
    main()
