"""The port to the shop: what the engine asks, and what a shop answers. Oscar's is in ``oscar_integration.shop``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
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


class Shop(DiscountIssuer, Protocol):
    """What a shop implements. Named in ``WAGTAIL_REFERRALS["SHOP"]``; made once, without arguments.

    Optional is ``renews() -> bool``: does the shop renew memberships at present, and ask ``rewards.renewal_credit``
    what credit pays of it? No query. A shop without the method renews nothing.

    Optional is ``register_url(request) -> str``: where a visitor opens an account. A friend whose present waits for one
    is led there; without the method, or with "", to ``start_url``.
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


@receiver(setting_changed, dispatch_uid="wagtail_referrals.shop")
def _forget_shop(*, setting: str, **kwargs: Any) -> None:
    if setting == "WAGTAIL_REFERRALS":
        get_shop.cache_clear()
