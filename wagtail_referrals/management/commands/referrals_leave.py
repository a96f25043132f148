"""Make a shop's database ready to live without the package. See docs/how-to/leave.md."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from wagtail_referrals import leaving


class Command(BaseCommand):
    help = (
        "Makes the shop ready to live without the package: a last sweep, a file of what customers are still owed, no "
        "vouchers, offers and pages of ours any more. Only says what it would do unless told --yes. May be repeated. "
        "Exit code 1 if something is in the way."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--yes", action="store_true", help="Do it.")
        parser.add_argument(
            "--owed",
            type=Path,
            metavar="FILE",
            help="Write what customers are still owed into this CSV file. It names them by the key of their account.",
        )
        parser.add_argument(
            "--with-email",
            action="store_true",
            help="Put their e-mail addresses into that file too: personal data, which is then yours to look after.",
        )
        parser.add_argument(
            "--payments-over",
            action="store_true",
            help="No payment that was begun can come any more: take vouchers and credit away from those, too.",
        )

        parser.add_argument(
            "--despite-failures",
            action="store_true",
            help="Go on although something could not be settled: nobody will be told what it would have brought.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        steps = list(leaving.steps)
        if not leaving.tables_are_there():
            # Dropped already: what other apps have to do is looked at all the same.
            steps = [step for step in steps if not step.needs_tables]
        in_the_way = [
            words for step in steps for words in step.obstacles(payments_over=options["payments_over"])
        ]
        if not options["yes"]:
            self._say_plan(steps)
        if in_the_way:
            self.stdout.write("")
            self.stdout.write(_("In the way:"))
            for words in in_the_way:
                self.stdout.write(f"  - {words}")
            sys.exit(1)
        if not options["yes"]:
            self.stdout.write("")
            self.stdout.write(_("Nothing has been changed. Say --yes to do it."))
            return
        for step in steps:
            # What is owed is written down when the books are settled, and before anything is taken away.
            if isinstance(step, leaving.WhatIsOwed):
                self._write_owed(options["owed"], with_email=options["with_email"])
            try:
                step.carry_out(lambda words: self.stdout.write(f"  - {words}"))
            except leaving.NotDone as error:
                if not options["despite_failures"]:
                    raise CommandError(str(error)) from error
        self.stdout.write("")
        self.stdout.write(_("The shop is ready. What is next: docs/how-to/leave.md, “Drop the tables”."))

    def _say_plan(self, steps: list[leaving.Step]) -> None:
        self.stdout.write(_("Leaving means:"))
        for step in steps:
            lines = step.plan()
            if lines:
                self.stdout.write("")
                self.stdout.write(str(step.label))
            for words in lines:
                self.stdout.write(f"  - {words}")

    def _write_owed(self, path: Path | None, *, with_email: bool) -> None:
        if path is None:
            if next(leaving.owed(), None) is not None:
                raise CommandError(_("Customers are still owed something: name a file for it with --owed."))
            return
        try:
            number = leaving.write_owed(path, with_email=with_email)
        except FileExistsError:
            raise CommandError(
                _("%(path)s is there already, and says something else. Name another file.") % {"path": path}
            ) from None
        self.stdout.write(
            "  - "
            + ngettext(
                "%(count)s line about what customers are owed is in %(path)s.",
                "%(count)s lines about what customers are owed are in %(path)s.",
                number,
            )
            % {"count": number, "path": path}
        )
