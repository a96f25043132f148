"""Whose friend placed an order: what ``order_placed`` and the sweep ask about it, and write down once."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any, Final

from django.db import transaction
from django.db.models import F
from oscar.core.loading import get_model

from oscar_integration import vouchers
from oscar_integration.shop import email_of, snapshot_of
from oscar_integration.triggers import asked_ranges
from wagtail_referrals import rewards
from wagtail_referrals.referrals.models import Purchase

# Set on an order that was just placed and concerns nobody here: what is saved with it need not be looked at.
_NOT_OURS: Final = "_referrals_not_ours"


def is_nobodys(order: Any) -> bool:
    """Whether this very object was found to concern nobody here when its order was placed. No query."""
    return bool(getattr(order, _NOT_OURS, False))


def attribute(order: Any, *, savepoint: bool = True) -> Purchase | None:
    """Whose friend placed this order? At most 3 queries for an order that concerns nobody.

    ``savepoint`` as for ``rewards.order_placed``.
    """
    reference = str(order.basket_id) if order.basket_id else ""
    email = email_of(order)
    discounts = discounts_of(order)
    concern = rewards.whose_order(
        str(order.number), basket_reference=reference, user=order.user, email=email, discounts=discounts
    )
    if concern is None and not discounts:
        setattr(order, _NOT_OURS, True)
        return None
    purchase = None
    if concern is not None:
        purchase = rewards.order_placed(
            snapshot_of(order, user=order.user, email=email, ranges=asked_ranges(concern.terms())),
            basket_reference=reference,
            user=order.user,
            email=email,
            discounts=discounts,
            concern=concern,
            savepoint=savepoint,
        )
    spare_unused(order, discounts)
    if discounts:
        # Not before the commit: until then Oscar's lock on the voucher lets one order have it, and refuses the others.
        transaction.on_commit(partial(vouchers.end, list(discounts)), robust=True)
    return purchase


def live_basket(order: Any) -> Any | None:
    """The very basket that the order was made of, with its discounts worked out, if it is at hand. No query."""
    basket = order._state.fields_cache.get("basket")
    return basket if basket is not None and basket.has_strategy else None


def discounts_of(order: Any) -> dict[str, Decimal]:
    """What our vouchers took off this order, by code; tax included.

    From the basket that it was made of, while that is at hand; else from the order's discounts, with a query.
    """
    basket = live_basket(order)
    found: dict[str, Decimal] = {}
    if basket is None:
        rows = order.discounts.filter(voucher_code__startswith=vouchers.PREFIX)
        for code, amount in rows.values_list("voucher_code", "amount"):
            found[code] = found.get(code, Decimal("0.00")) + amount
        return found
    for application in basket.offer_applications:
        voucher = application["voucher"]
        if voucher is None or not vouchers.is_ours(voucher.code) or application["discount"] <= 0:
            continue
        amount = application["discount"]
        if not application["result"].affects_shipping:
            amount = sum((_gross(line, application["offer"]) for line in basket.all_lines()), Decimal("0.00"))
        found[voucher.code] = found.get(voucher.code, Decimal("0.00")) + amount
    return found


def _gross(line: Any, offer: Any) -> Decimal:
    """What an offer takes off a basket line, tax included."""
    total = Decimal("0.00")
    for discount in line.discounts:
        if discount.offer == offer:
            known = not discount.incl_tax and line.is_tax_known and line.unit_price_excl_tax
            total += (
                discount.amount * line.unit_price_incl_tax / line.unit_price_excl_tax
                if known
                else discount.amount
            )
    return total.quantize(Decimal("0.01"))


def spare_unused(order: Any, used: dict[str, Decimal]) -> None:
    """Oscar counts every voucher in the basket as used, also one of ours that took nothing off. That one stays good.

    Unless it was withdrawn: Oscar writes whole rows, and may have brought it back.
    """
    basket = live_basket(order)
    if basket is not None and vouchers.considered(basket) <= set(used):
        return
    Application = get_model("voucher", "VoucherApplication")
    idle = Application.objects.filter(order=order, voucher__code__startswith=vouchers.PREFIX).exclude(
        voucher__code__in=list(used)
    )
    voucher_ids = list(idle.values_list("voucher_id", flat=True))
    if voucher_ids:
        Application.objects.filter(order=order, voucher__in=voucher_ids).delete()
        spared = get_model("voucher", "Voucher").objects.filter(pk__in=voucher_ids)
        spared.filter(num_orders__gt=0).update(num_orders=F("num_orders") - 1)
        withdrawn = rewards.withdrawn_codes(spared.values_list("code", flat=True))
        if withdrawn:
            vouchers.end(withdrawn)
