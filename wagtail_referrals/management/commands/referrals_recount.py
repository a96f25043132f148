"""Count everybody's friends anew: standings of leaderboards, and the badges that follow from them."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from wagtail_referrals import recognition
from wagtail_referrals.management.progress import Progress
from wagtail_referrals.people.models import Advocate


class Command(BaseCommand):
    help = (
        "Compares the numbers that leaderboards and badges are read from with the referrals and orders, and mends what "
        "differs. The sweep does the same once a day. May be broken off and begun again at any time, while the shop is "
        "open."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-progress", action="store_true", help="Say only what was done.")

    def handle(self, *args: Any, **options: Any) -> None:
        progress = None if options["no_progress"] else Progress(self.stderr)
        total = Advocate.objects.count()

        def show(done: int) -> None:
            if progress is not None:
                progress.show(_("Referrers"), done, total)

        done = recognition.check_standings(progress=show)
        if progress is not None:
            progress.clear()
        looked = ngettext(
            "%(count)s referrer looked at.", "%(count)s referrers looked at.", done.advocates
        ) % {"count": done.advocates}
        self.stdout.write(looked)
        if not done.corrected and not done.levels:
            self.stdout.write(_("All numbers and badges were right."))
            return
        words = ngettext(
            "The numbers or badges of %(count)s referrer were mended.",
            "The numbers or badges of %(count)s referrers were mended.",
            done.corrected,
        )
        if done.corrected:
            self.stdout.write(words % {"count": done.corrected})
        if done.levels:
            words = ngettext(
                "%(count)s sum for places in leaderboards was mended.",
                "%(count)s sums for places in leaderboards were mended.",
                done.levels,
            )
            self.stdout.write(words % {"count": done.levels})
