"""What becomes of recognition when somebody leaves the program, or is deleted."""

from __future__ import annotations

from django.db import transaction

from wagtail_referrals.people.models import Advocate
from wagtail_referrals.recognition import standings
from wagtail_referrals.recognition.leaderboards import leave_leaderboards
from wagtail_referrals.recognition.models import BadgeAward, Featured


def forget_recognition(advocate: Advocate, *, for_good: bool = False) -> None:
    """Nobody reads of the advocate any more: not in leaderboards, nor on the wall of thanks.

    Who leaves by their own will has their badges and numbers again should they come back. ``for_good``: the customer
    is deleted, and nothing stays. Locks the advocate.
    """
    with transaction.atomic():
        leave_leaderboards(advocate)
        Featured.objects.filter(advocate=advocate).delete()
        if for_good:
            locked = Advocate.objects.select_for_update(no_key=True).get(pk=advocate.pk)
            BadgeAward.objects.filter(advocate=locked).delete()
            standings.forget_standings(locked)
