"""Levels: how many advocates are shown at each number of friends. Added up, and held against the standings."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Sum

from wagtail_referrals.recognition.models import Standing, StandingLevel

# (program, period, friends)
Level = tuple[UUID, str, int]


def merge_levels() -> None:
    """Make one row of many that say the same place. One query where there is nothing to do."""
    twice = (
        StandingLevel.objects.order_by()
        .values("program_key", "period", "referrals")
        .annotate(rows=Count("pk"))
        .filter(rows__gt=1)
    )
    if not twice.exists():
        return
    with transaction.atomic():
        # Whoever else merges takes what is left.
        rows = list(StandingLevel.objects.select_for_update(no_key=True, skip_locked=True).order_by("pk"))
        sums: Counter[Level] = Counter()
        for row in rows:
            sums[row.program_key, row.period, row.referrals] += row.advocates
        StandingLevel.objects.filter(pk__in=[row.pk for row in rows]).delete()
        _add(sums)


def repair_levels() -> int:
    """Bring the levels to what the standings say; how many were wrong.

    Two at once would mend it twice: the caller holds a lock that keeps the others out. Who settles meanwhile is not
    kept waiting: standings and levels are read in one statement, as of one moment.
    """
    wrong = differing_levels()
    _add(wrong)
    return len(wrong)


def differing_levels() -> Counter[Level]:
    """What is missing in the levels. One query."""
    shown = (
        Standing.objects.filter(is_public=True)
        .order_by()
        .values_list("program_key", "period", "referrals")
        .annotate(there=Count("pk"))
    )
    known = (
        StandingLevel.objects.order_by()
        .values_list("program_key", "period", "referrals")
        .annotate(there=-Sum("advocates"))
    )
    difference: Counter[Level] = Counter()
    for program_key, period, referrals, advocates in shown.union(known, all=True):
        difference[program_key, period, referrals] += advocates
    return Counter({level: advocates for level, advocates in difference.items() if advocates})


def _add(levels: Counter[Level]) -> None:
    StandingLevel.objects.bulk_create(
        StandingLevel(program_key=program_key, period=period, referrals=referrals, advocates=advocates)
        for (program_key, period, referrals), advocates in levels.items()
        if advocates
    )
