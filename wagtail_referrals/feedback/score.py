"""The net promoter score: of those who answered, the share of 9 and 10 less the share of 0 to 6."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, Sum

from wagtail_referrals.feedback.models import FeedbackSubmission
from wagtail_referrals.programs import program_names


@dataclass(frozen=True)
class Score:
    """Of one program, or of all together. ``total`` is the sum of the ratings."""

    name: str
    promoters: int
    passives: int
    detractors: int
    total: int

    @property
    def answers(self) -> int:
        return self.promoters + self.passives + self.detractors

    @property
    def average(self) -> Decimal | None:
        """Of the ratings, 0 to 10, to one place; ``None`` without answers."""
        return self._share(self.total, Decimal("0.1"))

    @property
    def score(self) -> int | None:
        """The net promoter score, from -100 to 100; ``None`` without answers."""
        share = self._share(100 * (self.promoters - self.detractors), Decimal(1))
        return None if share is None else int(share)

    def _share(self, part: int, exact_to: Decimal) -> Decimal | None:
        return (Decimal(part) / self.answers).quantize(exact_to, ROUND_HALF_UP) if self.answers else None


def scores(start: datetime, end: datetime, program_key: UUID | None = None) -> list[Score]:
    """One for each program that was answered about in [start, end), the most answers first. Three queries."""
    answered = FeedbackSubmission.objects.filter(submit_time__gte=start, submit_time__lt=end)
    if program_key is not None:
        answered = answered.filter(program_key=program_key)
    rows: Any = answered.values("program_key").annotate(
        promoters=Count("pk", filter=Q(rating__gte=9)),
        passives=Count("pk", filter=Q(rating__in=(7, 8))),
        detractors=Count("pk", filter=Q(rating__lte=6)),
        total=Sum("rating"),
    )
    names = program_names()
    found = [Score(names.get(str(row.pop("program_key")), ""), **row) for row in rows]
    return sorted(found, key=lambda score: (-score.answers, score.name))


def together(found: Iterable[Score]) -> Score:
    """All of them as one."""
    known = list(found)
    return Score(
        name="",
        promoters=sum(score.promoters for score in known),
        passives=sum(score.passives for score in known),
        detractors=sum(score.detractors for score in known),
        total=sum(score.total for score in known),
    )
