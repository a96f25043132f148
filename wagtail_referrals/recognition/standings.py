"""How many friends count for an advocate, by program and period: counters that can be made anew at any time.

A friend counts once their first order has qualified, and as long as nothing takes that back: not while the referral
is to check, nor once it is refused or taken back. The period is that in which the order qualified, in the time zone of
the site.

Written under the advocate's lock, which settle holds: after Referral, Budget, Advocate, Reward, Account and Lot come
Standing, Badge and BadgeAward, the last of all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

from django.db import transaction
from django.db.models import Count, DecimalField, F, Max, Q, Sum, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Greatest, TruncMonth
from django.utils import timezone

from wagtail_referrals.people.models import Advocate
from wagtail_referrals.recognition.models import Standing, StandingLevel
from wagtail_referrals.referrals.models import Purchase, Referral

EVER: Final = "ever"
CENT: Final = Decimal("0.01")
# In one statement: SQLite takes so many parameters.
ROWS: Final = 1000
# Qualified or not, these do not count.
NOT_COUNTED: Final = (Referral.State.TO_CHECK, Referral.State.REFUSED, Referral.State.TAKEN_BACK)
# What of an advocate decides whether leaderboards show them.
SHOWN_BY: Final = frozenset({"public_name", "state", "in_leaderboards"})

# (program, period)
Place = tuple[UUID, str]


@dataclass
class Tally:
    """What counts in one program and period. ``revenue`` by currency: paid for, and not given back."""

    referrals: int = 0
    revenue: dict[str, Decimal] = field(default_factory=dict)
    reached_at: datetime | None = None

    def revenue_json(self) -> dict[str, str]:
        return {currency: str(amount) for currency, amount in sorted(self.revenue.items()) if amount}


def current_period(name: Literal["month", "year", "ever"], now: datetime | None = None) -> str:
    """ "2026-11", "2026" or "ever": the period that ``now`` is in, in the site's time zone.

    Raises ``LookupError`` for another name.
    """
    month, year, ever = periods_of(now or timezone.now())
    periods = {"month": month, "year": year, "ever": ever}
    if name not in periods:
        raise LookupError(f'no period is called "{name}"')
    return periods[name]


def periods_of(moment: datetime) -> tuple[str, str, str]:
    """The month, the year and "ever"."""
    day = timezone.localtime(moment, timezone.get_default_timezone())
    return f"{day:%Y-%m}", f"{day:%Y}", EVER


def counts(path: str = "") -> Q:
    """Of referrals, or of what leads to them by ``path`` ("referral__"): those that count."""
    return Q(**{f"{path}qualified_at__isnull": False}) & ~Q(**{f"{path}state__in": NOT_COUNTED})


def is_counted(referral: Referral) -> bool:
    return is_counted_in(referral.state, referral.qualified_at)


def is_counted_in(state: str, qualified_at: datetime | None) -> bool:
    """Does a referral in this state, whose first order qualified then, count?"""
    return qualified_at is not None and state not in NOT_COUNTED


_AMOUNT: Final[DecimalField[Any, Any]] = DecimalField(max_digits=20, decimal_places=2)
# What a friend's order came to, without what was given back. SQLite adds in floats: sums are to be rounded.
NET: Final = Greatest(
    F("eligible") - Cast(KT("observed__refunded"), _AMOUNT), Value(Decimal(0)), output_field=_AMOUNT
)
# Orders that were paid for and take place. Of what was never paid for, the text of the date would be "null" on SQLite.
PAID: Final = Q(observed__has_key="paid_at", observed__cancelled=False) & ~Q(observed__paid_at=None)


def tallies(advocate_ids: Collection[int]) -> dict[int, dict[Place, Tally]]:
    """What counts for each of these advocates, from their referrals and orders. Two queries."""
    zone = timezone.get_default_timezone()
    found: dict[int, dict[Place, Tally]] = defaultdict(lambda: defaultdict(Tally))
    friends = (
        Referral.objects.filter(counts(), advocate__in=advocate_ids)
        .order_by()
        .values_list("advocate_id", "program_key", TruncMonth("qualified_at", tzinfo=zone))
        .annotate(count=Count("pk"), last=Max("qualified_at"))
    )
    for advocate_id, program_key, month, count, last in friends:
        for period in periods_of(month):
            tally = found[advocate_id][program_key, period]
            tally.referrals += count
            tally.reached_at = max(tally.reached_at or last, last)
    orders = (
        Purchase.objects.filter(counts("referral__"), PAID, referral__advocate__in=advocate_ids)
        .order_by()
        .values_list(
            "referral__advocate_id",
            "referral__program_key",
            TruncMonth("referral__qualified_at", tzinfo=zone),
            "currency",
        )
        .annotate(net=Sum(NET))
    )
    for advocate_id, program_key, month, currency, net in orders:
        for period in periods_of(month):
            revenue = found[advocate_id][program_key, period].revenue
            revenue[currency] = revenue.get(currency, Decimal(0)) + Decimal(net).quantize(CENT)
    return found


def is_shown(advocate: Advocate) -> bool:
    """May others read the advocate's name in a leaderboard?"""
    return bool(
        advocate.in_leaderboards and advocate.state == Advocate.State.ACTIVE and advocate.public_name.strip()
    )


