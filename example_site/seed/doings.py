"""What people do in the history, and what the shop does: each a step of the story, done at the moment of the clock.

Visitors send requests; the manager's actions are those behind the dashboard's buttons. See `history.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model

from example_site.backoffice import orders as backoffice
from example_site.card.gateway import ACCEPTED, ASKS_THE_BANK, DECLINED
from example_site.seed.clock import MovingClock
from example_site.seed.people import Person
from example_site.seed.visitor import ANDROID, LAPTOP, PHONE, ROBOTS, Visitor
from wagtail_referrals import credit, people

User = get_user_model()

STREETS = [
    "rue Kervégan",
    "rue de Strasbourg",
    "quai de Versailles",
    "rue Paul-Bellamy",
    "boulevard des Anglais",
    "rue du Maréchal-Joffre",
    "avenue Camus",
    "rue Dervallières",
    "rue Saint-Clément",
    "quai Ceineray",
    "rue Noire",
]


@dataclass
class Shop:
    """What the story remembers while it is told."""

    clock: MovingClock
    editor: Any
    manager: Any
    landing_page: Any = None
    class_page: Any = None
    # By name of who ordered.
    orders: dict[str, Any] = field(default_factory=dict)
    # Codes of guests, from their thank-you page.
    codes: dict[str, str] = field(default_factory=dict)
    visitors: dict[str, Visitor] = field(default_factory=dict)

    def code(self, advocate: str) -> str:
        """The code of a customer (by address) or of a guest (by name)."""
        if advocate in self.codes:
            return self.codes[advocate]
        return people.code_of(people.advocate_for(User.objects.get(email=advocate)))

    def at(self, days_ago: float, hour: str, what: Callable[[], Any]) -> None:
        self.clock.plan(self.clock.moment(days_ago, hour), what)


# What people do


def share(shop: Shop, advocate: str, *channels: str) -> None:
    """The link is sent: whoever carries it looks at it first, and that counts as nobody's visit."""
    for channel in channels:
        for name in ("whatsapp", "facebook", "telegram"):
            if channel == name:
                Visitor("fr", ROBOTS[name], f"the robot of {name}").follow(shop.code(advocate), channel)


def look(shop: Shop, advocate: str, via: str, language: str = "fr", agent: str = PHONE) -> None:
    """Somebody opens the link, and that is all."""
    Visitor(language, agent, "somebody who looks").follow(shop.code(advocate), via)


def fill_and_leave(shop: Shop, name: str, advocate: str, via: str, *skus: str) -> None:
    """The friend has the discount in the basket, and never comes back."""
    visitor = Visitor("fr", ANDROID, name)
    visitor.follow(shop.code(advocate), via)
    for sku in skus:
        visitor.add(sku)
    visitor.get(visitor.address("basket:summary"))


def arrive_and_register(shop: Shop, name: str, last_name: str, advocate: str, via: str) -> None:
    visitor = Visitor("fr", PHONE, name)
    visitor.follow(shop.code(advocate), via)
    visitor.register(address_of(name, last_name), name, last_name)
    shop.visitors[name] = visitor


@dataclass
class Buys:
    """One order of one person, and how they came to it."""

    name: str
    last_name: str
    skus: tuple[str, ...]
    # Whose link, or None for somebody who came by themselves.
    link: str | None = None
    via: str = "whatsapp"
    language: str = "fr"
    agent: str = PHONE
    # "guest", "account" (registers first), or the address of somebody who signs in.
    as_whom: str = "guest"
    email: str = ""
    street: dict[str, str] = field(default_factory=dict)
    card: str = ACCEPTED
    # For renewals.
    keep_card: bool = False
    # Of each article.
    pieces: int = 1
    # What goes wrong before the order: a declined card, the bank's page left.
    first_try: str = ""
    types_code: bool = False
    # Taken out of the basket before paying.
    without: tuple[str, ...] = ()
    # A discount that one was given as a reward is put into the basket, from the account.
    reward: bool = False
    credit: str = ""
    # Who sent them, and where that one lives.
    names: tuple[str, ...] = ()
    pick_up: bool = False
    # The browser is kept for another order.
    keeps: bool = False
    # Under which the story knows the order; the first name unless there are several.
    key: str = ""

    def __call__(self, shop: Shop) -> None:
        visitor = shop.visitors.get(self.name) or Visitor(self.language, self.agent, self.name)
        if self.link and not self.types_code:
            visitor.follow(shop.code(self.link), self.via)
        email = self.email or address_of(self.name, self.last_name)
        if self.as_whom == "account":
            visitor.register(email, self.name, self.last_name)
        elif self.as_whom == "customer":
            visitor.sign_in(email)
        for sku in self.skus:
            visitor.add(sku, self.pieces)
        if self.reward:
            visitor.use_reward()
        for sku in self.without:
            visitor.take_out(sku)
        if self.link and self.types_code:
            visitor.type_code(shop.code(self.link))
        if self.as_whom == "late":
            # Signs in when the basket is full: the baskets merge.
            visitor.sign_in(email)
        if self.as_whom == "guest":
            visitor.as_guest(email)
        visitor.deliver(
            {
                "first_name": self.name,
                "last_name": self.last_name,
                **(self.street or street_of(self.last_name)),
            },
            pick_up=self.pick_up,
        )
        if self.names:
            visitor.name_friend(*self.names)
        if self.first_try == DECLINED:
            visitor.pay(DECLINED)
        elif self.first_try:
            visitor.pay(ASKS_THE_BANK, self.first_try)
        if self.credit:
            visitor.use_credit(self.credit)
        shop.orders[self.key or self.name] = visitor.pay(self.card, keep=self.keep_card)
        if self.keeps:
            shop.visitors[self.name] = visitor
        if self.as_whom == "guest" and "/r/" in visitor.thank_you:
            shop.codes[self.name] = visitor.code_from_thank_you()


