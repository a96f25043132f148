"""The share link and its picture."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone, translation
from django.utils.cache import patch_cache_control
from django.utils.translation import get_language, get_language_from_request
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from wagtail_referrals import people, programs, tracking
from wagtail_referrals.people import CodeHolder
from wagtail_referrals.programs import OpenTerms, TermsData
from wagtail_referrals.site import landing, shared_cache, sharing
from wagtail_referrals.site.actions import register_url, shop_start
from wagtail_referrals.site.invitation import (
    SAME_SITTING,
    Invitation,
    Kind,
    general_invitation,
    has_used,
    is_customer,
)
from wagtail_referrals.site.look import look_of, photo_of
from wagtail_referrals.site.nobody import for_nobody
from wagtail_referrals.site.offer import terms_data
from wagtail_referrals.site.paths import safe_path
from wagtail_referrals.site.picture import drawable, share_picture
from wagtail_referrals.site.settings import settings_of
from wagtail_referrals.tracking.models import Visit

logger = logging.getLogger(__name__)


def share_language(request: HttpRequest, holder: CodeHolder | None) -> str:
    """The visitor's language; of one who states none (a link preview), that of the person who shares the link."""
    states = request.META.get("HTTP_ACCEPT_LANGUAGE") or request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME)
    if not states and holder is not None and holder.language in dict(settings.LANGUAGES):
        return holder.language
    return get_language_from_request(request)


@login_not_required
@require_safe
def share(request: HttpRequest, code: str = "") -> HttpResponse:
    """A share link: counts one visit, remembers it, and shows the landing page or leads to ``?to=``.

    Costs one INSERT, everything that is read being cached. Answers every text with 200 or a redirect, whatever fails.
    """
    try:
        response = _for_everybody(request, code) or _share(request, code)
    except Exception:
        logger.exception("A share link failed")
        response = _without_invitation(request)
    if not tracking.is_for_everybody(response):
        # The answer is this visitor's: it may set a cookie, and says whose friend they are.
        patch_cache_control(response, private=True, no_store=True)
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _for_everybody(request: HttpRequest, code: str) -> HttpResponse | None:
    """The page that a shared cache may keep; ``None`` where it may keep none, and the visitor gets one of their own."""
    holder = people.find_code(code) if tracking.may_be_shared(request) and "to" not in request.GET else None
    if holder is None:
        return None
    try:
        with translation.override(shared_cache.language_for_everybody(request, holder)):
            bare = for_nobody(request)
            offer = programs.pick_terms(
                site_id=tracking.site_id_for(request),
                advocate_state=holder.advocate_state,
                user_id=holder.user_id,
            )
            if offer is None:
                return None
            page = landing.find_landing_page(
                site_id=tracking.site_id_for(request),
                page_id=offer.data.landing_page_id,
                language=get_language() or "",
            )
            invitation = _invitation(bare, holder, "friend", offer.data)
            response = shared_cache.drawn_for_everybody(bare, invitation, page)
            if response is not None:
                request.referral_invitation = invitation  # type: ignore[attr-defined]
                response.headers["Content-Language"] = get_language() or settings.LANGUAGE_CODE
            return response
    except Exception:
        logger.exception("A landing page for everybody could not be drawn")
        return None


def _share(request: HttpRequest, code: str) -> HttpResponse:
    holder = people.find_code(code)
    with translation.override(share_language(request, holder)):
        if holder is None:
            response = _answer(request, general_invitation(request, "unknown"))
        else:
            response = _arrive(request, holder)
        response.headers["Content-Language"] = get_language() or settings.LANGUAGE_CODE
    return response


def _without_invitation(request: HttpRequest) -> HttpResponse:
    """The general page as we draw it; where that fails too, the shop."""
    to = safe_path(request.GET.get("to"))
    if to:
        return HttpResponseRedirect(to)
    try:
        with translation.override(share_language(request, None)):
            response = landing.draw_landing_page(request, general_invitation(request), None)
            response.headers["Content-Language"] = get_language() or settings.LANGUAGE_CODE
            return response
    except Exception:
        logger.exception("The general page of share links failed")
        return HttpResponseRedirect(shop_start(request))


def _arrive(request: HttpRequest, holder: CodeHolder) -> HttpResponse:
    now = timezone.now()
    offer = programs.pick_terms(
        site_id=tracking.site_id_for(request),
        advocate_state=holder.advocate_state,
        user_id=holder.user_id,
        shown_terms_id=tracking.shown_terms_id(request, holder),
        now=now,
    )
    user: Any = getattr(request, "user", None)
    if user is not None and user.is_authenticated and user.pk == holder.user_id:
        return _answer(request, _invitation(request, holder, "own", offer.data if offer else None))

    to = safe_path(request.GET.get("to"))
    arrival = tracking.arrival_of(request)
    # A click on a landing page says nothing new about who came before: not read then.
    earlier = arrival.visit if not to else None
    # Who is led on sees no landing page.
    shown = None if to else _shown(arrival.ticket, offer)
    page = None if to else _landing_page(request, shown)
    visit = tracking.record_visit(
        request,
        holder,
        channel=request.GET.get("via", ""),
        offer=offer,
        page_id=page.pk if page is not None else None,
        now=now,
    )
    data = _promised(request, holder, offer)
    known = data is not None and data.new_customers_only and is_customer(request)
    used = not to and has_used(request, earlier, _program_of(holder, data, earlier))
    if to:
        # Nothing is put together that nobody reads.
        response: HttpResponse = HttpResponseRedirect(to)
    else:
        kind = "used" if used else "customer" if known else _kind(holder, data, earlier, now)
        invitation = _invitation(request, holder, kind, data)
        if earlier is not None and not invitation.channel and earlier.advocate_id == holder.advocate_id:
            # Opened again from the list of pages, or reloaded: it still came by that way.
            invitation = replace(invitation, channel=earlier.channel)
        invitation = invitation if data or used else _elsewhere(invitation, holder)
        response = landing.draw_landing_page(
            request, invitation, page if invitation.data == shown else _landing_page(request, invitation.data)
        )
    # Who has used an invitation stays known as such.
    if visit is not None and not known and not used and arrival.visit_id == visit.pk:
        tracking.remember(request, response, visit, offer.data if offer else None)
    return response


