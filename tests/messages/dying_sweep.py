"""A sweep that dies at a step of planning sequences: run by ``tests.killing.in_a_process``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.killing import count_steps, die_after, spread
from wagtail_referrals.messages.steps import plan_due


def die(moments: list[str]) -> dict[str, Any]:
    """Plan at the first moment to the end, and at each other one in a process that dies at another step."""
    first, *others = [datetime.fromisoformat(moment) for moment in moments]
    steps = count_steps(lambda: plan_due(now=first))
    died = [
        number
        for number, moment in zip(spread(steps, len(others)), others, strict=False)
        if die_after(number, lambda moment=moment: plan_due(now=moment))  # type: ignore[misc]
    ]
    return {"steps": steps, "died": died}
