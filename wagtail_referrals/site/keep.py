""" "Keep it for me": a visitor leaves an address to have the invitation by e-mail, comes back by it, has it removed.

Whether an address is known, as a customer's or because it was left before, shows in no answer. The mail leaves after
the answer, so that its time says nothing either.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.cache import patch_cache_control
from django.utils.translation import get_language, gettext_lazy
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from wagtail_referrals import messages, people, programs, rewards, tracking
from wagtail_referrals.messages.models import Message
from wagtail_referrals.people import CodeHolder
from wagtail_referrals.referrals import get_shop
from wagtail_referrals.site import landing
from wagtail_referrals.site.invitation import Invitation
from wagtail_referrals.site.layout import layout_context
from wagtail_referrals.site.nobody import is_for_nobody
from wagtail_referrals.site.shared_cache import arrive
from wagtail_referrals.site.views import share_language
from wagtail_referrals.tracking.models import Claim, Lead, Visit
from wagtail_referrals.tracking.robots import only_looks

logger = logging.getLogger(__name__)

# Whom the page offers it: for others there is nothing to keep.
KINDS: Final = ("friend", "returning")


class KeepForm(forms.Form):
    """An address, and what its owner agrees to. The labels are kept with the address: they are what was agreed to."""

    email = forms.EmailField(
        label=gettext_lazy("Your e-mail address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    mail = forms.BooleanField(
        label=gettext_lazy("Yes, send me one e-mail with this invitation, and keep my address for it."),
        error_messages={"required": gettext_lazy("Without your consent we cannot send it.")},
    )
    reminder = forms.BooleanField(
        label=gettext_lazy("Also remind me of it until it ends, with a few e-mails at most."), required=False
    )

    def __init__(self, *args: Any, expires_at: datetime | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "referrals-keep-%s", **kwargs})
        soon = timezone.now() + timedelta(days=messages.REMIND_DAYS + 1)
        if expires_at is not None and expires_at < soon:
            del self.fields["reminder"]

    @property
    def consent(self) -> str:
        """The words that were agreed to, as the visitor read them."""
        return "\n".join(
            str(self.fields[name].label) for name in ("mail", "reminder") if self.cleaned_data.get(name)
        )


def keep_context(request: HttpRequest, invitation: Invitation, page: Any) -> dict[str, Any]:
    """For includes/keep.html on a landing page: ``keep_form`` and ``keep_url``, or ``keep_link``.

    Nothing where it is not offered.
    """
    user = getattr(request, "user", None)
    if (
        not getattr(page, "keep_by_email", False)
        or invitation.kind not in KINDS
        # Who has an account finds the invitation there.
        or (user is not None and user.is_authenticated and invitation.code)
    ):
        return {}
    # A preview has no code, and a button that leads nowhere.
    url = reverse("referrals:keep", args=[invitation.code]) if invitation.code else ""
    if is_for_nobody(request):
        # A form is one visitor's, by its token: what everybody reads leads to it.
        return {"keep_link": f"{url}?{urlencode({'via': invitation.channel})}" if invitation.channel else url}
    return {"keep_form": KeepForm(expires_at=invitation.expires_at), "keep_url": url}


def _personal(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """In the language of the share link; for this visitor alone, and for no search engine."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        holder = people.find_code(kwargs["code"]) if "code" in kwargs else None
        with translation.override(share_language(request, holder)):
            response = view(request, *args, **kwargs)
            if isinstance(response, TemplateResponse):
                response.render()
            response.headers["Content-Language"] = get_language() or ""
        patch_cache_control(response, private=True, no_store=True)
        response.headers["X-Robots-Tag"] = "noindex"
        # The address of the page may be a mail's. With "no-referrer" browsers would keep Origin from the form, too.
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    return answer


class _DeliversAfterwards(HttpResponseRedirect):
    """Sends this visitor's mail once they have the answer. Whatever fails there, the sweep does again."""

    planned: Message | None = None

    def close(self) -> None:
        try:
            if self.planned is not None:
                messages.deliver([self.planned.key])
        except Exception:
            logger.exception("The mail with an invitation waits for the sweep")
        super().close()


@sensitive_post_parameters("email")
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@_personal
def keep(request: HttpRequest, code: str) -> HttpResponse:
    """The form on a page of its own, and what any of the forms is sent to."""
    holder = people.find_code(code)
    user = getattr(request, "user", None)
    if holder is None or (user is not None and user.is_authenticated) or not _is_offered(request, holder):
        return HttpResponseRedirect(people.share_path(code))
    remembered = None
    if request.method != "POST":
        remembered = arrive(request, holder)
    ticket = tracking.arrival_of(request).ticket
    if ticket is None:
        # The offer has ended, or the browser keeps no cookie: the page itself says what holds.
        return HttpResponseRedirect(people.share_path(holder.code))
    expires_at = datetime.fromtimestamp(ticket.expires, UTC)
    form = KeepForm(request.POST or None, expires_at=expires_at)
    if request.method == "POST" and form.is_valid():
        return _keep(request, holder, form)
    invitation = _invitation_of(tracking.arrival_of(request).visit, expires_at)
    if invitation is None:
        return HttpResponseRedirect(people.share_path(holder.code))
    response = _page(
        request,
        "wagtail_referrals/keep_page.html",
        invitation=invitation,
        keep_form=form,
        keep_url=request.path,
    )
    if remembered is not None:
        tracking.remember(request, response, remembered)
    return response


