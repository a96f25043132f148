"""The customer's own pages, as they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from wagtail_referrals import people, recognition, rewards, tracking
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.referrals import (
    RequestError,
    answer_request,
    get_shop,
    reason_for_advocate,
    reason_words,
    report_order,
    set_name_agreed,
)
from wagtail_referrals.referrals.models import AttributionRequest
from wagtail_referrals.site.account import choices, pages
from wagtail_referrals.site.account.choices import NameForm
from wagtail_referrals.site.account.orders import ReportForm
from wagtail_referrals.site.layout import account_layout_context

# Where a form may lead back to; what it names otherwise is not followed.
BACK: Final = frozenset({"account", "friends", "settings"})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """The overview: the link, how far the customer is, and what waits for them."""
    advocate = _advocate(request)
    form = NameForm(request.POST or None, instance=advocate)
    if request.method == "POST" and form.is_valid():
        form.save()
        return HttpResponseRedirect(request.path)
    return _page(request, "account", advocate, _("Refer a friend"), pages.overview(request, advocate, form))


@login_required
@require_safe
def friends(request: HttpRequest) -> HttpResponse:
    """Every friend, and what became of them."""
    advocate = _advocate(request)
    return _page(request, "friends", advocate, _("Your friends"), pages.friends(request, advocate))


@login_required
@require_POST
def report(request: HttpRequest) -> HttpResponse:
    """ "My friend ordered but I don't see it": the number of the order goes to staff."""
    advocate = _advocate(request)
    form = ReportForm(request.POST)
    if form.is_valid():
        try:
            report_order(advocate, form.cleaned_data["reference"], site_id=tracking.site_id_for(request))
        except RequestError as error:
            form.add_error("reference", str(error))
    if form.errors:
        return _page(request, "friends", advocate, _("Your friends"), pages.friends(request, advocate, form))
    messages.success(request, _("Thank you. We look at it, and answer here."), fail_silently=True)
    return HttpResponseRedirect(reverse("referrals:friends"))


@login_required
@require_POST
def answer(request: HttpRequest, pk: int) -> HttpResponse:
    """Somebody who ordered has named the customer: is that so?"""
    confirmed = request.POST.get("confirmed") == "yes"
    try:
        answered = answer_request(pk, _advocate(request), confirmed)
    except RequestError as error:
        messages.warning(request, str(error), fail_silently=True)
    else:
        if confirmed and answered.state == AttributionRequest.State.REFUSED:
            words = _("Thank you for the answer. It cannot be counted: %(reason)s.") % {
                "reason": reason_for_advocate(answered.reason)
            }
            messages.warning(request, words, fail_silently=True)
        else:
            thanks = (
                _("Thank you. What becomes of it, you see here.")
                if confirmed
                else _("Thank you for the answer.")
            )
            messages.success(request, thanks, fail_silently=True)
    return _back(request, "friends")


@login_required
@require_safe
def rewards_page(request: HttpRequest) -> HttpResponse:
    """What the customer has: to use, to spend, to wear."""
    advocate = _advocate(request)
    return _page(request, "rewards", advocate, _("Your rewards"), pages.rewards(request, advocate))


@login_required
@require_POST
def use_discount(request: HttpRequest, token: UUID) -> HttpResponse:
    """Put a reward that is a discount into the basket; back to the rewards, with the reason, where that is not so."""
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
    return HttpResponseRedirect(reverse("referrals:rewards"))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def settings(request: HttpRequest) -> HttpResponse:
    """What the customer decides: the name that friends see, who reads of them, whether they refer."""
    advocate = _advocate(request)
    form = NameForm(request.POST or None, instance=advocate)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Saved."), fail_silently=True)
        return HttpResponseRedirect(request.path)
    return _page(request, "settings", advocate, _("Settings"), pages.settings(request, advocate, form))


@login_required
@require_POST
def choose(request: HttpRequest, choice: str) -> HttpResponse:
    """One choice of the customer's, see ``CHOICES``."""
    if choice not in CHOICES:
        raise Http404
    words = CHOICES[choice](_advocate(request), request.POST)
    if words:
        messages.success(request, words, fail_silently=True)
    return _back(request, "settings")


