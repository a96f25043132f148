"""A program that is being written, as a friend would meet it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import get_language

from wagtail_referrals import tracking
from wagtail_referrals.programs import draft_data
from wagtail_referrals.site import landing
from wagtail_referrals.site.invitation import sample_invitation


def draw_program_preview(program: Any, request: HttpRequest) -> HttpResponse:
    """The landing page of a sample advocate with what this program, saved or not, offers. In the current language.

    Nothing is counted, and no cookie is set: the request is a preview.
    """
    data = draft_data(program)
    invitation = replace(
        sample_invitation(request, "friend"),
        data=data,
        expires_at=timezone.now() + timedelta(days=data.window_days),
    )
    page = landing.find_landing_page(
        site_id=program.site_id or tracking.site_id_for(request),
        page_id=data.landing_page_id,
        language=get_language() or "",
    )
    return landing.draw_landing_page(request, invitation, page)
