"""Which products sell a membership. Asked at every order, so cached."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django.core.cache import cache
from django.db import transaction
from django.db.models import Q
from oscar.core.loading import get_model

from oscar_integration.attribution import live_basket
from oscar_integration.memberships.models import Plan

CACHE_KEY: Final = "oscar_integration.memberships.sold_products"
CACHE_SECONDS: Final = 60


def sells_membership(product_ids: Iterable[int | None]) -> bool:
    """Does one of these products sell one? An order of the minute in which a plan is made is left to the sweep.

    No query with a warm cache; else one, in a savepoint, for a checkout's sake.
    """
    sold: frozenset[int] | None = cache.get(CACHE_KEY)
    if sold is None:
        with transaction.atomic():
            sold = _read()
        cache.set(CACHE_KEY, sold, CACHE_SECONDS)
    return not sold.isdisjoint(product_ids)


def _read() -> frozenset[int]:
    """The products of plans, and where that is a parent, its variants."""
    plans = Plan.objects.filter(product__isnull=False).values("product")
    products = get_model("catalogue", "Product")._default_manager.filter(
        Q(pk__in=plans) | Q(parent__in=plans)
    )
    return frozenset(products.order_by().values_list("pk", flat=True))


def forget_sold_products(**kwargs: Any) -> None:
    """After a plan was saved or deleted: once now, for this request, and once when others can read what changed."""
    cache.delete(CACHE_KEY)
    transaction.on_commit(lambda: cache.delete(CACHE_KEY), robust=True)


def products_of(order: Any) -> list[int | None]:
    """What was ordered. No query where the very basket is at hand that the order was made of; else one."""
    basket = live_basket(order)
    if basket is not None:
        return [line.product_id for line in basket.all_lines()]
    with transaction.atomic():
        return list(order.lines.values_list("product", flat=True))
