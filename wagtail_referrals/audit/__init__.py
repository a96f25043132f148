"""The audit: everything computed again from the movements, the orders and the terms, and compared. Only reads.

An app adds a part of its own from its ``AppConfig.ready()``::

    audit.checks.register(audit.Check("donations", _("Donations"), run=check_donations))
"""

from wagtail_referrals.audit.findings import Check, Finding, Problem, Run, amount_finding, checks, plain
from wagtail_referrals.audit.parts import register_parts
from wagtail_referrals.audit.run import audit, one_look
from wagtail_referrals.audit.safeguards import find_constraints

register_parts()

__all__ = [
    "Check",
    "Finding",
    "Problem",
    "Run",
    "amount_finding",
    "audit",
    "checks",
    "find_constraints",
    "one_look",
    "plain",
]
