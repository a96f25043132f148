"""Each time that an advocate passes the link on: one row, that says by which way and nothing about to whom."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.core import signing
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.http import base36_to_int, int_to_base36
from django.utils.translation import get_language

from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import OpenTerms
from wagtail_referrals.tracking.models import Share
from wagtail_referrals.tracking.robots import is_ahead, is_robot
from wagtail_referrals.tracking.visits import channel_from

SALT: Final = "wagtail_referrals.share"
# A second click within this time was meant as one.
SAME_SHARE: Final = timedelta(seconds=10)
# Nobody passes on more in a day; what a script adds fills no table.
MOST_IN_A_DAY: Final = 200
# Bigger numbers are nobody's key, and SQLite refuses them with an OverflowError.
_MAX_KEY: Final = 2**63 - 1


def share_token(advocate: Advocate) -> str:
    """Names the advocate whose link a page shows, so that a guest's shares count too. Signed, not secret."""
    return signing.Signer(salt=SALT).sign(int_to_base36(advocate.pk))


def advocate_from_share_token(token: str) -> Advocate | None:
    """Whom ``share_token`` named; ``None`` for what this site did not sign itself. Never raises for any text."""
    try:
        pk = base36_to_int(signing.Signer(salt=SALT).unsign(token))
    except (signing.BadSignature, ValueError):
        return None
    return Advocate.objects.filter(pk=pk).first() if pk <= _MAX_KEY else None


def record_share(
    request: HttpRequest,
    advocate: Advocate,
    *,
    channel: str,
    offer: OpenTerms | None = None,
    now: datetime | None = None,
) -> Share | None:
    """Count that the link was passed on by ``channel``, a key of ``CHANNELS``; ``offer`` is what it offers now.

    ``None``, and no row, for an unknown channel, for robots and pages that are fetched ahead, for the second click of
    a double one, for whose link brings nothing (who left, is paused or blocked), and beyond ``MOST_IN_A_DAY``.
    """
    moment = now or timezone.now()
    known = channel_from(channel)
    if not known or is_ahead(request) or is_robot(request):
        return None
    with transaction.atomic():
        # Two requests of a double click wait for each other here.
        active = Advocate.objects.filter(pk=advocate.pk, state=Advocate.State.ACTIVE)
        if active.select_for_update(no_key=True).first() is None:
            return None
        of_today = Share.objects.filter(advocate=advocate, created_at__gt=moment - timedelta(days=1))
        recent = list(of_today.order_by("-created_at").values_list("channel", "created_at")[:MOST_IN_A_DAY])
        if len(recent) == MOST_IN_A_DAY or any(
            other == known and moment - then < SAME_SHARE for other, then in recent
        ):
            return None
        return Share.objects.create(
            advocate=advocate,
            terms_id=offer.terms_id if offer else None,
            channel=known,
            language=(get_language() or "")[:20],
            created_at=moment,
        )