def opens_account(person: Person) -> None:
    """Looks at "Refer a friend" for the first time, and agrees to the name that friends will see."""
    visitor = Visitor("fr", PHONE, person.first_name)
    visitor.sign_in(person.email)
    visitor.confirm_name(person.first_name)


def at_home(person: Person) -> dict[str, str]:
    """Where one of the people with a login lives."""
    return {"line1": person.street, "line4": person.town, "postcode": person.postcode}


def street_of(last_name: str) -> dict[str, str]:
    """Where these people live: a household has one address, and no two the same."""
    number = sum(map(ord, last_name)) % 90 + 1
    street = STREETS[len(last_name) * 7 % len(STREETS)]
    return {"line1": f"{number} {street}", "line4": "Nantes", "postcode": "44000"}


def address_of(name: str, last_name: str) -> str:
    plain = f"{name}.{last_name}".lower().translate(str.maketrans("àâäéèêëîïôöùûüç-", "aaaeeeeiioouuuc."))
    return f"{plain}@example.com"


# What the shop does


def buys(
    shop: Shop,
    days_ago: float,
    hour: str,
    purchase: Buys,
    *,
    paid: float | None = 0.2,
    sent: float | None = 1.6,
) -> None:
    """Somebody orders; `paid` and `sent` count in days from then, None for not yet."""
    buys_at(shop, shop.clock.moment(days_ago, hour), purchase, paid=paid, sent=sent)


def buys_at(
    shop: Shop,
    moment: datetime,
    purchase: Buys,
    *,
    paid: float | None = 0.2,
    sent: float | None = 1.6,
) -> None:
    key = purchase.key or purchase.name
    shop.clock.plan(moment, lambda: purchase(shop))
    if paid is not None:
        shop.clock.plan(moment + timedelta(days=paid), lambda: pay(shop, key))
    if paid is not None and sent is not None:
        shop.clock.plan(moment + timedelta(days=sent), lambda: send(shop, key))


def pay(shop: Shop, name: str) -> None:
    """What is not sent was paid at the checkout."""
    order = shop.orders[name]
    order.refresh_from_db()
    if order.status == "Pending":
        backoffice.mark_paid(order, shop.manager)


def send(shop: Shop, name: str) -> None:
    backoffice.mark_shipped(shop.orders[name], shop.manager)


def cancel(shop: Shop, name: str) -> None:
    backoffice.cancel(shop.orders[name], shop.manager)


def refund(shop: Shop, name: str, amount: str = "", *, pieces: dict[str, int] | None = None) -> None:
    """Give back an amount, or pieces by article number; without either, everything."""
    order = shop.orders[name]
    if pieces is not None:
        lines = {line.pk: pieces[line.upc] for line in order.lines.all() if line.upc in pieces}
        backoffice.refund(order, quantities=lines, user=shop.manager)
    else:
        money = Decimal(amount) if amount else backoffice.refundable(order)
        backoffice.refund(order, amount=money, user=shop.manager)


def correct(shop: Shop, email: str, amount: str, note: str) -> None:
    """The editor adds to a customer's credit, with the reason."""
    currency = settings.OSCAR_DEFAULT_CURRENCY
    account = credit.account_of(User.objects.get(email=email), currency)
    visitor = Visitor("en", LAPTOP, "the editor")
    visitor.sign_in_as_staff(shop.editor.email)
    visitor.correct_credit(account.pk, amount, currency, note)
