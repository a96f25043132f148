"""Referrals whose settling dies at a step, each at another: run by ``tests.killing.in_a_process``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.killing import count_steps, die_after, spread
from wagtail_referrals import rewards


def die(referrals: list[int], now: str) -> dict[str, Any]:
    """Settle the first two referrals, and each other one in a process that dies at another step, first to last."""
    moment = datetime.fromisoformat(now)
    steps = 0
    # What is read once in a process is read with the first one.
    for pk in referrals[:2]:
        steps = count_steps(lambda pk=pk: rewards.settle(pk, now=moment))  # type: ignore[misc]
    places = spread(steps, len(referrals) - 2)
    died = [
        number
        for number, pk in zip(places, referrals[2:], strict=False)
        if die_after(number, lambda pk=pk: rewards.settle(pk, now=moment))  # type: ignore[misc]
    ]
    return {"steps": steps, "died": died}
