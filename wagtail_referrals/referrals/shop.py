"""The port to the shop: what the engine asks, and what a shop answers. Oscar's is in ``oscar_integration.shop``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Protocol

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.http import HttpRequest

from wagtail_referrals import conf
from wagtail_referrals.kinds import DiscountIssuer


@dataclass(frozen=True)
class Facts:
    """What is true of an order now. Only the present state: neither how nor how often it came about.

    ``refunded`` is what was given back of the goods, tax included, without delivery, at most what they cost.
    ``shipped_at`` of an order without anything to deliver is ``paid_at``. It stays when a delivered order is cancelled.
    """

    paid_at: datetime | None = None
    shipped_at: datetime | None = None
    cancelled: bool = False
    refunded: Decimal = Decimal(0)

    def to_json(self) -> dict[str, Any]:
        return {
            "paid_at": self.paid_at.isoformat() if self.paid_at else None,
            "shipped_at": self.shipped_at.isoformat() if self.shipped_at else None,
            "cancelled": self.cancelled,
            "refunded": str(self.refunded),
        }


@dataclass(frozen=True)
class PurchaseSnapshot:
    """What is true of an order at the moment of ordering, never read again.

    ``eligible``: goods, tax included, after discounts, without delivery; in ``currency``. ``was_customer``: there was
    an earlier order by this account or this e-mail address. ``lines``: JSON values for triggers that ask about them.
    """

    reference: str
    placed_at: datetime
    currency: str
    eligible: Decimal
    total: Decimal
    was_customer: bool
    lines: Sequence[dict[str, Any]] = ()


class Shop(DiscountIssuer, Protocol):
    """What a shop implements. Named in ``WAGTAIL_REFERRALS["SHOP"]``; made once, without arguments."""

    def facts(self, references: Sequence[str]) -> Mapping[str, Facts]:
        """The present state of these orders, in a constant number of queries. Unknown orders are left out."""

    def was_customer(self, *, user: Any, email: str, excluding: str | None) -> bool:
        """Is there an order by this account or this e-mail address, other than ``excluding``?"""

    def same_delivery_address(self, reference: str, user: Any) -> bool:
        """Was the order sent to an address of this customer?"""

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


@receiver(setting_changed, dispatch_uid="wagtail_referrals.shop")
def _forget_shop(*, setting: str, **kwargs: Any) -> None:
    if setting == "WAGTAIL_REFERRALS":
        get_shop.cache_clear()
