"""Wires to the Wagtail admin, and nothing else."""

from __future__ import annotations

from django.urls import URLPattern, path
from wagtail import hooks

from wagtail_referrals.admin.reports import REPORTS_HOOK
from wagtail_referrals.feedback.admin import URL_NAME, FeedbackView, feedback_report

hooks.register(REPORTS_HOOK, feedback_report)


@hooks.register("register_admin_urls")
def register_feedback_url() -> list[URLPattern]:
    return [path("referrals/feedback/", FeedbackView.as_view(), name=URL_NAME)]
