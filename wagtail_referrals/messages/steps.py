"""The sweep's part in sequences: whose aim is reached, who has to stop, and which messages are due.

Enrollments are taken in batches, in one transaction each: locked, with those left out that another sweep is at. What
is planned and how far somebody is are written together, so that whoever dies in the middle has done nothing; and the
key of each message, of the enrollment and the step, makes a second one impossible.

What happens to those who are on the way when an editor
- changes, moves, adds or removes steps: they follow the steps as they are from then on. What was sent stays sent;
- unpublishes the sequence: they rest, and go on where they are once it is published again;
- lets it end by its date: they are stopped;
- deletes it: nothing is left of them but the messages that they were sent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Func, JSONField, QuerySet, Value
from django.utils import timezone
from django.utils.translation import gettext

from wagtail_referrals.credit import update_together
from wagtail_referrals.kinds import Registry
from wagtail_referrals.messages import sequencing
from wagtail_referrals.messages.models import Enrollment, Message, SequenceStep
from wagtail_referrals.messages.models import Sequence as SequenceRow
from wagtail_referrals.messages.sequencing import conditions, moments
from wagtail_referrals.messages.walking import LOOK, Step, Walk, advance, asks_for, mark_after_goal

logger = logging.getLogger("wagtail_referrals")

KIND: Final = "sequence"
BATCH: Final = 1000
# From so many people on for whom the same changes, that is written in a statement for them all.
ALIKE: Final = 20
# In ``Enrollment.done``, beside the keys of steps: when the last message was sent.
SENT: Final = "sent"
# What else a look at an enrollment may change.
_CHANGED: Final = ("state", "reason", "waits_for", "next_at", "ended_at")

# Why somebody was stopped, beside the conditions of the sequence.
GONE: Final = "gone"
NO_CONSENT: Final = "no_consent"
OVER: Final = "over"

State = Enrollment.State


@dataclass(frozen=True)
class Plan:
    """A published sequence as it is now."""

    pk: int
    key: str
    goal: str
    stops: tuple[str, ...]
    steps: tuple[Step, ...]


def plan_of(sequence: SequenceRow, rows: Iterable[SequenceStep] | None = None) -> Plan:
    """The sequence and its steps, as the rows say; ``rows`` of a form that is not saved."""
    ordered = list(sequence.steps.all() if rows is None else rows)
    after = mark_after_goal([row.moment for row in ordered])
    return Plan(
        pk=sequence.pk,
        key=str(sequence.key),
        goal=sequence.goal,
        stops=tuple(sequence.stops),
        steps=tuple(
            Step(
                key=str(row.key),
                delay=timedelta(hours=row.delay)
                if row.unit == SequenceStep.Unit.HOURS
                else timedelta(days=row.delay),
                moment=row.moment,
                condition=row.condition,
                is_negated=row.is_negated,
                is_end=row.moment in moments and moments.get(row.moment).is_end,
                after_goal=follows,
                template=row.template_id,
            )
            for row, follows in zip(ordered, after, strict=True)
        ),
    )


def plan_with_the_sweep(
    sender: Any,
    *,
    now: datetime,
    progress: Callable[[str, int, int], None] | None = None,
    **kwargs: Any,
) -> None:
    plan_due(now=now, progress=progress)


def plan_due(*, now: datetime | None = None, progress: Callable[[str, int, int], None] | None = None) -> int:
    """Plan the messages that are due; their number. Any number of sweeps at once, in memory that does not grow.

    ``progress`` is told, after each batch, what is being done, and at how many people of how many it was looked.
    """
    moment = now or timezone.now()
    _end_those_over(moment)
    plans = {
        sequence.pk: plan_of(sequence)
        for sequence in SequenceRow.objects.filter(live=True).prefetch_related("steps")
    }
    total = _all_due(plans, moment).count() if progress is not None and plans else 0
    count = looked = 0
    while plans:
        taken: list[int] = []
        count += _plan_apart(taken, None, plans, moment)
        if not taken:
            break
        looked += len(taken)
        if progress is not None:
            progress(gettext("People in sequences"), looked, total)
    return count


def _all_due(plans: Mapping[int, Plan], now: datetime) -> QuerySet[Enrollment]:
    return Enrollment.objects.filter(next_at__lte=now, sequence__in=list(plans))


def _end_those_over(now: datetime) -> None:
    """A sequence with a last day ends for all on that day."""
    over = SequenceRow.objects.filter(live=False, expired=True)
    Enrollment.objects.filter(sequence__in=over, next_at__isnull=False, state=State.RUNNING).update(
        state=State.STOPPED, reason=OVER, ended_at=now, next_at=None, waits_for=None
    )
    Enrollment.objects.filter(sequence__in=over, next_at__isnull=False).update(next_at=None, waits_for=None)


def _plan_apart(taken: list[int], key: int | None, plans: Mapping[int, Plan], now: datetime) -> int:
    """Plan for the next batch, or for one. If that cannot be done for all together, then for each by itself."""
    try:
        return _plan(taken, key, plans, now)
    except Exception:
        if not taken:
            raise
        if key is None:
            logger.exception("Planning for %s people in sequences failed; each is tried alone.", len(taken))
            return sum(_plan_apart([one], one, plans, now) for one in taken)
        logger.exception("Planning for enrollment %s failed; it is tried again in an hour.", key)
        Enrollment.objects.filter(pk=key, next_at__isnull=False).update(next_at=now + LOOK)
        return 0


def _plan(taken: list[int], key: int | None, plans: Mapping[int, Plan], now: datetime) -> int:
    """Plan for what is due and free, in one transaction. ``taken`` gets the keys of the enrollments."""
    with transaction.atomic():
        due = _all_due(plans, now).order_by("next_at", "pk")
        if key is not None:
            due = due.filter(pk=key)
        free = due.select_for_update(no_key=True, skip_locked=True, of=("self",))
        batch = list(free.select_related("user", "lead")[:BATCH])
        taken[:] = [enrollment.pk for enrollment in batch]
        if not batch:
            return 0
        done_before = {enrollment.pk: dict(enrollment.done) for enrollment in batch}
        messages = _walk_all(batch, plans, now)
        Message.objects.bulk_create(messages, ignore_conflicts=True)
        _save(batch, done_before)
    return len(messages)


class _With(Func):
    """A JSON object with the values of another one."""

    function = "JSON_PATCH"
    output_field = JSONField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="(%(expressions)s)", arg_joiner=" || ", **context)


def _save(batch: Iterable[Enrollment], done_before: Mapping[int, dict[str, str]]) -> None:
    """Mostly the same changes for very many: that is written once. All of them are there, and locked."""
    alike: dict[tuple[tuple[Any, ...], tuple[tuple[str, str], ...]], list[Enrollment]] = {}
    for enrollment in batch:
        before = done_before[enrollment.pk]
        added = tuple(item for item in enrollment.done.items() if before.get(item[0]) != item[1])
        values = tuple(getattr(enrollment, name) for name in _CHANGED)
        alike.setdefault((values, added), []).append(enrollment)
    others: list[Enrollment] = []
    for (values, added), enrollments in alike.items():
        if len(enrollments) < ALIKE:
            others += enrollments
            continue
        changes: dict[str, Any] = dict(zip(_CHANGED, values, strict=True))
        if added:
            changes["done"] = _With("done", Value(dict(added), output_field=JSONField()))
        Enrollment.objects.filter(pk__in=[enrollment.pk for enrollment in enrollments]).update(**changes)
    update_together(others, ["done", *_CHANGED])


def _walk_all(batch: list[Enrollment], plans: Mapping[int, Plan], now: datetime) -> list[Message]:
    """Bring the enrollments to what they are now, unsaved; the messages that are due. As many queries as there are
    conditions and moments.
    """
    wanted = [enrollment for enrollment in batch if not _ends_by_itself(enrollment, now)]
    answers = _Answers(now)
    running = [enrollment for enrollment in wanted if enrollment.state == State.RUNNING]
    answers.ask(
        (condition, enrollment)
        for enrollment in running
        for condition in _ending(plans[enrollment.sequence_id])
    )
    going = [
        enrollment
        for enrollment in wanted
        if _goes_on(enrollment, plans[enrollment.sequence_id], answers, now)
    ]
    walks = _walks(going, plans, now)
    answers.ask(
        (condition, enrollment)
        for enrollment in going
        for condition in asks_for(plans[enrollment.sequence_id].steps, walks[enrollment.pk], now)
    )
    messages = []
    for enrollment in going:
        messages += _walk(enrollment, plans[enrollment.sequence_id], walks[enrollment.pk], answers, now)
    return messages


def _ending(plan: Plan) -> list[str]:
    return [condition for condition in (plan.goal, *plan.stops) if condition]


def unreachable(enrollment: Enrollment) -> str:
    """Why this person is not to be written to any more, or never was: "" when they are."""
    if enrollment.user is not None:
        return "" if getattr(enrollment.user, "is_active", True) else GONE
    if enrollment.lead is None:
        return GONE
    return "" if enrollment.lead.wants_reminders else NO_CONSENT


def _ends_by_itself(enrollment: Enrollment, now: datetime) -> bool:
    reason = unreachable(enrollment)
    if reason:
        _end(enrollment, State.STOPPED, now, reason)
    return bool(reason)


def _end(enrollment: Enrollment, state: str, now: datetime, reason: str = "") -> None:
    """Who has reached the aim has, whatever keeps them from what follows it."""
    if enrollment.state == State.RUNNING:
        enrollment.state, enrollment.reason, enrollment.ended_at = state, reason, now
    enrollment.next_at = enrollment.waits_for = None


def _goes_on(enrollment: Enrollment, plan: Plan, answers: _Answers, now: datetime) -> bool:
    """Is there anything to do? Not for who has to stop, nor while that cannot be asked."""
    if enrollment.state != State.RUNNING:
        return True
    asked = {condition: answers.of(condition, enrollment) for condition in _ending(plan)}
    if plan.goal and asked[plan.goal]:
        enrollment.state, enrollment.ended_at = State.REACHED, now
        return True
    stopped = next((condition for condition in plan.stops if asked[condition]), None)
    if stopped is not None:
        _end(enrollment, State.STOPPED, now, stopped)
        return False
    if None in asked.values():
        enrollment.next_at = now + LOOK
        return False
    return True


def _walks(going: list[Enrollment], plans: Mapping[int, Plan], now: datetime) -> dict[int, Walk]:
    known = _moments(going, plans, now)
    walks = {}
    for enrollment in going:
        times = {key: datetime.fromisoformat(text) for key, text in enrollment.done.items()}
        sent_at = times.pop(SENT, None)
        walks[enrollment.pk] = Walk(
            started_at=enrollment.started_at,
            done=times,
            sent_at=sent_at,
            reached_at=enrollment.ended_at if enrollment.state == State.REACHED else None,
            moments={key: found[enrollment.pk] for key, found in known.items() if enrollment.pk in found},
        )
    return walks


def _moments(
    going: list[Enrollment], plans: Mapping[int, Plan], now: datetime
) -> dict[str, Mapping[int, datetime]]:
    """The registered moments that steps count from. One that cannot be asked is as if it were not known yet."""
    asked: dict[str, list[Enrollment]] = {}
    for enrollment in going:
        if enrollment.state == State.REACHED:
            continue
        steps = plans[enrollment.sequence_id].steps
        own = {step.moment for step in steps if step.key not in enrollment.done}
        for key in own - {sequencing.START, sequencing.PREVIOUS, sequencing.GOAL}:
            asked.setdefault(key, []).append(enrollment)
    found: dict[str, Mapping[int, datetime]] = {}
    for key, enrollments in asked.items():
        answer = _asked(moments, key, lambda moment, of=enrollments: moment.of(of, now))  # type: ignore[misc]
        if answer is not None:
            found[key] = answer
    return found


def _asked(registry: Registry[Any], key: str, ask: Callable[[Any], Any]) -> Any:
    """What a registered condition or moment answers; ``None``, and a line in the log, where that cannot be had."""
    try:
        with transaction.atomic():
            return ask(registry.get(key))
    except Exception:
        logger.exception("The %s %r of a sequence could not be asked.", registry.what, key)
        return None


class _Answers:
    """For whom conditions hold; each is asked once, for all together."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.known: dict[str, dict[int, bool | None]] = {}

    def ask(self, wanted: Iterable[tuple[str, Enrollment]]) -> None:
        asked: dict[str, dict[int, Enrollment]] = {}
        for condition, enrollment in wanted:
            if enrollment.pk not in self.known.get(condition, {}):
                asked.setdefault(condition, {})[enrollment.pk] = enrollment
        for condition, enrollments in asked.items():
            rows = list(enrollments.values())
            holding = _asked(conditions, condition, lambda one, of=rows: one.holds(of, self.now))  # type: ignore[misc]
            answers = self.known.setdefault(condition, {})
            answers.update((pk, None if holding is None else pk in holding) for pk in enrollments)

    def of(self, condition: str, enrollment: Enrollment) -> bool | None:
        return self.known.get(condition, {}).get(enrollment.pk)


