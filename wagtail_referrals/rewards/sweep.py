"""The sweep makes things happen at all: waiting periods end, lost signals are made up for, what lapsed is freed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from wagtail_referrals import credit, signals
from wagtail_referrals.programs import heal_terms
from wagtail_referrals.referrals import catch_up, lapse_requests, match_requests
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.beforehand import DueReferral, read_beforehand
from wagtail_referrals.rewards.discounts import issue_waiting
from wagtail_referrals.rewards.models import SweepRun
from wagtail_referrals.rewards.promise import lapse_claims
from wagtail_referrals.rewards.settle import (
    RETRY,
    NotTogether,
    ReadBeforehand,
    settle,
    settle_together,
)

logger = logging.getLogger("wagtail_referrals")

# Read at once.
BATCH = 500
# Settled in one transaction: customers whose credit moves wait that long for each other, and no more than a blink.
TOGETHER = 25


def sweep(
    *, now: datetime | None = None, progress: Callable[[str, int, int], None] | None = None
) -> SweepRun:
    """Settle what is due, and free what has run out. Any number at once: each referral is settled by one of them.

    ``progress`` is told what is being done, in words, and how many of how many are, after each batch.
    """
    moment = now or timezone.now()
    run = SweepRun.objects.create(started_at=moment)
    signals.sweeping.send_robust(sender=SweepRun, now=moment)
    steps = (
        heal_terms,
        credit.expire_reservations,
        credit.expire,
        lapse_claims,
        issue_waiting,
        catch_up,
        lapse_requests,
        match_requests,
    )
    for step in steps:
        try:
            step(now=moment)
        except Exception:
            # Whatever cannot be done here must not keep customers from their rewards.
            run.failed += 1
            logger.exception("A step of the sweep failed: %s.", step.__name__)
    total = _all_due(moment).count() if progress is not None else 0
    done = 0
    for batch in _due(moment):
        beforehand = read_beforehand(batch)
        for some in _of_different_advocates(batch):
            _settle_some(some, beforehand, run, moment)
        done += len(batch)
        if progress is not None:
            progress(gettext("Referrals"), done, total)
    signals.swept.send_robust(sender=SweepRun, now=moment, progress=progress)
    run.finished_at = timezone.now() if now is None else moment
    run.save()
    _forget_old_runs(moment)
    return run


def _of_different_advocates(batch: Iterable[DueReferral]) -> Iterator[list[DueReferral]]:
    """Some at a time that may be settled together, none of an advocate before the older ones of the same advocate."""
    left = list(batch)
    while left:
        some: list[DueReferral] = []
        later: list[DueReferral] = []
        advocates: set[int] = set()
        for referral in left:
            if len(some) < TOGETHER and referral.advocate_id not in advocates:
                some.append(referral)
            else:
                later.append(referral)
            advocates.add(referral.advocate_id)
        yield some
        left = later


def _settle_some(
    some: list[DueReferral], beforehand: Mapping[int, ReadBeforehand], run: SweepRun, moment: datetime
) -> None:
    """Together those with which that goes, the others one by one; also all of them, should it fail."""
    known = {referral.pk: beforehand[referral.pk] for referral in some if referral.pk in beforehand}
    together = [referral.pk for referral in some]
    alone: list[int] = []
    while len(together) > 1:
        try:
            run.settled += len(settle_together(together, now=moment, beforehand=known))
            together = []
        except NotTogether as apart:
            alone += apart.ids
            together = [pk for pk in together if pk not in set(apart.ids)]
        except Exception:
            # Whatever it is, it will be found with the referral that has it.
            break
    for referral_id in [*together, *alone]:
        try:
            if settle(referral_id, now=moment, beforehand=known.get(referral_id), skip_locked=True):
                run.settled += 1
        except Exception:
            run.failed += 1
            logger.exception("Settling referral %s failed.", referral_id)
            Referral.objects.filter(pk=referral_id).update(
                next_check_at=moment + RETRY, revision=F("revision") + 1
            )


def _all_due(moment: datetime) -> QuerySet[Referral]:
    return Referral.objects.filter(next_check_at__lte=moment)


def _due(moment: datetime) -> Iterator[list[DueReferral]]:
    """The referrals that are due, oldest first, in batches; each referral once."""
    last: DueReferral | None = None
    while True:
        due = _all_due(moment).order_by("next_check_at", "pk")
        if last is not None:
            due = due.filter(next_check_at__gte=last.next_check_at)
            due = due.exclude(next_check_at=last.next_check_at, pk__lte=last.pk)
        batch = [DueReferral(*row) for row in due.values_list(*DueReferral._fields)[:BATCH]]
        if not batch:
            return
        last = batch[-1]
        yield batch


def _forget_old_runs(moment: datetime) -> None:
    SweepRun.objects.filter(started_at__lt=moment - timedelta(days=30)).delete()
