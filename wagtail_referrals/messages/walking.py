"""Which steps of a sequence are due for one person, and which comes next. Pure: no database, no clock.

The sweep walks people through with it, and the admin shows by it what would happen to a sample friend.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from wagtail_referrals.messages.sequencing import GOAL, PREVIOUS, START

# What came due while no sweep ran comes one a day, not all of it at once.
GAP: Final = timedelta(days=1)
# How often somebody is looked at whose next step, or whose aim, no moment tells.
LOOK: Final = timedelta(hours=1)
# For so long after the last step the aim still counts as reached by the sequence.
PATIENCE: Final = timedelta(days=30)


@dataclass(frozen=True)
class Step:
    """``moment`` is the key of one; with ``is_end`` the step comes ``delay`` before it. ``condition`` may be ""."""

    key: str
    delay: timedelta
    moment: str
    condition: str = ""
    is_negated: bool = False
    is_end: bool = False
    # Is it one of those that follow the aim?
    after_goal: bool = False
    template: int = 0


@dataclass
class Walk:
    """One person on the way: what was done when, and the registered moments of theirs that are known by now."""

    started_at: datetime
    done: dict[str, datetime] = field(default_factory=dict)
    # Of the last message; a step that was passed over is none.
    sent_at: datetime | None = None
    reached_at: datetime | None = None
    moments: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """``sent`` and ``passed``, in order. ``next_at`` is ``None`` when the sequence is at its end.

    ``is_stuck``: whether a condition holds could not be asked; what depends on it waits.
    """

    sent: list[Step]
    passed: list[Step]
    waits_for: str | None
    next_at: datetime | None
    is_stuck: bool = False


def due_at(steps: Sequence[Step], index: int, walk: Walk) -> datetime | None:
    """When the step is due; ``None`` as long as that is not known."""
    step = steps[index]
    if step.after_goal != (walk.reached_at is not None):
        return None
    if step.moment == PREVIOUS and index:
        anchor = walk.done.get(steps[index - 1].key)
    elif step.moment in (START, PREVIOUS):
        anchor = walk.started_at
    elif step.moment == GOAL:
        anchor = walk.reached_at
    else:
        anchor = walk.moments.get(step.moment)
    if anchor is None:
        return None
    if step.is_end:
        return anchor - step.delay
    due = anchor + step.delay
    if step.delay and walk.sent_at is not None and due <= walk.sent_at:
        # It was due before the last message was sent, and only waits because that was late.
        return max(due, walk.sent_at + GAP)
    return due


def _is_too_late(step: Step, due: datetime, walk: Walk, now: datetime) -> bool:
    """What announces an end: once that is there, or when it was nearer than that from the start."""
    return step.is_end and (now >= walk.moments[step.moment] or due < walk.started_at)


def _open_steps(steps: Sequence[Step], walk: Walk) -> list[tuple[int, datetime | None]]:
    """What may still come in this part of the sequence, before the aim or after it, each with when it is due."""
    after = walk.reached_at is not None
    return [
        (index, due_at(steps, index, walk))
        for index, step in enumerate(steps)
        if step.key not in walk.done and step.after_goal == after
    ]


def _first(open_steps: list[tuple[int, datetime | None]]) -> tuple[int, datetime] | None:
    known = [(due, index) for index, due in open_steps if due is not None]
    if not known:
        return None
    due, index = min(known)
    return index, due


def asks_for(steps: Sequence[Step], walk: Walk, now: datetime) -> set[str]:
    """The conditions that ``advance`` may want to know: of what is due, and of what may follow it at once."""
    open_steps = _open_steps(steps, walk)
    first = _first(open_steps)
    if first is None or first[1] > now:
        return set()
    return {
        steps[index].condition
        for index, due in open_steps
        if steps[index].condition and (not steps[index].delay or (due is not None and due <= now))
    }


def advance(
    steps: Sequence[Step],
    walk: Walk,
    now: datetime,
    *,
    has_goal: bool,
    holds: Callable[[str], bool | None],
) -> Result:
    """Do what is due, and say what is next. At most one message, and what follows it without a delay.

    ``holds`` answers for a condition whether it is so, ``None`` if that cannot be asked now. Changes ``walk``.
    """
    sent: list[Step] = []
    passed: list[Step] = []
    is_stuck = False
    while (first := _first(_open_steps(steps, walk))) is not None:
        index, due = first
        step = steps[index]
        if due > now or (sent and step.delay):
            break
        if _is_too_late(step, due, walk, now):
            fits: bool | None = False
        elif step.condition:
            answer = holds(step.condition)
            fits = None if answer is None else answer != step.is_negated
        else:
            fits = True
        if fits is None:
            is_stuck = True
            break
        walk.done[step.key] = now
        if fits:
            walk.sent_at = now
        (sent if fits else passed).append(step)
    return _what_next(steps, walk, now, has_goal, sent, passed, is_stuck)


def _what_next(
    steps: Sequence[Step],
    walk: Walk,
    now: datetime,
    has_goal: bool,
    sent: list[Step],
    passed: list[Step],
    is_stuck: bool,
) -> Result:
    open_steps = _open_steps(steps, walk)
    first = _first(open_steps)
    looks = walk.reached_at is None and (has_goal or any(due is None for _index, due in open_steps))
    waits_for = None
    next_at = None
    if first is not None:
        index, due = first
        waits_for = steps[index].key
        next_at = max(due, now + timedelta(minutes=1))
        if is_stuck:
            next_at = now + LOOK
        elif looks:
            next_at = min(next_at, now + LOOK)
    elif looks and now - max([walk.started_at, *walk.done.values()]) < PATIENCE:
        waits_for = steps[open_steps[0][0]].key if open_steps else None
        next_at = now + LOOK
    return Result(sent, passed, waits_for, next_at, is_stuck)


def mark_after_goal(moments: Sequence[str]) -> list[bool]:
    """Which steps follow the aim: those that count from it, and those that count from such a one before them."""
    found: list[bool] = []
    for index, moment in enumerate(moments):
        found.append(moment == GOAL or (moment == PREVIOUS and index > 0 and found[index - 1]))
    return found
