"""Rewards: what is owed and what was given."""

from __future__ import annotations

from typing import Any

import django_filters
from django import forms
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from wagtail.admin.filters import DateRangePickerWidget, WagtailFilterSet
from wagtail.admin.ui.tables import StatusTagColumn
from wagtail.admin.views import generic

from wagtail_referrals.admin.listing import (
    MINOR,
    Column,
    MomentColumn,
    RecordColumn,
    RecordIndexView,
    RecordViewSet,
    advocates_like,
    users_like,
)
from wagtail_referrals.admin.terms import ProgramFilter
from wagtail_referrals.admin.words import person, reward_amount, reward_posted, reward_words
from wagtail_referrals.kinds import Side, reward_kinds
from wagtail_referrals.referrals import reason_words
from wagtail_referrals.rewards.models import Reward


class RewardFilterSet(WagtailFilterSet):
    state = django_filters.MultipleChoiceFilter(
        label=_("State"), choices=Reward.State.choices, widget=forms.CheckboxSelectMultiple
    )
    side = django_filters.ChoiceFilter(
        label=_("Who"),
        choices=Side.choices,
        widget=forms.RadioSelect,
        empty_label=pgettext_lazy("people", "All"),
    )
    kind = django_filters.ChoiceFilter(label=_("Reward"), choices=reward_kinds.choices)
    program = ProgramFilter("terms__program_key")
    created_at = django_filters.DateFromToRangeFilter(label=_("Date"), widget=DateRangePickerWidget)

    class Meta:
        model = Reward
        fields: list[str] = []


class RewardIndexView(RecordIndexView):
    related = ("terms", "user", "referral")
    search_fields = ("pk",)

    @cached_property
    def columns(self) -> list[Any]:
        return [
            RecordColumn(
                "user",
                label=_("Customer"),
                accessor=lambda reward: person(reward.user) or reward.get_side_display(),
                get_url=self.get_inspect_url,
            ),
            Column("side", label=_("As"), accessor="get_side_display", classname=MINOR),
            Column("what", label=_("Reward"), accessor=reward_words),
            Column("amount", label=_("Worth"), accessor=reward_amount),
            Column("posted", label=_("Given"), accessor=reward_posted, classname=MINOR),
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
            MomentColumn("created_at", label=_("Date"), sort_key="created_at"),
        ]

    def find(self, text: str) -> Q:
        return Q(user__in=users_like(text).values("pk")) | Q(advocate__in=advocates_like(text).values("pk"))


class RewardInspectView(generic.InspectView):
    """A reward is explained by its referral's timeline: one page for both."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect("wagtail_referrals_referrals:inspect", self.object.referral_id)

    def get_object(self, queryset: Any = None) -> Reward:
        return get_object_or_404(Reward, pk=self.pk)


class RewardViewSet(RecordViewSet):
    model = Reward
    name = "wagtail_referrals_rewards"
    url_prefix = "referrals/rewards"
    icon = "pick"
    menu_label = _("Rewards")
    menu_name = "referral-rewards"
    index_view_class = RewardIndexView
    inspect_view_class = RewardInspectView
    filterset_class = RewardFilterSet
    search_fields = ("pk",)
    ordering = ("-created_at", "-pk")
