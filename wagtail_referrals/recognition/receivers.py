"""What recognition listens to. None of it may break what sent the signal."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models.signals import post_save, pre_delete

from wagtail_referrals import signals
from wagtail_referrals.people import forget_log_names
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.recognition import awards, checking, standings
from wagtail_referrals.recognition.forgetting import forget_recognition
from wagtail_referrals.recognition.models import Featured
from wagtail_referrals.referrals.models import Referral

logger = logging.getLogger("wagtail_referrals")


def referral_changed(
    sender: Any,
    referral: Referral,
    now: datetime,
    qualified_before: datetime | None = None,
    state_before: str | None = None,
    orders_changed: bool = True,
    careful: bool = True,
    **kwargs: Any,
) -> None:
    """Within settle, which has the advocate locked: count anew, give badges and take them back.

    Most often a waiting period has ended: then the referral counts as it did, and nothing is read.
    """
    if state_before is not None:
        before = standings.is_counted_in(state_before, qualified_before)
        after = standings.is_counted(referral)
        if before == after and (
            not after or (qualified_before == referral.qualified_at and not orders_changed)
        ):
            return
    try:
        with transaction.atomic(savepoint=careful):
            tallies = standings.recount([referral.advocate])
            badges = awards.badges_with_criterion()
            awards.award([referral.advocate], badges, tallies, now=now)
    except Exception:
        if not careful:
            raise
        logger.exception(
            "The friends of referrer %s could not be counted; the sweep does it once a day.",
            referral.advocate_id,
        )
        return
    awards.award_first_soon(badges, referral, now=now)


def advocate_saved(
    sender: type[Advocate],
    instance: Advocate,
    created: bool = False,
    raw: bool = False,
    update_fields: Iterable[str] | None = None,
    **kwargs: Any,
) -> None:
    """Whoever is blocked, leaves or drops their name is in no leaderboard. These ask the advocate too."""
    if raw or created or not standings.shown_by_any_of(update_fields):
        return
    try:
        with transaction.atomic():
            standings.show_or_hide(instance.pk)
    except Exception:
        logger.exception("The standings of referrer %s could not be shown or hidden.", instance.pk)


def user_deleted(sender: Any, instance: Any, **kwargs: Any) -> None:
    """Not guarded: a half-removed person is worse than a deletion that says why."""
    advocate = Advocate.objects.filter(user=instance).first()
    if advocate is not None:
        forget_recognition(advocate, for_good=True)


def thanks_deleted(sender: type[Featured], instance: Featured, **kwargs: Any) -> None:
    """By staff, by who leaves, or with a customer: whom it was about stands in no log. Not guarded, as above."""
    forget_log_names(instance)


def sweeping(sender: Any, now: datetime, **kwargs: Any) -> None:
    try:
        checking.sweep_standings(now=now)
    except Exception:
        logger.exception("The standings could not be checked; the next sweep does it.")


def connect() -> None:
    post_save.connect(advocate_saved, sender=Advocate, dispatch_uid="wagtail_referrals.recognition.advocate")
    pre_delete.connect(
        user_deleted, sender=get_user_model(), dispatch_uid="wagtail_referrals.recognition.user_deleted"
    )
    pre_delete.connect(thanks_deleted, sender=Featured, dispatch_uid="wagtail_referrals.recognition.thanks")
    signals.referral_changed.connect(
        referral_changed, dispatch_uid="wagtail_referrals.recognition.referral_changed"
    )
    signals.sweeping.connect(sweeping, dispatch_uid="wagtail_referrals.recognition.sweeping")
