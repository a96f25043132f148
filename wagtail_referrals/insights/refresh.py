"""Keep the days that are over counted: the new ones once, the others again when something about them has changed.

The row of ``FiguredDay`` is the lock. Whoever counts a day reads which marks (``StaleDay``) are there, counts, and
removes exactly those: what is committed meanwhile has left a mark of its own, and the day is counted once more.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import transaction
from django.db.models import Min
from django.utils import timezone

from wagtail_referrals.insights.arrivals import Arrival, count_arrivals, kept_arrivals, write_arrivals
from wagtail_referrals.insights.daily import (
    AMOUNTS,
    COUNTS,
    Counted,
    Key,
    count_days,
)
from wagtail_referrals.insights.kept import days_of, runs_of, zone_name
from wagtail_referrals.insights.models import DailyFigures, FiguredDay, StaleDay
from wagtail_referrals.insights.people import Active, count_people, kept_people, write_people
from wagtail_referrals.insights.periods import Period, today
from wagtail_referrals.insights.shop import count_shop_days, shop_says
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.tracking.models import Claim, Share, Visit

logger = logging.getLogger("wagtail_referrals")

# A transaction that began before midnight may be committed after it: a day is counted when it has been over so long.
SETTLED_AFTER: Final = timedelta(hours=1)
# In one sweep: a shop that has just installed this, or settled thousands of old referrals, catches up in steps.
MOST_DAYS: Final = 60
# In one transaction.
TOGETHER: Final = 30

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Difference:
    """A figure that is kept and is not what the rows say.

    ``figure`` names a field of ``DailyFigures``, or of ``ArrivalFigures`` with the month of arrival: "orders, 2026-03";
    or is a kind of ``ActivePeople`` with the day before: "shared, 2026-03-17". ``key`` has "" and 0 for what is kept by
    less than in ``DailyFigures``.
    """

    key: Key
    figure: str
    kept: int | Decimal
    counted: int | Decimal


def last_over(now: datetime | None = None) -> date:
    """The newest day that can be counted for good."""
    return today((now or timezone.now()) - SETTLED_AFTER) - timedelta(days=1)


def first_day() -> date | None:
    """The day of the oldest row; ``None`` when there is none. Each question is answered by an index."""
    moments = [
        Share.objects.aggregate(first=Min("created_at")),
        Visit.objects.aggregate(first=Min("created_at")),
        Claim.objects.aggregate(first=Min("created_at")),
        Referral.objects.aggregate(first=Min("created_at")),
        Referral.objects.aggregate(first=Min("qualified_at")),
        Purchase.objects.aggregate(first=Min("placed_at")),
    ]
    days = [today(found["first"]) for found in moments if found["first"] is not None]
    kept = FiguredDay.objects.aggregate(first=Min("day"))["first"]
    return min([*days, kept] if kept else days, default=None)


def refresh_days(
    now: datetime | None = None, progress: Progress | None = None, *, most: int | None = None
) -> int:
    """Count the days that are over and not counted, or not as they are now; how many that was.

    First those that have changed, the newest first, then those that were never counted, the oldest first; at most
    ``most``. ``progress`` is told (days done, days to do). Any number of processes at once: one counts each day.
    """
    moment = now or timezone.now()
    return _count_all(due_days(moment)[:most], moment, progress)


def due_days(now: datetime | None = None) -> list[date]:
    """The days that ``refresh_days`` would count, in its order."""
    last, zone, asks = last_over(now), zone_name(), shop_says()
    marks = StaleDay.objects.filter(day__lte=last).order_by()
    stale = set(marks.values_list("day", flat=True).distinct())
    first = first_day()
    known = {
        day: kept == zone and (counted or not asks)
        for day, kept, counted in FiguredDay.objects.values_list("day", "time_zone", "shop_counted")
    }
    days = days_of(Period(first, last)) if first is not None else []
    missing = [day for day in days if not known.get(day) and day not in stale]
    return [*sorted(stale, reverse=True), *missing]


def rebuild_days(
    first: date | None = None, last: date | None = None, progress: Progress | None = None
) -> int:
    """Count all days that are over from the rows, or those from ``first`` to ``last``; how many.

    What was counted from visits that have been removed since is kept: it can be had from nowhere else.
    """
    now = timezone.now()
    begin = first or first_day()
    end = min(last or last_over(now), last_over(now))
    days = days_of(Period(begin, end)) if begin is not None and begin <= end else []
    return _count_all(days, now, progress, anyway=True)


def _count_all(
    days: list[date], now: datetime, progress: Progress | None = None, *, anyway: bool = False
) -> int:
    counted = 0
    for start in range(0, len(days), TOGETHER):
        counted += _count_together(sorted(days[start : start + TOGETHER]), now, anyway=anyway)
        if progress is not None:
            progress(min(start + TOGETHER, len(days)), len(days))
    return counted


def _count_together(days: list[date], now: datetime, *, anyway: bool) -> int:
    """How many of them were counted: not those that another process has counted meanwhile, or is at.

    ``anyway``: also when nothing says that it is needed; then the other process is waited for.
    """
    zone = zone_name()
    with transaction.atomic():
        FiguredDay.objects.bulk_create(
            [FiguredDay(day=day, figured_at=now) for day in days], ignore_conflicts=True
        )
        locked = FiguredDay.objects.select_for_update(no_key=True, skip_locked=not anyway)
        rows = {row.day: row for row in locked.filter(day__in=days).order_by("day")}
        marks = dict(StaleDay.objects.filter(day__in=rows).values_list("pk", "day"))
        stale = set(marks.values())
        due = [day for day, row in rows.items() if anyway or day in stale or row.time_zone != zone]
        write_days(due)
        StaleDay.objects.filter(pk__in=list(marks)).delete()
        asked = [
            day
            for day, row in rows.items()
            if shop_says() and (anyway or row.time_zone != zone or not row.shop_counted)
        ]
        answered = asked if asked and _count_shop_days(asked) else []
        changed = [rows[day] for day in sorted({*due, *asked})]
        for row in changed:
            if row.time_zone != zone:
                # Other visits are this day's now.
                row.visits_folded = False
            if row.day in asked:
                row.shop_counted = row.day in answered
            row.time_zone, row.figured_at = zone, now
        FiguredDay.objects.bulk_update(
            changed, ["time_zone", "figured_at", "shop_counted", "visits_folded"], batch_size=500
        )
    return len(changed)


def _count_shop_days(days: list[date]) -> bool:
    try:
        with transaction.atomic():
            count_shop_days(days)
    except Exception:
        logger.exception(
            "The shop could not say what was ordered on %s days; the next sweep asks again.", len(days)
        )
        return False
    return True


def _removed_visits(days: Iterable[date]) -> dict[Key, int]:
    """How many visits of these days were removed."""
    rows = DailyFigures.objects.filter(day__in=list(days), visits_removed__gt=0)
    return {Key(*key): number for *key, number in rows.values_list(*Key._fields, "visits_removed")}


def _with_removed(counted: dict[Key, Counted], removed: dict[Key, int]) -> dict[Key, Counted]:
    for key, number in removed.items():
        figures = counted.setdefault(key, {})
        figures["visits"] = figures.get("visits", 0) + number
    return counted


def write_days(days: list[date]) -> None:
    """Keep what the rows say of these days. Inside a transaction, with the days locked."""
    if not days:
        return
    write_people(days)
    write_arrivals(days)
    removed = _removed_visits(days)
    counted = _with_removed(count_days(runs_of(days)), removed)
    DailyFigures.objects.filter(day__in=days).delete()
    DailyFigures.objects.bulk_create(
        [
            DailyFigures(**key._asdict(), **figures, visits_removed=removed.get(key, 0))
            for key, figures in counted.items()
        ],
        batch_size=500,
    )


def differences(days: Iterable[date]) -> Iterator[Difference]:
    """What is kept of these days and is not what the rows say. Days that are to be counted again are left out.

    Right while nothing is written: ask within one look at the database.
    """
    wanted = list(days)
    stale = set(StaleDay.objects.filter(day__in=wanted).values_list("day", flat=True))
    kept = FiguredDay.objects.filter(day__in=wanted, time_zone=zone_name()).values_list("day", flat=True)
    for day in sorted(set(kept) - stale):
        for looked_at in (_figures_of, _people_of, _arrivals_of):
            before, after = looked_at(day)
            for key, figure in sorted(before.keys() | after.keys()):
                was, should_be = before.get((key, figure), 0), after.get((key, figure), 0)
                if was != should_be:
                    yield Difference(key, figure, was, should_be)


Numbers = dict[tuple[Key, str], int | Decimal]


def _figures_of(day: date) -> tuple[Numbers, Numbers]:
    """What is kept, and what the rows say; as the two below."""
    names = (*COUNTS, *AMOUNTS)
    kept = {
        (Key(*(getattr(row, name) for name in Key._fields)), name): getattr(row, name)
        for row in DailyFigures.objects.filter(day=day)
        for name in names
    }
    counted = _with_removed(count_days([Period(day, day)]), _removed_visits([day]))
    return kept, {(key, name): figures.get(name, 0) for key, figures in counted.items() for name in names}


def _people_of(day: date) -> tuple[Numbers, Numbers]:
    def named(found: Counter[Active]) -> Numbers:
        return {
            (Key(day, key.program_key, "", "", 0, ""), f"{key.what}, {key.before}"): number
            for key, number in found.items()
        }

    return named(kept_people(day)), named(count_people([Period(day, day)]))


def _arrivals_of(day: date) -> tuple[Numbers, Numbers]:
    def named(found: dict[Arrival, dict[str, Any]]) -> Numbers:
        return {
            (Key(day, key.program_key, "", "", 0, key.currency), f"{name}, {key.arrived:%Y-%m}"): number
            for key, figures in found.items()
            for name, number in figures.items()
        }

    return named(kept_arrivals(day)), named(count_arrivals([Period(day, day)]))
