"""What a sweep reads of many referrals at once, so that settle need not read it of each.

Nothing of it is believed without the referral's ``revision``: it goes up with whatever of this may have changed, and
settle compares it under the lock.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from wagtail_referrals.referrals import Facts, get_shop
from wagtail_referrals.referrals.models import Purchase
from wagtail_referrals.rewards.models import DiscountGrant
from wagtail_referrals.rewards.settle import ReadBeforehand
from wagtail_referrals.tracking.models import Claim
from wagtail_referrals.trust.models import Decision

logger = logging.getLogger("wagtail_referrals")


class DueReferral(NamedTuple):
    """As it was when the sweep looked for what is due."""

    next_check_at: datetime
    pk: int
    revision: int
    advocate_id: int
    claim_id: int
    program_key: UUID
    friend_id: Any
    friend_email_hash: str


def read_beforehand(due: Sequence[DueReferral]) -> dict[int, ReadBeforehand]:
    """By the referral's key. Five queries and those of the shop's facts, however many referrals."""
    ids = [referral.pk for referral in due]
    purchases: dict[int, list[Purchase]] = defaultdict(list)
    for purchase in Purchase.objects.filter(referral__in=ids).order_by("placed_at", "pk"):
        purchases[purchase.referral_id].append(purchase)
    decisions: dict[int, list[Decision]] = defaultdict(list)
    for decision in Decision.objects.filter(referral__in=ids).order_by("created_at", "pk"):
        decisions[decision.referral_id].append(decision)
    again = set(
        DiscountGrant.objects.filter(claim__in=[referral.claim_id for referral in due], issue=1).values_list(
            "claim_id", flat=True
        )
    )
    others = _other_claims(due)
    facts = _facts_of([purchase.reference for theirs in purchases.values() for purchase in theirs])
    return {
        referral.pk: ReadBeforehand(
            revision=referral.revision,
            facts=facts,
            purchases=purchases[referral.pk],
            decisions=decisions[referral.pk],
            given_again=referral.claim_id in again,
            other_claims=referral.pk in others,
        )
        for referral in due
    }


def _other_claims(due: Sequence[DueReferral]) -> set[int]:
    """The referrals whose friend is invited to the same program by another claim that is open."""
    still_open = Claim.objects.filter(state=Claim.State.OPEN).order_by()
    invited: dict[tuple[Any, UUID], set[int]] = defaultdict(set)
    users = {referral.friend_id for referral in due} - {None}
    hashes = {referral.friend_email_hash for referral in due} - {""}
    for field, found in (
        ("user_id", still_open.filter(user__in=users)),
        ("email_hash", still_open.filter(user=None, email_hash__in=hashes)),
    ):
        for claim_id, person, program_key in found.values_list("pk", field, "terms__program_key"):
            invited[person, program_key].add(claim_id)
    return {
        referral.pk
        for referral in due
        for person in (referral.friend_id, referral.friend_email_hash)
        if invited.get((person, referral.program_key), set()) - {referral.claim_id}
    }


def _facts_of(references: list[str]) -> dict[str, Facts] | None:
    """Read for the whole batch; ``None`` when that fails, maybe because of one order: then each is read by itself."""
    try:
        return dict(get_shop().facts(references)) if references else {}
    except Exception:
        logger.exception("The facts of %s orders could not be read at once.", len(references))
        return None