@login_required
@require_POST
def withdraw(request: HttpRequest) -> HttpResponse:
    """The customer leaves the program."""
    if choices.leave(_advocate(request)):
        messages.success(
            request,
            _("You have left the program. What was promised before stays as it is."),
            fail_silently=True,
        )
    return HttpResponseRedirect(reverse("referrals:account"))


@login_required
@require_POST
def show_name(request: HttpRequest, pk: int) -> HttpResponse:
    """Who was invited lets that person read their first name, or no longer."""
    if not set_name_agreed(request.user, pk, agreed=request.POST.get("agreed") == "yes"):
        raise Http404
    return _back(request, "settings")


def own_page(request: HttpRequest, name: str, title: str, context: dict[str, Any]) -> HttpResponse:
    """Another page of the customer's own, which stands with the settings: ``wagtail_referrals/account_<name>.html``."""
    return _page(
        request, name, _advocate(request), title, {**context, "sections": pages.sections("settings")}
    )


def _come_back(advocate: Advocate, said: Mapping[str, str]) -> str:
    return _("Welcome back. Your link works again.") if choices.come_back(advocate) else ""


def _join_leaderboards(advocate: Advocate, said: Mapping[str, str]) -> str:
    if not choices.may_be_named(advocate):
        return ""
    recognition.join_leaderboards(advocate)
    return _("You are in the leaderboards now.")


def _leave_leaderboards(advocate: Advocate, said: Mapping[str, str]) -> str:
    recognition.leave_leaderboards(advocate)
    return _("You are no longer in the leaderboards.")


def _agree_to_thanks(advocate: Advocate, said: Mapping[str, str]) -> str:
    # Else the page asks again, with the words of now.
    if not choices.may_be_named(advocate) or not recognition.agree_to_feature(
        advocate, version=said.get("version", "")
    ):
        return ""
    return _("Thank you. You are on the wall of thanks now.")


def _decline_thanks(advocate: Advocate, said: Mapping[str, str]) -> str:
    recognition.decline_feature(advocate)
    return _("You are not on the wall of thanks.")


# Part of the address -> what it does, and what the customer reads then; "" when nothing came of it.
CHOICES: Final[dict[str, Callable[[Advocate, Mapping[str, str]], str]]] = {
    "come-back": _come_back,
    "join-leaderboards": _join_leaderboards,
    "leave-leaderboards": _leave_leaderboards,
    "agree-to-thanks": _agree_to_thanks,
    "decline-thanks": _decline_thanks,
}


def _advocate(request: HttpRequest) -> Advocate:
    """The customer as a referrer. Mails are written in the language in which they last used these pages."""
    advocate = people.advocate_for(request.user)
    language = get_language() or ""
    if language and language != advocate.language:
        advocate.language = language
        advocate.save(update_fields=["language"])
        people.forget_code(advocate)
    return advocate


def _page(
    request: HttpRequest, name: str, advocate: Advocate, title: str, context: dict[str, Any]
) -> HttpResponse:
    template = "account" if name == "account" else f"account_{name}"
    response: HttpResponse = TemplateResponse(
        request,
        f"wagtail_referrals/{template}.html",
        {
            **account_layout_context(),
            "sections": pages.sections(name),
            **context,
            "advocate": advocate,
            "page_title": title,
            "active_tab": "referrals",
            # Where the shop's layout has shown them already, nothing is left of them here.
            "notices": messages.get_messages(request),
        },
    )
    patch_cache_control(response, private=True, no_store=True)
    return response


def _back(request: HttpRequest, default: str) -> HttpResponse:
    name = request.POST.get("back", "")
    return HttpResponseRedirect(reverse(f"referrals:{name if name in BACK else default}"))
