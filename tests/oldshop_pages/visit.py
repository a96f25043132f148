"""Walk through the shop, in its own process and project, and tell every answer: page, headers, cookies, queries, mails.

Reads wishes as JSON from standard input and writes the answers as JSON. The clock is ours, and what is random
in every shop is made equal, so that two walks through one shop read the same.
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass, field
from typing import Any

sys.path.insert(0, os.getcwd())
os.environ["SHOP_DEBUG"] = "0"

import django
import time_machine

MOMENT = "2026-02-02T10:00:00+00:00"
CUSTOMER, OFFICE, PASSWORD = "nadia.favre@bluemail.example", "office@shop.example", "knit-two-purl-two"
CARD = {"expiry_month_0": "05", "expiry_month_1": "2030", "ccv": "123"}
ACCEPTED = CARD | {"number": "4242424242424242"}
DECLINED = CARD | {"number": "4000000000000002"}
ADDRESS = {
    "first_name": "Léa",
    "last_name": "Monnier",
    "line1": "Rue du Simplon 3",
    "line4": "Vevey",
    "postcode": "1800",
    "country": "CH",
}
# What differs from one walk to the next: tokens, references of the payment provider, keys of new accounts.
RANDOM = [
    (re.compile(r'(name="csrfmiddlewaretoken" value=")\w+'), r"\1TOKEN"),
    (re.compile(r"\b[0-9A-F]{16}\b"), "REFERENCE"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "UUID"),
    (re.compile(r"/password-reset/confirm/[\w-]+/[\w-]+/"), "/password-reset/confirm/TOKEN/"),
]


def plain(text: str) -> str:
    for pattern, replacement in RANDOM:
        text = pattern.sub(replacement, text)
    return text


@dataclass
class Walk:
    """The clock goes on by a moment with each request: what is listed by time has an order, and no cache expires."""

    clock: Any
    answers: list[dict[str, Any]] = field(default_factory=list)


class Visitor:
    """Somebody with a browser of their own. Every request is one answer of the walk."""

    def __init__(self, name: str, language: str, host: str, walk: Walk) -> None:
        from django.test import Client

        self.name, self.language, self.walk = name, language, walk
        self.client = Client(
            headers={"host": host, "accept-language": language}, raise_request_exception=False
        )

    def get(self, path: str) -> Any:
        return self._ask("GET", path, None, "")

    def post(self, path: str, data: dict[str, Any], what: str = "") -> Any:
        return self._ask("POST", path, data, what)

    def _ask(self, method: str, path: str, data: dict[str, Any] | None, what: str) -> Any:
        from django.core import mail
        from django.db import connection, reset_queries
        from django.test.utils import CaptureQueriesContext

        path = path.format(l=self.language)
        self.walk.clock.shift(0.001)
        mail.outbox = []
        reset_queries()  # the log holds the last 9000 only
        with CaptureQueriesContext(connection) as queries:
            if data is None:
                response = self.client.get(path)
            else:
                response = self.client.post(path, data)
        body = b"".join(response) if response.streaming else response.content
        self.walk.answers.append(
            {
                "visitor": self.name,
                "language": self.language,
                "request": plain(f"{method} {path}" + (f" ({what})" if what else "")),
                "status": response.status_code,
                "headers": {name: plain(value) for name, value in sorted(response.headers.items())},
                "cookies": {name: _cookie(morsel) for name, morsel in sorted(response.cookies.items())},
                "body": plain(body.decode()),
                "queries": [query["sql"] for query in queries],
                "mails": [_mail(message) for message in mail.outbox],
            }
        )
        return response


def _cookie(morsel: Any) -> str:
    value = "TOKEN" if morsel.key in ("csrftoken", "sessionid") and morsel.value else morsel.value
    attributes = [f"{name}={setting}" for name, setting in sorted(morsel.items()) if setting]
    return "; ".join([value, *attributes])


def _mail(message: Any) -> dict[str, Any]:
    return {
        "subject": plain(message.subject),
        "from": message.from_email,
        "to": message.to,
        "bodies": [
            plain(message.body),
            *(plain(content) for content, __ in getattr(message, "alternatives", [])),
        ],
    }


BROWSING = [
    "/",
    "/{l}/",
    "/{l}/catalogue/",
    "/{l}/catalogue/?page=2",
    "/{l}/catalogue/alpine-sock-100-g_1/",
    "/{l}/catalogue/alpine-sock-100-g_1/reviews/",
    "/{l}/catalogue/category/yarn_1/",
    "/{l}/catalogue/ranges/sock-yarn/",
    "/{l}/search/?q=sock",
    "/{l}/search/?q=nothing",
    "/{l}/offers/",
    "/{l}/offers/five-skeins/",
    "/{l}/basket/",
    "/about/",
    "/{l}/nothing/",
    "/nothing/",
]
DOORS = [
    "/{l}/accounts/login/",
    "/{l}/accounts/register/",
    "/{l}/password-reset/",
    "/{l}/accounts/",
    "/{l}/accounts/orders/",
    "/{l}/checkout/",
    "/{l}/checkout/shipping-address/",
    "/{l}/checkout/payment-details/",
    "/{l}/checkout/preview/",
    "/{l}/checkout/thank-you/",
    "/{l}/dashboard/",
    "/admin/",
]
ACCOUNT = [
    "/{l}/accounts/",
    "/{l}/accounts/profile/",
    "/{l}/accounts/profile/edit/",
    "/{l}/accounts/change-password/",
    "/{l}/accounts/orders/",
    "/{l}/accounts/orders/{order}/",
    "/{l}/accounts/addresses/",
    "/{l}/accounts/addresses/add/",
    "/{l}/accounts/addresses/{address}/",
    "/{l}/accounts/emails/",
    "/{l}/accounts/alerts/",
    "/{l}/accounts/notifications/inbox/",
    "/{l}/accounts/notifications/archive/",
    "/{l}/accounts/wishlists/",
    "/{l}/accounts/projects/",
    "/{l}/accounts/login/",
]
DASHBOARD = [
    "/{l}/dashboard/",
    "/{l}/dashboard/orders/",
    "/{l}/dashboard/orders/{order}/",
    "/{l}/dashboard/orders/statistics/",
    "/{l}/dashboard/users/",
    "/{l}/dashboard/users/{customer}/",
    "/{l}/dashboard/users/alerts/",
    "/{l}/dashboard/vouchers/",
    "/{l}/dashboard/vouchers/create/",
    "/{l}/dashboard/vouchers/sets/",
    "/{l}/dashboard/vouchers/update/{voucher}/",
    "/{l}/dashboard/vouchers/stats/{voucher}/",
    "/{l}/dashboard/catalogue/",
    "/{l}/dashboard/catalogue/products/1/",
    "/{l}/dashboard/catalogue/categories/",
    "/{l}/dashboard/catalogue/product-types/",
    "/{l}/dashboard/offers/",
    "/{l}/dashboard/offers/new/metadata/",
    "/{l}/dashboard/offers/1/",
    "/{l}/dashboard/ranges/",
    "/{l}/dashboard/partners/",
    "/{l}/dashboard/pages/",
    "/{l}/dashboard/reviews/",
    "/{l}/dashboard/comms/",
    "/{l}/dashboard/shipping/weight-based/",
    "/{l}/dashboard/reports/",
    "/{l}/dashboard/reports/?report_type=conditional-offer-performance",
    "/{l}/accounts/",
    "/admin/",
    "/admin/order/order/",
]


def buy(visitor: Visitor, *, guest: str = "") -> None:
    """From the product to the page that says thank you, with what people do wrong on the way."""
    visitor.post("/{l}/basket/add/1/", {"quantity": "3"}, "three skeins")
    visitor.post("/{l}/basket/add/14/", {"quantity": "1"}, "needles")
    visitor.get("/{l}/basket/")
    visitor.post("/{l}/basket/vouchers/add/", {"code": "NOSUCHCODE"}, "a code that is none")
    visitor.get("/{l}/basket/")
    visitor.post("/{l}/basket/vouchers/add/", {"code": "knit10"}, "a voucher")
    visitor.get("/{l}/basket/")
    visitor.get("/{l}/catalogue/")
    visitor.get("/{l}/checkout/")
    if guest:
        visitor.post("/{l}/checkout/", {"username": "no address", "options": "anonymous"}, "no address")
        visitor.post("/{l}/checkout/", {"username": guest, "options": "anonymous"}, "as a guest")
    visitor.get("/{l}/checkout/shipping-address/")
    visitor.post("/{l}/checkout/shipping-address/", ADDRESS | {"postcode": ""}, "without a post code")
    visitor.post("/{l}/checkout/shipping-address/", ADDRESS)
    visitor.get("/{l}/checkout/shipping-method/")
    visitor.post("/{l}/checkout/shipping-method/", {"method_code": "post"})
    visitor.get("/{l}/checkout/gift/")
    visitor.post("/{l}/checkout/gift/", {"message": "Happy birthday"})
    visitor.get("/{l}/checkout/payment-method/")
    visitor.get("/{l}/checkout/payment-details/")
    visitor.get("/{l}/checkout/preview/")
    visitor.post("/{l}/checkout/preview/", ACCEPTED | {"number": "12"}, "no card number")
    visitor.post("/{l}/checkout/preview/", DECLINED, "a card that will be declined")
    visitor.post("/{l}/checkout/preview/", DECLINED | {"action": "place_order"}, "declined")
    visitor.post("/{l}/checkout/preview/", ACCEPTED, "a good card")
    visitor.post("/{l}/checkout/preview/", ACCEPTED | {"action": "place_order"}, "ordered")
    visitor.get("/{l}/checkout/thank-you/")
    visitor.get("/{l}/checkout/thank-you/")
    visitor.get("/{l}/basket/")


def keys() -> dict[str, Any]:
    """What the walk needs to know of the shop, asked outside of every count."""
    from django.contrib.auth import get_user_model
    from oscar.core.loading import get_model

    customer = get_user_model().objects.get(email=CUSTOMER)
    return {
        "customer": customer.pk,
        "order": customer.orders.order_by("pk").first().number,
        "address": customer.addresses.order_by("pk").first().pk,
        "voucher": get_model("voucher", "Voucher").objects.get(code="KNIT10").pk,
    }


def go_round(language: str, host: str, walk: Walk) -> None:
    known = keys()
    anonymous = Visitor("anonymous", language, host, walk)
    for path in [*BROWSING, *DOORS]:
        anonymous.get(path)
    anonymous.post("/i18n/setlang/", {"language": "fr", "next": "/en/catalogue/"})

    guest = Visitor("guest", language, host, walk)
    buy(guest, guest=f"lea.monnier.{language}@example.com")
    order = latest_order()
    guest.get(f"/{language}/accounts/order-status/{order.number}/{order.verification_hash()}/")

    newcomer = Visitor("newcomer", language, host, walk)
    account = {"registration-email": f"yann.rey.{language}@example.com", "registration_submit": "Register"}
    account |= {"registration-password1": PASSWORD, "registration-password2": PASSWORD + "?"}
    newcomer.post("/{l}/accounts/login/", account, "two passwords")
    newcomer.post("/{l}/accounts/login/", account | {"registration-password2": PASSWORD}, "a new account")
    newcomer.get("/{l}/accounts/")
    newcomer.get("/{l}/accounts/orders/")
    newcomer.get("/{l}/accounts/logout/")
    newcomer.post("/{l}/password-reset/", {"email": f"yann.rey.{language}@example.com"})

    customer = Visitor("customer", language, host, walk)
    login = {"login-username": CUSTOMER, "login-password": "wrong", "login_submit": "Log In"}
    customer.post("/{l}/basket/add/5/", {"quantity": "1"}, "before the login")
    customer.post("/{l}/accounts/login/", login, "wrong password")
    customer.post("/{l}/accounts/login/", login | {"login-password": PASSWORD}, "the login")
    for path in [*BROWSING, *(path.replace("{order}", known["order"]) for path in ACCOUNT)]:
        customer.get(path.replace("{address}", str(known["address"])))
    buy(customer)
    number = latest_order().number
    customer.get(f"/{language}/accounts/orders/{number}/")
    customer.get("/{l}/accounts/orders/")
    customer.post(f"/{language}/accounts/orders/{number}/", {"action": "reorder"}, "the same again")
    customer.get("/{l}/basket/")
    customer.get("/{l}/accounts/emails/")
    customer.get("/{l}/accounts/logout/")
    customer.get("/{l}/basket/")

    staff = Visitor("staff", language, host, walk)
    staff.post(
        "/{l}/accounts/login/", login | {"login-username": OFFICE, "login-password": PASSWORD}, "the login"
    )
    for path in [*BROWSING, *DASHBOARD]:
        for name, value in known.items():
            path = path.replace(f"{{{name}}}", str(value))
        staff.get(path)
    page = f"/{language}/dashboard/orders/{number}/"
    staff.post(page, {"order_action": "change_order_status", "new_status": "Being packed"}, "the next status")
    staff.post(page, {"order_action": "save_note", "message": "Wrap it twice"}, "a note")
    staff.get(page)


def warm_up(language: str, host: str, clock: Any) -> None:
    """What a process reads once, it has read before anything is counted."""
    from django.contrib.auth import get_user_model

    visitor = Visitor("nobody", language, host, Walk(clock))
    for path in ["/{l}/nothing/", "/{l}/catalogue/alpine-sock-100-g_1/", "/{l}/search/?q=sock"]:
        visitor.get(path)
    visitor.client.force_login(get_user_model().objects.get(email=OFFICE))
    for path in ["/{l}/accounts/orders/", "/{l}/dashboard/", "/admin/"]:
        visitor.get(path)


def latest_order() -> Any:
    from oscar.core.loading import get_model

    return get_model("order", "Order").objects.latest("pk")


def main() -> None:
    wishes = json.load(sys.stdin)
    django.setup()
    from django.test.utils import setup_test_environment

    setup_test_environment()
    with time_machine.travel(MOMENT, tick=False) as clock:
        walk = Walk(clock)
        for language, host in wishes["walks"]:
            warm_up(language, host, clock)
        for language, host in wishes["walks"]:
            go_round(language, host, walk)
    json.dump(walk.answers, sys.stdout)


if __name__ == "__main__":
    main()
