"""Planning messages: one row each, written within the transaction that gives the cause."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from wagtail_referrals.messages.models import Message
from wagtail_referrals.messages.tasks import deliver

# In ``written``: messages that are to be planned at the end of the transaction, by their keys.
_PLANNED: Final = "messages"


def write(
    kind: str,
    *,
    key: str,
    user: Any,
    data: dict[str, Any],
    referral: Any = None,
    language: str = "",
    now: datetime | None = None,
    written: dict[str, Any] | None = None,
) -> None:
    """Plan a message to a customer. The same key twice is one message.

    With ``written``, of a transaction of settle's that is not careful, it is planned with all the others, at its end.
    """
    message = planned(kind, key=key, user=user, data=data, referral=referral, language=language, now=now)
    if written is None:
        write_all([message])
    else:
        written.setdefault(_PLANNED, {}).setdefault(key, message)


def write_with_all(sender: Any, *, written: dict[str, Any], **kwargs: Any) -> None:
    """At the end of settle's transaction."""
    if messages := written.pop(_PLANNED, None):
        write_all(list(messages.values()))


def planned(
    kind: str,
    *,
    key: str,
    user: Any,
    data: dict[str, Any],
    referral: Any = None,
    lead: Any = None,
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
        lead=lead,
        language=language,
        data=data,
        created_at=moment,
        next_attempt_at=moment,
    )


def write_all(messages: Sequence[Message]) -> None:
    """Plan messages, in one statement; those whose key is there already are passed over.

    They are sent, or given to workers, right after the transaction, and nothing else is: it may be a visitor's, who
    waits for it. Whatever goes wrong there reaches nobody: they wait for the sweep.
    """
    Message.objects.bulk_create(messages, ignore_conflicts=True)
    transaction.on_commit(partial(deliver, [message.key for message in messages]), robust=True)
