"""Programs: listing, ready-made ones to start from, form with its sentence, copy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.admin.utils import unquote
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Model, QuerySet
from django.forms import Media
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin import messages
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.ui.tables import Column, StatusTagColumn, Table
from wagtail.admin.ui.tables.orderable import OrderableTableMixin, OrderingColumn
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.widgets.button import Button, HeaderButton
from wagtail.log_actions import log
from wagtail.models import Revision, WorkflowState
from wagtail.snippets.views.snippets import (
    ConfirmWorkflowCancellationView,
    CopyView,
    CreateView,
    EditView,
    IndexView,
    ReorderView,
    SnippetViewSet,
    UnpublishView,
)

from wagtail_referrals.admin.listing import MINOR, ListingMixin
from wagtail_referrals.admin.policies import SUMMARY
from wagtail_referrals.admin.program_form import form_rules, program_edit_handler, submitted
from wagtail_referrals.admin.replay import ReplayView
from wagtail_referrals.admin.typed import TypedFormView
from wagtail_referrals.admin.usage import NoUsageMixin
from wagtail_referrals.admin.words import person
from wagtail_referrals.kinds import Registry
from wagtail_referrals.programs import (
    Preset,
    ProgramState,
    audience_data,
    audience_words,
    date_notes,
    draft_data,
    forbidden_hints,
    friend_notes,
    last_place,
    move_program,
    order_hints,
    place_of_new,
    presets,
    program_audience_hints,
    program_hints,
    program_states,
    scheduled_by,
    sentence,
    write_audience,
)
from wagtail_referrals.programs.models import Program, ProgramRule, ProgramText

NAMESPACE = "wagtail_referrals_programs"
SUMMARY_URL = "wagtail_referrals_summary"
# More programs than anybody has: they are dragged on one page.
MANY = 1000


def latest_name(program: Program) -> str:
    """The name as last saved, also in a draft. Needs ``latest_revision``."""
    return (program.latest_revision.object_str if program.latest_revision else "") or str(program)


def in_words(program: Program) -> str:
    """The sentence, and what the shop cannot give of it at present."""
    return " ".join([sentence(draft_data(program)), *forbidden_hints(program.rules.all())])


class StateColumn(StatusTagColumn):
    """What became of the row, and below it what is to come: dates, drafts, a review."""

    cell_template_name = "wagtail_referrals/admin/program_state_cell.html"

    def __init__(self, name: str, *, details: Callable[[Any], list[str]], **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.details = details

    def get_cell_context_data(self, instance: Any, parent_context: dict[str, Any]) -> dict[str, Any]:
        context: dict[str, Any] = super().get_cell_context_data(instance, parent_context)
        return context | {"details": self.details(instance)}


def day_words(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "SHORT_DATETIME_FORMAT")


def waiting_versions(model: type[Model], rows: Iterable[Model]) -> dict[str, datetime]:
    """When a version that waits for its day will be published, by the primary key of its row as text. One query."""
    waiting = Revision.objects.filter(
        base_content_type=ContentType.objects.get_for_model(model),
        object_id__in=[str(row.pk) for row in rows],
        approved_go_live_at__isnull=False,
    )
    return dict(waiting.order_by("-approved_go_live_at").values_list("object_id", "approved_go_live_at"))


def reviews(programs: Iterable[Program]) -> dict[str, WorkflowState]:
    """The workflow that each is in, by its primary key as text. One query; none where workflows are switched off."""
    if not getattr(settings, "WAGTAIL_WORKFLOW_ENABLED", True):
        return {}
    active = WorkflowState.objects.active().filter(
        base_content_type=ContentType.objects.get_for_model(Program),
        object_id__in=[str(program.pk) for program in programs],
    )
    return {state.object_id: state for state in active.select_related("current_task_state__task")}


class PlaceColumn(OrderingColumn):
    """The handle to drag a program by. There is no other order to switch to."""

    header_template_name = "wagtail_referrals/admin/place_header.html"


class ProgramTable(OrderableTableMixin, Table):
    ordering_column = PlaceColumn("ordering", width="80px")


class ProgramIndexView(ListingMixin, IndexView):
    """In the editor's order, which is changed by dragging. Programs are few: they stand on one page."""

    # What was moved would be offered first at once.
    reorder_button = None
    # Wagtail's own does not know the word's gender.
    add_item_label = _("Add program")

    def get_reorder_url(self) -> str | None:
        if not self.user_has_permission("publish"):
            return None
        url: str | None = super().get_reorder_url()
        return url

    @cached_property
    def show_ordering_column(self) -> bool:
        # Positions are counted among all programs.
        return not (self.is_searching or self.is_filtering) and self.get_reorder_url() is not None

    @cached_property
    def table_class(self) -> type[Table]:
        return ProgramTable if self.show_ordering_column else Table

    def get_paginate_by(self, queryset: QuerySet[Program]) -> int:
        return MANY

    def order_queryset(self, queryset: QuerySet[Program]) -> QuerySet[Program]:
        return queryset.order_by("precedence", "pk")

    @cached_property
    def columns(self) -> list[Column]:
        # Without bulk actions: "select all" goes past the filter, and programs are few.
        name = self._get_title_column("name", accessor=latest_name, classname="referral-title", width="26%")
        # There is one order.
        name.sort_key = None
        return [
            name,
            Column("sentence", label=_("In words"), accessor=in_words, classname=MINOR),
            StateColumn(
                "state",
                label=_("State"),
                accessor=lambda program: self.states[program.pk].label,
                primary=lambda program: self.states[program.pk] == ProgramState.OPEN,
                details=self.details,
                width="18%",
            ),
        ]

    def details(self, program: Program) -> list[str]:
        """What is to come, a line each."""
        found, state, key = [], self.states[program.pk], str(program.pk)
        opens = self.waiting.get(key) or (program.go_live_at if state == ProgramState.SCHEDULED else None)
        if opens is not None:
            when = {"date": day_words(opens)}
            found.append(
                gettext("changes come on %(date)s") % when
                if program.live
                else gettext("opens on %(date)s") % when
            )
            if key in self.schedulers:
                found.append(gettext("scheduled by %(name)s") % {"name": person(self.schedulers[key])})
        elif program.live and program.has_unpublished_changes:
            found.append(gettext("has changes that are not published"))
        if program.expire_at is not None and state in (ProgramState.OPEN, ProgramState.SCHEDULED):
            found.append(gettext("ends on %(date)s") % {"date": day_words(program.expire_at)})
        review = self.reviews.get(key)
        if review is not None and review.status == WorkflowState.STATUS_NEEDS_CHANGES:
            found.append(gettext("sent back: changes are wanted"))
        elif review is not None:
            task = review.current_task_state.task.name if review.current_task_state else ""
            found.append(gettext("waits for approval: %(step)s") % {"step": task or gettext("workflow")})
        return found

    def decorate(self, rows: list[Program]) -> None:
        self.states = program_states(rows)
        self.waiting = waiting_versions(Program, rows)
        self.schedulers = scheduled_by(rows)
        self.reviews = reviews(rows)

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


