"""Orders whose process dies while a membership is opened or settled: run by ``tests.killing.in_a_process``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import time_machine
from django.contrib.auth import get_user_model

from oscar_integration.memberships.models import Plan
from tests.killing import count_steps, die_after, spread
from tests.memberships.shopping import pay, place
from wagtail_referrals import rewards


def die(user_ids: list[int], plan_ids: list[int], now: str, later: str) -> dict[str, Any]:
    """Each customer orders and pays, and dies at another step of it; then sweeps die one after the other."""
    users = list(get_user_model().objects.filter(pk__in=user_ids).order_by("pk"))
    plans = list(Plan.objects.filter(pk__in=plan_ids).order_by("pk"))

    def order(user: Any) -> None:
        pay(place(*plans, user=user, quantity=2))

    with time_machine.travel(datetime.fromisoformat(now), tick=False):
        # What is read once in a process has been read.
        order(users[0])
        steps = count_steps(lambda: order(users[1]))
        places = spread(steps, len(users) - 2)
        died = [
            number
            for number, user in zip(places, users[2:], strict=True)
            if die_after(number, lambda user=user: order(user))
        ]
    moment = datetime.fromisoformat(later)
    with time_machine.travel(moment, tick=False):
        swept = [step for step in range(3, 260, 8) if die_after(step, lambda: rewards.sweep(now=moment))]
    return {"steps": steps, "died": died, "swept": swept}