def _walk(enrollment: Enrollment, plan: Plan, walk: Walk, answers: _Answers, now: datetime) -> list[Message]:
    result = advance(
        plan.steps,
        walk,
        now,
        has_goal=bool(plan.goal),
        holds=lambda condition: answers.of(condition, enrollment),
    )
    for step in (*result.sent, *result.passed):
        enrollment.done[step.key] = now.isoformat()
    if result.sent:
        enrollment.done[SENT] = now.isoformat()
    if result.next_at is None:
        _end(enrollment, State.FINISHED, now)
    else:
        enrollment.waits_for, enrollment.next_at = result.waits_for, result.next_at
    return [_message(enrollment, plan, step, now) for step in result.sent]


def _message(enrollment: Enrollment, plan: Plan, step: Step, now: datetime) -> Message:
    return Message(
        key=f"{KIND}:{plan.key}:{enrollment.pk}:{step.key}",
        kind=KIND,
        user_id=enrollment.user_id,
        lead_id=enrollment.lead_id,
        referral_id=enrollment.referral_id,
        enrollment=enrollment,
        step=step.key,
        language=enrollment.language,
        data={"template": step.template},
        created_at=now,
        next_attempt_at=now,
    )


def is_due(message: Message, now: datetime) -> bool:
    """Right before a message is sent, maybe hours after it was planned: does its sequence still want it?

    Not when that was unpublished, or this person has reached the aim or has to stop since; nor when the step's own
    condition no longer fits. What cannot be asked does not fit.
    """
    enrollment = (
        Enrollment.objects.select_related("user", "lead", "sequence").filter(messages=message).first()
    )
    if enrollment is None or not enrollment.sequence.live or unreachable(enrollment):
        return False
    plan = plan_of(enrollment.sequence)
    step = next((step for step in plan.steps if step.key == str(message.step)), None)
    if step is None or enrollment.state == State.STOPPED:
        return False
    answers = _Answers(now)
    if step.after_goal:
        asked = [step.condition] if step.condition else []
    else:
        if enrollment.state == State.REACHED:
            return False
        asked = [*_ending(plan), *([step.condition] if step.condition else [])]
    answers.ask((condition, enrollment) for condition in asked)
    if not step.after_goal and any(
        answers.of(condition, enrollment) is not False for condition in _ending(plan)
    ):
        return False
    answer = answers.of(step.condition, enrollment) if step.condition else True
    return not step.condition or (answer is not None and answer != step.is_negated)
