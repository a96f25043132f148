"""Who brought most friends, for staff: whoever it is, in any period. Leaderboards name only who wants to be named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count, Max, QuerySet, Sum
from django.utils import timezone

from wagtail_referrals.recognition.models import Standing
from wagtail_referrals.recognition.standings import CENT, EVER, NET, PAID, counts
from wagtail_referrals.referrals.models import Purchase, Referral


@dataclass
class TopReferrer:
    """``referrals``: friends who count. ``revenue``: what these have paid for and kept, by currency."""

    advocate_id: int
    referrals: int
    revenue: dict[str, Decimal] = field(default_factory=dict)


def top_referrers(
    days: tuple[date, date] | None, *, program_key: str | UUID | None = None, size: int = 100
) -> list[TopReferrer]:
    """The ``size`` with most friends who came to count in these days, in the site's time zone; ``None``: ever.

    Whole months, years and "ever" are read from the counters; other days are counted from the referrals that qualified
    in them. Among equals, who got there first is named first. Two queries.
    """
    periods = [EVER] if days is None else whole_periods(*days)
    if periods is not None:
        return _from_standings(periods, program_key, size)
    assert days is not None
    return _from_referrals(*days, program_key, size)


def whole_periods(first: date, last: date) -> list[str] | None:
    """The years and months that these days consist of, as in ``Standing.period``; ``None`` if they are not whole."""
    after = last + timedelta(days=1)
    if first.day != 1 or after.day != 1:
        return None
    found = []
    while first < after:
        next_year = date(first.year + 1, 1, 1)
        if first.month == 1 and next_year <= after:
            found.append(f"{first:%Y}")
            first = next_year
        else:
            found.append(f"{first:%Y-%m}")
            first = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return found


def _from_standings(periods: Sequence[str], program_key: str | UUID | None, size: int) -> list[TopReferrer]:
    rows = Standing.objects.filter(period__in=periods, referrals__gt=0)
    if program_key:
        rows = rows.filter(program_key=program_key)
    if program_key and len(periods) == 1:
        # One row for each: the index has them in this order.
        best: QuerySet[Any] = rows.order_by("-referrals", "reached_at", "advocate_id").values_list(
            "advocate_id", "referrals"
        )
    else:
        best = (
            rows.order_by()
            .values("advocate_id")
            .annotate(sum=Sum("referrals"), last=Max("reached_at"))
            .order_by("-sum", "last", "advocate_id")
            .values_list("advocate_id", "sum")
        )
    found = {pk: TopReferrer(pk, referrals) for pk, referrals in best[:size]}
    for pk, revenue in rows.filter(advocate__in=found).values_list("advocate_id", "revenue"):
        for currency, amount in revenue.items():
            _add(found[pk], currency, Decimal(amount))
    return list(found.values())


def _from_referrals(first: date, last: date, program_key: str | UUID | None, size: int) -> list[TopReferrer]:
    start, end = _midnight(first), _midnight(last + timedelta(days=1))
    rows = Referral.objects.filter(counts(), qualified_at__gte=start, qualified_at__lt=end)
    orders = Purchase.objects.filter(
        counts("referral__"), referral__qualified_at__gte=start, referral__qualified_at__lt=end
    )
    if program_key:
        rows, orders = rows.filter(program_key=program_key), orders.filter(referral__program_key=program_key)
    best = (
        # A customer who was deleted is named nowhere.
        rows.exclude(advocate__user=None, advocate__email_hash="")
        .order_by()
        .values("advocate_id")
        .annotate(count=Count("pk"), last=Max("qualified_at"))
        .order_by("-count", "last", "advocate_id")
        .values_list("advocate_id", "count")
    )
    found = {pk: TopReferrer(pk, referrals) for pk, referrals in best[:size]}
    sums = (
        orders.filter(referral__advocate__in=found)
        .order_by()
        .values_list("referral__advocate_id", "currency")
        # Not a condition of the whole: PostgreSQL guesses that hardly any order is paid, and reads all of them.
        .annotate(net=Sum(NET, filter=PAID))
    )
    for pk, currency, net in sums:
        _add(found[pk], currency, Decimal(net or 0).quantize(CENT))
    return list(found.values())


def _add(top: TopReferrer, currency: str, amount: Decimal) -> None:
    if amount:
        top.revenue[currency] = top.revenue.get(currency, Decimal(0)) + amount


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min), timezone.get_default_timezone())
