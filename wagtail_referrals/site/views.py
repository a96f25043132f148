"""The share link, its picture, and the page "Refer a friend" in the customer's account."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required, login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.cache import patch_cache_control
from django.utils.translation import get_language, get_language_from_request
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from wagtail_referrals import people, programs, rewards, tracking
from wagtail_referrals.people import CodeHolder
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import OpenTerms, TermsData
from wagtail_referrals.referrals import get_shop, reason_words
from wagtail_referrals.site import account as account_data
from wagtail_referrals.site import landing, sharing
from wagtail_referrals.site.invitation import (
    Invitation,
    general_invitation,
    is_customer,
    register_url,
    shop_start,
)
from wagtail_referrals.site.layout import account_layout_context
from wagtail_referrals.site.offer import terms_data
from wagtail_referrals.site.paths import safe_path
from wagtail_referrals.site.picture import drawable, share_picture

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
        response = _share(request, code)
    except Exception:
        logger.exception("A share link failed")
        response = _without_invitation(request)
    # The answer is this visitor's: it may set a cookie, and says whose friend they are.
    patch_cache_control(response, private=True, no_store=True)
    response.headers["X-Robots-Tag"] = "noindex"
    return response


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

    visit = tracking.record_visit(request, holder, channel=request.GET.get("via", ""), offer=offer, now=now)
    data = _promised(request, holder, offer)
    known = data is not None and data.new_customers_only and is_customer(request)
    to = safe_path(request.GET.get("to"))
    if to:
        # The way of every click on a landing page: nothing is put together that nobody reads.
        response: HttpResponse = HttpResponseRedirect(to)
    else:
        kind = "customer" if known else "friend" if data else "closed"
        invitation = _invitation(request, holder, kind, data)
        response = _answer(request, invitation if data else _elsewhere(invitation, holder))
    if visit is not None and not known and tracking.arrival_of(request).visit_id == visit.pk:
        tracking.remember(request, response, visit, offer.data if offer else None)
    return response


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


def _invitation(request: HttpRequest, holder: CodeHolder, kind: Any, data: TermsData | None) -> Invitation:
    return Invitation(
        kind=kind,
        public_name=holder.public_name,
        code=holder.code,
        data=data,
        share_url=request.build_absolute_uri(people.share_path(holder.code)),
        start_url=shop_start(request),
        register_url=register_url(request),
        expires_at=timezone.now() + timedelta(days=data.window_days) if data else None,
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
    page = landing.find_landing_page(
        site_id=tracking.site_id_for(request),
        page_id=invitation.data.landing_page_id if invitation.data else None,
        language=get_language() or "",
    )
    return landing.draw_landing_page(request, invitation, page)


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
        invitation = Invitation("friend", holder.public_name, data=offer.data if offer else None)
        page = landing.find_landing_page(
            site_id=site_id, page_id=offer.data.landing_page_id if offer else None, language=language
        )
        invites = invitation.invites
        if not drawable(invites):
            invites = replace(invitation, public_name="").invites
        png = share_picture(invites, invitation.gift, getattr(page, "picture", None))
    response = HttpResponse(png, content_type="image/png")
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _follow_language(advocate: Advocate) -> None:
    """Mails are written in the language in which the customer last used this page."""
    language = get_language() or ""
    if language and language != advocate.language:
        advocate.language = language
        advocate.save(update_fields=["language"])
        people.forget_code(advocate)


@login_required
@require_POST
def use_discount(request: HttpRequest, token: UUID) -> HttpResponse:
    """Put a reward that is a discount into the basket; back to the account, with the reason, where that is not so."""
    grant = rewards.reward_by_token(request.user, token)
    if grant is None:
        raise Http404
    refusal = rewards.discount_refusal(grant, user_id=request.user.pk, basket_reference="")
    if refusal is None:
        url = get_shop().use_discount(request, grant.code)
        if url:
            return HttpResponseRedirect(url)
        words = _("Type the code %(code)s in your basket.") % {"code": grant.code}
    else:
        words = _("This reward cannot be used: %(reason)s.") % {"reason": reason_words(refusal)}
    messages.warning(request, words, fail_silently=True)
    return HttpResponseRedirect(reverse("referrals:account"))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """The customer's own page: link, name that friends see, friends, rewards, credit."""
    advocate = people.advocate_for(request.user)
    _follow_language(advocate)
    form = account_data.NameForm(request.POST or None, instance=advocate)
    if request.method == "POST" and form.is_valid():
        form.save()
        return HttpResponseRedirect(request.path)
    context = {
        **account_layout_context(),
        **account_data.account_context(request, advocate, form),
        "page_title": _("Refer a friend"),
        "active_tab": "referrals",
    }
    response: HttpResponse = TemplateResponse(request, "wagtail_referrals/account.html", context)
    patch_cache_control(response, private=True, no_store=True)
    return response
