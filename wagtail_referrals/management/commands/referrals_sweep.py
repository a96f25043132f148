"""Settle what is due. Run it every few minutes, from cron or a task worker; any number at once is fine."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from datetime import datetime
from datetime import time as time_of_day
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from wagtail_referrals.management.progress import Progress
from wagtail_referrals.messages import deliver_pending
from wagtail_referrals.rewards import sweep


class Command(BaseCommand):
    help = "Settles referrals that are due, frees what has run out, and sends messages."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--every",
            type=int,
            metavar="SECONDS",
            help="Go on, with a pause of so many seconds, until interrupted.",
        )
        parser.add_argument(
            "--now",
            metavar="DATE",
            help=(
                "For trying out only, on data that you can throw away: settle as if it were this day or moment (ISO "
                "8601). Everything that ends until then ends: waiting periods, days to order, credit. What was "
                "settled too early is judged by the real date again when its order changes, and taken back."
            ),
        )
        parser.add_argument("--no-progress", action="store_true", help="Say only what was done.")

    def handle(self, *args: Any, **options: Any) -> None:
        every = options["every"]
        if every is not None and every < 1:
            raise CommandError(_("--every takes a number of seconds from 1."))
        now = self._moment(options["now"])
        if now is not None and every is not None:
            raise CommandError(_("--now and --every exclude each other."))
        try:
            while True:
                self._run(quiet=every is not None, now=now, silent=options["no_progress"])
                if every is None:
                    return
                time.sleep(every)
        except KeyboardInterrupt:
            if every is None:
                raise

    def _moment(self, text: str | None) -> datetime | None:
        """The end of that day, or that moment; in the site's time zone unless it names one."""
        if text is None:
            return None
        try:
            day = parse_date(text)
            moment = datetime.combine(day, time_of_day.max) if day is not None else parse_datetime(text)
        except ValueError:
            moment = None
        if moment is None:
            raise CommandError(_("--now takes a date, like 2030-12-31."))
        return timezone.make_aware(moment) if timezone.is_naive(moment) else moment

    def _run(self, *, quiet: bool, now: datetime | None, silent: bool) -> None:
        progress = None if silent else Progress(self.stderr)
        show = progress.show if progress is not None else None
        run = sweep(now=now, progress=show)
        sent = deliver_pending(now=now, progress=show)
        if progress is not None:
            progress.clear()
        if quiet and not (run.settled or run.failed or sent):
            return
        self.stdout.write(
            _("Done: %(settled)s settled, %(failed)s failed, %(sent)s messages sent.")
            % {"settled": run.settled, "failed": run.failed, "sent": sent}
        )
