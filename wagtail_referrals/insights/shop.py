"""All orders of the shop by day, whoever placed them: what referrals are compared with. Where the shop says."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Sum

from wagtail_referrals.insights.daily import NOTHING
from wagtail_referrals.insights.kept import KeptDays, days_of, days_within, kept_days, runs_of
from wagtail_referrals.insights.models import ShopDay
from wagtail_referrals.insights.periods import Period
from wagtail_referrals.referrals import DayOrders, get_shop, shop_orders_by_day

logger = logging.getLogger("wagtail_referrals")


@dataclass
class ShopFigures:
    """In one currency: orders, of them those by somebody who had ordered before, and what they came to.

    As the orders were placed: goods with tax after discounts, without delivery.
    """

    orders: int = 0
    repeat_orders: int = 0
    revenue: Decimal = NOTHING


def shop_says() -> bool:
    """Can the shop tell of all its orders? No query."""
    return hasattr(get_shop(), "orders_by_day")


def count_shop_days(days: list[date]) -> None:
    """Ask the shop about days that are over, and keep the answer. Inside a transaction, with the days locked."""
    rows = _asked(runs_of(days))
    ShopDay.objects.filter(day__in=days).delete()
    ShopDay.objects.bulk_create(
        [
            ShopDay(
                day=row.day,
                currency=row.currency,
                orders=row.orders,
                repeat_orders=row.repeat_orders,
                revenue=row.revenue,
            )
            for row in rows
        ],
        batch_size=500,
    )


def _asked(runs: list[Period]) -> list[DayOrders]:
    return [row for run in runs for row in shop_orders_by_day(run.start, run.end)]


def shop_orders(start: date, last: date, kept: KeptDays | None = None) -> dict[str, ShopFigures] | None:
    """All orders of the shop on whole days, ``start`` and ``last`` included, by currency.

    ``None`` where the shop does not say, also when it fails to, which is logged. ``kept``: these days and perhaps
    others, where they are known already.
    """
    if not shop_says():
        return None
    wanted = set(days_of(Period(start, last)))
    known = wanted & (kept or kept_days(start, last)).shop
    found: dict[str, ShopFigures] = {}
    live = runs_of(wanted - known)
    try:
        for row in _asked(live):
            _add(found, row.currency, row.orders, row.repeat_orders, row.revenue)
    except Exception:
        logger.exception("The shop could not say what was ordered from %s to %s.", start, last)
        return None
    if known:
        rows = ShopDay.objects.filter(days_within(runs_of(known))).order_by().values("currency")
        sums = rows.annotate(
            sum_orders=Sum("orders"), sum_repeat=Sum("repeat_orders"), sum_revenue=Sum("revenue")
        )
        for each in sums:
            _add(found, each["currency"], each["sum_orders"], each["sum_repeat"], each["sum_revenue"])
    return found


def _add(
    found: dict[str, ShopFigures], currency: str, orders: int, repeat_orders: int, revenue: Decimal
) -> None:
    figures = found.setdefault(currency, ShopFigures())
    figures.orders += orders
    figures.repeat_orders += repeat_orders
    # SQLite adds in floats.
    figures.revenue += Decimal(revenue).quantize(NOTHING)
