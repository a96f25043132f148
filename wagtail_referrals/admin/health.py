"""Report: does what has to happen by itself happen?"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Count, QuerySet, Sum
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.timesince import timesince
from django.utils.translation import gettext, ngettext, pgettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from wagtail_referrals.admin.home import (
    VIEW_REFERRAL,
    VIEW_REQUEST,
    VIEW_REWARD,
    failed_rewards,
    referrals_to_check,
    requests_to_decide,
    review_url,
)
from wagtail_referrals.admin.policies import REVIEW, SUMMARY
from wagtail_referrals.admin.reports import Report, ReportView
from wagtail_referrals.credit.models import Reservation
from wagtail_referrals.messages.models import Message
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import SweepRun

logger = logging.getLogger("wagtail_referrals")

URL: Final = "wagtail_referrals_health"
VIEW_MESSAGE: Final = "wagtail_referrals.view_message"
# The sweep is meant to run every few minutes.
LATE: Final = timedelta(hours=1)
VERY_LATE: Final = timedelta(days=1)
A_WEEK: Final = timedelta(days=7)
A_MONTH: Final = timedelta(days=30)
# Nobody needs to know how many more there are, and they are not counted.
MOST: Final = 1000

FINE: Final = "fine"
LOOK: Final = "look"
BROKEN: Final = "broken"
STATES: Final = {
    FINE: pgettext_lazy("health", "fine"),
    LOOK: pgettext_lazy("health", "look at this"),
    BROKEN: pgettext_lazy("health", "broken"),
}
ICONS: Final = {FINE: "check", LOOK: "warning", BROKEN: "cross"}


@dataclass(frozen=True)
class Sign:
    """One thing that was looked at. ``mend`` says what to do, or why it matters; ``url`` leads to the rows."""

    label: Any
    state: str
    words: str
    mend: Any = ""
    url: str = ""

    @property
    def state_words(self) -> Any:
        return STATES[self.state]

    @property
    def icon(self) -> str:
        return ICONS[self.state]


def health_report() -> Report:
    return Report(URL, pgettext_lazy("referrals", "Health"), SUMMARY, order=50)


def signs(user: Any, now: datetime) -> list[Sign]:
    """All that was looked at, for who has this user's permissions. One that cannot be read is left out."""
    found: list[Sign] = []
    for look in LOOKS:
        try:
            # What the database refuses must not take the others with it.
            with transaction.atomic():
                found.extend(look(user, now))
        except Exception:
            logger.exception("A sign of health could not be read: %s.", look.__name__)
    return found


def _runs(user: Any, now: datetime) -> Iterator[Sign]:
    label = _("Last run")
    mend: Any = _(
        "Waiting periods end, rewards are given and messages are sent when the command referrals_sweep runs. Ask "
        "whoever runs the shop to have it run every few minutes."
    )
    done = SweepRun.objects.filter(finished_at__isnull=False).order_by("-finished_at").first()
    if done is None or done.finished_at is None:
        yield Sign(label, BROKEN, gettext("Never: nothing is given by itself."), mend)
    else:
        age = now - done.finished_at
        state = BROKEN if age > VERY_LATE else LOOK if age > LATE else FINE
        words = gettext("%(ago)s ago") % {"ago": timesince(done.finished_at, now)}
        yield Sign(label, state, words, mend if state != FINE else "")
    runs = SweepRun.objects.filter(started_at__gte=now - VERY_LATE)
    failed = runs.aggregate(failed=Sum("failed"))["failed"] or 0
    words = ngettext(
        "%(count)s thing failed in the last 24 hours",
        "%(count)s things failed in the last 24 hours",
        failed,
    )
    mend = _("Each is tried again by itself. The log of the shop says what went wrong.")
    yield Sign(
        _("Failed in runs"), LOOK if failed else FINE, words % {"count": failed}, mend if failed else ""
    )


def _overdue(user: Any, now: datetime) -> Iterator[Sign]:
    late = Referral.objects.filter(next_check_at__lte=now - LATE)[:MOST].count()
    words = ngettext(
        "%(count)s referral should have been looked at more than an hour ago",
        "%(count)s referrals should have been looked at more than an hour ago",
        late,
    )
    mend = _("The command referrals_sweep does not run, or not often enough for so many.")
    yield Sign(_("Overdue"), LOOK if late else FINE, _counted(words, late), mend if late else "")


def _held(user: Any, now: datetime) -> Iterator[Sign]:
    since = _oldest_first(referrals_to_check(now))
    words = ngettext("%(count)s referral to check", "%(count)s referrals to check", len(since))
    mend = _("Nothing is given for them until somebody decides.")
    url = review_url() if since and user.has_perms([REVIEW, VIEW_REFERRAL]) else ""
    yield _waiting(_("To check"), since, words, mend, url, now)


def _requests(user: Any, now: datetime) -> Iterator[Sign]:
    since = _oldest_first(requests_to_decide())
    words = ngettext("%(count)s request about an order", "%(count)s requests about orders", len(since))
    mend = _("Somebody says that a friend of theirs placed the order.")
    url = ""
    if since and user.has_perm(VIEW_REQUEST):
        url = f"{reverse('wagtail_referrals_requests:index')}?state=waiting"
    yield _waiting(_("Requests about orders"), since, words, mend, url, now)


def _oldest_first(rows: QuerySet[Any]) -> list[datetime]:
    return list(rows.order_by("created_at").values_list("created_at", flat=True)[:MOST])


