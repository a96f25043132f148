"""Badges: a reward that is worn. What was posted is the record; see docs/explanation/architecture.md."""

from wagtail_referrals.recognition.kind import BadgeKind
from wagtail_referrals.recognition.presets import register
from wagtail_referrals.recognition.worn import Worn, badges_of

__all__ = ["BadgeKind", "Worn", "badges_of", "register"]
