"""What figures say when one is put beside another: rates, averages, cost, and how they changed.

Everything here is arithmetic. What cannot be divided is ``None``, or is missing where amounts are kept by currency.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from wagtail_referrals import credit

if TYPE_CHECKING:
    from wagtail_referrals.insights.daily import DayFigures
    from wagtail_referrals.insights.shop import ShopFigures

Money = dict[str, Decimal]


def percent(part: int | Decimal, whole: int | Decimal) -> Decimal | None:
    """``part`` of ``whole`` in per cent, with one decimal below ten and none above: 2.4, 31."""
    if not whole:
        return None
    exact = Decimal(part) / Decimal(whole) * 100
    return exact.quantize(Decimal("0.1") if abs(exact) < 10 else Decimal(1), ROUND_HALF_UP)


def per(number: int, whole: int) -> Decimal | None:
    """How many for each of ``whole``, with one decimal."""
    return (Decimal(number) / whole).quantize(Decimal("0.1"), ROUND_HALF_UP) if whole else None


def change(now: int | Decimal, before: int | Decimal) -> int | None:
    """By how many per cent it became more, or less; ``None`` where there was nothing before."""
    if not before:
        return None
    return int(((Decimal(now) - before) / before * 100).quantize(Decimal(1), ROUND_HALF_UP))


def cost(figures: DayFigures) -> Money:
    """What referrals cost in the currencies in which it was given: rewards that were given and not taken back, and
    friends' discounts.
    """
    return added(figures.given, figures.discounts)


def added(*amounts: Mapping[str, Decimal]) -> Money:
    """Each currency with itself."""
    total: Money = {}
    for one in amounts:
        for currency, amount in one.items():
            total[currency] = total.get(currency, Decimal(0)) + amount
    return total


def cost_per_new_customer(figures: DayFigures) -> Money:
    """The cost divided by the friends who ordered for the first time.

    Where orders came in several currencies, the cost in each by those whose first order was in it. Points are not what
    an order is in: their cost is divided by all.
    """
    found: Money = {}
    several = sum(1 for number in figures.ordered_in.values() if number) > 1
    for currency, amount in cost(figures).items():
        in_it = several and credit.is_money(currency)
        customers = figures.ordered_in.get(currency, 0) if in_it else figures.ordered
        if customers:
            found[currency] = credit.quantize(amount / customers, currency)
    return found


def average_order(figures: DayFigures) -> Money:
    """What an order of a friend came to, in each currency."""
    return {
        currency: credit.quantize(figures.revenue.get(currency, Decimal(0)) / orders, currency)
        for currency, orders in figures.orders_in.items()
        if orders
    }


@dataclass(frozen=True)
class BesideOthers:
    """Friends' orders beside those of all other customers, in one currency.

    ``part`` is the referred part of all revenue in per cent. Averages are ``None`` without an order.
    """

    currency: str
    friends_average: Decimal | None
    others_average: Decimal | None
    part: Decimal | None


def beside_others(figures: DayFigures, shop: Mapping[str, ShopFigures]) -> list[BesideOthers]:
    """By currency; ``shop`` counts all orders, those of friends included."""
    averages = average_order(figures)
    found = []
    for currency in sorted({*averages, *(code for code, item in shop.items() if item.orders)}):
        revenue = figures.revenue.get(currency, Decimal(0))
        everybody = shop.get(currency)
        orders = everybody.orders - figures.orders_in.get(currency, 0) if everybody else 0
        found.append(
            BesideOthers(
                currency,
                averages.get(currency),
                credit.quantize((everybody.revenue - revenue) / orders, currency)
                if everybody and orders > 0
                else None,
                percent(revenue, everybody.revenue) if everybody else None,
            )
        )
    return found


def repeat_rates(
    figures: DayFigures, shop: Mapping[str, ShopFigures]
) -> tuple[Decimal | None, Decimal | None]:
    """Of friends' orders, and of all others, how many per cent came from somebody who had ordered before."""
    orders = sum(item.orders for item in shop.values()) - figures.orders
    again = sum(item.repeat_orders for item in shop.values()) - figures.repeat_orders
    return percent(figures.repeat_orders, figures.orders), percent(again, orders) if orders > 0 else None
