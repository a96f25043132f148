"""Keep the figures by day that reports are read from: count what is new, everything again, or only compare."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import date
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from wagtail_referrals import audit, insights
from wagtail_referrals.insights.models import FiguredDay
from wagtail_referrals.management.progress import Progress

# Figures that differ, in full.
SHOWN: Final = 20


class Command(BaseCommand):
    help = (
        "Counts the days that are over and not counted, or changed since; the sweep does the same in steps. With "
        "--rebuild all days again from the rows, with --check nothing: it says which figures are not what the rows "
        "say, and ends with 1 if there are any. May be broken off and begun again at any time, while the shop is open."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--rebuild", action="store_true", help="Count all days again, also those that seem right."
        )
        what.add_argument("--check", action="store_true", help="Only compare with the rows.")
        parser.add_argument(
            "--from", dest="first", metavar="YYYY-MM-DD", help="With --rebuild or --check: begin here."
        )
        parser.add_argument(
            "--to", dest="last", metavar="YYYY-MM-DD", help="With --rebuild or --check: end here."
        )
        parser.add_argument("--no-progress", action="store_true", help="Say only what was done.")

    def handle(self, *args: Any, **options: Any) -> None:
        first, last = _day(options["first"]), _day(options["last"])
        if (first or last) and not (options["rebuild"] or options["check"]):
            raise CommandError(_("--from and --to belong to --rebuild or --check."))
        if first and last and last < first:
            raise CommandError(_("The last day is before the first."))
        bar = None if options["no_progress"] else Progress(self.stderr)

        def show(done: int, total: int) -> None:
            if bar is not None:
                bar.show(_("Days"), done, total)

        if options["check"]:
            self._check(first, last, show, bar)
            return
        number = (
            insights.rebuild_days(first, last, progress=show)
            if options["rebuild"]
            else insights.refresh_days(progress=show)
        )
        if bar is not None:
            bar.clear()
        words = ngettext("%(count)s day counted.", "%(count)s days counted.", number)
        self.stdout.write(words % {"count": number})

    def _check(
        self, first: date | None, last: date | None, show: Callable[[int, int], None], bar: Progress | None
    ) -> None:
        wrong = 0
        with audit.one_look():
            kept = FiguredDay.objects.order_by("day")
            kept = kept.filter(day__gte=first) if first else kept
            kept = kept.filter(day__lte=last) if last else kept
            days = list(kept.values_list("day", flat=True))
            waiting = len(insights.due_days())
            for done, day in enumerate(days, 1):
                for each in insights.differences([day]):
                    wrong += 1
                    if wrong <= SHOWN:
                        if bar is not None:
                            bar.clear()
                        self.stdout.write(_words(each))
                show(done, len(days))
        if bar is not None:
            bar.clear()
        if wrong > SHOWN:
            more = ngettext(
                "... and %(count)s more figure.", "... and %(count)s more figures.", wrong - SHOWN
            )
            self.stdout.write(more % {"count": wrong - SHOWN})
        looked = ngettext("%(count)s day compared.", "%(count)s days compared.", len(days)) % {
            "count": len(days)
        }
        self.stdout.write(looked)
        if waiting:
            words = ngettext(
                "%(count)s day is to be counted at the next sweep.",
                "%(count)s days are to be counted at the next sweeps.",
                waiting,
            )
            self.stdout.write(words % {"count": waiting})
        if wrong:
            self.stdout.write(_('Run "manage.py referrals_figures --rebuild" to count them again.'))
            sys.exit(1)
        self.stdout.write(_("All figures are what the rows say."))


def _day(text: str | None) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise CommandError(_("%(text)s is no day, as 2026-11-28 is one.") % {"text": text}) from error


def _words(each: insights.Difference) -> str:
    place = ", ".join(
        str(part)
        for part in (
            each.key.program_key,
            each.key.channel,
            each.key.language,
            each.key.page_id,
            each.key.currency,
        )
        if part
    )
    return _("%(day)s %(figure)s (%(place)s): kept %(kept)s, counted %(counted)s") % {
        "day": each.key.day.isoformat(),
        "figure": each.figure,
        "place": place or "-",
        "kept": each.kept,
        "counted": each.counted,
    }
