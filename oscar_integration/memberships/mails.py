"""What the mail about a reward says to members: until when a membership was given, which renewal credit pays."""

from __future__ import annotations

from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext

from oscar_integration.memberships.models import Period
from oscar_integration.memberships.referral_page import credit_use, given_words
from wagtail_referrals.messages import register_context, site_of
from wagtail_referrals.messages.models import Message


def register() -> None:
    """Called from ``AppConfig.ready()``."""
    register_context("reward_given", reward_context)


def reward_context(message: Message) -> dict[str, str]:
    """``use_words``, a sentence; ``about_url`` and ``button`` where the reward is on a page of its own."""
    if message.user is None:
        # Only looked at.
        return {}
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
        "about_url": _memberships_url(message),
        "button": gettext("See your memberships"),
    }


def _memberships_url(message: Message) -> str:
    site: Any = site_of(message)
    try:
        return (site.root_url if site is not None else "") + reverse("memberships:list")
    except NoReverseMatch:
        return ""
