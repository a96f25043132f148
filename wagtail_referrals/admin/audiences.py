"""Audiences: listing in words, form with a live count of the customers, deletion of those that no program names."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any, Final

from django.db.models import Count, QuerySet, Window
from django.forms import Media
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.formats import number_format
from django.utils.functional import cached_property
from django.utils.translation import gettext, ngettext, pgettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin import messages
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import FieldPanel, ObjectList
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.ui.tables import Column, StatusTagColumn
from wagtail.snippets.views.snippets import CreateView, EditView, IndexView, SnippetViewSet

from wagtail_referrals.admin.listing import MINOR, ListingMixin
from wagtail_referrals.admin.program_form import OptionsPanel, RowsPanel
from wagtail_referrals.admin.typed import TypedFormView
from wagtail_referrals.admin.usage import NoUsageMixin
from wagtail_referrals.kinds import OPTION_PREFIX, join_option_fields
from wagtail_referrals.programs import (
    AudienceData,
    AudienceRuleData,
    audience_data,
    audience_hints,
    audience_rule_problems,
    audience_words,
    customer_facts,
    customers_in,
    join_words,
    programs_naming,
)
from wagtail_referrals.programs.models import Audience, Program

logger = logging.getLogger("wagtail_referrals")

NAMESPACE: Final = "wagtail_referrals_audiences"
# Who sees the listing of referrers sees customers by name.
SEE_CUSTOMERS: Final = "wagtail_referrals.view_advocate"
SAMPLES: Final = 10


# The form


class AudienceRuleForm(WagtailAdminModelForm):
    """One rule. A draft may be incomplete; what is published may not."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Of all facts: which of them a row uses is known only once it is filled in.
        for name, field in join_option_fields(customer_facts).items():
            field.required = False
            self.fields[OPTION_PREFIX + name] = field
        if self.instance.fact in customer_facts:
            fact = customer_facts.get(self.instance.fact)
            for name, value in fact.initial_options(self.instance.options or {}).items():
                self.initial[OPTION_PREFIX + name] = value

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        fact: str = cleaned.get("fact") or ""
        options: dict[str, Any] = {}
        if fact in customer_facts:
            asked = customer_facts.get(fact)
            options = asked.freeze_options(
                {name: cleaned.get(OPTION_PREFIX + name) for name in asked.option_fields()}
            )
        cleaned["options"] = self.instance.options = options
        if not self.is_deferred_validation:
            for name, message in audience_rule_problems(fact, options).items():
                field = name if name == "fact" else OPTION_PREFIX + name
                if field not in self.errors:
                    self.add_error(field, message)
        return cleaned


def audience_edit_handler() -> ObjectList:
    return ObjectList(
        [
            FieldPanel("name"),
            FieldPanel("match", classname="referral-choice"),
            RowsPanel(
                "rules",
                panels=[
                    FieldPanel("fact", heading=_("About the customer"), classname="referral-rule__fact"),
                    OptionsPanel(customer_facts, classname="referral-rule__options"),
                ],
                row_form_class=AudienceRuleForm,
                heading=_("Which customers"),
                label=_("rule"),
                help_text=_("Without a rule it is every customer."),
            ),
        ]
    )


def form_facts() -> dict[str, list[str]]:
    """What the form's script needs to know: the fields of each fact."""
    return {fact.key: [OPTION_PREFIX + name for name in fact.option_fields()] for fact in customer_facts}


def submitted(form: Any) -> AudienceData:
    """The audience of a form that has been checked: what is not valid yet is a rule that is not complete.

    Raises ``ValueError`` for a form that says nothing about its rules: without them it would be everybody.
    """
    if not form.formsets["rules"].management_form.is_valid():
        raise ValueError("the rules are missing")
    rows = [
        row.cleaned_data
        for row in form.formsets["rules"].forms
        if hasattr(row, "cleaned_data") and not row.cleaned_data.get("DELETE")
    ]
    return AudienceData(
        name=form.cleaned_data.get("name") or "",
        rules=tuple(
            AudienceRuleData(fact=row.get("fact") or "", options=row.get("options") or {}) for row in rows
        ),
        any_rule=form.cleaned_data.get("match") == Audience.Match.ANY,
    )


