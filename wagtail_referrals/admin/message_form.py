"""Messages in the words of editors: the form, its preview, a test to oneself, and the listing of them all."""

from __future__ import annotations

import logging
from typing import Any, Final

from django import forms
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import Media
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin import messages
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import FieldPanel, FieldRowPanel, ObjectList
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.ui.tables import Column, StatusTagColumn
from wagtail.blocks import StreamBlockValidationError, StructBlockValidationError
from wagtail.rich_text import RichText
from wagtail.snippets.views.snippets import CopyView, CreateView, EditView, IndexView, SnippetViewSet

from wagtail_referrals.admin.listing import MINOR, ListingMixin
from wagtail_referrals.admin.program_form import RowsPanel
from wagtail_referrals.admin.typed import TypedFormView
from wagtail_referrals.admin.usage import NoUsageMixin
from wagtail_referrals.messages.channels import EMAIL, MaybeSent, Refused, channels
from wagtail_referrals.messages.filling import placeholders_of, refuse_unknown
from wagtail_referrals.messages.kinds import MessageKind, message_kinds
from wagtail_referrals.messages.models import MessageTemplate, MessageText
from wagtail_referrals.messages.previewing import (
    chosen_text,
    compose_sample,
    sample_message,
    size_warnings,
    standard_examples,
)
from wagtail_referrals.messages.words import SEQUENCE, standard_words, words_of
from wagtail_referrals.people import email_of_account
from wagtail_referrals.programs.models import Program, language_choices

logger = logging.getLogger("wagtail_referrals")

NAMESPACE: Final = "wagtail_referrals_templates"
OVERVIEW_URL: Final = "wagtail_referrals_messages"
# Test mails that one editor sends themselves, and the seconds in which they may.
MOST_TESTS: Final = 20
TEST_SECONDS: Final = 60 * 60


def kind_of(key: str) -> MessageKind | None:
    return message_kinds.get(key) if key in message_kinds else None


def kind_label(key: str) -> str:
    kind = kind_of(key)
    return str(capfirst(str(kind.label))) if kind is not None else key


# The form


class MessageTextForm(WagtailAdminModelForm):
    language = forms.ChoiceField(label=_("Language"), choices=language_choices)


