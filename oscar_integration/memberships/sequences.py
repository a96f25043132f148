"""Sequences of messages about memberships: what they begin with, ask for and count from, and a ready-made one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from oscar_integration.memberships.models import Membership, Period, Use
from oscar_integration.memberships.settle import BOUGHT
from wagtail_referrals.messages import enroll, register_context, site_of
from wagtail_referrals.messages.conditions import customers_among
from wagtail_referrals.messages.kinds import Standard, message_kinds
from wagtail_referrals.messages.models import Enrollment, Message
from wagtail_referrals.messages.ready_made import ReadySequence, ReadyStep, ready_sequences
from wagtail_referrals.messages.sequencing import (
    GOAL,
    Condition,
    Moment,
    Start,
    conditions,
    moments,
    starts,
)
from wagtail_referrals.rewards.models import Reward

PASS_GIVEN: Final = "pass_given"
HAS_MEMBERSHIP: Final = "has_membership"
PASS_USED: Final = "pass_used"
PASS_ENDED: Final = "pass_ended"
PASS_ENDS: Final = "pass_ends"
SEQUENCE: Final = "sequence"
READY: Final = "friends_to_members"


def pass_given(period: Period, *, now: datetime) -> None:
    """A reward has given a customer something new. Whose own membership it makes longer has no use for a welcome."""
    if period.kind != Period.Kind.NEW or period.membership.user is None:
        return
    reward = None
    if period.reward_id is not None:
        reward = Reward.objects.select_related("referral__claim").filter(pk=period.reward_id).first()
    enroll(
        PASS_GIVEN,
        user=period.membership.user,
        referral=reward.referral if reward is not None else None,
        cause=f"period:{period.pk}",
        now=now,
    )


def _passes(enrollments: Sequence[Enrollment]) -> dict[int, Period]:
    """The pass that each enrollment is about: the one it began with, else the customer's latest. At most 2 queries."""
    begun: dict[int, int] = {}
    others: dict[int, Any] = {}
    for enrollment in enrollments:
        cause, _colon, key = enrollment.key.partition(":")[2].partition(":")
        if cause == "period" and key.isdecimal():
            begun[enrollment.pk] = int(key)
        elif enrollment.user_id is not None:
            others[enrollment.pk] = enrollment.user_id
    rows = Period.objects.select_related("membership__plan").order_by("pk")
    by_key = {period.pk: period for period in rows.filter(pk__in=set(begun.values()))} if begun else {}
    by_user: dict[Any, Period] = {}
    if others:
        given = rows.filter(
            origin=Period.Origin.REWARD, kind=Period.Kind.NEW, membership__user__in=set(others.values())
        )
        by_user = {period.membership.user_id: period for period in given}
    found = {pk: by_key.get(key) for pk, key in begun.items()}
    found |= {pk: by_user.get(user_id) for pk, user_id in others.items()}
    return {pk: period for pk, period in found.items() if period is not None}


def _has_membership(enrollments: Sequence[Enrollment], now: datetime) -> set[int]:
    """One that was bought and is open now. A trial is none, nor is one that was only given."""

    def members(users: Any) -> Any:
        bought = Period.objects.filter(
            origin__in=BOUGHT,
            counts_from__isnull=False,
            taken_back_at=None,
            membership__in=Membership.objects.filter(
                Membership.open_at(now), user__in=users, plan__is_trial=False
            ),
        )
        return bought.order_by().values_list("membership__user", flat=True).distinct()

    return customers_among(enrollments, members)


def _pass_used(enrollments: Sequence[Enrollment], now: datetime) -> set[int]:
    passes = _passes(enrollments)
    uses = Use.objects.filter(period__in={period.pk for period in passes.values()}, undone_at=None)
    used = set(uses.order_by().values_list("period", flat=True).distinct()) if passes else set()
    return {pk for pk, period in passes.items() if period.pk in used}


def _pass_ended(enrollments: Sequence[Enrollment], now: datetime) -> set[int]:
    return {
        pk
        for pk, period in _passes(enrollments).items()
        if period.taken_back_at is not None
        or period.membership.state == Membership.State.ENDED
        or (period.ends_at is not None and period.ends_at <= now)
    }


def _pass_ends(enrollments: Sequence[Enrollment], now: datetime) -> dict[int, datetime]:
    """Not of one that is over before its last day: used up, or taken back."""
    return {
        pk: period.ends_at
        for pk, period in _passes(enrollments).items()
        if period.ends_at is not None
        and period.taken_back_at is None
        and (period.membership.state != Membership.State.ENDED or period.ends_at <= now)
    }


# What the messages can say


PLACEHOLDERS: Final = {
    "pass": _("The name of the pass that was given; may be empty"),
    "pass_ends": _("The last day of the pass; may be empty"),
    "pass_code": _("What the customer shows when they come; may be empty"),
}


