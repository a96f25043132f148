"""The part of the audit that knows memberships: what they are against their periods, orders, uses and rewards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from django.db.models import Count, Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from oscar.core.loading import get_model

from oscar_integration.memberships.chain import Span
from oscar_integration.memberships.groups import lacking, superfluous
from oscar_integration.memberships.models import Membership, Period, Plan, Renewal, Use
from oscar_integration.memberships.settle import (
    RETRY,
    Standing,
    compute,
    computed,
    lines_of,
    note_orders,
    spans_of,
    standing_of,
    wants_renewal,
)
from oscar_integration.shop import read_facts
from wagtail_referrals import conf
from wagtail_referrals.audit import Check, Finding, Problem, Run, amount_finding, checks, find_constraints
from wagtail_referrals.credit.models import Reservation
from wagtail_referrals.rewards.models import Reward

BATCH: Final = 500
ZERO: Final = Decimal(0)
State = Membership.State
Reason = Membership.Reason
# Which of these two it was, only the customer's wish at that time tells.
_TIME_OVER: Final = (Reason.RAN_OUT, Reason.NOT_PAID)

STANDING = Problem(
    "membership_state",
    _("Memberships that are not what their periods and uses say"),
    _(
        "Somebody wrote to the tables by hand. In “manage.py shell”, with the number of the membership: from "
        "oscar_integration.memberships.settle import settle; settle(number). That computes it anew."
    ),
)
UNSEEN = Problem(
    "membership_order_unseen",
    _("Orders of memberships that have changed, and that nobody looks at any more"),
    _(
        "In “manage.py shell”, with the number of the membership: from oscar_integration.memberships.settle import "
        "settle; settle(number)."
    ),
)
MISSED = Problem(
    "membership_missed",
    _("Orders that paid for a membership which nobody has"),
    _(
        "The sweep opens what is missing for 30 days; the log says why it could not. After that, give the customer "
        "the periods by hand."
    ),
)
USES = Problem(
    "membership_uses",
    _("Memberships that were used more often than they allow"),
    _("Somebody wrote to the tables by hand. Undo the uses that were not, in the list of who came."),
)
GROUP = Problem(
    "membership_group",
    _("Customers who are not in the groups of their memberships, or still are"),
    _('Does "manage.py referrals_sweep" run? It puts them in and takes them out.'),
    overdue=True,
)
REWARD = Problem(
    "membership_reward",
    _("Rewards that are a membership, and do not agree with it"),
    _('Open the referral and choose "Look again".'),
)
OVERDUE = Problem(
    "membership_overdue",
    _("Memberships and renewals that the sweep should have looked at"),
    _('Does "manage.py referrals_sweep" run? The log says what failed.'),
    overdue=True,
)
RENEWAL_ORDER = Problem(
    "renewal_order",
    _("Renewals that do not agree with their orders"),
    _(
        "Compare the renewal, the order of its number and what was charged. If money was taken for nothing, give it "
        "back."
    ),
)
RENEWAL_AMOUNT = Problem(
    "renewal_amount",
    _("Renewals that paid something else than their orders cost"),
    _("Compare the order with what was charged. Charge or give back the difference by hand."),
)
RENEWAL_CREDIT = Problem(
    "renewal_credit",
    _("Renewals that say something else than the credit account about what credit paid"),
    _("The credit account is right. Give back, or adjust, what the customer paid too much or too little."),
)
RENEWAL_TWICE = Problem(
    "renewal_twice",
    _("Memberships that were renewed twice for the same time"),
    _("Cancel one of the orders, and give its money back."),
)


def register() -> None:
    """Called once, from the app's ``ready``."""
    checks.register(Check("memberships", _("Memberships"), find_memberships, Membership.objects.count))
    checks.register(Check("renewals", _("Renewals of memberships"), find_renewals, Renewal.objects.count))


