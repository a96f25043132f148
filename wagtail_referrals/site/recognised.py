"""What referrers are told of badges that they were given, and of a better place in the leaderboard.

Recognition and messages do not know each other; this room knows both.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Sum
from django.db.models.signals import post_save
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals import recognition
from wagtail_referrals.messages.kinds import (
    MessageKind,
    Reader,
    Standard,
    Topic,
    Urgency,
    message_kinds,
)
from wagtail_referrals.messages.models import Message
from wagtail_referrals.messages.news import SEE_FRIENDS, is_news, is_told
from wagtail_referrals.messages.planning import planned, write
from wagtail_referrals.messages.sweeping import register_planner
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Program
from wagtail_referrals.recognition.models import BadgeAward, Standing, StandingLevel
from wagtail_referrals.recognition.standings import EVER, counts
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import SweepRun

logger = logging.getLogger("wagtail_referrals")

BADGE: Final = "badge_given"
RANK: Final = "new_rank"
# Places of which somebody is told, the first of a leaderboard.
PLACES: Final = 10
WEEK: Final = timedelta(days=7)


def tell_about_badge(
    sender: type[BadgeAward], instance: BadgeAward, created: bool = False, raw: bool = False, **kwargs: Any
) -> None:
    """Given for the first time, by what the engine counts; a badge that a program gives is a reward."""
    if raw or not created:
        return
    try:
        with transaction.atomic():
            advocate = Advocate.objects.select_related("user").get(pk=instance.advocate_id)
            if is_told(advocate):
                write(
                    BADGE,
                    key=f"{BADGE}:{instance.pk}",
                    user=advocate.user,
                    data={"award": instance.pk},
                    language=advocate.language,
                    now=instance.awarded_at,
                )
    except Exception:
        logger.exception("Who was given the badge %s could not be told.", instance.badge_id)


def _ranks(now: datetime) -> Iterator[Message]:
    """By the first sweep of a week: who has come up among the first by friends who came to count last week.

    Only who is in the leaderboards, and for whom it is the better of all programs.
    """
    today = timezone.localtime(now).date()
    monday = today - timedelta(days=today.weekday())
    start = timezone.make_aware(datetime.combine(monday, time.min))
    if SweepRun.objects.filter(started_at__range=(start, now), finished_at__isnull=False).exists():
        return
    best: dict[int, tuple[int, UUID, Advocate]] = {}
    for program_key in Program.objects.filter(live=True).values_list("key", flat=True):
        for rank, advocate in _climbers(program_key, start):
            if advocate.pk not in best or rank < best[advocate.pk][0]:
                best[advocate.pk] = (rank, program_key, advocate)
    year, week, _day = monday.isocalendar()
    for rank, program_key, advocate in best.values():
        if is_told(advocate):
            yield planned(
                RANK,
                key=f"{RANK}:{advocate.pk}:{year}-{week:02}",
                user=advocate.user,
                data={"program": str(program_key), "rank": rank},
                language=advocate.language,
                now=now,
            )


def _climbers(program_key: UUID, start: datetime) -> Iterator[tuple[int, Advocate]]:
    """Present place and referrer, of those whom the week before ``start`` has brought a better one. 3 queries."""
    board = Standing.objects.filter(program_key=program_key, period=EVER, is_public=True, referrals__gt=0)
    first = list(
        board.filter(advocate__in_leaderboards=True)
        .select_related("advocate__user")
        .order_by("-referrals", "reached_at", "pk")[:PLACES]
    )
    recent = [row for row in first if row.reached_at is not None and row.reached_at >= start - WEEK]
    if not recent:
        return
    gained = dict(
        Referral.objects.filter(
            counts(),
            program_key=program_key,
            advocate__in=[row.advocate_id for row in recent],
            qualified_at__gte=start - WEEK,
        )
        .order_by()
        .values_list("advocate_id")
        .annotate(Count("pk"))
    )
    levels = list(
        StandingLevel.objects.filter(program_key=program_key, period=EVER)
        .order_by()
        .values_list("referrals")
        .annotate(Sum("advocates"))
    )
    for row in recent:
        before = row.referrals - gained.get(row.advocate_id, 0)
        rank = 1 + sum(number for friends, number in levels if friends > row.referrals)
        # They themselves stand above where they were; with no friend they were nowhere.
        was = sum(number for friends, number in levels if friends > before) if before > 0 else None
        if rank <= PLACES and (was is None or rank < was):
            yield rank, row.advocate


# As they are sent


def _badge_is_due(message: Message, now: datetime) -> bool:
    worn = BadgeAward.objects.filter(pk=message.data["award"], taken_back_at=None)
    return is_news(message, now) and worn.exists()


def _badge_context(message: Message) -> dict[str, Any]:
    if "award" not in message.data:
        return {"badge": message.data["badge"]}
    return {"badge": str(BadgeAward.objects.select_related("badge").get(pk=message.data["award"]).badge)}


def _rank_is_due(message: Message, now: datetime) -> bool:
    """Still in the leaderboard, and no lower there; the place is brought up to date."""
    advocate = Advocate.objects.filter(user=message.user_id).first() if message.user_id is not None else None
    if advocate is None or not is_news(message, now):
        return False
    board = recognition.leaderboard(message.data["program"], EVER, size=1, advocate=advocate)
    if not board.is_joined or board.own is None or board.own.rank > message.data["rank"]:
        return False
    message.data = {**message.data, "rank": board.own.rank, "number": board.own.referrals}
    return True


def _rank_context(message: Message) -> dict[str, Any]:
    return {"rank": str(message.data["rank"]), "number": str(message.data.get("number", ""))}


def _sample_badge() -> dict[str, Any]:
    return {"badge": gettext("Ambassador")}


def _sample_rank() -> dict[str, Any]:
    return {"rank": 3, "number": 7}


KINDS: Final = (
    MessageKind(
        BADGE,
        _("you were given a badge"),
        _("When the numbers of a referrer bring them a badge for the first time."),
        Reader.REFERRER,
        Topic.RECOGNITION,
        Urgency.EXTRA,
        Standard(
            subject=_("A badge for you: {badge}"),
            preheader="",
            heading=_("A badge for you: {badge}"),
            paragraphs=(
                "{greeting}",
                _("thank you for bringing your friends to us! You wear the badge “{badge}” from now on."),
            ),
            button=SEE_FRIENDS,
            target="account",
        ),
        placeholders={"badge": _("What the badge is called")},
        is_due=_badge_is_due,
        context=_badge_context,
        sample=_sample_badge,
    ),
    MessageKind(
        RANK,
        _("you have come up in the leaderboard"),
        _(
            "Once a week at most, to referrers who are in the leaderboards and whom last week's friends have brought a "
            "better place among the first ten."
        ),
        Reader.REFERRER,
        Topic.RECOGNITION,
        Urgency.EXTRA,
        Standard(
            subject=_("You have come up to place {rank}"),
            preheader="",
            heading=_("You have come up to place {rank}"),
            paragraphs=(
                "{greeting}",
                _(
                    "the friends who ordered last week have brought you up: in the leaderboard you are at place {rank}."
                ),
                _("Friends who count for you: {number}. Thank you!"),
            ),
            button=SEE_FRIENDS,
            target="account",
        ),
        placeholders={"rank": _("The place in the leaderboard"), "number": _("How many friends count")},
        is_due=_rank_is_due,
        context=_rank_context,
        sample=_sample_rank,
    ),
)


def connect() -> None:
    """Called when Django is ready."""
    for kind in KINDS:
        message_kinds.register(kind)
    register_planner(RANK, _ranks)
    post_save.connect(tell_about_badge, sender=BadgeAward, dispatch_uid="wagtail_referrals.site.badge")
