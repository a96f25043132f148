"""How many people are where in a sequence, and what it brought."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from django.db.models import Count, Exists, OuterRef, Q, Sum

from wagtail_referrals.messages.models import Enrollment, Message, Sequence, SequenceStep
from wagtail_referrals.referrals.models import Purchase, Referral

State = Enrollment.State

# Orders of referrals in these states brought nothing, or may still be refused.
_NOT_KEPT: Final = (Referral.State.TO_CHECK, Referral.State.REFUSED, Referral.State.TAKEN_BACK)


@dataclass
class StepCounts:
    """Of people. ``sent`` of those messages that were planned; ``held`` are still to go, ``dropped`` never went."""

    step: SequenceStep
    waiting: int = 0
    sent: int = 0
    held: int = 0
    dropped: int = 0
    opened: int = 0
    passed: int = 0


@dataclass
class Brought:
    """Orders that friends placed after they began, by currency, which are never added up. ``amount`` in it."""

    currency: str
    orders: int
    amount: Decimal


@dataclass
class Counts:
    begun: int = 0
    running: int = 0
    reached: int = 0
    finished: int = 0
    # By why.
    stopped: dict[str, int] = field(default_factory=dict)
    steps: list[StepCounts] = field(default_factory=list)
    brought: list[Brought] = field(default_factory=list)

    @property
    def percent(self) -> int | None:
        """Of all who are no longer on the way, how many reached the aim; ``None`` while there are none."""
        over = self.begun - self.running
        return round(100 * self.reached / over) if over else None


def counts_of(sequence: Sequence) -> Counts:
    """Five queries, whatever there is."""
    steps = list(sequence.steps.select_related("template"))
    people = Enrollment.objects.filter(sequence=sequence)
    done = people.aggregate(
        **{f"step_{step.pk}": Count("pk", filter=Q(done__has_key=str(step.key))) for step in steps}
    )
    found = Counts()
    waiting: dict[Any, int] = {}
    states = people.order_by().values_list("state", "reason", "waits_for").annotate(number=Count("pk"))
    for state, reason, waits_for, number in states:
        found.begun += number
        if waits_for is not None:
            waiting[waits_for] = waiting.get(waits_for, 0) + number
        if state == State.RUNNING:
            found.running += number
        elif state == State.REACHED:
            found.reached += number
        elif state == State.FINISHED:
            found.finished += number
        else:
            found.stopped[reason] = found.stopped.get(reason, 0) + number
    planned = _messages(sequence)
    for step in steps:
        row = planned.get(step.key, {})
        all_planned = row.get("planned", 0)
        found.steps.append(
            StepCounts(
                step=step,
                waiting=waiting.get(step.key, 0),
                sent=row.get("sent", 0),
                dropped=row.get("dropped", 0),
                held=all_planned - row.get("sent", 0) - row.get("dropped", 0),
                opened=row.get("opened", 0),
                passed=max(done[f"step_{step.pk}"] - all_planned, 0),
            )
        )
    found.brought = _brought(sequence)
    return found


def _messages(sequence: Sequence) -> dict[Any, Any]:
    states = Message.State
    rows = (
        Message.objects.filter(enrollment__sequence=sequence)
        .order_by()
        .values("step")
        .annotate(
            planned=Count("pk"),
            sent=Count("pk", filter=Q(state__in=(states.SENT, states.UNSURE))),
            dropped=Count("pk", filter=Q(state__in=(states.DROPPED, states.FAILED))),
            opened=Count("pk", filter=Q(opened_at__isnull=False)),
        )
    )
    return {row["step"]: row for row in rows}


def _brought(sequence: Sequence) -> list[Brought]:
    """Goods of orders that qualified and were kept, as the referrals say."""
    begun = Enrollment.objects.filter(
        sequence=sequence, referral=OuterRef("referral"), started_at__lte=OuterRef("placed_at")
    )
    orders = Purchase.objects.filter(Exists(begun), referral__qualified_at__isnull=False)
    # What the shop was not asked yet has no such key, which is neither true nor false.
    kept = Q(observed__cancelled=False) | ~Q(observed__has_key="cancelled")
    orders = orders.filter(kept).exclude(referral__state__in=_NOT_KEPT)
    rows = orders.order_by("currency").values_list("currency").annotate(Count("pk"), Sum("eligible"))
    return [Brought(currency, number, amount) for currency, number, amount in rows]


def short_counts(keys: list[int]) -> dict[int, tuple[int, int]]:
    """How many are on the way, and how many reached the aim, for each of these sequences. One query."""
    rows = (
        Enrollment.objects.filter(sequence__in=keys)
        .order_by()
        .values_list("sequence")
        .annotate(
            running=Count("pk", filter=Q(state=State.RUNNING)),
            reached=Count("pk", filter=Q(state=State.REACHED)),
        )
    )
    return {key: (running, reached) for key, running, reached in rows}
