"""What the engine itself knows about people in sequences. Each condition is asked in at most three queries."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from wagtail_referrals.messages.models import Enrollment, Message
from wagtail_referrals.messages.sequencing import Condition, conditions
from wagtail_referrals.referrals.models import Purchase
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.tracking.models import Claim, Share

REGISTERED: Final = "registered"
ORDERED: Final = "ordered"
OPENED_NOTHING: Final = "opened_nothing"
SHARED: Final = "has_shared"
REWARDED: Final = "reward_given"


def customers_among(
    enrollments: Iterable[Enrollment], having: Callable[[Collection[Any]], Iterable[Any]]
) -> set[int]:
    """The enrollments of those customers whose keys ``having`` gives back, of all that it is asked for.

    For conditions about customers; visitors who left an address are in none.
    """
    people = {
        enrollment.pk: enrollment.user_id for enrollment in enrollments if enrollment.user_id is not None
    }
    found = set(having(set(people.values()))) if people else set()
    return {pk for pk, user_id in people.items() if user_id in found}


def _visitors(enrollments: Iterable[Enrollment]) -> dict[int, int]:
    """The invitation of each visitor who left an address."""
    return {
        enrollment.pk: enrollment.lead.claim_id for enrollment in enrollments if enrollment.lead is not None
    }


def _registered(enrollments: Sequence[Enrollment], now: datetime) -> set[int]:
    visitors = _visitors(enrollments)
    found = {enrollment.pk for enrollment in enrollments if enrollment.user_id is not None}
    if visitors:
        claims = Claim.objects.filter(pk__in=set(visitors.values()), user__isnull=False)
        known = set(claims.values_list("pk", flat=True))
        found |= {pk for pk, claim in visitors.items() if claim in known}
    return found


def _ordered(enrollments: Sequence[Enrollment], now: datetime) -> set[int]:
    """As a friend, in any program: with the account, or as a guest by the same invitation."""
    found = customers_among(
        enrollments,
        lambda users: _keys(Purchase.objects.filter(referral__friend__in=users), "referral__friend"),
    )
    visitors = _visitors(enrollments)
    if visitors:
        orders = Purchase.objects.filter(referral__claim__in=set(visitors.values()))
        known = set(_keys(orders, "referral__claim"))
        found |= {pk for pk, claim in visitors.items() if claim in known}
    return found


def _opened_nothing(enrollments: Sequence[Enrollment], now: datetime) -> set[int]:
    keys = {enrollment.pk for enrollment in enrollments}
    opened = Message.objects.filter(enrollment__in=keys, opened_at__isnull=False)
    return keys - set(_keys(opened, "enrollment"))


def _shared(enrollments: Sequence[Enrollment], now: datetime) -> set[int]:
    return customers_among(
        enrollments,
        lambda users: _keys(Share.objects.filter(advocate__user__in=users), "advocate__user"),
    )


def _rewarded(enrollments: Sequence[Enrollment], now: datetime) -> set[int]:
    return customers_among(
        enrollments,
        lambda users: _keys(Reward.objects.filter(user__in=users, posted__gt=0), "user"),
    )


def _keys(rows: QuerySet[Any], name: str) -> list[Any]:
    return list(rows.order_by().values_list(name, flat=True).distinct())


for _condition in (
    Condition(REGISTERED, _("has an account"), _registered),
    Condition(ORDERED, _("has ordered as a friend"), _ordered),
    Condition(OPENED_NOTHING, _("has followed no link in these messages"), _opened_nothing),
    Condition(SHARED, _("has shared the personal link"), _shared),
    Condition(REWARDED, _("has been given a reward"), _rewarded),
):
    conditions.register(_condition)

__all__ = ["OPENED_NOTHING", "ORDERED", "REGISTERED", "REWARDED", "SHARED", "customers_among"]
