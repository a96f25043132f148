"""What the shop's receiver calls when an order was placed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone

from wagtail_referrals import signals, tracking
from wagtail_referrals.referrals import PurchaseSnapshot, record_purchase
from wagtail_referrals.referrals.models import Purchase
from wagtail_referrals.rewards.discounts import mark_discounts_used
from wagtail_referrals.tracking.models import Claim


def order_placed(
    snapshot: PurchaseSnapshot,
    *,
    basket_reference: str = "",
    user: Any = None,
    email: str = "",
    discounts: Mapping[str, Decimal] | None = None,
    now: datetime | None = None,
) -> Purchase | None:
    """Attribute an order: by the discount it used, by its basket, by the customer; ``None`` when it is nobody's.

    ``discounts`` maps voucher codes to what they took off, in the order's currency. Settles nothing: the sweep does,
    and the shop's later signals. Idempotent by the order number.
    """
    moment = now or timezone.now()
    known = user if user is not None and getattr(user, "is_authenticated", False) else None
    used = (
        mark_discounts_used(discounts, reference=snapshot.reference, currency=snapshot.currency, now=moment)
        if discounts
        else []
    )
    claim = next((grant.claim for grant in used if grant.claim is not None), None)
    if claim is None and basket_reference:
        claim = tracking.claim_of_basket(basket_reference)
    if known is not None and (claim is None or claim.state == Claim.State.REPLACED):
        # The invitation that took its place may have come on another device, where this basket was not at hand.
        claim = tracking.open_claim_of(known, now=moment) or claim
    purchase = record_purchase(snapshot, claim=claim, user=known, email=email, now=moment)
    if purchase is not None:
        signals.purchase_recorded.send_robust(sender=Purchase, purchase=purchase)
    return purchase
