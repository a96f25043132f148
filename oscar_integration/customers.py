"""What django-oscar knows about customers, for audiences: orders, what was spent on them, ranges.

Everything is a queryset over the orders of accounts; guests' orders belong to nobody here, as an address that nobody
has verified is no proof of whose they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from django.db.models import Case, DecimalField, F, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Greatest
from oscar.core.loading import get_model

from oscar_integration import conf
from wagtail_referrals.referrals import CustomerOrders

_MONEY: Final = DecimalField(max_digits=14, decimal_places=2)


def orders_of_customers(user_id: Any | None) -> CustomerOrders:
    """The orders of all accounts, or of one, that were neither cancelled nor refunded as a whole. No query."""
    return CustomerOrders(
        orders=_orders(user_id),
        customer="user",
        placed_at="date_placed",
        currency="currency",
        spent=_spent(user_id),
    )


def _orders(user_id: Any | None) -> QuerySet[Any]:
    orders: QuerySet[Any] = get_model("order", "Order")._default_manager.filter(user__isnull=False)
    if user_id is not None:
        orders = orders.filter(user=user_id)
    return orders.exclude(status__in=conf.cancelled_statuses() | conf.refunded_statuses())


def _spent(user_id: Any | None) -> Combinable:
    """The total less what was given back. Two records say that, which nothing links: the larger one counts.

    Few orders are refunded: which ones is read once, and only theirs are added up.
    """
    sources = get_model("payment", "Source")._default_manager.filter(amount_refunded__gt=0)
    events = get_model("order", "PaymentEvent")._default_manager.filter(
        event_type__code__in=conf.refund_event_codes()
    )
    if user_id is not None:
        sources, events = sources.filter(order__user=user_id), events.filter(order__user=user_id)
    given_back = Greatest(
        _sum_of_order(sources, "amount_refunded"), _sum_of_order(events, "amount"), output_field=_MONEY
    )
    return Case(
        When(
            Q(pk__in=sources.order_by().values("order")) | Q(pk__in=events.order_by().values("order")),
            then=Greatest(F("total_incl_tax") - given_back, Value(Decimal(0)), output_field=_MONEY),
        ),
        default=F("total_incl_tax"),
        output_field=_MONEY,
    )


def _sum_of_order(rows: QuerySet[Any], amount: str) -> Combinable:
    of_this = rows.filter(order=OuterRef("pk")).order_by().values("order")
    total = of_this.annotate(referrals_total=Sum(amount)).values("referrals_total")
    return Coalesce(Subquery(total, output_field=_MONEY), Value(Decimal(0)), output_field=_MONEY)


def ranges() -> Sequence[tuple[str, str]]:
    """The shop's ranges, as Oscar's dashboard lists them. 1 query."""
    rows = get_model("offer", "Range")._default_manager.order_by("name").values_list("pk", "name")
    return [(str(pk), name) for pk, name in rows]


def customers_who_bought(range_id: str, user_id: Any | None) -> QuerySet[Any]:
    """Accounts with an order of a product that is in this range today; of a range that is gone: nobody.

    2 to 6 queries to read what the range consists of.
    """
    Line = get_model("order", "Line")
    lines: QuerySet[Any] = Line._default_manager.filter(order__in=_orders(user_id).values("pk"))
    found = get_model("offer", "Range")._default_manager.filter(pk=range_id).first()
    if found is None:
        return lines.none().values("order__user")
    products = found.all_products()
    if not isinstance(products, QuerySet):
        # The class that a shop wrote may answer with a list.
        products = [product.pk for product in products]
    else:
        products = products.order_by().values("pk")
    return (
        lines.filter(product__in=products)
        .exclude(status__in=conf.cancelled_statuses())
        .order_by()
        .values("order__user")
    )
