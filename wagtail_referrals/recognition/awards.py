"""Badges that the engine gives for a criterion: never twice, and taken back with what they were for.

Who has one depends on the present standings only, not on the order in which they came about. A badge for the first of
a program is worn by one advocate; the database holds that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final

from django.db import transaction
from django.db.models import Q

from wagtail_referrals.people.models import Advocate
from wagtail_referrals.recognition.models import Badge, BadgeAward
from wagtail_referrals.recognition.standings import EVER, Place, Tally, counts, is_counted
from wagtail_referrals.referrals.models import Referral

# How the periods of each kind are written: "ever", "2026", "2026-11".
LENGTHS: Final = {Badge.Period.EVER: len(EVER), Badge.Period.YEAR: 4, Badge.Period.MONTH: 7}

Evidence = dict[str, Any]


def badges_with_criterion() -> list[Badge]:
    return list(Badge.objects.exclude(criterion=Badge.Criterion.NONE).order_by("pk"))


def awards_of(advocate_ids: Collection[int]) -> dict[int, dict[int, BadgeAward]]:
    """By advocate and badge, also those that were taken back; without the badges for the first of a program."""
    found: dict[int, dict[int, BadgeAward]] = defaultdict(dict)
    awards = BadgeAward.objects.filter(advocate__in=advocate_ids)
    for award in awards.exclude(badge__criterion=Badge.Criterion.FIRST):
        found[award.advocate_id][award.badge_id] = award
    return found


def deserved(badges: Iterable[Badge], tallies: Mapping[Place, Tally]) -> dict[int, Evidence]:
    """What an advocate with these numbers has, by badge: what it is given for. Without those for the first."""
    given = (Badge.Criterion.REFERRALS, Badge.Criterion.REVENUE)
    found = {badge.pk: _evidence(badge, tallies) for badge in badges if badge.criterion in given}
    return {pk: evidence for pk, evidence in found.items() if evidence is not None}


def _evidence(badge: Badge, tallies: Mapping[Place, Tally]) -> Evidence | None:
    """The first period in which the criterion is met; ``None`` while it is in none."""
    by_period: dict[str, list[Tally]] = defaultdict(list)
    for (program_key, period), tally in tallies.items():
        right_kind = (period == EVER) == (badge.period == Badge.Period.EVER)
        if not right_kind or len(period) != LENGTHS[Badge.Period(badge.period)]:
            continue
        if badge.program_key in (None, program_key):
            by_period[period].append(tally)
    for period, these in sorted(by_period.items()):
        if badge.criterion == Badge.Criterion.REFERRALS:
            if badge.threshold and sum(tally.referrals for tally in these) >= badge.threshold:
                return {"referrals": badge.threshold, "period": period}
            continue
        for currency, amount in sorted(badge.revenue.items()):
            if sum(tally.revenue.get(currency, Decimal(0)) for tally in these) >= Decimal(amount):
                return {"revenue": amount, "currency": currency, "period": period}
    return None


def has_right_badges(wanted: Mapping[int, Evidence], there: Mapping[int, BadgeAward]) -> bool:
    worn = {pk: award.evidence for pk, award in there.items() if award.taken_back_at is None}
    return worn == wanted


def award(
    advocates: Iterable[Advocate],
    badges: Iterable[Badge],
    tallies: Mapping[int, Mapping[Place, Tally]],
    *,
    now: datetime,
) -> None:
    """Give and take back what the numbers say: ``tallies``, by advocate. Needs the advocates' rows, locked."""
    of_all = awards_of([advocate.pk for advocate in advocates])
    wrong = []
    for advocate in advocates:
        wanted, there = deserved(badges, tallies[advocate.pk]), of_all[advocate.pk]
        if not has_right_badges(wanted, there):
            wrong.append((advocate.pk, wanted, there))
    # Locked, so that none is deleted before this is written; all at once, as others lock them in the same order.
    needed = {pk for _, wanted, _ in wrong for pk in wanted}
    locked = list(Badge.objects.select_for_update(no_key=True).filter(pk__in=needed).order_by("pk"))
    for advocate_id, wanted, there in wrong:
        for pk, given in there.items():
            if given.taken_back_at is None and pk not in wanted:
                _take_back(given, now)
        for badge in locked:
            if badge.pk in wanted:
                _give(badge, advocate_id, wanted[badge.pk], there.get(badge.pk), is_sole=False, now=now)


def award_first(badge_id: int, *, now: datetime, changed: Referral | None = None) -> None:
    """Let the first of the badge's program wear it: whose friend's order qualified first, of those that count now.

    In a transaction of its own: it may concern two advocates, and settle holds the lock of one. ``changed`` is a
    referral that changed: one that cannot matter costs two queries.
    """
    with transaction.atomic():
        badge = (
            Badge.objects.select_for_update(no_key=True)
            .filter(pk=badge_id, criterion=Badge.Criterion.FIRST)
            .first()
        )
        if badge is None:
            return
        worn = list(BadgeAward.objects.filter(badge=badge, taken_back_at=None))
        if changed is not None and len(worn) == 1 and not _may_matter(changed, worn[0]):
            return
        first = first_of(badge)
        for award in worn:
            if first is None or award.advocate_id != first.advocate_id:
                _take_back(award, now)
        if first is None:
            return
        evidence = {"first": first.qualified_at.isoformat()} if first.qualified_at else {}
        there = BadgeAward.objects.filter(badge=badge, advocate=first.advocate_id).first()
        _give(badge, first.advocate_id, evidence, there, is_sole=True, now=now)


def first_of(badge: Badge) -> Referral | None:
    """The referral for which somebody wears a badge for the first of a program."""
    of_program = Q() if badge.program_key is None else Q(program_key=badge.program_key)
    known = Q(advocate__user__isnull=False) | ~Q(advocate__email_hash="")
    first: Referral | None = (
        Referral.objects.filter(counts(), of_program, known).order_by("qualified_at", "pk").first()
    )
    return first


def _may_matter(referral: Referral, worn: BadgeAward) -> bool:
    if referral.advocate_id == worn.advocate_id:
        return True
    since = worn.evidence.get("first")
    return is_counted(referral) and (
        since is None
        or (referral.qualified_at is not None and referral.qualified_at <= datetime.fromisoformat(since))
    )


def award_first_soon(badges: Iterable[Badge], referral: Referral, *, now: datetime) -> None:
    """After the commit, for the badges that ``referral`` may concern. The sweep does it should that fail."""
    for badge in badges:
        if badge.criterion == Badge.Criterion.FIRST and badge.program_key in (None, referral.program_key):
            transaction.on_commit(partial(award_first, badge.pk, now=now, changed=referral), robust=True)


def _give(
    badge: Badge,
    advocate_id: int,
    evidence: Evidence,
    there: BadgeAward | None,
    *,
    is_sole: bool,
    now: datetime,
) -> None:
    """``awarded_at`` stays that of the first time."""
    if there is None:
        BadgeAward.objects.create(
            badge=badge, advocate_id=advocate_id, evidence=evidence, is_sole=is_sole, awarded_at=now
        )
        return
    there.evidence, there.is_sole, there.taken_back_at = evidence, is_sole, None
    there.save(update_fields=["evidence", "is_sole", "taken_back_at"])


def _take_back(award: BadgeAward, now: datetime) -> None:
    award.taken_back_at = now
    award.save(update_fields=["taken_back_at"])
