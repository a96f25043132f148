"""Rewards: what is owed and what was given."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import django_filters
from django import forms
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.generic import FormView
from wagtail.admin import messages
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import BulkActionsCheckboxColumn, StatusTagColumn
from wagtail.admin.views import generic
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin

from wagtail_referrals.admin.credit import currency_choices
from wagtail_referrals.admin.filters import ReasonFilter, ReferrerFilter, SiteDatesFilter
from wagtail_referrals.admin.listing import (
    MINOR,
    Column,
    MomentColumn,
    MoneyColumn,
    RecordColumn,
    RecordIndexView,
    RecordViewSet,
    advocates_like,
    keys_of,
    users_like,
)
from wagtail_referrals.admin.policies import RETRY
from wagtail_referrals.admin.selection import MOST, SelectionMixin
from wagtail_referrals.admin.terms import ProgramFilter
from wagtail_referrals.admin.words import advocate_name, is_money, person, reward_amount, reward_words
from wagtail_referrals.kinds import Side, reward_kinds
from wagtail_referrals.referrals import reason_words
from wagtail_referrals.rewards import retry
from wagtail_referrals.rewards.models import Reward

logger = logging.getLogger("wagtail_referrals")

NAMESPACE: Final = "wagtail_referrals_rewards"
# So long somebody waits for rewards to be tried again, in seconds. The sweep tries the others.
PATIENCE: Final = 10.0

# Those of single rewards, see rewards/judge.py.
REASONS: Final = (
    "hold",
    "account",
    "payment",
    "delivery",
    "review",
    "same_address",
    "failed",
    "own_link",
    "existing_customer",
    "advocate_blocked",
    "reviewer",
    "window",
    "minimum",
    "cap",
    "friend_cap",
    "budget",
    "no_amount",
    "unknown_kind",
    "no_customer",
    "had_already",
    "not_first",
    "used_up",
    "cancelled",
    "refunded",
    "below_minimum",
    "partly_refunded",
)


class RewardFilterSet(WagtailFilterSet):
    state = django_filters.MultipleChoiceFilter(
        distinct=False, label=_("State"), choices=Reward.State.choices, widget=forms.CheckboxSelectMultiple
    )
    side = django_filters.ChoiceFilter(
        label=_("Who"),
        choices=Side.choices,
        widget=forms.RadioSelect,
        empty_label=pgettext_lazy("people", "All"),
    )
    kind = django_filters.ChoiceFilter(label=_("Reward"), choices=reward_kinds.choices)
    program = ProgramFilter("terms__program_key")
    reason = ReasonFilter(REASONS)
    advocate = ReferrerFilter()
    currency = django_filters.ChoiceFilter(label=_("Currency"), choices=currency_choices)
    due_at = SiteDatesFilter(label=_("Due"))
    given_at = SiteDatesFilter(label=_("Given on"))
    created_at = SiteDatesFilter(label=_("Date"))

    class Meta:
        model = Reward
        fields: list[str] = []


def may_retry(user: Any) -> bool:
    """Have rewards that failed tried again, as on the page of a referral."""
    return bool(user.has_perms([RETRY, "wagtail_referrals.view_referral"]))


class FailedBoxColumn(BulkActionsCheckboxColumn):
    """A box to tick beside what has failed: nothing is to be done about the others."""

    cell_template_name = "wagtail_referrals/admin/failed_box_cell.html"


class RewardIndexView(RecordIndexView):
    template_name = "wagtail_referrals/admin/rewards.html"
    related = ("user", "advocate__user")
    shared = ("terms",)
    search_fields = ("pk",)
    spare = ("advocate", "program", "given_at")

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        # Many rewards are of few rules.
        self.rule_words: dict[tuple[Any, ...], str] = {}

    @cached_property
    def columns(self) -> list[Any]:
        return [
            RecordColumn(
                "user",
                label=_("Customer"),
                accessor=lambda reward: person(reward.user) or reward.get_side_display(),
                get_url=self.get_inspect_url,
                get_title_id=lambda reward: f"reward_{quote(reward.pk)}_title",
            ),
            Column("side", label=_("As"), accessor="get_side_display", classname=MINOR),
            Column(
                "advocate",
                label=_("Referrer"),
                accessor=lambda reward: advocate_name(reward.advocate),
                classname=MINOR,
            ),
            Column(
                "program",
                label=_("Program"),
                accessor=lambda reward: reward.terms.data.get("name", ""),
                classname=MINOR,
            ),
            Column("what", label=_("Reward"), accessor=self.words_of),
            MoneyColumn("amount", label=_("Worth"), accessor=worth, currency="currency"),
            MoneyColumn("posted", label=_("Given"), accessor=given, currency="currency", classname=MINOR),
            StatusTagColumn(
                "state",
                label=_("State"),
                accessor="get_state_display",
                primary=lambda reward: reward.state in (Reward.State.TO_CHECK, Reward.State.FAILED),
            ),
            Column(
                "reason",
                label=_("Why"),
                classname=MINOR,
                accessor=lambda reward: capfirst(reason_words(reward.reason)),
            ),
            MomentColumn("due_at", label=_("Due"), sort_key="due_at"),
            MomentColumn("given_at", label=_("Given on")),
            MomentColumn("created_at", label=_("Date"), sort_key="created_at"),
        ]

    def get_table(self, object_list: Any) -> Any:
        rows = list(object_list)
        if not may_retry(self.request.user) or not any(row.state == Reward.State.FAILED for row in rows):
            return super().get_table(object_list)
        boxes = FailedBoxColumn("bulk_actions", obj_type="reward")
        return self.table_class([boxes, *self.shown], object_list, **self.get_table_kwargs())

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        if may_retry(self.request.user):
            context["row_actions"] = [
                {"url": reverse(f"{NAMESPACE}:retry"), "label": gettext("Try again now")}
            ]
        return context

    def words_of(self, reward: Reward) -> str:
        key = (reward.terms_id, reward.rule_key, reward.currency, reward.kind)
        if key not in self.rule_words:
            self.rule_words[key] = reward_words(reward)
        return self.rule_words[key]

    def find(self, text: str) -> Q:
        users = keys_of(users_like(text))
        return Q(user__in=users) | Q(advocate__in=keys_of(advocates_like(text, users)))


def worth(reward: Reward) -> Decimal | None:
    """In the reward's currency; ``None`` for things."""
    return reward.amount if is_money(reward.kind) else None


