"""What a sequence would send to a sample reader, day by day, for each way that it can go. Nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from django.utils.translation import get_language, gettext

from wagtail_referrals.messages import conditions as engine
from wagtail_referrals.messages.models import MessageTemplate, SequenceStep
from wagtail_referrals.messages.models import Sequence as SequenceRow
from wagtail_referrals.messages.previewing import compose_sample
from wagtail_referrals.messages.sequence_words import label_of
from wagtail_referrals.messages.sequencing import conditions, moments
from wagtail_referrals.messages.steps import KIND, Plan, plan_of
from wagtail_referrals.messages.walking import Walk, advance
from wagtail_referrals.messages.words import text_for, words_of

# The sample's: two weeks to an end, a week to other moments; what happens to them, happens on the fourth day.
ENDS: Final = timedelta(days=14)
OTHERS: Final = timedelta(days=7)
HAPPENS: Final = timedelta(days=3, hours=1)


@dataclass(frozen=True)
class Planned:
    """``day`` is 1 for the first one. A step that is passed over has ``is_sent`` false."""

    day: int
    at: datetime
    name: str
    subject: str
    is_sent: bool


@dataclass(frozen=True)
class Branch:
    label: str
    planned: list[Planned]
    # How it is over.
    end: str


@dataclass(frozen=True)
class _Case:
    label: str
    end: str
    # Conditions that are so, and the one of them that becomes so on the fourth day.
    holding: frozenset[str]
    later: str = ""


def rehearse(sequence: SequenceRow, rows: Sequence[SequenceStep], now: datetime) -> list[Branch]:
    """Of the sequence and its steps as they are given, saved or not."""
    plan = plan_of(sequence, rows)
    names = {
        template.pk: (template.name, _subject(template))
        for row in rows
        if (template := row.template) is not None
    }
    return [_branch(plan, case, names, now) for case in _cases(plan)]


def _cases(plan: Plan) -> list[_Case]:
    unopened = frozenset({engine.OPENED_NOTHING})
    over = gettext("Then it is at its end.")
    cases = [_Case(gettext("Nothing happens"), over, unopened)]
    asked = dict.fromkeys(step.condition for step in plan.steps if step.condition)
    ending = (plan.goal, *plan.stops)
    for key in asked:
        if key in ending:
            continue
        if key == engine.OPENED_NOTHING:
            cases.append(_Case(gettext("The reader opens a message"), over, frozenset()))
        else:
            words = gettext("The reader %(condition)s") % {"condition": label_of(conditions, key)}
            cases.append(_Case(words, over, unopened | {key}))
    for key in ending:
        if key:
            words = gettext("The reader %(condition)s on the fourth day") % {
                "condition": label_of(conditions, key)
            }
            end = (
                gettext("It has reached its aim.")
                if key == plan.goal
                else gettext("It ends there, without success.")
            )
            cases.append(_Case(words, end, unopened, key))
    return cases


def _branch(plan: Plan, case: _Case, names: dict[int, tuple[str, str]], start: datetime) -> Branch:
    walk = Walk(
        started_at=start, moments={one.key: start + (ENDS if one.is_end else OTHERS) for one in moments}
    )
    happens = start + HAPPENS if case.later else None
    found: list[Planned] = []
    now: datetime | None = start
    while now is not None:
        if happens is not None and now >= happens:
            happens = None
            if case.later != plan.goal:
                break
            walk.reached_at = now
        happened = case.later if case.later and happens is None else ""
        result = advance(
            plan.steps,
            walk,
            now,
            has_goal=False,
            holds=partial(_holds, case.holding | {happened}),
        )
        for step in sorted((*result.sent, *result.passed), key=plan.steps.index):
            name, subject = names.get(step.template, ("", ""))
            found.append(Planned((now - start).days + 1, now, name, subject, step in result.sent))
        now = result.next_at
        if happens is not None:
            now = happens if now is None else min(now, happens)
    return Branch(case.label, found, case.end)


def _holds(holding: frozenset[str], key: str) -> bool:
    return key in holding


def _subject(template: MessageTemplate) -> str:
    """As in the preview of the message itself, in the current language."""
    latest: Any = template.get_latest_revision_as_object()
    text = text_for(
        [text for text in latest.texts.all() if text.audience_id is None], get_language() or "", None
    )
    return compose_sample(words_of(text), KIND).subject if text is not None else ""
