"""Which days are to be counted again; and the sweep, which does so. None of it may break what sent the signal."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django.db import transaction

from wagtail_referrals import signals
from wagtail_referrals.insights.folding import fold_visits
from wagtail_referrals.insights.models import FiguredDay, StaleDay
from wagtail_referrals.insights.periods import today
from wagtail_referrals.insights.refresh import MOST_DAYS, refresh_days
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.tracking.models import Claim, Share

logger = logging.getLogger("wagtail_referrals")


def _days_to_mark(moments: Iterable[datetime | None], now: datetime) -> set[date]:
    """The days of these moments, without today: that is counted when it is over.

    What is written is dated ``now``, which a job that began before midnight keeps: then that day is over by the clock.
    """
    days = {today(moment) for moment in moments if moment is not None}
    if today(now) == today():
        days.discard(today())
    else:
        days.add(today(now))
    return days


def _mark(days: Iterable[date], *, people: bool = False) -> None:
    StaleDay.objects.bulk_create([StaleDay(day=day, people=people) for day in sorted(days)])


def purchase_recorded(
    sender: Any, purchase: Purchase, now: datetime, claim: Claim | None = None, **kwargs: Any
) -> None:
    """Within the checkout's transaction. An order of today costs no query."""
    try:
        days = _days_to_mark([purchase.placed_at, claim.created_at if claim else None], now)
        if not days:
            return
        with transaction.atomic():
            # One of them was the friend's first order until now.
            others = Purchase.objects.filter(referral=purchase.referral_id).order_by()
            _mark(days | _days_to_mark(others.values_list("placed_at", flat=True), now))
            if today(now) < today():
                # The friend became known then: who was active since was so on that day before.
                since = FiguredDay.objects.filter(day__gte=today(now))
                _mark(since.values_list("day", flat=True), people=True)
    except Exception:
        logger.exception("The day of order %s could not be marked.", purchase.reference)


def guest_adopted(sender: Any, advocate: Advocate, **kwargs: Any) -> None:
    """What the customer had shared before is theirs now: no other day than one of their own has changed."""
    try:
        with transaction.atomic():
            shares = Share.objects.filter(advocate=advocate).order_by()
            days = {today(moment) for moment in shares.values_list("created_at", flat=True)} - {today()}
            _mark(days, people=True)
    except Exception:
        logger.exception("The days of referrer %s could not be marked.", advocate.pk)


def referral_changed(
    sender: Any,
    referral: Referral,
    now: datetime,
    qualified_before: datetime | None = None,
    purchases: Iterable[Purchase] | None = None,
    rewards: Iterable[Reward] | None = None,
    careful: bool = True,
    written: dict[str, Any] | None = None,
    **kwargs: Any,
) -> None:
    """Within settle's transaction: what is said of a referral, its orders and rewards stands on their days.

    Who knows its ``purchases`` and ``rewards`` says so; else they are read. A day that was ``written`` down in this
    transaction is so for all.
    """
    try:
        with transaction.atomic(savepoint=careful):
            orders = Purchase.objects.filter(referral=referral).order_by() if purchases is None else purchases
            theirs = Reward.objects.filter(referral=referral).order_by() if rewards is None else rewards
            moments = {qualified_before, referral.qualified_at, *(order.placed_at for order in orders)}
            for reward in theirs:
                moments.update((reward.created_at, reward.given_at))
            days = _days_to_mark(moments, now)
            if written is not None:
                marked = written.setdefault("insights.days", set())
                days -= marked
                marked |= days
            _mark(days)
    except Exception:
        if not careful:
            raise
        logger.exception("The days of referral %s could not be marked.", referral.pk)


def swept(sender: Any, now: datetime, **kwargs: Any) -> None:
    for step in (_refresh, fold_visits):
        try:
            step(now)
        except Exception:
            logger.exception(
                "The figures by day could not be kept; the next sweep does it: %s.", step.__name__
            )


def _refresh(now: datetime) -> None:
    refresh_days(now, most=MOST_DAYS)


def connect() -> None:
    signals.purchase_recorded.connect(
        purchase_recorded, dispatch_uid="wagtail_referrals.insights.purchase_recorded"
    )
    signals.referral_changed.connect(
        referral_changed, dispatch_uid="wagtail_referrals.insights.referral_changed"
    )
    signals.guest_adopted.connect(guest_adopted, dispatch_uid="wagtail_referrals.insights.guest_adopted")
    signals.swept.connect(swept, dispatch_uid="wagtail_referrals.insights.swept")
