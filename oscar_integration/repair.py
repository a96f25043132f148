"""What a receiver could not do when an order was placed or cancelled, done by the sweep."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import CharField, Exists, F, OuterRef, Sum
from django.db.models.functions import Cast
from oscar.core.loading import get_model

from oscar_integration import conf, vouchers
from oscar_integration.attribution import attribute
from oscar_integration.capture import SOURCE_CODE, capture_for_order
from oscar_integration.refunds import return_credit_of_cancelled
from wagtail_referrals.credit.models import Reservation
from wagtail_referrals.referrals import note_order
from wagtail_referrals.referrals.models import AttributionRequest, Purchase
from wagtail_referrals.rewards.models import DiscountGrant
from wagtail_referrals.tracking.models import Claim, ClaimBasket

logger = logging.getLogger("oscar_integration")

# How far back orders are looked at, and how long the checkout has for doing it itself.
LOOK_BACK: Final = timedelta(days=2)
IN_THE_MAKING: Final = timedelta(minutes=5)
# For so long a cancelled order is looked at whose credit did not go back.
LOOK_BACK_CANCELLED: Final = timedelta(days=365)


def missed_orders(now: datetime) -> list[Any]:
    """Orders of the last two days whose basket was tied to an invitation, and which are nobody's; and those with a
    reward of the customer in them that nobody has noted as used. 1 query.

    Not those that are nobody's for a reason: the invitation came after the order, was replaced, is another person's by
    now, or its days were over.
    """
    tied = ClaimBasket.objects.filter(
        basket_reference=Cast(OuterRef("basket_id"), CharField()),
        claim__created_at__lte=OuterRef("date_placed"),
        claim__expires_at__gte=OuterRef("date_placed"),
        claim__referral=None,
    ).exclude(claim__state=Claim.State.REPLACED)
    unnoted = DiscountGrant.objects.filter(code=OuterRef("voucher_code"), reward__isnull=False)
    with_reward = get_model("order", "OrderDiscount").objects.filter(
        Exists(unnoted.exclude(state=DiscountGrant.State.USED)),
        order=OuterRef("pk"),
        voucher_code__startswith=vouchers.PREFIX,
    )
    orders = get_model("order", "Order")._default_manager.filter(
        Exists(tied) & ~Exists(Purchase.objects.filter(reference=OuterRef("number"))) | Exists(with_reward),
        date_placed__gte=now - LOOK_BACK,
        date_placed__lte=now - IN_THE_MAKING,
    )
    return list(orders.select_related("user").order_by(F("date_placed"), "pk"))


def attribute_missed(sender: Any, now: datetime, **kwargs: Any) -> None:
    """Attribute them. One that fails again is logged and does not keep the others waiting."""
    for order in missed_orders(now):
        try:
            with transaction.atomic():
                attribute(order)
        except Exception:
            logger.exception("Order #%s: could not be attributed to an invitation", order.number)


def note_who_sent(order: Any) -> None:
    """Note which order came of what was said with its basket, if anything was. One statement."""
    if order.basket_id:
        note_order(str(order.number), basket_reference=str(order.basket_id), user=order.user)


def note_missed(sender: Any, now: datetime, **kwargs: Any) -> None:
    """Orders of the last two days that were said to come by a friend, when that could not be noted. 1 query."""
    said = AttributionRequest.objects.filter(
        basket_reference=Cast(OuterRef("basket_id"), CharField()),
        kind=AttributionRequest.Kind.NAMED,
        state=AttributionRequest.State.WAITING,
        reference="",
    )
    orders = get_model("order", "Order")._default_manager.filter(
        Exists(said), date_placed__gte=now - LOOK_BACK, date_placed__lte=now - IN_THE_MAKING
    )
    for order in orders.select_related("user"):
        try:
            note_who_sent(order)
        except Exception:
            logger.exception("Order #%s: who was said to have sent it could not be noted", order.number)


def uncaptured_orders(now: datetime) -> list[Any]:
    """Orders of the last two days that lack the very amount that was set aside for them. 2 queries; 1 without any.

    An order that the card paid entirely lacks nothing: its credit is free again.
    """
    last: dict[str, Reservation] = {}
    recent = Reservation.objects.filter(created_at__gte=now - LOOK_BACK, created_at__lte=now - IN_THE_MAKING)
    for reservation in recent.select_related("account").order_by("pk"):
        last[reservation.order_number] = reservation
    waiting = (Reservation.State.ACTIVE, Reservation.State.EXPIRED)
    open_ones = {number: found for number, found in last.items() if found.state in waiting}
    if not open_ones:
        return []
    orders = get_model("order", "Order")._default_manager.filter(number__in=open_ones, user__isnull=False)
    return [
        order
        for order in orders.annotate(paid=Sum("sources__amount_allocated"))
        if order.user_id == open_ones[order.number].account.user_id
        and order.currency == open_ones[order.number].account.currency
        and (order.paid or 0) + open_ones[order.number].amount == order.total_incl_tax
    ]


def capture_missed(sender: Any, now: datetime, **kwargs: Any) -> None:
    """Spend the credit of orders that were placed while it could not be spent, before it expires."""
    for order in uncaptured_orders(now):
        capture_for_order(order)


def return_missed(sender: Any, now: datetime, **kwargs: Any) -> None:
    """Give back the credit of orders that were cancelled without a signal, or while it could not be given back."""
    orders = get_model("order", "Order")._default_manager.filter(
        status__in=conf.cancelled_statuses(),
        date_placed__gte=now - LOOK_BACK_CANCELLED,
        user__isnull=False,
        sources__source_type__code=SOURCE_CODE,
        sources__amount_refunded__lt=F("sources__amount_debited"),
    )
    for order in orders.distinct():
        try:
            return_credit_of_cancelled(order)
        except Exception:
            logger.exception(
                "Order #%s: the credit of a cancelled order could not be given back", order.number
            )
