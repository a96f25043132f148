"""Settle what is due. Run it every few minutes, from cron or a task worker; any number at once is fine."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

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

    def handle(self, *args: Any, **options: Any) -> None:
        every = options["every"]
        if every is not None and every < 1:
            raise CommandError(_("--every takes a number of seconds from 1."))
        while True:
            self._run(quiet=every is not None)
            if every is None:
                return
            time.sleep(every)

    def _run(self, *, quiet: bool) -> None:
        def progress(settled: int) -> None:
            self.stdout.write(_("%(settled)s referrals settled …") % {"settled": settled})

        run = sweep(progress=progress)
        sent = deliver_pending()
        if quiet and not (run.settled or run.failed or sent):
            return
        self.stdout.write(
            _("Done: %(settled)s settled, %(failed)s failed, %(sent)s messages sent.")
            % {"settled": run.settled, "failed": run.failed, "sent": sent}
        )
