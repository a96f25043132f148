"""Who invited the customer, and whether that person may read their first name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext

from wagtail_referrals import people, programs
from wagtail_referrals.referrals.models import Referral


@dataclass(frozen=True)
class Inviter:
    """Who invited, to what. ``shown_as``: what they read of the customer's name now.

    ``own_name`` is what they read once both have agreed, "" where the account has no first name. ``waits``: the
    customer has agreed, and the referrer has not confirmed a name of theirs yet.
    """

    referral_id: int
    name: str
    invited: str
    since: datetime
    gift: str
    shown_as: str
    own_name: str
    has_agreed: bool
    waits: bool


def inviters_of(user: Any) -> list[Inviter]:
    """Each person who invited the customer once, the latest first. One query."""
    referrals = Referral.objects.filter(friend=user).select_related("advocate", "terms")
    own_name = people.proposed_name(user)
    found: dict[int, Inviter] = {}
    for referral in referrals.order_by("-created_at", "-pk"):
        if referral.advocate_id in found:
            continue
        name = people.invitation_name(referral.advocate.public_name)
        confirmed = referral.advocate.name_confirmed_at is not None
        has_agreed = referral.name_agreed_at is not None
        found[referral.advocate_id] = Inviter(
            referral_id=referral.pk,
            name=name,
            invited=gettext("%(name)s invited you") % {"name": name},
            since=referral.created_at,
            gift=programs.friend_gets(programs.parse(referral.terms)),
            shown_as=_shown_as(own_name, has_agreed and confirmed),
            own_name=own_name,
            has_agreed=has_agreed,
            waits=has_agreed and not confirmed,
        )
    return list(found.values())


def _shown_as(own_name: str, agreed: bool) -> str:
    if not own_name:
        return gettext("A friend")
    return own_name if agreed else people.mask(own_name)
