"""The parts of the audit that every shop has, in the order in which they are done."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from wagtail_referrals.audit import ledger, postings, promises, safeguards, verdicts
from wagtail_referrals.audit.findings import Check, checks


def register_parts() -> None:
    for check in (
        Check("safeguards", _("What the database refuses"), safeguards.find),
        Check("ledger", _("Credit accounts"), ledger.find, ledger.rows),
        Check("postings", _("Rewards and their movements"), postings.find, postings.rows),
        Check("verdicts", _("Rewards and their orders"), verdicts.find, verdicts.rows),
        Check("promises", _("Budgets, invitations and discounts"), promises.find, promises.rows),
    ):
        checks.register(check)
