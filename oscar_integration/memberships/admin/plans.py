"""Plans: listing with who has them, form in the editor's words, deletion of those that nobody has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.forms import Media
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, JsonResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views import View
from django.views.decorators.cache import never_cache
from wagtail.admin import messages
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.ui.tables import Column
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.snippets.views.snippets import CreateView, EditView, IndexView, SnippetViewSet

from oscar_integration.memberships.admin.columns import LinkColumn
from oscar_integration.memberships.admin.media import css
from oscar_integration.memberships.admin.names import MEMBERS, PLANS
from oscar_integration.memberships.admin.plan_form import (
    PlanForm,
    in_words,
    plan_edit_handler,
    submitted,
)
from oscar_integration.memberships.admin.policies import VIEW_MEMBERS
from oscar_integration.memberships.admin.words import uses_words
from oscar_integration.memberships.kind import PLAN as GIVEN
from oscar_integration.memberships.models import Membership, Plan, PlanName
from oscar_integration.memberships.triggers import PLANS as BOUGHT
from oscar_integration.memberships.words import length_words
from wagtail_referrals.admin.listing import MINOR, ListingMixin
from wagtail_referrals.admin.usage import NoUsageMixin
from wagtail_referrals.programs import join_words
from wagtail_referrals.programs.models import Program, Terms, language_choices

RUNNING = (Membership.State.ACTIVE, Membership.State.PAST_DUE)


def sold_as(plan: Plan) -> str:
    """How customers come by it. Needs ``plan.product`` and its parent."""
    if plan.product is not None:
        return str(plan.product.get_title())
    return gettext("only given") if plan.gift_only else gettext("not sold at present")


def renewal_state(plan: Plan) -> str:
    if plan.is_trial:
        return gettext("for trying out")
    return gettext("by itself") if plan.renews else gettext("none")


class PlanIndexView(ListingMixin, IndexView):
    @cached_property
    def columns(self) -> list[Column]:
        # Without bulk actions: "select all" goes past the filter, and plans are few.
        return [
            self._get_title_column("name", classname="referral-title", width="22%"),
            Column("product", label=_("Sold as"), accessor=sold_as),
            Column(
                "period",
                label=_("Period"),
                accessor=lambda plan: length_words(plan.period_length, plan.period_unit),
            ),
            Column(
                "uses",
                label=pgettext_lazy("membership", "Uses"),
                accessor=lambda plan: uses_words(plan.uses),
                classname=MINOR,
            ),
            Column("renewal", label=_("Renewal"), accessor=renewal_state, classname=MINOR),
            Column("group", label=_("Group"), accessor=lambda plan: plan.group or "", classname=MINOR),
            LinkColumn(
                "members",
                label=_("Members"),
                accessor=lambda plan: self.members.get(plan.pk, 0),
                get_url=self.members_url if self.request.user.has_perm(VIEW_MEMBERS) else None,
            ),
        ]

    def members_url(self, plan: Plan) -> str:
        return members_url(plan) if plan.pk in self.members else ""

    def decorate(self, rows: list[Plan]) -> None:
        self.members = members_by_plan(rows)

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        context["media"] += css()
        return context


def members_by_plan(plans: Sequence[Plan]) -> dict[int, int]:
    """How many memberships of each plan run now. 1 query."""
    running = Membership.objects.filter(plan__in=plans, state__in=RUNNING)
    return dict(running.order_by().values_list("plan").annotate(Count("pk")))


def members_url(plan: Plan) -> str:
    query = urlencode({"plan": plan.pk, "state": RUNNING}, doseq=True)
    return f"{reverse(f'{MEMBERS}:index')}?{query}"


class PlanFormMixin:
    """What the form's script needs."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc]
        context["media"] += css() + Media(js=[versioned_static("oscar_integration/memberships/plan-form.js")])
        return context


class PlanCreateView(PlanFormMixin, CreateView):
    def get_initial_form_instance(self) -> Plan | None:
        if self.request.method != "GET":
            return None
        plan = Plan()
        plan.names = [PlanName(language=code) for code, _name in language_choices()]
        return plan


class PlanEditView(PlanFormMixin, EditView):
    pass


