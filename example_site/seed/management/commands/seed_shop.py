"""Fill the example shop. It may be run again: what is there is kept or brought up to date."""

import time
from typing import Any

from django.core.management.base import BaseCommand

from example_site.seed.pages import seed_pages
from example_site.seed.people import PASSWORD, seed_people
from example_site.seed.plans import seed_plans
from example_site.seed.shop import seed_catalogue, seed_countries


class Command(BaseCommand):
    help = "Fills the example shop with pages, a catalogue and people; may be run again."

    def handle(self, *args: Any, **options: Any) -> None:
        self.verbosity = options["verbosity"]
        started = time.monotonic()
        seed_countries()
        self.say("Catalogue and pictures …")
        self.say(f"  {seed_catalogue()} articles")
        self.say(f"  {seed_plans()} plans")
        self.say("Pages in English and French …")
        self.say(f"  {seed_pages()} pages")
        self.say("People …")
        people = seed_people()
        self.say(f"Done in {time.monotonic() - started:.1f} s. Everybody's password is: {PASSWORD}")
        for person in people:
            self.say(f"  {person.email:<22} {person.first_name}, {person.part}")

    def say(self, line: str) -> None:
        if self.verbosity:
            self.stdout.write(line)
