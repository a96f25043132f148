"""Say what does not agree in the books of the referral program. Only reads."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from typing import Any, Final

from django.core.management.base import BaseCommand
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from wagtail_referrals import audit
from wagtail_referrals.audit import Finding, Run

# Findings of one kind that the text shows; --json has all of them.
SHOWN: Final = 20
WIDTH: Final = 30

LOOKED_AT: Final[dict[str, Any]] = {
    "constraints": gettext_lazy("constraints"),
    "accounts": gettext_lazy("accounts"),
    "movements": gettext_lazy("movements"),
    "lots": gettext_lazy("lots"),
    "reservations": gettext_lazy("amounts set aside"),
    "rewards": gettext_lazy("rewards"),
    "referrals": gettext_lazy("referrals"),
    "orders_gone": gettext_lazy("orders that the shop no longer has"),
    "invitations": gettext_lazy("invitations"),
    "discounts": gettext_lazy("discounts"),
    "referrers": gettext_lazy("referrers"),
    "requests": gettext_lazy("requests about orders"),
    "days": gettext_lazy("days of figures"),
    "payments": gettext_lazy("payments with credit"),
    "vouchers": gettext_lazy("vouchers"),
    "memberships": gettext_lazy("memberships"),
    "renewals": gettext_lazy("renewals"),
    "shortfalls": gettext_lazy("gifts to recover"),
}


class Command(BaseCommand):
    help = (
        "Computes everything again from the movements, the orders and the terms, and says what does not agree: "
        "balances, rewards, limits, budgets, discounts, payments. Only reads. Exit code 1 if anything does not agree."
    )
    # Their answer would come first, and stop us from saying the same in plain words.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="For machines: one JSON object.")
        parser.add_argument("--no-progress", action="store_true", help="No progress bar on a terminal.")

    def handle(self, *args: Any, **options: Any) -> None:
        out = _Json(self) if options["json"] else _Text(self)
        show = not options["no_progress"] and self.stderr.isatty()
        bar = _Bar(self.stderr) if show else None
        out.begin()
        run = audit.audit(report=out.finding, progress=bar.show if bar else None)
        if bar is not None:
            bar.clear()
        out.end(run)
        if not run.agrees:
            sys.exit(1)


class _Text:
    """For a shop owner, by kind of problem: what does not agree, where, by how much, and what to do."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.samples: dict[str, list[Finding]] = {}

    def say(self, text: str = "") -> None:
        self.command.stdout.write(text)

    def begin(self) -> None:
        moment = date_format(timezone.localtime(), "DATETIME_FORMAT")
        self.say(_("Audit of the referral program, %(moment)s") % {"moment": moment})

    def finding(self, finding: Finding) -> None:
        of_its_kind = self.samples.setdefault(finding.problem.key, [])
        if len(of_its_kind) < SHOWN:
            of_its_kind.append(finding)

    def end(self, run: Run) -> None:
        for key, findings in self.samples.items():
            self.say()
            self.say(f"{findings[0].problem.title} ({run.found[key]})")
            for finding in findings:
                self.say(f"  - {finding.message}")
            if run.found[key] > len(findings):
                self.say("    " + _("... and others: --json lists them all."))
            self.say("  " + _("What to do: %(advice)s") % {"advice": findings[0].problem.advice})
        self.say()
        rows = ", ".join(f"{LOOKED_AT.get(what, what)}: {count}" for what, count in run.looked_at.items())
        self.say(_("Looked at %(rows)s.") % {"rows": rows or "0"})
        if run.waiting:
            words = ngettext(
                "%(count)s thing waits for the next sweep.",
                "%(count)s things wait for the next sweep.",
                run.waiting,
            )
            self.say(words % {"count": run.waiting})
        total = sum(run.found.values())
        if total == 0:
            self.say(_("Everything agrees."))
        else:
            words = ngettext("%(count)s thing does not agree.", "%(count)s things do not agree.", total)
            self.say(words % {"count": total})


class _Json:
    """One object, written as it is found, so that it may be of any size. Its shape is in docs/how-to/audit.md."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.first = True

    def write(self, text: str) -> None:
        self.command.stdout.write(text, ending="")

    def begin(self) -> None:
        self.started = timezone.now()
        self.write(f'{{"version": 1, "started_at": {json.dumps(self.started.isoformat())}, "findings": [')

    def finding(self, finding: Finding) -> None:
        self.write(("\n" if self.first else ",\n") + json.dumps(finding.to_json(), ensure_ascii=False))
        self.first = False

    def end(self, run: Run) -> None:
        rest = {
            "looked_at": run.looked_at,
            "waiting_for_sweep": run.waiting,
            "found": run.found,
            "agrees": run.agrees,
        }
        self.write("],\n" + json.dumps(rest)[1:] + "\n")


class _Bar:
    """[#####.....]  43 %, on a terminal, at most ten times a second."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.last = 0.0

    def show(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self.last < 0.1 and done < total:
            return
        self.last = now
        share = done / total if total else 1.0
        full = int(share * WIDTH)
        self.stream.write(f"\r[{'#' * full}{'.' * (WIDTH - full)}] {share:4.0%} ", ending="")
        self.stream.flush()

    def clear(self) -> None:
        self.stream.write("\r" + " " * (WIDTH + 10) + "\r", ending="")
        self.stream.flush()