# Who is in it


def customer_name(user: Any) -> str:
    """A customer as a sample: the name, never the address."""
    name = str(user.get_full_name() or "").strip() if hasattr(user, "get_full_name") else ""
    if not name or "@" in name:
        return gettext("customer %(number)s") % {"number": user.pk}
    return name


def who_is_in(data: AudienceData, user: Any) -> dict[str, Any]:
    """The words, the count and, for a member of staff who may see customers, samples. One query."""
    found: dict[str, Any] = {"words": audience_words(data), "samples": []}
    try:
        customers = customers_in(data)
        if user.has_perm(SEE_CUSTOMERS):
            # Counted in the same query: asked for ten rows only, the database would look for them one by one.
            counted = customers.annotate(referrals_count=Window(Count("pk"))).order_by("-pk")
            first = list(counted[:SAMPLES])
            found["samples"] = [customer_name(customer) for customer in first]
            count = first[0].referrals_count if first else 0
        else:
            count = customers.count()
    except Exception:
        # A fact of the shop's own, maybe: the form must still open, to mend it.
        logger.exception("The customers of an audience could not be counted")
        return found | {
            "count": gettext("The customers cannot be counted at the moment."),
            "hints": audience_hints(data),
        }
    return found | {
        "count": ngettext("%(count)s customer", "%(count)s customers", count)
        % {"count": number_format(count, use_l10n=True, force_grouping=True)},
        "hints": audience_hints(data, count),
    }


class AudienceFormMixin:
    """Who is in it, above the form, kept up to date by its script."""

    object: Any
    form: Any
    request: HttpRequest

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)  # type: ignore[misc]
        # Programs give money to whom this says: it is saved when somebody says so.
        self.autosave_enabled = False

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc]
        instance = self.form.instance
        try:
            data = submitted(self.form) if self.form.is_bound else as_if_open(instance)
        except ValueError:
            # Wagtail shows the form again, with what is wrong.
            data = as_if_open(instance)
        context["media"] += Media(
            js=[versioned_static("wagtail_referrals/admin/audience-form.js")],
            css={"all": [versioned_static("wagtail_referrals/admin/admin.css")]},
        )
        context["who"] = who_is_in(data, self.request.user)
        context["count_url"] = reverse(f"{NAMESPACE}:count", args=[instance.pk] if instance.pk else [])
        context["form_facts_json"] = json.dumps(form_facts())
        return context


def as_if_open(audience: Audience) -> AudienceData:
    """What a draft would be if it were published."""
    data = audience_data(audience)
    return AudienceData(name=data.name, rules=data.rules, any_rule=data.any_rule)


class AudienceCreateView(AudienceFormMixin, CreateView):
    pass


class AudienceEditView(AudienceFormMixin, EditView):
    pass


class CountView(TypedFormView):
    """Who would be in the audience of a form that is being typed, as JSON."""

    model = Audience

    def read(self, form: Any) -> AudienceData:
        return submitted(form)

    def answer(self, typed: AudienceData, instance: Audience) -> HttpResponse:
        return JsonResponse(who_is_in(typed, self.request.user))


# The listing


def latest_name(audience: Audience) -> str:
    """The name as last saved, also in a draft. Needs ``latest_revision``."""
    return (audience.latest_revision.object_str if audience.latest_revision else "") or str(audience)


def state_words(audience: Audience) -> str:
    """Wagtail's own words ask for the schedule of each row, and audiences have none."""
    if not audience.live:
        return pgettext("audience", "draft")
    if audience.has_unpublished_changes:
        return pgettext("audience", "published, with a newer draft")
    return pgettext("audience", "published")


