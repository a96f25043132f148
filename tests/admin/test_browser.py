"""The form of a program in a real browser: the sentence lives, fields come and go, publishing writes the terms."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import expect

from tests.admin.rows import make_advocate, make_program, make_purchase, make_referral, make_reward, make_user
from tests.badges import make_badge
from wagtail_referrals import credit
from wagtail_referrals.credit.models import Account
from wagtail_referrals.programs import parse, publish_terms
from wagtail_referrals.programs.models import Program, Terms

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def admin_page(page: Page, live_server: Any, browser_problems: Any) -> Page:
    """Signed in, as the administrator."""
    # Wagtail asks its maker for the newest version; there is no network here.
    browser_problems.allow("releases.wagtail.org|ERR_NAME_NOT_RESOLVED|ERR_INTERNET_DISCONNECTED|gravatar")
    user = make_user("admin@example.com", "Alix", is_superuser=True, is_staff=True)
    client = Client()
    client.force_login(user)
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    return page


def test_a_program_is_written_and_published(
    admin_page: Page, live_server: Any, browser_problems: Any
) -> None:
    page = admin_page
    page.goto(live_server.url + reverse("wagtail_referrals_programs:list"))
    page.get_by_role("link", name="Add program").first.click()
    page.get_by_role("link", name="Give 10%, get €15").click()
    words = page.locator(".referral-sentence__text")
    assert "your customer gets €15.00 of referral credit" in words.inner_text()

    advocate = page.locator("#inline_child_rules-1")
    # The sentence is on the page before its scripts have run.
    expect(advocate.locator(".referral-rule__amounts")).to_be_visible()
    expect(advocate.locator(".referral-rule__percent")).to_be_hidden()
    expect(advocate.locator(".referral-rule__occurrence")).to_be_hidden()
    page.fill("[name=rules-1-amounts_EUR]", "20")
    page.get_by_text("your customer gets €20.00 of referral credit").wait_for()
    page.select_option("[name=rules-1-kind]", "credit_percent")
    expect(advocate.locator(".referral-rule__amounts")).to_be_hidden()
    page.fill("[name=rules-1-percent]", "5")
    page.get_by_text("your customer gets 5% of the order as referral credit").wait_for()
    # What cannot be given to this side, or at this moment, is not offered.
    assert page.locator("[name=rules-1-trigger] option[value=arrives]").is_disabled()

    page.click("#id_rules-ADD")
    page.select_option("[name=rules-2-side]", "friend")
    page.select_option("[name=rules-2-trigger]", "registers")
    page.select_option("[name=rules-2-kind]", "free_shipping")
    page.get_by_text("Once the friend has opened an account, the friend gets free delivery").wait_for()
    page.click("#id_rules-2-DELETE-button")
    page.wait_for_function(
        "!document.querySelector('.referral-sentence__text').textContent.includes('free delivery')"
    )
    page.fill("[name=hold_days]", "0")
    page.locator(".referral-sentence__hints").get_by_text("Without a waiting period").wait_for()
    page.fill("[name=hold_days]", "7")
    page.get_by_text("7 days after delivery").wait_for()

    page.get_by_role("button", name="More actions").click()
    page.get_by_role("button", name="Publish").click()
    page.get_by_text("published").first.wait_for()
    program = Program.objects.get()
    assert program.live
    terms = parse(Terms.objects.get())
    assert [(rule.side, str(rule.percent)) for rule in terms.rules] == [
        ("friend", "10.00"),
        ("advocate", "5.00"),
    ]
    assert terms.hold_days == 7
    assert Program.objects.count() == 1
    browser_problems.assert_none()


def test_errors_stand_where_they_are_mended(
    admin_page: Page, live_server: Any, browser_problems: Any
) -> None:
    page = admin_page
    page.goto(live_server.url + reverse("wagtail_referrals_programs:add") + "?preset=percentage_back")
    page.fill("[name=rules-1-percent]", "0")
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("button", name="Publish").click()
    page.get_by_text("Give a percentage above zero.").wait_for()
    expect(page.locator("[name=rules-1-percent]")).to_be_visible()
    assert not Terms.objects.exists()
    browser_problems.assert_none()


def test_a_double_click_corrects_credit_once(
    admin_page: Page, live_server: Any, browser_problems: Any
) -> None:
    page = admin_page
    user = make_user("camille@example.com", "Camille")
    credit.grant(user=user, currency="EUR", amount=Decimal(20), key="k")
    account = Account.objects.get()
    page.goto(live_server.url + reverse("wagtail_referrals_accounts:inspect", args=[account.pk]))
    page.get_by_role("link", name="Correct the balance").click()
    page.fill("[name=amount]", "5.50")
    page.fill("[name=note]", "The parcel was late")
    page.get_by_role("button", name="Record the correction").dblclick()
    page.get_by_text("€5.50 was added. The balance is now €25.50.").wait_for()
    page.get_by_text("Alix: The parcel was late").wait_for()
    # Back in the browser, and sent again.
    page.go_back()
    assert page.input_value("[name=amount]") == "5.50"
    page.get_by_role("button", name="Record the correction").click()
    page.get_by_text("was recorded a moment ago").wait_for()
    assert page.input_value("[name=note]") == "The parcel was late"
    assert Account.objects.get().balance == Decimal("25.50")
    browser_problems.assert_none()


def audit(page: Page) -> list[str]:
    """What axe finds in our own markup; Wagtail's is Wagtail's."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context={"include": [["[class^=referral-]"]]}).response
    assert found["passes"], "axe has looked at nothing"
    return [f"{item['id']}: {node['html'][:120]}" for item in found["violations"] for node in item["nodes"]]


