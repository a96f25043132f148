"""The page "Your memberships" in the customer's account, and the switch of a renewal on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from oscar_integration.memberships import renewals
from oscar_integration.memberships.customer_page import page_context
from oscar_integration.memberships.models import Membership
from oscar_integration.memberships.words import day_words
from wagtail_referrals.site.layout import account_layout_context


def _back_to_the_list(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Lead whoever comes by GET to the page: a login that was asked for by a POST ends in a GET of its address."""

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method in ("GET", "HEAD"):
            return HttpResponseRedirect(reverse("memberships:list"))
        return view(request, *args, **kwargs)

    return wrapper


@login_required
@require_safe
def memberships(request: HttpRequest) -> HttpResponse:
    """The customer's memberships: what runs and what was."""
    context = {
        **account_layout_context(),
        **page_context(request),
        "page_title": _("Your memberships"),
        "active_tab": "memberships",
    }
    response = TemplateResponse(request, "oscar_integration/memberships/list.html", context)
    patch_cache_control(response, private=True, no_store=True)
    return response


@_back_to_the_list
@login_required
@require_POST
def renewal(request: HttpRequest, pk: int) -> HttpResponse:
    """Switch the renewal of one of the customer's own memberships on or off, as ``on`` says: twice is once."""
    own = _own(request, pk)
    wanted = request.POST.get("on") == "1"
    if own.state == Membership.State.ENDED:
        messages.warning(request, _("This membership has ended already."), fail_silently=True)
    else:
        renewals.switch_renewal(own.pk, wanted, timezone.now())
        own.refresh_from_db()
        messages.success(request, _said(own), fail_silently=True)
    return HttpResponseRedirect(reverse("memberships:list"))


@_back_to_the_list
@login_required
@require_POST
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Charge a card that was declined again, with the next sweep: the customer has seen to it."""
    if renewals.try_soon(_own(request, pk).pk, timezone.now()):
        messages.success(
            request, _("We try it again within the next minutes, and write to you."), fail_silently=True
        )
    return HttpResponseRedirect(reverse("memberships:list"))


def _own(request: HttpRequest, pk: int) -> Membership:
    """The customer's own membership of a plan that renews. Raises ``Http404``."""
    found = (
        Membership.objects.select_related("plan")
        .filter(pk=pk, user=request.user.pk, plan__renews=True)
        .first()
    )
    if found is None:
        raise Http404
    return found


def _said(membership: Membership) -> str:
    """What is so now."""
    day = {"day": day_words(membership.ends_at)}
    if membership.renews:
        return _("The renewal is switched on. The next one is on %(day)s.") % day
    if membership.state == Membership.State.ENDED:
        return _("The renewal is switched off, and the membership has ended. Nothing is charged.")
    return _("The renewal is switched off. You have access until %(day)s, and nothing more is charged.") % day
