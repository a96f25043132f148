"""settle: what a membership is now, from its periods, its uses and the present state of its orders.

Twice, or at once from two workers, changes nothing more. Locks the membership, then the customer where groups change.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final, NamedTuple

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_integration import conf as shop_conf
from oscar_integration.memberships.chain import Link, Span, run
from oscar_integration.memberships.groups import sync_group
from oscar_integration.memberships.models import Membership, Period, Renewal, Use
from oscar_integration.shop import read_facts
from wagtail_referrals import conf
from wagtail_referrals.referrals import Facts

logger = logging.getLogger("oscar_integration")

State = Membership.State
Reason = Membership.Reason
BOUGHT: Final = (Period.Origin.ORDER, Period.Origin.RENEWAL)
# Reasons that the orders of now give, and take back again.
_OF_ORDERS: Final = (Reason.CANCELLED, Reason.REFUNDED)
# How long after it was ordered an order is looked at without a word from the shop.
WATCH: Final = timedelta(days=400)
# For so long a membership that is over waits for an order that was to follow and is not paid.
PATIENCE: Final = timedelta(days=30)
RETRY: Final = timedelta(hours=1)
BATCH: Final = 500
_CENT: Final = Decimal("0.01")


class OrderLine(NamedTuple):
    """A line as far as it matters here; ``price`` of all its pieces, tax included."""

    quantity: int
    price: Decimal
    is_cancelled: bool


@dataclass(frozen=True)
class Standing:
    """What a membership is at one moment: computed, never stored as such."""

    state: str
    reason: str
    starts_at: datetime | None
    ends_at: datetime | None
    access_until: datetime | None
    uses_left: int | None
    next_change: datetime | None


def settle(
    membership_id: int, *, now: datetime | None = None, skip_locked: bool = False
) -> Membership | None:
    """Bring a membership to what the facts of now say.

    ``None`` when there is no such membership, or with ``skip_locked`` when another worker is at it.
    """
    moment = now or timezone.now()
    with transaction.atomic():
        membership = lock(membership_id, skip_locked=skip_locked)
        if membership is not None:
            settle_locked(membership, now=moment)
    return membership


def lock(membership_id: int, *, skip_locked: bool = False) -> Membership | None:
    """The membership, locked until the end of the transaction."""
    rows = Membership.objects.select_for_update(no_key=True, of=("self",), skip_locked=skip_locked)
    return rows.select_related("plan", "user").filter(pk=membership_id).first()


def settle_locked(membership: Membership, *, now: datetime) -> None:
    """As ``settle``, for who holds its lock."""
    periods = list(membership.periods.order_by("pk"))
    before = {period.pk: computed(period) for period in periods}
    look_at_orders(membership, periods, now)
    if membership.plan.renews and not membership.renews and _is_bought_now(periods, before):
        membership.renews = True
        membership.save(update_fields=["renews"])
    uses = _uses_of(membership)
    spans = spans_of(periods, uses)
    for period in periods:
        compute(period, spans.get(period.pk), uses.get(period.pk, ()))
        if computed(period) != before[period.pk]:
            Period.objects.filter(pk=period.pk).update(**computed(period))
    last = membership.renewals.order_by("-number").first()
    standing = standing_of(membership, periods, spans, last, now)
    ends = standing.state == State.ENDED and membership.state != State.ENDED
    if standing.state == State.ENDED or membership.state != State.ENDED:
        _write(membership, standing, periods, now)
    else:
        _bring_back(membership, standing, periods, last, now)
    if membership.user_id is not None:
        if ends:
            # One of the same plan that came back meanwhile has waited for that.
            _others_of(membership).exclude(ends_at__lte=now).update(next_check_at=now)
        sync_group(membership.user_id, now=now)


def _bring_back(
    membership: Membership, standing: Standing, periods: Sequence[Period], last: Renewal | None, now: datetime
) -> None:
    """Write that it runs again after its end, unless it is not to."""
    over = Standing(State.ENDED, membership.ended_reason, standing.starts_at, standing.ends_at, now, 0, None)
    if not _only_plan_changed(membership, standing, last, now) and not _has_another(membership):
        try:
            with transaction.atomic():
                _write(membership, standing, periods, now)
            return
        except IntegrityError:
            # Another one of the plan has begun at this moment.
            if not _has_another(membership):
                raise
    # What brought it back runs with the one that the customer has had since.
    _write(membership, over, periods, now)


def _is_bought_now(periods: Sequence[Period], before: Mapping[int, Mapping[str, Any]]) -> bool:
    """Was it only given so far, and has the customer paid for it now for the first time?"""
    known = [period for period in periods if before[period.pk]["counts_from"] is not None]
    if not known or any(period.origin in BOUGHT for period in known):
        return False
    new = [period for period in periods if period not in known and period.counts_from is not None]
    return any(period.origin == Period.Origin.ORDER for period in new)


def _uses_of(membership: Membership) -> dict[int, tuple[datetime, ...]]:
    found: dict[int, list[datetime]] = {}
    rows = Use.objects.filter(membership=membership, undone_at=None).order_by("used_at", "pk")
    for period_id, used_at in rows.values_list("period_id", "used_at"):
        found.setdefault(period_id, []).append(used_at)
    return {period_id: tuple(moments) for period_id, moments in found.items()}


def spans_of(periods: Sequence[Period], uses: dict[int, tuple[datetime, ...]]) -> dict[int, Span]:
    """When each period runs, by its id; those that are neither paid nor given have none. ``uses`` by period."""
    links = [
        Link(
            period.pk,
            period.length,
            period.unit,
            period.uses,
            period.counts_from,
            period.taken_back_at,
            uses.get(period.pk, ()),
            ends_used_up=period.ends_used_up,
        )
        for period in periods
        if period.counts_from is not None
    ]
    return {span.id: span for span in run(links, timezone.get_default_timezone())}


# Orders


def look_at_orders(membership: Membership, periods: Sequence[Period], now: datetime) -> None:
    """Note in its periods, without writing them, what has become of their orders. 8 queries; none without an order.

    Once paid they count, whatever the order's status becomes, until it is cancelled or refunded. An order that the shop
    no longer knows stays as it was last seen.
    """
    numbers = {period.order_number for period in periods if period.order_number}
    if numbers:
        note_orders(membership, periods, read_facts(sorted(numbers)), lines_of(numbers), now)


def orders_have_changed(membership: Membership, now: datetime) -> bool:
    """Whether an order was paid, cancelled or refunded and its periods do not know it yet. Nothing is written."""
    periods = list(membership.periods.order_by("pk"))
    before = [computed(period) for period in periods]
    look_at_orders(membership, periods, now)
    return [computed(period) for period in periods] != before


def note_orders(
    membership: Membership,
    periods: Sequence[Period],
    facts: Mapping[str, Facts],
    lines: Mapping[str, Mapping[int, OrderLine]],
    now: datetime,
) -> None:
    """As ``look_at_orders``, from what was read of any number of orders. No query."""
    for period in periods:
        fact = facts.get(period.order_number)
        if fact is None:
            continue
        if period.counts_from is None and fact.paid_at is not None and membership.user_id is not None:
            period.counts_from = fact.paid_at
        reason = _gone(period, fact, lines)
        if reason and period.taken_back_at is None:
            period.taken_back_at, period.taken_back_reason = now, reason
        elif reason and period.taken_back_reason in _OF_ORDERS:
            # Refunded first and cancelled later, say: what is true now.
            period.taken_back_reason = reason
        elif not reason and period.taken_back_reason in _OF_ORDERS:
            period.taken_back_at, period.taken_back_reason = None, ""


def lines_of(numbers: Collection[str]) -> dict[str, dict[int, OrderLine]]:
    """The lines of these orders, by order number and line. 1 query."""
    found: dict[str, dict[int, OrderLine]] = {}
    rows = get_model("order", "Line")._default_manager.filter(order__number__in=numbers)
    for number, line_id, quantity, price, status in rows.values_list(
        "order__number", "pk", "quantity", "line_price_incl_tax", "status"
    ):
        line = OrderLine(quantity, price, status in shop_conf.cancelled_statuses())
        found.setdefault(number, {})[line_id] = line
    return found


def _gone(period: Period, fact: Facts, lines: Mapping[str, Mapping[int, OrderLine]]) -> str:
    """Why this piece is not the customer's any more; "" while it is.

    Money that was given back of no known line is the line's in an order of one line; else it counts when it is all.
    """
    of_order = lines.get(period.order_number, {})
    line = of_order.get(period.line_id or 0)
    if fact.cancelled or (line is not None and line.is_cancelled):
        return Reason.CANCELLED
    goods = sum((each.price for each in of_order.values()), Decimal(0))
    if goods > 0 and fact.refunded >= goods:
        return Reason.REFUNDED
    if line is None or line.price <= 0:
        return ""
    if period.piece >= line.quantity:
        return Reason.REFUNDED
    given_back = (
        fact.refunded if len(of_order) == 1 else fact.refunded_lines.get(str(period.line_id), Decimal(0))
    )
    # The pieces from this one on, to the last: so much was given back for them, to the cent.
    worth = (line.price * (line.quantity - period.piece) / line.quantity).quantize(_CENT, ROUND_DOWN)
    return Reason.REFUNDED if given_back >= max(worth, _CENT) else ""


# What it comes to


def standing_of(
    membership: Membership,
    periods: Sequence[Period],
    spans: dict[int, Span],
    last_renewal: Renewal | None,
    now: datetime,
) -> Standing:
    """What the membership is now, from its periods and when they run. Pure but for the customer's ``is_active``."""
    ordered = sorted(spans.values(), key=lambda span: (span.starts_at, span.id))
    if membership.user_id is None and membership.starts_at is not None:
        ends_at = ordered[-1].ends_at if ordered else membership.ends_at
        # One that had ended before keeps its reason.
        reason = membership.ended_reason or Reason.DELETED
        return Standing(State.ENDED, reason, membership.starts_at, ends_at, ends_at, 0, None)
    if not ordered:
        if any(map(_waits, periods)):
            return Standing(State.WAITING, "", None, None, None, None, None)
        return Standing(State.ENDED, _why_gone(periods), None, None, None, 0, None)
    starts_at, last = ordered[0].starts_at, ordered[-1]
    ends_at = last.ends_at
    left = _uses_left(periods, ordered, now)
    final = next(period for period in periods if period.pk == last.id)
    grace = _access_until(membership, last, final, last_renewal)
    if now < ends_at:
        return Standing(State.ACTIVE, "", starts_at, ends_at, grace, left, _next(ordered, grace, now))
    if now < grace:
        refused = last_renewal is not None and last_renewal.is_open and last_renewal.attempt > 0
        state = State.PAST_DUE if refused else State.ACTIVE
        return Standing(state, "", starts_at, ends_at, grace, left, grace)
    patience = max((period.created_at + PATIENCE for period in periods if _waits(period)), default=now)
    if now < patience:
        # What was ordered to follow is not paid yet.
        return Standing(State.WAITING, "", starts_at, ends_at, ends_at, left, patience)
    return Standing(
        State.ENDED, _why_ended(membership, last, final, last_renewal), starts_at, ends_at, grace, 0, None
    )


