"""Sequences: listing, ready-made ones to start from, form in sentences, what would be sent, and who is where."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django import forms
from django.db.models import QuerySet
from django.forms import Media
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext, pgettext
from django.utils.translation import gettext_lazy as _
from django.views import View
from django.views.decorators.cache import never_cache
from wagtail.admin import messages
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import (
    FieldPanel,
    FieldRowPanel,
    MultiFieldPanel,
    ObjectList,
    PublishingPanel,
)
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.ui.tables import Column
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.widgets.button import Button
from wagtail.snippets.views.snippets import CreateView, EditView, IndexView, SnippetViewSet

from wagtail_referrals import credit
from wagtail_referrals.admin.listing import MINOR, ListingMixin
from wagtail_referrals.admin.program_form import RowsPanel
from wagtail_referrals.admin.programs import StateColumn, day_words, waiting_versions
from wagtail_referrals.admin.typed import TypedFormView
from wagtail_referrals.admin.usage import NoUsageMixin
from wagtail_referrals.messages import steps as engine
from wagtail_referrals.messages.models import MessageTemplate, Sequence, SequenceStep
from wagtail_referrals.messages.ready_made import ready_sequences, write_ready
from wagtail_referrals.messages.rehearsing import rehearse
from wagtail_referrals.messages.sequence_counts import Counts, counts_of, short_counts
from wagtail_referrals.messages.sequence_words import label_of, lines, problems
from wagtail_referrals.messages.sequencing import conditions

NAMESPACE: Final = "wagtail_referrals_sequences"
# Of the messages that steps send.
TEMPLATES_ADD: Final = "wagtail_referrals_templates:add"

STOPPED: Final = {
    engine.GONE: _("cannot be written to any more"),
    engine.NO_CONSENT: _("does not want reminders any more"),
    engine.OVER: _("the sequence had ended"),
}


# The form


class StepForm(WagtailAdminModelForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["template"].queryset = MessageTemplate.objects.filter(kind=engine.KIND)


class SequenceForm(WagtailAdminModelForm):
    stops = forms.MultipleChoiceField(
        required=False,
        label=_("Ends without success when the reader"),
        choices=conditions.choices,
        widget=forms.CheckboxSelectMultiple,
    )


def _template_help() -> Any:
    try:
        url = f"{reverse(TEMPLATES_ADD)}?kind={engine.KIND}"
    except NoReverseMatch:
        return ""
    return format_html('<a href="{}" target="_blank">{}</a>', url, gettext("Write a new message"))


def sequence_edit_handler() -> ObjectList:
    return ObjectList(
        [
            FieldPanel("name"),
            FieldPanel("start"),
            FieldPanel("program"),
            RowsPanel(
                "steps",
                panels=[
                    FieldRowPanel([FieldPanel("delay"), FieldPanel("unit"), FieldPanel("moment")]),
                    FieldRowPanel([FieldPanel("condition"), FieldPanel("is_negated")]),
                    FieldPanel("template"),
                ],
                row_form_class=StepForm,
                heading=_("What is sent, and when"),
                label=_("step"),
                help_text=_(
                    "Steps are sent in the order in which they become due. One whose condition does not fit "
                    "then is passed over."
                ),
            ),
            MultiFieldPanel(
                [FieldPanel("goal"), FieldPanel("stops")],
                heading=_("When it is over"),
                help_text=_("Asked before each message, and about once an hour in between."),
            ),
            # Drawn at the side.
            PublishingPanel(),
        ],
        base_form_class=SequenceForm,
    )


def submitted(form: Any) -> tuple[Sequence, list[SequenceStep]]:
    """The sequence of a form that has been checked, unsaved and without what is not valid.

    Raises ``ValueError`` for a form that says nothing about its steps.
    """
    formset = form.formsets["steps"]
    if not formset.management_form.is_valid():
        raise ValueError("the steps are missing")
    cleaned = form.cleaned_data
    sequence = Sequence(
        pk=form.instance.pk,
        name=cleaned.get("name") or "",
        start=cleaned.get("start") or "",
        goal=cleaned.get("goal") or "",
        stops=cleaned.get("stops") or [],
        program=cleaned.get("program"),
    )
    found = []
    for row in formset.forms:
        values = getattr(row, "cleaned_data", None)
        if not values or values.get("DELETE"):
            continue
        names = ("delay", "unit", "moment", "condition", "is_negated", "template")
        step = SequenceStep(**{name: values[name] for name in names if values.get(name) is not None})
        found.append((values.get("ORDER") or 0, step))
    return sequence, [step for _order, step in sorted(found, key=lambda pair: pair[0])]


def in_words(sequence: Sequence, rows: list[SequenceStep]) -> dict[str, list[str]]:
    return {"lines": lines(sequence, rows), "hints": problems(sequence, rows)}


class SequenceFormMixin:
    """The sentences above the form, kept up to date by its script, and what cannot work."""

    object: Any
    form: Any
    request: HttpRequest

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)  # type: ignore[misc]
        # People are written to by what it says: it is saved when somebody says so.
        self.autosave_enabled = False

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc]
        instance = self.form.instance
        sequence, rows = instance, list(instance.steps.all())
        if self.form.is_bound:
            try:
                sequence, rows = submitted(self.form)
            except ValueError:
                # Wagtail shows the form again, with what is wrong.
                pass
        context["media"] += Media(
            js=[versioned_static("wagtail_referrals/admin/sequence-form.js")],
            css={"all": [versioned_static("wagtail_referrals/admin/admin.css")]},
        )
        context["words"] = in_words(sequence, rows)
        context["words_url"] = reverse(f"{NAMESPACE}:words", args=[instance.pk] if instance.pk else [])
        context["template_help"] = _template_help()
        return context

    def save_action(self) -> HttpResponse:
        response: HttpResponse = super().save_action()  # type: ignore[misc]
        if not self.expects_json_response:  # type: ignore[attr-defined]
            for hint in problems(self.object, list(self.object.steps.all())):
                messages.warning(self.request, hint)
        return response


class SequenceCreateView(SequenceFormMixin, CreateView):
    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if len(list(ready_sequences)) and "empty" not in request.GET:
            return self.choose(request)
        response: HttpResponse = super().get(request, *args, **kwargs)
        return response

    def choose(self, request: HttpRequest) -> HttpResponse:
        """The ready-made sequences as cards; each is written as a draft when it is chosen."""
        return TemplateResponse(
            request,
            "wagtail_referrals/admin/choose_sequence.html",
            {
                "cards": [
                    {
                        "label": ready.label,
                        "description": ready.description,
                        "icon": ready.icon,
                        "url": reverse(f"{NAMESPACE}:start", args=[ready.key]),
                        "messages": [step.name for step in ready.steps],
                    }
                    for ready in ready_sequences
                ],
                "empty_url": f"{self.add_url}?empty=1",
                "breadcrumbs_items": self.get_breadcrumbs_items(),
                "header_title": gettext("New sequence"),
                "media": Media(css={"all": [versioned_static("wagtail_referrals/admin/admin.css")]}),
            },
        )


class SequenceEditView(SequenceFormMixin, EditView):
    @cached_property
    def header_more_buttons(self) -> list[Any]:
        pk = self.object.pk
        return [
            *super().header_more_buttons,
            Button(_("What would be sent"), reverse(f"{NAMESPACE}:preview", args=[pk]), icon_name="view"),
            Button(_("Who is where"), reverse(f"{NAMESPACE}:people", args=[pk]), icon_name="group"),
        ]


@method_decorator(never_cache, name="dispatch")
class StartView(PermissionCheckedMixin, View):
    """Write a ready-made sequence as a draft, with its messages, and lead to its form."""

    model = Sequence
    permission_required = "add"
    http_method_names = ("post",)

    def post(self, request: HttpRequest, key: str) -> HttpResponse:
        if key not in ready_sequences:
            return HttpResponseBadRequest()
        sequence = write_ready(key, user=request.user)
        number = sequence.steps.count()
        messages.success(
            request,
            ngettext(
                "“%(name)s” is there as a draft, with %(count)s message. Look at it, then publish both.",
                "“%(name)s” is there as a draft, with %(count)s messages. Look at them, then publish all.",
                number,
            )
            % {"name": sequence, "count": number},
        )
        if not self.user_has_permission("change"):
            return HttpResponseRedirect(reverse(f"{NAMESPACE}:list"))
        return HttpResponseRedirect(reverse(f"{NAMESPACE}:edit", args=[sequence.pk]))


class WordsView(TypedFormView):
    """The sentences and the hints of a form that is being typed, as JSON."""

    model = Sequence

    def read(self, form: Any) -> Any:
        return submitted(form)

    def answer(self, typed: Any, instance: Sequence) -> HttpResponse:
        return JsonResponse(in_words(*typed))


# Pages about one


class SequencePage(WagtailAdminTemplateMixin, PermissionCheckedMixin, View):
    """A page about one sequence."""

    model = Sequence
    any_permission_required = ("add", "change", "delete", "view", "publish")
    http_method_names = ("get", "head")

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        self.object = get_object_or_404(Sequence, pk=pk)
        return TemplateResponse(request, self.template_name, self.get_context_data())

    def get_page_subtitle(self) -> str:
        return str(self.object)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        items = [{"url": reverse(f"{NAMESPACE}:list"), "label": gettext("Sequences")}]
        if self.user_has_permission("change"):
            items.append(
                {"url": reverse(f"{NAMESPACE}:edit", args=[self.object.pk]), "label": str(self.object)}
            )
        return [
            *super().get_breadcrumbs_items(),
            *items,
            {"url": "", "label": self.get_page_title(), "sublabel": str(self.object)},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        css = [versioned_static("wagtail_referrals/admin/admin.css")]
        return {
            **super().get_context_data(**kwargs),
            "sequence": self.object,
            "media": Media(css={"all": css}),
        }


class PreviewView(SequencePage):
    """As last saved, also in a draft."""

    page_title = _("What would be sent")
    header_icon = "view"
    template_name = "wagtail_referrals/admin/sequence_preview.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        latest: Any = self.object.get_latest_revision_as_object()
        rows = list(latest.steps.all())
        begins = timezone.localtime().replace(hour=9, minute=0, second=0, microsecond=0)
        return super().get_context_data(branches=rehearse(latest, rows, begins), words=in_words(latest, rows))


class PeopleView(SequencePage):
    """Counts only: nobody's name."""

    page_title = _("Who is where")
    header_icon = "group"
    template_name = "wagtail_referrals/admin/sequence_people.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        counts = counts_of(self.object)
        return super().get_context_data(
            counts=counts,
            stopped=[(_reason(key), number) for key, number in sorted(counts.stopped.items())],
            brought=_brought(counts),
        )


