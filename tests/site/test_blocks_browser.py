"""Blocks in a real browser: both widths, both languages, a strict policy, by keyboard, and nothing that moves."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.staticfiles.finders import find
from django.utils import timezone
from wagtail.models import Locale, Site

from example_site.pages.models import ContentPage
from tests.site.conftest import publish
from tests.site.test_account import refer
from tests.site.test_blocks import NAMES, bring, thank
from tests.site.test_browser import strict
from wagtail_referrals import credit, people
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import presets, publish_terms
from wagtail_referrals.recognition import current_period
from wagtail_referrals.recognition.models import Standing

ALONE = """{% load i18n wagtailcore_tags %}{% get_current_language as code %}<!DOCTYPE html>
<html lang="{{ code }}"><head><meta name="viewport" content="width=device-width, initial-scale=1">
<title>All blocks</title></head><body><main>
<h1>All blocks</h1>{% for block in page.body %}{% include_block block %}{% endfor %}</main></body></html>"""
SHIFTS = """window.shifts = 0;
new PerformanceObserver((list) => { for (const entry of list.getEntries()) window.shifts += entry.value; })
    .observe({type: "layout-shift", buffered: true});"""


@pytest.fixture
def bare(transactional_db, alone, monkeypatch, settings):
    """A page with every block and no style of the site's, under the strict policy."""
    monkeypatch.setattr(ContentPage, "template", "bare.html")
    engines = [dict(settings.TEMPLATES[0])]
    options = dict(engines[0].get("OPTIONS", {}))
    loaders = ["django.template.loaders.filesystem.Loader", "django.template.loaders.app_directories.Loader"]
    options["loaders"] = [("django.template.loaders.locmem.Loader", {"bare.html": ALONE}), *loaders]
    engines[0] |= {"OPTIONS": options, "APP_DIRS": False}
    settings.TEMPLATES = engines
    settings.MIDDLEWARE = [f"{strict.__module__}.strict", *settings.MIDDLEWARE]


@pytest.fixture
def urls(transactional_db):
    """The address of a page with every block in each language."""
    found = {}
    root = Site.objects.get(is_default_site=True).root_page
    for language in ("en", "fr"):
        locale, _created = Locale.objects.get_or_create(language_code=language)
        home = root
        if root.locale != locale:
            home = root.get_translation_or_none(locale) or root.copy_for_translation(
                locale, copy_parents=True
            )
            home.save_revision().publish()
        page = ContentPage(
            title="All blocks", slug=f"all-{language}", locale=locale, body=[(name, {}) for name in NAMES]
        )
        home.add_child(instance=page)
        page.save_revision().publish()
        found[language] = page.url
    return found


@pytest.fixture
def customer(transactional_db, make_user):
    """A referrer on the way to a milestone, with credit, below twelve others, some of whom are thanked."""
    program = presets.get("milestones").build()
    program.live = True
    program.save()
    terms = publish_terms(program)
    for number in range(12):
        name = "Bartholomäus-Maximilian von Hohenstein-Zweibrücken" if number == 5 else f"Name {number}"
        advocate = bring(terms, name, 3 + number)
        Standing.objects.filter(advocate=advocate, period="2026-11").update(period=current_period("month"))
        advocate.save()
        if number < 7:
            thank(advocate, "Brought a whole choir along, and two of them came back with theirs.")
    user = make_user("camille")
    own = people.advocate_for(user)
    Advocate.objects.update(name_confirmed_at=timezone.now())
    refer(own, terms, ordinal=1)
    refer(own, terms, ordinal=2)
    Standing.objects.create(
        program_key=terms.program_key, period=current_period("month"), advocate=own, referrals=1
    )
    credit.grant(user=user, currency="EUR", amount=Decimal("12.50"), key="1")
    return user


@pytest.fixture
def log_in(client, live_server):
    def enter(page, user):
        client.force_login(user)
        cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
        page.context.add_cookies([cookie])

    return enter


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("who", ["customer", "stranger", "friend"])
def test_no_barrier_nothing_that_sticks_out_and_nothing_that_moves(
    who, language, width, request, bare, urls, new_page, log_in, browser_problems, make_user
):
    page = new_page(viewport={"width": width, "height": 800}, locale=language)
    page.context.add_init_script(SHIFTS)
    if who == "customer":
        log_in(page, request.getfixturevalue("customer"))
    else:
        publish()
    if who == "friend":
        advocate = people.advocate_for(make_user("lea"))
        page.goto(people.share_path(people.code_of(advocate)))
    page.goto(urls[language])
    page.wait_for_load_state("networkidle")
    assert page.locator(".referrals-block").count() >= 5
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate("window.shifts") == 0
    browser_problems.assert_none()
    # The policy would refuse axe itself.
    audit = new_page(viewport={"width": width, "height": 800}, locale=language, bypass_csp=True)
    audit.context.add_cookies(page.context.cookies())
    audit.goto(urls[language])
    for closed in audit.locator("details").all():
        closed.locator("summary").click()
    found = Axe().run(audit)
    assert found.violations_count == 0, found.generate_report()


def test_a_page_with_every_block_brings_less_than_25_kb(bare, urls, customer, new_page, log_in):
    page = new_page()
    log_in(page, customer)
    loaded = []
    page.on("response", lambda response: loaded.append(response.url))
    page.goto(urls["en"])
    page.wait_for_load_state("networkidle")
    ours = [url.split("/static/")[1].split("?")[0] for url in loaded if "/static/wagtail_referrals/" in url]
    assert sorted(ours) == ["wagtail_referrals/referrals.css", "wagtail_referrals/referrals.js"]
    sizes = {name: len(gzip.compress(Path(find(name)).read_bytes())) for name in ours}
    assert sum(sizes.values()) < 25_000, sizes


def test_questions_open_by_keyboard_with_a_visible_focus(bare, urls, new_page):
    publish()
    page = new_page()
    page.goto(urls["en"])
    page.get_by_role("link", name="Get your link").first.focus()
    for _press in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Whom can I invite?":
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.get_by_text("Friends who have not ordered from us before").wait_for()


def test_everything_is_there_without_javascript(bare, urls, customer, new_page, log_in):
    page = new_page(java_script_enabled=False)
    log_in(page, customer)
    page.goto(urls["en"])
    board = page.get_by_role("table", name="Who brings the most friends")
    assert board.get_by_role("row").count() == 12
    assert board.get_by_role("rowheader").first.text_content() == "Name 11"
    bar = page.get_by_role("progressbar")
    assert bar.count() == 1 and "1 more friend" in page.locator(".referrals-goal").first.text_content()
    page.get_by_text("What does my friend get?").click()
    page.get_by_text("10% off one order.").wait_for()
