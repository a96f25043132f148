"""Whether the referrer may read a friend's first name: the friend's own word, given and taken back at any time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone

from wagtail_referrals.people import mask, proposed_name
from wagtail_referrals.referrals.models import Referral


def set_name_agreed(user: Any, referral_id: int, *, agreed: bool, now: datetime | None = None) -> bool:
    """The friend in this referral lets its referrer read their first name, or no longer.

    Holds for all referrals of the two. Whether there is such a referral of this customer.
    """
    own = Referral.objects.filter(friend=user)
    advocate_id = own.filter(pk=referral_id).values_list("advocate_id", flat=True).first()
    if advocate_id is None:
        return False
    own.filter(advocate_id=advocate_id, name_agreed_at__isnull=agreed).update(
        name_agreed_at=(now or timezone.now()) if agreed else None
    )
    return True


def name_for_advocate(referral: Referral) -> str:
    """What the referrer reads of the friend's name; "" where nothing is known of it.

    The first letter, until both agreed: the referrer has confirmed the name that friends see, and the friend has
    let them read theirs.
    """
    name = proposed_name(referral.friend) if referral.friend is not None else ""
    if not name or _both_agreed(referral):
        return name
    return mask(name)


def agreed_name(referral: Referral) -> str:
    """The friend's first name for a message to the referrer; "" until both agreed, and where it is not known."""
    if referral.friend is None or not _both_agreed(referral):
        return ""
    return proposed_name(referral.friend)


def _both_agreed(referral: Referral) -> bool:
    return referral.name_agreed_at is not None and referral.advocate.name_confirmed_at is not None
