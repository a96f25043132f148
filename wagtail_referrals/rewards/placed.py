"""What the shop's receiver calls when an order was placed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone

from wagtail_referrals import signals, tracking
from wagtail_referrals.programs import TermsData, parse
from wagtail_referrals.referrals import (
    PurchaseSnapshot,
    is_friend,
    is_recorded,
    record_purchase,
    referrals_of,
)
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.discounts import grants_of_codes, mark_discounts_used
from wagtail_referrals.rewards.models import DiscountGrant
from wagtail_referrals.tracking.models import Claim


@dataclass(frozen=True)
class Concern:
    """Whom an order concerns, as it was read a moment ago, before anything was written about it."""

    grants: list[DiscountGrant]
    claim: Claim | None
    referrals: list[Referral]
    # Was this very order recorded before? None: not asked.
    recorded: bool | None

    def terms(self) -> list[TermsData]:
        """The terms that the order may fall under. No query."""
        rows = [referral.terms for referral in self.referrals]
        if self.claim is not None:
            rows.append(self.claim.terms)
        return [parse(row) for row in {row.pk: row for row in rows}.values()]


def whose_order(
    reference: str,
    *,
    basket_reference: str = "",
    user: Any = None,
    email: str = "",
    discounts: Iterable[str] = (),
    now: datetime | None = None,
) -> Concern | None:
    """Whom does this order concern? ``None`` when nobody. Writes nothing.

    ``discounts`` are the voucher codes that it used. One query where one of them is ours and the friend is new; at
    most 3 without.
    """
    moment = now or timezone.now()
    known = user if user is not None and getattr(user, "is_authenticated", False) else None
    codes = list(discounts)
    grants = (
        grants_of_codes(codes, is_friend=is_friend(known, email), is_recorded=is_recorded(reference))
        if codes
        else []
    )
    claim = next((grant.claim for grant in grants if grant.claim is not None), None)
    if claim is not None and claim.state == Claim.State.REPLACED:
        # Replaced while the order was being paid for, with the discount in it: what was used decides.
        claim.state = Claim.State.OPEN
    if claim is None and basket_reference:
        claim = tracking.claim_of_basket(basket_reference)
    if known is not None and (claim is None or claim.state == Claim.State.REPLACED):
        # The invitation that took its place may have come on another device, where this basket was not at hand.
        claim = tracking.open_claim_of(known, now=moment) or claim
    is_new = bool(grants) and not grants[0].is_friend  # type: ignore[attr-defined]
    referrals = [] if is_new else referrals_of(known, email)
    if not grants and claim is None and not referrals:
        return None
    recorded = bool(grants[0].is_recorded) if grants else None  # type: ignore[attr-defined]
    return Concern(grants, claim, referrals, recorded)


def order_placed(
    snapshot: PurchaseSnapshot,
    *,
    basket_reference: str = "",
    user: Any = None,
    email: str = "",
    discounts: Mapping[str, Decimal] | None = None,
    concern: Concern | None = None,
    savepoint: bool = True,
    now: datetime | None = None,
) -> Purchase | None:
    """Attribute an order: by the discount it used, by its basket, by the customer; ``None`` when it is nobody's.

    ``discounts`` maps voucher codes to what they took off, in the order's currency. Settles nothing: the sweep does,
    and the shop's later signals. Idempotent by the order number. ``concern`` is what ``whose_order`` has just said.

    ``savepoint=False`` saves a caller two statements who has a savepoint of their own and, should this raise
    ``IntegrityError``, rolls back to it and calls again: another process was faster.
    """
    moment = now or timezone.now()
    known = user if user is not None and getattr(user, "is_authenticated", False) else None
    found = concern or whose_order(
        snapshot.reference,
        basket_reference=basket_reference,
        user=known,
        email=email,
        discounts=discounts or {},
        now=moment,
    )
    if found is None:
        return None
    events = mark_discounts_used(
        found.grants,
        discounts or {},
        reference=snapshot.reference,
        currency=snapshot.currency,
        now=moment,
    )
    purchase = record_purchase(
        snapshot,
        claim=found.claim,
        user=known,
        email=email,
        existing=found.referrals,
        recorded=found.recorded,
        events=events,
        savepoint=savepoint,
        now=moment,
    )
    if purchase is not None:
        signals.purchase_recorded.send_robust(sender=Purchase, purchase=purchase, now=moment)
    return purchase
