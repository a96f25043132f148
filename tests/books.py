"""The shop's own audit, as a test asks it: nothing may disagree."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from wagtail_referrals.audit import Finding, audit

# The part of the audit that needs no rewards: for tests that give credit under any key.
LEDGER = ("ledger",)


def audited(*, now: datetime | None = None, only: Collection[str] = ()) -> list[Finding]:
    """What the audit finds. Without ``now``, nothing counts as late: tests live at another time than this machine.

    ``only``: the keys of the parts to do; all of them by default.
    """
    found: list[Finding] = []
    audit(now=now, report=found.append, only=lambda check: not only or check.key in only)
    return [finding for finding in found if now is not None or not finding.problem.overdue]


def assert_audit_clean(*, now: datetime | None = None, only: Collection[str] = ()) -> None:
    """The audit finds nothing that does not agree; with ``now``, nor anything that the sweep should have done."""
    found = audited(now=now, only=only)
    assert not found, "\n" + "\n".join(f"{finding.problem.key}: {finding.message}" for finding in found)