def _reason(key: str) -> str:
    if key in STOPPED:
        return str(STOPPED[key])
    return label_of(conditions, key)


def _brought(counts: Counts) -> list[str]:
    """By currency, never added up."""
    return [
        ngettext("%(count)s order, %(amount)s", "%(count)s orders, %(amount)s", row.orders)
        % {"count": row.orders, "amount": credit.format_money(row.amount, row.currency)}
        for row in counts.brought
    ]


# The listing


def latest_name(sequence: Sequence) -> str:
    """The name as last saved, also in a draft. Needs ``latest_revision``."""
    return (sequence.latest_revision.object_str if sequence.latest_revision else "") or str(sequence)


def state_words(sequence: Sequence, opens: datetime | None) -> str:
    """``opens`` is when a version that waits for its day will be published."""
    if sequence.live and (sequence.expire_at is None or sequence.expire_at > timezone.now()):
        if sequence.has_unpublished_changes and opens is None:
            return pgettext("sequence", "published, with a newer draft")
        return pgettext("sequence", "published")
    if opens is not None:
        return pgettext("sequence", "scheduled")
    # Nobody has told Wagtail yet where the day has come and no cron.
    if sequence.live or sequence.expired:
        return pgettext("sequence", "over")
    return pgettext("sequence", "draft")


