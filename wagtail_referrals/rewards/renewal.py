"""Credit that pays renewals by itself: what came from programs that say so, counted lot by lot."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db.models import F, Q
from django.utils import timezone

from wagtail_referrals import credit
from wagtail_referrals.rewards.models import Reward

_SOURCE: Final = "reward:"


def renewal_credit(user: Any, currency: str, *, now: datetime | None = None) -> Decimal:
    """What of the customer's credit in ``currency`` pays renewals now: never more than is available.

    That is what is not spent, not set aside and not expired of lots that came from a reward whose terms say that credit
    pays renewals. 1 query where no credit came from a reward, else 2; none for nobody.
    """
    return credit.quantize(sum(_left(user, currency, now).values(), Decimal(0)), currency)


def reserve_for_renewal(
    *,
    user: Any,
    currency: str,
    amount: Decimal,
    order_number: str,
    expires_at: datetime,
    now: datetime | None = None,
) -> credit.Reservation:
    """Set credit aside for a renewal's order, of what pays renewals only: see ``credit.reserve``.

    Raises ``InsufficientCredit`` where less than ``amount`` is there by now.
    """
    return credit.reserve(
        user=user,
        currency=currency,
        amount=amount,
        order_number=order_number,
        expires_at=expires_at,
        sources=_left(user, currency, now).keys(),
        now=now,
    )


def _left(user: Any, currency: str, now: datetime | None) -> dict[str, Decimal]:
    """What is free of credit that pays renewals, by the source of its lots."""
    if getattr(user, "pk", None) is None:
        return {}
    lots = credit.Lot.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=now or timezone.now()),
        account__user=user,
        account__currency=currency,
        # As the index of what is left says it.
        remaining__gt=0,
        source__startswith=_SOURCE,
    ).filter(remaining__gt=F("reserved"))
    free: dict[str, Decimal] = {}
    for source, remaining, reserved in lots.values_list("source", "remaining", "reserved"):
        free[source] = free.get(source, Decimal(0)) + remaining - reserved
    numbers = {source.removeprefix(_SOURCE): source for source in free}
    wanted = [int(number) for number in numbers if number.isdecimal()]
    if not wanted:
        return {}
    paying = Reward.objects.filter(pk__in=wanted, terms__data__credit_pays_renewals=True)
    sources = [numbers[str(pk)] for pk in paying.values_list("pk", flat=True)]
    return {source: free[source] for source in sources}
