"""Fill the last three months of the example shop, by living through them."""

import time
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone


class Command(BaseCommand):
    help = (
        "Fills the last three months with friends, orders, refunds and rewards; a second run changes nothing."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.verbosity = options["verbosity"]
        if not apps.is_installed("wagtail_referrals"):
            self.say("Without the referral apps there is no history to make.")
            return
        # Needs time-machine, which a site without a history need not install.
        from example_site.seed import history
        from example_site.seed.hints import hints

        if history.is_there():
            self.say("The history is there.")
        elif history.is_begun():
            raise CommandError(
                "There are programs already, and no finished history: it can only be made in a new database. "
                "Delete the database of the example shop and run seed_shop and seed_history again."
            )
        else:
            started = time.perf_counter()
            self.say("Three months of history, by living through them …")
            history.make_history(timezone.now(), lambda line: self.say(f"  {line}"))
            self.say(f"Done in {time.perf_counter() - started:.0f} s.")
        for line in hints():
            self.say(line)

    def say(self, line: str) -> None:
        if self.verbosity:
            self.stdout.write(line)
