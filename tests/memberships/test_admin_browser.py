"""Memberships' admin in a real browser: a plan is written, a membership is given once, everybody can read the pages."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from oscar_integration.memberships.models import Membership, Period, Plan
from tests.admin.test_browser import admin_page  # noqa: F401  (pytest finds the fixture by its name)
from tests.memberships.rows import give, make_plan, make_user
from tests.memberships.shopping import make_sold_plan
from tests.memberships.staff import MEMBERS, OVERVIEW, PLANS, RENEWALS, make_renewal
from tests.oscar_integration.shopping import make_product

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_plan_is_written_and_given_once(
    admin_page: Page,  # noqa: F811
    browser_problems: Any,
) -> None:
    page = admin_page
    make_product("YOGA", "39.00", sent=False)
    make_user("lea@example.com", "Léa")
    page.goto(reverse(f"{PLANS}:list"))
    page.get_by_role("link", name="Add plan").first.click()
    words = page.locator(".membership-words__text")
    expect(words).to_contain_text("It ends after 1 month.")
    page.locator("[name=name]").press_sequentially("Yoga at will")
    expect(page.locator("[name=slug]")).to_have_value("yoga-at-will")
    page.fill("[name=names-0-name]", "Yoga at will")
    page.fill("[name=names-1-name]", "Yoga à volonté")

    page.get_by_role("button", name="Choose a product").click()
    page.get_by_role("link", name="Yoga", exact=True).click()
    expect(page.locator("[name=product]")).not_to_have_value("")

    expect(page.locator("[name=grace_days]")).to_be_hidden()
    page.get_by_label("Renews by itself").check()
    expect(page.locator("[name=grace_days]")).to_be_visible()
    page.fill("[name=retry_days]", "2, 9")
    expect(words).to_contain_text("A declined card is charged again 2 and 9 days later.")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("it cannot be charged 9 days later").wait_for()
    page.fill("[name=retry_days]", "2, 6")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("created.").wait_for()
    plan = Plan.objects.get()
    assert (plan.product.get_title(), plan.retry_days, plan.renews) == ("Yoga", "2, 6", True)

    page.goto(reverse(f"{MEMBERS}:index"))
    page.get_by_role("link", name="Give a membership").first.click()
    page.get_by_label("Name or e-mail address of the customer").fill("léa")
    page.get_by_role("main").get_by_role("button", name="Search", exact=True).click()
    page.get_by_label("Yoga at will").check()
    page.fill("[name=note]", "Won the raffle")
    page.get_by_role("button", name="Give it").dblclick()
    page.get_by_text("Léa has “Yoga at will” until").wait_for()
    page.get_by_text("Gave a membership: Won the raffle").wait_for()
    assert Period.objects.count() == 1
    browser_problems.assert_none()


def audit(page: Page) -> list[str]:
    """What axe finds in our own markup; Wagtail's is Wagtail's."""
    from axe_playwright_python.sync_playwright import Axe

    ours = [["[class*=referral-]"], ["[class*=membership-]"]]
    ours = [selector for selector in ours if page.locator(selector[0]).count()]
    found = Axe().run(page, context={"include": ours}).response
    assert found["passes"], "axe has looked at nothing"
    return [f"{item['id']}: {node['html'][:120]}" for item in found["violations"] for node in item["nodes"]]


def a_little_of_everything() -> Membership:
    """A member whose card was declined and who has a gift to settle; what came before; two plans."""
    now = timezone.now()
    plan = make_sold_plan(renews=True)
    make_plan("ten", "Ten classes", uses=10, gift_only=True)
    membership = give(make_user("lea@example.com", "Léa", "Petit"), plan, now=now - timedelta(days=40))
    Membership.objects.filter(pk=membership.pk).update(state="past_due", renews=True)
    Period.objects.update(
        shortfall_days=12, taken_back_at=now, taken_back_reason="taken_back", origin="reward"
    )
    paid = {
        "currency": "EUR",
        "total": Decimal("30.00"),
        "credit": Decimal("12.50"),
        "charge": Decimal("17.50"),
    }
    make_renewal(membership, "done", ended_at=now - timedelta(days=35), charge_label="•••• 4242", **paid)
    make_renewal(
        membership, "past_due", due_at=now - timedelta(days=1), next_attempt_at=now + timedelta(days=1)
    )
    membership.refresh_from_db()
    return membership


def paths_of(membership: Membership) -> list[str]:
    return [
        reverse(f"{PLANS}:list"),
        reverse(f"{PLANS}:add"),
        reverse(f"{PLANS}:edit", args=[membership.plan_id]),
        reverse(f"{MEMBERS}:index"),
        reverse(f"{MEMBERS}:inspect", args=[membership.pk]),
        f"{reverse(f'{MEMBERS}:add')}?customer={membership.user_id}",
        reverse(f"{MEMBERS}:end", args=[membership.pk]),
        reverse(f"{RENEWALS}:index"),
        reverse(OVERVIEW),
    ]


def test_the_pages_are_accessible_and_fit_a_phone(
    admin_page: Page,  # noqa: F811
    browser_problems: Any,
) -> None:
    paths = paths_of(a_little_of_everything())
    for path in paths:
        admin_page.goto(path)
        assert audit(admin_page) == [], path
        admin_page.locator("main").wait_for()
    admin_page.set_viewport_size({"width": 400, "height": 800})
    for path in paths:
        admin_page.goto(path)
        wide = admin_page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{path} is {wide} px too wide"
    browser_problems.assert_none()


def test_a_name_is_not_broken_within_a_word(
    admin_page: Page,  # noqa: F811
) -> None:
    a_little_of_everything()
    admin_page.goto(reverse(f"{RENEWALS}:index"))
    assert admin_page.locator("td.referral-title").first.evaluate("cell => cell.offsetWidth") >= 13 * 16
