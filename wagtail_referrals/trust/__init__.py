"""Checks and decisions: says "decided", never settles."""

from wagtail_referrals.trust.checks import Check, CheckResult, Subject, checks
from wagtail_referrals.trust.decisions import evaluate, review

__all__ = ["Check", "CheckResult", "Subject", "checks", "evaluate", "review"]
