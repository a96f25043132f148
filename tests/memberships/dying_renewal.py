"""Renewals that die at a step: run by ``tests.killing.in_a_process``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import time_machine

from oscar_integration.memberships.renewals import LEASE, renew, renew_due
from tests.killing import count_steps, die_after, spread

# The next worker comes when the lease of the one before it is over.
NEXT_WORKER = LEASE + timedelta(minutes=1)


def die(now: str, renewals: list[int], sweeps: int = 0) -> dict[str, Any]:
    """Renew the first, count the steps of the second, and let each of the others die at another step.

    Or, with ``sweeps``, let that many sweeps die, each a little later than the one before.
    """
    moment = datetime.fromisoformat(now)
    if sweeps:
        died = [
            step
            for number, step in enumerate(range(2, 2 + 3 * sweeps, 3))
            if die_after(step, lambda at=moment + number * NEXT_WORKER: _sweep(at))
        ]
        return {"died": died, "moment": (moment + sweeps * NEXT_WORKER).isoformat()}
    with time_machine.travel(moment, tick=False):
        # What is read once in a process has been read, as in a shop that runs.
        renew(renewals[0], now=moment)
        steps = count_steps(lambda: renew(renewals[1], now=moment))
        died = [
            step
            for step, pk in zip(spread(steps, len(renewals) - 2), renewals[2:], strict=True)
            if die_after(step, lambda pk=pk: renew(pk, now=moment))
        ]
    return {"steps": steps, "died": died}


def _sweep(moment: datetime) -> None:
    """What hears of its orders looks at the clock."""
    with time_machine.travel(moment, tick=False):
        renew_due(moment)