def _waiting(label: Any, since: list[datetime], words: str, mend: Any, url: str, now: datetime) -> Sign:
    """What waits for a person, since these moments."""
    found = _counted(words, len(since))
    if not since:
        return Sign(label, FINE, found)
    found = gettext("%(found)s, the oldest for %(time)s") % {
        "found": found,
        "time": timesince(since[0], now),
    }
    return Sign(label, LOOK if now - since[0] > A_WEEK else FINE, found, mend, url)


def _failed_rewards(user: Any, now: datetime) -> Iterator[Sign]:
    number = failed_rewards()[:MOST].count()
    words = ngettext("%(count)s reward could not be given", "%(count)s rewards could not be given", number)
    mend = _(
        "Each is tried again by itself. Where it fails again and again, the shop cannot give this reward."
    )
    url = ""
    if number and user.has_perm(VIEW_REWARD):
        url = f"{reverse('wagtail_referrals_rewards:index')}?state=failed"
    yield Sign(
        _("Failed rewards"), LOOK if number else FINE, _counted(words, number), mend if number else "", url
    )


def _stuck(user: Any, now: datetime) -> Iterator[Sign]:
    late = Message.objects.filter(state=Message.State.PENDING, next_attempt_at__lte=now - LATE)[:MOST].count()
    words = ngettext(
        "%(count)s message should have been sent more than an hour ago",
        "%(count)s messages should have been sent more than an hour ago",
        late,
    )
    mend = _("Messages are sent when the command referrals_sweep runs, and when the mail server takes them.")
    yield Sign(_("Messages"), LOOK if late else FINE, _counted(words, late), mend if late else "")

    left = Message.objects.filter(
        state__in=[Message.State.CLAIMED, Message.State.SENDING], claimed_until__lte=now - LATE
    )[:MOST].count()
    words = ngettext(
        "%(count)s message was being prepared or sent when its worker stopped",
        "%(count)s messages were being prepared or sent when their workers stopped",
        left,
    )
    mend = _(
        "When the command referrals_sweep runs, what was being prepared is sent; what was being sent may have gone, "
        "and is not sent again. If there are new ones every day, ask whoever runs the shop why workers stop."
    )
    yield Sign(_("Messages left behind"), LOOK if left else FINE, _counted(words, left), mend if left else "")

    # Those of longer ago nobody mends any more: they would hide new ones.
    lost = Message.objects.filter(
        created_at__gte=now - A_MONTH, state__in=[Message.State.FAILED, Message.State.UNSURE]
    )
    numbers = dict(lost.order_by().values_list("state").annotate(Count("pk")))
    given_up = numbers.get(Message.State.FAILED, 0)
    words = ngettext(
        "%(count)s message of the last 30 days was not sent, and is not tried again",
        "%(count)s messages of the last 30 days were not sent, and are not tried again",
        given_up,
    )
    mend = _(
        "The mail server refused it every time, or the customer has no e-mail address. The list of sent messages says "
        "why, and whoever may change it can have one sent again."
    )
    yield _of_messages(_("Messages given up"), given_up, words, mend, user, Message.State.FAILED)

    unsure = numbers.get(Message.State.UNSURE, 0)
    words = ngettext(
        "%(count)s message of the last 30 days may have been sent or not",
        "%(count)s messages of the last 30 days may have been sent or not",
        unsure,
    )
    mend = _(
        "The connection to the mail server broke, or the worker stopped, while it was handed over. Nobody is to get it "
        "twice, so it is not sent again: the log of the mail server says whether it went."
    )
    yield _of_messages(_("Messages maybe sent"), unsure, words, mend, user, Message.State.UNSURE)

    late = Reservation.objects.filter(state=Reservation.State.ACTIVE, expires_at__lte=now - LATE)[
        :MOST
    ].count()
    words = ngettext(
        "%(count)s amount of credit is set aside for a payment that is over",
        "%(count)s amounts of credit are set aside for payments that are over",
        late,
    )
    mend = _("Customers cannot use it until the command referrals_sweep has run.")
    yield Sign(_("Set aside"), LOOK if late else FINE, _counted(words, late), mend if late else "")


def _of_messages(label: Any, number: int, words: str, mend: Any, user: Any, state: str) -> Sign:
    """Messages that ended so, with the way to their list for who may see it."""
    found = _counted(words, number)
    if not number:
        return Sign(label, FINE, found)
    may_see = user.has_perm(VIEW_MESSAGE)
    url = f"{reverse('wagtail_referrals_sent:index')}?state={state}" if may_see else ""
    return Sign(label, LOOK, found, mend, url)


LOOKS: Final[list[Callable[[Any, datetime], Iterator[Sign]]]] = [
    _runs,
    _overdue,
    _held,
    _requests,
    _failed_rewards,
    _stuck,
]


def _counted(words: str, number: int) -> str:
    if not number:
        return pgettext("number of things", "none")
    return words % {"count": gettext("%(number)s or more") % {"number": MOST} if number >= MOST else number}


class HealthView(ReportView):
    template_name = "wagtail_referrals/admin/health.html"
    page_title = _("Health of the referral program")
    permission = SUMMARY

    @cached_property
    def signs(self) -> list[Sign]:
        return signs(self.request.user, timezone.now())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(signs=self.signs, **kwargs)

    def sheet(self) -> tuple[Sequence[Any], Iterable[Sequence[Any]]]:
        headings = [gettext("What was looked at"), gettext("State"), gettext("Found"), gettext("What to do")]
        return headings, ([sign.label, sign.state_words, sign.words, sign.mend] for sign in self.signs)
