"""Figures by day: what reports are read from against the rows. Numbers of the past, no money that anybody is owed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals.audit.findings import Finding, Problem, Run
from wagtail_referrals.insights import differences
from wagtail_referrals.insights.models import FiguredDay

# How many days are counted again: the newest, and as many others, evenly over the years.
NEWEST: Final = 14
SPREAD: Final = 14

FIGURE: Final = Problem(
    "figure",
    _("Figures of reports that are not what the rows say"),
    _('"manage.py referrals_figures --check" says which; with "--rebuild" it counts them again.'),
)


def sampled() -> list[date]:
    days = list(FiguredDay.objects.order_by("-day").values_list("day", flat=True))
    others = days[NEWEST:]
    step = max(1, -(-len(others) // SPREAD))
    return days[:NEWEST] + others[::step]


def rows() -> int:
    return min(FiguredDay.objects.count(), NEWEST + SPREAD)


def find(run: Run) -> Iterator[Finding]:
    days = sampled()
    for day in days:
        wrong = list(differences([day]))
        run.look_at("days", 1)
        if wrong:
            first = wrong[0]
            message = gettext(
                "%(day)s: %(count)s figures differ, the first of them %(figure)s: kept %(found)s, counted %(expected)s."
            ) % {
                "day": day.isoformat(),
                "count": len(wrong),
                "figure": first.figure,
                "found": first.kept,
                "expected": first.counted,
            }
            yield Finding(
                FIGURE,
                "day",
                day.isoformat(),
                message,
                str(first.counted),
                str(first.kept),
                first.key.currency,
            )
