"""What the ledger refuses."""

from __future__ import annotations

from decimal import Decimal


class InsufficientCredit(Exception):
    """The customer no longer has that much credit. ``available`` (Decimal, in ``currency``) is what there is."""

    def __init__(self, available: Decimal, currency: str) -> None:
        super().__init__(f"Only {available} {currency} of credit is available.")
        self.available = available
        self.currency = currency


class NothingToRefund(ValueError):
    """The order was not paid with credit, or all of that was given back before."""
