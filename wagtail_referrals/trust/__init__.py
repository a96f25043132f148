"""Checks and decisions: says "decided", never settles."""

from wagtail_referrals.trust.checks import Check, CheckResult, Subject, checks
from wagtail_referrals.trust.decisions import (
    REVIEWER,
    Reviewed,
    evaluate,
    have_spoken,
    latest_review,
    postpone,
    postpone_all,
    review,
    review_all,
    to_review,
)

__all__ = [
    "REVIEWER",
    "Check",
    "CheckResult",
    "Reviewed",
    "Subject",
    "checks",
    "evaluate",
    "have_spoken",
    "latest_review",
    "postpone",
    "postpone_all",
    "review",
    "review_all",
    "to_review",
]
