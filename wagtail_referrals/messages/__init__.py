"""Messages to customers. Reads the engine's signals and the ledger; decides nothing about money."""

from wagtail_referrals.messages.channels import EmailChannel, channels
from wagtail_referrals.messages.compose import compose, compose_with
from wagtail_referrals.messages.connections import connect
from wagtail_referrals.messages.enrolling import address_opened, enroll
from wagtail_referrals.messages.expiring import announce_expiring, languages_of
from wagtail_referrals.messages.forgetting import forget_reader
from wagtail_referrals.messages.holding import Limits, register_limits
from wagtail_referrals.messages.kept import (
    REFUSED_DAYS,
    REMIND_DAYS,
    plan_invitation,
    refuse_invitations,
    remind,
)
from wagtail_referrals.messages.kinds import TOPICS, Topic, register_context
from wagtail_referrals.messages.links import follow, mark_followed
from wagtail_referrals.messages.planning import write
from wagtail_referrals.messages.preferring import (
    choices_of,
    offered_kinds,
    preferences_of,
    preferences_path,
    read_token,
    refusable_kinds,
    save_preferences,
    subscribe_again,
    token_for,
    unsubscribe,
    unsubscribe_path,
    wants_topic,
)
from wagtail_referrals.messages.surroundings import (
    Closing,
    Colours,
    MailLook,
    Progress,
    register_closing,
    register_hub,
    register_look,
    register_progress,
    register_sender,
    site_of,
)
from wagtail_referrals.messages.tasks import deliver, deliver_pending

__all__ = [
    "REFUSED_DAYS",
    "REMIND_DAYS",
    "TOPICS",
    "Closing",
    "Colours",
    "EmailChannel",
    "Limits",
    "MailLook",
    "Progress",
    "Topic",
    "address_opened",
    "announce_expiring",
    "channels",
    "choices_of",
    "compose",
    "compose_with",
    "connect",
    "deliver",
    "deliver_pending",
    "enroll",
    "follow",
    "forget_reader",
    "languages_of",
    "mark_followed",
    "offered_kinds",
    "plan_invitation",
    "preferences_of",
    "preferences_path",
    "read_token",
    "refusable_kinds",
    "refuse_invitations",
    "register_closing",
    "register_context",
    "register_hub",
    "register_limits",
    "register_look",
    "register_progress",
    "register_sender",
    "remind",
    "save_preferences",
    "site_of",
    "subscribe_again",
    "token_for",
    "unsubscribe",
    "unsubscribe_path",
    "wants_topic",
    "write",
]
