"""Referrers: who they are, what they brought, and stopping one."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.utils import quote
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views import View
from wagtail.admin import messages
from wagtail.admin.ui.tables import StatusTagColumn
from wagtail.admin.views import generic
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.log_actions import log

from wagtail_referrals import credit
from wagtail_referrals.admin.listing import (
    Column,
    MomentColumn,
    RecordColumn,
    RecordIndexView,
    RecordViewSet,
    advocates_like,
)
from wagtail_referrals.admin.words import advocate_name, friend_name
from wagtail_referrals.credit.models import Account
from wagtail_referrals.people import forget_code, invitation_name
from wagtail_referrals.people.models import Advocate, Code
from wagtail_referrals.referrals.models import Referral


class AdvocateIndexView(RecordIndexView):
    related = ("user",)
    search_fields = ("public_name",)

    @cached_property
    def columns(self) -> list[Any]:
        return [
            RecordColumn("name", label=_("Referrer"), accessor=advocate_name, get_url=self.get_inspect_url),
            Column("code", label=_("Code"), accessor=lambda advocate: self.codes.get(advocate.pk, "")),
            Column(
                "friends",
                label=_("Friends"),
                accessor=lambda advocate: self.friends.get(advocate.pk, (0, 0))[0],
            ),
            Column(
                "rewarded",
                label=_("Rewarded"),
                accessor=lambda advocate: self.friends.get(advocate.pk, (0, 0))[1],
            ),
            Column(
                "balance",
                label=_("Balance"),
                accessor=lambda advocate: self.balances.get(advocate.user_id, ""),
            ),
            StatusTagColumn(
                "state",
                label=_("State"),
                accessor="get_state_display",
                primary=lambda advocate: advocate.state == Advocate.State.ACTIVE,
            ),
            MomentColumn("created_at", label=_("Since"), sort_key="created_at"),
        ]

    def decorate(self, rows: list[Advocate]) -> None:
        ids = [advocate.pk for advocate in rows]
        self.codes = dict(
            Code.objects.filter(advocate__in=ids, is_active=True).values_list("advocate", "text")
        )
        self.friends = {
            pk: (friends, rewarded)
            for pk, friends, rewarded in Referral.objects.filter(advocate__in=ids)
            .order_by()
            .values_list("advocate")
            .annotate(friends=Count("pk"), rewarded=Count("pk", filter=Q(state=Referral.State.REWARDED)))
        }
        self.balances = balances_of([advocate.user_id for advocate in rows if advocate.user_id])

    def find(self, text: str) -> Q:
        return Q(pk__in=advocates_like(text).values("pk"))


def balances_of(user_ids: list[Any]) -> dict[Any, str]:
    """Balances in words by customer: "€15.00 · $3.00". One query."""
    found: dict[Any, list[str]] = {}
    for account in Account.objects.filter(user__in=user_ids).order_by("currency"):
        found.setdefault(account.user_id, []).append(credit.format_money(account.balance, account.currency))
    return {user_id: " · ".join(words) for user_id, words in found.items()}


class AdvocateInspectView(generic.InspectView):
    template_name = "wagtail_referrals/admin/advocate.html"
    page_title = _("Referrer")

    def get_fields(self) -> list[str]:
        return []

    def get_object(self, queryset: Any = None) -> Advocate:
        return get_object_or_404(Advocate.objects.select_related("user"), pk=self.pk)

    def get_page_subtitle(self) -> str:
        return advocate_name(self.object)

    def get_edit_url(self) -> None:
        return None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        advocate = self.object
        recent = advocate.referrals.select_related("friend", "terms").order_by("-created_at", "-pk")[:50]
        user = self.request.user
        return super().get_context_data(
            advocate=advocate,
            name=advocate_name(advocate),
            shown_as=invitation_name(advocate.public_name),
            codes=list(advocate.codes.order_by("-is_active", "-pk")),
            balance=balances_of([advocate.user_id]).get(advocate.user_id, "") if advocate.user_id else "",
            visits=advocate.visits.count(),
            friends=advocate.referrals.count(),
            rewarded=advocate.referrals.filter(state=Referral.State.REWARDED).count(),
            referrals=[
                {
                    "friend": friend_name(referral),
                    "referral": referral,
                    "url": reverse("wagtail_referrals_referrals:inspect", args=[quote(referral.pk)]),
                }
                for referral in (recent if user.has_perm("wagtail_referrals.view_referral") else ())
            ],
            may_change=self.user_has_permission("change"),
            state_url=reverse("wagtail_referrals_advocates:state", args=[quote(advocate.pk)]),
            states=STATE_BUTTONS,
            **kwargs,
        )


# state, label, what it means, icon
STATE_BUTTONS = [
    (
        Advocate.State.ACTIVE,
        _("Let them refer again"),
        _("Their link works, and rewards are given."),
        "check",
    ),
    (
        Advocate.State.PAUSED,
        _("Pause"),
        _("Their link invites nobody new. What was promised is kept."),
        "time",
    ),
    (
        Advocate.State.BLOCKED,
        _("Block"),
        _("Their link invites nobody, and whoever still comes by it is refused."),
        "no-view",
    ),
]


class AdvocateStateView(PermissionCheckedMixin, View):
    """Pause, block, or let somebody refer again."""

    model = Advocate
    permission_required = "change"
    http_method_names = ("post",)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        state = request.POST.get("state", "")
        if state not in Advocate.State.values:
            return HttpResponseBadRequest()
        advocate = get_object_or_404(Advocate.objects.select_related("user"), pk=pk)
        if advocate.state != state:
            advocate.state = state
            advocate.save(update_fields=["state"])
            forget_code(advocate)
            log(advocate, "wagtail.edit", user=request.user, data={"state": state})
        messages.success(
            request,
            gettext("%(name)s is now: %(state)s.")
            % {"name": advocate_name(advocate), "state": advocate.get_state_display()},
        )
        return redirect("wagtail_referrals_advocates:inspect", pk)


class AdvocateViewSet(RecordViewSet):
    model = Advocate
    name = "wagtail_referrals_advocates"
    url_prefix = "referrals/referrers"
    icon = "user"
    menu_label = _("Referrers")
    menu_name = "referral-advocates"
    index_view_class = AdvocateIndexView
    inspect_view_class = AdvocateInspectView
    search_fields = ("public_name",)
    list_filter = ["state"]
    ordering = ("-created_at", "-pk")

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            *super().get_urlpatterns(),
            path("state/<int:pk>/", self.construct_view(AdvocateStateView), name="state"),
        ]
