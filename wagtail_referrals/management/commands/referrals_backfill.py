"""Tell the program who was a customer before it came; codes and links for a mailing. See docs/how-to/backfill.md."""

from __future__ import annotations

import os
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from wagtail.models import Site

from wagtail_referrals import people
from wagtail_referrals.management.progress import Progress
from wagtail_referrals.referrals import backfill, customer_accounts
from wagtail_referrals.site.mailing import may_refer, write_links

WORDS: Final[dict[str, Any]] = {
    "accounts": gettext_lazy("Accounts"),
    "orders": gettext_lazy("Orders of guests"),
    "codes": gettext_lazy("Codes"),
    "links": gettext_lazy("Links"),
}
STDOUT: Final = "-"


class Command(BaseCommand):
    help = (
        "Writes down, as keyed hashes, with which e-mail addresses accounts were made and guests have ordered, so that "
        "a variant of an old customer's address is no new customer. May be broken off and begun again at any time, "
        "while the shop is open. With options also makes codes and a file of links for a mailing; nobody is mailed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--again",
            action="store_true",
            help="Look at all accounts and orders, also at those known already: their addresses were changed "
            "directly in the database.",
        )
        parser.add_argument(
            "--codes",
            choices=["customers", "all"],
            help="Make codes for all customers who have ordered, or for all accounts. Else each is made when a "
            "customer first asks for it.",
        )
        parser.add_argument(
            "--links",
            metavar="FILE",
            help="Write the links of who has a code, and may offer a program that is open now, into this CSV file; "
            "- for the standard output.",
        )
        parser.add_argument(
            "--site",
            metavar="HOST",
            help="With --links: the host of the Wagtail site; else the default site.",
        )
        parser.add_argument(
            "--everybody",
            action="store_true",
            help="With --links: also who may not offer a program at present.",
        )
        parser.add_argument(
            "--with-email",
            action="store_true",
            help="With --links: put e-mail addresses into the file too.",
        )
        parser.add_argument("--no-progress", action="store_true", help="Say only what was done.")

    def handle(self, *args: Any, **options: Any) -> None:
        site = self._site(options["site"]) if options["links"] else None
        self.progress = None if options["no_progress"] else Progress(self.stderr)
        self.out = self.stderr if options["links"] == STDOUT else self.stdout
        self._addresses(again=options["again"])
        if options["codes"]:
            self._codes(options["codes"])
        if site is not None:
            self._links(site, options["links"], options["everybody"], options["with_email"])

    def _show(self, what: str, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress.show(str(WORDS[what]), done, total)

    def _say(self, text: str) -> None:
        if self.progress is not None:
            self.progress.clear()
        self.out.write(text, style_func=str)

    def _addresses(self, *, again: bool) -> None:
        written = backfill(again=again, progress=self._show)
        if not any(written.values()):
            self._say(_("The addresses of all accounts and guests' orders are known."))
            return
        accounts = ngettext("%(count)s account", "%(count)s accounts", written["accounts"])
        orders = ngettext("%(count)s guest's order", "%(count)s guests' orders", written["orders"])
        self._say(
            _("Addresses written: of %(accounts)s and %(orders)s. All are known now.")
            % {
                "accounts": accounts % {"count": written["accounts"]},
                "orders": orders % {"count": written["orders"]},
            }
        )

    def _codes(self, whom: str) -> None:
        accounts = customer_accounts(with_order=whom == "customers")
        total = people.accounts_without_code(accounts).count()
        done = 0

        def show(count: int) -> None:
            nonlocal done
            done += count
            self._show("codes", done, total)

        made = people.make_codes(accounts, progress=show)
        self._say(ngettext("%(count)s code made.", "%(count)s codes made.", made) % {"count": made})

    def _links(self, site: Site, file: str, everybody: bool, with_email: bool) -> None:
        accounts = customer_accounts()
        if not everybody:
            allowed = may_refer(site)
            if allowed is None:
                raise CommandError(
                    _(
                        "No program is open on %(host)s, so nobody could offer one and no file was written. "
                        "--everybody writes the links of all who have a code."
                    )
                    % {"host": site.hostname}
                )
            accounts = accounts.filter(allowed)
        written = self._write(file, accounts, site, with_email)
        words = ngettext(
            "%(count)s link written to %(file)s.", "%(count)s links written to %(file)s.", written
        )
        self._say(words % {"count": written, "file": file if file != STDOUT else _("the standard output")})

    def _write(self, file: str, accounts: QuerySet[Any], site: Site, with_email: bool) -> int:
        total = customer_accounts().count()
        done = 0

        def show(count: int) -> None:
            nonlocal done
            done += count
            self._show("links", done, total)

        def write(stream: Any) -> int:
            return write_links(stream, accounts, root=site.root_url, with_email=with_email, progress=show)

        if file == STDOUT:
            return write(self.stdout)
        path = Path(file)
        try:
            # What is half written never has the name of the file; nobody else may read it.
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        except OSError as error:
            raise CommandError(
                _("%(file)s cannot be written: %(error)s") % {"file": file, "error": error.strerror}
            ) from error
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
                written = write(stream)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return written

    @staticmethod
    def _site(host: str | None) -> Site:
        sites = (
            Site.objects.filter(hostname__iexact=host) if host else Site.objects.filter(is_default_site=True)
        )
        found: Site | None = sites.order_by("-is_default_site", "pk").first()
        if found is None:
            hosts = ", ".join(Site.objects.order_by("hostname").values_list("hostname", flat=True))
            raise CommandError(
                _("There is no such site. These are there: %(hosts)s.") % {"hosts": hosts or _("none")}
            )
        return found
