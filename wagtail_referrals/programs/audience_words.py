"""An audience in words, and what an editor should think about."""

from __future__ import annotations

import logging
from typing import Any

from django.utils.translation import gettext

from wagtail_referrals.programs.audiences import (
    AudienceData,
    AudienceRuleData,
    audience_data,
    audience_rule_problems,
    customer_facts,
    customers_in,
    savepoint,
)
from wagtail_referrals.programs.words import either_words, join_words

logger = logging.getLogger("wagtail_referrals")


def audience_words(data: AudienceData) -> str:
    """Who is in the audience, as a sentence in the current language."""
    if not data.rules:
        return gettext("Every customer.")
    conditions = [_rule_words(rule) for rule in data.rules]
    joined = either_words(conditions) if data.any_rule else join_words(conditions)
    return gettext("A customer who %(conditions)s.") % {"conditions": joined}


def _rule_words(rule: AudienceRuleData) -> str:
    if audience_rule_problems(rule.fact, rule.options):
        return gettext("meets a rule that is not complete")
    return customer_facts.get(rule.fact).words(rule.options)


def audience_hints(data: AudienceData, count: int | None = None) -> list[str]:
    """What an editor should think about, whole sentences. ``count``: how many customers are in it, if that is known."""
    hints = []
    if not data.rules:
        hints.append(gettext("Without a rule every customer is in this audience, and guests are too."))
    elif any(audience_rule_problems(rule.fact, rule.options) for rule in data.rules):
        hints.append(gettext("A rule that is not complete is true of nobody."))
    elif count == 0:
        hints.append(gettext("Nobody is in this audience at the moment."))
    return hints


def program_audience_hints(audience: Any) -> list[str]:
    """What an editor of a program should know about the audience that was chosen. One query."""
    data = audience_data(audience)
    name = {"audience": data.name}
    if not data.is_open:
        return [
            gettext("“%(audience)s” is not published: until it is, nobody may offer this program.") % name
        ]
    if data.is_everybody:
        return [gettext("“%(audience)s” has no rules: everybody may offer this program.") % name]
    try:
        with savepoint():
            # Not exists(): see customers_in.
            if customers_in(data).count():
                return []
    except Exception:
        logger.exception("Who is in the audience %r could not be found out", data.name)
        return [gettext("Who is in “%(audience)s” cannot be found out at the moment.") % name]
    return [gettext("Nobody is in “%(audience)s” at the moment: nobody may offer this program.") % name]