def _when(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment is not None else ""


# Memberships


def find_memberships(run: Run) -> Iterator[Finding]:
    yield from find_constraints("referral_memberships", run)
    rows = Membership.objects.select_related("plan", "user").order_by("pk").iterator(chunk_size=BATCH)
    while batch := list(islice(rows, BATCH)):
        yield from _Batch(run, batch).findings()
        run.look_at("memberships", len(batch))
    yield from _missed(run)
    yield from _groups(run)
    yield from _rewards(run)
    owed = Period.objects.filter(Q(shortfall_uses__gt=0) | Q(shortfall_days__gt=0), shortfall_closed_at=None)
    # For information: staff see them in a list of their own.
    if number := owed.count():
        run.looked_at["shortfalls"] = number


@dataclass
class _Batch:
    """Some memberships, with all that is needed to compute them anew. A constant number of queries."""

    run: Run
    memberships: Sequence[Membership]
    periods: dict[int, list[Period]] = field(default_factory=lambda: defaultdict(list))
    used_at: dict[int, tuple[datetime, ...]] = field(default_factory=dict)
    renewals: dict[int, Renewal] = field(default_factory=dict)
    others: set[tuple[Any, int]] = field(default_factory=set)

    def findings(self) -> Iterator[Finding]:
        self._read()
        numbers = {period.order_number for rows in self.periods.values() for period in rows}
        wanted = sorted(numbers - {""})
        facts: dict[str, Any] = {}
        for start in range(0, len(wanted), BATCH):
            facts |= read_facts(wanted[start : start + BATCH])
        lines = lines_of(wanted)
        for membership in self.memberships:
            periods = self.periods[membership.pk]
            stored = {period.pk: computed(period) for period in periods}
            spans = spans_of(periods, self.used_at)
            yield from self._compare(membership, periods, stored, spans)
            for period in periods:
                # As it was last seen.
                for name, value in stored[period.pk].items():
                    setattr(period, name, value)
            note_orders(membership, periods, facts, lines, self.run.now)
            yield from self._unseen(membership, periods, stored)
            yield from self._uses(membership, periods)

    def _read(self) -> None:
        ids = [membership.pk for membership in self.memberships]
        for period in Period.objects.filter(membership__in=ids).order_by("pk"):
            self.periods[period.membership_id].append(period)
        used: dict[int, list[datetime]] = defaultdict(list)
        uses = Use.objects.filter(membership__in=ids, undone_at=None).order_by("used_at", "pk")
        for period_id, used_at in uses.values_list("period_id", "used_at"):
            used[period_id].append(used_at)
        self.used_at = {period_id: tuple(moments) for period_id, moments in used.items()}
        for renewal in Renewal.objects.filter(membership__in=ids).order_by("number"):
            self.renewals[renewal.membership_id] = renewal
        others = Membership.objects.filter(user__in={row.user_id for row in self.memberships} - {None})
        several = others.order_by().values("user_id", "plan_id").annotate(rows=Count("pk")).filter(rows__gt=1)
        self.others = set(several.values_list("user_id", "plan_id"))

    # What it is

    def _compare(
        self,
        membership: Membership,
        periods: Sequence[Period],
        stored: dict[int, dict[str, Any]],
        spans: dict[int, Span],
    ) -> Iterator[Finding]:
        """From what is written down of its periods and uses, without a look at the orders."""
        now = self.run.now
        renewal = self.renewals.get(membership.pk)
        standing = standing_of(membership, periods, spans, renewal, now)
        if membership.next_check_at is not None and membership.next_check_at <= now:
            # The sweep computes all of it anew.
            if self.run.is_late(membership.next_check_at):
                words = gettext("Membership %(number)s was to be looked at on %(date)s.")
                date = _when(membership.next_check_at)
                yield Finding(
                    OVERDUE,
                    "membership",
                    membership.pk,
                    words % {"number": membership.pk, "date": date},
                    date,
                )
            return
        for what, expected, found in self._differences(membership, standing):
            words = gettext("Membership %(number)s: %(what)s is “%(found)s”, not “%(expected)s”.")
            values = {"number": membership.pk, "what": what, "found": found, "expected": expected}
            yield Finding(STANDING, "membership", membership.pk, words % values, str(expected), str(found))
        for period in periods:
            compute(period, spans.get(period.pk), self.used_at.get(period.pk, ()))
            anew = computed(period)
            for name, found in stored[period.pk].items():
                if anew[name] != found:
                    words = gettext("Period %(number)s: %(what)s is “%(found)s”, not “%(expected)s”.")
                    values = {
                        "number": period.pk,
                        "what": name,
                        "found": _text(found),
                        "expected": _text(anew[name]),
                    }
                    yield Finding(
                        STANDING, "period", period.pk, words % values, _text(anew[name]), _text(found)
                    )
        if self._never_renewed(membership, periods, spans, renewal):
            words = gettext("Membership %(number)s renews by itself, ended on %(date)s, and was not renewed.")
            date = _when(membership.ends_at)
            yield Finding(
                OVERDUE, "membership", membership.pk, words % {"number": membership.pk, "date": date}, date
            )

    def _differences(self, membership: Membership, standing: Standing) -> Iterator[tuple[str, str, str]]:
        if membership.state == State.ENDED and standing.state != State.ENDED:
            # One that ended does not run again while, or because, the customer has had another one of the plan since.
            has_another = (membership.user_id, membership.plan_id) in self.others
            # What ended when the time of grace was shorter stays so until it is looked at for another reason.
            if has_another or membership.ended_reason in _TIME_OVER:
                return
        by_time = {membership.ended_reason, standing.reason} <= set(_TIME_OVER)
        gone = membership.user is not None and not membership.user.is_active
        names = ["state", "starts_at", "ends_at", "uses_left"]
        if not by_time:
            names.append("reason")
        if standing.state != State.ENDED and not gone:
            names.append("access_until")
        for name in names:
            expected = getattr(standing, name)
            found = getattr(membership, "ended_reason" if name == "reason" else name)
            if expected == found or (name == "state" and gone and standing.reason in _TIME_OVER):
                continue
            if name == "access_until" and self._is_put_off(membership, expected):
                continue
            yield name, _text(expected), _text(found)
        change, check = standing.next_change, membership.next_check_at
        if change is not None and not gone and (check is None or check > change + RETRY):
            yield "next_check_at", _text(change), _text(check)

    def _is_put_off(self, membership: Membership, until: datetime) -> bool:
        """A renewal that is tried again later keeps the doors open for longer: computed anew when the time is over."""
        renewal, found = self.renewals.get(membership.pk), membership.access_until
        if renewal is None or not renewal.is_open or renewal.attempt or found is None:
            return False
        return self.run.now < found <= until

    def _never_renewed(
        self,
        membership: Membership,
        periods: Sequence[Period],
        spans: dict[int, Span],
        renewal: Renewal | None,
    ) -> bool:
        """It went on by itself so far, its time is over, and nobody has begun to renew it."""
        if membership.state == State.ENDED or not wants_renewal(membership) or not spans:
            return False
        if membership.plan.product_id is None:
            # There is nothing to order: the doctor says so.
            return False
        last = max(spans.values(), key=lambda span: (span.ends_at, span.id))
        if not last.whole or last.ends_at >= self.run.now:
            return False
        if renewal is not None and renewal.due_at >= last.ends_at:
            # Open, or paid or given up once.
            return False
        return self.run.is_late(last.ends_at)

    # Its orders

    def _unseen(
        self, membership: Membership, periods: Sequence[Period], stored: dict[int, dict[str, Any]]
    ) -> Iterator[Finding]:
        """An order has changed: will the sweep see it?"""
        changed = [period for period in periods if computed(period) != stored[period.pk]]
        if not changed:
            return
        soon = self.run.now + timedelta(hours=conf.get("CHECK_HOURS"))
        if membership.next_check_at is not None and membership.next_check_at <= soon:
            self.run.waiting += 1
            return
        for period in changed:
            words = gettext(
                "Order %(order)s has changed: period %(number)s of membership %(membership)s is to be looked at again."
            )
            values = {"order": period.order_number, "number": period.pk, "membership": membership.pk}
            yield Finding(UNSEEN, "order", period.order_number, words % values)

    # Its uses

    def _uses(self, membership: Membership, periods: Sequence[Period]) -> Iterator[Finding]:
        for period in periods:
            used = len(self.used_at.get(period.pk, ()))
            if period.uses is not None and used > period.uses:
                words = ngettext(
                    "Membership %(number)s allows %(expected)s use in period %(period)s, and has %(found)s.",
                    "Membership %(number)s allows %(expected)s uses in period %(period)s, and has %(found)s.",
                    period.uses,
                )
                values = {
                    "number": membership.pk,
                    "period": period.pk,
                    "expected": period.uses,
                    "found": used,
                }
                yield Finding(USES, "membership", membership.pk, words % values, str(period.uses), str(used))


def _text(value: Any) -> str:
    if value is None:
        return ""
    return _when(value) if isinstance(value, datetime) else str(value)


def _missed(run: Run) -> Iterator[Finding]:
    """Pieces of a plan's product that are paid, and of which no period is there."""
    Line = get_model("order", "Line")
    for plan in Plan.objects.filter(product__isnull=False, sold_since__isnull=False).order_by("pk"):
        pieces = Period.objects.filter(line_id=OuterRef("pk")).order_by().values("line_id")
        renewals = Renewal.objects.filter(order_number=OuterRef("order__number"))
        lines = (
            Line._default_manager.filter(
                ~Exists(renewals),
                Q(product=plan.product_id) | Q(product__parent=plan.product_id),
                order__date_placed__gte=plan.sold_since,
            )
            .annotate(opened=Coalesce(pieces.annotate(number=Count("pk")).values("number")[:1], 0))
            .filter(opened__lt=F("quantity"))
            .order_by("pk")
            .values_list("order__number", "order__date_placed", "quantity", "opened")
            .iterator(chunk_size=BATCH)
        )
        while batch := list(islice(lines, BATCH)):
            facts = read_facts(sorted({row[0] for row in batch}))
            for number, placed_at, quantity, opened in batch:
                fact = facts.get(number)
                if fact is None or fact.paid_at is None or fact.cancelled or fact.refunded > 0:
                    continue
                if run.is_late(max(placed_at, fact.paid_at)):
                    words = gettext(
                        "Order %(number)s paid for %(expected)s periods of the plan %(plan)s; %(found)s are there."
                    )
                    values = {"number": number, "expected": quantity, "plan": plan.pk, "found": opened}
                    yield Finding(MISSED, "order", number, words % values, str(quantity), str(opened))


def _groups(run: Run) -> Iterator[Finding]:
    rows = lacking(run.now).order_by("pk").values_list("pk", "plan__group", "starts_at")
    for pk, group, since in rows.iterator(chunk_size=BATCH):
        if since is not None and run.is_late(since):
            words = gettext("Membership %(number)s runs, and the customer is not in group %(group)s.")
            yield Finding(GROUP, "membership", pk, words % {"number": pk, "group": group}, str(group))
    for user, group in (
        superfluous(run.now).order_by("pk").values_list("user", "group").iterator(chunk_size=BATCH)
    ):
        ended = Membership.objects.filter(user=user, plan__group=group, access_until__isnull=False)
        last = ended.order_by("-access_until").values_list("access_until", flat=True).first()
        if last is None or run.is_late(min(last, run.now)):
            words = gettext("Customer %(number)s is in group %(group)s for a membership that does not run.")
            yield Finding(
                GROUP, "customer", str(user), words % {"number": user, "group": group}, "", str(group)
            )


def _rewards(run: Run) -> Iterator[Finding]:
    """A reward that is a membership was given, or was not: there is a period of it, or there is none."""
    own = Period.objects.filter(reward=OuterRef("pk"))
    # What staff ended was given all the same.
    given = own.filter(Q(taken_back_at=None) | ~Q(taken_back_reason=Reason.TAKEN_BACK))
    rows = Reward.objects.filter(kind="membership").annotate(
        is_given=Exists(given), is_running=Exists(own.filter(taken_back_at=None))
    )
    wrong = rows.filter(Q(posted__gt=0, is_given=False) | Q(posted=0, is_running=True)).order_by("pk")
    for pk, posted in wrong.values_list("pk", "posted").iterator(chunk_size=BATCH):
        words = (
            gettext("Reward %(number)s says that a membership was given, and there is no period of it.")
            if posted > 0
            else gettext("Reward %(number)s says that no membership was given, and there is a period of it.")
        )
        yield Finding(
            REWARD, "reward", pk, words % {"number": pk}, "1" if posted else "0", "0" if posted else "1"
        )


# Renewals


def find_renewals(run: Run) -> Iterator[Finding]:
    rows = Renewal.objects.order_by("pk").iterator(chunk_size=BATCH)
    while batch := list(islice(rows, BATCH)):
        yield from _renewals(batch, run)
        run.look_at("renewals", len(batch))
    live = Period.objects.filter(taken_back_at=None, order_number=OuterRef("order_number"))
    twice = (
        Renewal.objects.filter(Exists(live), state=Renewal.State.DONE)
        .order_by()
        .values("membership", "due_at")
        .annotate(times=Count("pk"))
        .filter(times__gt=1)
    )
    for row in twice.iterator(chunk_size=BATCH):
        words = gettext("Membership %(number)s was renewed %(found)s times for what begins on %(date)s.")
        values = {"number": row["membership"], "found": row["times"], "date": _when(row["due_at"])}
        yield Finding(RENEWAL_TWICE, "membership", row["membership"], words % values, "1", str(row["times"]))


def _renewals(batch: Sequence[Renewal], run: Run) -> Iterator[Finding]:
    numbers = [renewal.order_number for renewal in batch if renewal.order_number]
    orders = {
        number: (total, currency, placed_at)
        for number, total, currency, placed_at in get_model("order", "Order")
        ._default_manager.filter(number__in=numbers)
        .values_list("number", "total_incl_tax", "currency", "date_placed")
    }
    spent: dict[str, Decimal] = defaultdict(lambda: ZERO)
    captured = Reservation.objects.filter(order_number__in=numbers, state=Reservation.State.CAPTURED)
    for number, amount in captured.values_list("order_number", "amount"):
        spent[number] += amount
    of_renewals = Period.objects.filter(key__in=[f"renewal:{renewal.pk}" for renewal in batch])
    periods = set(of_renewals.values_list("key", flat=True))
    for renewal in batch:
        order = orders.get(renewal.order_number or "")
        if renewal.state == Renewal.State.DONE:
            yield from _done(renewal, order, spent[renewal.order_number or ""], periods)
        elif order is not None and (not renewal.is_open or run.is_late(order[2])):
            words = gettext("Order %(order)s was made for renewal %(number)s, which is not noted as paid.")
            values = {"order": renewal.order_number, "number": renewal.pk}
            yield Finding(RENEWAL_ORDER, "renewal", renewal.pk, words % values, "", str(renewal.order_number))
        elif renewal.is_open:
            yield from _open(renewal, run)


def _done(
    renewal: Renewal, order: tuple[Decimal, str, datetime] | None, spent: Decimal, periods: set[str]
) -> Iterator[Finding]:
    values = {"number": renewal.pk, "order": renewal.order_number or ""}
    if order is None:
        words = gettext("Renewal %(number)s is noted as paid, and there is no order %(order)s.")
        yield Finding(RENEWAL_ORDER, "renewal", renewal.pk, words % values, str(renewal.order_number or ""))
        return
    if f"renewal:{renewal.pk}" not in periods:
        words = gettext("Renewal %(number)s was paid by order %(order)s, and brought no period.")
        yield Finding(RENEWAL_ORDER, "renewal", renewal.pk, words % values, str(renewal.order_number))
    total, currency, _placed_at = order
    if renewal.currency != currency:
        words = gettext("Renewal %(number)s is in %(found)s, its order in %(expected)s.")
        yield Finding(
            RENEWAL_AMOUNT,
            "renewal",
            renewal.pk,
            words % {"number": renewal.pk, "found": renewal.currency, "expected": currency},
            currency,
            renewal.currency,
            currency,
        )
        return
    paid = (renewal.credit or ZERO) + (renewal.charge or ZERO)
    for found in dict.fromkeys((renewal.total or ZERO, paid)):
        if found != total:
            yield amount_finding(
                RENEWAL_AMOUNT,
                "renewal",
                renewal.pk,
                _("Renewal %(number)s paid %(found)s; its order %(order)s costs %(expected)s."),
                expected=total,
                found=found,
                currency=currency,
                order=renewal.order_number,
            )
    if (renewal.credit or ZERO) != spent:
        yield amount_finding(
            RENEWAL_CREDIT,
            "renewal",
            renewal.pk,
            _("Renewal %(number)s says that credit paid %(found)s; the account spent %(expected)s."),
            expected=spent,
            found=renewal.credit or ZERO,
            currency=currency,
        )


def _open(renewal: Renewal, run: Run) -> Iterator[Finding]:
    """When is it tried again? While a worker has it, not before that one's time is over."""
    moments = (renewal.next_attempt_at, renewal.leased_until)
    due = max((moment for moment in moments if moment is not None), default=renewal.due_at)
    if due <= run.now and run.is_late(due):
        words = gettext("Renewal %(number)s was due on %(date)s, and has not been tried since.")
        yield Finding(
            OVERDUE, "renewal", renewal.pk, words % {"number": renewal.pk, "date": _when(due)}, _when(due)
        )
