"""From the form, in a real browser, to what it would have cost, and back: the form is as it was left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import expect

from tests.admin.rows import make_advocate, make_program
from tests.admin.test_browser import admin_page
from tests.admin.test_replay import make_rewarded
from wagtail_referrals.programs.models import Terms

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["admin_page"]

pytestmark = pytest.mark.django_db(transaction=True)

# Where label and select stand, once Wagtail has made room for its menu: when half a second of frames changed nothing.
AT_REST = """() => new Promise(resolve => {
    const places = () => ["label[for=referral-replay-friends]", "#referral-replay-friends"].map(
        found => document.querySelector(found).getBoundingClientRect().toJSON());
    let last = "", same = 0;
    const look = () => {
        const now = JSON.stringify(places());
        same = now === last ? same + 1 : 0;
        last = now;
        same < 30 ? requestAnimationFrame(look) : resolve(places());
    };
    look();
})"""


def test_a_draft_is_judged_in_another_tab(admin_page: Page, live_server: Any, browser_problems: Any) -> None:
    program = make_program(cap_count=2)
    terms, advocate = Terms.objects.get(), make_advocate()
    for number in (1, 2):
        make_rewarded(terms, advocate, number)
    form = admin_page
    form.goto(live_server.url + reverse("wagtail_referrals_programs:edit", args=[program.pk]))
    form.fill("[name=rules-1-amounts_EUR]", "20")
    form.get_by_text("your customer gets €20.00 of referral credit").wait_for()
    with form.context.expect_page() as opened:
        form.get_by_role("button", name="What it would have cost").click()
    page = opened.value
    page.get_by_role("heading", name="What would have come out differently").wait_for()
    expect(page.locator("[aria-labelledby=referral-replay-cost] tbody tr").first).to_contain_text("+ €10.00")
    found = Axe().run(page, context=".referral-replay")
    assert found.violations_count == 0, found.generate_report()
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), width
        label, select = page.evaluate(AT_REST)
        assert label["bottom"] <= select["top"], (width, label, select)
    # The form was not sent: it is still there, with what was typed.
    expect(form.locator("[name=rules-1-amounts_EUR]")).to_have_value("20")
    assert form.evaluate("document.getElementById('w-editor-form').target") == ""
    assert program.rules.get(side="advocate").amounts == {"EUR": "15.00"}
    browser_problems.assert_none()
