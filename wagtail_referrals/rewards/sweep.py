"""The sweep makes things happen at all: waiting periods end, lost signals are made up for, what lapsed is freed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from django.db.models import F
from django.utils import timezone

from wagtail_referrals import credit, signals
from wagtail_referrals.programs import heal_terms
from wagtail_referrals.referrals import Facts, catch_up, get_shop
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.discounts import issue_waiting
from wagtail_referrals.rewards.models import SweepRun
from wagtail_referrals.rewards.promise import lapse_claims
from wagtail_referrals.rewards.settle import RETRY, ReadBeforehand, settle

logger = logging.getLogger("wagtail_referrals")

BATCH = 500


def sweep(*, now: datetime | None = None, progress: Callable[[int], None] | None = None) -> SweepRun:
    """Settle what is due, and free what has run out. Any number at once: each referral is settled by one of them.

    ``progress`` is told the number settled so far, after each batch.
    """
    moment = now or timezone.now()
    run = SweepRun.objects.create(started_at=moment)
    signals.sweeping.send_robust(sender=SweepRun, now=moment)
    steps = (heal_terms, credit.expire_reservations, credit.expire, lapse_claims, issue_waiting, catch_up)
    for step in steps:
        try:
            step(now=moment)
        except Exception:
            # Whatever cannot be done here must not keep customers from their rewards.
            run.failed += 1
            logger.exception("A step of the sweep failed: %s.", step.__name__)
    for batch in _due(moment):
        references = Purchase.objects.filter(referral__in=[pk for pk, _ in batch]).values_list(
            "reference", flat=True
        )
        facts = _facts_of(list(references))
        for referral_id, revision in batch:
            beforehand = ReadBeforehand(revision, facts) if facts is not None else None
            try:
                if settle(referral_id, now=moment, beforehand=beforehand, skip_locked=True):
                    run.settled += 1
            except Exception:
                run.failed += 1
                logger.exception("Settling referral %s failed.", referral_id)
                Referral.objects.filter(pk=referral_id).update(
                    next_check_at=moment + RETRY, revision=F("revision") + 1
                )
        if progress is not None:
            progress(run.settled)
    run.finished_at = timezone.now() if now is None else moment
    run.save()
    _forget_old_runs(moment)
    return run


def _facts_of(references: list[str]) -> dict[str, Facts] | None:
    """Read for the whole batch; ``None`` when that fails, maybe because of one order: then each is read by itself."""
    try:
        return dict(get_shop().facts(references)) if references else {}
    except Exception:
        logger.exception("The facts of %s orders could not be read at once.", len(references))
        return None


def _due(moment: datetime) -> Iterator[list[tuple[int, int]]]:
    """(id, revision) of the referrals that are due, oldest first, in batches; each referral once."""
    last: tuple[datetime, int] | None = None
    while True:
        due = Referral.objects.filter(next_check_at__lte=moment).order_by("next_check_at", "pk")
        if last is not None:
            due = due.filter(next_check_at__gte=last[0]).exclude(next_check_at=last[0], pk__lte=last[1])
        rows = list(due.values_list("next_check_at", "pk", "revision")[:BATCH])
        if not rows:
            return
        last = (rows[-1][0] or moment, rows[-1][1])
        yield [(pk, revision) for _, pk, revision in rows]


def _forget_old_runs(moment: datetime) -> None:
    SweepRun.objects.filter(started_at__lt=moment - timedelta(days=30)).delete()
