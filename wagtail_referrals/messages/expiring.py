"""Credit that is about to expire is announced: 30 days before its last day, and 7 days before.

One message for each account, day and step, however many lots end that day: the key makes a second one impossible. What
was given with no more days to live than a step counts is not announced by that step: the customer was told the day when
it was given. A sweep that comes late announces once, by the step that is due then, and names the day.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals import credit
from wagtail_referrals.credit.models import Account
from wagtail_referrals.messages.kinds import (
    MessageKind,
    Reader,
    Standard,
    Topic,
    Urgency,
    message_kinds,
)
from wagtail_referrals.messages.models import Message
from wagtail_referrals.messages.notices import AMOUNT, HEADLINE, NEWS, sample_amount
from wagtail_referrals.messages.planning import planned, write_all
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.referrals import get_shop
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import SweepRun
from wagtail_referrals.tracking.models import Claim

KIND: Final = "credit_expiring"
# Days before the last day, the shortest first.
STEPS: Final = (7, 30)
BATCH: Final = 500


def announce_with_the_sweep(sender: type[SweepRun], *, now: datetime, **kwargs: Any) -> None:
    """By the first sweep of a day that gets to its end: what is due is counted in days, and all of it is read."""
    midnight = timezone.make_aware(datetime.combine(timezone.localtime(now).date(), time.min))
    done = SweepRun.objects.filter(started_at__range=(midnight, now), finished_at__isnull=False)
    if not done.exists():
        announce_expiring(now=now)


def announce_expiring(*, now: datetime | None = None) -> int:
    """Plan the messages that are due, to customers whose account is there and active; the number of new ones.

    The credit is read in one query; five more for each 500 messages.
    """
    moment = now or timezone.now()
    today = timezone.localtime(moment).date()
    due = _due(today, moment)
    count = 0
    while batch := list(islice(due, BATCH)):
        count += _announce(batch, moment)
    return count


def _due(today: date, now: datetime) -> Iterator[tuple[credit.Ending, int]]:
    for ending in credit.all_endings(until=today + timedelta(days=STEPS[-1]), now=now):
        step = _step(ending, today)
        if step is not None and getattr(ending.account.user, "is_active", True):
            yield ending, step


def _step(ending: credit.Ending, today: date) -> int | None:
    """The step by which this is announced today: the last one that has begun, if it was given before that began."""
    left = (ending.day - today).days
    step = next((days for days in STEPS if left <= days), None)
    return step if step is not None and ending.days_to_live > step else None


def _announce(batch: list[tuple[credit.Ending, int]], now: datetime) -> int:
    keys = {f"{KIND}:{ending.account.pk}:{ending.day.isoformat()}:{step}": ending for ending, step in batch}
    known = set(Message.objects.filter(key__in=list(keys)).values_list("key", flat=True))
    new = {key: ending for key, ending in keys.items() if key not in known}
    if not new:
        return 0
    languages = languages_of({ending.account.user_id for ending in new.values()})
    write_all(
        [
            planned(
                KIND,
                key=key,
                user=ending.account.user,
                data={
                    "account": ending.account.pk,
                    "day": ending.day.isoformat(),
                    "step": int(key.rpartition(":")[2]),
                    "amount": str(ending.amount),
                    "currency": ending.account.currency,
                },
                language=languages.get(ending.account.user_id, ""),
                now=now,
            )
            for key, ending in new.items()
        ]
    )
    return len(new)


def languages_of(user_ids: set[Any]) -> dict[Any, str]:
    """What these customers read, as far as we know it: as referrers, else as friends. Three queries."""
    found: dict[Any, str] = {}
    friends = Referral.objects.filter(friend__in=user_ids).order_by("pk")
    claims = Claim.objects.filter(user__in=user_ids).order_by("pk")
    advocates = Advocate.objects.filter(user__in=user_ids)
    # The later ones win.
    for rows in (
        friends.values_list("friend", "claim__language"),
        claims.values_list("user", "language"),
        advocates.values_list("user", "language"),
    ):
        found.update((user_id, language) for user_id, language in rows if language)
    return found


def as_it_stands(message: Message, now: datetime) -> bool:
    """Before a message is sent: give it what would expire now; whether there still is something."""
    account = Account.objects.filter(pk=message.data["account"], user=message.user).first()
    if account is None:
        return False
    day = date.fromisoformat(message.data["day"])
    endings = credit.endings_of(account, until=day, now=now)
    amount = next((ending.amount for ending in endings if ending.day == day), Decimal(0))
    message.data = {**message.data, "amount": str(amount)}
    return amount > 0


def context_of(message: Message) -> dict[str, Any]:
    """Whether this is the ``last`` announcement of this day, the amount, and the whole balance where that is more."""
    data = message.data
    currency = data["currency"]
    # In a preview there is no account.
    available = credit.available(message.user, currency) if "account" in data else Decimal(data["amount"])
    last = data["step"] == STEPS[0]
    values = {
        "amount": credit.format_money(Decimal(data["amount"]), currency),
        "day": date_format(date.fromisoformat(data["day"]), "DATE_FORMAT"),
    }
    return {
        **values,
        "headline": gettext("%(amount)s can be used until %(day)s") % values,
        "news": (_last_words() if last else _words()) % values,
        "last": last,
        "pays": credit.is_money(currency) and get_shop().takes_credit(),
        "balance": credit.format_money(available, currency) if available > Decimal(data["amount"]) else "",
    }


def _words() -> str:
    return gettext(
        "a reminder: %(amount)s on your account can be used until %(day)s. What is not used by then expires."
    )


def _last_words() -> str:
    return gettext(
        "this is the last reminder: %(amount)s on your account can be used until %(day)s. What is not used by then "
        "expires."
    )


def _sample() -> dict[str, Any]:
    day = timezone.localdate() + timedelta(days=STEPS[-1])
    return {**sample_amount(), "day": day.isoformat(), "step": STEPS[-1]}


def register() -> None:
    message_kinds.register(
        MessageKind(
            KIND,
            _("your credit is about to expire"),
            _("30 days before the last day of some credit, and 7 days before it."),
            Reader.CUSTOMER,
            Topic.REWARDS,
            Urgency.ACCOUNT,
            Standard(
                subject="{headline}",
                preheader="",
                heading="{headline}",
                paragraphs=("{greeting}", "{news}"),
                button=_("See your balance"),
                target="account",
            ),
            placeholders={
                "headline": HEADLINE,
                "news": NEWS,
                "amount": AMOUNT,
                "day": _("The last day on which it can be used"),
                "balance": _("The whole balance, where that is more"),
            },
            details="credit_expiring",
            is_due=as_it_stands,
            context=context_of,
            sample=_sample,
            may_come_again=True,
        )
    )
