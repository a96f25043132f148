"""The customer's page in a real browser: without a barrier, without JavaScript, under a strict policy."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone

from example_site.card.models import StoredCard
from oscar_integration.memberships.models import Membership, Renewal, Use
from tests.browser_fixtures import PHONE
from tests.memberships.rows import give, make_plan
from tests.memberships.shopping import make_sold_plan
from tests.memberships.test_customer_page import buy, pay_credit
from wagtail_referrals.site import layout

URL = "/en/memberships/"


@pytest.fixture
def alone(monkeypatch: Any, settings: Any) -> None:
    """Our page alone, under a policy that allows nothing inline: the shop's own layout has scripts of its own."""
    monkeypatch.setattr(layout, "ACCOUNT_BASE", "wagtail_referrals/default_base.html")
    settings.MIDDLEWARE = ["tests.site.test_browser.strict", *settings.MIDDLEWARE]


@pytest.fixture
def open_page(transactional_db: None, lea: Any, client: Any, new_page: Any, live_server: Any) -> Any:
    def open_it(**options: Any) -> Any:
        page = new_page(**options)
        client.force_login(lea)
        cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
        page.context.add_cookies([cookie])
        page.goto(URL)
        return page

    return open_it


@pytest.fixture
def full(transactional_db: None, lea: Any) -> None:
    """A month that is due, a pass, one that ended, credit, visits."""
    now = timezone.now()
    monthly = make_sold_plan(price="75.00", renews=True)
    StoredCard.objects.create(user=lea, last4="4242", token="tok")
    month = give(lea, monthly, now=now - timedelta(days=3))
    give(lea, make_plan("second", renews=False), now=now)
    buy(make_sold_plan("ten", uses=10), lea)
    ended = give(lea, make_plan("gone"), now=now)
    Membership.objects.filter(pk=ended.pk).update(state="ended", ended_reason="used_up", access_until=now)
    pay_credit(lea, "20.00", pays_renewals=True)
    Use.objects.create(membership=month, period=month.periods.get(), key="1", how=Use.How.CODE, used_at=now)
    end = now - timedelta(hours=1)
    Membership.objects.filter(pk=month.pk).update(
        state="past_due", ends_at=end, access_until=end + timedelta(days=7)
    )
    Renewal.objects.create(
        membership=month,
        number=1,
        due_at=end,
        state="past_due",
        currency="EUR",
        total=Decimal("75.00"),
        credit=Decimal("20.00"),
        charge=Decimal("55.00"),
        attempt=1,
        next_attempt_at=end + timedelta(days=3),
        created_at=now,
    )


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_barrier_and_nothing_that_sticks_out(
    full: None, alone: None, open_page: Any, width: int, language: str
) -> None:
    page = open_page(viewport={"width": width, "height": 800}, locale=language, bypass_csp=True)
    page.goto(f"/{language}/memberships/")
    for summary in page.locator("summary").all():
        summary.click()
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_code_is_large(full: None, open_page: Any) -> None:
    page = open_page(**PHONE)
    for code in page.locator(".memberships-code").all():
        assert code.evaluate("element => parseFloat(getComputedStyle(element).fontSize)") >= 27
        assert code.evaluate("element => element.getClientRects().length") == 1


def test_switch_the_renewal_off_without_javascript(
    transactional_db: None, lea: Any, alone: None, open_page: Any, browser_problems: Any
) -> None:
    give(lea, make_sold_plan(price="75.00", renews=True), now=timezone.now())
    page = open_page(java_script_enabled=False)
    page.get_by_text("Switch the renewal off").first.click()
    page.get_by_text("You then have access until").wait_for()
    page.get_by_role("button", name="Switch the renewal off").click()
    page.get_by_text("The renewal is switched off.").first.wait_for()
    assert not Membership.objects.get().renews
    page.get_by_text("Switch the renewal on").first.click()
    page.get_by_role("button", name="Switch the renewal on").click()
    page.get_by_text("Renews on").wait_for()
    assert Membership.objects.get().renews
    browser_problems.assert_none()
