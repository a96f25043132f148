"""What leaving means for feedback: its pages go, as Wagtail cannot show a page whose type is gone."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from wagtail_referrals import leaving

LABELS: Final = ("referral_feedback",)


class FeedbackPages(leaving.Pages):
    """The answers go with the tables."""

    key = "feedback"
    label = _("Feedback pages")
    labels = LABELS
    page_labels = LABELS


def register() -> None:
    """Called when Django is ready."""
    leaving.steps.register(FeedbackPages())