@login_not_required
@require_safe
@_personal
def sent(request: HttpRequest, code: str) -> HttpResponse:
    """The same for everybody who has left an address."""
    return _page(request, "wagtail_referrals/keep_sent.html", share_url=people.share_path(code))


@login_not_required
@require_safe
@_personal
def kept(request: HttpRequest, token: UUID) -> HttpResponse:
    """The link in the mail: the invitation is this browser's again, and the page is shown."""
    lead = tracking.find_lead(token)
    if lead is None:
        return HttpResponseRedirect(reverse("referrals:share_nobody"))
    claim = lead.claim
    now = timezone.now()
    response = HttpResponseRedirect(people.share_path(people.code_of(claim.advocate)))
    if claim.visit is not None and tracking.claim_is_open(claim, now) and not only_looks(request):
        tracking.remember(request, response, claim.visit, arrived_at=now)
        if Lead.objects.filter(pk=lead.pk, opened_at=None).update(opened_at=now):
            messages.address_opened(lead, now=now)
    return response


@csrf_exempt
@sensitive_variables()
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@_personal
def remove(request: HttpRequest, token: UUID) -> HttpResponse:
    """Have the address removed, by a button, or by the mail program's own (RFC 8058), which brings no CSRF token.

    Whoever knows the address of this page may: it stands in the mail only. Twice is once.
    """
    if request.method == "POST":
        with transaction.atomic():
            if email := tracking.remove_address(token):
                messages.refuse_invitations(email)
    removed = request.method == "POST" or not Lead.objects.filter(token=token).exists()
    return _page(
        request, "wagtail_referrals/keep_remove.html", removed=removed, refused_days=messages.REFUSED_DAYS
    )


def _page(request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
    return TemplateResponse(request, template, {**layout_context(), **context})


def _is_offered(request: HttpRequest, holder: CodeHolder) -> bool:
    """Does the landing page of this link offer it? Where no editor wanted it, no mail is sent."""
    offer = programs.pick_terms(
        site_id=tracking.site_id_for(request),
        advocate_state=holder.advocate_state,
        user_id=holder.user_id,
        shown_terms_id=tracking.shown_terms_id(request, holder),
    )
    page = landing.find_landing_page(
        site_id=tracking.site_id_for(request),
        page_id=offer.data.landing_page_id if offer else None,
        language=get_language() or "",
    )
    return bool(getattr(page, "keep_by_email", False))


def _invitation_of(visit: Visit | None, expires_at: datetime) -> Invitation | None:
    if visit is None or visit.terms is None:
        return None
    return Invitation(
        kind="friend",
        public_name=visit.advocate.public_name,
        data=programs.parse(visit.terms),
        expires_at=expires_at,
    )


class _TooMany(Exception):
    """More than anybody's friends: a script."""


@sensitive_variables()
def _keep(request: HttpRequest, holder: CodeHolder, form: KeepForm) -> HttpResponse:
    """Save the invitation, which any friend may have; then the address, and plan the mail, if it is to be kept."""
    answer = _DeliversAfterwards(reverse("referrals:keep_sent", args=[holder.code]))
    if tracking.is_robot(request):
        return answer
    now = timezone.now()
    email = _tidy(form.cleaned_data["email"])
    with suppress(_TooMany), transaction.atomic():
        claim = rewards.commit(
            visit=tracking.arrival_of(request).visit, language=get_language() or "", now=now
        )
        if claim is None or not tracking.claim_is_open(claim, now):
            return HttpResponseRedirect(people.share_path(holder.code))
        if claim.created_at == now and tracking.is_one_too_many(claim, now):
            # Neither the promise nor the address; the visitor's browser knows the link as before.
            raise _TooMany
        if not _is_known(email):
            answer.planned = _leave(claim, email, form, now)
    return answer


@sensitive_variables()
def _leave(claim: Claim, email: str, form: KeepForm, now: datetime) -> Message | None:
    with transaction.atomic():
        lead = tracking.keep_address(
            claim,
            email,
            consent=form.consent,
            wants_reminders=bool(form.cleaned_data.get("reminder")),
            language=get_language() or "",
            now=now,
        )
        planned = messages.plan_invitation(lead, now=now) if lead is not None else None
        if lead is not None and planned is None and not lead.messages.exists():
            # An address to which nothing will be sent is for nothing.
            lead.delete()
        return planned


def _tidy(email: str) -> str:
    """As people write it, but for the domain, which has no case."""
    local, _at, domain = email.strip().rpartition("@")
    return f"{local}@{domain.lower()}"


@sensitive_variables()
def _is_known(email: str) -> bool:
    """Is it the address of an account, or of somebody who has ordered? They have no need of the mail."""
    if any(rows.exists() for rows in people.email_rows_of(None, email)):
        return True
    try:
        with transaction.atomic():
            return get_shop().was_customer(user=None, email=email, excluding=None)
    except Exception:
        logger.exception("The shop did not say whether an address is a customer's")
        # Rather nothing than the address of a customer.
        return True
