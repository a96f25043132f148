"""Sharing and landing in a real browser, with a strict content security policy and without scripts too."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone

from tests.badges import make_badge
from tests.browser_fixtures import PHONE
from tests.site.conftest import publish
from tests.site.test_account import refer
from wagtail_referrals import people
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import parse, presets, publish_terms
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.site import layout
from wagtail_referrals.tracking.models import Visit

ACCOUNT = "/en/account/refer-a-friend/"
STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'"
)


def strict(get_response):
    """The policy under which a page may load what is its own, and nothing inline."""

    def answer(request):
        response = get_response(request)
        response.headers["Content-Security-Policy"] = STRICT
        return response

    return answer


@pytest.fixture
def shop(transactional_db, alone, monkeypatch, settings):
    """Our pages alone: the shop's own layout has scripts of its own."""
    monkeypatch.setattr(layout, "ACCOUNT_BASE", "wagtail_referrals/default_base.html")
    settings.MIDDLEWARE = [f"{__name__}.strict", *settings.MIDDLEWARE]
    return publish()


@pytest.fixture
def open_account(shop, new_page, live_server, client, make_user):
    """The account page of a customer who has not shared yet."""

    def open_it(**options):
        user = make_user("camille")
        page = new_page(**options)
        client.force_login(user)
        page.context.add_cookies(
            [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
        )
        page.goto(ACCOUNT)
        return page

    return open_it


def test_confirm_the_name_then_copy_the_link(open_account, live_server, browser_problems):
    page = open_account(permissions=["clipboard-read", "clipboard-write"])
    page.get_by_label("Your friends will see").fill("Cam")
    page.get_by_role("button", name="Confirm and get my link").click()
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("status").get_by_text("Copied").wait_for()
    code = people.code_of(Advocate.objects.get())
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{live_server.url}/r/{code}/?via=copy"
    assert page.get_by_role("button", name="Share").count() == 0  # this Chromium has no share sheet
    browser_problems.assert_none()


def test_the_share_sheet_of_a_phone_gets_the_message_and_the_link(
    open_account, live_server, browser_problems
):
    page = open_account(**PHONE)
    page.context.add_init_script(
        "window.shared = []; navigator.share = async (data) => { window.shared.push(data); };"
    )
    page.get_by_role("button", name="Confirm and get my link").click()
    page.get_by_role("button", name="Share").click()
    (shared,) = page.evaluate("window.shared")
    code = people.code_of(Advocate.objects.get())
    assert shared["url"] == f"{live_server.url}/r/{code}/?via=share"
    assert shared["title"] == "Camille invites you" and "10% off one order" in shared["text"]
    browser_problems.assert_none()


def test_all_of_it_without_javascript(open_account, live_server):
    page = open_account(java_script_enabled=False)
    page.get_by_role("button", name="Confirm and get my link").click()
    code = people.code_of(Advocate.objects.get())
    assert page.get_by_label("Your link").input_value() == f"{live_server.url}/r/{code}/?via=copy"
    assert page.get_by_role("button", name="Copy").count() == 0
    whatsapp = page.get_by_role("link", name="WhatsApp").get_attribute("href")
    assert page.request.get(whatsapp, max_redirects=0).headers["location"].startswith("https://wa.me/?text=")


def test_a_friend_lands_and_goes_to_the_shop(shop, advocate, page, live_server):
    page.goto(people.share_path(people.code_of(advocate)))
    page.get_by_role("heading", name="Camille invites you").wait_for()
    page.get_by_role("link", name="To the shop").click()
    page.wait_for_url("**/en/catalogue/")
    assert Visit.objects.count() == 1
    (cookie,) = [each for each in page.context.cookies() if each["name"] == "referral"]
    assert cookie["httpOnly"] and cookie["sameSite"] == "Lax"


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_barrier_and_nothing_that_sticks_out(width, language, open_account, new_page, live_server):
    size = {"viewport": {"width": width, "height": 800}, "locale": language, "bypass_csp": True}
    account = open_account(**size)
    advocate = Advocate.objects.get()
    advocate.name_confirmed_at = timezone.now()
    advocate.save()
    friend = new_page(**size)
    for page, path in (
        (account, f"/{language}/account/refer-a-friend/"),
        (account, people.share_path(people.code_of(advocate))),
        (friend, people.share_path(people.code_of(advocate))),
        (friend, "/r/ZZZZZZZZ/"),
    ):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        found = Axe().run(page)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"


def test_the_banner_follows_the_friend_through_the_real_shop(transactional_db, make_user, page):
    publish()
    advocate = people.advocate_for(make_user("camille"))
    page.goto(people.share_path(people.code_of(advocate)))
    page.goto("/en/catalogue/")
    page.get_by_role("complementary", name="Your invitation").get_by_text("Camille invites you").wait_for()


@pytest.mark.parametrize("width", [1280, 390])
def test_milestones_and_badges_have_no_barrier(shop, width, new_page, live_server, client, make_user):
    make_badge()
    program = presets.get("milestones").build()
    program.live = True
    program.precedence = 1
    program.save()
    terms = publish_terms(program)
    user = make_user("camille")
    advocate = people.advocate_for(user)
    Advocate.objects.update(name_confirmed_at=timezone.now())
    rules = {rule.occurrence: rule for rule in parse(terms).advocate_rules}
    for ordinal, tier in ((1, 1), (2, 5)):
        referral = refer(advocate, terms, ordinal=ordinal)
        Reward.objects.create(
            referral=referral,
            terms=terms,
            rule_key=rules[tier].key,
            side="advocate",
            occasion=f"tier:{tier}",
            tier=tier,
            advocate=advocate,
            user=user,
            kind=rules[tier].kind,
            currency="EUR",
            amount=1,
            posted=1,
            state="given",
            created_at=referral.created_at,
            given_at=referral.created_at,
        )
    page = new_page(viewport={"width": width, "height": 800}, bypass_csp=True)
    client.force_login(user)
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    page.goto(ACCOUNT)
    bar = page.get_by_role("progressbar", name="Once 1 more friend has ordered, you get free delivery")
    assert (bar.get_attribute("value"), bar.get_attribute("max")) == ("2", "3")
    assert page.locator("span", has_text="2 of 3 friends").is_visible()
    for path in (ACCOUNT, f"{ACCOUNT}rewards/"):
        page.goto(path)
        assert Axe().run(page).response["violations"] == []
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    assert page.get_by_role("heading", name="Your badges").is_visible()
    assert page.locator(".referrals-badges svg").bounding_box()["width"] == 72
