"""A real Chromium for the tests that need one, through Playwright's synchronous interface.

    def test_link_is_copied(page, live_server, browser_problems):
        page.goto(f"{live_server.url}/")
        ...
        browser_problems.assert_none()

``new_page()`` opens another person's browser: its own cookies, and if wanted its own size and language. A failed
test leaves a picture and the HTML of each page in ``.cache/browser/``.

Where there is no Chromium the tests skip with the reason; with REQUIRE_BROWSER=1 they fail instead.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.environment import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ARTEFACTS = ROOT / ".cache" / "browser"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
PERSON = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version} Safari/537.36"
)
STEP_TIMEOUT = (
    15_000  # milliseconds for one click or wait: a busy two-core machine is slow, a broken page is for ever
)


@dataclass
class BrowserProblems:
    """What the browser complained about while the test ran, in the order it happened."""

    found: list[str] = field(default_factory=list)
    allowed: list[re.Pattern[str]] = field(default_factory=list)

    def allow(self, pattern: str) -> None:
        """Accept complaints that match this regular expression, for a test that provokes them."""
        self.allowed.append(re.compile(pattern))

    def add(self, text: str) -> None:
        self.found.append(text)

    def assert_none(self) -> None:
        """Fail with the list of script errors, console errors, failed requests and answers of 400 and more."""
        left = [text for text in self.found if not any(pattern.search(text) for pattern in self.allowed)]
        assert not left, "\n".join(left)


def chromium() -> str | None:
    """Return the path of a Chromium: $CHROMIUM, the system's, or the one that Playwright downloaded."""
    for name in (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"):
        if name and (path := shutil.which(name)):
            return path
    downloads = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    found = sorted(downloads.glob("chromium-*/chrome-linux*/chrome"))
    return str(found[-1]) if found else None


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all browser tests of this process."""
    path = chromium()
    if path is None:
        reason = "no Chromium found: install the package chromium, or name one in $CHROMIUM"
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    patch = pytest.MonkeyPatch()
    # Playwright keeps an event loop in this thread, which Django takes for asynchronous code.
    patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield started
        started.close()
    patch.undo()


@pytest.fixture(scope="session")
def live_server(live_server: Any) -> Iterator[Any]:
    """pytest-django's, which serves all tests of this process, with the middleware that the running test has set.

    A server reads MIDDLEWARE once, when it starts; a test may come with a middleware of its own.
    """
    from django.core.signals import setting_changed

    # Static files and uploads stand before the site.
    handler = live_server.thread.httpd.get_app().application.application

    def changed(*, setting: str, **kwargs: Any) -> None:
        if setting == "MIDDLEWARE":
            handler.load_middleware()

    setting_changed.connect(changed)
    yield live_server
    setting_changed.disconnect(changed)


@pytest.fixture
def browser_problems() -> BrowserProblems:
    """The complaints of every page of this test; assert on it with ``assert_none()``."""
    return BrowserProblems()


def _watch(page: Page, problems: BrowserProblems) -> None:
    page.on("pageerror", lambda error: problems.add(f"script error on {page.url}: {error}"))

    def console(message: Any) -> None:
        # A failed answer is reported below with its address, which the console leaves out.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            problems.add(f"console error on {page.url}: {message.text}")

    def failed(request: Any) -> None:
        # A page that is left aborts what it was loading: not a fault of the page.
        if "ERR_ABORTED" not in (request.failure or ""):
            problems.add(f"failed request {request.url}: {request.failure}")

    def answered(response: Any) -> None:
        if response.status >= 400:
            problems.add(f"answer {response.status} for {response.request.method} {response.url}")

    page.on("console", console)
    page.on("requestfailed", failed)
    page.on("response", answered)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome: Any = yield
    report = outcome.get_result()
    setattr(item, f"report_{report.when}", report)


@pytest.fixture
def new_page(
    request: pytest.FixtureRequest, browser, live_server, browser_problems
) -> Iterator[Callable[..., Page]]:
    """A function that opens a page in a browser context of its own, as another person at another machine would.

    Its arguments are those of Playwright's ``new_context`` (``**PHONE`` for a phone, ``locale="fr-FR"``). Paths
    given to ``page.goto`` are relative to the live server. Contexts close before the database is put back.
    """
    contexts = []

    def open_page(**options: Any) -> Page:
        options.setdefault("base_url", live_server.url)
        options.setdefault("locale", "en-GB")
        # Headless Chromium calls itself a robot, and robots follow no share link.
        options.setdefault("user_agent", PERSON.format(version=browser.version))
        context = browser.new_context(**options)
        context.set_default_timeout(STEP_TIMEOUT)
        contexts.append(context)
        context.on("page", lambda page: _watch(page, browser_problems))
        return context.new_page()

    yield open_page
    report = getattr(request.node, "report_call", None)
    for number, context in enumerate(contexts):
        if report is not None and report.failed:
            ARTEFACTS.mkdir(parents=True, exist_ok=True)
            name = re.sub(r"\W+", "_", request.node.nodeid)
            for index, opened in enumerate(context.pages):
                opened.screenshot(path=str(ARTEFACTS / f"{name}-{number}-{index}.png"), full_page=True)
                (ARTEFACTS / f"{name}-{number}-{index}.html").write_text(opened.content())
        context.close()


@pytest.fixture
def page(new_page) -> Page:
    """A page in a fresh browser, in English; see ``new_page`` for others."""
    return new_page()
