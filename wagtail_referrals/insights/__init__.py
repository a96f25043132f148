"""Figures about referrals, read from the rows."""

from wagtail_referrals.insights.periods import Period, custom_period, named_period
from wagtail_referrals.insights.summary import Figures, ProgramFigures, Summary, summary

__all__ = ["Figures", "Period", "ProgramFigures", "Summary", "custom_period", "named_period", "summary"]
