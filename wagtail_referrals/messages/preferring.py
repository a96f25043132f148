"""What a customer wants to be written about: by their own page, and by the links of their mails."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import available_timezones

from django.contrib.auth import get_user_model
from django.core import signing
from django.db import transaction
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from wagtail_referrals.messages.channels import EMAIL, channels
from wagtail_referrals.messages.kinds import TOPICS, MessageKind, Reader, Topic, message_kinds
from wagtail_referrals.messages.models import Message, Preferences
from wagtail_referrals.messages.wanting import kinds_switched_on

SALT: Final = "wagtail_referrals.unsubscribe"


@dataclass(frozen=True)
class Choice:
    """A kind of message, and whether this customer wants it."""

    kind: MessageKind
    is_wanted: bool


@dataclass(frozen=True)
class TopicChoices:
    """What stands together on the page."""

    topic: Topic
    label: Any
    choices: list[Choice]


def token_for(user: Any, topic: Topic) -> str:
    """For the links of a mail: whoever has it may say what this customer is written about, and reads nothing else."""
    return signing.dumps([str(user.pk), topic.value], salt=SALT, compress=True)


def read_token(token: str) -> tuple[Any, Topic] | None:
    """(the customer, the topic of the mail); ``None`` for a token that is not ours, or of nobody who is there."""
    try:
        pk, topic = signing.loads(token, salt=SALT)
        user = get_user_model()._default_manager.filter(pk=pk).first()
        return (user, Topic(topic)) if user is not None else None
    except (signing.BadSignature, ValueError, TypeError):
        return None


def unsubscribe_path(message: Message) -> str:
    """Where the reader of this message says that they want no more of its topic; "" where they cannot."""
    kind = message_kinds.get(message.kind) if message.kind in message_kinds else None
    if message.user is None or kind is None or not kind.can_be_refused:
        return ""
    try:
        return reverse("referrals:unsubscribe", args=[token_for(message.user, kind.topic)])
    except NoReverseMatch:
        return ""


def preferences_path(message: Message) -> str:
    """Where the reader of this message chooses, without a login; "" for who is no customer."""
    kind = message_kinds.get(message.kind) if message.kind in message_kinds else None
    if message.user is None or kind is None:
        return ""
    try:
        return reverse("referrals:mails", args=[token_for(message.user, kind.topic)])
    except NoReverseMatch:
        return ""


def preferences_of(user: Any) -> Preferences:
    """Those that are kept, else new ones that are not saved: everything is wanted."""
    return Preferences.objects.filter(user=user).first() or Preferences(
        user=user, unwanted=[], channel=EMAIL, changed_at=timezone.now()
    )


def refusable_kinds() -> list[MessageKind]:
    """What customers can say no to, in the order of the topics."""
    order = list(TOPICS)
    kinds = [kind for kind in message_kinds if kind.can_be_refused and kind.reader != Reader.VISITOR]
    return sorted(kinds, key=lambda kind: order.index(kind.topic))


def offered_kinds() -> list[MessageKind]:
    """Those of them that are sent at all: what editors have switched off is nothing to choose. One query."""
    on = kinds_switched_on()
    return [kind for kind in refusable_kinds() if kind.key in on]


def choices_of(preferences: Preferences, offered: Iterable[MessageKind]) -> list[TopicChoices]:
    """The ``offered`` kinds by topic, as this customer has chosen. Topics without any are left out."""
    unwanted = set(preferences.unwanted)
    found: dict[Topic, list[Choice]] = {}
    for kind in offered:
        found.setdefault(kind.topic, []).append(Choice(kind, kind.key not in unwanted))
    return [TopicChoices(topic, TOPICS[topic], choices) for topic, choices in found.items()]


def save_preferences(
    user: Any,
    *,
    wanted: Collection[str],
    offered: Iterable[MessageKind],
    wants_nothing: bool,
    time_zone: str,
    channel: str = EMAIL,
    now: datetime | None = None,
) -> None:
    """What the page was sent with. Kinds that were not ``offered`` stay as they were; names that are unknown are left
    out. Nothing changes about what is on its way already, but it is asked again before it is sent.
    """
    shown = {kind.key for kind in offered}
    with transaction.atomic():
        kept = _locked(user, now)
        others = [key for key in kept.unwanted if key not in shown]
        kept.unwanted = sorted({*others, *(shown - set(wanted))})
        kept.wants_nothing = wants_nothing
        kept.time_zone = time_zone if time_zone in available_timezones() else ""
        kept.channel = channel if channel in channels else EMAIL
        kept.save()


def unsubscribe(user: Any, topic: Topic, *, now: datetime | None = None) -> None:
    """No more messages of this topic. Twice is once."""
    _change(user, now, add=[kind.key for kind in refusable_kinds() if kind.topic == topic])


def subscribe_again(user: Any, topic: Topic, *, now: datetime | None = None) -> None:
    """Take back ``unsubscribe``: what was refused before it one by one is wanted again, too."""
    _change(user, now, remove=[kind.key for kind in refusable_kinds() if kind.topic == topic])


def wants_topic(user: Any, topic: Topic) -> bool:
    """Is there anything of this topic that the customer may be written about?"""
    kept = preferences_of(user)
    keys = {kind.key for kind in refusable_kinds() if kind.topic == topic}
    return not kept.wants_nothing and not keys <= set(kept.unwanted)


def _change(user: Any, now: datetime | None, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
    with transaction.atomic():
        kept = _locked(user, now)
        kept.unwanted = sorted({*kept.unwanted, *add} - set(remove))
        kept.save()


def _locked(user: Any, now: datetime | None) -> Preferences:
    moment = now or timezone.now()
    Preferences.objects.get_or_create(user=user, defaults={"changed_at": moment})
    kept = Preferences.objects.select_for_update(no_key=True).get(user=user)
    kept.changed_at = moment
    return kept
