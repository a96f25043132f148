"""Giving back what was paid with credit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import transaction
from oscar.core.loading import get_model

from oscar_integration.capture import record_source
from wagtail_referrals import credit


@transaction.atomic
def refund_credit(order: Any, amount: Decimal, key: str) -> Decimal:
    """Give back up to ``amount`` of what was paid for ``order`` with credit; what was given back by this call.

    ``amount`` is in the order's currency and is held to what was paid with credit and not given back yet. ``key`` is
    the shop's name for this refund, unique beyond this order: with the same key nothing is given back a second time,
    and the answer is 0. The order's payment source shows the refund. The order's status is not touched.
    """
    number = str(order.number)
    before = credit.captured_amount(number)
    if before <= 0 or amount <= 0:
        return Decimal("0.00")
    try:
        credit.refund(order_number=number, amount=amount, key=f"refund:{key}")
    except credit.NothingToRefund:
        return Decimal("0.00")
    # Under the account's lock from here on. The ledger says how much: what else changed meanwhile is not counted twice.
    left = credit.captured_amount(number)
    source = record_source(order, before)
    source = get_model("payment", "Source").objects.select_for_update(of=("self",)).get(pk=source.pk)
    given: Decimal = source.amount_debited - source.amount_refunded - left
    if given <= 0:
        return Decimal("0.00")
    source.refund(given)
    return given


def return_credit_of_cancelled(order: Any) -> Decimal:
    """Give back all that was paid with credit for an order that was cancelled; what was given back by this call.

    For receivers and sweeps that find an order cancelled. Once per order: a second call, or a shop that gave everything
    back itself before it cancelled, changes nothing.
    """
    paid = credit.captured_amount(str(order.number))
    if paid <= 0:
        return Decimal("0.00")
    return refund_credit(order, paid, key=f"cancelled:{order.number}")
