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


def _month(day: date, months: int) -> date:
    """The first day of the month that is ``months`` after that of ``day``."""
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def named_period(name: str, *, now: datetime | None = None) -> Period:
    """ "month", "last_month", "quarter", "last_quarter", "year" or "last_year"; else raises ``LookupError``."""
    today = timezone.localtime(now or timezone.now(), timezone.get_default_timezone()).date()
    month = _month(today, 0)
    quarter = _month(today, -((today.month - 1) % 3))
    year = date(today.year, 1, 1)
    starts = {
        "month": (month, _month(month, 1)),
        "last_month": (_month(month, -1), month),
        "quarter": (quarter, _month(quarter, 3)),
        "last_quarter": (_month(quarter, -3), quarter),
        "year": (year, date(today.year + 1, 1, 1)),
        "last_year": (date(today.year - 1, 1, 1), year),
    }
    if name not in starts:
        raise LookupError(f'no period is called "{name}"')
    first, after = starts[name]
    return Period(first, after - timedelta(days=1))


def custom_period(first: date, last: date) -> Period:
    """Raises ``ValueError`` when it ends before it begins."""
    if last < first:
        raise ValueError("the period ends before it begins")
    return Period(first, last)
