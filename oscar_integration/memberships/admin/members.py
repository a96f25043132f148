"""Members: who has what, and the page of a membership with what staff can do about it."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

import django_filters
from django import forms
from django.contrib.admin.utils import quote
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import StatusTagColumn
from wagtail.admin.views import generic
from wagtail.admin.widgets import BooleanRadioSelect

from oscar_integration.memberships.admin.actions import EndView, GiveView, RecoveredView, RenewalSwitchView
from oscar_integration.memberships.admin.history import history_of
from oscar_integration.memberships.admin.names import MEMBERS, RENEWALS
from oscar_integration.memberships.admin.policies import (
    CHANGE_MEMBERS,
    POLICIES,
    VIEW_RENEWALS,
)
from oscar_integration.memberships.admin.words import (
    member,
    money,
    plan_choices,
    state_words,
    uses_words,
)
from oscar_integration.memberships.codes import spaced
from oscar_integration.memberships.models import Membership, Period, Renewal
from oscar_integration.memberships.words import days_words, length_words
from wagtail_referrals import people
from wagtail_referrals.admin.filters import SiteDatesFilter
from wagtail_referrals.admin.listing import (
    MINOR,
    Column,
    MomentColumn,
    RecordColumn,
    RecordIndexView,
    RecordViewSet,
    users_like,
)
from wagtail_referrals.admin.policies import LimitedPolicy
from wagtail_referrals.admin.words import order_url, person
from wagtail_referrals.referrals.models import Referral

# On the page of a membership.
MOST_USES: Final = 50
MOST_RENEWALS: Final = 24
MOST_HISTORY: Final = 30


def open_shortfalls() -> QuerySet[Period]:
    """What had been used of a gift that was taken back, and staff have not seen to."""
    return Period.objects.filter(
        Q(shortfall_uses__gt=0) | Q(shortfall_days__gt=0),
        taken_back_at__isnull=False,
        shortfall_closed_at=None,
    )


def to_recover() -> Exists:
    return Exists(open_shortfalls().filter(membership=OuterRef("pk")))


def came_as_friend() -> Exists:
    """Was this member referred by another customer? A referral that was refused does not count."""
    referred = Referral.objects.filter(friend=OuterRef("user")).exclude(state=Referral.State.REFUSED)
    return Exists(referred)


def renewing() -> Q:
    """Is it to go on by itself?"""
    return Q(renews=True, plan__renews=True)


def shortfall_words(period: Period) -> str:
    """ "2 uses", "12 days"."""
    if period.shortfall_uses:
        return uses_words(period.shortfall_uses)
    return days_words(period.shortfall_days)


class MembershipFilterSet(WagtailFilterSet):
    plan = django_filters.MultipleChoiceFilter(
        label=_("Plan"), choices=plan_choices, widget=forms.CheckboxSelectMultiple
    )
    state = django_filters.MultipleChoiceFilter(
        label=pgettext_lazy("membership", "State"),
        choices=Membership.State.choices,
        widget=forms.CheckboxSelectMultiple,
    )
    origin = django_filters.ChoiceFilter(
        label=_("With a period that was"), choices=Period.Origin.choices, method="filter_origin"
    )
    friend = django_filters.BooleanFilter(
        label=_("Came as a friend"), method="filter_friend", widget=BooleanRadioSelect
    )
    renews = django_filters.BooleanFilter(
        label=_("Renewal"), method="filter_renews", widget=BooleanRadioSelect
    )
    shortfall = django_filters.BooleanFilter(
        label=_("Still to recover"), method="filter_shortfall", widget=BooleanRadioSelect
    )
    starts_at = SiteDatesFilter(label=_("Begins"))
    access_until = SiteDatesFilter(label=_("Ends"))

    class Meta:
        model = Membership
        fields: list[str] = []

    def filter_origin(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.filter(
            Exists(Period.objects.filter(membership=OuterRef("pk"), origin=value, taken_back_at=None))
        )

    def filter_friend(self, queryset: Any, name: str, value: bool | None) -> Any:
        return (
            queryset if value is None else queryset.filter(came_as_friend() if value else ~came_as_friend())
        )

    def filter_renews(self, queryset: Any, name: str, value: bool | None) -> Any:
        return queryset if value is None else queryset.filter(renewing() if value else ~renewing())

    def filter_shortfall(self, queryset: Any, name: str, value: bool | None) -> Any:
        return queryset if value is None else queryset.filter(to_recover() if value else ~to_recover())


class MembershipIndexView(RecordIndexView):
    related = ("user", "plan")
    search_fields = ("code",)
    add_item_label = _("Give a membership")

    @cached_property
    def columns(self) -> list[Any]:
        return [
            RecordColumn("user", label=_("Customer"), accessor=member, get_url=self.get_inspect_url),
            Column("plan", label=_("Plan"), accessor="plan"),
            StatusTagColumn(
                "state",
                label=pgettext_lazy("membership", "State"),
                accessor="get_state_display",
                primary=lambda membership: membership.state == Membership.State.PAST_DUE,
            ),
            MomentColumn("starts_at", label=pgettext_lazy("membership", "From"), sort_key="starts_at"),
            MomentColumn("ends_at", label=_("Until"), sort_key="ends_at"),
            Column(
                "uses_left",
                label=_("Uses left"),
                accessor=lambda membership: "" if membership.uses_left is None else membership.uses_left,
                classname=MINOR,
            ),
            Column(
                "renews",
                label=_("Renewal"),
                accessor=lambda membership: renewal_word(membership),
                classname=MINOR,
            ),
            Column(
                "shortfall",
                label=_("Still to recover"),
                accessor=lambda membership: self.shortfalls.get(membership.pk, ""),
                classname=MINOR,
            ),
        ]

    def decorate(self, rows: list[Membership]) -> None:
        self.shortfalls = {
            period.membership_id: shortfall_words(period)
            for period in open_shortfalls().filter(membership__in=rows)
        }

    def find(self, text: str) -> Q:
        return Q(user__in=users_like(text).values("pk")) | Q(code=people.normalise_code(text) or text.upper())


def renewal_word(membership: Membership) -> str:
    """Needs ``membership.plan``."""
    if not membership.plan.renews or membership.state == Membership.State.ENDED:
        return ""
    return gettext("on") if membership.renews else gettext("off")


class MembershipInspectView(generic.InspectView):
    template_name = "oscar_integration/memberships/admin/membership.html"
    page_title = _("Membership")

    def get_fields(self) -> list[str]:
        return []

    def get_object(self, queryset: Any = None) -> Membership:
        return get_object_or_404(Membership.objects.select_related("user", "plan"), pk=self.pk)

    def get_page_subtitle(self) -> str:
        return gettext("%(customer)s, %(plan)s") % {
            "customer": member(self.object),
            "plan": self.object.plan,
        }

    def get_edit_url(self) -> None:
        return None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        membership = self.object
        user = self.request.user
        may_change = user.has_perm(CHANGE_MEMBERS)
        running = membership.state != Membership.State.ENDED
        periods = [described(period, user) for period in periods_of(membership)]
        uses = list(membership.uses_made.select_related("recorded_by")[: MOST_USES + 1])
        return super().get_context_data(
            membership=membership,
            customer=member(membership),
            state=state_words(membership),
            renewal=renewal_word(membership),
            code=spaced(membership.code),
            friend_url=friend_url(membership, user),
            periods=periods,
            shortfalls=[row for row in periods if row["shortfall"]],
            uses=[{"use": use, "by": person(use.recorded_by)} for use in uses[:MOST_USES]],
            more_uses=len(uses) > MOST_USES,
            renewals=[
                renewal_row(renewal) for renewal in membership.renewals.order_by("-number")[:MOST_RENEWALS]
            ]
            if user.has_perm(VIEW_RENEWALS)
            else [],
            history=history_of([membership.pk]).select_related("user")[:MOST_HISTORY],
            may_end=may_change and running,
            may_switch=may_change and running and membership.plan.renews and membership.user_id is not None,
            may_settle=may_change,
            end_url=reverse(f"{MEMBERS}:end", args=[quote(membership.pk)]),
            switch_url=reverse(f"{MEMBERS}:renewal", args=[quote(membership.pk)]),
            give_url=give_url(membership) if may_give(user, membership) else "",
            **kwargs,
        )


def may_give(user: Any, membership: Membership) -> bool:
    return bool(membership.user_id and user.has_perm("referral_memberships.add_membership"))


def give_url(membership: Membership) -> str:
    query = urlencode({"customer": membership.user_id, "plan": membership.plan_id})
    return f"{reverse(f'{MEMBERS}:add')}?{query}"


def friend_url(membership: Membership, viewer: Any) -> str:
    """The referral by which the customer came; "" where there is none, or none that the viewer may see."""
    if membership.user_id is None or not viewer.has_perm("wagtail_referrals.view_referral"):
        return ""
    rows = Referral.objects.filter(friend=membership.user_id).exclude(state=Referral.State.REFUSED)
    first = rows.order_by("created_at", "pk").values_list("pk", flat=True).first()
    return reverse("wagtail_referrals_referrals:inspect", args=[quote(first)]) if first else ""


def periods_of(membership: Membership) -> list[Period]:
    """In the order in which they run; those that have no turn come last. 1 query."""
    rows = list(membership.periods.select_related("given_by", "reward"))
    return sorted(
        rows, key=lambda period: (period.starts_at is None, period.starts_at or period.created_at, period.pk)
    )


def described(period: Period, viewer: Any) -> dict[str, Any]:
    """A period with where it comes from, and links to what the viewer may see."""
    reward_url = ""
    if period.reward is not None and viewer.has_perm("wagtail_referrals.view_referral"):
        reward_url = reverse("wagtail_referrals_referrals:inspect", args=[quote(period.reward.referral_id)])
    return {
        "period": period,
        "what": gettext("%(period)s, %(uses)s")
        % {"period": length_words(period.length, period.unit), "uses": uses_words(period.uses)},
        "order_url": order_url(period.order_number) if period.order_number else "",
        "reward_url": reward_url,
        "by": person(period.given_by),
        "waits": period.counts_from is None and period.taken_back_at is None,
        "taken_back": period.get_taken_back_reason_display() if period.taken_back_at else "",
        "shortfall": shortfall_words(period) if is_to_recover(period) else "",
        "settle_url": reverse(f"{MEMBERS}:recovered", args=[quote(period.pk)]),
    }


def is_to_recover(period: Period) -> bool:
    return bool(
        period.taken_back_at
        and period.shortfall_closed_at is None
        and (period.shortfall_uses or period.shortfall_days)
    )


def refusals_words(renewal: Renewal) -> str:
    """ "2 refusals: Not enough money."; why it could not be charged at all, where that is known."""
    if not renewal.attempt:
        return renewal.refusal
    count = ngettext("%(count)s refusal", "%(count)s refusals", renewal.attempt) % {"count": renewal.attempt}
    if not renewal.refusal:
        return count
    return gettext("%(count)s: %(reason)s") % {"count": count, "reason": renewal.refusal}


def renewal_row(renewal: Renewal) -> dict[str, Any]:
    """A renewal with its amounts in words."""
    code = renewal.currency
    total = renewal.total if renewal.total is not None else renewal.announced_total
    return {
        "renewal": renewal,
        "total": money(total, code),
        "credit": money(renewal.credit, code) if renewal.credit else "",
        "charge": money(renewal.charge, code) if renewal.charge else "",
        "order_url": order_url(renewal.order_number) if renewal.order_number else "",
        "refusals": refusals_words(renewal),
        "try_url": reverse(f"{RENEWALS}:try", args=[quote(renewal.pk)])
        if renewal.state == Renewal.State.PAST_DUE
        else "",
    }


class MembershipViewSet(RecordViewSet):
    model = Membership
    name = MEMBERS
    url_prefix = "memberships/members"
    icon = "group"
    menu_label = _("Members")
    menu_name = "membership-members"
    index_view_class = MembershipIndexView
    inspect_view_class = MembershipInspectView
    filterset_class = MembershipFilterSet
    search_fields = ("code",)
    ordering = ("-created_at", "-pk")

    @property
    def permission_policy(self) -> LimitedPolicy:
        return POLICIES[self.model]

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            *super().get_urlpatterns(),
            path("give/", self.construct_view(GiveView), name="add"),
            path("end/<int:pk>/", self.construct_view(EndView), name="end"),
            path("renewal/<int:pk>/", self.construct_view(RenewalSwitchView), name="renewal"),
            path("recovered/<int:pk>/", self.construct_view(RecoveredView), name="recovered"),
        ]
