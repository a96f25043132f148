"""Standings and badges against the referrals: all of them, from time to time, and whenever somebody asks for it.

settle keeps them right. This finds what a failure, a direct change in the database or a new criterion left to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from wagtail_referrals.people.models import Advocate
from wagtail_referrals.recognition import awards, levels, standings
from wagtail_referrals.recognition.models import Badge, StandingsCheck

BATCH: Final = 500
# So many advocates' settles wait while these are mended.
LOCKED: Final = 100
EVERY: Final = timedelta(days=1)


@dataclass
class Checked:
    """How many advocates were looked at, of how many something was wrong, and how many levels were."""

    advocates: int = 0
    corrected: int = 0
    levels: int = 0


def check_standings(*, now: datetime | None = None, progress: Callable[[int], None] | None = None) -> Checked:
    """Count everything anew and mend what differs; may be broken off, and run while the shop is open.

    ``progress`` is told how many advocates were looked at, after each batch. Only those of whom something differs are
    locked, some at a time.
    """
    moment = now or timezone.now()
    _state().update(started_at=moment)
    # Before anything is read: what an editor changes from here on is for the next time.
    Badge.objects.filter(to_recheck=True).update(to_recheck=False)
    done = Checked()
    last = 0
    while batch := list(Advocate.objects.filter(pk__gt=last).order_by("pk")[:BATCH]):
        last = batch[-1].pk
        badges = awards.badges_with_criterion()
        wrong = differing(batch, badges)
        for start in range(0, len(wrong), LOCKED):
            recount(wrong[start : start + LOCKED], badges, now=moment)
        done.corrected += len(wrong)
        done.advocates += len(batch)
        if progress is not None:
            progress(done.advocates)
    for badge in Badge.objects.filter(criterion=Badge.Criterion.FIRST).order_by("pk"):
        awards.award_first(badge.pk, now=moment)
    with transaction.atomic():
        # One at a time: two would mend the same level twice.
        _state().select_for_update(no_key=True).get()
        done.levels = levels.repair_levels()
    levels.merge_levels()
    _state().update(finished_at=timezone.now() if now is None else moment)
    return done


def _state() -> QuerySet[StandingsCheck]:
    """The one row."""
    row, _made = StandingsCheck.objects.get_or_create(pk=1)
    return StandingsCheck.objects.filter(pk=row.pk)


def differing(batch: list[Advocate], badges: list[Badge]) -> list[int]:
    """The advocates of whom something is wrong. Four queries, without a lock: what is found is looked at again."""
    ids = [advocate.pk for advocate in batch]
    wanted = standings.tallies(ids)
    there = standings.standings_of(ids)
    worn = awards.awards_of(ids)
    found = []
    for advocate in batch:
        tallies = {} if standings.is_gone(advocate) else wanted[advocate.pk]
        right = standings.agree(advocate, tallies, there[advocate.pk])
        if not right or not awards.has_right_badges(awards.deserved(badges, tallies), worn[advocate.pk]):
            found.append(advocate.pk)
    return found


def recount(advocate_ids: list[int], badges: list[Badge], *, now: datetime) -> None:
    """Make the standings and badges of these advocates anew, under their locks."""
    with transaction.atomic():
        advocates = list(
            Advocate.objects.select_for_update(no_key=True).filter(pk__in=advocate_ids).order_by("pk")
        )
        awards.award(advocates, badges, standings.recount(advocates), now=now)


def sweep_standings(*, now: datetime) -> None:
    """In each sweep: add up the levels; check everything once a day, and soon after a criterion was changed."""
    is_long_ago = Q(started_at__lte=now - EVERY)
    # A sweep that was told to act as if it were later, maybe.
    is_to_come = Q(started_at__gte=now + EVERY)
    last = _state().filter(Q(started_at=None) | is_long_ago | is_to_come)
    if last.update(started_at=now) or Badge.objects.filter(to_recheck=True).exists():
        check_standings(now=now)
    else:
        levels.merge_levels()
