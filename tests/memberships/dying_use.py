"""Uses whose recording dies at a step, each at another: run by ``tests.killing.in_a_process``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from oscar_integration.memberships.models import Membership
from oscar_integration.memberships.uses import record_use
from tests.killing import count_steps, die_after, spread


def die(memberships: list[int], now: str) -> dict[str, Any]:
    """Record a use of the first one, and of each other one in a process that dies at another step."""

    def come(pk: int) -> None:
        record_use(
            Membership.objects.get(pk=pk),
            key=f"key {pk}",
            how="code",
            by=None,
            now=datetime.fromisoformat(now),
        )

    steps = count_steps(lambda: come(memberships[0]))
    died = [
        step
        for step, pk in zip(spread(steps, len(memberships) - 1), memberships[1:], strict=False)
        if die_after(step, lambda pk=pk: come(pk))
    ]
    return {"steps": steps, "died": died}