def all_hints(program: Program, rules: list[ProgramRule], saved: Program) -> list[str]:
    """What an editor should think about, of the program, its place and the audience that it is for.

    ``saved`` is the row, whatever has been typed since.
    """
    hints = program_hints(program, rules) + order_hints(program, saved)
    if program.audience is not None:
        hints += program_audience_hints(program.audience)
    return hints


def all_notes(program: Program, rules: list[ProgramRule]) -> list[str]:
    """What an editor should know: who the audience is, what the shop says of the rewards, when it opens and ends."""
    notes = [*friend_notes(rules), *date_notes(program)]
    if program.audience is not None:
        data = audience_data(program.audience)
        words = {"audience": data.name, "words": audience_words(data)}
        notes.insert(0, gettext("“%(audience)s”: %(words)s") % words)
    return notes


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

    def replay_url(self) -> str:
        pk = self.form.instance.pk
        return reverse(f"{NAMESPACE}:replay", args=[pk] if pk else [])

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
        context["hints"] = all_hints(program, rules, self.form.instance)
        context["notes"] = all_notes(program, rules)
        context["sentence_url"] = self.sentence_url()
        context["replay_url"] = self.replay_url()
        context["form_rules_json"] = json.dumps(form_rules())
        return context

    def save_instance(self) -> Any:
        """With the ready-made audience that was chosen: it is published by who may publish audiences."""
        chosen, user = self.form.cleaned_data.get("audience"), self.request.user
        is_new = self.form.instance.pk is None
        with transaction.atomic():
            if is_new:
                place = place_of_new(self.form.instance)
                self.form.instance.precedence = last_place()
            if chosen is not None and chosen.pk is None:
                may_publish = user.has_perm("wagtail_referrals.publish_audience")
                self.form.instance.audience = write_audience(chosen, user, publish=may_publish)
            program = super().save_instance()  # type: ignore[misc]
            if is_new:
                move_program(program.pk, place)
                program.refresh_from_db(fields=["precedence"])
            return program

    def save_action(self) -> HttpResponse:
        response: HttpResponse = super().save_action()  # type: ignore[misc]
        if not self.expects_json_response:  # type: ignore[attr-defined]
            for hint in all_hints(self.object, list(self.object.rules.all()), self.object):
                messages.warning(self.request, hint)
        return response


