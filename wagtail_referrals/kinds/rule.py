"""A rule as it stands in published terms: plain values, no rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import models
from django.utils.translation import pgettext_lazy


class Side(models.TextChoices):
    FRIEND = "friend", pgettext_lazy("side", "the friend")
    ADVOCATE = "advocate", pgettext_lazy("side", "your customer")


class RefundPolicy(models.TextChoices):
    PROPORTIONAL = "proportional", pgettext_lazy("refund", "The reward shrinks with the order")
    KEEP = "keep", pgettext_lazy("refund", "The reward stays unless the order falls below its minimum")


@dataclass(frozen=True)
class Rule:
    """One rule of frozen terms.

    ``amounts`` and ``minimum_spend`` map a currency to a Decimal amount in it; ``percent`` is 0 to 100.
    ``occurrence`` is n for "the n-th qualified referral". ``refund_policy`` is never empty here: the kind's
    default was filled in when the terms were written.
    """

    key: str
    side: str
    trigger: str
    kind: str
    refund_policy: str
    amounts: dict[str, Decimal] = field(default_factory=dict)
    percent: Decimal | None = None
    minimum_spend: dict[str, Decimal] = field(default_factory=dict)
    occurrence: int | None = None
    expires_days: int | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def minimum_in(self, currency: str) -> Decimal | None:
        """What an order in ``currency`` must come to, 0 without a minimum.

        ``None``: a minimum was given, but none in this currency, so that nothing is due for orders in it.
        """
        if not any(self.minimum_spend.values()):
            return Decimal(0)
        return self.minimum_spend.get(currency)