class MessageTemplateForm(WagtailAdminModelForm):
    """What stands in braces is known, no text is there twice, and what is published has no rival."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What it is about is chosen before, and for good.
        self.fields["kind"].widget = forms.HiddenInput()
        if self.instance.pk:
            self.fields["kind"].disabled = True
        if (self.instance.kind or self.initial.get("kind") or self.data.get("kind")) == SEQUENCE:
            self.fields["program"].widget = forms.HiddenInput()

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        kind = cleaned.get("kind") or self.instance.kind
        found = kind_of(kind)
        rows = [
            row
            for row in self.formsets["texts"].forms
            if row.is_valid() and not row.cleaned_data.get("DELETE")
        ]
        if found is not None:
            for row in rows:
                check_row(row, found)
        seen: set[tuple[Any, Any]] = set()
        for row in rows:
            which = (row.cleaned_data.get("language"), row.cleaned_data.get("audience"))
            if which in seen:
                row.add_error("language", gettext("There is a text in this language already."))
            seen.add(which)
        if "action-publish" in self.data and kind != SEQUENCE:
            self.refuse_rival(kind, cleaned.get("program"))
        return cleaned

    def refuse_rival(self, kind: str, program: Program | None) -> None:
        """Of two published ones only one would be sent."""
        rival = (
            MessageTemplate.objects.filter(kind=kind, program=program, live=True)
            .exclude(pk=self.instance.pk)
            .first()
        )
        if rival is not None:
            self.add_error(
                "program",
                gettext(
                    "This message is sent in the words of “%(name)s” there. Take those back first, or save yours as a "
                    "draft."
                )
                % {"name": rival},
            )


def check_row(row: Any, kind: MessageKind) -> None:
    """Say at each field of a text what nothing is put in place of."""
    for name in ("subject", "preheader"):
        try:
            refuse_unknown(kind, row.cleaned_data.get(name) or "")
        except ValidationError as error:
            row.add_error(name, error)
    wrong: dict[int, Any] = {}
    for index, part in enumerate(row.cleaned_data.get("body") or ()):
        try:
            if part.block_type == "button":
                refuse_unknown(kind, part.value["label"])
            elif part.block_type in ("heading", "paragraph"):
                value = part.value
                refuse_unknown(kind, value.source if isinstance(value, RichText) else str(value))
        except ValidationError as error:
            wrong[index] = (
                StructBlockValidationError({"label": error}) if part.block_type == "button" else error
            )
    if wrong:
        row.add_error("body", StreamBlockValidationError(block_errors=wrong))


def template_edit_handler() -> ObjectList:
    return ObjectList(
        [
            FieldPanel("kind", classname="referral-hidden"),
            FieldPanel("name"),
            FieldPanel("program"),
            RowsPanel(
                "texts",
                panels=[
                    FieldRowPanel([FieldPanel("language"), FieldPanel("audience")]),
                    FieldPanel("subject"),
                    FieldPanel("preheader"),
                    FieldPanel("body"),
                ],
                row_form_class=MessageTextForm,
                heading=_("Texts"),
                label=_("text"),
                min_num=1,
                help_text=_(
                    "One for each language, and, if you like, more of them for some audiences: a reader gets the "
                    "first that is for them."
                ),
            ),
        ],
        base_form_class=MessageTemplateForm,
    )


class TemplateFormMixin:
    """Above the form: when the message is sent, what can stand in braces, a test to oneself, and what is too long."""

    object: Any
    form: Any
    request: HttpRequest

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)  # type: ignore[misc]
        # Customers read it: it is saved when somebody says so.
        self.autosave_enabled = False

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc]
        instance = self.form.instance
        kind = kind_of(instance.kind)
        context["media"] += Media(
            js=[versioned_static("wagtail_referrals/admin/message-form.js")],
            css={"all": [versioned_static("wagtail_referrals/admin/admin.css")]},
        )
        context["message_kind"] = kind
        context["kind_label"] = kind_label(instance.kind)
        context["placeholders"] = [
            ("{" + name + "}", meaning) for name, meaning in (placeholders_of(kind) if kind else {}).items()
        ]
        context["standard_examples"] = [
            ("{" + name + "}", words) for name, words in (standard_examples(kind) if kind else [])
        ]
        context["size_warnings"] = size_warnings(instance)
        context["languages"] = language_choices()
        context["test_address"] = email_of_account(self.request.user)
        context["test_url"] = reverse(f"{NAMESPACE}:test", args=[instance.pk] if instance.pk else [])
        return context

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)  # type: ignore[misc]
        if "action-publish" in self.request.POST:
            # The form is left, and with it what it says.
            for words in size_warnings(form.instance):
                messages.warning(self.request, words)
        return response


class TemplateCreateView(TemplateFormMixin, CreateView):
    """Begins with the standard words, in each language of the site's content."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if kind_of(request.GET.get("kind", "")) is None:
            return redirect(OVERVIEW_URL)
        response: HttpResponse = super().get(request, *args, **kwargs)
        return response

    def get_initial_form_instance(self) -> MessageTemplate | None:
        kind = kind_of(self.request.GET.get("kind", ""))
        if self.request.method != "GET" or kind is None:
            return None
        number = self.request.GET.get("program", "")
        program = (
            Program.objects.filter(pk=number).first() if number.isdecimal() and len(number) < 19 else None
        )
        template = MessageTemplate(kind=kind.key, program=program)
        template.name = "" if kind.key == SEQUENCE else kind_label(kind.key)[:100]
        template.texts = [first_text(kind, code) for code, _name in language_choices()]
        return template


def first_text(kind: MessageKind, language: str) -> MessageText:
    """The standard words as an editor may change them; an empty text where there are none."""
    if kind.standard is None:
        return MessageText(language=language)
    words = standard_words(kind, language)
    return MessageText(
        language=language, subject=words.subject, preheader=words.preheader, body=list(words.parts)
    )


class TemplateEditView(TemplateFormMixin, EditView):
    pass


class TemplateCopyView(TemplateFormMixin, CopyView):
    pass