def _shown(ticket: tracking.Ticket | None, offer: OpenTerms | None) -> TermsData | None:
    """The terms whose page the visitor is about to see, before the visit is written: as ``_promised`` says after it."""
    if offer is None:
        return None
    first = ticket is not None and ticket.first_touch and ticket.terms_id != offer.terms_id
    return (terms_data(ticket.terms_id) if first and ticket is not None else None) or offer.data


def _landing_page(request: HttpRequest, data: TermsData | None) -> Any:
    """The page of these terms, or the site's; ``None`` where our general template has to do."""
    return landing.find_landing_page(
        site_id=tracking.site_id_for(request),
        page_id=data.landing_page_id if data else None,
        language=get_language() or "",
    )


def _program_of(holder: CodeHolder, data: TermsData | None, earlier: Visit | None) -> str:
    """Key of the program that this link is about; also of a closed one, for who came by the same link before."""
    if data is not None:
        return data.program_key
    if earlier is not None and earlier.terms is not None and earlier.advocate_id == holder.advocate_id:
        return str(earlier.terms.program_key)
    return ""


def _kind(holder: CodeHolder, data: TermsData | None, earlier: Visit | None, now: datetime) -> Kind:
    if data is None:
        return "closed"
    came_back = (
        earlier is not None
        and earlier.advocate_id == holder.advocate_id
        and now - earlier.created_at >= SAME_SITTING
    )
    return "returning" if came_back else "friend"


def _promised(request: HttpRequest, holder: CodeHolder, offer: OpenTerms | None) -> TermsData | None:
    """The terms that this visitor is bound to: of an earlier link where that one wins, else what is offered now."""
    arrival = tracking.arrival_of(request)
    ticket = arrival.ticket
    if ticket is None or (offer is not None and ticket.terms_id == offer.terms_id):
        return offer.data if offer else None
    if offer is None:
        # Closed for newcomers; who has committed already keeps what was promised.
        if (
            ticket.advocate_id != holder.advocate_id
            or arrival.visit is None
            or not hasattr(arrival.visit, "claim")
        ):
            return None
        return terms_data(ticket.terms_id)
    return terms_data(ticket.terms_id) or offer.data


def _invitation(request: HttpRequest, holder: CodeHolder, kind: Kind, data: TermsData | None) -> Invitation:
    ticket = tracking.arrival_of(request).ticket
    expires_at = None
    if data is not None:
        # Who only looks, as the preview of a messenger, has no ticket.
        expires_at = (
            datetime.fromtimestamp(ticket.expires, UTC)
            if ticket is not None
            else timezone.now() + timedelta(days=data.window_days)
        )
    return Invitation(
        kind=kind,
        public_name=holder.public_name,
        code=holder.code,
        data=data,
        share_url=request.build_absolute_uri(people.share_path(holder.code)),
        start_url=shop_start(request),
        register_url=register_url(request),
        expires_at=expires_at,
        channel=tracking.channel_from(request.GET.get("via")),
        referrer_id=holder.user_id,
    )


def _elsewhere(invitation: Invitation, holder: CodeHolder) -> Invitation:
    """The way to the site on which the link brings something; where there is none, as it is."""
    site = tracking.find_site(
        programs.site_of_offer(advocate_state=holder.advocate_state, user_id=holder.user_id)
    )
    if site is None:
        return invitation
    return replace(invitation, kind="elsewhere", share_url=sharing.share_url(holder.code, root=site.root_url))


def _answer(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    to = safe_path(request.GET.get("to"))
    if to:
        return HttpResponseRedirect(to)
    return landing.draw_landing_page(request, invitation, _landing_page(request, invitation.data))


@login_not_required
@require_safe
@cache_control(public=True, max_age=3600)
def picture(request: HttpRequest, code: str) -> HttpResponse:
    """The picture of a share preview: who invites, to what. PNG, 1200 x 630."""
    holder = people.find_code(code)
    if holder is None:
        raise Http404
    language = share_language(request, holder)
    with translation.override(language):
        site_id = tracking.site_id_for(request)
        offer = programs.pick_terms(
            site_id=site_id, advocate_state=holder.advocate_state, user_id=holder.user_id
        )
        # A name that cannot be drawn is left out: "A friend invites you".
        name = drawable(holder.public_name)
        invitation = Invitation("friend", name, data=offer.data if offer else None)
        page = landing.find_landing_page(
            site_id=site_id, page_id=offer.data.landing_page_id if offer else None, language=language
        )
        look = look_of(page, settings_of(site_id))
        png = share_picture(invitation.invites, invitation.gift, look, photo_of(page))
    response = HttpResponse(png, content_type="image/png")
    response.headers["X-Robots-Tag"] = "noindex"
    return response
