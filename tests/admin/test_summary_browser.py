"""The summary in a real browser: nothing for axe to find, no wider than a phone, a chart that tells its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from tests.admin.rows import make_advocate, make_program, make_purchase, make_referral, make_reward, make_user
from tests.admin.test_browser import audit
from wagtail_referrals.programs.models import Terms

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def history(db: None) -> Any:
    """Now, with a name that is longer than a phone is wide, and three currencies."""
    make_program(
        name="A name that an editor has written without thinking of any table that it could stand in"
    )
    terms, camille, now = Terms.objects.get(), make_advocate(), timezone.now()
    for number, currency in enumerate(("EUR", "USD", "GBP")):
        referral = make_referral(terms, camille, make_user(f"{number}@example.com"), moment=now)
        make_purchase(referral, str(number), "1234.50", moment=now, currency=currency)
        make_reward(referral, "15.00", "15.00", moment=now, currency=currency)
    user = make_user("admin@example.com", "Alix", is_superuser=True, is_staff=True)
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("width", [360, 1280])
def test_the_summary(
    history: Client, new_page: Any, live_server: Any, browser_problems: Any, width: int
) -> None:
    browser_problems.allow("releases.wagtail.org|ERR_NAME_NOT_RESOLVED|ERR_INTERNET_DISCONNECTED|gravatar")
    page: Page = new_page(viewport={"width": width, "height": 900})
    page.context.add_cookies(
        [{"name": "sessionid", "value": history.cookies["sessionid"].value, "url": live_server.url}]
    )
    page.goto(live_server.url + reverse("wagtail_referrals_summary"))
    expect(page.locator(".referral-headline").first).to_contain_text("3")
    assert audit(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # The last day is today: that is where the friends are.
    page.locator(".referral-chart__point").last.click()
    expect(page.locator(".referral-chart__told")).to_contain_text("3 (This period)")
    page.get_by_text("The numbers as a table").click()
    expect(page.locator(".referral-chart__numbers tbody tr").last).to_contain_text("3")
    assert audit(page) == []
    browser_problems.assert_none()
