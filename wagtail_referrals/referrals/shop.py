"""The port to the shop: what the engine asks, and what a shop answers. Oscar's is in ``oscar_integration.shop``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Protocol

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.db.models import F, QuerySet
from django.db.models.expressions import Combinable
from django.dispatch import receiver
from django.http import HttpRequest

from wagtail_referrals import conf
from wagtail_referrals.kinds import DiscountIssuer
from wagtail_referrals.programs import TermsData


@dataclass(frozen=True)
class Facts:
    """What is true of an order now. Only the present state: neither how nor how often it came about.

    ``refunded`` is what was given back of the goods, tax included, without delivery, at most what they cost.
    ``refunded_lines`` says how much of that was given back or cancelled of which line, by the line's id as text: what
    is known of no line counts for all of them in proportion.
    ``shipped_at`` of an order without anything to deliver is ``paid_at``. It stays when a delivered order is cancelled.
    """

    paid_at: datetime | None = None
    shipped_at: datetime | None = None
    cancelled: bool = False
    refunded: Decimal = Decimal(0)
    refunded_lines: Mapping[str, Decimal] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "paid_at": self.paid_at.isoformat() if self.paid_at else None,
            "shipped_at": self.shipped_at.isoformat() if self.shipped_at else None,
            "cancelled": self.cancelled,
            "refunded": str(self.refunded),
            "refunded_lines": {line: str(amount) for line, amount in self.refunded_lines.items() if amount},
        }


@dataclass(frozen=True)
class PurchaseSnapshot:
    """What is true of an order at the moment of ordering, never read again.

    ``eligible``: goods, tax included, after discounts, without delivery; in ``currency``. ``was_customer``: there was
    an earlier order by this account or this e-mail address.

    ``lines``: JSON values, one for each line of the order, for triggers that ask about them: "line" (its id as text),
    "amount" (what the line cost, as ``eligible`` counts it, as text), and what else the shop's own triggers ask for.
    """

    reference: str
    placed_at: datetime
    currency: str
    eligible: Decimal
    total: Decimal
    was_customer: bool
    lines: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True)
class CustomerOrders:
    """Orders as audiences count them, in the shop's own table: one row for each order that came to something.

    ``customer`` names the foreign key to the account. The others name a field or are an expression: when it was
    placed, the currency, and what the customer spent on it in that currency, less what was given back.
    """

    orders: QuerySet[Any]
    customer: str
    placed_at: str | Combinable
    currency: str | Combinable
    spent: str | Combinable

    @staticmethod
    def expression(value: str | Combinable) -> Combinable:
        return F(value) if isinstance(value, str) else value


@dataclass(frozen=True)
class GuestOrders:
    """Orders with an e-mail address of their own, in the shop's own table: those of guests, above all.

    ``reference`` and ``email`` name the fields of the order number, as in ``PurchaseSnapshot``, and of the address.
    """

    orders: QuerySet[Any]
    reference: str
    email: str


@dataclass(frozen=True)
class PlacedOrder:
    """An order that was placed without an invitation, when somebody says afterwards whose friend placed it.

    ``snapshot`` is what it would have been when it was placed. ``user`` is the account, ``None`` for a guest, whose
    address is ``email``. ``basket_reference`` is the number of its basket as in ``rewards.commit``, "" where the shop
    no longer knows it.
    """

    snapshot: PurchaseSnapshot
    user: Any
    email: str
    basket_reference: str = ""


@dataclass(frozen=True)
class DayOrders:
    """All orders that were placed on a day of the site's time zone, in one currency, whatever became of them.

    ``repeat_orders`` are those of an account, or of a guest's address, that had ordered before. ``revenue``: goods, tax
    included, after discounts, without delivery, as the orders were placed.
    """

    day: date
    currency: str
    orders: int
    repeat_orders: int
    revenue: Decimal


@dataclass(frozen=True)
class GoodOrder:
    """An order of an account that was delivered, and of which nothing was given back. ``user_id``: its key."""

    reference: str
    user_id: Any
    placed_at: datetime
    shipped_at: datetime


class Shop(DiscountIssuer, Protocol):
    """What a shop implements. Named in ``WAGTAIL_REFERRALS["SHOP"]``; made once, without arguments.

    Optional is ``renews() -> bool``: does the shop renew memberships at present, and ask ``rewards.renewal_credit``
    what credit pays of it? No query. A shop without the method renews nothing.

    Optional is ``register_url(request) -> str``: where a visitor opens an account. A friend whose present waits for one
    is led there; without the method, or with "", to ``start_url``.

    Optional is ``orders_by_day(start, end) -> Iterable[DayOrders]``: the orders that were placed from ``start`` to
    before ``end``, in few queries, a row for each day and currency. Without the method reports compare referrals with
    nothing.

    Optional is ``first_orders(most, terms) -> Sequence[PurchaseSnapshot]``: the newest first orders of accounts, as
    they would have been noted when they were placed under these ``terms``, in few queries. Without the method editors
    are not told what a program would give for them.

    Optional is ``recent_good_orders(start, end) -> Iterable[GoodOrder]``: the orders of accounts that were delivered
    from ``start`` to before ``end``, as in ``Facts.shipped_at``, that were not cancelled and of which nothing was given
    back so far; in few queries for each 500. Without the method nobody is asked after an order to refer friends.

    Optional are the two that requests about orders need, see ``requests``. Without ``placed_order(reference, terms) ->
    PlacedOrder | None`` none is confirmed: it reads one order, ``None`` when there is none with that number; ``terms``
    are those that it may fall under, for what the snapshot says of its lines. Without ``people_named(name, town) ->
    Collection[Any]`` staff look for who is meant: it answers with the keys of the accounts that this name means in this
    town, however they are written.
    """

    def facts(self, references: Sequence[str]) -> Mapping[str, Facts]:
        """The present state of these orders, in a constant number of queries. Unknown orders are left out."""

    def was_customer(self, *, user: Any, email: str, excluding: str | None) -> bool:
        """Is there an order by this account or this e-mail address, other than ``excluding``?"""

    def guest_orders(self) -> GuestOrders:
        """All orders with an address of their own, whatever became of them. No query."""

    def same_delivery_address(self, reference: str, user: Any) -> bool:
        """Was the order sent to an address of this customer?"""

    def orders_of_customers(self, user_id: Any | None) -> CustomerOrders:
        """The orders of all accounts, or of one: not those that were cancelled or given back as a whole. No query."""

    def ranges(self) -> Sequence[tuple[str, str]]:
        """What the shop groups its products by, for editors to choose from: id and title."""

    def customers_who_bought(self, range_id: str, user_id: Any | None) -> QuerySet[Any]:
        """The accounts, or the one, with an order as above of something in this range: their primary keys, one column.

        Of a range that is gone: nobody.
        """

    def use_discount(self, request: HttpRequest, code: str) -> str:
        """Put a discount that may be used into the basket of this request's customer, and tell them.

        Where to lead them then; "" where the shop has no such basket, and the code is to be typed.
        """

    def takes_credit(self) -> bool:
        """Can customers pay with their credit at present? For what they are told about it; no query."""

    def start_url(self, request: HttpRequest) -> str:
        """Where a friend begins to shop."""

    def order_url(self, reference: str) -> str:
        """Where staff see the order; "" when nowhere."""


@lru_cache(maxsize=1)
def get_shop() -> Shop:
    """The shop that the settings name. Raises ``ImproperlyConfigured`` when they name none."""
    factory = conf.load("SHOP")
    if factory is None:
        raise ImproperlyConfigured(
            'WAGTAIL_REFERRALS["SHOP"] is not set, e.g. "oscar_integration.shop.OscarShop".'
        )
    shop: Shop = factory()
    return shop


def shop_renews() -> bool:
    """Can credit pay renewals in this shop at present? No query."""
    ask = getattr(get_shop(), "renews", None)
    return ask is not None and bool(ask())


def shop_register_url(request: HttpRequest) -> str:
    """Where a visitor opens an account; "" where the shop does not say."""
    ask = getattr(get_shop(), "register_url", None)
    return str(ask(request)) if ask is not None else ""


def shop_orders_by_day(start: datetime, end: datetime) -> list[DayOrders]:
    """All orders from ``start`` to before ``end`` by day; none where the shop does not say."""
    ask = getattr(get_shop(), "orders_by_day", None)
    return list(ask(start, end)) if ask is not None else []


def shop_first_orders(most: int, terms: TermsData) -> list[PurchaseSnapshot] | None:
    """The newest first orders of the shop's customers; ``None`` where the shop does not say."""
    ask = getattr(get_shop(), "first_orders", None)
    return list(ask(most, terms)) if ask is not None else None


def shop_good_orders(start: datetime, end: datetime) -> Iterable[GoodOrder]:
    """Orders that were delivered from ``start`` to before ``end`` and stayed; none where the shop does not say."""
    ask = getattr(get_shop(), "recent_good_orders", None)
    return ask(start, end) if ask is not None else []


def shop_order(reference: str, terms: Sequence[TermsData]) -> PlacedOrder | None:
    """An order that was placed already; ``None`` where there is none, or the shop cannot say."""
    ask = getattr(get_shop(), "placed_order", None)
    return ask(reference, terms) if ask is not None else None


def shop_people_named(name: str, town: str) -> list[Any]:
    """Keys of the accounts that a name means in a town; none where the shop cannot say."""
    ask = getattr(get_shop(), "people_named", None)
    return list(ask(name, town)) if ask is not None else []


@receiver(setting_changed, dispatch_uid="wagtail_referrals.shop")
def _forget_shop(*, setting: str, **kwargs: Any) -> None:
    if setting == "WAGTAIL_REFERRALS":
        get_shop.cache_clear()
