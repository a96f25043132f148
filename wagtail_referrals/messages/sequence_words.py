"""A sequence in words, as editors read it beside the form, and what of it cannot work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.utils.translation import gettext, ngettext

from wagtail_referrals.kinds import Registry
from wagtail_referrals.messages import conditions as engine
from wagtail_referrals.messages.models import MessageTemplate, SequenceStep
from wagtail_referrals.messages.models import Sequence as SequenceRow
from wagtail_referrals.messages.ready_made import OPEN
from wagtail_referrals.messages.sequencing import GOAL, PREVIOUS, START, conditions, moments, starts
from wagtail_referrals.messages.walking import mark_after_goal


def label_of(registry: Registry[Any], key: str) -> str:
    return str(registry.get(key).label) if key in registry else gettext("(no longer there)")


def lines(sequence: SequenceRow, rows: Sequence[SequenceStep]) -> list[str]:
    """A sentence for the start, one for each step, and one for the end."""
    found = []
    if sequence.start:
        found.append(gettext("It begins when %(start)s.") % {"start": label_of(starts, sequence.start)})
    found += [step_words(row) for row in rows]
    if sequence.goal:
        found.append(
            gettext("It is a success, and over, once the reader %(goal)s.")
            % {"goal": label_of(conditions, sequence.goal)}
        )
    found += [
        gettext("It ends without success once the reader %(condition)s.")
        % {"condition": label_of(conditions, key)}
        for key in sequence.stops
    ]
    return found


def when_words(row: SequenceStep) -> str:
    """ "2 days after it began", "at once"."""
    moment = row.moment
    if not row.delay and moment == START:
        return gettext("At once")
    if not row.delay and moment == PREVIOUS:
        return gettext("Along with the step before")
    if not row.delay and moment == GOAL:
        return gettext("Once its aim is reached")
    delay = (
        ngettext("%(count)s hour", "%(count)s hours", row.delay or 0)
        if row.unit == SequenceStep.Unit.HOURS
        else ngettext("%(count)s day", "%(count)s days", row.delay or 0)
    ) % {"count": row.delay or 0}
    # Translators: "2 days" "after it began"
    return gettext("%(delay)s %(moment)s") % {"delay": delay, "moment": label_of(moments, moment)}


def step_words(row: SequenceStep) -> str:
    template = _template(row)
    values = {
        "when": when_words(row),
        "message": template.name if template is not None else gettext("(no message yet)"),
        "condition": label_of(conditions, row.condition) if row.condition else "",
    }
    if not row.condition:
        return gettext("%(when)s: “%(message)s”.") % values
    if row.is_negated:
        return gettext("%(when)s, unless the reader %(condition)s: “%(message)s”.") % values
    return gettext("%(when)s, if the reader %(condition)s: “%(message)s”.") % values


def _template(row: SequenceStep) -> MessageTemplate | None:
    return row.template if row.template_id is not None else None


def problems(sequence: SequenceRow, rows: Sequence[SequenceStep]) -> list[str]:
    """What cannot work, a sentence each. One query for each message whose words are looked at."""
    return [*_sequence_problems(sequence, rows), *_step_problems(sequence, rows)]


def _sequence_problems(sequence: SequenceRow, rows: Sequence[SequenceStep]) -> Iterator[str]:
    if not rows:
        yield gettext("There is no step yet: nothing would be sent.")
    if sequence.start and sequence.start not in starts:
        yield gettext("What it begins with is not there any more: nobody begins it.")
        return
    implied = starts.get(sequence.start).implies if sequence.start else ()
    if sequence.goal and sequence.goal in (*implied, engine.OPENED_NOTHING):
        yield gettext(
            "Its aim is reached by everybody from the start (“%(condition)s”): nothing but thanks would be sent."
        ) % {"condition": label_of(conditions, sequence.goal)}
    for key in sequence.stops:
        if key == sequence.goal:
            yield gettext("Its aim cannot end it without success too (“%(condition)s”).") % {
                "condition": label_of(conditions, key)
            }
        elif key in (*implied, engine.OPENED_NOTHING):
            yield gettext("Everybody is stopped at the start (“%(condition)s”): nothing would be sent.") % {
                "condition": label_of(conditions, key)
            }
    for key in (sequence.goal, *sequence.stops):
        if key and key not in conditions:
            yield gettext("A condition is not there any more: nothing is sent until you choose another.")


def _step_problems(sequence: SequenceRow, rows: Sequence[SequenceStep]) -> Iterator[str]:
    start = starts.get(sequence.start) if sequence.start in starts else None
    after = mark_after_goal([row.moment for row in rows])
    for row, follows in zip(rows, after, strict=True):
        words = {"step": when_words(row), "condition": label_of(conditions, row.condition)}
        if follows and not sequence.goal:
            yield gettext("“%(step)s” is never sent: the sequence has no aim.") % words
        if row.moment not in moments:
            yield gettext("A moment is not there any more: its step is not sent until you choose another.")
        elif moments.get(row.moment).is_end:
            if not row.delay:
                yield gettext("“%(step)s” is never sent: say how long before it comes.") % words
            elif start is not None and row.moment not in start.moments:
                yield (
                    gettext("“%(step)s” is sent to those only who have such a day: its beginning gives none.")
                    % words
                )
        if row.condition and row.condition not in conditions:
            yield gettext("A condition is not there any more: its step is not sent until you choose another.")
        elif row.condition and not follows and not row.is_negated and row.condition == sequence.goal:
            yield (
                gettext("“%(step)s” is never sent: once the reader %(condition)s, the sequence is over.")
                % words
            )
        elif row.condition and start is not None and row.is_negated and row.condition in start.implies:
            yield gettext("“%(step)s” is never sent: everybody %(condition)s from the start.") % words
        yield from _template_problems(_template(row))


def _template_problems(template: MessageTemplate | None) -> Iterator[str]:
    if template is None:
        return
    name = {"message": template.name, "open": OPEN}
    if not template.live:
        yield gettext("The message “%(message)s” is not published: it is not sent.") % name
    texts = template.get_latest_revision_as_object().texts.all()
    if not texts:
        yield gettext("The message “%(message)s” has no words yet.") % name
    elif any(OPEN in f"{text.subject}{text.preheader}{text.body}" for text in texts):
        yield (
            gettext("In the message “%(message)s” you still have to put something in the place of %(open)s.")
            % name
        )
