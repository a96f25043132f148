"""Asking the checks, and writing down what a reviewer says. Says "decided"; never settles."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
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
    referral: Referral,
    terms: TermsData,
    purchases: Sequence[Purchase],
    *,
    shop: Shop,
    now: datetime,
    known: Sequence[Decision] | None = None,
    careful: bool = True,
) -> list[Decision]:
    """All decisions about the referral, after asking the checks that have not spoken yet. Inside the referral's lock.

    A check speaks once about the referral and once about each order, and what it said stays; but one about the people
    is asked again until it objects. ``known`` are the decisions so far, the oldest first, where they were read already.

    A check that fails is written down as one that is not sure. Without being ``careful`` it is not: what it raised is
    passed on, and all of the transaction is to be undone. That saves a savepoint for each.
    """
    known = list(referral.decisions.order_by("created_at", "pk") if known is None else known)
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
                with transaction.atomic(savepoint=careful):
                    result = check.run(subject)
            except Exception:
                if not careful:
                    raise
                logger.exception("The check %s failed for referral %s.", check.key, referral.pk)
                result = PASS if again else CheckResult(Decision.Outcome.HOLD, "review")
            if said is None:
                said = Decision(referral=referral, purchase=purchase, check_key=check.key)
            elif result.outcome == Decision.Outcome.PASS:
                continue
            said.outcome, said.reason, said.data = result.outcome, result.reason, result.data
            said.created_at = now
            fresh.append(said)
    events = []
    for decision in fresh:
        about = f"{decision.check_key}:{decision.purchase_id or ''}"
        events.append(
            timeline.event(
                f"check_{decision.outcome}",
                referral=referral,
                data={"check": decision.check_key, "reason": decision.reason},
                # One that has changed its mind is a second event.
                key=f"check:{referral.pk}:{about}" + (f":{decision.outcome}" if decision.pk else ""),
                now=now,
            )
        )
    if events:
        timeline.write(events)
    changed = [decision for decision in fresh if decision.pk]
    new = [decision for decision in fresh if not decision.pk]
    if changed:
        Decision.objects.bulk_update(changed, ["outcome", "reason", "data", "created_at"])
    if new:
        Decision.objects.bulk_create(new)
    if any(decision.outcome != Decision.Outcome.PASS for decision in fresh) and referral.postponed_until:
        # Who asked to be asked later has not seen this.
        referral.postponed_until = None
        Referral.objects.filter(pk=referral.pk).update(postponed_until=None)
    return known + new


def have_spoken(purchases: Sequence[Purchase], decisions: Sequence[Decision]) -> bool:
    """Have all checks said what they have to say of these orders, so that only those about the people are asked?"""
    spoken = {(decision.check_key, decision.purchase_id) for decision in decisions}
    return all(
        (check.key, purchase.pk if purchase else None) in spoken
        for check in checks
        for purchase in _subjects(check, purchases)
    )


def _subjects(check: Check, purchases: Sequence[Purchase]) -> list[Purchase | None]:
    """The orders that the check is asked about; ``None`` is the referral itself."""
    itself = check.on_people or not check.on_purchase or (check.on_registration and not purchases)
    return [*([None] if itself else ()), *(purchases if check.on_purchase else ())]


@dataclass
class Reviewed:
    """What became of several referrals, by their ids. The caller settles those that were ``decided``.

    ``by_others``: somebody else had decided. ``changed``: no longer as the reviewer saw it. ``over``: nothing is to be
    checked there any more.
    """

    decided: list[int] = field(default_factory=list)
    by_others: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    over: list[int] = field(default_factory=list)


# Asked under the referral's lock: is it still as the reviewer saw it?
Still = Callable[[Referral], bool]


def to_review(now: datetime, *, postponed: bool | None = False) -> Q:
    """Referrals that wait for a reviewer now; ``True``: that are to be asked about later; ``None``: both."""
    # Decided, and not settled yet.
    decided = Decision.objects.filter(referral=OuterRef("pk"), check_key=REVIEWER)
    waits = Q(state=Referral.State.TO_CHECK) & Q(~Exists(decided))
    if postponed is None:
        return waits
    later = Q(postponed_until__gt=now)
    return waits & (later if postponed else Q(postponed_until=None) | Q(postponed_until__lte=now))


def review(
    referral_id: int, outcome: str, *, actor: Any, note: str = "", now: datetime | None = None
) -> Decision | None:
    """A reviewer's word: ``approve`` or ``refuse``. The latest counts.

    ``None`` when the latest word says the same already (two editors at once). The caller settles. Raises
    ``ValueError`` for another outcome, ``Referral.DoesNotExist`` for an unknown referral.
    """
    _check_outcome(outcome)
    with transaction.atomic():
        referral = Referral.objects.select_for_update(no_key=True).get(pk=referral_id)
        latest = latest_review(referral)
        if latest is not None and latest.outcome == outcome:
            return None
        return _write_review(referral, outcome, actor, note, now or timezone.now())


def review_all(
    referral_ids: Iterable[int],
    outcome: str,
    *,
    actor: Any,
    note: str = "",
    still: Still | None = None,
    now: datetime | None = None,
) -> Reviewed:
    """A reviewer's word about several referrals that wait for it. Each is decided by itself.

    Never overrules anybody: what was decided meanwhile is passed over. Raises ``ValueError`` for another outcome than
    ``approve`` and ``refuse``.
    """
    _check_outcome(outcome)
    moment = now or timezone.now()
    return _each(referral_ids, lambda referral: _write_review(referral, outcome, actor, note, moment), still)


def postpone(
    referral_id: int, until: date, *, actor: Any, note: str = "", now: datetime | None = None
) -> bool:
    """Ask again on that day of the site's time zone, not before. ``False`` where nothing is to be checked any more.

    A check that objects anew asks at once. Raises ``ValueError`` for a day that has begun.
    """
    return bool(postpone_all([referral_id], until, actor=actor, note=note, now=now).decided)


def postpone_all(
    referral_ids: Iterable[int],
    until: date,
    *,
    actor: Any,
    note: str = "",
    still: Still | None = None,
    now: datetime | None = None,
) -> Reviewed:
    """As ``postpone``, for several referrals."""
    moment = now or timezone.now()
    begins = timezone.make_aware(datetime.combine(until, time.min), timezone.get_default_timezone())
    if begins <= moment:
        raise ValueError("the day has begun already")

    def write(referral: Referral) -> None:
        Referral.objects.filter(pk=referral.pk).update(postponed_until=begins)
        data = {"note": note, "until": begins.isoformat()}
        timeline.record("review_postpone", referral=referral, data=data, actor=actor, now=moment)

    return _each(referral_ids, write, still)


def latest_review(referral: Referral) -> Decision | None:
    """The reviewers' latest word about it."""
    return referral.decisions.filter(check_key=REVIEWER).order_by("-created_at", "-pk").first()


