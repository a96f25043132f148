"""An order after it was placed: paid, shipped, cancelled, refunded.

Each function locks the order, so two managers clicking at once do it once. Amounts are in the order's currency, with
tax.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.apps import apps
from django.db import transaction
from django.utils.translation import gettext as _
from oscar.core.loading import get_class, get_model

from example_site.card import gateway

EventHandler = get_class("order.processing", "EventHandler")
Order = get_model("order", "Order")
PaymentEventType = get_model("order", "PaymentEventType")
ShippingEventType = get_model("order", "ShippingEventType")

NOTHING = Decimal("0.00")
CENT = Decimal("0.01")
CARD_SOURCE_CODE = "card"
CREDIT_SOURCE_CODE = "referral-credit"


class NotPossible(Exception):
    """The action does not fit the order's state; the message is for the shop manager."""


def _locked(order: Any) -> Any:
    return Order.objects.select_for_update(of=("self",)).get(pk=order.pk)


def _source(order: Any, code: str) -> Any:
    return order.sources.filter(source_type__code=code).first()


def _card_refundable(order: Any) -> Decimal:
    source = _source(order, CARD_SOURCE_CODE)
    return source.amount_available_for_refund if source else NOTHING


def _credit_refundable(order: Any) -> Decimal:
    source = _source(order, CREDIT_SOURCE_CODE)
    return source.amount_allocated - source.amount_refunded if source else NOTHING


def refundable(order: Any) -> Decimal:
    """What was paid for the order, by card and with credit, and not given back yet."""
    return _card_refundable(order) + _credit_refundable(order)


def paid(order: Any) -> Decimal:
    """What was taken for the order, by card and with credit, whether given back later or not."""
    card, credit = _source(order, CARD_SOURCE_CODE), _source(order, CREDIT_SOURCE_CODE)
    return (card.amount_debited if card else NOTHING) + (credit.amount_allocated if credit else NOTHING)


@transaction.atomic
def mark_paid(order: Any, user: Any = None) -> None:
    """Take the authorised amount from the card and move the order to "Paid".

    Raises NotPossible when the order is not waiting for its payment.
    """
    order = _locked(order)
    _require(order, "Paid")
    source = _source(order, CARD_SOURCE_CODE)
    if source is not None:
        taken = gateway.capture(order.number)
        if taken:
            source.debit(taken, reference=source.reference)
            EventHandler(user).create_payment_event(
                order, _payment_event_type("Paid"), taken, reference=source.reference
            )
    order.set_status("Paid")


@transaction.atomic
def mark_shipped(order: Any, user: Any = None) -> None:
    """Record that everything left the shop (or was sent by e-mail). Raises NotPossible when the order is not paid."""
    order = _locked(order)
    _require(order, "Shipped")
    handler = EventHandler(user)
    lines = list(order.lines.all())
    quantities = [line.quantity for line in lines]
    event_type, _created = ShippingEventType.objects.get_or_create(
        code="shipped", defaults={"name": "Shipped"}
    )
    handler.handle_shipping_event(order, event_type, lines, quantities)
    handler.consume_stock_allocations(order, lines, quantities)
    order.set_status("Shipped")


@transaction.atomic
def cancel(order: Any, user: Any = None) -> Decimal:
    """Cancel an order that has not left the shop, give back what was paid and return how much that was."""
    order = _locked(order)
    _require(order, "Cancelled")
    gateway.void(order.number)
    given = _give_back(order, refundable(order), user) if refundable(order) else NOTHING
    handler = EventHandler(user)
    handler.cancel_stock_allocations(order)
    order.set_status("Cancelled")
    handler.create_note(order, _("Order cancelled."))
    return given


@transaction.atomic
def refund(
    order: Any,
    amount: Decimal | None = None,
    quantities: Mapping[int, int] | None = None,
    with_shipping: bool = False,
    user: Any = None,
) -> Decimal:
    """Give back an amount, or the price paid for some pieces (line id -> how many), and return what was given back.

    Never more than was paid and not given back yet. The card first, then store credit. An order that was given back
    entirely moves to "Refunded". Raises NotPossible when nothing can be given back.
    """
    order = _locked(order)
    lines, counts = [], []
    if amount is None:
        amount = order.shipping_incl_tax if with_shipping else NOTHING
        for line in order.lines.all():
            count = int((quantities or {}).get(line.pk, 0))
            if not 0 <= count <= line.quantity:
                raise NotPossible(
                    _("There are only %(count)d pieces in this line.") % {"count": line.quantity}
                )
            if count:
                lines.append(line)
                counts.append(count)
                amount += price_paid(line, count)
    amount = amount.quantize(CENT, rounding=ROUND_HALF_UP)
    if amount <= 0:
        raise NotPossible(_("Choose what to refund."))
    event_type = _payment_event_type("Refund")
    if any(
        not line.is_payment_event_permitted(event_type, count)
        for line, count in zip(lines, counts, strict=True)
    ):
        raise NotPossible(_("These pieces were refunded already."))
    if refundable(order) <= 0:
        raise NotPossible(
            _("Nothing is left to refund: the payment was not taken yet, or was refunded already.")
        )
    given = _give_back(order, min(amount, refundable(order)), user, lines, counts)
    if refundable(order) == 0 and "Refunded" in order.available_statuses():
        order.set_status("Refunded")
    return given


def price_paid(line: Any, count: int) -> Decimal:
    """What the customer paid for some pieces of a line, after discounts."""
    return (line.line_price_incl_tax * count / line.quantity).quantize(CENT, rounding=ROUND_HALF_UP)


def _give_back(order: Any, amount: Decimal, user: Any, lines: Any = None, counts: Any = None) -> Decimal:
    by_card = gateway.refund(order.number, min(amount, _card_refundable(order)))
    event = EventHandler(user).create_payment_event(
        order, _payment_event_type("Refund"), amount, lines, counts
    )
    if by_card:
        source = _source(order, CARD_SOURCE_CODE)
        source.refund(by_card, reference=source.reference)
    by_credit = _refund_store_credit(order, amount - by_card, key=f"payment-event:{event.pk}")
    if by_card + by_credit != amount:
        event.amount = by_card + by_credit
        event.save(update_fields=["amount"])
    return event.amount


def _refund_store_credit(order: Any, amount: Decimal, key: str) -> Decimal:
    """Give back the part that was paid with referral credit; the package knows the customer's account."""
    if amount <= 0 or not apps.is_installed("oscar_integration"):
        return NOTHING
    from oscar_integration import refund_credit

    return refund_credit(order, amount, key)


def _payment_event_type(name: str) -> Any:
    return PaymentEventType.objects.get_or_create(name=name)[0]


def _require(order: Any, status: str) -> None:
    if status not in order.available_statuses():
        raise NotPossible(
            _("This order is “%(now)s” and cannot become “%(next)s”.")
            % {"now": _(order.status), "next": _(status)}
        )
