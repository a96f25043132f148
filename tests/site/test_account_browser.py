"""The customer's own pages in a real browser, under a strict policy: no barrier, by keyboard, without a script."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone

from tests.browser_fixtures import PHONE
from tests.site.conftest import publish
from tests.site.customers import asked, reported, with_credit, with_discounts, with_friends
from tests.site.test_account import refer
from tests.site.test_account_settings import feature
from tests.site.test_browser import ACCOUNT, strict
from wagtail_referrals import people
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.referrals.models import AttributionRequest, Referral
from wagtail_referrals.site import layout

PAGES = ["", "friends/", "rewards/", "settings/", "settings/mails/"]
WIDTHS = [360, 1280]


@pytest.fixture
def shop(transactional_db, alone, monkeypatch, settings):
    """Our pages alone: the shop's own layout has scripts of its own."""
    monkeypatch.setattr(layout, "ACCOUNT_BASE", "wagtail_referrals/default_base.html")
    settings.MIDDLEWARE = [f"{strict.__module__}.{strict.__name__}", *settings.MIDDLEWARE]
    return publish()


@pytest.fixture
def camille(shop, make_user):
    return make_user("camille")


@pytest.fixture
def open_page(new_page, client, live_server, camille):
    """A page in the browser of a customer who is logged in, by default of Camille."""

    def open_it(user: Any = camille, **options: Any) -> Any:
        page = new_page(**options)
        client.force_login(user)
        page.context.add_cookies(
            [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
        )
        return page

    return open_it


def live(camille: Any, who: str, terms: Any, make_user: Any) -> None:
    """Make of Camille the customer that the word names."""
    if who == "new":
        return
    advocate = people.advocate_for(camille)
    Advocate.objects.update(name_confirmed_at=timezone.now())
    advocate.refresh_from_db()
    if who == "many":
        Advocate.objects.update(public_name="Camille Charlotte Philippine de la Tour-", in_leaderboards=True)
        with_friends(advocate, terms, 60)
        with_credit(advocate, 30)
        with_discounts(advocate, 3)
        asked(advocate, 2, friend=make_user("nina"))
        reported(advocate)
        feature(advocate)
    elif who == "invited":
        other = people.advocate_for(make_user("paul"))
        Advocate.objects.filter(pk=other.pk).update(name_confirmed_at=timezone.now())
        refer(other, terms, camille, state="waiting_order", reason="order")
    else:
        with_friends(advocate, terms, 3)
        Advocate.objects.update(state=who)


@pytest.mark.parametrize("who", ["new", "many", "invited", "left", "paused", "blocked"])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_barrier_and_nothing_that_sticks_out(
    who, language, open_page, camille, shop, make_user, browser_problems
):
    live(camille, who, shop, make_user)
    for width in WIDTHS:
        page = open_page(viewport={"width": width, "height": 800}, locale=language, bypass_csp=True)
        for name in PAGES:
            path = f"{ACCOUNT.replace('/en/', f'/{language}/')}{name}"
            page.goto(path)
            for folded in page.locator("main details").all():
                folded.evaluate("each => { each.open = true; }")
            assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, (
                path,
                width,
            )
            found = Axe().run(page)
            assert found.violations_count == 0, f"{path} {width}: {found.generate_report()[:2000]}"
    browser_problems.assert_none()


@pytest.mark.parametrize(
    "options", [{}, PHONE, {"java_script_enabled": False}], ids=["desk", "phone", "no script"]
)
def test_a_day_in_the_life_of_the_pages(open_page, camille, shop, make_user, browser_problems, options):
    live(camille, "new", shop, make_user)
    page = open_page(**options)
    page.goto(ACCOUNT)
    page.get_by_role("button", name="Confirm and get my link").click()
    menu = page.get_by_role("navigation", name="Refer a friend")
    menu.get_by_role("link", name="Settings").click()
    page.get_by_role("button", name="Take part").click()
    page.get_by_text("You are in the leaderboards now.").wait_for()
    menu.get_by_role("link", name="Friends").click()
    page.get_by_text("Tell us the number of the order").click()
    page.get_by_label("Your friend's order number").fill("100042")
    page.get_by_role("button", name="Send").click()
    page.get_by_text("Order 100042").wait_for()
    menu.get_by_role("link", name="Settings").click()
    page.get_by_text("I would like to leave").click()
    page.get_by_role("button", name="Leave the program now").click()
    page.get_by_role("heading", name="You have left the program").wait_for()
    page.get_by_role("button", name="Come back").click()
    page.get_by_label("Your link").wait_for()
    assert Advocate.objects.get().state == "active"
    browser_problems.assert_none()


def test_an_empty_number_is_refused_where_one_looks(open_page, camille, shop, make_user):
    live(camille, "left", shop, make_user)
    Advocate.objects.update(state="active")
    page = open_page()
    page.goto(f"{ACCOUNT}friends/")
    page.get_by_text("Tell us the number of the order").click()
    # The browser would refuse it before the server does.
    page.get_by_label("Your friend's order number").fill(" ")
    page.get_by_role("button", name="Send").click()
    page.get_by_text("Please enter the number of your friend's order.").wait_for()
    field = page.get_by_label("Your friend's order number")
    assert field.get_attribute("aria-invalid") == "true"
    described = field.get_attribute("aria-describedby").split()
    assert all(page.locator(f"[id='{name}']").count() == 1 for name in described), described
    assert AttributionRequest.objects.count() == 0


def test_by_keyboard_alone(open_page, camille, shop, make_user):
    """A question is answered with Tab and Enter, and each place that Tab comes to can be seen."""
    live(camille, "many", shop, make_user)
    page = open_page(bypass_csp=True)
    page.goto(ACCOUNT)
    for _ in range(40):
        page.keyboard.press("Tab")
        look = page.evaluate(
            "(() => { const each = document.activeElement; const box = each.getBoundingClientRect();"
            "return [each.textContent.trim(), getComputedStyle(each).outlineStyle, box.width * box.height]; })()"
        )
        assert look[1] != "none" and look[2] > 0, look
        if look[0] == "No, I did not":
            break
    page.keyboard.press("Enter")
    page.get_by_text("Thank you for the answer.").wait_for()
    assert AttributionRequest.objects.filter(kind="named", state="refused").count() == 1


def test_a_name_is_shown_and_hidden(open_page, camille, shop, make_user, browser_problems):
    live(camille, "invited", shop, make_user)
    page = open_page()
    page.goto(f"{ACCOUNT}settings/")
    page.get_by_role("button", name="Show Paul my first name").click()
    page.get_by_text("Paul reads of you as “Camille”.").wait_for()
    assert Referral.objects.get().name_agreed_at is not None
    page.get_by_role("button", name="Hide my first name from Paul").click()
    page.get_by_text("Paul reads of you as “C…”.").wait_for()
    browser_problems.assert_none()


def test_what_a_screen_reader_hears_of_a_friend(open_page, camille, shop, make_user):
    live(camille, "many", shop, make_user)
    page = open_page()
    page.goto(f"{ACCOUNT}friends/")
    friend = page.locator(".referrals-friends > li", has_text="waiting until").first
    steps = friend.get_by_role("list", name="How far it is").get_by_role("listitem")
    assert steps.last.inner_text().split()[:2] == ["Reward", "from"]
    current = page.get_by_role("navigation", name="Which friends").get_by_role("link", name="All")
    assert current.get_attribute("aria-current") == "true"
    page.get_by_role("link", name="Older").click()
    page.get_by_text("Page 2 of 5").wait_for()
