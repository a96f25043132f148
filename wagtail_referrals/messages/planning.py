"""Planning messages: one row each, written within the transaction that gives the cause."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from wagtail_referrals.messages.delivery import deliver_pending
from wagtail_referrals.messages.models import Message


def write(
    kind: str,
    *,
    key: str,
    user: Any,
    data: dict[str, Any],
    referral: Any = None,
    language: str = "",
    now: datetime | None = None,
) -> None:
    """Plan a message to a customer. The same key twice is one message."""
    write_all([planned(kind, key=key, user=user, data=data, referral=referral, language=language, now=now)])


def planned(
    kind: str,
    *,
    key: str,
    user: Any,
    data: dict[str, Any],
    referral: Any = None,
    language: str = "",
    now: datetime | None = None,
) -> Message:
    """A message for ``write_all``."""
    moment = now or timezone.now()
    return Message(
        key=key,
        kind=kind,
        user=user,
        referral=referral,
        language=language,
        data=data,
        created_at=moment,
        next_attempt_at=moment,
    )


def write_all(messages: Sequence[Message]) -> None:
    """Plan messages, in one statement; those whose key is there already are passed over."""
    Message.objects.bulk_create(messages, ignore_conflicts=True)
    transaction.on_commit(deliver_pending, robust=True)
