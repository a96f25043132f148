"""The parts of the audit that every shop has, in the order in which they are done."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from wagtail_referrals.audit import (
    figures,
    ledger,
    postings,
    promises,
    recognition,
    requests,
    safeguards,
    verdicts,
)
from wagtail_referrals.audit.findings import Check, checks


def register_parts() -> None:
    for check in (
        Check("safeguards", _("What the database refuses"), safeguards.find),
        Check("ledger", _("Credit accounts"), ledger.find, ledger.rows),
        Check("postings", _("Rewards and their movements"), postings.find, postings.rows),
        Check("verdicts", _("Rewards and their orders"), verdicts.find, verdicts.rows),
        Check("promises", _("Budgets, invitations and discounts"), promises.find, promises.rows),
        Check("requests", _("Requests about orders"), requests.find, requests.rows),
        Check("recognition", _("Leaderboards and badges"), recognition.find, recognition.rows),
        Check("figures", _("Figures by day"), figures.find, figures.rows),
    ):
        checks.register(check)
