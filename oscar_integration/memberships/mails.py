"""What the mail about a reward says to members: until when a membership was given, which renewal credit pays."""

from __future__ import annotations

import logging
from typing import Any

from django.db import transaction
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext

from oscar_integration.memberships.models import Period
from oscar_integration.memberships.referral_page import credit_use, given_words
from wagtail_referrals.messages import Special, site_of, specials
from wagtail_referrals.messages.models import Message

logger = logging.getLogger("oscar_integration")


def register() -> None:
    """Called from ``AppConfig.ready()``."""
    specials["reward_given"] = Special(lambda message, now: True, reward_context)


def reward_context(message: Message) -> dict[str, str]:
    """``use_words``, a sentence; ``use_url`` and ``use_label`` where the reward is on a page of its own.

    Nothing for other rewards, nor where it cannot be read: the mail is sent without.
    """
    try:
        with transaction.atomic():
            return _reward_context(message)
    except Exception:
        logger.exception("Message %s is sent without what its reward is for members", message.pk)
        return {}


def _reward_context(message: Message) -> dict[str, str]:
    if message.data.get("currency"):
        words = credit_use(message.user, message.data["currency"])
        return {"use_words": words} if words else {}
    reward_id = message.data.get("reward")
    if reward_id is None:
        return {}
    given = Period.objects.select_related("membership").filter(reward=reward_id, taken_back_at=None).first()
    if given is None:
        return {}
    return {
        "use_words": given_words(given.membership),
        "use_url": _memberships_url(message),
        "use_label": gettext("See your memberships"),
    }


def _memberships_url(message: Message) -> str:
    site: Any = site_of(message)
    try:
        return (site.root_url if site is not None else "") + reverse("memberships:list")
    except NoReverseMatch:
        return ""
