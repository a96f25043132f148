"""A panel on the first page of the admin: what waits for somebody, and this week against the last."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.forms import Media
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import ngettext
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.ui.components import Component

from wagtail_referrals import credit
from wagtail_referrals.admin.figures import MEANINGS
from wagtail_referrals.admin.policies import REVIEW, SUMMARY
from wagtail_referrals.admin.programs import SUMMARY_URL
from wagtail_referrals.insights import DayFigures, read_figures, today
from wagtail_referrals.referrals import FOR_STAFF
from wagtail_referrals.referrals.models import AttributionRequest, Referral
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.trust import to_review

logger = logging.getLogger("wagtail_referrals")

VIEW_REFERRAL: Final = "wagtail_referrals.view_referral"
VIEW_REQUEST: Final = "wagtail_referrals.view_attributionrequest"
VIEW_REWARD: Final = "wagtail_referrals.view_reward"


@dataclass(frozen=True)
class Waiting:
    """Something that waits for a person: a sentence with its number, and where it is listed."""

    words: str
    url: str


def waiting_for(user: Any, now: datetime | None = None) -> list[Waiting]:
    """What waits for somebody with this user's permissions; at most three queries, each answered by an index."""
    moment = now or timezone.now()
    found = []
    if user.has_perms([REVIEW, VIEW_REFERRAL]):
        number = referrals_to_check(moment).count()
        words = ngettext("%(count)s referral to check", "%(count)s referrals to check", number)
        found.append((number, words, review_url()))
    if user.has_perms([REVIEW, VIEW_REQUEST]):
        number = requests_to_decide().count()
        words = ngettext("%(count)s request about an order", "%(count)s requests about orders", number)
        found.append((number, words, f"{reverse('wagtail_referrals_requests:index')}?state=waiting"))
    if user.has_perm(VIEW_REWARD):
        number = failed_rewards().count()
        words = ngettext(
            "%(count)s reward that could not be given", "%(count)s rewards that could not be given", number
        )
        found.append((number, words, f"{reverse('wagtail_referrals_rewards:index')}?state=failed"))
    return [Waiting(words % {"count": number}, url) for number, words, url in found if number]


def referrals_to_check(moment: datetime) -> Any:
    """Referrals that a reviewer is asked about now."""
    return Referral.objects.filter(to_review(moment))


def requests_to_decide() -> Any:
    """Requests about orders that staff are asked about. What was said with a basket concerns nobody before that."""
    return AttributionRequest.objects.filter(FOR_STAFF).exclude(reference="")


def failed_rewards() -> Any:
    return Reward.objects.filter(state=Reward.State.FAILED)


def review_url() -> str:
    return reverse("wagtail_referrals_review:index")


# This week against the last


# Called and meant as in the summary.
LINES: Final = ("visits", "referrals", "ordered", "rewarded", "revenue")


def _read(figures: DayFigures, name: str) -> list[str]:
    value = getattr(figures, name)
    if isinstance(value, dict):
        return [credit.format_money(amount, code) for code, amount in sorted(value.items()) if amount]
    return [str(value)]


@dataclass(frozen=True)
class Weeks:
    """From Monday to ``last``, and the same days a week before."""

    first: date
    last: date
    now: DayFigures
    before: DayFigures

    @property
    def first_before(self) -> date:
        return self.first - timedelta(days=7)

    @property
    def last_before(self) -> date:
        return self.last - timedelta(days=7)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [
            {
                "label": MEANINGS[name].label,
                "definition": MEANINGS[name].definition,
                "now": _read(self.now, name),
                "before": _read(self.before, name),
            }
            for name in LINES
        ]


def weeks(now: datetime | None = None) -> Weeks:
    """This week so far against as many days of the last one, in the site's time zone. A dozen queries."""
    day = today(now)
    monday = day - timedelta(days=day.weekday())
    by_day = read_figures(monday - timedelta(days=7), day).by("day")
    found = Weeks(monday, day, DayFigures(), DayFigures())
    for text, figures in by_day.items():
        that = date.fromisoformat(text)
        if found.first <= that <= found.last:
            found.now.add(figures)
        elif found.first_before <= that <= found.last_before:
            found.before.add(figures)
    return found


class ReferralsPanel(Component):
    """For who may review or read figures; to others, and where it fails, it is not there."""

    name = "referrals"
    template_name = "wagtail_referrals/admin/home_panel.html"
    # After what waits for one's review in Wagtail (200, 210), before one's own edits (250).
    order = 220

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    @property
    def media(self) -> Media:
        return Media(css={"all": [versioned_static("wagtail_referrals/admin/admin.css")]})

    def render_html(self, parent_context: Mapping[str, Any] | None = None) -> Any:
        try:
            # What the database refuses must not take the page with it.
            with transaction.atomic():
                return super().render_html(parent_context)
        except Exception:
            logger.exception("The first page of the admin is shown without the referrals")
            return ""

    def get_context_data(self, parent_context: Mapping[str, Any] | None = None) -> dict[str, Any]:
        user: Any = self.request.user
        may_read = user.has_perm(SUMMARY)
        return {
            "waiting": waiting_for(user),
            "may_review": user.has_perm(REVIEW),
            "weeks": weeks() if may_read else None,
            "summary_url": self._summary_url() if may_read else "",
        }

    @staticmethod
    def _summary_url() -> str:
        return f"{reverse(SUMMARY_URL)}?{urlencode({'period': 'last_7'})}"


def add_panel(request: HttpRequest, panels: list[Any]) -> None:
    """A function for Wagtail's hook ``construct_homepage_panels``."""
    user: Any = request.user
    if any(user.has_perm(permission) for permission in (REVIEW, SUMMARY, VIEW_REWARD)):
        panels.append(ReferralsPanel(request))
