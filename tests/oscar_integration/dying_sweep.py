"""Sweeps that die, each a little later than the one before: run by ``tests.killing.in_a_process``."""

from __future__ import annotations

from datetime import datetime

from tests.killing import die_after
from wagtail_referrals import rewards


def die(now: str, times: int) -> list[int]:
    """The steps at which a sweep died: of that many, each begins with what the others left."""
    moment = datetime.fromisoformat(now)
    return [step for step in range(3, 3 + 2 * times, 2) if die_after(step, lambda: rewards.sweep(now=moment))]
