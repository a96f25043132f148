"""What people ask about a program, answered from its terms: nothing to keep up to date."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext

from wagtail_referrals import programs
from wagtail_referrals.kinds import gives_credit
from wagtail_referrals.programs import TermsData
from wagtail_referrals.referrals import get_shop
from wagtail_referrals.site import offer as words


@dataclass(frozen=True)
class Answered:
    """A question and its answer, which is HTML as that of an editor is."""

    question: str
    answer: SafeString


def _answered(question: str, *sentences: str) -> Answered:
    return Answered(question, format_html_join("", "<p>{}</p>", ((text,) for text in sentences if text)))


def for_referrer(data: TermsData) -> list[Answered]:
    """For a customer who invites, or might."""
    found = [
        _answered(
            gettext("Whom can I invite?"),
            gettext("Friends who have not ordered from us before, with an account or as a guest.")
            if data.new_customers_only
            else gettext("Everybody but yourself, also friends who have ordered from us before."),
        )
    ]
    gift = programs.friend_gets(data)
    if gift:
        found.append(
            _answered(
                gettext("What does my friend get?"),
                gettext("%(gift)s.") % {"gift": capfirst(gift)},
                ngettext(
                    "The order has to come within %(days)s day after your friend followed the link.",
                    "The order has to come within %(days)s days after your friend followed the link.",
                    data.window_days,
                )
                % {"days": data.window_days},
            )
        )
    lines = words.advocate_lines(data)
    if lines:
        gets = [
            gettext("%(reward)s, %(once)s.") % {"reward": capfirst(line.gets), "once": line.once}
            for line in lines
        ]
        found.append(_answered(gettext("What do I get, and when?"), *gets, *words.advocate_conditions(data)))
    found.append(
        _answered(
            gettext("How do I know how far my friends have come?"),
            gettext("Your account names each of them, and what your reward is still waiting for."),
        )
    )
    if any(gives_credit(rule) for rule in data.advocate_rules) and get_shop().takes_credit():
        found.append(
            _answered(
                gettext("What is referral credit good for?"),
                gettext("You pay with it when you order: for all of the order or for a part."),
            )
        )
    return found


def for_friend(data: TermsData) -> list[Answered]:
    """For somebody who was invited."""
    found = []
    gift = programs.friend_gets(data)
    if gift:
        found.append(
            _answered(
                gettext("What do I get?"),
                gettext("%(gift)s.") % {"gift": capfirst(gift)},
                *words.conditions(data),
            )
        )
        found.append(
            _answered(
                gettext("Do I need a code?"),
                gettext("No: your invitation is saved in this browser."),
                gettext("On another device open your friend's link there, or type the code into the basket."),
            )
        )
    found.append(
        _answered(
            gettext("What does the friend who invited me get to know?"),
            gettext(
                "That you opened an account or ordered, and the first letter of your first name. Never what you "
                "ordered."
            ),
        )
    )
    return found