def given(reward: Reward) -> Decimal | str:
    """What has been given and not taken back, in the reward's currency; whether at all, of things."""
    if is_money(reward.kind):
        return reward.posted
    return gettext("yes") if reward.posted else ""


class RewardInspectView(generic.InspectView):
    """A reward is explained by its referral's timeline: one page for both."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect("wagtail_referrals_referrals:inspect", self.object.referral_id)

    def get_object(self, queryset: Any = None) -> Reward:
        return get_object_or_404(Reward, pk=self.pk)


class RetryForm(forms.Form):
    """``seen``: the keys of the rewards that the page showed, with commas."""

    seen = forms.CharField(widget=forms.HiddenInput)

    def clean_seen(self) -> list[int]:
        ids = self.cleaned_data["seen"].split(",")
        return [int(text) for text in ids if text.isdecimal() and len(text) < 19][:MOST]


# Each reward is tried in transactions of its own, also where the shop has one for every request.
@method_decorator(transaction.non_atomic_requests, name="dispatch")
class RetryManyView(PermissionCheckedMixin, SelectionMixin, WagtailAdminTemplateMixin, FormView):
    """Shows the rewards that failed among those that were chosen, and has them tried again."""

    model = Reward
    permission_required = "view"
    form_class = RetryForm
    template_name = "wagtail_referrals/admin/rewards_retry.html"
    page_title = _("Try again to give rewards")
    header_icon = "pick"
    index_url_name = f"{NAMESPACE}:index"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not may_retry(request.user):
            raise PermissionDenied
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": self.index_url, "label": _("Rewards")},
            {"url": "", "label": self.page_title},
        ]

    @cached_property
    def asked_about(self) -> QuerySet[Reward]:
        if self.wants_all:
            found: QuerySet[Any] = self.matching.get_queryset()
            return found
        return Reward.objects.filter(pk__in=self.ticked)

    @property
    def failed(self) -> QuerySet[Reward]:
        failed = self.asked_about.filter(state=Reward.State.FAILED)
        return failed.select_related("terms", "user").order_by("created_at", "pk")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.problems:
            problems = {"problems": " ".join(self.problems)}
            messages.error(request, gettext("Nothing was tried: %(problems)s") % problems)
            return redirect(self.index_url)
        if not self.failed.exists():
            messages.warning(request, gettext("None of these has failed, or they were given meanwhile."))
            return redirect(self.next_url)
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = list(self.failed[:MOST])
        left = self.failed.count() - len(rows)
        return {
            **super().get_context_data(**kwargs),
            "rows": [
                {
                    "reward": reward,
                    "who": person(reward.user) or reward.get_side_display(),
                    "what": reward_words(reward),
                    "amount": reward_amount(reward),
                    "url": reverse("wagtail_referrals_referrals:inspect", args=[quote(reward.referral_id)]),
                }
                for reward in rows
            ],
            "count": len(rows),
            "left": left,
            # Of all that a filter finds nobody has seen which have failed.
            "others": 0 if self.wants_all else self.asked_about.count() - len(rows),
            "seen": ",".join(str(reward.pk) for reward in rows),
            "next": self.next_url,
            "action_url": self.request.get_full_path(),
        }

    def form_valid(self, form: RetryForm) -> HttpResponse:
        tell_retried(self.request, retry_all(form.cleaned_data["seen"], actor=self.request.user))
        return redirect(self.next_url)

    def form_invalid(self, form: RetryForm) -> HttpResponse:
        messages.error(self.request, gettext("Nothing was tried: select again."))
        return redirect(self.next_url)


@dataclass
class Retried:
    """How many of several rewards are given now or ``failed`` again, were ``over`` before, or left for want of time."""

    worked: int = 0
    failed: int = 0
    over: int = 0
    left: int = 0


def retry_all(reward_pks: Iterable[int], *, actor: Any) -> Retried:
    """Try those again that have failed, for as long as somebody waits. None is given twice."""
    end = time.monotonic() + PATIENCE
    pks = list(dict.fromkeys(reward_pks))
    failed = Reward.objects.filter(pk__in=pks, state=Reward.State.FAILED).order_by("created_at", "pk")
    wanted = list(failed.values_list("pk", flat=True))
    done = Retried(over=len(pks) - len(wanted))
    for pk in wanted:
        if time.monotonic() > end:
            done.left += 1
            continue
        try:
            # Of several rewards of one referral, all are tried with the first.
            worked = not failed.filter(pk=pk).exists() or retry(pk, actor=actor)
        except Exception:
            logger.exception("Trying reward %s again failed; the sweep will try it.", pk)
            worked = False
        if worked:
            done.worked += 1
        else:
            done.failed += 1
    return done


def tell_retried(request: HttpRequest, done: Retried) -> None:
    for count, tell, sentence in (
        (
            done.worked,
            messages.success,
            ngettext(
                "It worked this time for %(count)s reward.",
                "It worked this time for %(count)s rewards.",
                done.worked,
            ),
        ),
        (
            done.failed,
            messages.error,
            ngettext(
                "%(count)s failed again, and is tried again by itself. Tell whoever runs the site.",
                "%(count)s failed again, and are tried again by themselves. Tell whoever runs the site.",
                done.failed,
            ),
        ),
        (
            done.over,
            messages.warning,
            ngettext(
                "%(count)s has not failed, or was given meanwhile.",
                "%(count)s have not failed, or were given meanwhile.",
                done.over,
            ),
        ),
        (
            done.left,
            messages.warning,
            ngettext(
                "For %(count)s there was no time: it is tried at the next run of the sweep.",
                "For %(count)s there was no time: they are tried at the next run of the sweep.",
                done.left,
            ),
        ),
    ):
        if count:
            tell(request, sentence % {"count": count})


class RewardViewSet(RecordViewSet):
    model = Reward
    name = NAMESPACE
    url_prefix = "referrals/rewards"
    icon = "pick"
    menu_label = _("Rewards")
    menu_name = "referral-rewards"
    index_view_class = RewardIndexView
    inspect_view_class = RewardInspectView
    filterset_class = RewardFilterSet
    search_fields = ("pk",)
    ordering = ("-created_at", "-pk")
    index_template_name = RewardIndexView.template_name

    def get_urlpatterns(self) -> list[URLPattern]:
        retry_view = self.construct_view(RetryManyView, listing=self.index_view)
        return [*super().get_urlpatterns(), path("retry/", retry_view, name="retry")]
