"""Which days were counted, and are still as they were counted then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from wagtail_referrals.insights.models import FiguredDay, StaleDay
from wagtail_referrals.insights.periods import Period


@dataclass(frozen=True)
class KeptDays:
    """``known``: counted at any time. Of them those that can be read as they are kept: ``figures`` and orders by month
    of arrival; ``people``, who was active; ``shop``, the shop's own orders.
    """

    known: frozenset[date]
    figures: frozenset[date]
    people: frozenset[date]
    shop: frozenset[date]


def kept_days(first: date | None = None, last: date | None = None) -> KeptDays:
    """Of these days, both included, or of all. One query."""
    marks = StaleDay.objects.filter(day=OuterRef("day"))
    days = FiguredDay.objects.annotate(
        is_stale=Exists(marks), has_other_people=Exists(marks.filter(people=True))
    )
    days = days.filter(day__gte=first) if first is not None else days
    days = days.filter(day__lte=last) if last is not None else days
    known, figures, people, shop = set(), set(), set(), set()
    for day, zone, is_stale, has_other_people, shop_counted in days.values_list(
        "day", "time_zone", "is_stale", "has_other_people", "shop_counted"
    ):
        known.add(day)
        if zone == zone_name():
            if not is_stale:
                figures.add(day)
            if not has_other_people:
                people.add(day)
            if shop_counted:
                shop.add(day)
    return KeptDays(frozenset(known), frozenset(figures), frozenset(people), frozenset(shop))


def zone_name() -> str:
    """The time zone whose days are counted."""
    return timezone.get_default_timezone_name()


def runs_of(days: Iterable[date]) -> list[Period]:
    """The days as periods without gaps, oldest first."""
    runs: list[Period] = []
    for day in sorted(days):
        if runs and runs[-1].last + timedelta(days=1) == day:
            runs[-1] = Period(runs[-1].first, day)
        else:
            runs.append(Period(day, day))
    return runs


def days_of(period: Period) -> list[date]:
    return [period.first + timedelta(days=number) for number in range((period.last - period.first).days + 1)]


def moments_within(runs: Iterable[Period], name: str) -> Q:
    """The field ``name``, a moment, is in one of them."""
    found = Q()
    for run in runs:
        found |= Q(**{f"{name}__gte": run.start, f"{name}__lt": run.end})
    return found


def days_within(runs: Iterable[Period], name: str = "day") -> Q:
    """The field ``name``, a day, is in one of them."""
    found = Q()
    for run in runs:
        found |= Q(**{f"{name}__gte": run.first, f"{name}__lte": run.last})
    return found
