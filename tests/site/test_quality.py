"""What every page for shoppers keeps to, each in one walk per language and width.

Under the strict policy, by a customer who wants no motion: nothing is refused, sticks out, moves or is too heavy.
What axe finds on each page stands in the tests of its part; here are those that have no other place.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.staticfiles.finders import find
from django.test import Client

from tests.feedback.conftest import make_page
from tests.site.customers import asked, with_credit, with_discounts, with_friends
from tests.site.test_account_settings import feature
from tests.site.test_blocks_browser import SHIFTS
from tests.site.test_browser import ACCOUNT, shop  # noqa: F401  (pytest finds the fixture by its name)
from tests.site.test_page_browser import pages  # noqa: F401

PAGE_LIMIT = 25_000  # bytes of our own files for one page, compressed
SCRIPT_LIMIT = 6_000  # bytes of referrals.js, compressed
# In seconds: what still moves although the visitor asked for no motion.
MOTION = """() => {
    const seconds = (text) => Math.max(...text.split(",").map((each) => parseFloat(each) || 0));
    const moving = [];
    for (const each of document.querySelectorAll("*")) {
        for (const pseudo of [null, "::before", "::after"]) {
            const look = getComputedStyle(each, pseudo);
            const longest = Math.max(seconds(look.transitionDuration), seconds(look.animationDuration));
            if (longest > 0.01 || look.scrollBehavior === "smooth") moving.push(`${each.tagName}.${each.className}`);
        }
    }
    return moving;
}"""


@pytest.fixture
def busy(shop: Any, advocate: Any) -> Any:  # noqa: F811
    """A referrer with something on every page: friends, credit, discounts, and questions to answer."""
    with_friends(advocate, shop, 18)
    with_credit(advocate, 4)
    with_discounts(advocate, 2)
    asked(advocate)
    feature(advocate)
    return advocate


@pytest.fixture
def enter(live_server: Any) -> Any:
    def log_in(page: Any, user: Any) -> None:
        client = Client()
        client.force_login(user)
        cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
        page.context.add_cookies([cookie])

    return log_in


@pytest.fixture
def addresses(pages: Any, busy: Any, link: str) -> Any:  # noqa: F811
    """The pages of a stranger and those of the referrer, by language."""

    def of(language: str) -> tuple[list[str], list[str]]:
        feedback = f"/{language}/{make_page(language).slug}/"
        account = ACCOUNT.replace("/en/", f"/{language}/")
        inner = ["", "friends/", "rewards/", "settings/", "settings/mails/", "print/", "print/?layout=poster"]
        return (
            [link, f"{link}keep/", pages[language]["hub"], pages[language]["landing"]],
            [*(account + each for each in inner), link, pages[language]["hub"], feedback],
        )

    return of


def compressed(static_path: str) -> int:
    return len(gzip.compress(Path(str(find(static_path))).read_bytes()))


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_nothing_is_refused_moves_sticks_out_or_weighs(
    width: int,
    language: str,
    addresses: Any,
    camille: Any,
    enter: Any,
    new_page: Any,
    browser_problems: Any,
) -> None:
    loaded: set[str] = set()
    faults: list[str] = []
    for own, paths in enumerate(addresses(language)):
        page = new_page(viewport={"width": width, "height": 800}, locale=language, reduced_motion="reduce")
        page.context.add_init_script(SHIFTS)
        page.on("response", lambda response: loaded.add(response.url))
        if own:
            enter(page, camille)
        for path in paths:
            loaded.clear()
            answer = page.goto(path, wait_until="networkidle")
            assert answer.status == 200 and "script-src 'self'" in answer.headers["content-security-policy"]
            ours = {url.split("/static/")[1].split("?")[0] for url in loaded if "/static/wagtail_ref" in url}
            assert ours, f"{path}: no file of ours was seen"
            sizes = {name: compressed(name) for name in ours}
            wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            found = {
                "px too wide": max(wider, 0),
                "moved": page.evaluate("window.shifts"),
                "motion": page.evaluate(MOTION),
                "bytes too many": max(sum(sizes.values()) - PAGE_LIMIT, 0),
                "inline": page.locator("[style], style, script:not([src])").count(),
            }
            faults += [f"{path}: {what} {value}" for what, value in found.items() if value]
    assert faults == []
    browser_problems.assert_none()


def test_the_script_is_small() -> None:
    assert compressed("wagtail_referrals/referrals.js") < SCRIPT_LIMIT


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_feedback_has_no_barrier(
    width: int,
    language: str,
    addresses: Any,
    camille: Any,
    enter: Any,
    new_page: Any,
    browser_problems: Any,
) -> None:
    """The form, the form with an error, and the thanks."""
    page = new_page(viewport={"width": width, "height": 800}, locale=language, bypass_csp=True)
    enter(page, camille)
    page.goto(addresses(language)[1][-1])
    faults: list[str] = []

    def look(what: str) -> None:
        found = Axe().run(page).response
        assert found["passes"], "axe has looked at nothing"
        faults.extend(f"{what}: {each['id']} {each['nodes'][0]['html'][:90]}" for each in found["violations"])
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            faults.append(f"{what}: too wide")

    look("form")
    page.locator("main [type=submit]").click()
    page.get_by_role("alert").first.wait_for()
    look("error")
    page.locator("main label", has_text="9").click()
    page.locator("main [type=submit]").click()
    page.locator("main form").wait_for(state="detached")
    look("thanks")
    assert faults == []
    browser_problems.assert_none()
