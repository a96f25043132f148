"""A member comes: noting it, undoing it, and finding whom a code belongs to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from oscar_integration.memberships.models import Membership, Period, Use
from oscar_integration.memberships.settle import lock, settle_locked
from wagtail_referrals import people

__all__ = ["NoUsesLeft", "NotOpen", "find_membership", "record_use", "undo_use"]


class NotOpen(Exception):
    """The membership opens no door at this moment. ``membership`` is as it is now."""

    def __init__(self, membership: Membership) -> None:
        super().__init__(f"Membership {membership.pk} is not open.")
        self.membership = membership


class NoUsesLeft(NotOpen):
    """It is not open because all its uses were used."""


def find_membership(text: str) -> Membership | None:
    """The membership with this code, as people type or scan it. ``None``, without a query, for what is no code."""
    code = people.normalise_code(text)
    if not code:
        return None
    return Membership.objects.select_related("user", "plan").filter(code=code).first()


def record_use(membership: Membership, *, key: str, how: str, by: Any, now: datetime | None = None) -> Use:
    """Note that the member came. It is a use of the period that runs now, and the membership is settled.

    ``key``, at most 64 characters, is the idempotency key: called again with it, the first use is returned, also one
    that was undone. ``how`` is one of ``Use.How``, ``by`` the member of staff. Raises ``NoUsesLeft`` and ``NotOpen``,
    and ``ValueError`` for a key that was another membership's. Locks the membership.
    """
    moment = now or timezone.now()
    with transaction.atomic():
        locked = _locked(membership.pk)
        # Asked while it is locked: of two clicks the second one finds the first one's use.
        found = Use.objects.filter(key=key).first()
        if found is None:
            if locked.next_check_at is not None and locked.next_check_at <= moment:
                # A period may have ended since, or an order been refunded.
                settle_locked(locked, now=moment)
            if locked.is_open(moment):
                found = Use.objects.create(
                    membership=locked,
                    period=_running(locked, moment),
                    key=key,
                    how=how,
                    used_at=moment,
                    recorded_by=by,
                )
                settle_locked(locked, now=moment)
        elif found.membership_id != locked.pk:
            raise ValueError("The key belongs to a use of another membership.")
    if found is None:
        # Raised here, so that what was settled stays.
        raise (NoUsesLeft if is_used_up(locked) else NotOpen)(locked)
    return found


def undo_use(use: Use, by: Any, now: datetime | None = None) -> Use:
    """The member did not come after all: the use counts no more, but stays in the list. Again, it changes nothing.

    A membership that had ended with this use runs again; where another one of the plan runs by now, after that one.
    """
    moment = now or timezone.now()
    with transaction.atomic():
        locked = _locked(use.membership_id)
        if Use.objects.filter(pk=use.pk, undone_at=None).update(undone_at=moment, undone_by=by):
            settle_locked(locked, now=moment)
    use.refresh_from_db()
    return use


def is_used_up(membership: Membership) -> bool:
    """Whether uses are what it lacks."""
    if membership.state == Membership.State.ENDED:
        return membership.ended_reason == Membership.Reason.USED_UP
    return membership.uses_left == 0


def _locked(membership_id: int) -> Membership:
    """Raises ``Membership.DoesNotExist``."""
    found = lock(membership_id)
    if found is None:
        raise Membership.DoesNotExist(f"There is no membership {membership_id}.")
    return found


def _running(membership: Membership, now: datetime) -> Period:
    """The period that runs, or in the time of grace the last one, of an open membership."""
    begun = membership.periods.filter(starts_at__lte=now)
    # One that was used up or taken back at this very moment ends with it, and the next one begins.
    return begun.order_by("-starts_at", "-pk")[0]
