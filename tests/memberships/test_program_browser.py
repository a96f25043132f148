"""A ready-made program with memberships in a real browser: what a rule asks for comes and goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from tests.admin.test_browser import admin_page, audit
from tests.memberships.rows import make_plan
from tests.memberships.shopping import make_sold_plan
from wagtail_referrals.programs import parse
from wagtail_referrals.programs.models import Terms

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["admin_page"]

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_program_with_memberships_is_written(
    admin_page: Page, live_server: Any, browser_problems: Any
) -> None:
    day_pass = make_plan("day-pass", "Day pass", period_unit="days", uses=1, is_trial=True, gift_only=True)
    monthly = make_sold_plan("monthly", title="Monthly", renews=True)
    yearly = make_sold_plan("yearly", title="Yearly", price="300.00", period_length=12)
    page = admin_page
    page.goto(live_server.url + reverse("wagtail_referrals_programs:add"))
    page.get_by_role("link", name="New friends try once").click()
    words = page.locator(".referral-sentence__text")
    expect(words).to_contain_text("the friend gets a free “Day pass”")
    expect(words).to_contain_text("The credit is used for membership renewals automatically")

    friend, advocate = page.locator("#inline_child_rules-0"), page.locator("#inline_child_rules-1")
    expect(friend.locator(".referral-rule__option_gift_plan")).to_be_visible()
    expect(friend.locator(".referral-rule__option_bought_plans")).to_be_hidden()
    expect(advocate.locator(".referral-rule__option_gift_plan")).to_be_hidden()
    expect(advocate.locator(".referral-rule__option_bought_plans")).to_be_visible()
    assert page.input_value("[name=rules-0-option_gift_plan]") == str(day_pass.pk)
    advocate.get_by_label("Yearly").check()
    expect(words).to_contain_text("has bought a new membership (“Yearly”), your customer gets €15.00")
    page.uncheck("[name=credit_pays_renewals]")
    expect(words).not_to_contain_text("membership renewals")
    page.check("[name=credit_pays_renewals]")
    page.select_option("[name=rules-1-kind]", "membership")
    page.select_option("[name=rules-1-option_gift_plan]", str(monthly.pk))
    expect(words).to_contain_text("your customer gets a free “Monthly”")
    hints = page.locator(".referral-sentence__hints")
    expect(hints).to_contain_text("No reward is credit: there is nothing that could pay a renewal.")
    page.uncheck("[name=rules-1-option_gift_plan_prolongs]")
    assert audit(page) == []

    page.get_by_role("button", name="More actions").click()
    page.get_by_role("button", name="Publish").click()
    page.get_by_text("published").first.wait_for()
    terms = parse(Terms.objects.get())
    assert [rule.options["gift_plan"] for rule in terms.rules] == [day_pass.pk, monthly.pk]
    assert [rule.options["gift_plan_prolongs"] for rule in terms.rules] == [True, False]
    assert terms.rules[1].options["bought_plans"] == [yearly.pk]
    browser_problems.assert_none()
