"""Referrers: who they are, what they brought, and stopping one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import django_filters
from django import forms
from django.contrib.admin.utils import quote
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views import View
from wagtail.admin import messages
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import StatusTagColumn
from wagtail.admin.views import generic
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin

from wagtail_referrals import credit
from wagtail_referrals.admin.brought import badge_names, balances, brought
from wagtail_referrals.admin.filters import SiteDatesFilter
from wagtail_referrals.admin.listing import (
    MINOR,
    BalancesColumn,
    Column,
    MomentColumn,
    RecordColumn,
    RecordIndexView,
    RecordViewSet,
    advocates_like,
)
from wagtail_referrals.admin.wall import CODE, answer_words
from wagtail_referrals.admin.wall import NAMESPACE as WALL
from wagtail_referrals.admin.words import advocate_name, friend_name
from wagtail_referrals.credit.models import Account
from wagtail_referrals.people import forget_code, invitation_name, may_set_state, set_state
from wagtail_referrals.people.models import Advocate, Code
from wagtail_referrals.recognition import feature_of, wearers
from wagtail_referrals.recognition.models import Badge, Featured
from wagtail_referrals.referrals.models import Referral

SEE_CREDIT: Final = "wagtail_referrals_credit.view_account"

# What somebody has brought, as a filter on their referrals.
BROUGHT: Final[dict[str, Any]] = {
    "friends": (_("friends"), Q()),
    "ordered": (_("friends who have ordered"), Q(qualified_at__isnull=False)),
    "rewarded": (_("friends who were rewarded"), Q(state=Referral.State.REWARDED)),
    "nobody": (_("nobody yet"), None),
}
# What they answered to being thanked in public.
FEATURED: Final[dict[str, Any]] = {
    "agreed": (_("agreed"), Q(agreed_at__isnull=False, declined_at=None)),
    "asked": (_("asked, no answer yet"), Q(agreed_at=None, declined_at=None)),
    "declined": (_("declined"), Q(declined_at__isnull=False)),
}


def badge_choices() -> list[tuple[str, str]]:
    return [(str(badge.pk), str(badge)) for badge in Badge.objects.prefetch_related("names")]


class AdvocateFilterSet(WagtailFilterSet):
    state = django_filters.MultipleChoiceFilter(
        distinct=False, label=_("State"), choices=Advocate.State.choices, widget=forms.CheckboxSelectMultiple
    )
    brought = django_filters.ChoiceFilter(
        label=_("Has brought"),
        method="filter_brought",
        choices=[(key, label) for key, (label, _rows) in BROUGHT.items()],
        widget=forms.RadioSelect,
    )
    featured = django_filters.ChoiceFilter(
        label=_("Wall of thanks"),
        method="filter_featured",
        choices=[(key, label) for key, (label, _rows) in FEATURED.items()],
        widget=forms.RadioSelect,
    )
    badge = django_filters.ChoiceFilter(label=_("Badge"), method="filter_badge", choices=badge_choices)
    created_at = SiteDatesFilter(label=_("Since"))

    class Meta:
        model = Advocate
        fields: list[str] = []

    def filter_brought(self, queryset: QuerySet[Advocate], name: str, value: str) -> QuerySet[Advocate]:
        theirs = Referral.objects.filter(advocate=OuterRef("pk"))
        wanted = BROUGHT[value][1]
        return queryset.filter(~Exists(theirs) if wanted is None else Exists(theirs.filter(wanted)))

    def filter_featured(self, queryset: QuerySet[Advocate], name: str, value: str) -> QuerySet[Advocate]:
        answers = Featured.objects.filter(FEATURED[value][1])
        return queryset.filter(pk__in=answers.values("advocate"))

    def filter_badge(self, queryset: QuerySet[Advocate], name: str, value: str) -> QuerySet[Advocate]:
        return queryset.filter(wearers(int(value)))


class AdvocateIndexView(RecordIndexView):
    related = ("user",)
    search_fields = ("public_name",)
    spare = ("public_name", "language")

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
            *(
                [
                    BalancesColumn(
                        "balance",
                        label=_("Balance"),
                        accessor=lambda advocate: self.balances.get(advocate.user_id, {}),
                        currencies=currencies_in_use,
                    )
                ]
                if self.request.user.has_perm(SEE_CREDIT)
                else []
            ),
            Column("public_name", label=_("Name that friends see"), classname=MINOR),
            Column("language", label=_("Language"), classname=MINOR),
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
        self.balances = (
            balances_of([advocate.user_id for advocate in rows if advocate.user_id])
            if self.shows("balance")
            else {}
        )

    def find(self, text: str) -> Q:
        return Q(pk__in=advocates_like(text).values("pk"))


def balances_of(user_ids: list[Any]) -> dict[Any, dict[str, Decimal]]:
    """Balances by customer and currency. One query."""
    found: dict[Any, dict[str, Decimal]] = {}
    for account in Account.objects.filter(user__in=user_ids).order_by("currency"):
        found.setdefault(account.user_id, {})[account.currency] = account.balance
    return found


def balance_words(balances: dict[str, Decimal]) -> str:
    """ "€15.00 · $3.00"."""
    return " · ".join(credit.format_money(amount, code) for code, amount in sorted(balances.items()))


def currencies_in_use() -> list[str]:
    """Those of all accounts, also ones that nothing is given in any more. One query over all of them."""
    return list(Account.objects.order_by("currency").values_list("currency", flat=True).distinct())


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
            brought=brought(advocate, user),
            balances=balances(advocate) if user.has_perm(SEE_CREDIT) and advocate.user_id else (),
            badges=badge_names(advocate),
            more_url=self._more_url(),
            referrals=[
                {
                    "friend": friend_name(referral),
                    "referral": referral,
                    "url": reverse("wagtail_referrals_referrals:inspect", args=[quote(referral.pk)]),
                }
                for referral in (recent if user.has_perm("wagtail_referrals.view_referral") else ())
            ],
            may_change=self.user_has_permission("change"),
            **self._thanks(),
            state_url=reverse("wagtail_referrals_advocates:state", args=[quote(advocate.pk)]),
            states=[button for button in STATE_BUTTONS if may_set_state(advocate, button[0])],
            **kwargs,
        )

    def _more_url(self) -> str:
        """All their friends, found by the code; "" where they have none or this user may not see them."""
        code = self.object.codes.filter(is_active=True).first()
        if code is None or not self.request.user.has_perm("wagtail_referrals.view_referral"):
            return ""
        return f"{reverse('wagtail_referrals_referrals:index')}?{urlencode({'q': code.text})}"

    def _thanks(self) -> dict[str, str]:
        """Where they are put on the wall of thanks; or where they are, and what they answered."""
        user, featured = self.request.user, feature_of(self.object)
        if featured is not None and user.has_perm("wagtail_referrals.change_featured"):
            return {
                "thank_url": reverse(f"{WALL}:edit", args=[quote(featured.pk)]),
                "thanks": answer_words(featured),
            }
        code = self.object.codes.filter(is_active=True).first()
        may_be_asked = self.object.state == Advocate.State.ACTIVE and self.object.user_id is not None
        if featured is None and code and may_be_asked and user.has_perm("wagtail_referrals.add_featured"):
            return {"thank_url": f"{reverse(f'{WALL}:add')}?{urlencode({CODE: code.text})}"}
        return {}


# state, label, what it means, icon
STATE_BUTTONS = [
    (
        Advocate.State.ACTIVE,
        _("Let them refer again"),
        _("Their link works again, and their friends are promised what the program gives."),
        "check",
    ),
    (
        Advocate.State.PAUSED,
        _("Pause"),
        _("Their link invites nobody new. What was promised is kept. You can undo it at any time."),
        "time",
    ),
    (
        Advocate.State.BLOCKED,
        _("Block"),
        _(
            "For abuse: their link invites nobody, and whoever still comes by it is refused. Referrals that are there "
            "already go on."
        ),
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
        advocate = get_object_or_404(Advocate.objects.select_related("user"), pk=pk)
        try:
            set_state(advocate, state, actor=request.user)
        except ValueError:
            return HttpResponseBadRequest()
        # At once, and once more when it is written for good.
        forget_code(advocate)
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
    filterset_class = AdvocateFilterSet
    search_fields = ("public_name",)
    ordering = ("-created_at", "-pk")

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            *super().get_urlpatterns(),
            path("state/<int:pk>/", self.construct_view(AdvocateStateView), name="state"),
        ]
