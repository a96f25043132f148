"""Try the referral program in this very project, say how it went, and leave nothing behind."""

from __future__ import annotations

import sys
import textwrap
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from wagtail_referrals import doctor
from wagtail_referrals.doctor import Examination, Finding, Round, Verdict

WIDTH: Final = 110
INDENT: Final = 4

WORDS: Final[dict[Verdict, Any]] = {
    Verdict.FINE: gettext_lazy("fine"),
    Verdict.LOOK: gettext_lazy("look at this"),
    Verdict.BROKEN: gettext_lazy("broken"),
    Verdict.OFF: gettext_lazy("switched off"),
    Verdict.NOT_TRIED: gettext_lazy("not tried"),
}


class Command(BaseCommand):
    help = (
        "Tries the referral program in this very project: a share link, the cookie, a basket, the checkout with "
        "credit, an order and each of its statuses. Everything is rolled back, no mail leaves and nothing is charged. "
        "Says what is fine, what to look at and what is broken, and how to mend it. Exit code 1 if something is broken."
    )
    # The doctor says what they say, with the rest.
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.examination: Examination | None = None
        moment = date_format(timezone.localtime(), "DATETIME_FORMAT")
        self.stdout.write(_("The referral program, examined on %(moment)s") % {"moment": moment})
        try:
            result = doctor.examine(begin=self._begin, report=self._report)
        except doctor.CannotUndo as reason:
            raise CommandError(str(reason)) from reason
        self._end(result)
        if not result.is_healthy:
            sys.exit(1)

    def _begin(self, examination: Examination) -> None:
        self.examination = examination

    def _report(self, finding: Finding) -> None:
        if self.examination is not None:
            self.stdout.write("")
            self.stdout.write(self.style.MIGRATE_HEADING(str(self.examination.label)))
            self.examination = None
        paint = {
            Verdict.FINE: self.style.SUCCESS,
            Verdict.LOOK: self.style.WARNING,
            Verdict.BROKEN: self.style.ERROR,
        }.get(finding.verdict, self.style.NOTICE)
        column = max(len(str(word)) for word in WORDS.values()) + 2
        word = str(WORDS[finding.verdict])
        lines = _wrapped(finding.words, column)
        if finding.mend:
            lines += _wrapped(_("Mend: %(mend)s") % {"mend": finding.mend}, column)
        start = "  " + paint(word) + " " * (column - len(word))
        self.stdout.write(start + lines[0])
        for line in lines[1:]:
            self.stdout.write("  " + " " * column + line)

    def _end(self, result: Round) -> None:
        self.stdout.write("")
        self.stdout.write(self._undone(result))
        bad, strange = result.counts[Verdict.BROKEN], result.counts[Verdict.LOOK]
        looks = ngettext("%(count)s thing to look at.", "%(count)s things to look at.", strange) % {
            "count": strange
        }
        if bad:
            words = ngettext("%(count)s thing is broken.", "%(count)s things are broken.", bad) % {
                "count": bad
            }
            self.stdout.write(self.style.ERROR(words) + (f" {looks}" if strange else ""))
        elif strange:
            self.stdout.write(self.style.WARNING(_("It works.")) + f" {looks}")
        else:
            self.stdout.write(self.style.SUCCESS(_("In good health.")))

    def _undone(self, result: Round) -> str:
        seconds = number_format(result.seconds, 1)
        mails = result.withheld.mails
        said = [_("That took %(seconds)s seconds, and everything was rolled back.") % {"seconds": seconds}]
        if mails:
            said.append(
                ngettext(
                    "%(count)s mail that the shop would have sent was not sent.",
                    "%(count)s mails that the shop would have sent were not sent.",
                    mails,
                )
                % {"count": mails}
            )
        else:
            said.append(_("No mail was sent."))
        calls = result.withheld.calls
        if calls:
            said.append(
                ngettext(
                    "%(count)s call to another machine was not let through.",
                    "%(count)s calls to other machines were not let through.",
                    calls,
                )
                % {"count": calls}
            )
        return "\n".join(textwrap.wrap(" ".join(said), WIDTH))


def _wrapped(text: str, column: int) -> list[str]:
    return textwrap.wrap(text, WIDTH - column, break_long_words=False, break_on_hyphens=False) or [""]
