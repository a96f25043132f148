"""The badges that a customer wears."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wagtail_referrals.kinds import in_language
from wagtail_referrals.programs import parse
from wagtail_referrals.recognition.models import Badge
from wagtail_referrals.rewards.models import Reward


@dataclass(frozen=True)
class Worn:
    """``name`` is in the current language, as it was promised. ``picture`` is a Wagtail image, if there is one."""

    name: str
    icon: str
    picture: Any
    since: datetime | None


def badges_of(user: Any) -> list[Worn]:
    """Each badge once, the latest first. At most two queries; one for who has none."""
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
        return []
    pictures = {
        badge.pk: badge.picture for badge in Badge.objects.filter(pk__in=found).select_related("picture")
    }
    return [
        Worn(
            name=in_language(options["badge_names"]),
            icon=options["badge_icon"],
            picture=pictures.get(pk),
            since=reward.given_at,
        )
        for pk, (reward, options) in found.items()
    ]
