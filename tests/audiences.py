"""Audiences for tests, as if an editor had published them, and who is in one, asked in both ways."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.core.cache import cache

from wagtail_referrals.programs import AudienceData, AudienceRuleData, customers_in, in_audience
from wagtail_referrals.programs.models import Audience, AudienceRule

Rule = tuple[str, dict[str, Any]]

BUYERS: Rule = ("orders", {"orders_at_least": 1})
NEVER_BOUGHT: Rule = ("orders", {"orders_at_most": 0})


def make_audience(*rules: Rule, name: str = "Members", **values: Any) -> Audience:
    audience = Audience(name=name, **({"live": True} | values))
    audience.rules = [
        AudienceRule(sort_order=index, fact=fact, options=options)
        for index, (fact, options) in enumerate(rules)
    ]
    audience.save()
    return audience


def who(*rules: Rule, now: datetime | None = None, any_rule: bool = False) -> set[str]:
    """First names. The list of all and the question about each must come to the same."""
    data = AudienceData(
        name="Members", rules=tuple(AudienceRuleData(*rule) for rule in rules), any_rule=any_rule
    )
    found = {user.first_name for user in customers_in(data, now=now)}
    listed = list(customers_in(data, now=now).values_list("pk", flat=True))
    assert len(listed) == len(set(listed)), "somebody is listed twice"
    # The shop may have changed since somebody asked last.
    cache.clear()
    asked = {
        user.first_name
        for user in get_user_model()._default_manager.all()
        if in_audience(data, user.pk, now=now)
    }
    assert found == asked
    return found
