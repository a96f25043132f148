"""Ready-made sequences to start from, with their messages in every language of the shop. Apps register theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db import transaction
from django.utils.translation import override
from wagtail.log_actions import log

from wagtail_referrals.kinds import Registry
from wagtail_referrals.messages.kinds import Standard, message_kinds
from wagtail_referrals.messages.models import MessageTemplate, MessageText, Sequence, SequenceStep
from wagtail_referrals.messages.steps import KIND
from wagtail_referrals.messages.words import Part, standard_words
from wagtail_referrals.programs.models import Program, language_choices

# What stands in the words of a ready-made message where an editor has to say something that nobody else can know.
OPEN: Final = "[CODE]"


@dataclass(frozen=True)
class ReadyStep:
    """``name`` is the message's, for editors; the rest as in ``SequenceStep``."""

    name: Any
    words: Standard
    delay: int = 0
    unit: str = SequenceStep.Unit.DAYS
    moment: str = "start"
    condition: str = ""
    is_negated: bool = False


@dataclass(frozen=True)
class ReadySequence:
    """``label`` is what editors choose, and the name of what comes of it."""

    key: str
    label: Any
    description: Any
    icon: str
    start: str
    steps: tuple[ReadyStep, ...]
    goal: str = ""
    stops: tuple[str, ...] = ()


ready_sequences: Final[Registry[ReadySequence]] = Registry("ready-made sequence")


def write_ready(
    key: str,
    *,
    user: Any = None,
    program: Program | None = None,
    publish: bool = False,
    fill: Mapping[str, str] | None = None,
) -> Sequence:
    """Write a ready-made sequence and its messages as drafts, in the name of ``user`` and in the current language.

    ``fill`` says what goes in the place of words like ``OPEN``. With ``publish`` all of it is published. Raises
    ``LookupError`` for a key that nobody has registered.
    """
    ready = ready_sequences.get(key)
    with transaction.atomic():
        sequence = Sequence(
            name=str(ready.label),
            program=program,
            start=ready.start,
            goal=ready.goal,
            stops=list(ready.stops),
            live=False,
        )
        sequence.steps = [
            SequenceStep(
                sort_order=index,
                delay=step.delay,
                unit=step.unit,
                moment=step.moment,
                condition=step.condition,
                is_negated=step.is_negated,
                template=_write(_template(step, program, fill or {}), user, publish),
            )
            for index, step in enumerate(ready.steps)
        ]
        _write(sequence, user, publish)
    return sequence


def _template(step: ReadyStep, program: Program | None, fill: Mapping[str, str]) -> MessageTemplate:
    kind = replace(message_kinds.get(KIND), standard=step.words)
    template = MessageTemplate(kind=KIND, name=str(step.name), program=program, live=False)
    texts = []
    for index, (code, _name) in enumerate(language_choices()):
        with override(code):
            words = standard_words(kind, code)
        texts.append(
            MessageText(
                sort_order=index,
                language=code,
                subject=_filled(words.subject, fill),
                preheader=_filled(words.preheader, fill),
                body=[_block(part, fill) for part in words.parts],
            )
        )
    template.texts = texts
    return template


def _block(part: Part, fill: Mapping[str, str]) -> dict[str, Any]:
    name, value = part
    return {"type": name, "value": _filled(value, fill) if isinstance(value, str) else value}


def _filled(text: str, fill: Mapping[str, str]) -> str:
    for word, instead in fill.items():
        text = text.replace(word, instead)
    return text


def _write(instance: Any, user: Any, publish: bool) -> Any:
    instance.save()
    log(instance, "wagtail.create", user=user)
    revision = instance.save_revision(user=user, log_action=True)
    if publish:
        revision.publish(user=user)
        instance.refresh_from_db()
    return instance
