"""The round: each examination in a savepoint of its own, all of them in a transaction that is rolled back."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from wagtail_referrals.doctor.findings import Examination, Finding, NotTried, Verdict, examinations, not_tried
from wagtail_referrals.doctor.places import crash
from wagtail_referrals.doctor.trial import Trial
from wagtail_referrals.doctor.undone import Withheld, undone


@dataclass
class Round:
    """What came of it. ``seconds`` is how long it took."""

    withheld: Withheld
    counts: Counter[Verdict] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def is_healthy(self) -> bool:
        return not self.counts[Verdict.BROKEN]


def examine(
    *,
    now: datetime | None = None,
    begin: Callable[[Examination], None] = lambda examination: None,
    report: Callable[[Finding], None] = lambda finding: None,
    only: Callable[[Examination], bool] = lambda examination: True,
) -> Round:
    """Try everything, and leave nothing. ``begin`` and ``report`` are told each examination and each finding.

    Raises ``CannotUndo`` before anything is tried. What an examination raises is a finding.
    """
    started = time.monotonic()
    with undone() as withheld:
        result = Round(withheld)
        trial = Trial(now or timezone.now(), withheld)
        for examination in filter(only, examinations):
            begin(examination)
            for finding in _findings(examination, trial):
                result.counts[finding.verdict] += 1
                report(finding)
    result.seconds = time.monotonic() - started
    return result


def _findings(examination: Examination, trial: Trial) -> list[Finding]:
    found: list[Finding] = []
    before = trial.remember()
    language = translation.get_language()
    try:
        with transaction.atomic():
            try:
                for finding in examination.run(trial):
                    found.append(finding)
            except NotTried as reason:
                found.append(not_tried(str(reason)))
    except Exception as error:
        trial.restore(before)
        found.append(crash(error))
    finally:
        translation.activate(language)
    for swallowed in trial.withheld.take_caught():
        caught = crash(
            swallowed,
            _("The page goes on, and the referral is lost"),
            _("The program's log has the whole story when it happens to a customer."),
        )
        if caught not in found:
            found.append(caught)
    return found
