from datetime import date

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from oscar.core.loading import get_model

from storefront.filling.shop import KNOWN_CUSTOMER, OFFICE, PASSWORD, fill


class Command(BaseCommand):
    help = "Fill the empty shop with a catalogue, customers, vouchers and the orders of six years."

    def add_arguments(self, parser):
        parser.add_argument("--customers", type=int, default=50_000, help="default: 50000")
        parser.add_argument("--orders", type=int, default=120_000, help="default: 120000")
        parser.add_argument("--vouchers", type=int, default=3_000, help="default: 3000")
        parser.add_argument("--seed", type=int, default=1, help="another number gives another shop")
        parser.add_argument(
            "--until", type=date.fromisoformat, help="last day of the past, as 2026-01-31; default: today"
        )

    def handle(self, *, customers, orders, vouchers, seed, until, **options):
        if get_model("catalogue", "Product").objects.exists():
            raise CommandError("There are products already: this command fills an empty shop only.")
        fill(
            customers=customers,
            orders=orders,
            vouchers=vouchers,
            seed=seed,
            until=until or timezone.localdate(),
            say=self.say,
        )
        self.say(f"Done. Log in as {OFFICE} (office) or {KNOWN_CUSTOMER} (customer), password: {PASSWORD}")

    def say(self, text):
        self.stdout.write(text)
        self.stdout.flush()