class SequenceIndexView(ListingMixin, IndexView):
    add_item_label = _("Add sequence")

    @cached_property
    def columns(self) -> list[Column]:
        # Without bulk actions: "select all" goes past the filter, and sequences are few.
        return [
            self._get_title_column("name", accessor=latest_name, classname="referral-title", width="24%"),
            Column(
                "words",
                label=_("In words"),
                accessor=lambda row: " ".join(lines(row, list(row.steps.all()))),
                classname=MINOR,
            ),
            Column(
                "running",
                label=pgettext("people in sequences", "On the way"),
                accessor=lambda row: self.counts.get(row.pk, (0, 0))[0],
                width="10%",
            ),
            Column(
                "reached",
                label=_("Reached the aim"),
                accessor=lambda row: self.counts.get(row.pk, (0, 0))[1],
                classname=MINOR,
                width="10%",
            ),
            StateColumn(
                "state",
                label=_("State"),
                accessor=lambda row: state_words(row, self.waiting.get(str(row.pk))),
                primary=lambda row: row.live,
                details=self.details,
                width="16%",
            ),
        ]

    def details(self, sequence: Sequence) -> list[str]:
        """What is to come, a line each."""
        found, opens = [], self.waiting.get(str(sequence.pk))
        if opens is not None:
            when = {"date": day_words(opens)}
            found.append(
                gettext("changes come on %(date)s") % when
                if sequence.live
                else gettext("is published on %(date)s") % when
            )
        if sequence.expire_at is not None and sequence.expire_at > timezone.now():
            found.append(gettext("ends on %(date)s") % {"date": day_words(sequence.expire_at)})
        return found

    def decorate(self, rows: list[Sequence]) -> None:
        self.counts = short_counts([row.pk for row in rows])
        self.waiting = waiting_versions(Sequence, rows)

    def get_list_more_buttons(self, instance: Sequence) -> list[Any]:
        return [
            *super().get_list_more_buttons(instance),
            Button(
                _("What would be sent"),
                reverse(f"{NAMESPACE}:preview", args=[instance.pk]),
                icon_name="view",
                priority=40,
            ),
            Button(
                _("Who is where"),
                reverse(f"{NAMESPACE}:people", args=[instance.pk]),
                icon_name="group",
                priority=50,
            ),
        ]


