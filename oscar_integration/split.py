"""How a total is divided between credit and the card. Pure: no database, no request."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum


class Adjustment(Enum):
    """Why the credit used is not what was asked for."""

    NONE = ""
    # The rest would have been too small for the card, and there was enough credit to pay it too.
    PAID_THE_REST = "paid_the_rest"
    # The rest would have been too small for the card, so it gets the smallest charge.
    LEFT_THE_MINIMUM = "left_the_minimum"
    # The total is too small to be divided at all.
    TOO_SMALL = "too_small"


@dataclass(frozen=True)
class Split:
    """What credit and card pay; together the total. Same currency throughout."""

    credit: Decimal
    card: Decimal
    adjustment: Adjustment = Adjustment.NONE


def split(total: Decimal, wanted: Decimal, minimum: Decimal, available: Decimal | None = None) -> Split:
    """Divide ``total`` so that the card is charged nothing or at least ``minimum``.

    ``wanted``: credit that the shopper wants to use, at most what is available. ``available``: with it, more than
    ``wanted`` may be used where that avoids a charge below the minimum; None never uses more than ``wanted``.
    """
    used = min(wanted, total)
    if used <= 0:
        return Split(Decimal("0.00"), total)
    card = total - used
    if card == 0 or card >= minimum:
        return Split(used, card)
    if available is not None and available >= total:
        return Split(total, total - total, Adjustment.PAID_THE_REST)
    if total <= minimum:
        return Split(Decimal("0.00"), total, Adjustment.TOO_SMALL)
    return Split(total - minimum, minimum, Adjustment.LEFT_THE_MINIMUM)
