"""What can be written, to whom, and why: each kind of message, with the standard words that editors start from.

A shop and the optional apps register kinds of their own from ``AppConfig.ready()``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals.kinds import Registry

if TYPE_CHECKING:
    from wagtail_referrals.messages.models import Message

logger = logging.getLogger("wagtail_referrals")


class Topic(StrEnum):
    """What a person reads in their preferences, where kinds stand together."""

    REWARDS = "rewards"
    FRIENDS = "friends"
    RECOGNITION = "recognition"
    TIPS = "tips"
    MEMBERSHIPS = "memberships"
    INVITATIONS = "invitations"


TOPICS: Final[dict[Topic, Any]] = {
    Topic.REWARDS: _("Your rewards and your credit"),
    Topic.FRIENDS: _("News of your friends"),
    Topic.RECOGNITION: _("Milestones, badges and ranks"),
    Topic.TIPS: _("Reminders and tips"),
    Topic.MEMBERSHIPS: _("Your memberships"),
    Topic.INVITATIONS: _("Invitations that you kept"),
}


class Urgency(StrEnum):
    """What holds a message back."""

    # Somebody waits for it at this moment: nothing.
    AT_ONCE = "at_once"
    # It is about what they own: quiet hours.
    ACCOUNT = "account"
    # It could also not be sent: quiet hours, and the most that a person is sent in a week.
    EXTRA = "extra"


class Reader(StrEnum):
    REFERRER = "referrer"
    FRIEND = "friend"
    CUSTOMER = "customer"
    # Left an address, and is no customer.
    VISITOR = "visitor"


@dataclass(frozen=True)
class Standard:
    """The words that are sent where no editor has written others. All translatable, with {placeholders}.

    In the body the heading comes first, then the paragraphs, the ``details`` of the kind, and the button. ``button`` is
    what that says; ``target`` where it leads: a key of ``body.TARGETS``.
    """

    subject: Any
    preheader: Any
    heading: Any
    paragraphs: tuple[Any, ...]
    button: Any
    target: str


@dataclass(frozen=True)
class MessageKind:
    """``is_due`` is asked right before sending, and may bring ``message.data`` up to date: when it says no, the message
    is not sent. ``context`` gives the placeholders beyond those of every message, and what ``details`` needs, in the
    reader's language. ``details`` names a template (without .html and .txt) of the facts that the message is about.
    ``sample`` is a ``message.data`` for previews; nothing of it is a real person's, and ``context`` makes do with it
    where the message has neither a customer nor a referral.

    ``context`` may give ``about_url``, where a button with the target "about" leads: "" for nowhere, and without it to
    the account page.
    """

    key: str
    label: Any
    # When it is sent, as a sentence for editors.
    when: Any
    reader: Reader
    topic: Topic
    urgency: Urgency
    standard: Standard | None = None
    # Name and meaning of what stands in braces, beside those of every message.
    placeholders: dict[str, Any] = field(default_factory=dict)
    details: str = ""
    is_due: Callable[[Message, datetime], bool] | None = None
    context: Callable[[Message], dict[str, Any]] | None = None
    sample: Callable[[], dict[str, Any]] | None = None
    # Sent unless somebody switches it off; else only where an editor switches it on.
    is_on: bool = True
    # May the reader say that they do not want it?
    can_be_refused: bool = True
    # When it was not due, it may be planned again under the same key.
    may_come_again: bool = False
    # What readers call it, where they choose; "": as editors do.
    readers_label: Any = ""


message_kinds: Final[Registry[MessageKind]] = Registry("kind of message")


def label_of(key: str) -> Any:
    """What a message of this kind is called; "" for a kind that nobody has registered."""
    return message_kinds.get(key).label if key in message_kinds else ""


# What other apps add to the context of a kind, see ``register_context``.
_contexts: Final[list[tuple[str, Callable[[Message], dict[str, Any]]]]] = []


def register_context(kind: str, ask: Callable[[Message], dict[str, Any]]) -> None:
    """Let an app add to what the messages of one kind can say. Called from ``AppConfig.ready()``."""
    if (kind, ask) not in _contexts:
        _contexts.append((kind, ask))


def context_of(message: Message) -> dict[str, Any]:
    """What the words and the details of a message are made of, beyond what every message has; in the current language.

    What an app adds and cannot give is logged and left out: the message goes. Raises ``LookupError`` for a kind that
    nobody has registered.
    """
    own = message_kinds.get(message.kind).context
    found = own(message) if own is not None else {}
    for kind, ask in _contexts:
        if kind != message.kind:
            continue
        try:
            with transaction.atomic():
                added = ask(message)
        except Exception:
            logger.exception("Message %s goes without what an app would add to it", message.pk)
        else:
            found = {**found, **added}
    return found


def is_due(message: Message, now: datetime) -> bool:
    """Is there still cause for it? May bring ``message.data`` up to date. Not for a kind that is gone."""
    if message.kind not in message_kinds:
        return False
    ask = message_kinds.get(message.kind).is_due
    return ask is None or ask(message, now)


def greeting(name: str) -> str:
    """How a message begins, in the current language; ``name`` may be ""."""
    return gettext("Hello %(name)s,") % {"name": name} if name else gettext("Hello,")
