"""Referrals that are settled together, in processes that die: run by ``tests.killing.in_a_process``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.killing import die_after
from wagtail_referrals import rewards
from wagtail_referrals.rewards.models import Reward


def die(referrals: list[int], now: str) -> dict[str, Any]:
    """Sweep in processes that die, each one step later than the one before, until one has given the rewards.

    ``given`` says after each death how many of them were there.
    """
    moment = datetime.fromisoformat(now)
    died, given = [], []
    number = 0
    while not given or given[-1] == 0:
        number += 1
        if not die_after(number, lambda: rewards.sweep(now=moment)):
            break
        died.append(number)
        given.append(Reward.objects.filter(referral__in=referrals, posted__gt=0).count())
    return {"steps": number, "died": died, "given": given}
