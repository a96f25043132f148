"""What a badge is given for, in words that editors read."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from django.utils.translation import gettext, ngettext

from wagtail_referrals import credit
from wagtail_referrals.programs import either_words
from wagtail_referrals.recognition.models import Badge


def criterion_words(badge: Badge, programs: Mapping[str, str]) -> str:
    """``programs``: names by key. "" for a badge that only programs give."""
    name = programs.get(str(badge.program_key), gettext("(no longer there)")) if badge.program_key else ""
    if badge.criterion == Badge.Criterion.NONE:
        return ""
    if badge.criterion == Badge.Criterion.FIRST:
        if not name:
            return gettext("the first friend of all who has ordered")
        return gettext("the first friend of all who has ordered by “%(program)s”") % {"program": name}
    what = _within(badge)
    if not name:
        return what
    return gettext("%(what)s, by “%(program)s”") % {"what": what, "program": name}


def _within(badge: Badge) -> str:
    what = _what(badge)
    if badge.period == Badge.Period.YEAR:
        return gettext("%(what)s within one calendar year") % {"what": what}
    if badge.period == Badge.Period.MONTH:
        return gettext("%(what)s within one calendar month") % {"what": what}
    return what


def _what(badge: Badge) -> str:
    if badge.criterion == Badge.Criterion.REFERRALS:
        number = badge.threshold or 0
        return ngettext("%(count)s friend who has ordered", "%(count)s friends who have ordered", number) % {
            "count": number
        }
    amounts = [
        credit.format_money(Decimal(amount), currency) for currency, amount in sorted(badge.revenue.items())
    ]
    return gettext("friends' orders for %(amount)s") % {"amount": either_words(amounts)}