def _check_outcome(outcome: str) -> None:
    if outcome not in (Decision.Outcome.APPROVE, Decision.Outcome.REFUSE):
        raise ValueError(f"a reviewer approves or refuses, not {outcome!r}")


def _each(referral_ids: Iterable[int], act: Callable[[Referral], Any], still: Still | None) -> Reviewed:
    """Act on what still waits for a reviewer. Each in a transaction of its own: a big bulk holds no locks."""
    result = Reviewed()
    for pk in dict.fromkeys(referral_ids):
        with transaction.atomic():
            referral = Referral.objects.select_for_update(no_key=True).filter(pk=pk).first()
            if referral is None:
                result.over.append(pk)
            elif latest_review(referral) is not None:
                result.by_others.append(pk)
            elif referral.state != Referral.State.TO_CHECK:
                result.over.append(pk)
            elif still is not None and not still(referral):
                result.changed.append(pk)
            else:
                act(referral)
                result.decided.append(pk)
    return result


def _write_review(referral: Referral, outcome: str, actor: Any, note: str, now: datetime) -> Decision:
    """Under the referral's lock."""
    decision = Decision.objects.create(
        referral=referral,
        check_key=REVIEWER,
        outcome=outcome,
        reason="reviewer",
        data={"note": note},
        actor=actor,
        created_at=now,
    )
    timeline.record(f"review_{outcome}", referral=referral, data={"note": note}, actor=actor, now=now)
    Referral.objects.filter(pk=referral.pk).update(
        next_check_at=now, revision=F("revision") + 1, postponed_until=None
    )
    return decision
