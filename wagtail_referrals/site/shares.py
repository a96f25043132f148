"""Counts that a link is passed on, and leads on to the program by which it goes."""

from __future__ import annotations

import logging

from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from wagtail_referrals import programs, tracking
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import OpenTerms
from wagtail_referrals.site.sharing import WAYS, sharing_of

logger = logging.getLogger(__name__)


# A guest has no session, and a page may be older than one: the signed value says whose link it is. All that a foreign
# page could do with one is count.
@login_not_required
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def shared(request: HttpRequest, channel: str) -> HttpResponse:
    """Count one share by ``channel`` of the advocate whom ``?of=`` names.

    A POST is the script's, which opens the other program itself. A GET, from a page without the script, leads there
    with the proposed message. Leads on also where counting fails.
    """
    if channel not in tracking.CHANNELS:
        raise Http404
    advocate = tracking.advocate_from_share_token(request.GET.get("of", ""))
    offer = _offer(request, advocate) if advocate is not None else None
    if advocate is not None and request.method != "HEAD":
        _count(request, advocate, channel, offer)
    if request.method == "POST" or channel not in WAYS:
        # The same for everybody, so that nothing can be tried out here.
        response = HttpResponse(status=204)
    elif advocate is None:
        response = HttpResponseRedirect(reverse("referrals:account"))
    else:
        sharing = sharing_of(request, advocate, offer.data if offer else None, to=request.GET.get("to", ""))
        # HttpResponseRedirect knows neither these schemes nor such long addresses. They are of our own making.
        response = HttpResponse(status=302, headers={"Location": sharing.way(channel).url})
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _offer(request: HttpRequest, advocate: Advocate) -> OpenTerms | None:
    """What the link offers now. No query with a warm cache."""
    return programs.pick_terms(
        site_id=tracking.site_id_for(request), advocate_state=advocate.state, user_id=advocate.user_id
    )


def _count(request: HttpRequest, advocate: Advocate, channel: str, offer: OpenTerms | None) -> None:
    try:
        with transaction.atomic():
            tracking.record_share(request, advocate, channel=channel, offer=offer)
    except Exception:
        logger.exception("A share of referrer %s could not be counted", advocate.pk)