@method_decorator(never_cache, name="dispatch")
class WordsView(PermissionCheckedMixin, View):
    """The words of a form that is being typed, as JSON."""

    model = Plan
    any_permission_required = ("add", "change")
    http_method_names = ("post",)
    form_class: Any = None

    def post(self, request: HttpRequest) -> HttpResponse:
        form: PlanForm = self.form_class(request.POST, instance=Plan(), for_user=request.user)
        try:
            form.is_valid()
        except (KeyError, ValueError, ValidationError):
            # Rows that are not a plan's: the form was tampered with.
            return HttpResponseBadRequest()
        return JsonResponse({"words": in_words(submitted(form))})


def refuse_deletion(request: HttpRequest, instances: Sequence[Any]) -> HttpResponse | None:
    """Of a plan that somebody has or had, or that a program has promised: what was promised is kept."""
    plans = [instance for instance in instances if isinstance(instance, Plan)]
    if not plans:
        return None
    counted = dict(
        Membership.objects.filter(plan__in=plans).order_by().values_list("plan").annotate(Count("pk"))
    )
    programs = programs_with({plan.pk for plan in plans})
    for plan in plans:
        if plan.pk in counted:
            messages.error(
                request,
                ngettext(
                    "“%(plan)s” cannot be deleted: %(count)s membership is of it. Take its product away, so that it is "
                    "no longer sold.",
                    "“%(plan)s” cannot be deleted: %(count)s memberships are of it. Take its product away, so that it "
                    "is no longer sold.",
                    counted[plan.pk],
                )
                % {"plan": plan, "count": counted[plan.pk]},
            )
        elif programs.get(plan.pk):
            names = [f"“{name}”" for name in programs[plan.pk]]
            messages.error(
                request,
                ngettext(
                    "“%(plan)s” cannot be deleted: it is part of what the program %(programs)s promises, or has "
                    "promised.",
                    "“%(plan)s” cannot be deleted: it is part of what the programs %(programs)s promise, or have "
                    "promised.",
                    len(names),
                )
                % {"plan": plan, "programs": join_words(names)},
            )
    return redirect(f"{PLANS}:list") if counted or programs else None


def programs_with(plan_ids: set[int]) -> dict[int, list[str]]:
    """The names of the programs with a rule about each of these plans, as drafted now or as ever published."""
    found: dict[int, list[str]] = {}
    rules = [
        (program.name, rule.options)
        for program in Program.objects.select_related("latest_revision").prefetch_related("rules")
        for rule in latest(program).rules.all()
    ]
    rules += [
        (data.get("name", ""), rule.get("options"))
        for data in Terms.objects.values_list("data", flat=True)
        for rule in data.get("rules", ())
    ]
    for name, options in rules:
        options = options or {}
        for pk in plan_ids & {options.get(GIVEN), *(options.get(BOUGHT) or ())}:
            if name not in found.setdefault(pk, []):
                found[pk].append(name)
    return found


def latest(program: Program) -> Program:
    revision = program.latest_revision
    return program if revision is None else revision.as_object()


class PlanViewSet(NoUsageMixin, SnippetViewSet):
    model = Plan
    icon = "calendar-check"
    menu_label = _("Plans")
    menu_name = "membership-plans"
    admin_url_namespace = PLANS
    base_url_path = "memberships/plans"
    index_view_class = PlanIndexView
    index_template_name = "wagtail_referrals/admin/snippet_listing.html"
    add_view_class = PlanCreateView
    edit_view_class = PlanEditView
    copy_view_enabled = False
    ordering = "name"
    search_fields = ("name", "slug")
    # Who has it is counted in the listing; the index would cost queries at every save.
    add_to_reference_index = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Plan]:
        return Plan.objects.select_related(
            "group", "product__parent", "product__product_class", "product__parent__product_class"
        )

    def register_chooser_viewset(self) -> None:
        """None: forms offer a list, and Wagtail's chooser is open to every editor."""

    def get_edit_handler(self) -> Any:
        return plan_edit_handler().bind_to_model(self.model)

    def get_urlpatterns(self) -> list[URLPattern]:
        words_view = self.construct_view(WordsView, form_class=self.get_form_class())
        return [*super().get_urlpatterns(), path("words/", words_view, name="words")]