def is_gone(advocate: Advocate) -> bool:
    """A customer who was deleted: neither an account nor an address is known."""
    return advocate.user_id is None and not advocate.email_hash


def standings_of(advocate_ids: Collection[int]) -> dict[int, dict[Place, Standing]]:
    found: dict[int, dict[Place, Standing]] = defaultdict(dict)
    for standing in Standing.objects.filter(advocate__in=advocate_ids):
        found[standing.advocate_id][standing.program_key, standing.period] = standing
    return found


def agree(advocate: Advocate, wanted: Mapping[Place, Tally], there: Mapping[Place, Standing]) -> bool:
    """Are the standings what they should be?"""
    if is_gone(advocate):
        return not there
    return wanted.keys() == there.keys() and all(
        not _differs(there[place], tally, is_shown(advocate)) for place, tally in wanted.items()
    )


def recount(advocates: Collection[Advocate]) -> dict[int, dict[Place, Tally]]:
    """Count these advocates' friends anew, and write what differs. Needs their rows, locked."""
    ids = [advocate.pk for advocate in advocates]
    found, there = tallies(ids), standings_of(ids)
    wanted = {advocate.pk: {} if is_gone(advocate) else found[advocate.pk] for advocate in advocates}
    changes = _Changes()
    for advocate in advocates:
        changes.add(advocate, wanted[advocate.pk], there[advocate.pk])
    changes.save()
    return wanted


def forget_standings(advocate: Advocate) -> None:
    """Needs the advocate's row, locked."""
    changes = _Changes()
    changes.add(advocate, {}, standings_of([advocate.pk])[advocate.pk])
    changes.save()


def _differs(standing: Standing, tally: Tally, shown: bool) -> bool:
    return (standing.referrals, standing.revenue, standing.reached_at, standing.is_public) != (
        tally.referrals,
        tally.revenue_json(),
        tally.reached_at,
        shown,
    )


@dataclass
class _Changes:
    """What is to be written of standings and levels, in four statements however many advocates there are."""

    new: list[Standing] = field(default_factory=list)
    changed: list[Standing] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    levels: list[StandingLevel] = field(default_factory=list)

    def add(self, advocate: Advocate, wanted: Mapping[Place, Tally], there: Mapping[Place, Standing]) -> None:
        shown = is_shown(advocate)
        for place, standing in there.items():
            if place not in wanted:
                self.gone.append(standing.pk)
                if standing.is_public:
                    self.levels.append(_level(standing, -1))
        for (program_key, period), tally in wanted.items():
            known = there.get((program_key, period))
            if known is not None and not _differs(known, tally, shown):
                continue
            standing = known or Standing(program_key=program_key, period=period, advocate=advocate)
            (self.new if known is None else self.changed).append(standing)
            if standing.is_public:
                self.levels.append(_level(standing, -1))
            standing.referrals, standing.revenue = tally.referrals, tally.revenue_json()
            standing.reached_at, standing.is_public = tally.reached_at, shown
            if shown:
                self.levels.append(_level(standing, 1))

    def save(self) -> None:
        Standing.objects.bulk_create(self.new, batch_size=ROWS)
        Standing.objects.bulk_update(
            self.changed, ["referrals", "revenue", "reached_at", "is_public"], batch_size=ROWS
        )
        if self.gone:
            Standing.objects.filter(pk__in=self.gone).delete()
        StandingLevel.objects.bulk_create(self.levels, batch_size=ROWS)


def _level(standing: Standing, advocates: int) -> StandingLevel:
    return StandingLevel(
        program_key=standing.program_key,
        period=standing.period,
        referrals=standing.referrals,
        advocates=advocates,
    )


def show_or_hide(advocate_id: int) -> None:
    """Bring the standings to what the advocate says. Locks the advocate first, as settle does."""
    with transaction.atomic():
        advocate = Advocate.objects.select_for_update(no_key=True).filter(pk=advocate_id).first()
        if advocate is None:
            return
        there = standings_of([advocate_id])[advocate_id]
        changes = _Changes()
        changes.add(advocate, {place: _tally(standing) for place, standing in there.items()}, there)
        changes.save()


def _tally(standing: Standing) -> Tally:
    revenue = {currency: Decimal(amount) for currency, amount in standing.revenue.items()}
    return Tally(standing.referrals, revenue, standing.reached_at)


def shown_by_any_of(fields: Iterable[str] | None) -> bool:
    """Can saving these fields of an advocate (``None``: all) change who is shown?"""
    return fields is None or not SHOWN_BY.isdisjoint(fields)


def set_in_leaderboards(advocate: Advocate, joined: bool) -> None:
    """Saving the advocate brings the standings along, see recognition/receivers.py."""
    with transaction.atomic():
        locked: Any = Advocate.objects.select_for_update(no_key=True).get(pk=advocate.pk)
        if locked.in_leaderboards != joined:
            locked.in_leaderboards = joined
            locked.save(update_fields=["in_leaderboards"])
    advocate.in_leaderboards = joined
