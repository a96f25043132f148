"""What happened before a friend was known: links that were shared and opened, and invitations that were saved.

The rows behind the first figures of the summary, which leads here. They say nothing about who came.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import django_filters
from django import forms
from django.contrib.admin.utils import quote
from django.db.models import QuerySet
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet
from wagtail.models import Page

from wagtail_referrals.admin.filters import ReferrerFilter, SiteDatesFilter
from wagtail_referrals.admin.listing import (
    MINOR,
    Column,
    MomentColumn,
    RecordColumn,
    RecordIndexView,
    RecordViewSet,
    StatusTagColumn,
)
from wagtail_referrals.admin.referrals import NO_CHANNEL, channel_choices
from wagtail_referrals.admin.terms import ProgramFilter
from wagtail_referrals.admin.words import advocate_name
from wagtail_referrals.insights import days_with
from wagtail_referrals.programs import language_name
from wagtail_referrals.tracking import CHANNELS
from wagtail_referrals.tracking.models import Claim, Share, Visit

# As what they count by day: of a way that is rare only the days with some of it are looked at.
_FIGURES: Final[dict[Any, str]] = {Share: "shares", Visit: "visits", Claim: "claims"}


class ChannelFilter(django_filters.ChoiceFilter):
    """By the way in which a link was passed on."""

    def __init__(self, field_name: str = "channel", **kwargs: Any) -> None:
        super().__init__(field_name=field_name, label=_("Way of sharing"), choices=channel_choices, **kwargs)

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value == NO_CHANNEL:
            return qs.filter(**{self.field_name: ""})
        if value and qs.model in _FIGURES:
            qs = qs.filter(days_with(_FIGURES[qs.model], "created_at", channel=value))
        return super().filter(qs, value)


class ShareFilterSet(WagtailFilterSet):
    program = ProgramFilter("terms__program_key")
    channel = ChannelFilter()
    advocate = ReferrerFilter()
    created_at = SiteDatesFilter(label=_("Date"))

    class Meta:
        model = Share
        fields: list[str] = []


class VisitFilterSet(ShareFilterSet):
    class Meta:
        model = Visit
        fields: list[str] = []


class ClaimFilterSet(WagtailFilterSet):
    state = django_filters.MultipleChoiceFilter(
        distinct=False, label=_("State"), choices=Claim.State.choices, widget=forms.CheckboxSelectMultiple
    )
    source = django_filters.MultipleChoiceFilter(
        distinct=False, label=_("Came by"), choices=Claim.Source.choices, widget=forms.CheckboxSelectMultiple
    )
    program = ProgramFilter("terms__program_key")
    channel = ChannelFilter("visit__channel")
    advocate = ReferrerFilter()
    created_at = SiteDatesFilter(label=_("Date"))

    class Meta:
        model = Claim
        fields: list[str] = []


def channel_words(channel: str) -> str:
    return capfirst(str(CHANNELS.get(channel, channel)))


def program_name(row: Any) -> str:
    """Needs ``row.terms``."""
    return row.terms.data.get("name", "") if row.terms is not None else gettext("No program was open")


class ArrivalIndexView(RecordIndexView):
    """Rows that have no page of their own; they lead to their referrer's."""

    shared = ("terms",)
    related: Sequence[str] = ("advocate__user",)

    def advocate_url(self, row: Any) -> str | None:
        if not self.request.user.has_perm("wagtail_referrals.view_advocate"):
            return None
        return reverse("wagtail_referrals_advocates:inspect", args=[quote(row.advocate_id)])

    @property
    def advocate_column(self) -> Column:
        return RecordColumn(
            "advocate",
            label=_("Referrer"),
            accessor=lambda row: advocate_name(row.advocate),
            get_url=self.advocate_url,
        )

    @property
    def program_column(self) -> Column:
        return Column("program", label=_("Program"), accessor=program_name)

    @property
    def language_column(self) -> Column:
        return Column(
            "language",
            label=_("Language"),
            accessor=lambda row: language_name(row.language) if row.language else "",
            classname=MINOR,
        )


class ShareIndexView(ArrivalIndexView):
    @cached_property
    def columns(self) -> list[Any]:
        return [
            self.advocate_column,
            self.program_column,
            Column("channel", label=_("Way of sharing"), accessor=lambda share: channel_words(share.channel)),
            self.language_column,
            MomentColumn("created_at", label=_("Date"), sort_key="created_at"),
        ]


class VisitIndexView(ArrivalIndexView):
    @cached_property
    def columns(self) -> list[Any]:
        return [
            self.advocate_column,
            self.program_column,
            Column("channel", label=_("Way of sharing"), accessor=lambda visit: channel_words(visit.channel)),
            self.language_column,
            Column(
                "page",
                label=pgettext_lazy("referral", "Landing page"),
                accessor=lambda visit: self.pages.get(visit.page_id, ""),
                classname=MINOR,
            ),
            Column(
                "claim",
                label=_("Invitation saved"),
                accessor=lambda visit: gettext("yes") if visit.pk in self.saved else "",
            ),
            MomentColumn("created_at", label=_("Date"), sort_key="created_at"),
        ]

    def decorate(self, rows: list[Visit]) -> None:
        # A page may have been deleted since.
        pages = {visit.page_id for visit in rows} - {None}
        self.pages = dict(Page.objects.filter(pk__in=pages).values_list("pk", "title"))
        self.saved = set(Claim.objects.filter(visit__in=rows).values_list("visit", flat=True))


class ClaimIndexView(ArrivalIndexView):
    related = ("advocate__user", "visit", "referral")

    @cached_property
    def columns(self) -> list[Any]:
        return [
            self.advocate_column,
            self.program_column,
            Column("source", label=_("Came by"), accessor="get_source_display"),
            Column(
                "channel",
                label=_("Way of sharing"),
                accessor=lambda claim: channel_words(claim.visit.channel) if claim.visit else "",
                classname=MINOR,
            ),
            self.language_column,
            StatusTagColumn(
                "state",
                label=_("State"),
                accessor="get_state_display",
                primary=lambda claim: claim.state == Claim.State.USED,
            ),
            MomentColumn("expires_at", label=_("Until")),
            MomentColumn("created_at", label=_("Date"), sort_key="created_at"),
        ]


class ArrivalViewSet(RecordViewSet):
    """Without a page for each."""

    inspect_view_enabled = False
    ordering = ("-created_at", "-pk")

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", self.index_view, name="index"),
            path("results/", self.index_results_view, name="index_results"),
        ]


class ShareViewSet(ArrivalViewSet):
    model = Share
    name = "wagtail_referrals_shares"
    url_prefix = "referrals/shares"
    icon = "redirect"
    index_view_class = ShareIndexView
    filterset_class = ShareFilterSet


class VisitViewSet(ArrivalViewSet):
    model = Visit
    name = "wagtail_referrals_visits"
    url_prefix = "referrals/visits"
    icon = "view"
    index_view_class = VisitIndexView
    filterset_class = VisitFilterSet


class ClaimViewSet(ArrivalViewSet):
    model = Claim
    name = "wagtail_referrals_claims"
    url_prefix = "referrals/invitations"
    icon = "draft"
    index_view_class = ClaimIndexView
    filterset_class = ClaimFilterSet
