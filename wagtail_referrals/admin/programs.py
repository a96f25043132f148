"""Programs: listing, ready-made ones to start from, form with its sentence, copy."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.forms import Media
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views import View
from django.views.decorators.cache import never_cache
from wagtail.admin import messages
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.ui.tables import Column, StatusTagColumn
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.widgets.button import Button, HeaderButton
from wagtail.snippets.views.snippets import (
    ConfirmWorkflowCancellationView,
    CopyView,
    CreateView,
    EditView,
    IndexView,
    SnippetViewSet,
)

from wagtail_referrals.admin.listing import MINOR
from wagtail_referrals.admin.policies import SUMMARY
from wagtail_referrals.admin.program_form import form_rules, program_edit_handler, read_form, submitted
from wagtail_referrals.kinds import Registry
from wagtail_referrals.programs import (
    Preset,
    ProgramState,
    draft_data,
    forbidden_hints,
    friend_notes,
    presets,
    program_audience_hints,
    program_hints,
    program_states,
    sentence,
)
from wagtail_referrals.programs.models import Program, ProgramRule, ProgramText

NAMESPACE = "wagtail_referrals_programs"
SUMMARY_URL = "wagtail_referrals_summary"


def latest_name(program: Program) -> str:
    """The name as last saved, also in a draft. Needs ``latest_revision``."""
    return (program.latest_revision.object_str if program.latest_revision else "") or str(program)


def in_words(program: Program) -> str:
    """The sentence, and what the shop cannot give of it at present."""
    return " ".join([sentence(draft_data(program)), *forbidden_hints(program.rules.all())])


class ProgramIndexView(IndexView):
    # Exports of whole tables are not offered.
    FORMATS = ()

    @cached_property
    def columns(self) -> list[Column]:
        # Without bulk actions: "select all" goes past the filter, and programs are few.
        return [
            self._get_title_column("name", accessor=latest_name, classname="referral-title", width="26%"),
            Column("sentence", label=_("In words"), accessor=in_words),
            StatusTagColumn(
                "state",
                label=_("State"),
                accessor=lambda program: self.states[program.pk].label,
                primary=lambda program: self.states[program.pk] == ProgramState.OPEN,
                width="12%",
            ),
            Column(
                "precedence",
                label=pgettext_lazy("position", "Order"),
                sort_key="precedence",
                width="8%",
                classname=MINOR,
            ),
        ]

    def paginate_queryset(self, queryset: QuerySet[Program], page_size: int) -> Any:
        paginator, page, rows, others = super().paginate_queryset(queryset, page_size)
        page.object_list = rows = list(rows)
        self.states = program_states(rows)
        return paginator, page, rows, others

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        context["media"] += Media(css={"all": [versioned_static("wagtail_referrals/admin/admin.css")]})
        return context

    @cached_property
    def header_buttons(self) -> list[Any]:
        buttons: list[Any] = list(super().header_buttons)
        if self.request.user.has_perm(SUMMARY):
            buttons.append(
                HeaderButton(
                    _("Referral summary"),
                    url=reverse(SUMMARY_URL),
                    icon_name="table",
                    classname="referral-to-summary",
                )
            )
        return buttons


def all_hints(program: Program, rules: list[ProgramRule]) -> list[str]:
    """What an editor should think about, of the program and of the audience that it is for."""
    hints = program_hints(program, rules)
    if program.audience is not None:
        hints += program_audience_hints(program.audience)
    return hints


class ProgramFormMixin:
    """The sentence above the form, its script, and hints after saving."""

    object: Any
    form: Any
    request: HttpRequest

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)  # type: ignore[misc]
        # What carries money is saved when somebody says so. Autosave also makes a second program of one that is
        # published while its first draft is still on the way.
        self.autosave_enabled = False

    def sentence_url(self) -> str:
        pk = self.form.instance.pk
        return reverse(f"{NAMESPACE}:sentence", args=[pk] if pk else [])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc]
        # A form that was refused changed nothing yet: the sentence is that of what it says.
        if self.form.is_bound:
            program, rules = submitted(self.form)
        else:
            program, rules = self.form.instance, list(self.form.instance.rules.all())
        context["media"] += Media(
            js=[versioned_static("wagtail_referrals/admin/program-form.js")],
            css={"all": [versioned_static("wagtail_referrals/admin/admin.css")]},
        )
        context["sentence"] = sentence(draft_data(program))
        context["hints"] = all_hints(program, rules)
        context["notes"] = friend_notes(rules)
        context["sentence_url"] = self.sentence_url()
        context["form_rules_json"] = json.dumps(form_rules())
        return context

    def save_action(self) -> HttpResponse:
        response: HttpResponse = super().save_action()  # type: ignore[misc]
        if not self.expects_json_response:  # type: ignore[attr-defined]
            for hint in all_hints(self.object, list(self.object.rules.all())):
                messages.warning(self.request, hint)
        return response


class ProgramCreateView(ProgramFormMixin, CreateView):
    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.preset is None:
            return self.choose(request)
        response: HttpResponse = super().get(request, *args, **kwargs)
        return response

    @property
    def preset(self) -> Preset | None:
        key = self.request.GET.get("preset", "")
        known: Registry[Preset] = presets
        return known.get(key) if key in known else None

    def choose(self, request: HttpRequest) -> HttpResponse:
        """The ready-made programs as cards, each with its sentence."""
        cards = [
            {
                "label": preset.label,
                "description": preset.description,
                "icon": preset.icon,
                "sentence": self.words_of(preset),
                "hints": forbidden_hints(preset.build().rules.all()),
                "url": f"{self.add_url}?preset={preset.key}",
            }
            for preset in presets
        ]
        return TemplateResponse(
            request,
            "wagtail_referrals/admin/choose_preset.html",
            {
                "cards": cards,
                "breadcrumbs_items": self.get_breadcrumbs_items(),
                "header_title": gettext("New program"),
                "media": Media(css={"all": [versioned_static("wagtail_referrals/admin/admin.css")]}),
            },
        )

    @staticmethod
    def words_of(preset: Preset) -> str:
        program = preset.build()
        return sentence(draft_data(program)) if program.rules.all() else ""

    def get_initial_form_instance(self) -> Program | None:
        if self.request.method == "GET" and self.preset is not None:
            return self.preset.build()
        return None


class ProgramEditView(ProgramFormMixin, EditView):
    @cached_property
    def header_more_buttons(self) -> list[Any]:
        buttons: list[Any] = list(super().header_more_buttons)
        user = self.request.user
        if user.has_perm("wagtail_referrals.view_terms"):
            url = reverse("wagtail_referrals_terms:index")
            buttons.append(
                Button(
                    _("Published terms"),
                    url=f"{url}?program={self.object.key}",
                    icon_name="doc-full",
                    priority=40,
                )
            )
        if user.has_perm(SUMMARY):
            buttons.append(
                Button(
                    _("Referral summary"),
                    url=f"{reverse(SUMMARY_URL)}?program={self.object.key}",
                    icon_name="table",
                    priority=50,
                )
            )
        return buttons


def unsaved_copy(program: Program) -> Program:
    """The same program as a new one: its own key, and rules with keys of their own."""
    leave = {"id", "key", *DRAFT_FIELDS}
    values = {
        field.attname: getattr(program, field.attname)
        for field in Program._meta.concrete_fields
        if field.name not in leave
    }
    copy = Program(**values)
    copy.name = gettext("Copy of %(name)s") % {"name": program.name}
    copy.rules = [_row_copy(rule, {"id", "program", "key"}) for rule in program.rules.all()]
    copy.texts = [_row_copy(text, {"id", "program"}) for text in program.texts.all()]
    return copy


# The state of the original's publication, which the copy does not share.
DRAFT_FIELDS = (
    "live",
    "has_unpublished_changes",
    "first_published_at",
    "last_published_at",
    "live_revision",
    "latest_revision",
    "go_live_at",
    "expire_at",
    "expired",
    "locked",
    "locked_at",
    "locked_by",
)


def _row_copy(row: ProgramRule | ProgramText, leave: set[str]) -> Any:
    return type(row)(
        **{
            field.attname: getattr(row, field.attname)
            for field in row._meta.concrete_fields
            if field.name not in leave
        }
    )


class ProgramCopyView(ProgramFormMixin, CopyView):
    def get_initial_form_instance(self) -> Program:
        return unsaved_copy(self.get_object().get_latest_revision_as_object())


class ProgramConfirmCancellationView(PermissionCheckedMixin, ConfirmWorkflowCancellationView):
    """Wagtail's own asks nobody who they are."""

    permission_required = "change"


