"""Reports, the panel on the first page, and Oscar's page of an order in a real browser: on a phone and a desktop."""

from __future__ import annotations

import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from wagtail.users.models import UserProfile

from tests.admin.rows import (
    NOW,
    make_advocate,
    make_program,
    make_purchase,
    make_referral,
    make_reward,
    make_user,
)
from wagtail_referrals import credit
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.recognition.standings import recount
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import Reward, SweepRun

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.django_db(transaction=True)

# Where pictures are put, for who wants to look at them.
PICTURES = os.environ.get("REPORT_PICTURES")
SIZES = {"phone": {"width": 360, "height": 800}, "desktop": {"width": 1280, "height": 900}}


@pytest.fixture
def story(db: None) -> None:
    make_program()
    terms = Terms.objects.get()
    camille, robin = make_advocate(), make_advocate("robin@example.com", "Robin")
    for number in range(7):
        advocate = robin if number % 3 else camille
        moment = NOW - timedelta(days=20 * (number % 4))
        state = Referral.State.TO_CHECK if number == 6 else Referral.State.REWARDED
        referral = make_referral(
            terms,
            advocate,
            make_user(f"{number}@example.com", f"Friend {number}"),
            state=state,
            reason="review" if number == 6 else "",
            qualified_at=moment,
            moment=moment,
        )
        observed = {"paid_at": moment.isoformat(), "cancelled": False, "refunded": "0"}
        make_purchase(referral, str(number), f"{40 + number * 11}.00", moment=moment, observed=observed)
        make_reward(referral, "15.00", "15.00" if number < 4 else "0", moment=moment)
    Reward.objects.filter(referral__purchases__reference="5").update(state=Reward.State.FAILED)
    recount([camille, robin])
    now = timezone.now()
    for currency, amount in (("EUR", "1234.50"), ("CHF", "80.00")):
        credit.grant(
            user=camille.user,
            currency=currency,
            amount=Decimal(amount),
            key=currency,
            expires_at=now + timedelta(days=20),
        )
    SweepRun.objects.create(started_at=now, finished_at=now - timedelta(hours=3), failed=2)


def paths() -> dict[str, str]:
    return {
        "top": reverse("wagtail_referrals_top") + "?period=ever",
        "months": reverse("wagtail_referrals_cohorts"),
        "months-revenue": reverse("wagtail_referrals_cohorts") + "?measure=revenue",
        "credit": reverse("wagtail_referrals_credit_report"),
        "health": reverse("wagtail_referrals_health"),
        "home": reverse("wagtailadmin_home"),
    }


def audit(page: Page) -> list[str]:
    """What axe finds in our own markup; Wagtail's is Wagtail's."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context={"include": [["[class^=referral-]"]]}).response
    assert found["passes"], "axe has looked at nothing"
    return [f"{item['id']}: {node['html'][:160]}" for item in found["violations"] for node in item["nodes"]]


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_reports_are_accessible_and_fit_every_screen(
    language: str, theme: str, page: Page, live_server: Any, browser_problems: Any, story: None
) -> None:
    browser_problems.allow("releases.wagtail.org|ERR_NAME_NOT_RESOLVED|ERR_INTERNET_DISCONNECTED|gravatar")
    user = make_user("admin@example.com", "Alix", is_superuser=True, is_staff=True)
    UserProfile.objects.create(user=user, preferred_language=language, theme=theme)
    client = Client()
    client.force_login(user)
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    for size, viewport in SIZES.items():
        page.set_viewport_size(viewport)  # type: ignore[arg-type]
        for name, path in paths().items():
            page.goto(live_server.url + path)
            if PICTURES:
                page.screenshot(
                    path=str(Path(PICTURES) / f"{name}-{language}-{theme}-{size}.png"), full_page=True
                )
            assert audit(page) == [], path
            wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert wide <= 0, f"{path} is {wide} px too wide"
    browser_problems.assert_none()


def test_the_dashboards_page_of_an_order(
    page: Page, live_server: Any, browser_problems: Any, story: None
) -> None:
    """As Oscar draws it, with what we add."""
    pytest.importorskip("oscar_integration")
    from tests.oscar_integration.shopping import create_order, fill_basket, make_product

    order = create_order(
        fill_basket(make_product("MAT", "100.00")), user=None, guest_email="nina@example.com"
    )
    referral = Referral.objects.get(purchases__reference="6")
    make_purchase(referral, order.number)
    user = make_user("admin@example.com", "Alix", is_superuser=True, is_staff=True)
    client = Client()
    client.force_login(user)
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    for size, viewport in SIZES.items():
        page.set_viewport_size(viewport)  # type: ignore[arg-type]
        for language in ("en", "fr"):
            page.goto(f"{live_server.url}/{language}/dashboard/orders/{order.number}/")
            assert page.locator("#order-referral a").get_attribute("href") == reverse(
                "wagtail_referrals_referrals:inspect", args=[referral.pk]
            )
            if PICTURES:
                page.screenshot(path=str(Path(PICTURES) / f"order-{language}-{size}.png"))
    page.set_viewport_size(SIZES["desktop"])  # type: ignore[arg-type]
    page.get_by_role("button", name="Parrainages").click()
    page.get_by_role("link", name="Parrainages", exact=True).click()
    page.wait_for_url("**/referrals/")


# How much wider than it is a choice would have to be for the words that are chosen; a date has no such words.
CUT = """form => [...form.querySelectorAll("select")].map((select) => {
    const alone = select.cloneNode(false);
    alone.append(select.selectedOptions[0].cloneNode(true));
    alone.style.cssText = "position: absolute; inline-size: max-content; max-inline-size: none";
    select.after(alone);
    const wide = alone.offsetWidth - select.offsetWidth;
    alone.remove();
    return wide;
})"""


def test_what_is_chosen_above_a_report_is_not_cut(
    page: Page, live_server: Any, browser_problems: Any, story: None
) -> None:
    """French has the longer words."""
    browser_problems.allow("releases.wagtail.org|ERR_NAME_NOT_RESOLVED|ERR_INTERNET_DISCONNECTED|gravatar")
    user = make_user("admin@example.com", "Alix", is_superuser=True, is_staff=True)
    UserProfile.objects.create(user=user, preferred_language="fr")
    client = Client()
    client.force_login(user)
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(live_server.url + reverse("wagtail_referrals_cohorts"))
        wide = page.locator(".referral-summary__form").evaluate(CUT)
        assert len(wide) == 3
        assert max(wide) <= 0, (width, wide)
    browser_problems.assert_none()
