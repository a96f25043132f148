"""The badges that a customer wears."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from wagtail_referrals.kinds import in_language
from wagtail_referrals.programs import parse
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.recognition.models import Badge, BadgeAward
from wagtail_referrals.rewards.models import Reward


@dataclass(frozen=True)
class Worn:
    """``name`` is in the current language; a reward's as it was promised. ``picture``: a Wagtail image, or ``None``."""

    name: str
    icon: str
    picture: Any
    since: datetime | None


def badges_of(user: Any) -> list[Worn]:
    """Each badge once, the latest first: what programs gave, and what the engine gave for a criterion.

    At most four queries; two for who has none.
    """
    found = _rewards(user) | _awards(user)
    return sorted(
        found.values(), key=lambda worn: worn.since.timestamp() if worn.since else 0.0, reverse=True
    )


def wearers(badge_id: int) -> Q:
    """Who wears a badge, as a filter on advocates: by a program's reward, or for its own criterion. One query."""
    rules = [
        rule["key"]
        for data in Terms.objects.values_list("data", flat=True)
        for rule in data.get("rules", ())
        if rule.get("kind") == "badge" and (rule.get("options") or {}).get("badge") == badge_id
    ]
    rewards = Reward.objects.filter(kind="badge", posted__gt=0, rule_key__in=rules, user__isnull=False)
    awards = BadgeAward.objects.filter(badge=badge_id, taken_back_at=None)
    return Q(pk__in=awards.values("advocate")) | Q(user__in=rewards.values("user"))


def _rewards(user: Any) -> dict[Any, Worn]:
    """By the badge's id. The latest of several."""
    rewards = (
        Reward.objects.filter(user=user, kind="badge", posted__gt=0)
        .select_related("terms")
        .order_by("-given_at", "-pk")
    )
    found: dict[Any, tuple[Reward, dict[str, Any]]] = {}
    for reward in rewards:
        rule = parse(reward.terms).rule(str(reward.rule_key))
        if rule is not None:
            found.setdefault(rule.options["badge"], (reward, rule.options))
    if not found:
        return {}
    pictures = {
        badge.pk: badge.picture for badge in Badge.objects.filter(pk__in=found).select_related("picture")
    }
    return {
        pk: Worn(
            name=in_language(options["badge_names"]),
            icon=options["badge_icon"],
            picture=pictures.get(pk),
            since=reward.given_at,
        )
        for pk, (reward, options) in found.items()
    }


def _awards(user: Any) -> dict[Any, Worn]:
    awards = (
        BadgeAward.objects.filter(advocate__user=user, taken_back_at=None)
        .select_related("badge__picture")
        .prefetch_related("badge__names")
    )
    return {
        award.badge_id: Worn(
            name=str(award.badge), icon=award.badge.icon, picture=award.badge.picture, since=award.awarded_at
        )
        for award in awards
    }
