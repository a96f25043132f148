"""Arrivals through a share link: at most one row, and nothing else in the database."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime
from typing import Final

from django.db.models import Count
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from wagtail_referrals.people import CodeHolder
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import OpenTerms, pick_terms
from wagtail_referrals.tracking.cookie import Ticket
from wagtail_referrals.tracking.middleware import arrival_of
from wagtail_referrals.tracking.models import RemovedVisits, Visit
from wagtail_referrals.tracking.robots import only_looks
from wagtail_referrals.tracking.sites import site_id_for

# How a link was passed on: /r/<code>/?via=<channel>. Anything else is not kept: a visitor writes no words into reports.
CHANNELS: Final = {
    "copy": _("copied link"),
    "share": _("share menu of the device"),
    "email": _("e-mail"),
    "sms": _("text message"),
    "whatsapp": "WhatsApp",
    "messenger": "Messenger",
    "telegram": "Telegram",
    "facebook": "Facebook",
    "x": "X",
    "linkedin": "LinkedIn",
    "qr": _("QR code"),
    "print": _("printed card"),
}
# A visitor who opens the link again within this time, or follows a link on the landing page, is the same arrival.
SAME_VISIT_SECONDS: Final = 24 * 60 * 60


def channel_from(text: str | None) -> str:
    """The channel that a share link names; "" for none and for one that is not known."""
    channel = (text or "")[:20].lower()
    return channel if channel in CHANNELS else ""


def _same_arrival(ticket: Ticket | None, holder: CodeHolder, offer: OpenTerms) -> bool:
    return (
        ticket is not None
        and ticket.advocate_id == holder.advocate_id
        and ticket.terms_id == offer.terms_id
        and 0 <= time.time() - ticket.visited < SAME_VISIT_SECONDS
    )


def shown_terms_id(request: HttpRequest, holder: CodeHolder) -> int | None:
    """What this visitor was promised before by the link of the same person. No query."""
    ticket = arrival_of(request).ticket
    return ticket.terms_id if ticket is not None and ticket.advocate_id == holder.advocate_id else None


def visits_by_channel(advocate: Advocate) -> dict[str, int]:
    """How often the link of ``advocate`` was opened, by channel, also what was removed since. One query."""
    there = Visit.objects.filter(advocate=advocate).order_by().values_list("channel").annotate(Count("pk"))
    gone = RemovedVisits.objects.filter(advocate=advocate).order_by().values_list("channel", "number")
    found: Counter[str] = Counter()
    # From Django 6.1 on a union has the model's ordering again.
    for channel, number in there.union(gone, all=True).order_by():
        found[channel] += number
    return dict(found)


def record_visit(
    request: HttpRequest,
    holder: CodeHolder,
    *,
    channel: str = "",
    offer: OpenTerms | None = None,
    page_id: int | None = None,
    now: datetime | None = None,
) -> Visit | None:
    """One arrival through the share link of ``holder``: one INSERT, or nothing.

    ``None`` for who only looks (robots, previews, prefetch, HEAD), and when the visitor's open ticket is of the same
    arrival. ``offer`` is what the visitor is shown, by default the first open program that this advocate may offer;
    without any, the visit counts and promises nothing. ``page_id`` is the landing page that they see.
    ``request.referral`` knows the visit from then on, unless an earlier link wins by its terms.
    """
    moment = now or timezone.now()
    if only_looks(request):
        return None
    if offer is None:
        offer = pick_terms(
            site_id=site_id_for(request),
            advocate_state=holder.advocate_state,
            user_id=holder.user_id,
            shown_terms_id=shown_terms_id(request, holder),
            now=moment,
        )
    arrival = arrival_of(request)
    earlier = arrival.ticket
    if offer is not None and _same_arrival(earlier, holder, offer):
        return None
    visit = Visit.objects.create(
        advocate_id=holder.advocate_id,
        terms_id=offer.terms_id if offer else None,
        channel=channel_from(channel),
        language=(get_language() or "")[:20],
        page_id=page_id,
        created_at=moment,
    )
    if offer is not None and not (earlier is not None and earlier.first_touch):
        arrival.arrive(visit, Ticket.of(visit, offer.data))
    return visit