def _waits(period: Period) -> bool:
    return period.counts_from is None and period.taken_back_at is None


def _uses_left(periods: Sequence[Period], ordered: Sequence[Span], now: datetime) -> int | None:
    """What is left of the period that runs, in the time of grace of the last one; of a pass with those to come too."""
    passes = {period.pk for period in periods if period.ends_used_up}
    left = []
    for span in [span for span in ordered if span.ends_at > now] or [ordered[-1]]:
        if span.uses_left is None:
            return None
        left.append(span.uses_left)
        if span.id not in passes:
            # The next one begins when its time is over, not with its last use.
            break
    return sum(left)


def _access_until(membership: Membership, last: Span, period: Period, renewal: Renewal | None) -> datetime:
    """The end, and the time of grace where it is to be renewed."""
    ends_at = last.ends_at
    continues = renewal is not None and renewal.due_at == ends_at
    if continues and renewal is not None and renewal.state == Renewal.State.GIVEN_UP:
        return max(ends_at, renewal.ended_at or ends_at)
    # Nothing follows by itself what was taken back, be it after its end.
    if not wants_renewal(membership) or not last.whole or period.taken_back_at is not None:
        return ends_at
    until = ends_at + membership.plan.grace
    if continues and renewal is not None and renewal.is_open:
        until = max(until, renewal.first_attempt_at(membership.plan) + membership.plan.grace)
        if renewal.state != Renewal.State.PAST_DUE and renewal.next_attempt_at is not None:
            # Put off by us, not by the customer.
            until = max(until, renewal.next_attempt_at + timedelta(days=1))
    return until


