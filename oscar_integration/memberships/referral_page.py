"""What "Refer a friend" and the mails about rewards say of memberships."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from oscar_integration.memberships.customer_page import forecasts_of, running_of
from oscar_integration.memberships.models import Membership, Period
from oscar_integration.memberships.words import day_words
from wagtail_referrals import credit
from wagtail_referrals.site.elsewhere import Gift, register_credit_use, register_gifts


def register() -> None:
    """Called from ``AppConfig.ready()``."""
    register_gifts(gifts_of)
    register_credit_use(credit_use)


def gifts_of(user: Any) -> list[Gift]:
    """The customer's open memberships that referrals gave, or prolonged. 1 query where there are none, else 2."""
    now = timezone.now()
    given = Period.objects.filter(reward__isnull=False, taken_back_at=None, ends_at__gt=now)
    rows = Membership.objects.filter(Membership.open_at(now), user=user.pk, pk__in=given.values("membership"))
    try:
        url = reverse("memberships:list")
    except NoReverseMatch:
        return []
    return [
        Gift(
            words=membership.plan.title,
            note=given_words(membership),
            url=f"{url}#membership-{membership.pk}",
            action=gettext("See your membership"),
        )
        for membership in rows.select_related("plan")
        .prefetch_related("plan__names")
        .order_by("starts_at", "pk")
    ]


def given_words(membership: Membership) -> str:
    """What is left of a membership, and until when, as a sentence; "" before it runs."""
    if membership.ends_at is None:
        return ""
    day = {"day": day_words(membership.ends_at)}
    if membership.uses_left is None:
        return gettext("It runs until %(day)s.") % day
    return ngettext(
        "You can use it once, until %(day)s.",
        "You can use it %(count)s times, until %(day)s.",
        membership.uses_left,
    ) % {**day, "count": membership.uses_left}


def credit_use(user: Any, currency: str, now: datetime | None = None) -> str:
    """Which renewal the customer's credit pays next, as a sentence; "" for none."""
    moment = now or timezone.now()
    forecasts = forecasts_of(running_of(user, moment), moment).values()
    paid = [forecast for forecast in forecasts if forecast.credit > 0 and forecast.currency == currency]
    if not paid:
        return ""
    first = min(paid, key=lambda forecast: forecast.due_at)
    words = (
        gettext("%(amount)s of it pays your renewal on %(day)s.")
        if first.due_at > moment
        else gettext("%(amount)s of it pays your renewal, which is due.")
    )
    return words % {
        "amount": credit.format_money(first.credit, first.currency),
        "day": day_words(first.due_at),
    }
