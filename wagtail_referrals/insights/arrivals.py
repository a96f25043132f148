"""Friends' orders by the month in which the friends became known. See ``ArrivalFigures``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Count, DateTimeField, Exists, F, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Greatest, TruncDate, TruncMonth
from django.utils import timezone

from wagtail_referrals.insights.kept import moments_within, runs_of
from wagtail_referrals.insights.models import ArrivalFigures
from wagtail_referrals.insights.periods import Period
from wagtail_referrals.referrals.models import Purchase

NUMBERS = ("orders", "first_orders", "first_of_month", "revenue")


class Arrival(NamedTuple):
    """Where figures belong, as in ``ArrivalFigures``."""

    day: date
    program_key: str
    currency: str
    arrived: date


def orders_by_arrival(orders: QuerySet[Purchase]) -> QuerySet[Any]:
    """The orders with ``arrived`` and ``placed``, days that are the first of a month, ``is_first`` of the friend, and
    ``is_first_of_month``.
    """
    zone = timezone.get_default_timezone()
    before = Q(placed_at__lt=OuterRef("placed_at")) | Q(
        placed_at=OuterRef("placed_at"), pk__lt=OuterRef("pk")
    )
    earlier = Purchase.objects.filter(before, referral=OuterRef("referral")).order_by()
    # An order that a referrer reported is older than the referral.
    own = Greatest(F("arrived"), TruncMonth("placed_at", tzinfo=zone))
    others = Greatest(OuterRef("arrived"), TruncMonth("placed_at", tzinfo=zone), output_field=DateTimeField())
    same_month = earlier.annotate(month=others).filter(month=OuterRef("placed"))
    return (
        orders.order_by()
        .annotate(arrived=TruncMonth("referral__created_at", tzinfo=zone))
        .annotate(placed=own)
        .annotate(is_first=~Exists(earlier), is_first_of_month=~Exists(same_month))
    )


def numbers() -> dict[str, Any]:
    """What is said of orders that have what ``orders_by_arrival`` adds, in the order of ``NUMBERS``."""
    return {
        "sum_orders": Count("pk"),
        "sum_first_orders": Count("pk", filter=Q(is_first=True)),
        "sum_first_of_month": Count("pk", filter=Q(is_first_of_month=True)),
        "sum_revenue": Sum("eligible"),
    }


def count_arrivals(runs: Sequence[Period]) -> dict[Arrival, dict[str, Any]]:
    """What the rows say of these days, figure by figure. One query, however many days."""
    if not runs:
        return {}
    zone = timezone.get_default_timezone()
    rows = orders_by_arrival(Purchase.objects.filter(moments_within(runs, "placed_at")))
    sums = numbers()
    place = ("day", "referral__program_key", "currency", "arrived")
    return {
        Arrival(day, str(program), currency, arrived.date()): {
            "orders": orders,
            "first_orders": first,
            "first_of_month": first_of_month,
            # SQLite adds in floats.
            "revenue": Decimal(revenue).quantize(Decimal("0.00")),
        }
        for day, program, currency, arrived, orders, first, first_of_month, revenue in rows.annotate(
            day=TruncDate("placed_at", tzinfo=zone)
        )
        .values(*place)
        .annotate(**sums)
        .values_list(*place, *sums)
    }


def write_arrivals(days: list[date]) -> None:
    """Keep what the rows say of these days. Inside a transaction, with the days locked."""
    counted = count_arrivals(runs_of(days))
    ArrivalFigures.objects.filter(day__in=days).delete()
    ArrivalFigures.objects.bulk_create(
        [ArrivalFigures(**key._asdict(), **figures) for key, figures in counted.items()], batch_size=2000
    )


def kept_arrivals(day: date) -> dict[Arrival, dict[str, Any]]:
    """What is kept of a day."""
    return {
        Arrival(*(getattr(row, name) for name in Arrival._fields)): {
            name: getattr(row, name) for name in NUMBERS
        }
        for row in ArrivalFigures.objects.filter(day=day)
    }
