"""How many customers could refer, passed their link on, and brought friends.

Unlike what is in the figures by day these are people: one who shared on two days is one, and days do not add up. What
does add up is how many were active on a day and not since the period began, so for each day is kept how many were
active on it, by the day on which they had been so before. See ``ActivePeople``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db.models import Count, F, OuterRef, Q, Subquery, Sum

from wagtail_referrals.insights.kept import (
    KeptDays,
    days_of,
    days_within,
    kept_days,
    moments_within,
    runs_of,
)
from wagtail_referrals.insights.models import ActivePeople
from wagtail_referrals.insights.periods import Period, today
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.tracking.models import Share

# The day before of who was never active before.
NEVER: Final = date(1, 1, 1)
# Of days that are not kept and have more rows, people are counted at once, without a look at what they did before.
_MOST_ROWS: Final = 10_000

_ROWS: Final[dict[str, tuple[type[Any], str]]] = {
    ActivePeople.What.SHARED.value: (Share, "terms__program_key"),
    ActivePeople.What.BROUGHT.value: (Referral, "program_key"),
}


class Active(NamedTuple):
    """Where a number belongs, as in ``ActivePeople``."""

    what: str
    program_key: str
    day: date
    before: date


@dataclass(frozen=True)
class People:
    """``reached``: customers who had a link by the end of the period; a link is one for all programs. ``sharers``: who
    passed it on in the period. ``referrers``: of whom a friend became known in it.
    """

    reached: int
    sharers: int
    referrers: int


def people(
    *periods: Period, program_key: str | UUID | None = None, kept: KeptDays | None = None
) -> list[People]:
    """Of each period, in one program or in any: a link counts for the program that it offered then.

    A constant number of queries. ``kept``: the days of the periods, where they are known already.
    """
    program = str(program_key or "")
    days = {day for period in periods for day in days_of(period)}
    if kept is None:
        kept = kept_days(min(days), max(days))
    counted = _counted(runs_of(days - kept.people), _MOST_ROWS)
    if counted is None:
        found = {what: _at_once(what, periods, program) for what in _ROWS}
    else:
        found = _added_up(periods, program, days & kept.people, counted)
    return [
        People(*numbers)
        for numbers in zip(
            _reached(periods),
            found[ActivePeople.What.SHARED],
            found[ActivePeople.What.BROUGHT],
            strict=True,
        )
    ]


def _reached(periods: Sequence[Period]) -> list[int]:
    ends = {
        f"by_{number}": Count("pk", filter=Q(created_at__lt=period.end))
        for number, period in enumerate(periods)
    }
    found = Advocate.objects.aggregate(**ends)
    return [found[name] for name in ends]


def _added_up(
    periods: Sequence[Period], program: str, stored: set[date], counted: Counter[Active]
) -> dict[str, list[int]]:
    """Whoever was active on a day of the period and had not been since it began, on all its days."""
    found = {what: [0] * len(periods) for what in _ROWS}
    if stored:
        first_in = [
            Q(day__gte=period.first, day__lte=period.last, before__lt=period.first) for period in periods
        ]
        rows = ActivePeople.objects.filter(
            days_within(runs_of(stored)), Q(*first_in, _connector=Q.OR), program_key=program
        ).order_by()
        sums = {f"people_{number}": Sum("people", filter=those) for number, those in enumerate(first_in)}
        for what, *numbers in rows.values("what").annotate(**sums).values_list("what", *sums):
            found[what] = [number or 0 for number in numbers]
    for key, number in counted.items():
        if key.program_key == program:
            for place, period in enumerate(periods):
                if period.first <= key.day <= period.last and key.before < period.first:
                    found[key.what][place] += number
    return found


def _at_once(what: str, periods: Sequence[Period], program: str) -> list[int]:
    """How many advocates the rows of each period have."""
    model, path = _ROWS[what]
    rows = model._default_manager.filter(**{path: program} if program else {})
    times = {
        # What the index of the dates has, so that no row is looked at.
        f"times_{number}": Count("advocate", filter=moments_within([period], "created_at"))
        for number, period in enumerate(periods)
    }
    # One after the other, or nearly so: what lies between them is counted in none.
    whole = Period(min(period.first for period in periods), max(period.last for period in periods))
    each = rows.filter(moments_within([whole], "created_at")).order_by().values("advocate").annotate(**times)
    counts = {
        f"people_{number}": Count("advocate", filter=Q(**{f"times_{number}__gt": 0}))
        for number in range(len(periods))
    }
    found = each.aggregate(**counts)
    return [found[name] for name in counts]


def count_people(runs: Sequence[Period]) -> Counter[Active]:
    """What the rows say of these days. A query for each kind of activity, however many days."""
    return _counted(runs) or Counter()


def _counted(runs: Sequence[Period], most: int | None = None) -> Counter[Active] | None:
    """``None`` where there are more than ``most`` rows of a kind."""
    found: Counter[Active] = Counter()
    for what in _ROWS if runs else ():
        seen: dict[tuple[str, date, int], date] = {}
        number = 0
        for day, advocate, before in _rows(what, runs, most):
            number += 1
            for program, then in before:
                if then < day:
                    seen[program, day, advocate] = then
        if most is not None and number > most:
            return None
        found.update(Active(what, program, day, before) for (program, day, _advocate), before in seen.items())
    return found


def _rows(
    what: str, runs: Sequence[Period], most: int | None
) -> Iterator[tuple[date, int, list[tuple[str, date]]]]:
    """(day, advocate, day of the last time before by program, "" for any); at most one more than ``most``."""
    model, path = _ROWS[what]
    earlier = (
        model._default_manager.filter(advocate=OuterRef("advocate"), created_at__lt=OuterRef("created_at"))
        .order_by("-created_at")
        .values("created_at")
    )
    rows = (
        model._default_manager.filter(moments_within(runs, "created_at"))
        .order_by()
        .annotate(
            key=F(path),
            last=Subquery(earlier[:1]),
            last_of_program=Subquery(earlier.filter(**{path: OuterRef("key")})[:1]),
        )
        .values_list("key", "created_at", "advocate_id", "last", "last_of_program")
    )
    if most is not None:
        rows = rows[: most + 1]
    for key, moment, advocate, last, last_of_program in rows.iterator(chunk_size=5000):
        before = [("", _day_of(last))]
        if key:
            before.append((str(key), _day_of(last_of_program)))
        yield today(moment), advocate, before


def _day_of(moment: datetime | None) -> date:
    return NEVER if moment is None else today(moment)


def write_people(days: list[date]) -> None:
    """Keep what the rows say of these days. Inside a transaction, with the days locked."""
    counted = count_people(runs_of(days))
    ActivePeople.objects.filter(day__in=days).delete()
    ActivePeople.objects.bulk_create(
        [ActivePeople(**key._asdict(), people=number) for key, number in counted.items()], batch_size=2000
    )


def kept_people(day: date) -> Counter[Active]:
    """What is kept of a day."""
    rows = ActivePeople.objects.filter(day=day).values_list(*Active._fields, "people")
    return Counter({Active(*key): number for *key, number in rows})
