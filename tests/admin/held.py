"""Referrals that a check holds: paid and delivered long ago, only a person's word is missing."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from tests.admin.rows import NOW, make_purchase, make_referral, make_user
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards import settle
from wagtail_referrals.trust.models import Decision

LONG_AGO = NOW - timedelta(days=40)
_numbers = count(1)


def hold(
    referral: Referral,
    purchase: Purchase | None = None,
    *,
    check: str = "same_address",
    reason: str = "same_address",
    moment: datetime = LONG_AGO,
) -> Decision:
    said = {"outcome": Decision.Outcome.HOLD, "reason": reason, "created_at": moment}
    decision, _created = Decision.objects.update_or_create(
        referral=referral, purchase=purchase, check_key=check, defaults=said
    )
    return decision


def make_held(
    terms: Terms,
    advocate: Advocate,
    name: str = "Léa",
    *,
    reference: str = "",
    moment: datetime = LONG_AGO,
    **values: Any,
) -> Referral:
    """Its order goes to an address of the referrer."""
    number = next(_numbers)
    friend = make_user(f"friend{number}@example.com", name)
    referral = make_referral(terms, advocate, friend, moment=moment, **values)
    observed = {
        "paid_at": moment.isoformat(),
        "shipped_at": (moment + timedelta(days=1)).isoformat(),
        "cancelled": False,
        "refunded": "0",
    }
    purchase = make_purchase(
        referral, reference or f"held-{number}", "60.00", moment=moment, observed=observed
    )
    hold(referral, purchase, moment=moment)
    settle(referral.pk)
    referral.refresh_from_db()
    assert referral.state == Referral.State.TO_CHECK
    return referral
