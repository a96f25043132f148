"""Blocks for any StreamField of a site: ``StreamField([..., *REFERRAL_BLOCKS])``."""

from wagtail_referrals.site.blocks.offer import FaqBlock, HowItWorksBlock, StepBlock, TermsBlock
from wagtail_referrals.site.blocks.own import BalanceBlock, BannerBlock, ShareBlock
from wagtail_referrals.site.blocks.recognition import LeaderboardBlock, ProgressBlock, WallBlock

REFERRAL_BLOCKS = [
    ("referral_share", ShareBlock()),
    ("referral_banner", BannerBlock()),
    ("referral_how_it_works", HowItWorksBlock()),
    ("referral_progress", ProgressBlock()),
    ("referral_leaderboard", LeaderboardBlock()),
    ("referral_wall", WallBlock()),
    ("referral_balance", BalanceBlock()),
    ("referral_faq", FaqBlock()),
    ("referral_terms", TermsBlock()),
]

__all__ = [
    "REFERRAL_BLOCKS",
    "BalanceBlock",
    "BannerBlock",
    "FaqBlock",
    "HowItWorksBlock",
    "LeaderboardBlock",
    "ProgressBlock",
    "ShareBlock",
    "StepBlock",
    "TermsBlock",
    "WallBlock",
]