class TestView(TypedFormView):
    """Send the text of a form that is being typed to the editor's own address, as JSON."""

    model = MessageTemplate

    def read(self, form: Any) -> Any:
        return form

    def answer(self, typed: Any, instance: MessageTemplate) -> HttpResponse:
        if not typed.is_valid():
            return _said(gettext("Something in the form is wrong: save it to see what."), is_good=False)
        # As it would be, without saving it.
        typed.save(commit=False)
        return self.send(typed.instance, self.request.POST.get("test-language", ""))

    def send(self, template: MessageTemplate, language: str) -> HttpResponse:
        user = self.request.user
        address = email_of_account(user)
        if not address:
            return _said(
                gettext("Your account has no e-mail address: add it under your name, below left."),
                is_good=False,
            )
        text = chosen_text(template, language)
        if text is None or not text.body:
            return _said(gettext("There is no text in this language yet."), is_good=False)
        if not may_test(user.pk):
            return _said(gettext("That were many tests. Wait a little."), is_good=False)
        try:
            words = words_of(text)
            content = compose_sample(words, template.kind)
            channels.get(EMAIL).send(sample_message(template.kind, words.language), content, address)
        except Refused:
            return _said(gettext("The mail server refuses your address."), is_good=False)
        except MaybeSent:
            return _said(gettext("The mail server broke off. Look whether the test has come."), is_good=False)
        except Exception as error:
            # No address in the log: the class of the error says enough.
            logger.warning("A test of a message was not sent (%s).", type(error).__name__)
            return _said(
                gettext("The mail server did not take it: ask whoever looks after it."), is_good=False
            )
        sent = gettext("Sent to %(address)s.") % {"address": address}
        return _said(" ".join([sent, *size_warnings(template, [text])]), is_good=True)


def _said(words: str, *, is_good: bool) -> JsonResponse:
    return JsonResponse({"words": words, "good": is_good})


def may_test(user_pk: Any) -> bool:
    """Counts one more test of this editor's; whether it is still among the first."""
    key = f"wagtail_referrals.test_mails.{user_pk}"
    cache.add(key, 0, TEST_SECONDS)
    try:
        return cache.incr(key) <= MOST_TESTS
    except ValueError:
        # Forgotten in between.
        return True


# The listing


def state_words(template: MessageTemplate) -> str:
    if not template.live:
        return pgettext("message", "draft")
    if template.has_unpublished_changes:
        return pgettext("message", "published, with a newer draft")
    return pgettext("message", "published")


def languages_of(template: MessageTemplate) -> str:
    known = dict(language_choices())
    return ", ".join(
        str(known.get(code, code)) for code in dict.fromkeys(text.language for text in template.texts.all())
    )


def latest_name(template: MessageTemplate) -> str:
    """The name as last saved, also in a draft. Needs ``latest_revision``."""
    return (template.latest_revision.object_str if template.latest_revision else "") or str(template)


class TemplateIndexView(ListingMixin, IndexView):
    # Wagtail's own would begin without saying about what.
    add_item_label = _("Write a message")

    @cached_property
    def columns(self) -> list[Any]:
        return [
            self._get_title_column("name", accessor=latest_name, classname="referral-title", width="30%"),
            Column("kind", label=_("Message"), accessor=lambda row: kind_label(row.kind)),
            Column(
                "program",
                label=_("Program"),
                accessor=lambda row: str(row.program) if row.program else gettext("all programs"),
                classname=MINOR,
            ),
            Column("languages", label=_("Languages"), accessor=languages_of, classname=MINOR),
            StatusTagColumn(
                "state", label=_("State"), accessor=state_words, primary=lambda row: row.live, width="14%"
            ),
        ]


class MessageTemplateViewSet(NoUsageMixin, SnippetViewSet):
    model = MessageTemplate
    icon = "comment"
    menu_label = _("Messages")
    menu_name = "referral-messages"
    admin_url_namespace = NAMESPACE
    base_url_path = "referrals/messages/own"
    index_view_class = TemplateIndexView
    index_template_name = "wagtail_referrals/admin/snippet_listing.html"
    add_view_class = TemplateCreateView
    edit_view_class = TemplateEditView
    copy_view_class = TemplateCopyView
    create_template_name = "wagtail_referrals/admin/message_create.html"
    edit_template_name = "wagtail_referrals/admin/message_edit.html"
    ordering = "name"
    search_fields = ("name",)
    # Who uses it is known by its kind, or by the steps of sequences, which protect it.
    add_to_reference_index = False

    @property
    def menu_url(self) -> str:
        """What there is to write about comes first; the listing is a way from there."""
        return reverse(OVERVIEW_URL)

    def get_queryset(self, request: HttpRequest) -> QuerySet[MessageTemplate]:
        return MessageTemplate.objects.select_related("latest_revision", "program").prefetch_related("texts")

    def register_chooser_viewset(self) -> None:
        """None: steps of sequences offer a list, and Wagtail's chooser is open to every editor."""

    def get_edit_handler(self) -> Any:
        return template_edit_handler().bind_to_model(self.model)

    @property
    def test_view(self) -> Any:
        return self.construct_view(TestView, form_class=self.get_form_class())

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            *super().get_urlpatterns(),
            path("test/", self.test_view, name="test"),
            path("test/<int:pk>/", self.test_view, name="test"),
        ]
