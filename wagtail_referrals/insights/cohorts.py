"""What became of the friends of one month: who ordered, how soon, how often, and for how much."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Q, Sum
from django.db.models.functions import TruncMonth

from wagtail_referrals import credit
from wagtail_referrals.insights.arrivals import NUMBERS, numbers, orders_by_arrival
from wagtail_referrals.insights.daily import figures
from wagtail_referrals.insights.kept import days_within, kept_days, moments_within, runs_of
from wagtail_referrals.insights.models import ArrivalFigures
from wagtail_referrals.insights.periods import Period, months_after, today
from wagtail_referrals.referrals.models import Purchase

# Days that are read and days that are counted alternate at most so often; else only the longest run is read.
_MOST_RUNS = 20


@dataclass
class Cohort:
    """Friends who became known in ``month``, a first day. Cancelled orders count too, as in the other figures.

    ``ordered``: how many of them have ordered at all. By the number of months since, 0 for the same month:
    ``ordering``, how many of them placed an order; ``orders``; ``revenue`` by currency, goods with tax after discounts
    as they were ordered. ``age``: the number of months since that have begun.
    """

    month: date
    age: int
    friends: int = 0
    ordered: int = 0
    ordering: dict[int, int] = field(default_factory=dict)
    orders: dict[int, int] = field(default_factory=dict)
    revenue: dict[str, dict[int, Decimal]] = field(default_factory=dict)


def cohorts(
    period: Period, program_key: str | UUID | None = None, *, now: datetime | None = None
) -> list[Cohort]:
    """A cohort for each month with friends who became known in the period; of one program, or of all.

    Of months that are wholly in the period the figures are read where they were kept. The orders of others' friends
    are read one by one. Six queries.
    """
    found: dict[date, Cohort] = {}

    def of(month: date) -> Cohort:
        return found.setdefault(month, Cohort(month, _months(month, today(now))))

    for text, counted in figures(period.first, period.last, program=program_key, by="month").items():
        if counted.referrals:
            of(date.fromisoformat(f"{text}-01")).friends = counted.referrals
    for arrived, placed, currency, orders, first, first_of_month, revenue in _orders(
        period, program_key, today(now)
    ):
        item = of(arrived)
        # An order that a referrer reported is older than the referral.
        since = max(_months(arrived, placed), 0)
        item.ordered += first
        item.ordering[since] = item.ordering.get(since, 0) + first_of_month
        item.orders[since] = item.orders.get(since, 0) + orders
        kept = item.revenue.setdefault(currency, {})
        kept[since] = kept.get(since, Decimal(0)) + credit.quantize(Decimal(revenue), currency)
    return [item for _month, item in sorted(found.items())]


def _orders(period: Period, program_key: str | UUID | None, day: date) -> Iterator[Any]:
    """(month of arrival, month of the order, currency, and the ``NUMBERS``); the same again with other orders."""
    whole, cut = _parts(period, day)
    runs = runs_of(kept_days().figures) if whole is not None else []
    if len(runs) > _MOST_RUNS:
        runs = [max(runs, key=lambda run: run.last - run.first)]
    others = Q(pk__in=[])
    if whole is not None:
        ours = moments_within([whole], "referral__created_at")
        others = ours & ~moments_within(runs, "placed_at") if runs else ours
    if cut:
        others |= moments_within(cut, "referral__created_at")
    rows = orders_by_arrival(Purchase.objects.filter(others))
    if program_key:
        rows = rows.filter(referral__program_key=program_key)
    place, sums = ("arrived", "placed", "currency"), numbers()
    for arrived, placed, *rest in rows.values(*place).annotate(**sums).values_list(*place, *sums):
        yield arrived.date(), placed.date(), *rest
    if whole is not None and runs:
        kept = ArrivalFigures.objects.filter(
            days_within(runs), arrived__gte=whole.first, arrived__lte=whole.last
        )
        if program_key:
            kept = kept.filter(program_key=str(program_key))
        yield from (
            kept.order_by()
            .values_list("arrived", TruncMonth("day"), "currency")
            .annotate(**{f"sum_{name}": Sum(name) for name in NUMBERS})
        )


def _parts(period: Period, day: date) -> tuple[Period | None, list[Period]]:
    """The months that are wholly in the period, as far as they have begun, and what of it lies before and after."""
    first = period.first if period.first.day == 1 else months_after(period.first, 1)
    after = months_after(period.last, 0)
    if period.last >= day or (period.last + timedelta(days=1)).day == 1:
        after = months_after(period.last, 1)
    if first >= after:
        return None, [period]
    cut = []
    if period.first < first:
        cut.append(Period(period.first, first - timedelta(days=1)))
    if period.last >= after:
        cut.append(Period(after, period.last))
    return Period(first, after - timedelta(days=1)), cut


def _months(first: date, last: date) -> int:
    return (last.year - first.year) * 12 + last.month - first.month
