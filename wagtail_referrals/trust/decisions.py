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
from wagtail_referrals.trust.checks import PASS, Check, CheckResult, Subject, checks
from wagtail_referrals.trust.models import Decision

logger = logging.getLogger("wagtail_referrals")

REVIEWER = "reviewer"


def evaluate(
    referral: Referral, terms: TermsData, purchases: Sequence[Purchase], *, shop: Shop, now: datetime
) -> list[Decision]:
    """All decisions about the referral, after asking the checks that have not spoken yet. Inside the referral's lock.

    A check speaks once about the referral and once about each order, and what it said stays; but one about the people
    is asked again until it objects.
    """
    known = list(referral.decisions.order_by("created_at", "pk"))
    spoken = {(decision.check_key, decision.purchase_id): decision for decision in known}
    fresh: list[Decision] = []
    for check in checks:
        for purchase in _subjects(check, purchases):
            said = spoken.get((check.key, purchase.pk if purchase else None))
            again = said is not None and purchase is None and check.on_people
            if said is not None and not (again and said.outcome == Decision.Outcome.PASS):
                continue
            subject = Subject(referral, referral.advocate, terms, purchase, shop)
            try:
                with transaction.atomic():
                    result = check.run(subject)
            except Exception:
                logger.exception("The check %s failed for referral %s.", check.key, referral.pk)
                result = PASS if again else CheckResult(Decision.Outcome.HOLD, "review")
            if said is None:
                said = Decision(referral=referral, purchase=purchase, check_key=check.key)
            elif result.outcome == Decision.Outcome.PASS:
                continue
            said.outcome, said.reason, said.data = result.outcome, result.reason, result.data
            said.created_at = now
            fresh.append(said)
    for decision in fresh:
        about = f"{decision.check_key}:{decision.purchase_id or ''}"
        timeline.record(
            f"check_{decision.outcome}",
            referral=referral,
            data={"check": decision.check_key, "reason": decision.reason},
            # One that has changed its mind is a second event.
            key=f"check:{referral.pk}:{about}" + (f":{decision.outcome}" if decision.pk else ""),
            now=now,
        )
    changed = [decision for decision in fresh if decision.pk]
    new = [decision for decision in fresh if not decision.pk]
    if changed:
        Decision.objects.bulk_update(changed, ["outcome", "reason", "data", "created_at"])
    if new:
        Decision.objects.bulk_create(new)
    return known + new


def _subjects(check: Check, purchases: Sequence[Purchase]) -> list[Purchase | None]:
    """The orders that the check is asked about; ``None`` is the referral itself."""
    itself = check.on_people or not check.on_purchase or (check.on_registration and not purchases)
    return [*([None] if itself else ()), *(purchases if check.on_purchase else ())]


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
