"""A program that is being written, as a friend would meet it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone, translation
from django.utils.translation import get_language

from wagtail_referrals import tracking
from wagtail_referrals.programs import draft_data
from wagtail_referrals.site import landing
from wagtail_referrals.site.invitation import sample_invitation
from wagtail_referrals.site.layout import layout_context


def draw_program_preview(program: Any, request: HttpRequest) -> HttpResponse:
    """The landing page of a sample advocate with what this program, saved or not, offers. In the current language.

    Nothing is counted, and no cookie is set: the request is a preview.
    """
    data = draft_data(program)
    invitation = replace(
        sample_invitation(request, "friend"), data=data, expires_at=timezone.now() + timedelta(days=data.window_days)
    )
    request.referral_invitation = invitation  # type: ignore[attr-defined]
    page = landing.find_landing_page(
        site_id=program.site_id or tracking.site_id_for(request),
        page_id=data.landing_page_id,
        language=get_language() or "",
    )
    if page is None:
        template = "wagtail_referrals/landing_page.html"
        response: Any = TemplateResponse(request, template, {**layout_context(), **invitation.context(request)})
        return response.render()  # type: ignore[no-any-return]
    with translation.override(page.locale.language_code):
        response = page.serve(request)
        # Rendered here, while the language is the page's.
        return response.render() if hasattr(response, "render") and not response.is_rendered else response
