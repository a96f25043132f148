"""The newest first orders of accounts, whoever placed them: what a program would give for orders like these."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef
from oscar.core.loading import get_model

from wagtail_referrals import credit
from wagtail_referrals.programs import TermsData
from wagtail_referrals.referrals import PurchaseSnapshot


def first_orders(most: int, terms: TermsData) -> list[PurchaseSnapshot]:
    """At most so many, the newest first, as they would have been noted. 2 queries, and those of the ranges asked for.

    Whether a product is in a range is answered as of today.
    """
    from oscar_integration.shop import product_class, ranges_of
    from oscar_integration.triggers import asked_ranges

    Order = get_model("order", "Order")
    earlier = Order._default_manager.filter(user=OuterRef("user"), date_placed__lt=OuterRef("date_placed"))
    orders = list(
        Order._default_manager.filter(~Exists(earlier.order_by()), user__isnull=False).order_by(
            "-date_placed", "-pk"
        )[:most]
    )
    lines: dict[Any, list[Any]] = defaultdict(list)
    of_orders = get_model("order", "Line")._default_manager.filter(order__in=[order.pk for order in orders])
    for line in of_orders.annotate(referrals_product_class=product_class()).order_by("pk"):
        lines[line.order_id].append(line)
    products = {line.product_id for theirs in lines.values() for line in theirs}
    members = ranges_of(products, asked_ranges([terms]))
    return [
        PurchaseSnapshot(
            reference=str(order.number),
            placed_at=order.date_placed,
            currency=order.currency,
            eligible=credit.quantize(
                sum((line.line_price_incl_tax for line in lines[order.pk]), Decimal(0)), order.currency
            ),
            total=order.total_incl_tax,
            was_customer=False,
            lines=[
                {
                    "line": line.pk,
                    "product": line.product_id,
                    "amount": str(line.line_price_incl_tax),
                    "ranges": members.get(line.product_id, []),
                    "product_class": line.referrals_product_class,
                }
                for line in lines[order.pk]
            ],
        )
        for order in orders
    ]
