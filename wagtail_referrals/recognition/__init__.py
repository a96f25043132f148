"""Badges, leaderboards and thanks: what advocates are recognised for. See docs/explanation/architecture.md."""

from wagtail_referrals.recognition.checking import Checked, check_standings
from wagtail_referrals.recognition.forgetting import forget_recognition
from wagtail_referrals.recognition.kind import BadgeKind
from wagtail_referrals.recognition.leaderboards import (
    Leaderboard,
    Row,
    join_leaderboards,
    leaderboard,
    leave_leaderboards,
)
from wagtail_referrals.recognition.presets import register
from wagtail_referrals.recognition.standings import current_period
from wagtail_referrals.recognition.top import TopReferrer, top_referrers
from wagtail_referrals.recognition.wall import (
    Thanks,
    agree_to_feature,
    decline_feature,
    feature_of,
    is_on_wall,
    version_of,
    wall,
    words_of,
)
from wagtail_referrals.recognition.words import criterion_words
from wagtail_referrals.recognition.worn import Worn, badges_of, wearers

__all__ = [
    "BadgeKind",
    "Checked",
    "Leaderboard",
    "Row",
    "Thanks",
    "TopReferrer",
    "Worn",
    "agree_to_feature",
    "badges_of",
    "check_standings",
    "criterion_words",
    "current_period",
    "decline_feature",
    "feature_of",
    "forget_recognition",
    "is_on_wall",
    "join_leaderboards",
    "leaderboard",
    "leave_leaderboards",
    "register",
    "top_referrers",
    "version_of",
    "wall",
    "wearers",
    "words_of",
]
