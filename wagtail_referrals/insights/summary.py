"""What referrals brought and cost in a period, by program. A constant number of plain queries.

Each figure counts what happened in the period, by the date of what it is about: a visit by its arrival, an order by
when it was placed, a reward by when it was given. Amounts are kept apart by currency and never added across.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count, DecimalField, F, QuerySet, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from wagtail_referrals.kinds import reward_kinds
from wagtail_referrals.programs import program_names
from wagtail_referrals.referrals.models import Purchase, Referral, TimelineEvent
from wagtail_referrals.rewards.models import DiscountGrant, Reward
from wagtail_referrals.tracking.models import Claim, Visit

Money = dict[str, Decimal]


@dataclass
class Figures:
    """Counts, and amounts by currency.

    ``revenue``: what friends' orders came to when they were placed, goods with tax after discounts, without delivery.
    ``given``: credit given. ``due``: credit of rewards that are waiting or to be checked. ``taken_back``: credit taken
    back after refunds, cancellations and reviews. ``discounts``: what friends saved in their orders.
    """

    visits: int = 0
    claims: int = 0
    referrals: int = 0
    orders: int = 0
    rewarded: int = 0
    revenue: Money = field(default_factory=dict)
    given: Money = field(default_factory=dict)
    due: Money = field(default_factory=dict)
    taken_back: Money = field(default_factory=dict)
    discounts: Money = field(default_factory=dict)

    def add(self, other: Figures) -> None:
        for item in fields(self):
            mine, theirs = getattr(self, item.name), getattr(other, item.name)
            if isinstance(mine, dict):
                for currency, amount in theirs.items():
                    mine[currency] = mine.get(currency, Decimal(0)) + amount
            else:
                setattr(self, item.name, mine + theirs)


@dataclass(frozen=True)
class ProgramFigures:
    """``key`` is empty for visits to which no program could be offered."""

    key: str
    name: str
    figures: Figures


@dataclass(frozen=True)
class Summary:
    total: Figures
    programs: list[ProgramFigures]


def summary(start: datetime, end: datetime, program_key: str | UUID | None = None) -> Summary:
    """The figures from ``start`` to before ``end``; of one program, or of all."""
    found: dict[str, Figures] = {}
    for name, path, moment, rows in _counted():
        for key, number in (
            _within(rows, moment, start, end, path, program_key).values_list(path).annotate(Count("pk"))
        ):
            setattr(_of(found, key), name, number)
    for name, path, currency, moment, amount, rows in _summed():
        grouped = (
            _within(rows, moment, start, end, path, program_key)
            .values_list(path, currency)
            .annotate(figure=amount)
        )
        for key, code, figure in grouped:
            if figure and code:
                getattr(_of(found, key), name)[code] = Decimal(figure).quantize(Decimal("0.01"))
    for key, code, figure in _discounts(start, end, program_key):
        if figure:
            _of(found, key).discounts[code] = figure
    names = program_names()
    total = Figures()
    for figures in found.values():
        total.add(figures)
    programs = [ProgramFigures(key, names.get(key, ""), figures) for key, figures in found.items()]
    programs.sort(key=lambda item: (item.key == "", item.name.casefold(), item.key))
    return Summary(total, programs)


def _of(found: dict[str, Figures], key: UUID | None) -> Figures:
    return found.setdefault(str(key or ""), Figures())


def _within(
    rows: QuerySet[Any],
    moment: str,
    start: datetime,
    end: datetime,
    path: str,
    program_key: str | UUID | None,
) -> QuerySet[Any]:
    rows = rows.filter(**{f"{moment}__gte": start, f"{moment}__lt": end}).order_by()
    return rows.filter(**{path: program_key}) if program_key else rows


def _counted() -> Iterable[tuple[str, str, str, QuerySet[Any]]]:
    """Figure, path to the program's key, the date that counts, rows."""
    return [
        ("visits", "terms__program_key", "created_at", Visit.objects.all()),
        ("claims", "terms__program_key", "created_at", Claim.objects.all()),
        ("referrals", "program_key", "created_at", Referral.objects.all()),
        ("rewarded", "program_key", "qualified_at", Referral.objects.filter(state=Referral.State.REWARDED)),
        ("orders", "referral__program_key", "placed_at", Purchase.objects.all()),
    ]


def money_kinds() -> list[str]:
    """Kinds of which ``Reward.amount`` is an amount of money; of things it counts 1."""
    return [kind.key for kind in reward_kinds if kind.value_fields and not kind.is_discount]


def _summed() -> Iterable[tuple[str, str, str, str, Any, QuerySet[Any]]]:
    """Figure, path to the program's key and to the currency, the date that counts, the sum, rows."""
    rewards = Reward.objects.filter(kind__in=money_kinds())
    # What was taken back stands in the timeline only: the reward's row holds what is left.
    events = TimelineEvent.objects.filter(
        kind__in=("reward_reduced", "reward_taken_back"), referral__isnull=False, data__has_key="amount"
    ).annotate(
        money=Cast(KT("data__amount"), DecimalField(max_digits=12, decimal_places=2)),
        code=KT("data__currency"),
    )
    return [
        (
            "revenue",
            "referral__program_key",
            "currency",
            "placed_at",
            Sum("eligible"),
            Purchase.objects.all(),
        ),
        # What is left, and beside it what was taken back: given at first is the sum of both.
        ("given", "referral__program_key", "currency", "given_at", Sum("posted"), rewards),
        (
            "due",
            "referral__program_key",
            "currency",
            "created_at",
            Sum(F("amount") - F("posted")),
            rewards.filter(state__in=(Reward.State.WAITING, Reward.State.TO_CHECK, Reward.State.FAILED)),
        ),
        ("taken_back", "referral__program_key", "code", "created_at", Sum("money"), events),
    ]


def _discounts(
    start: datetime, end: datetime, program_key: str | UUID | None
) -> Iterable[tuple[Any, str, Decimal]]:
    """What friends saved, by the date of the order in which they did."""
    orders = Purchase.objects.filter(placed_at__gte=start, placed_at__lt=end).values("reference")
    rows = DiscountGrant.objects.filter(
        state=DiscountGrant.State.USED, claim__isnull=False, used_reference__in=orders
    ).order_by()
    if program_key:
        rows = rows.filter(terms__program_key=program_key)
    return rows.values_list("terms__program_key", "used_currency").annotate(Sum("used_amount"))
