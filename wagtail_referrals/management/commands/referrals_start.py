"""Begin: a draft of a program, and its pages in each language. See docs/how-to/add-to-an-existing-shop.md."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.admin_url_finder import AdminURLFinder
from wagtail.admin.utils import get_admin_base_url
from wagtail.models import Site

from wagtail_referrals.site.start import NAMELESS, Part, name_site, start

WORDS: Final[dict[str, Any]] = {
    "program": gettext_lazy("Program"),
    "hub": gettext_lazy("Page about the program"),
    "landing": gettext_lazy("Landing page"),
}


class Command(BaseCommand):
    help = (
        "Makes what is missing to begin with, on each Wagtail site: a ready-made program as a draft, and in each "
        "language a page about it and a landing page. Touches nothing that is there, and may be run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--address",
            help="Call the default site of Wagtail by this address first, e.g. https://shop.example.",
        )
        parser.add_argument("--site", metavar="HOST", help="Only this site of Wagtail; else all of them.")
        parser.add_argument(
            "--publish", action="store_true", help="Publish the pages. The program stays a draft in any case."
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Say what would be made, and make nothing."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.is_trial = options["dry_run"]
        with transaction.atomic():
            missing = self._start(options["address"], options["site"], options["publish"])
            if self.is_trial:
                transaction.set_rollback(True)
        if missing:
            raise CommandError(_("Something could not be made: see above."))

    def _start(self, address: str | None, host: str | None, publish: bool) -> bool:
        """Whether something is missing still."""
        if address is not None:
            try:
                name_site(address)
            except ValidationError as error:
                raise CommandError(" ".join(error.messages)) from error
        sites = Site.objects.select_related("root_page__locale").order_by(
            "-is_default_site", "hostname", "port"
        )
        if host is not None:
            sites = sites.filter(hostname=host)
        if not sites:
            raise CommandError(
                _("Wagtail has no site called %(host)s.") % {"host": host}
                if host is not None
                else _("Wagtail has no site yet: add one in Settings > Sites.")
            )
        parts = list(start(sites=sites, publish=publish))
        for site in sites:
            self._say_site(site, [part for part in parts if part.site.pk == site.pk])
        self._say_next(parts)
        return any(part.found is None for part in parts)

    def _say_site(self, site: Site, parts: list[Part]) -> None:
        self.stdout.write(self.style.MIGRATE_HEADING(site.root_url))
        if site.hostname == NAMELESS:
            warning = _(
                "Wagtail calls this site “localhost”, and links in mails lead there: say --address "
                "https://shop.example, or change it in Settings > Sites."
            )
            self.stdout.write(self.style.WARNING(f"  {warning}"))
        for part in parts:
            what = f"{WORDS[part.what]} ({part.language})" if part.language else str(WORDS[part.what])
            if part.found is None:
                self.stdout.write(self.style.ERROR(f"  {what}: {part.problem}"))
                continue
            self.stdout.write(f"  {what}: {self._state(part)}")
            if not (part.is_new and self.is_trial):
                self.stdout.write(f"      {self._admin_address(part.found)}")
            if part.problem:
                self.stdout.write(self.style.WARNING(f"      {part.problem}"))

    def _state(self, part: Part) -> str:
        name = part.found.title if hasattr(part.found, "title") else part.found.name
        if not part.is_new:
            return _("“%(name)s” was there") % {"name": name}
        if self.is_trial:
            return _("“%(name)s” would be made") % {"name": name}
        if part.found.live:
            return _("“%(name)s” made and published") % {"name": name}
        return _("“%(name)s” made, as a draft") % {"name": name}

    def _admin_address(self, found: Any) -> str:
        path = AdminURLFinder().get_edit_url(found) or ""
        return (get_admin_base_url() or "").rstrip("/") + path

    def _say_next(self, parts: list[Part]) -> None:
        self.stdout.write("")
        if any(part.what == "program" and part.found is not None and not part.found.live for part in parts):
            self.stdout.write(
                _(
                    "Next: read the program's sentence, change what you like, and publish it. "
                    "Nothing is promised before."
                )
            )
        try:
            account = reverse("referrals:account")
        except NoReverseMatch:
            warning = _('Share links have no addresses yet: add path("", include("wagtail_referrals.urls")).')
            self.stdout.write(self.style.WARNING(warning))
            return
        self.stdout.write(
            _(
                "Customers find their link at %(path)s. Links work at once, also before the pages are published."
            )
            % {"path": account}
        )
