"""What a customer chooses to be written about, by the links of a mail in a real browser, also without scripts."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import expect

from tests.browser_fixtures import PHONE
from tests.site.test_browser import shop
from wagtail_referrals import messages, people
from wagtail_referrals.messages.models import Preferences

__all__ = ["shop"]


def path(name: str, user: Any) -> str:
    return reverse(f"referrals:{name}", args=[messages.token_for(user, messages.Topic.REWARDS)])


def speaks(user: Any, language: str) -> None:
    advocate = people.advocate_for(user)
    advocate.language = language
    advocate.save()


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_barrier_and_nothing_that_sticks_out(
    language: str, width: int, shop: Any, camille: Any, new_page: Any, browser_problems: Any
) -> None:
    speaks(camille, language)
    page = new_page(viewport={"width": width, "height": 800}, locale=language, bypass_csp=True)
    faults: list[str] = []

    def look(what: str) -> None:
        found = Axe().run(page).response
        assert found["passes"], "axe has looked at nothing"
        faults.extend(f"{what}: {each['id']} {each['nodes'][0]['html'][:90]}" for each in found["violations"])
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            faults.append(f"{what}: too wide")

    page.goto(path("unsubscribe", camille))
    assert page.evaluate("document.documentElement.lang") == language
    look("question")
    page.locator("main form button").click()
    page.locator("main input[name=again]").wait_for(state="attached")
    look("no more")
    page.locator("main form button").click()
    page.locator("main form").wait_for(state="detached")
    look("again")
    page.locator("main a.referrals-button").click()
    page.locator("[name=wanted]").first.wait_for()
    look("choices")
    page.locator("[name=wanted]").first.uncheck()
    page.locator("main form button[type=submit]").click()
    page.locator("main [role=status]").wait_for()
    look("saved")
    page.goto(reverse("referrals:mails", args=["x"]))
    look("no link of ours")
    assert not faults, "\n".join(faults)
    browser_problems.assert_none()


@pytest.mark.parametrize(
    "options", [{}, PHONE, {"java_script_enabled": False}], ids=["desk", "phone", "no script"]
)
def test_from_the_mail_to_no_more_and_to_some(
    options: dict[str, Any], shop: Any, camille: Any, new_page: Any, browser_problems: Any
) -> None:
    page = new_page(**options)
    page.goto(path("unsubscribe", camille))
    page.get_by_role("button", name="No more of them").click()
    page.get_by_role("heading", name="You get no more of these messages").wait_for()
    assert not messages.wants_topic(camille, messages.Topic.REWARDS)
    page.get_by_role("link", name="Choose one by one").click()
    rewards = page.get_by_role("group", name="Your rewards and your credit").get_by_role("checkbox")
    assert [box.is_checked() for box in rewards.all()] == [False] * rewards.count()
    rewards.first.check()
    page.get_by_label("Your time zone").select_option("America/New_York")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    expect(rewards.first).to_be_checked()
    expect(rewards.nth(1)).not_to_be_checked()
    kept = Preferences.objects.get()
    assert kept.time_zone == "America/New_York" and kept.unwanted
    assert messages.wants_topic(camille, messages.Topic.REWARDS)
    browser_problems.assert_none()
