"""Visits that led to nothing are removed after some time, and stay as figures: by day, and by whose link it was."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F, IntegerField, Max, QuerySet
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.utils import timezone

from wagtail_referrals import conf
from wagtail_referrals.insights.daily import Key
from wagtail_referrals.insights.kept import zone_name
from wagtail_referrals.insights.models import DailyFigures, FiguredDay, StaleDay
from wagtail_referrals.insights.periods import Period, today
from wagtail_referrals.insights.refresh import write_days
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.tracking.models import RemovedVisits, Visit

# In one sweep.
MOST_DAYS: Final = 60
BATCH: Final = 2000


def fold_visits(now: datetime | None = None, *, most: int | None = MOST_DAYS) -> int:
    """Remove the visits that are older than ``VISITS_DAYS`` and led to no invitation; how many that was.

    The oldest day first, each in a transaction of its own, at most ``most``. A day that is still to be counted waits,
    and those after it with it. Nobody loses an invitation: a visit stays as long as the terms of any program let a
    friend come back to it.
    """
    days = conf.get("VISITS_DAYS")
    if days is None:
        return 0
    keep = timedelta(days=max(days, _longest_window() + 1))
    # The whole day is that old.
    before = today((now or timezone.now()) - keep)
    removed = 0
    waiting = FiguredDay.objects.filter(day__lt=before, visits_folded=False).order_by("day")
    for day in waiting.values_list("day", flat=True)[:most]:
        number = _fold_day(day)
        if number is None:
            break
        removed += number
    return removed


def _longest_window() -> int:
    """For how many days any terms let a friend come back to a visit."""
    window = Cast(KT("data__window_days"), IntegerField())
    return Terms.objects.aggregate(longest=Max(window))["longest"] or 0


def _fold_day(day: date) -> int | None:
    """``None`` when the day cannot be folded now: another process is at it, or it is to be counted again first.

    One process at a time: each begins with the oldest day, and stops at one that is locked. So nobody else changes the
    numbers of removed visits meanwhile.
    """
    with transaction.atomic():
        locked = FiguredDay.objects.select_for_update(no_key=True, skip_locked=True)
        row = locked.filter(day=day, time_zone=zone_name(), visits_folded=False).first()
        older = FiguredDay.objects.filter(day__lt=day, visits_folded=False)
        if row is None or older.exists() or StaleDay.objects.filter(day=day).exists():
            return None
        # Also what nobody has marked: from now on there is nothing to count it by.
        write_days([day])
        removed = 0
        while gone := _remove(day):
            removed += gone
        row.visits_folded = True
        row.save(update_fields=["visits_folded"])
    return removed


def _led_to_nothing(day: date) -> QuerySet[Visit]:
    period = Period(day, day)
    return Visit.objects.filter(created_at__gte=period.start, created_at__lt=period.end, claim=None)


def _remove(day: date) -> int:
    """A part of the day's visits becomes numbers."""
    fields = ("pk", "advocate", "terms__program_key", "channel", "language", "page")
    rows = list(_led_to_nothing(day).order_by("pk").values_list(*fields)[:BATCH])
    by_key = Counter(
        Key(day, str(program or ""), channel, language, page or 0, "")
        for _pk, _advocate, program, channel, language, page in rows
    )
    for key, number in by_key.items():
        # They are counted with the others; from now on they are told apart.
        DailyFigures.objects.filter(**key._asdict()).update(visits_removed=F("visits_removed") + number)
    _count_for_advocates(Counter((row[1], row[3]) for row in rows))
    Visit.objects.filter(pk__in=[row[0] for row in rows]).delete()
    return len(rows)


def _count_for_advocates(numbers: Counter[tuple[int, str]]) -> None:
    advocates = {advocate for advocate, _channel in numbers}
    kept = {
        (row.advocate_id, row.channel): row for row in RemovedVisits.objects.filter(advocate__in=advocates)
    }
    new = []
    for place, number in numbers.items():
        if place in kept:
            kept[place].number += number
        else:
            new.append(RemovedVisits(advocate_id=place[0], channel=place[1], number=number))
    RemovedVisits.objects.bulk_update(
        [row for place, row in kept.items() if place in numbers], ["number"], batch_size=500
    )
    RemovedVisits.objects.bulk_create(new, batch_size=500)
