"""A program in words: the sentence that editors, friends and advocates read, in the current language."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext, ngettext

from wagtail_referrals import conf
from wagtail_referrals.kinds import Rule, amount_words, gives_credit, is_forbidden, reward_kinds, triggers
from wagtail_referrals.programs.models import Program
from wagtail_referrals.programs.terms import TermsData, rule_from_json, rule_json


def _currency(currency: str | None) -> str:
    return currency or conf.currencies()[0]


def join_words(parts: Iterable[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    words = list(parts)
    if len(words) < 2:
        return "".join(words)
    return gettext("%(first)s and %(last)s") % {"first": ", ".join(words[:-1]), "last": words[-1]}


def either_words(parts: Iterable[str]) -> str:
    """ "a", "a or b", "a, b or c"."""
    words = list(parts)
    if len(words) < 2:
        return "".join(words)
    return gettext("%(first)s or %(last)s") % {"first": ", ".join(words[:-1]), "last": words[-1]}


def is_milestone(rule: Rule) -> bool:
    """Is it for the n-th friend who orders?"""
    return rule.trigger in triggers and triggers.get(rule.trigger).on == "tier"


def rule_gets(rule: Rule, currency: str | None = None) -> str:
    """What one rule gives: "€15.00 of referral credit"."""
    if rule.kind not in reward_kinds:
        return gettext("something that this site no longer knows")
    return reward_kinds.get(rule.kind).words(rule, _currency(currency))


def kept_gift(rule: Rule, currency: str | None = None) -> dict[str, Any]:
    """What one rule gives, as plain values: for rows whose readers have languages of their own."""
    return {"rule": rule_json(rule), "currency": currency}


def kept_gift_words(kept: dict[str, Any]) -> str:
    """What ``kept_gift`` kept, in the current language."""
    return rule_gets(rule_from_json(kept["rule"]), kept["currency"])


def minimum_words(rule: Rule, currency: str | None = None) -> str:
    if not any(rule.minimum_spend.values()):
        return ""
    return gettext("from %(amount)s") % {"amount": amount_words(rule.minimum_spend, _currency(currency))}


def _with_minimum(rule: Rule, words: str, currency: str | None) -> str:
    minimum = minimum_words(rule, currency)
    return f"{words} ({minimum})" if minimum else words


def friend_gets(data: TermsData, currency: str | None = None) -> str:
    """What the friend is offered: "10% off one order"; "" when nothing. Not what the shop cannot give at present."""
    return join_words(
        _with_minimum(rule, rule_gets(rule, currency), currency)
        for rule in data.friend_rules
        if not is_forbidden(rule.kind)
    )


def advocate_gets(data: TermsData, currency: str | None = None) -> str:
    """What the advocate is offered: "€15.00 of referral credit"; "" when nothing."""
    return join_words(rule_gets(rule, currency) for rule in data.advocate_rules)


def hold_words(data: TermsData) -> str:
    if not data.hold_days:
        return ""
    if data.hold_anchor == Program.Anchor.SHIPPED:
        return ngettext("%(days)s day after delivery", "%(days)s days after delivery", data.hold_days) % {
            "days": data.hold_days
        }
    return ngettext("%(days)s day after payment", "%(days)s days after payment", data.hold_days) % {
        "days": data.hold_days
    }


def cap_words(data: TermsData) -> str:
    if data.cap_count is None:
        return ""
    count = {"count": data.cap_count}
    if data.cap_period == Program.Period.MONTH:
        return (
            ngettext("at most %(count)s time a month", "at most %(count)s times a month", data.cap_count)
            % count
        )
    if data.cap_period == Program.Period.YEAR:
        return (
            ngettext("at most %(count)s time a year", "at most %(count)s times a year", data.cap_count)
            % count
        )
    return ngettext("at most %(count)s time in all", "at most %(count)s times in all", data.cap_count) % count


def _with_commas(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _friend_cap_words(data: TermsData, rule: Rule) -> str:
    """Only where a friend can bring the reward more than once."""
    repeats = rule.trigger in triggers and triggers.get(rule.trigger).repeats(rule)
    if data.friend_cap_count is None or not repeats:
        return ""
    return ngettext(
        "at most %(count)s time for the same friend",
        "at most %(count)s times for the same friend",
        data.friend_cap_count,
    ) % {"count": data.friend_cap_count}


def sentence(data: TermsData, currency: str | None = None) -> str:
    """The whole program: "When your customer refers a friend, the friend gets ... Once the friend ..."."""
    arrival: list[Rule] = []
    later: list[Rule] = []
    for rule in data.friend_rules:
        known = rule.trigger in triggers
        (arrival if known and triggers.get(rule.trigger).on == "arrival" else later).append(rule)
    if arrival:
        gifts = (_with_minimum(rule, rule_gets(rule, currency), currency) for rule in arrival)
        opening = (
            gettext("When one of your customers in “%(audience)s” refers a friend, the friend gets %(gift)s.")
            if data.audience
            else gettext("When your customer refers a friend, the friend gets %(gift)s.")
        )
        sentences = [opening % {"audience": data.audience, "gift": join_words(gifts)}]
    elif later:
        first = later.pop(0)
        opening = (
            gettext(
                "When one of your customers in “%(audience)s” refers a friend, the friend gets %(gift)s once "
                "the friend %(condition)s."
            )
            if data.audience
            else gettext(
                "When your customer refers a friend, the friend gets %(gift)s once the friend %(condition)s."
            )
        )
        sentences = [
            opening
            % {
                "audience": data.audience,
                "gift": rule_gets(first, currency),
                "condition": _condition(first, currency),
            }
        ]
    else:
        opening = (
            gettext("When one of your customers in “%(audience)s” refers a friend, the friend gets nothing.")
            if data.audience
            else gettext("When your customer refers a friend, the friend gets nothing.")
        )
        sentences = [opening % {"audience": data.audience}]
    for rule in later:
        sentences.append(
            gettext("Once the friend %(condition)s, the friend gets %(gift)s.")
            % {
                "condition": _condition(rule, currency),
                "gift": _with_commas(rule_gets(rule, currency), _friend_cap_words(data, rule)),
            }
        )
    for rule in data.advocate_rules:
        # A milestone is there once.
        cap = "" if is_milestone(rule) else cap_words(data)
        tail = [rule_gets(rule, currency), hold_words(data), cap, _friend_cap_words(data, rule)]
        sentences.append(
            gettext("Once the friend %(condition)s, your customer gets %(reward)s.")
            % {"condition": _condition(rule, currency), "reward": _with_commas(*tail)}
        )
    if not data.advocate_rules:
        sentences.append(gettext("Your customer gets nothing."))
    if data.credit_pays_renewals and any(gives_credit(rule) for rule in data.rules):
        sentences.append(
            gettext("The credit is used for membership renewals automatically, before the card is charged.")
        )
    return " ".join(sentences)


def _condition(rule: Rule, currency: str | None) -> str:
    if rule.trigger not in triggers:
        return gettext("does something that this site no longer knows")
    return _with_minimum(rule, triggers.get(rule.trigger).words(rule), currency)
