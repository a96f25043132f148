"""Periods of time in the site's time zone, not the reader's: two people looking at "November" see the same figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.utils import timezone


@dataclass(frozen=True)
class Period:
    """From the beginning of ``first`` to the end of ``last``."""

    first: date
    last: date

    @property
    def start(self) -> datetime:
        return _midnight(self.first)

    @property
    def end(self) -> datetime:
        """The first moment that is no longer part of it."""
        return _midnight(self.last + timedelta(days=1))


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min), timezone.get_default_timezone())


def months_after(day: date, months: int) -> date:
    """The first day of the month that is ``months`` after that of ``day``."""
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def today(now: datetime | None = None) -> date:
    """The day it is where the site is."""
    return timezone.localtime(now or timezone.now(), timezone.get_default_timezone()).date()


def named_period(name: str, *, now: datetime | None = None) -> Period:
    """ "month", "last_month", "quarter", "last_quarter", "year", "last_year", or the days up to today: "last_7",
    "last_30", "last_90"; else raises ``LookupError``.
    """
    day = today(now)
    month = months_after(day, 0)
    quarter = months_after(day, -((day.month - 1) % 3))
    year = date(day.year, 1, 1)
    tomorrow = day + timedelta(days=1)
    starts = {
        "last_7": (tomorrow - timedelta(days=7), tomorrow),
        "last_30": (tomorrow - timedelta(days=30), tomorrow),
        "last_90": (tomorrow - timedelta(days=90), tomorrow),
        "month": (month, months_after(month, 1)),
        "last_month": (months_after(month, -1), month),
        "quarter": (quarter, months_after(quarter, 3)),
        "last_quarter": (months_after(quarter, -3), quarter),
        "year": (year, date(day.year + 1, 1, 1)),
        "last_year": (date(day.year - 1, 1, 1), year),
    }
    if name not in starts:
        raise LookupError(f'no period is called "{name}"')
    first, after = starts[name]
    return Period(first, after - timedelta(days=1))


def period_before(period: Period, *, now: datetime | None = None) -> Period:
    """What the period is compared with: as many whole months before where it is whole months, else as many days.

    Of a period that is not over only the days until today are compared: the first eleven days of November with the
    first eleven of October, not with all of it.
    """
    after = period.last + timedelta(days=1)
    if period.first.day == 1 and after.day == 1:
        months = (after.year - period.first.year) * 12 + after.month - period.first.month
        first = months_after(period.first, -months)
        last = period.first - timedelta(days=1)
    else:
        first = period.first - (after - period.first)
        last = period.first - timedelta(days=1)
    days = (today(now) - period.first).days
    if period.first <= today(now) < period.last:
        last = min(last, first + timedelta(days=days))
    return Period(first, last)


def custom_period(first: date, last: date) -> Period:
    """Raises ``ValueError`` when it ends before it begins."""
    if last < first:
        raise ValueError("the period ends before it begins")
    return Period(first, last)
