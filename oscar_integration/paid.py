"""What of an order was paid with credit, as pages and e-mails show it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from oscar_integration.capture import find_source
from wagtail_referrals.credit import format_money


@dataclass(frozen=True)
class OrderCredit:
    """Amounts in ``currency``, tax included. The ``_text`` ones are in the current language."""

    currency: str
    total: Decimal
    amount: Decimal
    refunded: Decimal

    @property
    def rest(self) -> Decimal:
        """What was paid in another way."""
        return self.total - self.amount

    @property
    def amount_text(self) -> str:
        return format_money(self.amount, self.currency)

    @property
    def rest_text(self) -> str:
        return format_money(self.rest, self.currency)

    @property
    def refunded_text(self) -> str:
        return format_money(self.refunded, self.currency)


def credit_of(order: Any) -> OrderCredit | None:
    """What of ``order`` was paid with credit; None if nothing was. 1 query."""
    source = find_source(order)
    if source is None:
        return None
    return OrderCredit(order.currency, order.total_incl_tax, source.amount_allocated, source.amount_refunded)