def cut_off(page: Page) -> list[str]:
    """Fields and helps of a form that end beyond the right edge, where nobody can scroll to."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("#w-editor-form :is(select, input, textarea, .help)")]
            .filter((each) => each.getClientRects().length && each.getBoundingClientRect().right > innerWidth)
            .map((each) => `${each.name || each.textContent.trim()} is cut off`)"""
    )
    return found


def test_our_own_pages_are_accessible_and_fit_a_phone(
    admin_page: Page, live_server: Any, browser_problems: Any
) -> None:
    program = make_program()
    terms = Terms.objects.get()
    program.hold_days, program.window_days = 30, 60
    program.save()
    publish_terms(program)
    referral = make_referral(terms, make_advocate(), make_user("lea@example.com", "Léa"), state="to_check")
    make_purchase(referral, "1")
    reward = make_reward(referral, "15.00", "15.00")
    credit.grant(user=reward.user, currency="EUR", amount=reward.amount, key="k")
    make_badge()
    paths = [
        reverse("wagtail_referrals_programs:add"),
        reverse("wagtail_referrals_programs:edit", args=[terms.program_id]),
        reverse("wagtail_referrals_referrals:inspect", args=[referral.pk]),
        reverse("wagtail_referrals_advocates:inspect", args=[referral.advocate_id]),
        reverse("wagtail_referrals_accounts:inspect", args=[Account.objects.get().pk]),
        reverse("wagtail_referrals_accounts:adjust", args=[Account.objects.get().pk]),
        reverse("wagtail_referrals_terms:inspect", args=[terms.pk]),
        reverse("wagtail_referrals_terms:compare") + f"?program={terms.program_key}",
        reverse("wagtail_referrals_summary"),
        reverse("wagtail_referrals_badges:list"),
        reverse("wagtail_referrals_badges:add"),
    ]
    for path in paths:
        admin_page.goto(live_server.url + path)
        assert audit(admin_page) == [], path
    admin_page.set_viewport_size({"width": 400, "height": 800})
    for path in paths:
        admin_page.goto(live_server.url + path)
        wide = admin_page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{path} is {wide} px too wide"
        assert cut_off(admin_page) == [], path
    browser_problems.assert_none()
