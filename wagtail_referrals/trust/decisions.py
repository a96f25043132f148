"""Asking the checks, and writing down what a reviewer says. Says "decided"; never settles."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from wagtail_referrals.programs import TermsData
from wagtail_referrals.referrals import timeline
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.referrals.shop import Shop
from wagtail_referrals.trust.checks import CheckResult, Subject, checks
from wagtail_referrals.trust.models import Decision

logger = logging.getLogger("wagtail_referrals")

REVIEWER = "reviewer"


def evaluate(
    referral: Referral, terms: TermsData, purchases: Sequence[Purchase], *, shop: Shop, now: datetime
) -> list[Decision]:
    """All decisions about the referral, after asking the checks that have not spoken yet. Inside the referral's lock.

    A check speaks once about the referral and once about each order; what it said stays.
    """
    known = list(referral.decisions.order_by("created_at", "pk"))
    spoken = {(decision.check_key, decision.purchase_id) for decision in known}
    fresh: list[Decision] = []
    for check in checks:
        for purchase in purchases if check.on_purchase else [None]:
            if (check.key, purchase.pk if purchase else None) in spoken:
                continue
            subject = Subject(referral, referral.advocate, terms, purchase, shop)
            try:
                with transaction.atomic():
                    result = check.run(subject)
            except Exception:
                logger.exception("The check %s failed for referral %s.", check.key, referral.pk)
                result = CheckResult(Decision.Outcome.HOLD, "review")
            fresh.append(
                Decision(
                    referral=referral,
                    purchase=purchase,
                    check_key=check.key,
                    outcome=result.outcome,
                    reason=result.reason,
                    data=result.data,
                    created_at=now,
                )
            )
    if fresh:
        Decision.objects.bulk_create(fresh)
        for decision in fresh:
            timeline.record(
                f"check_{decision.outcome}",
                referral=referral,
                data={"check": decision.check_key, "reason": decision.reason},
                key=f"check:{referral.pk}:{decision.check_key}:{decision.purchase_id or ''}",
                now=now,
            )
    return known + fresh


def review(
    referral_id: int, outcome: str, *, actor: Any, note: str = "", now: datetime | None = None
) -> Decision | None:
    """A reviewer's word: ``approve`` or ``refuse``. The latest counts.

    ``None`` when the latest word says the same already (two editors at once). The caller settles. Raises
    ``ValueError`` for another outcome, ``Referral.DoesNotExist`` for an unknown referral.
    """
    if outcome not in (Decision.Outcome.APPROVE, Decision.Outcome.REFUSE):
        raise ValueError(f"a reviewer approves or refuses, not {outcome!r}")
    moment = now or timezone.now()
    with transaction.atomic():
        referral = Referral.objects.select_for_update(no_key=True).get(pk=referral_id)
        latest = referral.decisions.filter(check_key=REVIEWER).order_by("-created_at", "-pk").first()
        if latest is not None and latest.outcome == outcome:
            return None
        decision = Decision.objects.create(
            referral=referral,
            check_key=REVIEWER,
            outcome=outcome,
            reason="reviewer",
            data={"note": note},
            actor=actor,
            created_at=moment,
        )
        timeline.record(f"review_{outcome}", referral=referral, data={"note": note}, actor=actor, now=moment)
        Referral.objects.filter(pk=referral.pk).update(next_check_at=moment, revision=F("revision") + 1)
    return decision
