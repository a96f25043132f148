"""Memberships as customers read them, on their page and in mails; in the current language."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext

from oscar_integration.memberships.models import Plan, Unit
from wagtail_referrals import credit as ledger


def day_of(moment: datetime | None) -> date | None:
    """The day at the site's clock."""
    return timezone.localtime(moment).date() if moment is not None else None


def day_words(day: date | datetime | None) -> str:
    """ "Dec. 14, 2026"; "" for none."""
    if isinstance(day, datetime):
        day = day_of(day)
    return date_format(day, "DATE_FORMAT") if day is not None else ""


def length_words(length: int, unit: str) -> str:
    """ "1 month", "30 days"."""
    if unit == Unit.MONTHS:
        return ngettext("%(count)s month", "%(count)s months", length) % {"count": length}
    return days_words(length)


def days_words(days: int) -> str:
    return ngettext("%(count)s day", "%(count)s days", days) % {"count": days}


def uses_words(uses: int) -> str:
    return ngettext("%(count)s use", "%(count)s uses", uses) % {"count": uses}


def plan_words(plan: Plan) -> str:
    """What one period of the plan is: "1 month, 10 uses"; "1 month" where one may come as often as one likes."""
    words = length_words(plan.period_length, plan.period_unit)
    if plan.uses is None:
        return words
    return gettext("%(period)s, %(uses)s") % {"period": words, "uses": uses_words(plan.uses)}


def card_words(label: str) -> str:
    """ "your card •••• 4242", to stand in a sentence; its number stays on one line."""
    if not label:
        return gettext("your card")
    return gettext("your card %(label)s") % {"label": label.replace(" ", "\N{NO-BREAK SPACE}")}


def payment_words(*, currency: str, credit: Decimal, charge: Decimal, card: str, done: bool = False) -> str:
    """How a renewal is paid, or with ``done`` was, as a sentence; "" where it costs nothing."""
    if not credit and not charge:
        return ""
    values = {
        "credit": ledger.format_money(credit, currency),
        "charge": ledger.format_money(charge, currency),
        "card": card_words(card),
    }
    if not charge:
        words = (
            gettext("All of it was paid with your referral credit, and nothing was charged.")
            if done
            else gettext("All of it is paid with your referral credit, and nothing is charged.")
        )
    elif not credit:
        words = (
            gettext("%(charge)s was charged to %(card)s.")
            if done
            else gettext("%(charge)s is charged to %(card)s.")
        )
    elif done:
        words = gettext("%(credit)s was paid with your referral credit, %(charge)s was charged to %(card)s.")
    else:
        words = gettext("%(credit)s is paid with your referral credit, %(charge)s is charged to %(card)s.")
    return words % values


def renews_words(
    *, day: str, currency: str, total: Decimal, credit: Decimal, charge: Decimal, card: str
) -> str:
    """The next renewal in one sentence."""
    values = {
        "day": day,
        "total": ledger.format_money(total, currency),
        "credit": ledger.format_money(credit, currency),
        "charge": ledger.format_money(charge, currency),
        "card": card_words(card),
    }
    if not credit and not charge:
        return gettext("Renews on %(day)s, and costs you nothing.") % values
    if not charge:
        return gettext("Renews on %(day)s for %(total)s, all of it paid with your referral credit.") % values
    if not credit:
        return gettext("Renews on %(day)s for %(total)s, charged to %(card)s.") % values
    return (
        gettext(
            "Renews on %(day)s for %(total)s: %(credit)s is paid with your referral credit, "
            "%(charge)s is charged to %(card)s."
        )
        % values
    )
