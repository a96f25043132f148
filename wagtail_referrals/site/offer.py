"""Offers in the words that friends and advocates read. Editors read ``programs.sentence``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from django.core.cache import cache
from django.utils.translation import gettext, ngettext, pgettext

from wagtail_referrals import programs
from wagtail_referrals.kinds import Rule, gives_credit, reward_kinds, triggers
from wagtail_referrals.programs import TermsData
from wagtail_referrals.programs.models import Program, Terms
from wagtail_referrals.referrals import shop_renews

# Terms never change, so only memory limits how long they may stay.
CACHE_SECONDS = 24 * 60 * 60


def terms_data(terms_id: int) -> TermsData | None:
    """The values of a Terms row, cached."""
    key = f"wagtail_referrals.terms.{terms_id}"
    data: TermsData | None = cache.get(key)
    if data is None:
        terms = Terms.objects.filter(pk=terms_id).first()
        if terms is not None:
            data = programs.parse(terms)
            cache.set(key, data, CACHE_SECONDS)
    return data


def conditions(data: TermsData) -> list[str]:
    """What the friend has to know before: short sentences, the editor's small print last."""
    found = []
    if data.new_customers_only:
        found.append(gettext("For new customers only."))
    if not data.friend_rules or any(_place(rule) != "account" for rule in data.friend_rules):
        found.append(
            ngettext(
                "For an order within %(days)s day after you followed the link.",
                "For an order within %(days)s days after you followed the link.",
                data.window_days,
            )
            % {"days": data.window_days}
        )
    if _pays_renewals(data, data.friend_rules):
        found.append(gettext("When a membership of yours renews, your credit pays for it first."))
    return found


@dataclass(frozen=True)
class AdvocateLine:
    """What the advocate gets by one rule, and when."""

    gets: str
    once: str


def advocate_lines(data: TermsData, *, milestones: bool = True) -> list[AdvocateLine]:
    """``milestones=False``: without what is told elsewhere, as how far one has come."""
    lines = []
    for rule in data.advocate_rules:
        if rule.trigger not in triggers or (programs.is_milestone(rule) and not milestones):
            continue
        once = gettext("once your friend %(condition)s") % {
            "condition": triggers.get(rule.trigger).words(rule)
        }
        minimum = programs.minimum_words(rule)
        lines.append(AdvocateLine(programs.rule_gets(rule), f"{once} ({minimum})" if minimum else once))
    return lines


def advocate_conditions(data: TermsData) -> list[str]:
    """Waiting period and cap, as the advocate reads them."""
    found = []
    if data.hold_days:
        days = {"days": data.hold_days}
        if data.hold_anchor == Program.Anchor.SHIPPED:
            found.append(
                ngettext(
                    "Your reward comes %(days)s day after your friend's order was delivered.",
                    "Your reward comes %(days)s days after your friend's order was delivered.",
                    data.hold_days,
                )
                % days
            )
        else:
            found.append(
                ngettext(
                    "Your reward comes %(days)s day after your friend's order was paid.",
                    "Your reward comes %(days)s days after your friend's order was paid.",
                    data.hold_days,
                )
                % days
            )
    if data.cap_count is not None:
        found.append(_cap(data.cap_count, data.cap_period))
    repeats = [rule for rule in data.advocate_rules if rule.trigger in triggers]
    if data.friend_cap_count is not None and any(
        triggers.get(rule.trigger).repeats(rule) for rule in repeats
    ):
        found.append(
            ngettext(
                "At most %(count)s reward for the same friend.",
                "At most %(count)s rewards for the same friend.",
                data.friend_cap_count,
            )
            % {"count": data.friend_cap_count}
        )
    if data.new_customers_only:
        found.append(gettext("Your friend has not ordered from us before."))
    if _pays_renewals(data, data.advocate_rules):
        found.append(gettext("When a membership of yours renews, your credit pays for it first."))
    return found


def _pays_renewals(data: TermsData, rules: Sequence[Rule]) -> bool:
    return data.credit_pays_renewals and any(gives_credit(rule) for rule in rules) and shop_renews()


def _cap(count: int, period: str) -> str:
    number = {"count": count}
    if period == Program.Period.MONTH:
        return (
            ngettext("At most %(count)s reward a month.", "At most %(count)s rewards a month.", count)
            % number
        )
    if period == Program.Period.YEAR:
        return (
            ngettext("At most %(count)s reward a year.", "At most %(count)s rewards a year.", count) % number
        )
    return ngettext("At most %(count)s reward.", "At most %(count)s rewards.", count) % number


def steps(data: TermsData | None) -> list[dict[str, Any]]:
    """How it works, for a friend, where the editor wrote nothing."""
    if data is None or not data.friend_rules:
        return []
    in_basket, on_account, on_order = (_gets(data, place) for place in ("basket", "account", "order"))
    found = [
        {
            "heading": gettext("Have a look around"),
            "text": gettext("Your invitation is saved in this browser."),
        }
    ]
    if on_account:
        found.append(
            {
                "heading": pgettext("step", "Open an account"),
                "text": gettext("You get: %(gift)s.") % {"gift": on_account},
            }
        )
    if in_basket or not on_account:
        found.append(
            {
                "heading": gettext("Put what you like into the basket"),
                "text": gettext("Your present waits there, without a code to type: %(gift)s.")
                % {"gift": in_basket}
                if in_basket
                else "",
            }
        )
    text = gettext("Your friend gets something too, as a thank-you.") if data.advocate_rules else ""
    if on_order:
        text = gettext("You get: %(gift)s.") % {"gift": on_order}
    found.append({"heading": gettext("Place your order"), "text": text})
    return found


def referrer_steps() -> list[dict[str, str]]:
    """How it works, for a customer who invites, where the editor wrote nothing."""
    return [
        {
            "heading": gettext("Share your link"),
            "text": gettext("It is in your account, and it stays the same."),
        },
        {
            "heading": gettext("Your friend orders"),
            "text": gettext("Their present waits in the basket, without a code."),
        },
        {
            "heading": gettext("You get your reward"),
            "text": gettext("You see at any time what it is waiting for."),
        },
    ]


def waits_for_account(data: TermsData) -> bool:
    """Does the friend's present wait for an account, and none in the basket?"""
    return bool(_gets(data, "account")) and not _gets(data, "basket")


def _gets(data: TermsData, place: str) -> str:
    """What the friend gets there."""
    return programs.friend_gets(
        replace(data, rules=tuple(rule for rule in data.rules if _place(rule) == place))
    )


def _place(rule: Rule) -> Literal["basket", "account", "order"]:
    """Where the friend comes by it: a discount waits in the basket, other gifts for an account to give them to."""
    on = triggers.get(rule.trigger).on if rule.trigger in triggers else "purchase"
    if on == "registration":
        return "account"
    if on != "arrival":
        return "order"
    return "basket" if rule.kind in reward_kinds and reward_kinds.get(rule.kind).is_discount else "account"
