"""All orders of the shop by day, for reports that compare friends with other customers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from django.db.models import Count, Exists, Min, OuterRef, Q, Sum
from django.db.models.functions import Lower, TruncDate
from django.utils import timezone
from oscar.core.loading import get_model

from wagtail_referrals.referrals import DayOrders

# Addresses in one query.
BATCH: Final = 500


def orders_by_day(start: datetime, end: datetime) -> list[DayOrders]:
    """The orders placed from ``start`` to before ``end``, by day and currency; 3 queries, and 1 per 500 guests.

    A repeat order is one of an account, or of a guest's address, that had ordered before, whatever became of that.
    """
    Order = get_model("order", "Order")
    placed = Q(date_placed__gte=start, date_placed__lt=end)
    day = TruncDate("date_placed", tzinfo=timezone.get_default_timezone())
    earlier = Order._default_manager.filter(user=OuterRef("user"), date_placed__lt=OuterRef("date_placed"))
    rows = (
        Order._default_manager.filter(placed)
        .order_by()
        .annotate(day=day, is_repeat=Exists(earlier.order_by()))
        .values_list("day", "currency")
        .annotate(number=Count("pk"), repeats=Count("pk", filter=Q(is_repeat=True)))
    )
    Line = get_model("order", "Line")
    goods = (
        Line._default_manager.filter(order__date_placed__gte=start, order__date_placed__lt=end)
        .order_by()
        .annotate(day=TruncDate("order__date_placed", tzinfo=timezone.get_default_timezone()))
        .values_list("day", "order__currency")
        .annotate(Sum("line_price_incl_tax"))
    )
    revenue = {(placed_on, currency): amount for placed_on, currency, amount in goods}
    by_guests: dict[tuple[date, str], int] = {}
    for key in _repeat_orders_of_guests(Order, placed, day):
        by_guests[key] = by_guests.get(key, 0) + 1
    return [
        DayOrders(
            day=placed_on,
            currency=currency,
            orders=number,
            repeat_orders=repeats + by_guests.get((placed_on, currency), 0),
            revenue=Decimal(revenue.get((placed_on, currency)) or 0).quantize(Decimal("0.01")),
        )
        for placed_on, currency, number, repeats in rows
    ]


def _repeat_orders_of_guests(orders: Any, placed: Q, day: TruncDate) -> Iterator[tuple[date, str]]:
    """Day and currency of each guest's order that was not the first with its address."""
    guests = orders._default_manager.filter(user=None).exclude(guest_email="").order_by()
    guests = guests.annotate(address=Lower("guest_email"))
    found = guests.filter(placed).annotate(day=day)
    rows = found.values_list("address", "date_placed", "day", "currency").order_by("date_placed", "pk")
    theirs = list(rows)
    # There is no index of addresses: all of them are looked for at once.
    first = dict(_first_orders(guests, {address for address, *_rest in theirs}))
    for address, moment, placed_on, currency in theirs:
        if first[address] < moment:
            yield placed_on, currency


def _first_orders(guests: Any, addresses: Iterable[str]) -> Iterator[tuple[str, datetime]]:
    left = iter(sorted(addresses))
    while batch := list(islice(left, BATCH)):
        yield from guests.filter(address__in=batch).values_list("address").annotate(Min("date_placed"))
