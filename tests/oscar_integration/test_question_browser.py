""" "Did a friend send you?" in a real browser: by keyboard, on a phone, without JavaScript, as axe sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from oscar.core.loading import get_model
from playwright.sync_api import expect

from tests.oscar_integration.test_question import QUESTION, THANKS, asking, lyon  # noqa: F401
from wagtail_referrals import rewards
from wagtail_referrals.people import code_of
from wagtail_referrals.referrals.models import AttributionRequest

pytestmark = pytest.mark.django_db(transaction=True)

NARROW: dict[str, Any] = {"viewport": {"width": 360, "height": 780}, "is_mobile": True, "has_touch": True}


@pytest.fixture
def at_payment(
    transactional_db: None,
    asking: None,  # noqa: F811
    live_server: Any,
    france: Any,
    mat: Any,
    terms: Any,
    new_page: Callable[..., Any],
) -> Callable[..., Any]:
    """A guest puts a mat (100.00) into the basket and goes to the payment step."""

    def walk(language: str = "en", **options: Any) -> Any:
        page = new_page(**options)
        shop = f"{live_server.url}/{language}"
        path = mat.get_absolute_url().split("/", 2)[2]
        page.goto(f"{shop}/{path}")
        page.click("form[action*='/basket/add/'] button[type=submit]")
        page.goto(f"{shop}/checkout/")
        page.fill("#id_username", "zoe@example.com")
        page.check("input[name=options][value=anonymous]")
        if options.get("java_script_enabled") is False:
            # Oscar's own form asks guests for a password there.
            page.fill("#id_password", "-")
        page.locator("form:has(#id_username) button[type=submit]").click()
        for name, value in {
            "first_name": "Zoé",
            "last_name": "Lang",
            "line1": "1 rue de la Paix",
            "line4": "Nantes",
            "postcode": "44000",
        }.items():
            page.fill(f"#id_{name}", value)
        page.click("#new_shipping_address button[type=submit]")
        if "shipping-method" in page.url:
            page.locator("main form button[type=submit], form button[type=submit]").first.click()
        page.wait_for_url("**/checkout/payment-details/")
        return page

    return walk


def pay(page: Any) -> Any:
    page.fill("#id_card-number", "4242 4242 4242 4242")
    page.fill("#id_card-expiry", "04 / 30")
    page.fill("#id_card-code", "123")
    page.click("#view_preview")
    page.click("#place-order")
    page.wait_for_url("**/checkout/thank-you/")
    return get_model("order", "Order").objects.get()


@pytest.mark.parametrize("options", [NARROW, {"java_script_enabled": False}], ids=["phone", "no-script"])
def test_a_friend_is_named_and_the_order_placed(
    at_payment: Callable[..., Any],
    browser_problems: Any,
    lyon: Any,  # noqa: F811
    advocate: Any,
    options: dict[str, Any],
) -> None:
    page = at_payment(**options)
    question = page.locator(".referrals-question")
    expect(question.get_by_role("heading", name=QUESTION)).to_be_visible()
    expect(page.get_by_label("The town where they live")).to_be_hidden()
    question.get_by_text("Yes, tell us who").click()
    page.get_by_label("Your friend's first and last name").fill("Camille Martin")
    question.get_by_role("button", name="Tell us").click()
    alert = question.get_by_role("alert")
    expect(alert).to_contain_text("Please type the town too")
    town = page.get_by_label("The town where they live")
    assert town.get_attribute("aria-invalid") == "true"
    assert alert.get_attribute("id") in (town.get_attribute("aria-describedby") or "")
    town.fill("Lyon")
    question.get_by_role("button", name="Tell us").click()
    expect(page.get_by_text(THANKS)).to_be_visible()
    expect(question).to_contain_text("You told us: Camille Martin, Lyon.")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth") is True
    order = pay(page)
    assert str(order.total_incl_tax) == "100.00"
    rewards.sweep()
    request = AttributionRequest.objects.get()
    assert (request.reference, request.advocate) == (str(order.number), advocate)
    browser_problems.assert_none()


def test_by_keyboard_alone(at_payment: Callable[..., Any], browser_problems: Any, advocate: Any) -> None:
    page = at_payment()
    page.locator(".referrals-question-summary").focus()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type(code_of(advocate))
    page.keyboard.press("Enter")
    page.wait_for_load_state()
    expect(page.get_by_text("90.00").first).to_be_visible()
    expect(page.locator(".referrals-question")).to_have_count(0)
    browser_problems.assert_none()


@pytest.mark.parametrize("options", [NARROW, {}], ids=["360", "desktop"])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_axe_finds_nothing(
    at_payment: Callable[..., Any], browser_problems: Any, language: str, options: dict[str, Any]
) -> None:
    page = at_payment(language, **options)
    page.locator(".referrals-question-summary").click()
    page.locator(".referrals-question button[type=submit]").first.click()
    found = Axe().run(page, context=".referrals-question").response
    assert found["passes"], "axe has looked at nothing"
    assert found["violations"] == [], [each["id"] for each in found["violations"]]
    browser_problems.assert_none()
