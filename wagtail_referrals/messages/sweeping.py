"""What the sweep plans: once for each cause, and only for what has happened in the last days.

Each kind that somebody wants sent is asked for what is due now. Where nothing is, that costs a query or two a kind,
however many customers there are; a kind that is switched off everywhere costs none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, TypeVar

from django.db.models import CharField, Exists, Model, OuterRef, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone
from django.utils.translation import gettext

from wagtail_referrals.messages.models import Message
from wagtail_referrals.messages.planning import write_all
from wagtail_referrals.messages.wanting import kinds_switched_on

logger = logging.getLogger("wagtail_referrals")

# What is older is no news any more. A site that had no sweep for longer, and one that was just given a new kind of
# message, writes to nobody about the time before.
RECENT: Final = timedelta(days=3)
BATCH: Final = 500

Planner = Callable[[datetime], Iterable[Message]]
M = TypeVar("M", bound=Model)

_planners: Final[list[tuple[str, Planner]]] = []


def register_planner(kind: str, plan: Planner) -> None:
    """Let each sweep ask for the messages of this kind that are due, as ``planned`` makes them; those whose key is
    there already are passed over. Called from ``AppConfig.ready()``.
    """
    if (kind, plan) not in _planners:
        _planners.append((kind, plan))


def plan_with_the_sweep(
    sender: Any,
    *,
    now: datetime,
    progress: Callable[[str, int, int], None] | None = None,
    **kwargs: Any,
) -> None:
    plan_all(now=now, progress=progress)


def plan_all(*, now: datetime | None = None, progress: Callable[[str, int, int], None] | None = None) -> int:
    """Plan what is due; how many. A kind of which that fails is logged, and left to the next sweep.

    ``progress`` is told, after each batch, how many kinds of how many are done: what is due of one, nobody counts.
    """
    moment = now or timezone.now()
    wanted = kinds_switched_on()
    count = 0
    planners = [(kind, plan) for kind, plan in _planners if kind in wanted]
    for done, (kind, plan) in enumerate(planners):
        try:
            due = iter(plan(moment))
            while batch := list(islice(due, BATCH)):
                write_all(batch)
                count += len(batch)
                if progress is not None:
                    progress(gettext("Kinds of messages"), done, len(planners))
        except Exception:
            logger.exception("What is due of the messages %s could not be planned.", kind)
    return count


def by_key(rows: QuerySet[M]) -> Iterator[M]:
    """All rows in the order of their keys, some at a time, whatever is written meanwhile."""
    some = list(rows.order_by("pk")[:BATCH])
    while some:
        yield from some
        some = list(rows.filter(pk__gt=some[-1].pk).order_by("pk")[:BATCH]) if len(some) == BATCH else []


def is_planned(kind: str) -> Exists:
    """Is there a message with the key ``<kind>:<key of the row>``?"""
    key = Concat(Value(f"{kind}:"), Cast(OuterRef("pk"), CharField()), output_field=CharField())
    return Exists(Message.objects.filter(key=key))
