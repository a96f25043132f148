"""Sequences, and people on their way, written as briefly as a test wants to read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from wagtail_referrals.messages.models import (
    Enrollment,
    Message,
    MessageTemplate,
    MessageText,
    Sequence,
    SequenceStep,
)

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def make_template(name: str, **values: Any) -> MessageTemplate:
    template = MessageTemplate(name=name, kind="sequence", live=True, **values)
    template.texts = [
        MessageText(
            language="en", subject=f"{name} for you", body=[{"type": "paragraph", "value": f"<p>{name}</p>"}]
        )
    ]
    template.save()
    return template


def make_sequence(*steps: dict[str, Any], **values: Any) -> Sequence:
    """Published. Each step is named by ``name``, that of its message; what it does not say is as in the form."""
    values = {
        "name": "Turn friends into customers",
        "start": "friend_registered",
        "live": True,
        "first_published_at": START - DAY,
    } | values
    sequence = Sequence(**values)
    sequence.steps = [
        SequenceStep(sort_order=index, template=make_template(step["name"]), **_fields(step))
        for index, step in enumerate(steps)
    ]
    sequence.save()
    return sequence


def _fields(step: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in step.items() if name != "name"}


def begin(sequence: Sequence, user: Any = None, *, now: datetime = START, **values: Any) -> Enrollment:
    return Enrollment.objects.create(
        **{
            "key": f"{sequence.key}:{Enrollment.objects.count()}",
            "sequence": sequence,
            "user": user,
            "started_at": now,
            "next_at": now,
        }
        | values
    )


def planned(enrollment: Enrollment | None = None) -> list[str]:
    """The names of the messages that were planned, in order."""
    rows = Message.objects.filter(kind="sequence").order_by("pk")
    if enrollment is not None:
        rows = rows.filter(enrollment=enrollment)
    names = dict(MessageTemplate.objects.values_list("pk", "name"))
    return [names[row.data["template"]] for row in rows]
