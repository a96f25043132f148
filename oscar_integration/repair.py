"""What a receiver could not do when an order was placed, done by the sweep."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import CharField, Exists, F, OuterRef
from django.db.models.functions import Cast
from oscar.core.loading import get_model

from wagtail_referrals.referrals.models import Purchase
from wagtail_referrals.tracking.models import Claim, ClaimBasket

logger = logging.getLogger("oscar_integration")

# How far back orders are looked at, and how long the checkout has for doing it itself.
LOOK_BACK: Final = timedelta(days=2)
IN_THE_MAKING: Final = timedelta(minutes=5)


def missed_orders(now: datetime) -> list[Any]:
    """Orders of the last two days whose basket was tied to an invitation, and which are nobody's. 1 query.

    Not those that are nobody's for a reason: the invitation came after the order, was replaced, is another person's by
    now, or its days were over.
    """
    tied = ClaimBasket.objects.filter(
        basket_reference=Cast(OuterRef("basket_id"), CharField()),
        claim__created_at__lte=OuterRef("date_placed"),
        claim__expires_at__gte=OuterRef("date_placed"),
        claim__referral=None,
    ).exclude(claim__state=Claim.State.REPLACED)
    orders = get_model("order", "Order")._default_manager.filter(
        Exists(tied),
        ~Exists(Purchase.objects.filter(reference=OuterRef("number"))),
        date_placed__gte=now - LOOK_BACK,
        date_placed__lte=now - IN_THE_MAKING,
    )
    return list(orders.select_related("user").order_by(F("date_placed"), "pk"))


def attribute_missed(sender: Any, now: datetime, **kwargs: Any) -> None:
    """Attribute them. One that fails again is logged and does not keep the others waiting."""
    from oscar_integration.receivers import attribute

    for order in missed_orders(now):
        try:
            with transaction.atomic():
                attribute(order)
        except Exception:
            logger.exception("Order #%s: could not be attributed to an invitation", order.number)
