"""Who brought most friends: names of those who want to be named, read from counters in one query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Case, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce

from wagtail_referrals.people.models import Advocate
from wagtail_referrals.recognition.models import Standing, StandingLevel
from wagtail_referrals.recognition.standings import EVER, is_shown, set_in_leaderboards

BEST_FIRST: Final = ("-referrals", "reached_at", "pk")


@dataclass(frozen=True)
class Row:
    """``rank`` counts from 1, equals share one: 1, 1, 3. ``referrals``: friends who count. ``is_own``: the reader's.

    ``name`` is the one that friends see; "" only in the reader's own row, while they have none.
    """

    rank: int
    name: str
    referrals: int
    is_own: bool


@dataclass(frozen=True)
class Leaderboard:
    """``rows``: the best first. ``own``: the reader's place, wherever it is, also while others do not see it.

    ``own`` is ``None`` for who is no referrer, and while no friend of theirs counts. ``is_joined``: others see the
    reader's name.
    """

    program_key: str
    period: str
    rows: list[Row]
    own: Row | None
    is_joined: bool


def leaderboard(
    program_key: Any, period: str = EVER, *, size: int = 10, advocate: Advocate | None = None
) -> Leaderboard:
    """The ``size`` first of a program in a ``period`` ("ever", "2026", "2026-11"), and the place of ``advocate``.

    One query, however many advocates there are. Among equals, who got there first is named first.
    """
    standings = Standing.objects.filter(program_key=program_key, period=period, referrals__gt=0)
    first = standings.filter(is_public=True).order_by(*BEST_FIRST)[:size]
    # In a query of its own, as SQLite cuts no part of a union.
    wanted: QuerySet[Any] = Standing.objects.filter(pk__in=first.values("pk")).values("pk")
    # The counters only say who was shown when they were written: the advocate has the last word.
    readable = Q(advocate__in_leaderboards=True, advocate__state=Advocate.State.ACTIVE) & ~Q(
        advocate__public_name=""
    )
    above: Any = Value(0)
    if advocate is not None:
        wanted = wanted.union(standings.filter(advocate=advocate).values("pk"), all=True)
        readable |= Q(advocate=advocate.pk)
        above = Case(When(advocate=advocate.pk, then=_shown_above()), default=0)
    found = (
        Standing.objects.filter(readable, pk__in=wanted)
        .annotate(above=above, name=F("advocate__public_name"))
        .order_by(*BEST_FIRST)
        .values_list("advocate_id", "above", "name", "referrals")
    )
    joined = advocate is not None and is_shown(advocate)
    rows: list[Row] = []
    own: Row | None = None
    for advocate_id, others, name, referrals in found:
        is_own = advocate is not None and advocate_id == advocate.pk
        if len(rows) < size and (not is_own or (joined and others < size)):
            equals = bool(rows) and rows[-1].referrals == referrals
            row = Row(rows[-1].rank if equals else len(rows) + 1, name, referrals, is_own)
            rows.append(row)
        else:
            row = Row(others + 1, name, referrals, is_own)
        if is_own:
            own = row
    return Leaderboard(str(program_key), period, rows, own, joined)


def _shown_above() -> Any:
    """How many advocates are shown with more friends. Summed up by level: there are few."""
    levels = (
        StandingLevel.objects.filter(
            program_key=OuterRef("program_key"),
            period=OuterRef("period"),
            referrals__gt=OuterRef("referrals"),
        )
        .order_by()
        .values("period")
        .annotate(sum=Sum("advocates"))
    )
    return Coalesce(Subquery(levels.values("sum"), output_field=IntegerField()), 0)


def join_leaderboards(advocate: Advocate) -> None:
    """From now on others read the advocate's name and number of friends. Only ever at their own word."""
    set_in_leaderboards(advocate, True)


def leave_leaderboards(advocate: Advocate) -> None:
    """Nobody else reads the advocate's name there any more. Their place stays theirs to see."""
    set_in_leaderboards(advocate, False)
