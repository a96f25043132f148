"""What the overview counts. A constant number of plain queries, however many members there are.

Amounts are kept apart by currency and never added across. Months are those of the site's time zone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, TruncMonth
from django.utils import timezone

from oscar_integration.memberships.admin.members import came_as_friend, renewing, to_recover
from oscar_integration.memberships.models import Membership, Plan, Renewal
from wagtail_referrals.insights import Period

Money = dict[str, Decimal]

State = Membership.State
RUNNING: Final = (State.ACTIVE, State.PAST_DUE)
# How many days are soon.
SOON: Final = 30


@dataclass
class PlanRow:
    """Members of one plan now."""

    plan: Plan
    running: int = 0
    past_due: int = 0
    ending: int = 0


@dataclass
class MonthRow:
    """What one month brought. ``net`` is what began less what ended."""

    first: date
    began: int = 0
    renewed: int = 0
    ended: int = 0

    @property
    def last(self) -> date:
        return next_month(self.first) - timedelta(days=1)

    @property
    def net(self) -> int:
        return self.began - self.ended


@dataclass
class Due:
    """Renewals with what they cost, by currency; ``unknown`` of them have no amount yet."""

    count: int = 0
    unknown: int = 0
    money: Money = field(default_factory=dict)


@dataclass
class Overview:
    """``members`` run now, ``friends`` of them came as friends. ``credit`` is what paid renewals of these months."""

    plans: list[PlanRow]
    months: list[MonthRow]
    members: int
    friends: int
    due: Due
    past_due: Due
    credit: Money
    shortfalls: int

    @property
    def friends_percent(self) -> int:
        """The part of the members who came as friends, rounded; 0 where there is nobody."""
        return round(100 * self.friends / self.members) if self.members else 0


def next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def earlier_month(day: date, months: int) -> date:
    """The first day of the month that is so many months before that of ``day``."""
    index = day.year * 12 + day.month - 1 - months
    return date(index // 12, index % 12 + 1, 1)


def this_month(now: datetime) -> date:
    return timezone.localtime(now, timezone.get_default_timezone()).date().replace(day=1)


def months_between(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first = next_month(first)


def overview(first: date, last: date, *, now: datetime, plan_id: int | None = None) -> Overview:
    """The figures at ``now``, and of the months from that of ``first`` to that of ``last``; of one plan, or of all.

    10 queries.
    """
    months = [MonthRow(month) for month in months_between(first, last)]
    span = Period(first, months[-1].last)
    of_plan = Q(plan=plan_id) if plan_id else Q()
    running = Membership.objects.filter(of_plan, state__in=RUNNING)
    renewals = Renewal.objects.filter(Q(membership__plan=plan_id) if plan_id else Q())
    counted = running.aggregate(members=Count("pk"), friends=Count("pk", filter=came_as_friend()))
    _count_months(months, span, Membership.objects.filter(of_plan), renewals)
    return Overview(
        plans=_plans(now, plan_id),
        months=months,
        members=counted["members"],
        friends=counted["friends"],
        due=_due(renewals.filter(still_to_come(now))),
        past_due=_due(renewals.filter(state=Renewal.State.PAST_DUE)),
        credit=_credit(renewals, span),
        shortfalls=Membership.objects.filter(of_plan, to_recover()).count(),
    )


def soon(now: datetime) -> date:
    """The last day of those that are called soon."""
    return timezone.localtime(now, timezone.get_default_timezone()).date() + timedelta(days=SOON)


def ending_soon(now: datetime) -> Q:
    """Runs, and nothing renews it before it ends."""
    day = soon(now)
    return Q(state=State.ACTIVE, access_until__lt=Period(day, day).end) & ~renewing()


def still_to_come(now: datetime) -> Q:
    """Renewals of the next days, and those being charged."""
    day = soon(now)
    return Q(state__in=(Renewal.State.PLANNED, Renewal.State.CHARGING), due_at__lt=Period(day, day).end)


def _plans(now: datetime, plan_id: int | None) -> list[PlanRow]:
    """2 queries. Plans that nobody has are there with zeros."""
    plans = Plan.objects.filter(pk=plan_id) if plan_id else Plan.objects.all()
    rows = {plan.pk: PlanRow(plan) for plan in plans}
    counted = (
        Membership.objects.filter(state__in=RUNNING, plan__in=rows)
        .order_by()
        .values_list("plan")
        .annotate(
            running=Count("pk"),
            past_due=Count("pk", filter=Q(state=State.PAST_DUE)),
            ending=Count("pk", filter=ending_soon(now)),
        )
    )
    for pk, running, past_due, ending in counted:
        row = rows[pk]
        row.running, row.past_due, row.ending = running, past_due, ending
    return list(rows.values())


def _count_months(
    months: Iterable[MonthRow],
    span: Period,
    memberships: QuerySet[Membership],
    renewals: QuerySet[Renewal],
) -> None:
    by_month = {row.first: row for row in months}
    counted = (
        ("began", "starts_at", memberships),
        ("ended", "access_until", memberships.filter(state=State.ENDED)),
        ("renewed", "ended_at", renewals.filter(state=Renewal.State.DONE)),
    )
    zone = timezone.get_default_timezone()
    for name, moment, rows in counted:
        within = rows.filter(**{f"{moment}__gte": span.start, f"{moment}__lt": span.end}).order_by()
        month = TruncMonth(moment, tzinfo=zone)
        for start, number in within.annotate(month=month).values_list("month").annotate(Count("pk")):
            setattr(by_month[start.date()], name, number)


def _due(rows: QuerySet[Renewal]) -> Due:
    """What each costs by its present attempt, before the first one as it was announced."""
    found = Due()
    grouped = (
        rows.annotate(cost=Coalesce("total", "announced_total"))
        .order_by()
        .values_list("currency")
        .annotate(Count("pk"), Count("cost"), amount=Sum("cost"))
    )
    for currency, count, priced, amount in grouped:
        found.count += count
        if currency and amount is not None:
            found.money[currency] = amount
            found.unknown += count - priced
        else:
            found.unknown += count
    return found


def _credit(renewals: QuerySet[Renewal], span: Period) -> Money:
    paid = renewals.filter(
        state=Renewal.State.DONE, ended_at__gte=span.start, ended_at__lt=span.end, credit__gt=0
    )
    return dict(paid.order_by().values_list("currency").annotate(Sum("credit")))
