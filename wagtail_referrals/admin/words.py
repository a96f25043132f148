"""Cells and lines of the admin: people, amounts and rewards as staff read them."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.text import capfirst
from django.utils.translation import gettext

from wagtail_referrals import credit
from wagtail_referrals.kinds import reward_kinds
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import parse, rule_gets
from wagtail_referrals.referrals import get_shop
from wagtail_referrals.rewards.models import Reward


def person(user: Any) -> str:
    """A customer as staff know them: name, else e-mail address. Shown on screens only, never logged."""
    if user is None:
        return ""
    return (user.get_full_name() or getattr(user, user.get_email_field_name(), "") or "").strip() or gettext(
        "customer %(number)s"
    ) % {"number": user.pk}


def advocate_name(advocate: Advocate) -> str:
    """Needs ``advocate.user``."""
    return (
        person(advocate.user)
        or advocate.public_name
        or (gettext("guest %(number)s") if advocate.email_hash else gettext("deleted customer %(number)s"))
        % {"number": advocate.pk}
    )


def friend_name(referral: Any) -> str:
    """Needs ``referral.friend``. Who has no name is told apart by the referral: referrers have numbers of their own."""
    if referral.friend is not None:
        return person(referral.friend)
    words = (
        gettext("guest (referral %(number)s)")
        if referral.friend_email_hash
        else gettext("deleted customer (referral %(number)s)")
    )
    return words % {"number": referral.pk}


def is_money(kind: str) -> bool:
    """Are the reward's ``amount`` and ``posted`` amounts of its currency? Of things they count 1 or 0."""
    if kind not in reward_kinds:
        return False
    found = reward_kinds.get(kind)
    return bool(found.value_fields) and not found.is_discount


def reward_words(reward: Reward) -> str:
    """What is given, from the rule of its own terms. Needs ``reward.terms``."""
    rule = parse(reward.terms).rule(str(reward.rule_key))
    return capfirst(rule_gets(rule, reward.currency)) if rule else reward.get_kind_display()


def reward_amount(reward: Reward) -> str:
    """What the reward is worth now."""
    return credit.format_money(reward.amount, reward.currency) if is_money(reward.kind) else ""


def reward_posted(reward: Reward) -> str:
    """What has been given and not taken back."""
    if is_money(reward.kind):
        return credit.format_money(reward.posted, reward.currency)
    return gettext("yes") if reward.posted else ""


def order_url(reference: str) -> str:
    """Where staff see the order in the shop's back office; "" where there is none."""
    try:
        return get_shop().order_url(reference)
    except ImproperlyConfigured:
        return ""
