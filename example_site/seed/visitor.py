"""Somebody with a browser: each step is a real request, and has to be answered as it would be for a person."""

import re
from html import unescape
from typing import Any

from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import translation
from oscar.core.loading import get_model

from example_site.card import gateway
from example_site.seed.people import PASSWORD

PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)
ANDROID = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/137.0.0.0 Mobile Safari/537.36"
)
LAPTOP = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/137.0.0.0 Safari/537.36"
)
# Who fetches a link when it is shared: no visits.
ROBOTS = {
    "whatsapp": "WhatsApp/2.23.20.0",
    "facebook": "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "telegram": "TelegramBot (like TwitterBot)",
    "search": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
}


class WentWrong(Exception):
    """A page did not answer as it should have; the message says which, and what a person would have read."""


class Visitor:
    """One browser. `language` is what it asks for, and the part of the site that it stays in."""

    def __init__(self, language: str = "fr", agent: str = PHONE, name: str = "") -> None:
        self.language = language
        self.name = name
        self.client = Client(
            headers={
                "host": settings.EXAMPLE_HOST,
                "user-agent": agent,
                "accept-language": f"{language},en;q=0.5",
            }
        )

    # One step

    def address(self, name: str, *args: Any) -> str:
        with translation.override(self.language):
            return reverse(name, args=args)

    def get(self, path: str, expected: int = 200) -> Any:
        return self._checked(self.client.get(path), f"GET {path}", expected)

    def post(self, path: str, data: dict[str, Any], expected: int = 302) -> Any:
        return self._checked(self.client.post(path, data), f"POST {path}", expected)

    def _checked(self, response: Any, what: str, expected: int) -> Any:
        if response.status_code != expected:
            raise WentWrong(
                f"{self.name or 'A visitor'}: {what} gave {response.status_code}, not {expected}. "
                f"{response.headers.get('Location', '')} {_readable(response)}"
            )
        return response

    # Looking around

    def follow(self, code: str, via: str = "", to: str = "") -> None:
        """Open a share link, and the page that it leads to."""
        query = "&".join(part for part in (f"via={via}" if via else "", f"to={to}" if to else "") if part)
        path = reverse("referrals:share", args=[code]) + (f"?{query}" if query else "")
        response = self.get(path, 302 if to else 200)
        if to:
            self.get(response.headers["Location"])

    def add(self, sku: str, quantity: int = 1) -> None:
        product = get_model("catalogue", "Product").objects.get(upc=sku)
        self.post(self.address("basket:add", product.pk), {"quantity": quantity})

    def type_code(self, code: str) -> None:
        self.post(self.address("basket:vouchers-add"), {"code": code})

    def take_out(self, sku: str) -> None:
        """Send the basket's form with the box "remove" of this article."""
        page = self.get(self.address("basket:summary")).content.decode()
        numbers = [_value(page, f"form-{index}-id") for index in range(int(_value(page, "form-TOTAL_FORMS")))]
        fields: dict[str, Any] = {"form-TOTAL_FORMS": len(numbers), "form-INITIAL_FORMS": len(numbers)}
        for index, number in enumerate(numbers):
            fields |= {
                f"form-{index}-id": number,
                f"form-{index}-quantity": _value(page, f"form-{index}-quantity"),
            }
            if get_model("basket", "Line").objects.get(pk=number).product.upc == sku:
                fields[f"form-{index}-DELETE"] = "on"
        self.post(self.address("basket:summary"), fields)

    def keep_by_email(self, code: str, email: str, *, reminder: bool = False) -> None:
        """Have the invitation of a landing page sent to one's mailbox."""
        fields = {"email": email, "mail": "on", **({"reminder": "on"} if reminder else {})}
        self.post(self.address("referrals:keep", code), fields)

    # Account

    def register(self, email: str, first_name: str, last_name: str) -> None:
        data = {
            "registration-email": email,
            "registration-password1": PASSWORD,
            "registration-password2": PASSWORD,
            "registration_submit": "Register",
        }
        self.post(self.address("customer:login"), data)
        self.post(
            self.address("customer:profile-update"),
            {"first_name": first_name, "last_name": last_name, "email": email},
        )

    def sign_in(self, email: str) -> None:
        data = {"login-username": email, "login-password": PASSWORD, "login_submit": "Log In"}
        self.post(self.address("customer:login"), data)

    def confirm_name(self, public_name: str) -> None:
        """Open "Refer a friend" and agree to the name that friends will see."""
        self.get(self.address("referrals:account"))
        self.post(self.address("referrals:account"), {"public_name": public_name})

    def choose(self, choice: str) -> None:
        """Press a button among the settings of "Refer a friend"."""
        page = self.get(self.address("referrals:settings")).content.decode()
        url = self.address("referrals:choose", choice)
        form = page.partition(f'action="{url}"')[2].partition("</form>")[0]
        # Which words they have read, when they are thanked.
        version = re.search(r'name="version" value="(\w+)"', form)
        self.post(url, {"version": version[1]} if version else {})

    def choose_messages(self, *, without: str) -> None:
        """Untick one kind of message, and save what is ticked."""
        url = self.address("referrals:own_mails")
        page = self.get(url).content.decode()
        ticked = re.findall(r'name="wanted" value="(\w+)" checked', page)
        if without not in ticked:
            raise WentWrong(f"{self.name}: {without} is not among the messages")
        self.post(url, {"wanted": [kind for kind in ticked if kind != without]})

    def share(self, channel: str) -> None:
        """Press one of the ways to send the link: it is counted, and leads to the other program."""
        page = self.get(self.address("referrals:account")).content.decode()
        found = re.search(rf'href="([^"]+/shared/{channel}/[^"]*)"', page)
        if found is None:
            raise WentWrong(f"{self.name}: no way to share by {channel}")
        self.get(unescape(found[1]), 302)

    def report(self, number: str) -> None:
        """Tell the shop about an order that is missing among one's friends."""
        self.post(self.address("referrals:report"), {"reference": number})

    def use_reward(self) -> None:
        """Press the button beside a discount that "Your rewards" lists: it goes into the basket."""
        page = self.get(self.address("referrals:rewards")).content.decode()
        found = re.search(r'action="([^"]+/use/[^"]+)"', page)
        if found is None:
            raise WentWrong(f"{self.name}: no reward to use")
        self.post(found[1], {})

    def switch_renewal_off(self) -> None:
        """Press the button on "Your memberships": one of them renews by itself no more."""
        page = self.get(self.address("memberships:list")).content.decode()
        found = re.search(r'action="([^"]+/renewal/)"', page)
        if found is None:
            raise WentWrong(f"{self.name}: no renewal to switch off")
        self.post(found[1], {"on": "0"})

    # Wagtail

    def sign_in_as_staff(self, email: str) -> None:
        self.post(reverse("wagtailadmin_login"), {"username": email, "password": PASSWORD})

    def correct_credit(self, account: int, amount: str, currency: str, note: str) -> None:
        """Add to a credit account by the form of the admin, with the reason."""
        address = reverse("wagtail_referrals_accounts:adjust", args=[account])
        fields = {
            "direction": "add",
            "amount": amount,
            "currency": currency,
            "note": note,
            "token": _value(self.get(address).content.decode(), "token"),
        }
        self.post(address, fields)

    def refuse(self, referral: int, why: str) -> None:
        """Refuse a referral that was held, on its page in the admin."""
        page = self.get(reverse("wagtail_referrals_referrals:inspect", args=[referral])).content.decode()
        fields = {"outcome": "refuse", "note": why, "seen": _value(page, "seen")}
        self.post(reverse("wagtail_referrals_referrals:review", args=[referral]), fields)

    # Checkout

    def as_guest(self, email: str) -> None:
        self.post(self.address("checkout:index"), {"username": email, "options": "anonymous"})

    def deliver(self, address: dict[str, str], pick_up: bool = False) -> None:
        """Address and way of delivery, if something in the basket is sent."""
        response = self.client.get(self.address("checkout:shipping-address"))
        if response.status_code == 302:
            self.get(response.headers["Location"], 302)
            return
        fields = {"country": "FR", "first_name": "", "last_name": "", **address}
        self.post(self.address("checkout:shipping-address"), fields)
        method = "studio-pick-up" if pick_up else "home-delivery"
        self.post(self.address("checkout:shipping-method"), {"method_code": method})

    def name_friend(self, name: str, town: str) -> None:
        """Answer "Did a friend send you?"."""
        self.post(
            self.address("checkout:payment-details"),
            {"action": "referral-question", "name": name, "town": town},
        )

    def use_credit(self, amount: str) -> None:
        self.post(
            self.address("checkout:payment-details"),
            {"action": "referral-credit", "use": "on", "amount": amount},
        )

    def pay(self, card: str = gateway.ACCEPTED, answer: str = "confirm", keep: bool = False) -> Any:
        """Look at the preview and place the order; the order, or None when the bank or the customer said no.

        `answer` is what is clicked on the bank's page: confirm, refuse, leave. Without a card, credit pays for all.
        `keep`: the box "Keep this card for renewals" stays ticked.
        """
        fields = (_card_fields(card) if card else {}) | ({"card-keep": "on"} if keep else {})
        if card:
            self.post(self.address("checkout:preview"), fields, 200)
        else:
            self.get(self.address("checkout:preview"))
        fields["action"] = "place_order"
        declined = card == gateway.DECLINED
        response = self.post(self.address("checkout:preview"), fields, 200 if declined else 302)
        if declined:
            return None
        if card == gateway.ASKS_THE_BANK:
            response = self.post(response.headers["Location"], {"answer": answer})
            response = self.get(response.headers["Location"], 302)
            if answer != "confirm":
                return None
        if response.headers["Location"] != self.address("checkout:thank-you"):
            raise WentWrong(f"{self.name}: no order, but {response.headers['Location']}")
        self.thank_you = self.get(response.headers["Location"]).content.decode()
        return get_model("order", "Order").objects.latest("pk")

    def code_from_thank_you(self) -> str:
        """The code of one's own that the thank-you page shows."""
        found = re.search(r"/r/([A-Z0-9-]+)/", self.thank_you)
        if found is None:
            raise WentWrong(f"{self.name}: no share link on the thank-you page")
        return found[1]


def _card_fields(number: str) -> dict[str, str]:
    return {"card-number": number, "card-expiry": "04 / 32", "card-code": "123"}


def _value(page: str, name: str) -> str:
    """What stands in a field of a form."""
    field = re.search(rf'<input[^>]*name="{name}"[^>]*>', page)
    value = re.search(r'value="([^"]*)"', field[0]) if field else None
    if value is None:
        raise WentWrong(f"no field {name}")
    return value[1]


def _readable(response: Any) -> str:
    """What stands in a page's alerts and below its fields."""
    text = response.content.decode(errors="replace")
    found = re.findall(
        r'<[^>]*class="[^"]*(?:alert|error|invalid)[^"]*"[^>]*>(.*?)</(?:div|li|p|span)>', text, re.S
    )
    return " / ".join(" ".join(re.sub(r"<[^>]+>", " ", each).split()) for each in found)[:500]