def wants_renewal(membership: Membership) -> bool:
    """Is it to go on by itself? No query where plan and user are at hand."""
    user: Any = membership.user
    return membership.renews and membership.plan.renews and user is not None and user.is_active


def _next(ordered: Sequence[Span], access_until: datetime, now: datetime) -> datetime:
    moments = {access_until, *(span.starts_at for span in ordered), *(span.ends_at for span in ordered)}
    return min((moment for moment in moments if moment > now), default=access_until)


def _why_gone(periods: Sequence[Period]) -> str:
    reasons = [period.taken_back_reason for period in periods if period.taken_back_reason]
    return reasons[-1] if reasons else Reason.CANCELLED


def _why_ended(membership: Membership, last: Span, period: Period, renewal: Renewal | None) -> str:
    if last.used_up:
        return Reason.USED_UP
    if not last.whole:
        return period.taken_back_reason or Reason.STAFF
    if period.taken_back_at is not None and membership.state != State.ENDED:
        # In the time of grace. What had ended before keeps its reason.
        return period.taken_back_reason or Reason.STAFF
    if period.taken_back_at is not None and membership.ended_reason:
        return membership.ended_reason
    if renewal is not None and renewal.due_at == last.ends_at and renewal.state == Renewal.State.GIVEN_UP:
        return Reason.NOT_PAID
    return Reason.NOT_PAID if wants_renewal(membership) else Reason.RAN_OUT


