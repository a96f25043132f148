"""Messages of kinds of the tests' own, and whoever gets them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.utils import timezone

from tests.admin.rows import make_user
from wagtail_referrals.messages.kinds import MessageKind, Reader, Standard, Topic, Urgency, message_kinds
from wagtail_referrals.messages.models import Message

NOW_KEY, ACCOUNT_KEY, EXTRA_KEY = "test_now", "test_account", "test_extra"

_WORDS = Standard(
    subject="News for {name}",
    preheader="",
    heading="News",
    paragraphs=("{greeting}", "here they are."),
    button="Look",
    target="account",
)
_NOW = MessageKind(
    NOW_KEY,
    "what you wait for",
    "At once.",
    Reader.CUSTOMER,
    Topic.TIPS,
    Urgency.AT_ONCE,
    _WORDS,
    can_be_refused=False,
)
KINDS = (
    _NOW,
    replace(_NOW, key=ACCOUNT_KEY, urgency=Urgency.ACCOUNT, can_be_refused=True),
    replace(_NOW, key=EXTRA_KEY, urgency=Urgency.EXTRA, can_be_refused=True),
)


@contextmanager
def kinds_of_ours() -> Iterator[None]:
    for kind in KINDS:
        message_kinds.register(kind)
    try:
        yield
    finally:
        for kind in KINDS:
            message_kinds.unregister(kind.key)


def make_message(
    key: str, user: Any = None, *, kind: str = NOW_KEY, now: datetime | None = None, **values: Any
) -> Message:
    """Planned for ``now``, to a customer with an address of their own."""
    moment = now or timezone.now()
    return Message.objects.create(
        key=key,
        kind=kind,
        user=user if user is not None else make_user(f"{key}@example.com", "Camille"),
        **{"created_at": moment, "next_attempt_at": moment, "language": "en", **values},
    )
