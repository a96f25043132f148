"""What happened on which day: counted from the rows, or read where it was counted before.

A day is one of the site's time zone. Each figure is dated by what it is about: a visit by its arrival, all that is said
of an order by when it was placed, a reward by when it was given. So a refund today changes the day of the order.
Amounts are kept apart by currency and never added across.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db.models import (
    Case,
    Count,
    DecimalField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce, Least, TruncDate
from django.utils import timezone

from wagtail_referrals.insights.kept import (
    KeptDays,
    days_of,
    days_within,
    kept_days,
    moments_within,
    runs_of,
)
from wagtail_referrals.insights.models import DailyFigures
from wagtail_referrals.insights.periods import Period
from wagtail_referrals.kinds import reward_kinds
from wagtail_referrals.referrals.models import TAKES_BACK, Purchase, Referral, TimelineEvent
from wagtail_referrals.rewards.models import DiscountGrant, Reward
from wagtail_referrals.tracking.models import Claim, Share, Visit

Money = dict[str, Decimal]

NOTHING: Final = Decimal("0.00")
DIMENSIONS: Final = ("program", "channel", "page", "language", "day", "month")
# Days that are read and days that are counted alternate at most so often; else all of them are counted.
_MOST_RUNS: Final = 20


class Key(NamedTuple):
    """Where a figure belongs, as in ``DailyFigures``."""

    day: date
    program_key: str
    channel: str
    language: str
    page_id: int
    currency: str

    def value(self, dimension: str) -> str:
        if dimension == "month":
            return f"{self.day:%Y-%m}"
        return {
            "": "",
            "program": self.program_key,
            "channel": self.channel,
            "page": str(self.page_id or ""),
            "language": self.language,
            "day": self.day.isoformat(),
        }[dimension]


COUNTS: Final = (
    "shares",
    "visits",
    "claims",
    "referrals",
    "registered",
    "ordered",
    "qualified",
    "rewarded",
    "orders",
    "repeat_orders",
)
AMOUNTS: Final = ("revenue", "refunded", "discounts", "given", "due", "taken_back")
FIGURES: Final = (*COUNTS, *AMOUNTS)
# Counts of orders stand beside their amounts.
_COUNTED_IN: Final = {"orders": "orders_in", "ordered": "ordered_in"}

Counted = dict[str, Any]


@dataclass
class DayFigures:
    """What happened, summed over days.

    ``shares``: times that a link was passed on. ``visits``: times that one was opened. ``claims``: invitations saved.
    ``referrals``: friends who became known, of them ``registered`` with an account. ``ordered``: friends whose first
    order was placed. ``qualified``: friends whose order came to count; of them ``rewarded``, for whom all is given.

    ``orders`` of friends, of them ``repeat_orders`` by who had ordered before. By currency: ``orders_in``,
    ``ordered_in``; ``revenue``, goods with tax after discounts, without delivery, as the orders were placed;
    ``refunded`` of it since, cancelled orders included; ``discounts``, what friends saved in orders that were not
    cancelled; ``given``, credit given and not taken back; ``due``, credit of rewards that are waiting, to be checked or
    failed; ``taken_back``, credit taken back.
    """

    shares: int = 0
    visits: int = 0
    claims: int = 0
    referrals: int = 0
    registered: int = 0
    ordered: int = 0
    qualified: int = 0
    rewarded: int = 0
    orders: int = 0
    repeat_orders: int = 0
    orders_in: dict[str, int] = field(default_factory=dict)
    ordered_in: dict[str, int] = field(default_factory=dict)
    revenue: Money = field(default_factory=dict)
    refunded: Money = field(default_factory=dict)
    discounts: Money = field(default_factory=dict)
    given: Money = field(default_factory=dict)
    due: Money = field(default_factory=dict)
    taken_back: Money = field(default_factory=dict)

    def add(self, other: DayFigures) -> None:
        for item in fields(self):
            mine, theirs = getattr(self, item.name), getattr(other, item.name)
            if isinstance(mine, dict):
                for currency, amount in theirs.items():
                    mine[currency] = mine.get(currency, 0) + amount
            else:
                setattr(self, item.name, mine + theirs)

    def count(self, currency: str, counted: Mapping[str, Any]) -> None:
        """Add what was counted in one currency, or in none."""
        for name in COUNTS:
            number = counted.get(name) or 0
            setattr(self, name, getattr(self, name) + number)
            if number and currency and name in _COUNTED_IN:
                kept = getattr(self, _COUNTED_IN[name])
                kept[currency] = kept.get(currency, 0) + number
        for name in AMOUNTS:
            amount = counted.get(name)
            if amount and currency:
                kept = getattr(self, name)
                # SQLite adds in floats.
                kept[currency] = kept.get(currency, NOTHING) + Decimal(amount).quantize(NOTHING)


# Counting


def money_kinds() -> list[str]:
    """Kinds of which ``Reward.amount`` is an amount of money; of things it counts 1."""
    return [kind.key for kind in reward_kinds if kind.value_fields and not kind.is_discount]


@dataclass(frozen=True)
class _Rows:
    """Rows that are counted, and where they say when, to which program and how a friend came.

    ``claim`` is the path to the claim, ``None`` for rows that have their way, language and page themselves.
    """

    rows: QuerySet[Any]
    moment: str
    program: str
    claim: str | None
    figures: Mapping[str, Any]
    currency: str | None = None
    page: str | None = None

    def place(self) -> dict[str, Any]:
        """The key, column by column."""
        zone = timezone.get_default_timezone()
        if self.claim is None:
            channel: Any = F("channel")
            language: Any = F("language")
            page: Any = Coalesce(F(self.page), 0) if self.page else Value(0)
        else:
            # How a friend came is what the visit says; of one who came without a link, the claim.
            alone = {f"{self.claim}visit__isnull": True}
            channel = Case(
                When(**alone, then=F(f"{self.claim}source")), default=F(f"{self.claim}visit__channel")
            )
            language = Case(
                When(**alone, then=F(f"{self.claim}language")), default=F(f"{self.claim}visit__language")
            )
            page = Coalesce(F(f"{self.claim}visit__page_id"), 0)
        return {
            "key_day": TruncDate(self.moment, tzinfo=zone),
            "key_program": F(self.program),
            "key_channel": channel,
            "key_language": language,
            "key_page": page,
            "key_currency": F(self.currency) if self.currency else Value(""),
        }


def _refunded() -> Combinable:
    """What was given back of an order, at most what it cost; all of it when it was cancelled."""
    said = Cast(KT("observed__refunded"), DecimalField(max_digits=12, decimal_places=2))
    return Case(
        When(observed__cancelled=True, then=F("eligible")),
        default=Least(Coalesce(said, Value(NOTHING)), F("eligible")),
        output_field=DecimalField(max_digits=12, decimal_places=2),
    )


def _sources(runs: Sequence[Period]) -> Iterator[_Rows]:
    """Each has at most ``_PLACES`` figures."""
    number = Count("pk")
    yield _Rows(Share.objects.all(), "created_at", "terms__program_key", None, {"shares": number})
    yield _Rows(
        Visit.objects.all(), "created_at", "terms__program_key", None, {"visits": number}, page="page_id"
    )
    yield _Rows(Claim.objects.all(), "created_at", "terms__program_key", "", {"claims": number})
    referrals = Referral.objects.all()
    yield _Rows(referrals, "created_at", "program_key", "claim__", {"referrals": number})
    yield _Rows(referrals, "registered_at", "program_key", "claim__", {"registered": number})
    rewarded = Count("pk", filter=Q(state=Referral.State.REWARDED))
    yield _Rows(
        referrals, "qualified_at", "program_key", "claim__", {"qualified": number, "rewarded": rewarded}
    )
    before = Q(placed_at__lt=OuterRef("placed_at")) | Q(
        placed_at=OuterRef("placed_at"), pk__lt=OuterRef("pk")
    )
    earlier = Purchase.objects.filter(before, referral=OuterRef("referral")).order_by()
    yield _Rows(
        Purchase.objects.annotate(is_first=~Exists(earlier)),
        "placed_at",
        "referral__program_key",
        "referral__claim__",
        {
            "orders": number,
            "ordered": Count("pk", filter=Q(is_first=True)),
            "repeat_orders": Count("pk", filter=Q(was_customer=True)),
            "revenue": Sum("eligible"),
            "refunded": Sum(_refunded()),
        },
        "currency",
    )
    # Of one that was cancelled nothing was saved.
    stands = Q(observed__cancelled=False) | ~Q(observed__has_key="cancelled")
    orders = Purchase.objects.filter(moments_within(runs, "placed_at"), stands)
    placed = Purchase.objects.filter(reference=OuterRef("used_reference")).order_by().values("placed_at")
    yield _Rows(
        DiscountGrant.objects.filter(
            state=DiscountGrant.State.USED,
            claim__isnull=False,
            used_reference__in=orders.order_by().values("reference"),
        )
        .exclude(used_reference="")
        .annotate(placed_at=Subquery(placed[:1])),
        "placed_at",
        "terms__program_key",
        "claim__",
        {"discounts": Sum("used_amount")},
        "used_currency",
    )
    rewards = Reward.objects.filter(kind__in=money_kinds())
    path = ("referral__program_key", "referral__claim__")
    yield _Rows(rewards, "given_at", *path, {"given": Sum("posted")}, "currency")
    owed = rewards.filter(state__in=(Reward.State.WAITING, Reward.State.TO_CHECK, Reward.State.FAILED))
    yield _Rows(owed, "created_at", *path, {"due": Sum(F("amount") - F("posted"))}, "currency")
    # What was taken back stands in the timeline only: the reward's row holds what is left.
    events = TimelineEvent.objects.filter(
        kind__in=TAKES_BACK, referral__isnull=False, data__has_key="amount"
    ).annotate(
        money=Cast(KT("data__amount"), DecimalField(max_digits=12, decimal_places=2)),
        money_currency=KT("data__currency"),
    )
    yield _Rows(events, "created_at", *path, {"taken_back": Sum("money")}, "money_currency")


# What every source counts at most.
_PLACES: Final = 5


def count_days(runs: Sequence[Period], program: str | UUID | None = None) -> dict[Key, Counted]:
    """What the rows say of these days, figure by figure. One query, however many days.

    What was counted from visits that were removed since is not in it.
    """
    found: dict[Key, Counted] = defaultdict(dict)
    if not runs:
        return found
    sources = list(_sources(runs))
    parts = [
        _part(number, source, source.rows.filter(moments_within(runs, source.moment)), program)
        for number, source in enumerate(sources)
    ]
    for number, day, program_key, channel, language, page_id, currency, *numbers in parts[0].union(
        *parts[1:], all=True
    ):
        key = Key(day, str(program_key or ""), channel, language, page_id, currency or "")
        for name, figure in zip(sources[number].figures, numbers, strict=False):
            if figure:
                found[key][name] = int(figure) if name in COUNTS else Decimal(figure).quantize(NOTHING)
    return {key: counted for key, counted in found.items() if counted}


def _part(number: int, source: _Rows, rows: QuerySet[Any], program: str | UUID | None) -> QuerySet[Any]:
    """(number of the source, the key, its figures and nothing after them), so that all sources can be one query."""
    if program:
        rows = rows.filter(**{source.program: program})
    place = source.place()
    figures = [*source.figures.values(), *[Value(0)] * (_PLACES - len(source.figures))]
    # In the same order everywhere, as a union is read by position; and what stands in the first part is how all others
    # are taken, so that counts are decimals too.
    values = {
        f"figure_{at}": ExpressionWrapper(figure, output_field=DecimalField())
        for at, figure in enumerate(figures)
    }
    return (
        rows.order_by()
        .annotate(**place)
        .values(*place)
        .annotate(source=Value(number), **values)
        .values_list("source", *place, *values)
    )


# Reading


class FiguresRead:
    """The figures of some days, to be asked for by one thing after another. See ``read_figures``."""

    def __init__(self, period: Period, program: str | UUID | None, kept: KeptDays) -> None:
        live = [day for day in days_of(period) if day not in kept.figures]
        folded = any(day in kept.known for day in live)
        # What else is known of the days of the period.
        self.kept = kept
        runs = runs_of(live)
        if len(runs) > _MOST_RUNS:
            runs = [Period(runs[0].first, runs[-1].last)]
            # Of the days between them, too, visits may have been removed.
            folded = True
        self._program = program
        counted = {day for run in runs for day in days_of(run)}
        self._stored = days_within(runs_of(set(days_of(period)) - counted))
        self._live: list[tuple[Key, Counted]] = list(count_days(runs, program).items())
        if folded:
            self._live += self._removed(days_within(runs))

    def _rows(self, days: Q) -> QuerySet[DailyFigures]:
        rows = DailyFigures.objects.filter(days).order_by()
        return rows.filter(program_key=str(self._program)) if self._program else rows

    def _removed(self, days: Q) -> Iterator[tuple[Key, Counted]]:
        """Visits that can no longer be counted."""
        rows = self._rows(days).filter(visits_removed__gt=0)
        for *key, number in rows.values_list(*Key._fields, "visits_removed"):
            yield Key(*key), {"visits": number}

    def by(
        self, dimension: str = "", within: Period | None = None, *, only: Sequence[str] = FIGURES
    ) -> dict[str, DayFigures]:
        """The figures by one of ``DIMENSIONS``, or with "" all together, under "". At most one query.

        ``within``: of some of the days only. ``only`` some of the figures are counted, the others are nothing. Raises
        ``LookupError`` for another dimension.
        """
        if dimension and dimension not in DIMENSIONS:
            raise LookupError(f'figures are not kept by "{dimension}"')
        found: dict[str, DayFigures] = defaultdict(DayFigures)
        if not dimension:
            found[""] = DayFigures()
        for value, currency, counted in self._of_stored(dimension, within, only):
            found[value].count(currency, counted)
        for key, counted in self._live:
            if within is not None and not within.first <= key.day <= within.last:
                continue
            wanted = {name: number for name, number in counted.items() if name in only}
            if wanted:
                found[key.value(dimension)].count(key.currency, wanted)
        return dict(found)

    def _of_stored(
        self, dimension: str, within: Period | None, only: Sequence[str]
    ) -> Iterator[tuple[str, str, Counted]]:
        if not self._stored:
            return
        column = {"program": "program_key", "page": "page_id", "month": "day", "": ""}.get(
            dimension, dimension
        )
        columns = [column, "currency"] if column else ["currency"]
        sums = {f"sum_{name}": Sum(name) for name in only}
        blank = Key(date.min, "", "", "", 0, "")
        days = self._stored if within is None else self._stored & days_within([within])
        for row in self._rows(days).values(*columns).annotate(**sums):
            value = blank._replace(**{column: row[column]}).value(dimension) if column else ""
            yield value, row["currency"], {name: row[f"sum_{name}"] for name in only}


def read_figures(start: date, last: date, *, program: str | UUID | None = None) -> FiguresRead:
    """The figures of whole days, ``start`` and ``last`` included; of one program, or of all.

    Days that were counted and have not changed since are read, the others (today at least) are counted here and now,
    so that the answer is what the rows say. Two or three queries; each ``by`` costs one more.
    """
    return FiguresRead(Period(start, last), program, kept_days(start, last))


def figures(
    start: date, last: date, *, program: str | UUID | None = None, by: str = ""
) -> dict[str, DayFigures]:
    """``read_figures`` for who asks once. Raises ``LookupError`` for a dimension that is none."""
    return read_figures(start, last, program=program).by(by)


# More ranges than these are looked up no faster than all days.
_MOST_RANGES: Final = 60


def days_with(figure: str, moment: str, **place: Any) -> Q:
    """Rows that count as ``figure`` lie on these days: for a filter that finds few, which would look at all rows.

    ``moment`` is the field that the figure is dated by, ``place`` says which of ``DailyFigures``. Days that are not
    kept are among them; a condition that is always true where it would not help. Two queries.
    """
    kept = kept_days().figures
    rows = DailyFigures.objects.filter(**{f"{figure}__gt": 0}, **place).order_by()
    without = kept - set(rows.values_list("day", flat=True).distinct())
    runs = runs_of(without)
    if len(without) * 2 < len(kept) or not 0 < len(runs) < _MOST_RANGES:
        return Q()
    found = Q(**{f"{moment}__lt": runs[0].start}) | Q(**{f"{moment}__gte": runs[-1].end})
    for one, other in pairwise(runs):
        found |= Q(**{f"{moment}__gte": one.end, f"{moment}__lt": other.start})
    return found