def _only_plan_changed(
    membership: Membership, standing: Standing, renewal: Renewal | None, now: datetime
) -> bool:
    """Its time was over and still is: only the plan's time of grace, or that it renews, could open it again."""
    if membership.ended_reason not in (Reason.RAN_OUT, Reason.NOT_PAID) or standing.state == State.WAITING:
        return False
    if standing.ends_at is None or standing.ends_at != membership.ends_at or now < standing.ends_at:
        return False
    return renewal is None or not renewal.is_open or renewal.due_at != standing.ends_at


def _has_another(membership: Membership) -> bool:
    return membership.user_id is not None and _others_of(membership).exclude(state=State.ENDED).exists()


def _others_of(membership: Membership) -> QuerySet[Membership]:
    """What else its customer has or had of its plan."""
    theirs = Membership.objects.filter(user=membership.user_id, plan=membership.plan_id)
    return theirs.exclude(pk=membership.pk)


# Writing


def computed(period: Period) -> dict[str, Any]:
    names = ("counts_from", "taken_back_at", "taken_back_reason", "starts_at", "ends_at")
    return {name: getattr(period, name) for name in (*names, "shortfall_uses", "shortfall_days")}


def compute(period: Period, span: Span | None, used_at: Sequence[datetime]) -> None:
    period.starts_at = span.starts_at if span is not None else None
    period.ends_at = span.ends_at if span is not None else None
    period.shortfall_uses, period.shortfall_days = _shortfall(period, span, used_at)


def _shortfall(period: Period, span: Span | None, used_at: Sequence[datetime]) -> tuple[int, int]:
    """What had been used of a gift when it was taken back: (uses, days). What was never used is owed by nobody."""
    if period.origin != Period.Origin.REWARD or period.taken_back_reason != Reason.TAKEN_BACK or span is None:
        return 0, 0
    if period.uses is not None:
        return min(len(used_at), period.uses), 0
    return 0, -(-(span.ends_at - span.starts_at) // timedelta(days=1))


def _write(membership: Membership, standing: Standing, periods: Sequence[Period], now: datetime) -> None:
    membership.state, membership.ended_reason = standing.state, standing.reason
    membership.starts_at, membership.ends_at = standing.starts_at, standing.ends_at
    membership.access_until, membership.uses_left = standing.access_until, standing.uses_left
    membership.next_check_at = _next_check(standing, periods, now)
    membership.save(
        update_fields=[
            "state",
            "ended_reason",
            "starts_at",
            "ends_at",
            "access_until",
            "uses_left",
            "next_check_at",
        ]
    )


def _next_check(standing: Standing, periods: Sequence[Period], now: datetime) -> datetime | None:
    """At the next change; and once a day while an order may change without a word."""
    moments = [standing.next_change] if standing.next_change is not None else []
    if any(period.order_number and period.created_at > now - WATCH for period in periods):
        moments.append(now + timedelta(hours=conf.get("CHECK_HOURS")))
    return min(moments, default=None)


def settle_due(now: datetime, progress: Callable[[int], None] | None = None) -> int:
    """Settle what is due, oldest first; how many. Any number at once. One that fails is tried again in an hour."""
    count = 0
    last: tuple[datetime, int] | None = None
    while True:
        due = Membership.objects.filter(next_check_at__lte=now).order_by("next_check_at", "pk")
        if last is not None:
            due = due.filter(next_check_at__gte=last[0]).exclude(next_check_at=last[0], pk__lte=last[1])
        rows = list(due.values_list("next_check_at", "pk")[:BATCH])
        if not rows:
            return count
        last = (rows[-1][0] or now, rows[-1][1])
        for _moment, pk in rows:
            try:
                count += settle(pk, now=now, skip_locked=True) is not None
            except Exception:
                logger.exception("Settling membership %s failed.", pk)
                Membership.objects.filter(pk=pk).update(next_check_at=now + RETRY)
        if progress is not None:
            progress(count)