@method_decorator(never_cache, name="dispatch")
class SentenceView(PermissionCheckedMixin, View):
    """The sentence and the hints of a form that is being typed, as JSON."""

    model = Program
    any_permission_required = ("add", "change")
    http_method_names = ("post",)
    form_class: Any = None

    def post(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        instance = Program()
        if pk is not None:
            instance = get_object_or_404(Program, pk=unquote(str(pk))).get_latest_revision_as_object()
            if not self.user_has_permission_for_instance("change", instance):
                raise PermissionDenied
        elif not self.user_has_permission("add"):
            raise PermissionDenied
        try:
            program, rules = read_form(
                self.form_class(request.POST, instance=instance, for_user=request.user)
            )
        except (KeyError, ValueError, ValidationError):
            # Rows that are not this program's: the form was tampered with, or changed in another window.
            return HttpResponseBadRequest()
        return JsonResponse(
            {
                "sentence": sentence(draft_data(program)),
                "hints": all_hints(program, rules),
                "notes": friend_notes(rules),
            }
        )


class ProgramViewSet(SnippetViewSet):
    model = Program
    icon = "referral"
    menu_label = _("Programs")
    menu_name = "referral-programs"
    admin_url_namespace = NAMESPACE
    base_url_path = "referrals/programs"
    index_view_class = ProgramIndexView
    add_view_class = ProgramCreateView
    edit_view_class = ProgramEditView
    copy_view_class = ProgramCopyView
    confirm_workflow_cancellation_view_class = ProgramConfirmCancellationView
    create_template_name = "wagtail_referrals/admin/program_create.html"
    edit_template_name = "wagtail_referrals/admin/program_edit.html"
    ordering = "precedence"
    search_fields = ("name",)
    # Nothing about programs is looked up through the reference index; it costs queries at every save.
    add_to_reference_index = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Program]:
        return Program.objects.select_related("latest_revision", "audience").prefetch_related(
            "rules", "texts"
        )

    def register_chooser_viewset(self) -> None:
        """None: nothing chooses programs, and Wagtail's chooser is open to every editor."""

    def get_edit_handler(self) -> Any:
        return program_edit_handler().bind_to_model(self.model)

    @property
    def sentence_view(self) -> Any:
        return self.construct_view(SentenceView, form_class=self.get_form_class())

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            *super().get_urlpatterns(),
            path("sentence/", self.sentence_view, name="sentence"),
            path("sentence/<int:pk>/", self.sentence_view, name="sentence"),
        ]
