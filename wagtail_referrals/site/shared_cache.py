"""A landing page drawn for nobody in particular, so that a shared cache may keep it for everybody.

Visits are counted by a picture that no cache keeps, and by the page's links, all of which lead through the share link.
"""

from __future__ import annotations

import base64
import logging
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

from wagtail_referrals import people, programs, tracking
from wagtail_referrals.people import CodeHolder
from wagtail_referrals.site import landing
from wagtail_referrals.site.invitation import is_customer
from wagtail_referrals.site.models import LandingPageMixin
from wagtail_referrals.site.nobody import seen_url
from wagtail_referrals.tracking.models import Visit

logger = logging.getLogger(__name__)

# One transparent point.
PIXEL: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


def language_for_everybody(request: HttpRequest, holder: CodeHolder) -> str:
    """What the address says; else the language of who shares the link, as the cache knows no other."""
    known = dict(settings.LANGUAGES)
    for code in (request.GET.get("lang", ""), holder.language):
        if code in known:
            return code
    return settings.LANGUAGE_CODE


def drawn_for_everybody(bare: HttpRequest, invitation: Any, page: Any) -> HttpResponse | None:
    """The answer, marked; ``None`` where this page cannot be everybody's, which is logged."""
    if page is not None and not isinstance(page, LandingPageMixin):
        # It does not count who comes.
        return None
    drawn = landing.draw_landing_page(bare, invitation, page)
    problem = None
    if "CSRF_COOKIE" in bare.META:
        problem = "has a form with a CSRF token, which is one visitor's"
    elif drawn.cookies:
        problem = "sets a cookie"
    elif seen_url(bare, invitation.code).encode() not in drawn.content:
        problem = 'lacks {% include "wagtail_referrals/includes/everybody.html" %}, which counts visits'
    elif any(word in drawn.headers.get("Cache-Control", "") for word in ("private", "no-store", "no-cache")):
        problem = "says that it is private"
    if problem is not None or drawn.status_code != 200:
        logger.warning("The landing page cannot be kept by a shared cache: it %s.", problem or "fails")
        return None
    response = HttpResponse(drawn.content, content_type=drawn.headers["Content-Type"])
    tracking.mark_for_everybody(response)
    return response


def arrive(request: HttpRequest, holder: CodeHolder) -> Visit | None:
    """Count who comes by a page that counts nobody, as the share link does; the visit that is to be remembered."""
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated and user.pk == holder.user_id:
        return None
    offer = programs.pick_terms(
        site_id=tracking.site_id_for(request),
        advocate_state=holder.advocate_state,
        user_id=holder.user_id,
        shown_terms_id=tracking.shown_terms_id(request, holder),
    )
    page = landing.find_landing_page(
        site_id=tracking.site_id_for(request),
        page_id=offer.data.landing_page_id if offer else None,
        language=language_for_everybody(request, holder),
    )
    visit = tracking.record_visit(
        request,
        holder,
        channel=request.GET.get("via", ""),
        offer=offer,
        page_id=page.pk if page is not None else None,
    )
    if visit is None or tracking.arrival_of(request).visit_id != visit.pk:
        return None
    is_for_others = offer is not None and offer.data.new_customers_only and is_customer(request)
    return None if is_for_others else visit


@login_not_required
@require_safe
def seen(request: HttpRequest, code: str) -> HttpResponse:
    """The picture on a page that a cache kept: counts the visit and remembers it, as the share link would have.

    Always the same picture, whatever fails.
    """
    response = HttpResponse(PIXEL, content_type="image/gif")
    try:
        holder = people.find_code(code)
        visit = arrive(request, holder) if holder is not None else None
        if visit is not None:
            tracking.remember(request, response, visit)
    except Exception:
        logger.exception("A visit to a page that a cache kept was not counted")
    patch_cache_control(response, private=True, no_store=True)
    response.headers["X-Robots-Tag"] = "noindex"
    return response
