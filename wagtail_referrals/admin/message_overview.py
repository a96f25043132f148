"""All that is written to people: what each message is, when it is sent, in whose words, and whether at all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.forms import Media
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views import View
from django.views.generic import TemplateView
from wagtail.admin import messages
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.widgets.button import HeaderButton

from wagtail_referrals.admin.message_form import NAMESPACE, OVERVIEW_URL, kind_label, state_words
from wagtail_referrals.messages.kinds import TOPICS, MessageKind, message_kinds
from wagtail_referrals.messages.models import MessageSwitch, MessageTemplate
from wagtail_referrals.messages.words import SEQUENCE
from wagtail_referrals.programs.models import Program

SWITCH_URL: Final = "wagtail_referrals_messages_switch"
PERMISSION: Final = "wagtail_referrals.{}_messagetemplate"
ON: Final = "on"
OFF: Final = "off"
AS_ALL: Final = "as_all"


def may_look(user: Any) -> bool:
    return any(user.has_perm(PERMISSION.format(action)) for action in ("add", "change", "delete", "view"))


def may_switch(user: Any) -> bool:
    """Who publishes words decides whether any are sent."""
    return bool(user.has_perm(PERMISSION.format("publish")))


class OverviewView(WagtailAdminTemplateMixin, TemplateView):
    template_name = "wagtail_referrals/admin/messages.html"
    page_title = _("Messages")
    header_icon = "comment"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # A view without a model is open to every editor unless it asks.
        if not may_look(request.user):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": self.page_title}]

    @property
    def header_buttons(self) -> list[Any]:
        buttons = [
            HeaderButton(
                _("All own words"),
                url=reverse(f"{NAMESPACE}:list"),
                icon_name="list-ul",
                priority=20,
            )
        ]
        if self.request.user.has_perm("wagtail_referrals.view_message"):
            buttons.append(
                HeaderButton(
                    _("Sent messages"),
                    url=reverse("wagtail_referrals_sent:index"),
                    icon_name="clipboard-list",
                    priority=30,
                )
            )
        return buttons

    @property
    def media(self) -> Media:
        return Media(css={"all": [versioned_static("wagtail_referrals/admin/admin.css")]})

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = self.request.user
        return super().get_context_data(
            topics=topics_of(user),
            sequence=_sequence_card(user),
            may_switch=may_switch(user),
            media=self.media,
            **kwargs,
        )


def topics_of(user: Any) -> list[dict[str, Any]]:
    """The kinds, by what they are about, as cards. A constant number of queries."""
    programs = list(Program.objects.order_by("precedence", "pk"))
    switches = {(row.kind, row.program_id): row.is_on for row in MessageSwitch.objects.all()}
    written: dict[str, list[MessageTemplate]] = {}
    for template in MessageTemplate.objects.select_related("program").exclude(kind=SEQUENCE):
        written.setdefault(template.kind, []).append(template)
    found = []
    for topic, label in TOPICS.items():
        kinds = [kind for kind in message_kinds if kind.topic == topic and kind.key != SEQUENCE]
        cards = [_card(kind, user, written.get(kind.key, []), programs, switches) for kind in kinds]
        if cards:
            found.append({"key": topic.value, "label": label, "cards": cards})
    return found


def _card(
    kind: MessageKind,
    user: Any,
    written: list[MessageTemplate],
    programs: Iterable[Program],
    switches: dict[tuple[str, Any], bool],
) -> dict[str, Any]:
    is_on = switches.get((kind.key, None), kind.is_on)
    return {
        "key": kind.key,
        "label": kind_label(kind.key),
        "when": kind.when,
        "is_on": is_on,
        "is_standard": not any(template.live and template.program is None for template in written),
        "own": [_own(template, user) for template in written],
        "write_url": _write_url(kind.key, user) if kind.standard is not None else "",
        "switch_url": reverse(SWITCH_URL, args=[kind.key]),
        "programs": [
            {"pk": program.pk, "name": str(program), "choice": _choice(switches.get((kind.key, program.pk)))}
            for program in programs
        ],
        "exceptions": [
            {"name": str(program), "is_on": switches[kind.key, program.pk]}
            for program in programs
            if switches.get((kind.key, program.pk), is_on) != is_on
        ],
    }


def _own(template: MessageTemplate, user: Any) -> dict[str, Any]:
    return {
        "name": str(template),
        "program": str(template.program) if template.program else "",
        "state": state_words(template),
        "is_live": template.live,
        "url": reverse(f"{NAMESPACE}:edit", args=[template.pk])
        if user.has_perm(PERMISSION.format("change"))
        else "",
    }


def _write_url(kind: str, user: Any) -> str:
    if not user.has_perm(PERMISSION.format("add")):
        return ""
    return f"{reverse(f'{NAMESPACE}:add')}?{urlencode({'kind': kind})}"


def _choice(is_on: bool | None) -> str:
    return AS_ALL if is_on is None else ON if is_on else OFF


def _sequence_card(user: Any) -> dict[str, Any] | None:
    """What steps of sequences send has a text of its own each."""
    if SEQUENCE not in message_kinds:
        return None
    templates = MessageTemplate.objects.filter(kind=SEQUENCE).select_related("program")
    return {
        "own": [_own(template, user) for template in templates],
        "write_url": _write_url(SEQUENCE, user),
    }


class SwitchView(View):
    """Send a kind of message, or not: for all programs, or for one."""

    http_method_names = ("post",)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not may_switch(request.user):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, kind: str) -> HttpResponse:
        choice, number = request.POST.get("choice", ""), request.POST.get("program", "")
        if kind not in message_kinds or kind == SEQUENCE or choice not in (ON, OFF, AS_ALL):
            return HttpResponseBadRequest()
        program = None
        if number:
            program = (
                Program.objects.filter(pk=number).first() if number.isdecimal() and len(number) < 19 else None
            )
            if program is None:
                return HttpResponseBadRequest()
        with transaction.atomic():
            if choice == AS_ALL:
                MessageSwitch.objects.filter(kind=kind, program=program).delete()
            else:
                MessageSwitch.objects.update_or_create(
                    kind=kind, program=program, defaults={"is_on": choice == ON}
                )
        words = {"message": kind_label(kind), "program": program}
        if program is None:
            said = (
                gettext("“%(message)s” is sent.") if choice == ON else gettext("“%(message)s” is not sent.")
            )
        elif choice == AS_ALL:
            said = gettext("“%(message)s” is sent by “%(program)s” as by all.")
        elif choice == ON:
            said = gettext("“%(message)s” is sent by “%(program)s”.")
        else:
            said = gettext("“%(message)s” is not sent by “%(program)s”.")
        messages.success(request, said % words)
        return redirect(f"{reverse(OVERVIEW_URL)}#{kind}")
