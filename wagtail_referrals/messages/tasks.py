"""Who sends what is planned: this process at once, or a worker, as the shop's setting ``TASKS`` says.

A task is only a word to a worker: the rows say what is to be sent. A task that is lost is made up for by the sweep, and
one that comes twice finds nothing to do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from wagtail_referrals.messages import delivery
from wagtail_referrals.messages.models import Message
from wagtail_referrals.wagtail_versions import IMMEDIATE_BACKENDS, task

logger = logging.getLogger("wagtail_referrals")

BATCH: Final = 100
# For so long a worker has a task to itself before the sweep tells another one.
TOLD: Final = timedelta(minutes=10)


@task
def deliver_messages(keys: list[str]) -> int:
    """Hand over what is due of the messages with these keys; how many were. Any number of workers at once."""
    return delivery.deliver(keys)


def deliver(keys: Collection[str]) -> None:
    """Have what is due of these messages, which somebody has just planned, sent. Never raises: what could not be given
    to a worker waits for the sweep.
    """
    planned = list(keys)
    try:
        for start in range(0, len(planned), BATCH):
            _tell_a_worker(planned[start : start + BATCH], timezone.now())
    except Exception:
        logger.exception("Messages wait for the sweep: no task could be enqueued.")


def deliver_pending(
    *, now: datetime | None = None, progress: Callable[[str, int, int], None] | None = None
) -> int:
    """For the sweep: what nobody has sent yet, and what is due again; how many were handed over, or given to workers.

    Any number at once. Whoever names the moment has it sent by this process, as no worker's clock shows that.
    ``progress`` is told what is being done, and how many messages of how many were looked at.
    """
    delivery.release(now or timezone.now())
    if now is None and not _is_immediate():
        return _tell_workers(progress)
    return delivery.deliver_due(now, progress)


def _tell_workers(progress: Callable[[str, int, int], None] | None) -> int:
    total = delivery.due(timezone.now()).count() if progress is not None else 0
    told = 0
    while True:
        now = timezone.now()
        try:
            with transaction.atomic():
                due = delivery.due(now).select_for_update(no_key=True, skip_locked=True)
                keys = [message.key for message in due.only("pk", "key")[:BATCH]]
                if not keys:
                    return told
                _tell_a_worker(keys, now)
        except Exception:
            logger.exception("Messages wait for the next sweep: no task could be enqueued.")
            return told
        told += len(keys)
        if progress is not None:
            progress(gettext("Messages"), told, total)


def _tell_a_worker(keys: Sequence[str], now: datetime) -> None:
    if _is_immediate():
        deliver_messages.enqueue(list(keys))
        return
    with transaction.atomic():
        # Sweeps pass over what a worker was told of just now.
        Message.objects.filter(key__in=keys, state=Message.State.PENDING).update(claimed_until=now + TOLD)
        deliver_messages.enqueue(list(keys))


def _is_immediate() -> bool:
    return isinstance(deliver_messages.get_backend(), IMMEDIATE_BACKENDS)
