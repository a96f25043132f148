"""Where the links of mails lead through."""

from __future__ import annotations

import logging

from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from wagtail_referrals import messages
from wagtail_referrals.tracking import is_robot

logger = logging.getLogger(__name__)


@login_not_required
@never_cache
@require_safe
def follow(request: HttpRequest, token: str) -> HttpResponse:
    """Note that a link of a message was followed, and lead on to a page of the own sites; else to the start page.

    Nothing else changes: programs that look for bad links follow them too, and may come often.
    """
    found = messages.follow(token)
    if found is not None and request.method == "GET" and not is_robot(request):
        _note(found[0])
    response = HttpResponseRedirect(found[1] if found is not None else "/")
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _note(pk: int) -> None:
    """Leads on also where this fails."""
    try:
        with transaction.atomic():
            messages.mark_followed(pk)
    except Exception:
        logger.exception("It could not be noted that a link of message %s was followed", pk)