class SequenceViewSet(NoUsageMixin, SnippetViewSet):
    model = Sequence
    icon = "history"
    menu_label = _("Sequences")
    menu_name = "referral-sequences"
    admin_url_namespace = NAMESPACE
    base_url_path = "referrals/sequences"
    index_view_class = SequenceIndexView
    index_template_name = "wagtail_referrals/admin/snippet_listing.html"
    add_view_class = SequenceCreateView
    edit_view_class = SequenceEditView
    create_template_name = "wagtail_referrals/admin/sequence_create.html"
    edit_template_name = "wagtail_referrals/admin/sequence_edit.html"
    copy_view_enabled = False
    ordering = "name"
    search_fields = ("name",)
    add_to_reference_index = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Sequence]:
        return Sequence.objects.select_related("latest_revision").prefetch_related("steps__template")

    def register_chooser_viewset(self) -> None:
        """None: nothing chooses sequences, and Wagtail's chooser is open to every editor."""

    def get_edit_handler(self) -> Any:
        return sequence_edit_handler().bind_to_model(self.model)

    def get_urlpatterns(self) -> list[URLPattern]:
        words = self.construct_view(WordsView, form_class=self.get_form_class())
        policy = {"permission_policy": self.permission_policy}
        return [
            *super().get_urlpatterns(),
            path("words/", words, name="words"),
            path("words/<int:pk>/", words, name="words"),
            path("start/<slug:key>/", StartView.as_view(**policy), name="start"),
            path("preview/<int:pk>/", PreviewView.as_view(**policy), name="preview"),
            path("people/<int:pk>/", PeopleView.as_view(**policy), name="people"),
        ]
