"""Step 7 in a real browser: a part with credit, the rest by card, then all with credit; without JavaScript too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from oscar.core.loading import get_model

from tests.oscar_integration.paying import charges, give, sources
from tests.oscar_integration.shopping import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)

Order = get_model("order", "Order")


@pytest.fixture
def at_payment(
    transactional_db: None,
    live_server: Any,
    make_customer: Any,
    france: Any,
    mat: Any,
    new_page: Callable[..., Any],
) -> Callable[..., Any]:
    """Sign in, put a mat (100.00) into the basket and go to the payment step."""

    def walk(credit: str, **options: Any) -> Any:
        user = make_customer("lea@example.com", first_name="Léa")
        give(user, credit)
        page = new_page(**options)
        shop = f"{live_server.url}/en"
        page.goto(f"{shop}/accounts/login/")
        page.fill("#id_login-username", user.email)
        page.fill("#id_login-password", PASSWORD)
        page.click("button[name=login_submit]")
        page.goto(f"{shop}{mat.get_absolute_url().removeprefix('/en')}")
        page.click("form[action*='/basket/add/'] button[type=submit]")
        page.goto(f"{shop}/checkout/shipping-address/")
        for name, value in {
            "first_name": "Léa",
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


@pytest.mark.parametrize("options", [{}, {"java_script_enabled": False}], ids=["script", "no-script"])
def test_a_part_with_credit_and_the_rest_by_card(
    at_payment: Callable[..., Any], browser_problems: Any, options: dict[str, Any]
) -> None:
    page = at_payment("15", **options)
    page.get_by_label("Use my €15.00").check()
    page.get_by_label("Amount to use").fill("10")
    page.get_by_role("button", name="Use my credit").click()
    assert "€90.00" in page.inner_text(".referral-credit")
    page.fill("#id_card-number", "4242 4242 4242 4242")
    page.fill("#id_card-expiry", "04 / 30")
    page.fill("#id_card-code", "123")
    page.click("#view_preview")
    assert "−€10.00" in page.inner_text(".referral-credit")
    page.click("#place-order")
    page.wait_for_url("**/checkout/thank-you/")
    assert "Referral credit" in page.inner_text("body")
    assert sources(Order.objects.get()) == {"card": "90.00", "referral-credit": "10.00"}
    assert charges() == [("90.00", "authorised")]
    browser_problems.assert_none()


def test_credit_that_pays_all_needs_no_card(at_payment: Callable[..., Any], browser_problems: Any) -> None:
    page = at_payment("120")
    page.get_by_label("Use my €120.00").check()
    page.get_by_role("button", name="Use my credit").click()
    page.wait_for_url("**/checkout/preview/")
    assert page.locator("[name=card-number]").count() == 0
    # There and back again.
    page.get_by_role("link", name="Change the amount").click()
    assert page.get_by_label("Amount to use").input_value() == "100.00"
    page.get_by_role("button", name="Change the amount").click()
    page.wait_for_url("**/checkout/preview/")
    page.click("#place-order")
    page.wait_for_url("**/checkout/thank-you/")
    assert sources(Order.objects.get()) == {"referral-credit": "100.00"}
    assert charges() == []
    browser_problems.assert_none()


def test_credit_that_was_ticked_is_used_without_our_button(
    at_payment: Callable[..., Any], browser_problems: Any
) -> None:
    """And a preview that another tab made untrue is shown again before anything is charged."""
    page = at_payment("15")
    assert "Press “Use my credit” before you go on" in page.inner_text(".referral-credit")
    page.fill("#id_card-number", "4242 4242 4242 4242")
    page.fill("#id_card-expiry", "04 / 30")
    page.fill("#id_card-code", "123")
    page.get_by_label("Use my €15.00").check()
    page.get_by_label("Amount to use").fill("99")
    page.click("#view_preview")
    page.get_by_text("You have €15.00 of credit.").wait_for()
    assert page.input_value("#id_card-number") == "4242 4242 4242 4242"
    page.get_by_label("Amount to use").fill("10")
    page.click("#view_preview")
    page.wait_for_selector("#place-order")
    assert "−€10.00" in page.inner_text(".referral-credit")

    other = page.context.new_page()
    other.goto(page.url.replace("/preview/", "/payment-details/"))
    other.get_by_label("Amount to use").fill("5")
    other.get_by_role("button", name="Change the amount").click()
    other.close()
    page.click("#place-order")
    page.get_by_text("€5.00 with credit and €95.00 by card.").wait_for()
    assert charges() == []
    page.click("#place-order")
    page.wait_for_url("**/checkout/thank-you/")
    assert sources(Order.objects.get()) == {"card": "95.00", "referral-credit": "5.00"}
    browser_problems.assert_none()
