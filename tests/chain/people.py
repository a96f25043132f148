"""What the people of the chain do in their browsers: each function is one person's doing, as they would click it."""

from __future__ import annotations

import re
from typing import Any

PASSWORD = "souffle"
ACCEPTED, DECLINED = "4242 4242 4242 4242", "4000 0000 0000 0002"
MAT = "/en/catalogue/liege-mat-cork_"


def editor_signs_in(page: Any) -> None:
    page.goto("/admin/login/")
    page.fill("input[name=username]", "editor@example.com")
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url(re.compile(r"/admin/$"))


def signs_in(page: Any, name: str, language: str = "en") -> None:
    page.goto(f"/{language}/accounts/login/")
    page.fill("#id_login-username", f"{name}@example.com")
    page.fill("#id_login-password", PASSWORD)
    page.click("[name=login_submit]")
    page.wait_for_url(lambda url: "/login/" not in url)


def editor_publishes_the_classic_program(page: Any) -> None:
    """From the menu to a published program, starting from a ready-made one."""
    page.goto("/admin/referrals/programs/")
    page.get_by_role("link", name="Add program").first.click()
    page.get_by_role("link", name="Give 10%, get €15").click()
    page.wait_for_url(re.compile("preset="))
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("button", name="Publish").click()
    page.wait_for_url(re.compile(r"/admin/referrals/programs/$"))


def advocate_gets_the_link(page: Any, public_name: str = "Camille") -> str:
    page.goto("/en/account/refer-a-friend/")
    page.get_by_label("Your friends will see").fill(public_name)
    page.get_by_role("button", name="Confirm and get my link").click()
    link: str = page.get_by_label("Your link").input_value()
    return link.split("?")[0]


def puts_into_the_basket(page: Any, product: str) -> None:
    page.goto(product)
    page.click("form[action*='/basket/add/'] button[type=submit]")
    page.wait_for_load_state()


def starts_checkout_as_guest(page: Any, email: str) -> None:
    page.goto("/en/checkout/")
    page.check("input[name=options][value=anonymous]")
    page.fill("input[name=username]", email)
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/shipping-address/")


def goes_to_payment_as_guest(page: Any, email: str, street: str = "3 rue des Tilleuls") -> None:
    starts_checkout_as_guest(page, email)
    for name, value in {
        "first_name": "Ada",
        "last_name": "Moreau",
        "line1": street,
        "line4": "Nantes",
        "postcode": "44000",
    }.items():
        page.fill(f"[name={name}]", value)
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/shipping-method/")
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url("**/payment-details/")


def goes_to_payment_as_customer(page: Any) -> None:
    page.goto("/en/checkout/shipping-address/")
    page.get_by_role("button", name=re.compile("Ship to")).first.click()
    page.wait_for_url("**/shipping-method/")
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url("**/payment-details/")


def registers(page: Any, email: str, language: str = "en") -> None:
    page.goto(f"/{language}/accounts/login/")
    page.fill("#id_registration-email", email)
    page.fill("#id_registration-password1", "correct horse battery")
    page.fill("#id_registration-password2", "correct horse battery")
    page.click("[name=registration_submit]")
    page.wait_for_url(lambda url: "/login/" not in url)


def buys_a_membership(page: Any, product: str) -> str:
    """As a customer: nothing is sent, so it is paid at once, and the card is kept. Returns the order's number."""
    puts_into_the_basket(page, product)
    page.goto("/en/checkout/")
    page.wait_for_url("**/payment-details/")
    assert page.is_checked("[name=card-keep]")
    pays_by_card(page)
    return order_number(page)


def staff_check_in(page: Any, text: str) -> str:
    """At the desk: what is typed, and what is said of it."""
    page.goto("/admin/memberships/check-in/")
    page.fill("#checkin-text", text)
    page.get_by_role("button", name="Check in").click()
    said: str = page.get_by_role("region", name="What was recorded").inner_text()
    return said


def pays_by_card(page: Any, number: str = ACCEPTED) -> None:
    page.fill("[name=card-number]", number)
    page.fill("[name=card-expiry]", "12/30")
    page.fill("[name=card-code]", "123")
    page.click("#view_preview")
    page.wait_for_url("**/preview/")
    page.click("#place-order")


def order_number(page: Any) -> str:
    page.wait_for_url("**/thank-you/")
    found = re.search(r"\b1\d{5}\b", page.inner_text("main"))
    assert found is not None
    return found.group()


def manager_does(page: Any, number: str, *buttons: str) -> None:
    page.goto(f"/en/dashboard/orders/{number}/")
    for button in buttons:
        page.get_by_role("button", name=button).click()
        page.wait_for_load_state()


def manager_refunds(page: Any, number: str, amount: str) -> None:
    page.goto(f"/en/dashboard/orders/{number}/")
    page.fill("#refund-amount", amount)
    page.get_by_role("button", name="Refund the amount").click()
    page.wait_for_load_state()
