"""Messages that were sent, wait, or failed: to whom, in which state and why."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import django_filters
from django import forms
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views import View
from wagtail.admin import messages
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import StatusTagColumn
from wagtail.admin.views import generic
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin

from wagtail_referrals.admin.filters import SiteDatesFilter
from wagtail_referrals.admin.listing import (
    MINOR,
    Column,
    MomentColumn,
    RecordColumn,
    RecordIndexView,
    RecordViewSet,
    keys_of,
    users_like,
)
from wagtail_referrals.admin.message_form import kind_label
from wagtail_referrals.admin.words import person
from wagtail_referrals.messages import compose, deliver
from wagtail_referrals.messages.content import Content
from wagtail_referrals.messages.kept import REFUSED
from wagtail_referrals.messages.kinds import message_kinds
from wagtail_referrals.messages.models import Message
from wagtail_referrals.programs.models import language_choices
from wagtail_referrals.referrals.timeline import NOT_SENT

NAMESPACE: Final = "wagtail_referrals_sent"
CHANGE: Final = "wagtail_referrals.change_message"
# Who may see referrals sees who customers are.
SEE_PEOPLE: Final = "wagtail_referrals.view_referral"
SEE_VISITORS: Final = "wagtail_referrals.view_lead"


def kind_choices() -> list[tuple[str, str]]:
    return sorted(((kind.key, kind_label(kind.key)) for kind in message_kinds), key=lambda kind: kind[1])


class MessageFilterSet(WagtailFilterSet):
    state = django_filters.MultipleChoiceFilter(
        distinct=False, label=_("State"), choices=Message.State.choices, widget=forms.CheckboxSelectMultiple
    )
    kind = django_filters.ChoiceFilter(label=_("Message"), choices=kind_choices)
    reason = django_filters.ChoiceFilter(label=_("Why"), choices=lambda: list(NOT_SENT.items()))
    created_at = SiteDatesFilter(label=_("Date"))
    sent_at = SiteDatesFilter(label=pgettext_lazy("message", "Sent"))

    class Meta:
        model = Message
        fields: list[str] = []


def reader_words(message: Message, user: Any) -> str:
    """To whom, as far as this member of staff may know it. Needs ``message.user`` and ``message.lead``."""
    if message.user is not None:
        if user.has_perm(SEE_PEOPLE):
            return person(message.user)
        return gettext("customer %(number)s") % {"number": message.user_id}
    if message.lead is not None:
        return message.lead.email if user.has_perm(SEE_VISITORS) else gettext("a visitor")
    return gettext("somebody who is no longer known")


def reason_words(message: Message) -> str:
    return str(capfirst(str(NOT_SENT.get(message.reason, message.reason)))) if message.reason else ""


class MessageIndexView(RecordIndexView):
    related = ("user", "lead")
    search_fields = ("user",)
    spare = ("language",)

    def get_base_queryset(self) -> QuerySet[Any]:
        # What only remembers that somebody wants no mails was no message.
        rows: QuerySet[Any] = super().get_base_queryset().exclude(kind=REFUSED)
        return rows

    @cached_property
    def columns(self) -> list[Any]:
        return [
            RecordColumn(
                "kind",
                label=_("Message"),
                accessor=lambda message: kind_label(message.kind),
                get_url=self.get_inspect_url,
            ),
            Column(
                "reader",
                label=pgettext_lazy("message", "To"),
                accessor=lambda row: reader_words(row, self.request.user),
            ),
            StatusTagColumn(
                "state",
                label=_("State"),
                accessor="get_state_display",
                primary=lambda message: message.state == Message.State.FAILED,
            ),
            Column("reason", label=_("Why"), accessor=reason_words, classname=MINOR),
            Column("language", label=_("Language"), accessor=language_words, classname=MINOR),
            MomentColumn("created_at", label=_("Date"), sort_key="created_at"),
            MomentColumn("sent_at", label=pgettext_lazy("message", "Sent")),
            MomentColumn("opened_at", label=_("Link followed")),
        ]

    def find(self, text: str) -> Q:
        if not self.request.user.has_perm(SEE_PEOPLE):
            # Who may not read names does not find out by searching.
            return Q(pk=None)
        found = Q(user__in=keys_of(users_like(text)))
        return found | Q(lead__email__icontains=text) if self.request.user.has_perm(SEE_VISITORS) else found


class MessageInspectView(generic.InspectView):
    template_name = "wagtail_referrals/admin/sent_message.html"
    page_title = _("Message")

    def get_fields(self) -> list[str]:
        return []

    def get_object(self, queryset: Any = None) -> Message:
        rows = Message.objects.exclude(kind=REFUSED).select_related(
            "user", "lead__claim__terms", "lead__claim__advocate", "referral__claim"
        )
        return get_object_or_404(rows, pk=self.pk)

    def get_edit_url(self) -> None:
        """There is no form."""

    def get_page_subtitle(self) -> str:
        return kind_label(self.object.kind)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        message, user = self.object, self.request.user
        may_read = user.has_perm(SEE_PEOPLE if message.lead is None else SEE_VISITORS)
        return super().get_context_data(
            about=message,
            kind=kind_label(message.kind),
            reader=reader_words(message, user),
            language=language_words(message),
            reason=reason_words(message),
            content=content_of(message) if may_read else None,
            may_read=may_read,
            referral_url=reverse("wagtail_referrals_referrals:inspect", args=[message.referral_id])
            if message.referral_id and user.has_perm(SEE_PEOPLE)
            else "",
            retry_url=reverse(f"{NAMESPACE}:retry", args=[message.pk])
            if message.state == Message.State.FAILED and user.has_perm(CHANGE)
            else "",
            **kwargs,
        )


def language_words(message: Message) -> str:
    """The name of the language that it is written in, as it calls itself."""
    return str(dict(language_choices()).get(message.language, message.language))


def content_of(message: Message) -> Content | None:
    """As it would be written now: what was sent is not kept. Links in it note nothing. ``None`` where it cannot be."""
    recipient = message.recipient()
    if recipient is None:
        return None
    looked_at = Message(
        kind=message.kind,
        user=message.user,
        lead=message.lead,
        referral=message.referral,
        enrollment=message.enrollment,
        language=message.language,
        data=message.data,
    )
    try:
        with transaction.atomic():
            return compose(looked_at, recipient)
    except Exception:
        # What it was about may be gone.
        return None


class RetryView(PermissionCheckedMixin, View):
    """Send a message that failed once more. Twice at once is once."""

    model = Message
    permission_required = "view"
    http_method_names = ("post",)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not request.user.has_perm(CHANGE):
            raise PermissionDenied
        message = get_object_or_404(Message.objects.exclude(kind=REFUSED), pk=pk)
        with transaction.atomic():
            is_due = Message.objects.filter(pk=pk, state=Message.State.FAILED).update(
                state=Message.State.PENDING,
                reason="",
                attempts=0,
                next_attempt_at=timezone.now(),
                claimed_until=None,
            )
            if is_due:
                transaction.on_commit(partial(deliver, [message.key]), robust=True)
        if is_due:
            messages.success(request, gettext("It is sent again."))
        else:
            messages.warning(request, gettext("It has not failed: nothing was done."))
        return redirect(f"{NAMESPACE}:inspect", pk)


class SentMessageViewSet(RecordViewSet):
    model = Message
    name = NAMESPACE
    url_prefix = "referrals/messages/sent"
    icon = "clipboard-list"
    menu_label = _("Sent messages")
    menu_name = "referral-sent-messages"
    index_view_class = MessageIndexView
    inspect_view_class = MessageInspectView
    filterset_class = MessageFilterSet
    search_fields = ("user",)
    ordering = ("-created_at", "-pk")

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            *super().get_urlpatterns(),
            path("retry/<int:pk>/", self.construct_view(RetryView), name="retry"),
        ]
