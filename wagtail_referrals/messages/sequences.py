"""The kind of message that steps of sequences are, and what makes people begin them."""

from __future__ import annotations

from typing import Any, Final

from django.db.models.signals import post_save
from django.utils.translation import gettext_lazy as _

from wagtail_referrals import people, signals
from wagtail_referrals.messages import conditions, enrolling, kept, steps  # noqa: F401  (conditions register themselves)
from wagtail_referrals.messages.kinds import MessageKind, Reader, Topic, Urgency, message_kinds
from wagtail_referrals.messages.models import Message
from wagtail_referrals.people.models import Advocate

_ID: Final = "wagtail_referrals.messages.sequences"


def context_of(message: Message) -> dict[str, Any]:
    """Who invited the reader; for a visitor who left an address also the way to have that removed."""
    advocate = None
    found: dict[str, Any] = {}
    if message.lead is not None:
        advocate = message.lead.claim.advocate
        found = kept.context_of(message)
    elif message.referral is not None and message.referral.friend_id == message.user_id:
        advocate = message.referral.advocate
    name = advocate.public_name if advocate is not None else ""
    return {**found, "inviter": people.invitation_name(name)}


def register() -> None:
    message_kinds.register(
        MessageKind(
            key=steps.KIND,
            label=_("A step of a sequence"),
            readers_label=_("tips and offers, a few days apart"),
            when=_("When its step of a sequence is due."),
            reader=Reader.CUSTOMER,
            topic=Topic.TIPS,
            urgency=Urgency.EXTRA,
            placeholders={"inviter": _("Who invited the reader, “Camille” or “A friend”")},
            is_due=steps.is_due,
            context=context_of,
        )
    )


def connect_sequences() -> None:
    register()
    signals.swept.connect(steps.plan_with_the_sweep, dispatch_uid=f"{_ID}.steps")
    signals.friend_registered.connect(enrolling.friend_registered, dispatch_uid=f"{_ID}.registered")
    signals.referral_changed.connect(enrolling.referral_changed, dispatch_uid=f"{_ID}.changed")
    signals.reward_changed.connect(enrolling.reward_changed, dispatch_uid=f"{_ID}.rewarded")
    signals.guest_adopted.connect(enrolling.became_referrer, dispatch_uid=f"{_ID}.adopted")
    post_save.connect(enrolling.advocate_saved, sender=Advocate, dispatch_uid=f"{_ID}.refers")