class AudienceIndexView(ListingMixin, IndexView):
    @cached_property
    def columns(self) -> list[Column]:
        # Without bulk actions: "select all" goes past the filter, and audiences are few.
        return [
            self._get_title_column("name", accessor=latest_name, classname="referral-title", width="26%"),
            Column("words", label=_("In words"), accessor=lambda row: audience_words(audience_data(row))),
            Column(
                "programs",
                label=_("Programs"),
                accessor=lambda row: ", ".join(str(program) for program in self.programs[row.pk]),
                width="20%",
                classname=MINOR,
            ),
            StatusTagColumn(
                "state", label=_("State"), accessor=state_words, primary=lambda row: row.live, width="12%"
            ),
        ]

    def decorate(self, rows: list[Audience]) -> None:
        self.programs = programs_naming(rows)


def _named(programs: Sequence[Program]) -> str:
    return join_words(f"“{program}”" for program in programs)


def refuse_deletion(request: HttpRequest, instances: Sequence[Any]) -> HttpResponse | None:
    """Of an audience that a program names: also in a draft, which would be for everybody otherwise."""
    audiences = [instance for instance in instances if isinstance(instance, Audience)]
    used = [(audience, programs) for audience, programs in _uses(audiences) if programs]
    for audience, programs in used:
        messages.error(
            request,
            ngettext(
                "“%(audience)s” cannot be deleted: the program %(programs)s is for it. Choose another audience "
                "there first.",
                "“%(audience)s” cannot be deleted: the programs %(programs)s are for it. Choose another audience "
                "there first.",
                len(programs),
            )
            % {"audience": audience, "programs": _named(programs)},
        )
    return redirect(f"{NAMESPACE}:list") if used else None


def warn_of_closing(request: HttpRequest, instance: Any) -> None:
    """After an audience was unpublished: its programs are for nobody then."""
    if not isinstance(instance, Audience):
        return
    for audience, programs in _uses([instance]):
        if programs:
            messages.warning(
                request,
                ngettext(
                    "Until “%(audience)s” is published again, nobody may offer the program %(programs)s.",
                    "Until “%(audience)s” is published again, nobody may offer the programs %(programs)s.",
                    len(programs),
                )
                % {"audience": audience, "programs": _named(programs)},
            )


def _uses(audiences: Sequence[Audience]) -> list[tuple[Audience, list[Program]]]:
    found = programs_naming(audiences) if audiences else {}
    return [(audience, found[audience.pk]) for audience in audiences]


class AudienceViewSet(NoUsageMixin, SnippetViewSet):
    model = Audience
    icon = "group"
    menu_label = _("Audiences")
    menu_name = "referral-audiences"
    admin_url_namespace = NAMESPACE
    base_url_path = "referrals/audiences"
    index_view_class = AudienceIndexView
    index_template_name = "wagtail_referrals/admin/snippet_listing.html"
    add_view_class = AudienceCreateView
    edit_view_class = AudienceEditView
    create_template_name = "wagtail_referrals/admin/audience_create.html"
    edit_template_name = "wagtail_referrals/admin/audience_edit.html"
    copy_view_enabled = False
    ordering = "name"
    search_fields = ("name",)
    # Which programs name it is asked of the programs; the index would miss their drafts.
    add_to_reference_index = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Audience]:
        return Audience.objects.select_related("latest_revision").prefetch_related("rules")

    def register_chooser_viewset(self) -> None:
        """None: programs offer a list, and Wagtail's chooser is open to every editor."""

    def get_edit_handler(self) -> Any:
        return audience_edit_handler().bind_to_model(self.model)

    @property
    def count_view(self) -> Any:
        return self.construct_view(CountView, form_class=self.get_form_class())

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            *super().get_urlpatterns(),
            path("count/", self.count_view, name="count"),
            path("count/<int:pk>/", self.count_view, name="count"),
        ]