def context_of(message: Message) -> dict[str, Any]:
    """Where a button to "what the message is about" leads too: to the customer's memberships."""
    found: dict[str, Any] = {"about_url": _memberships_url(message)}
    if message.enrollment is None:
        if message.user is not None:
            return found
        # Nobody's: a preview.
        return found | {
            "pass": gettext("Day pass"),
            "pass_ends": _day(timezone.now() + timedelta(days=14)),
            "pass_code": "7K2M9QXB",
        }
    period = _passes([message.enrollment]).get(message.enrollment.pk)
    if period is None:
        return found
    return found | {
        "pass": period.membership.plan.title,
        "pass_ends": _day(period.ends_at) if period.ends_at is not None else "",
        "pass_code": period.membership.code,
    }


def _day(moment: datetime) -> str:
    # The end is the first moment that is not part of it.
    return date_format(timezone.localtime(moment - timedelta(seconds=1)), "DATE_FORMAT")


def _memberships_url(message: Message) -> str:
    site: Any = site_of(message)
    try:
        return (site.root_url if site is not None else "") + reverse("memberships:list")
    except NoReverseMatch:
        return ""


# The ready-made one


def _steps() -> tuple[ReadyStep, ...]:
    return (
        ReadyStep(
            name=_("1. Welcome, with the pass"),
            words=Standard(
                subject=_("Your {pass} is here"),
                preheader=_("{inviter} thought of you. Come when you like."),
                heading=_("Welcome"),
                paragraphs=(
                    _("{greeting}"),
                    _(
                        "{inviter} thought you would like it here, and we have a present for you: your {pass}."
                    ),
                    _("Show this code when you come: {pass_code}. It is good until {pass_ends}."),
                ),
                button=_("See my pass"),
                target="about",
            ),
        ),
        ReadyStep(
            name=_("2. A tip, after two days"),
            delay=2,
            condition=PASS_USED,
            is_negated=True,
            words=Standard(
                subject=_("How to get the most out of your first visit"),
                preheader=_("A few words before you come."),
                heading=_("Before your first visit"),
                paragraphs=(
                    _("{greeting}"),
                    _(
                        "You need nothing but yourself. Come a few minutes early, say that it is your first time, and "
                        "somebody of ours will show you around."
                    ),
                    _("Your {pass} waits for you until {pass_ends}."),
                ),
                button=_("See my pass"),
                target="about",
            ),
        ),
        ReadyStep(
            name=_("3. Before the pass ends"),
            delay=2,
            moment=PASS_ENDS,
            condition=PASS_USED,
            is_negated=True,
            words=Standard(
                subject=_("Your {pass} is good until {pass_ends}"),
                preheader=_("Two more days to come and try it."),
                heading=_("Two more days"),
                paragraphs=(
                    _("{greeting}"),
                    _("Your {pass} ends on {pass_ends}, and we would be sorry if you missed it."),
                    _("Show this code when you come: {pass_code}."),
                ),
                button=_("See my pass"),
                target="about",
            ),
        ),
        ReadyStep(
            name=_("4. The first membership, with a discount"),
            delay=7,
            condition=HAS_MEMBERSHIP,
            is_negated=True,
            words=Standard(
                subject=_("Stay with us, for less at the start"),
                preheader=_("An offer for your first membership."),
                heading=_("Stay with us"),
                paragraphs=(
                    _("{greeting}"),
                    _("You know us now. As a member you come as often as you like."),
                    _(
                        "So that the first step is easy, you pay less for your first membership with this code: [CODE]"
                    ),
                ),
                button=_("Become a member"),
                target="shop",
            ),
        ),
        ReadyStep(
            name=_("5. Thanks to a new member"),
            moment=GOAL,
            words=Standard(
                subject=_("Good to have you with us"),
                preheader=_("Thank you for becoming a member."),
                heading=_("Thank you"),
                paragraphs=(
                    _("{greeting}"),
                    _("You are one of us now, and we are glad of it."),
                    _(
                        "{inviter} brought you here. If you know somebody who would like it too: with your personal "
                        "link you both get something."
                    ),
                ),
                button=_("Invite somebody"),
                target="hub",
            ),
        ),
    )


def register() -> None:
    """Called once, from the app's ``ready``."""
    starts.register(
        Start(
            PASS_GIVEN,
            _("a reward has given somebody a pass or a membership"),
            implies=("registered", "reward_given"),
            moments=(PASS_ENDS,),
        )
    )
    for key, label, holds in _CONDITIONS:
        conditions.register(Condition(key, label, holds))
    moments.register(Moment(PASS_ENDS, _("before the pass ends"), _pass_ends, is_end=True))
    register_context(SEQUENCE, context_of)
    message_kinds.get(SEQUENCE).placeholders.update(PLACEHOLDERS)
    ready_sequences.register(
        ReadySequence(
            READY,
            _("Turn referrals into members"),
            _(
                "For friends who were given a pass: a welcome, a tip, a reminder before the pass ends, an offer for "
                "the first membership, and thanks once they are members."
            ),
            "group",
            PASS_GIVEN,
            _steps(),
            goal=HAS_MEMBERSHIP,
        )
    )


Holds = Callable[[Sequence[Enrollment], datetime], set[int]]
_CONDITIONS: Final[tuple[tuple[str, Any, Holds], ...]] = (
    (HAS_MEMBERSHIP, _("has bought a membership"), _has_membership),
    (PASS_USED, _("has used the pass"), _pass_used),
    (PASS_ENDED, _("has a pass that is over"), _pass_ended),
)
