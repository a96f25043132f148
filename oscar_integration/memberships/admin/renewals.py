"""Renewals: what is due, what was paid, what was declined, and trying again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import django_filters
from django import forms
from django.contrib.admin.utils import quote
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views import View
from wagtail.admin import messages
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import StatusTagColumn

from oscar_integration.memberships.admin import history
from oscar_integration.memberships.admin.actions import MemberActionMixin
from oscar_integration.memberships.admin.columns import ButtonColumn
from oscar_integration.memberships.admin.media import css
from oscar_integration.memberships.admin.names import MEMBERS, RENEWALS
from oscar_integration.memberships.admin.policies import (
    CHANGE_MEMBERS,
    POLICIES,
    VIEW_MEMBERS,
)
from oscar_integration.memberships.admin.words import member, plan_choices
from oscar_integration.memberships.models import Membership, Renewal
from oscar_integration.memberships.renewals import try_soon
from wagtail_referrals.admin.filters import SiteDatesFilter
from wagtail_referrals.admin.listing import (
    MINOR,
    Column,
    MomentColumn,
    MoneyColumn,
    RecordColumn,
    RecordIndexView,
    RecordViewSet,
    users_like,
)
from wagtail_referrals.admin.policies import LimitedPolicy


class RenewalFilterSet(WagtailFilterSet):
    state = django_filters.MultipleChoiceFilter(
        label=pgettext_lazy("membership", "State"),
        choices=Renewal.State.choices,
        widget=forms.CheckboxSelectMultiple,
    )
    plan = django_filters.MultipleChoiceFilter(
        label=_("Plan"),
        field_name="membership__plan",
        choices=plan_choices,
        widget=forms.CheckboxSelectMultiple,
    )
    due_at = SiteDatesFilter(label=_("Due"))
    ended_at = SiteDatesFilter(label=_("Paid, or given up"))

    class Meta:
        model = Renewal
        fields: list[str] = []


def total_of(renewal: Renewal) -> Decimal | None:
    """What it costs in its currency, as far as is known: before the first attempt what was announced."""
    return renewal.total if renewal.total is not None else renewal.announced_total


def refusal_words(renewal: Renewal) -> str:
    """How often, and why the last time; also why it could not be charged at all."""
    if not renewal.attempt:
        return renewal.refusal
    if not renewal.refusal:
        return str(renewal.attempt)
    return gettext("%(count)s: %(reason)s") % {"count": renewal.attempt, "reason": renewal.refusal}


def may_be_tried(renewal: Renewal) -> bool:
    return renewal.state == Renewal.State.PAST_DUE


def try_url(renewal: Renewal) -> str:
    return reverse(f"{RENEWALS}:try", args=[quote(renewal.pk)])


def membership_url(renewal: Renewal) -> str:
    return reverse(f"{MEMBERS}:inspect", args=[quote(renewal.membership_id)])


class RenewalIndexView(RecordIndexView):
    related = ("membership__user", "membership__plan")
    search_fields = ("order_number",)

    @cached_property
    def columns(self) -> list[Any]:
        user = self.request.user
        return [
            RecordColumn(
                "user",
                label=_("Customer"),
                accessor=lambda renewal: member(renewal.membership),
                get_url=membership_url if user.has_perm(VIEW_MEMBERS) else None,
            ),
            Column("plan", label=_("Plan"), accessor="membership.plan", classname=MINOR),
            MomentColumn("due_at", label=_("Due"), sort_key="due_at"),
            StatusTagColumn(
                "state",
                label=pgettext_lazy("membership", "State"),
                accessor="get_state_display",
                primary=lambda renewal: renewal.state == Renewal.State.PAST_DUE,
            ),
            MoneyColumn("total", label=_("Total"), accessor=total_of, currency="currency"),
            MoneyColumn(
                "credit",
                label=_("Credit"),
                classname=MINOR,
                accessor=lambda renewal: renewal.credit or None,
                currency="currency",
            ),
            MoneyColumn(
                "charge",
                label=_("Card"),
                classname=MINOR,
                accessor=lambda renewal: renewal.charge or None,
                currency="currency",
            ),
            Column("refusal", label=_("Refusals"), classname=MINOR, accessor=refusal_words),
            MomentColumn(
                "next_attempt_at",
                label=_("Next attempt"),
                accessor=lambda renewal: renewal.next_attempt_at if renewal.is_open else None,
            ),
            ButtonColumn(
                "try",
                label=_("Try again"),
                back_url=self.index_url,
                accessor=lambda renewal: gettext("Try again now") if may_be_tried(renewal) else "",
                get_url=try_url if user.has_perm(CHANGE_MEMBERS) else None,
            ),
        ]

    def find(self, text: str) -> Q:
        return Q(membership__user__in=users_like(text).values("pk")) | Q(order_number=text)

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        context["media"] += css()
        return context


class TryAgainView(MemberActionMixin, View):
    """Have a declined renewal tried again with the next sweep, whatever its next attempt was."""

    permission_required = "change"
    http_method_names = ("post",)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        renewal = get_object_or_404(Renewal.objects.select_related("membership"), pk=pk)
        with transaction.atomic():
            tried = try_soon(renewal.membership_id, timezone.now())
            if tried:
                history.record(renewal.membership, history.TRIED, actor=request.user, renewal=renewal.pk)
        if tried:
            messages.success(request, gettext("The card is charged again within minutes."))
        else:
            messages.warning(request, gettext("There is nothing to try again any more."))
        back = request.POST.get("next", "")
        if url_has_allowed_host_and_scheme(
            back, allowed_hosts={request.get_host()}, require_https=request.is_secure()
        ):
            return redirect(back)
        return redirect(f"{RENEWALS}:index")


class RenewalViewSet(RecordViewSet):
    model = Renewal
    name = RENEWALS
    url_prefix = "memberships/renewals"
    icon = "rotate"
    menu_label = _("Renewals")
    menu_name = "membership-renewals"
    index_view_class = RenewalIndexView
    filterset_class = RenewalFilterSet
    search_fields = ("order_number",)
    ordering = ("-due_at", "-pk")

    @property
    def permission_policy(self) -> LimitedPolicy:
        return POLICIES[self.model]

    def get_urlpatterns(self) -> list[URLPattern]:
        # A renewal is explained on the page of its membership.
        listing = [pattern for pattern in super().get_urlpatterns() if pattern.name != "inspect"]
        # Whoever looks after members may try: renewals themselves are only looked at.
        try_view = TryAgainView.as_view(permission_policy=POLICIES[Membership])
        return [*listing, path("try/<int:pk>/", try_view, name="try")]