class ProgramCreateView(ProgramFormMixin, CreateView):
    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.preset is None:
            return self.choose(request)
        response: HttpResponse = super().get(request, *args, **kwargs)
        return response

    @cached_property
    def preset(self) -> Preset | None:
        key = self.request.GET.get("preset", "")
        known: Registry[Preset] = presets
        return known.get(key) if key in known and self.may_start(known.get(key).program()) else None

    def choose(self, request: HttpRequest) -> HttpResponse:
        """The ready-made programs as cards, each with its sentence."""
        cards = [
            {
                "label": preset.label,
                "description": preset.description,
                "icon": preset.icon,
                "sentence": self.words_of(program),
                "hints": forbidden_hints(program.rules.all()),
                "url": f"{self.add_url}?preset={preset.key}",
            }
            for preset, program in ((preset, preset.program()) for preset in presets)
            if self.may_start(program)
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

    def may_start(self, program: Program) -> bool:
        """Not without the audience that it is for, where somebody else has to write that first."""
        waits = program.audience is not None and program.audience.pk is None
        return not waits or self.request.user.has_perm("wagtail_referrals.add_audience")

    @staticmethod
    def words_of(program: Program) -> str:
        return sentence(draft_data(program)) if program.rules.all() else ""

    def get_initial_form_instance(self) -> Program | None:
        if self.request.method == "GET" and self.preset is not None:
            return self.preset.program()
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


class ProgramReorderView(ReorderView):
    """Wagtail's own counts on numbers that are all different."""

    permission_required = "publish"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        program = get_object_or_404(Program, pk=unquote(str(kwargs.get("pk"))))
        try:
            position = int(request.GET.get("position", ""))
        except ValueError:
            # So says Wagtail: a move without a place is one to the end.
            position = Program.objects.count()
        move_program(program.pk, position)
        log(program, "wagtail.reorder", user=request.user, data={"position": position})
        return JsonResponse({"success": True})


class ProgramUnpublishView(UnpublishView):
    template_name = "wagtail_referrals/admin/program_unpublish.html"


class ProgramConfirmCancellationView(PermissionCheckedMixin, ConfirmWorkflowCancellationView):
    """Wagtail's own asks nobody who they are."""

    permission_required = "change"


class SentenceView(TypedFormView):
    """The sentence and the hints of a form that is being typed, as JSON."""

    model = Program

    def read(self, form: Any) -> tuple[Program, list[ProgramRule]]:
        return submitted(form)

    def answer(self, typed: tuple[Program, list[ProgramRule]], instance: Program) -> HttpResponse:
        program, rules = typed
        return JsonResponse(
            {
                "sentence": sentence(draft_data(program)),
                "hints": all_hints(program, rules, instance),
                "notes": all_notes(program, rules),
            }
        )


class ProgramViewSet(NoUsageMixin, SnippetViewSet):
    model = Program
    icon = "referral"
    menu_label = _("Programs")
    menu_name = "referral-programs"
    admin_url_namespace = NAMESPACE
    base_url_path = "referrals/programs"
    index_view_class = ProgramIndexView
    index_template_name = "wagtail_referrals/admin/snippet_listing.html"
    add_view_class = ProgramCreateView
    edit_view_class = ProgramEditView
    copy_view_class = ProgramCopyView
    reorder_view_class = ProgramReorderView
    unpublish_view_class = ProgramUnpublishView
    delete_template_name = "wagtail_referrals/admin/program_delete.html"
    confirm_workflow_cancellation_view_class = ProgramConfirmCancellationView
    create_template_name = "wagtail_referrals/admin/program_create.html"
    edit_template_name = "wagtail_referrals/admin/program_edit.html"
    ordering = "precedence"
    sort_order_field = "precedence"
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

    @property
    def replay_view(self) -> Any:
        return self.construct_view(ReplayView, form_class=self.get_form_class())

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            *super().get_urlpatterns(),
            path("replay/", self.replay_view, name="replay"),
            path("replay/<int:pk>/", self.replay_view, name="replay"),
            path("sentence/", self.sentence_view, name="sentence"),
            path("sentence/<int:pk>/", self.sentence_view, name="sentence"),
        ]
