"""What a customer is written about: their own page, and the same by the links of a mail, without a login.

Whoever has the link of a mail may change that, and reads nothing else of the customer: neither name nor address.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib import messages as notices
from django.contrib.auth.decorators import login_not_required, login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import translation
from django.utils.cache import patch_cache_control
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from wagtail_referrals import messages
from wagtail_referrals.messages.models import Preferences
from wagtail_referrals.site.account.views import own_page
from wagtail_referrals.site.layout import layout_context


class PreferencesForm(forms.Form):
    """One box for each kind, by topic. ``wanted`` are keys of kinds."""

    wanted = forms.MultipleChoiceField(required=False)
    wants_nothing = forms.BooleanField(
        required=False,
        label=gettext_lazy("Write to me about none of this"),
        help_text=gettext_lazy(
            "What you have asked for yourself, and what a membership costs you, we still write."
        ),
    )
    time_zone = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Your time zone"),
        help_text=gettext_lazy("Nothing is sent at night, by this clock."),
    )
    channel = forms.ChoiceField(required=False, label=gettext_lazy("How we reach you"))

    def __init__(self, data: Any, preferences: Preferences) -> None:
        initial = {
            "wants_nothing": preferences.wants_nothing,
            "time_zone": preferences.time_zone,
            "channel": preferences.channel,
        }
        super().__init__(data, initial=initial, auto_id="referrals-%s", label_suffix="")
        self.preferences = preferences
        self.offered = messages.offered_kinds()
        self.topics = messages.choices_of(preferences, self.offered)
        # Also what an editor has switched off since the page was opened: then nothing is said about it.
        self._choose("wanted", [(kind.key, kind.label) for kind in messages.refusable_kinds()])
        shops = _("As the shop: %(zone)s") % {"zone": settings.TIME_ZONE.replace("_", " ")}
        zones = [(name, name.replace("_", " ")) for name in sorted(available_timezones()) if "/" in name]
        self._choose("time_zone", [("", shops), *(pair for pair in zones if not pair[0].startswith("Etc/"))])
        ways = messages.channels.choices()
        if len(ways) > 1:
            self._choose("channel", ways)
        else:
            del self.fields["channel"]

    def _choose(self, name: str, choices: list[tuple[str, Any]]) -> None:
        field: Any = self.fields[name]
        field.choices = choices

    def save(self) -> None:
        messages.save_preferences(
            self.preferences.user,
            wanted=self.cleaned_data["wanted"],
            offered=self.offered,
            wants_nothing=self.cleaned_data["wants_nothing"],
            time_zone=self.cleaned_data["time_zone"],
            channel=self.cleaned_data.get("channel") or self.preferences.channel,
        )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def own_mails(request: HttpRequest) -> HttpResponse:
    """In the account of the customer."""
    form = PreferencesForm(request.POST or None, messages.preferences_of(request.user))
    if request.method == "POST" and form.is_valid():
        form.save()
        notices.success(request, _("Saved."), fail_silently=True)
        return HttpResponseRedirect(request.path)
    return own_page(request, "mails", _("What we write to you about"), {"form": form})


def _by_link(view: Callable[..., TemplateResponse]) -> Callable[..., HttpResponse]:
    """With the customer and the topic that the link's token names, in the language in which they are written to.

    ``None`` for both where it names nobody. For this reader alone, and for no search engine.
    """

    @wraps(view)
    def answer(request: HttpRequest, token: str) -> HttpResponse:
        user, topic = messages.read_token(token) or (None, None)
        language = messages.languages_of({user.pk}).get(user.pk) if user is not None else None
        with translation.override(language or get_language()):
            response = view(request, token, user, topic)
            response.context_data = {**layout_context(), **(response.context_data or {})}
            response.render()
            response.headers["Content-Language"] = get_language() or ""
        patch_cache_control(response, private=True, no_store=True)
        response.headers["X-Robots-Tag"] = "noindex"
        # The address of the page is the mail's. With "no-referrer" browsers would keep Origin from the form, too.
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    return answer


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@_by_link
def mails(request: HttpRequest, token: str, user: Any, topic: messages.Topic | None) -> TemplateResponse:
    """By the link of a mail."""
    form = PreferencesForm(request.POST or None, messages.preferences_of(user)) if user is not None else None
    saved = form is not None and request.method == "POST" and form.is_valid()
    if form is not None and saved:
        form.save()
        form = PreferencesForm(None, messages.preferences_of(user))
    return TemplateResponse(request, "wagtail_referrals/mails_page.html", {"form": form, "saved": saved})


@csrf_exempt
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
@_by_link
def unsubscribe(
    request: HttpRequest, token: str, user: Any, topic: messages.Topic | None
) -> TemplateResponse:
    """By a button, or by the mail program's own (RFC 8058), which brings neither a cookie nor a CSRF token.

    Only a POST changes anything: what scans mails for dangers opens their links.
    """
    context: dict[str, Any] = {"topic": None}
    if topic is not None:
        if request.method == "POST" and request.POST.get("again") == "yes":
            messages.subscribe_again(user, topic)
        elif request.method == "POST":
            messages.unsubscribe(user, topic)
        context = {
            "topic": messages.TOPICS[topic],
            "is_wanted": messages.wants_topic(user, topic),
            "wants_nothing": messages.preferences_of(user).wants_nothing,
            "is_answer": request.method == "POST",
            "mails_url": reverse("referrals:mails", args=[token]),
        }
    return TemplateResponse(request, "wagtail_referrals/unsubscribe_page.html", context)
