"""Requests about orders: what was said at the checkout, what referrers reported, and the page to decide about one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import django_filters
from django import forms
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.db.models import Case, Q, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views import View
from wagtail.admin import messages
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import StatusTagColumn
from wagtail.admin.views import generic
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin

from wagtail_referrals import credit
from wagtail_referrals.admin.counts import REQUEST_COUNT, CountedViewSet, forget_count
from wagtail_referrals.admin.filters import ReasonFilter, ReferrerFilter, SiteDatesFilter
from wagtail_referrals.admin.listing import (
    MINOR,
    Column,
    MomentColumn,
    RecordColumn,
    RecordIndexView,
    RecordViewSet,
    advocates_like,
    keys_of,
)
from wagtail_referrals.admin.policies import REVIEW
from wagtail_referrals.admin.words import advocate_name, order_url, person
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.referrals import (
    FOR_STAFF,
    PlacedOrder,
    RequestError,
    candidates,
    decide_request,
    get_shop,
    reason_words,
    request_problem,
    shop_order,
)
from wagtail_referrals.referrals.models import AttributionRequest
from wagtail_referrals.referrals.requests import DAYS
from wagtail_referrals.rewards import settle

NAMESPACE: Final = "wagtail_referrals_requests"
# So long before an order visits by the referrer's link are worth knowing of.
LOOK_BACK: Final = timedelta(days=30)
# These stand in the way whoever is confirmed.
_OF_ORDER: Final = ("order_unknown", "cancelled", "other_referral", "no_customer")

# Whose turn it is, as the listing sorts: ours, somebody else's, nobody's any more.
OURS: Final = 0

Kind = AttributionRequest.Kind
State = AttributionRequest.State


# Those of requests, see referrals/requests.py.
REASONS: Final = (
    "not_matched",
    "denied",
    "unanswered",
    "order_unknown",
    "own_order",
    "other_referral",
    "advocate_inactive",
    "not_offered",
    "existing_customer",
    "cancelled",
    "no_customer",
    "reviewer",
)


class RequestFilterSet(WagtailFilterSet):
    state = django_filters.MultipleChoiceFilter(
        distinct=False, label=_("State"), choices=State.choices, widget=forms.CheckboxSelectMultiple
    )
    kind = django_filters.MultipleChoiceFilter(
        distinct=False, label=_("Came by"), choices=Kind.choices, widget=forms.CheckboxSelectMultiple
    )
    reason = ReasonFilter(REASONS)
    advocate = ReferrerFilter()
    created_at = SiteDatesFilter(label=_("Date"))

    class Meta:
        model = AttributionRequest
        fields: list[str] = []


def waits_for(request: AttributionRequest) -> str:
    """Who is to decide; of one that is over, why."""
    if request.state != State.WAITING:
        return capfirst(reason_words(request.reason)) if request.reason else ""
    if request.kind == Kind.NAMED and request.matched_at is None:
        return gettext("Whom the name means is being looked up")
    if request.kind == Kind.NAMED and request.advocate is not None:
        return gettext("The referrer is asked")
    return gettext("You are asked")


class RequestIndexView(RecordIndexView):
    related = ("advocate__user",)
    search_fields = ("reference",)

    def get_base_queryset(self) -> QuerySet[Any]:
        # What was said with a basket concerns nobody before it is ordered.
        rows: QuerySet[Any] = super().get_base_queryset().exclude(reference="")
        return rows.annotate(
            turn=Case(
                When(FOR_STAFF, then=Value(OURS)), When(state=State.WAITING, then=Value(1)), default=Value(2)
            )
        )

    @cached_property
    def columns(self) -> list[Any]:
        return [
            RecordColumn("reference", label=pgettext_lazy("purchase", "Order"), get_url=self.get_inspect_url),
            Column("kind", label=_("Came by"), classname=MINOR, accessor="get_kind_display"),
            Column(
                "advocate",
                label=_("Referrer"),
                accessor=lambda request: advocate_name(request.advocate) if request.advocate else "",
            ),
            StatusTagColumn(
                "state",
                label=_("State"),
                accessor="get_state_display",
                primary=lambda request: request.turn == OURS,
            ),
            Column("waits_for", label=_("Why"), accessor=waits_for),
            MomentColumn("created_at", label=_("Date"), sort_key="created_at"),
        ]

    def find(self, text: str) -> Q:
        return Q(reference=text.removeprefix("#")) | Q(advocate__in=keys_of(advocates_like(text)))


def order_facts(order: PlacedOrder | None) -> list[str]:
    """What the shop knows of the order, a sentence each; empty when it knows no such order."""
    if order is None:
        return []
    snapshot = order.snapshot
    placed_at = date_format(timezone.localtime(snapshot.placed_at), "DATETIME_FORMAT")
    found = [
        gettext("Placed on %(date)s by %(customer)s")
        % {"date": placed_at, "customer": person(order.user) or gettext("a guest")},
        gettext("%(amount)s, of which %(eligible)s counts")
        % {
            "amount": credit.format_money(snapshot.total, snapshot.currency),
            "eligible": credit.format_money(snapshot.eligible, snapshot.currency),
        },
        gettext("By somebody who had ordered before")
        if snapshot.was_customer
        else gettext("The first order of this customer"),
    ]
    facts = get_shop().facts([snapshot.reference]).get(snapshot.reference)
    if facts is not None and facts.cancelled:
        found.append(gettext("The order was cancelled"))
    return found


def visits_before(advocate: Advocate, moment: datetime) -> str:
    """Whether anybody came by the referrer's link before the order: not who."""
    found = advocate.visits.filter(created_at__lte=moment, created_at__gt=moment - LOOK_BACK)
    latest = found.order_by("-created_at").values_list("created_at", flat=True).first()
    if latest is None:
        return gettext("Nobody came by their link in the 30 days before the order.")
    return gettext("Somebody came by their link on %(date)s, before the order.") % {
        "date": date_format(timezone.localtime(latest), "DATE_FORMAT")
    }


class RequestInspectView(generic.InspectView):
    template_name = "wagtail_referrals/admin/request.html"
    page_title = _("Request about an order")

    def get_fields(self) -> list[str]:
        return []

    def get_object(self, queryset: Any = None) -> AttributionRequest:
        rows = AttributionRequest.objects.exclude(reference="").select_related(
            "advocate__user", "friend", "actor"
        )
        return get_object_or_404(rows, pk=self.pk)

    def get_page_subtitle(self) -> str:
        return gettext("Order %(number)s") % {"number": self.object.reference}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        about = self.object
        user = self.request.user
        waiting = about.state == State.WAITING
        order = shop_order(about.reference, ())
        problem = request_problem(about) if waiting else ""
        meant = candidates(about) if waiting and about.advocate is None else []
        if about.advocate is not None:
            meant = [about.advocate]
        return super().get_context_data(
            about=about,
            waits_for=waits_for(about),
            advocate=advocate_name(about.advocate) if about.advocate else "",
            advocate_url=reverse("wagtail_referrals_advocates:inspect", args=[quote(about.advocate_id)])
            if about.advocate_id and user.has_perm("wagtail_referrals.view_advocate")
            else "",
            order_url=order_url(about.reference),
            facts=order_facts(order),
            candidates=[
                {
                    "advocate": each,
                    "name": advocate_name(each),
                    "url": reverse("wagtail_referrals_advocates:inspect", args=[quote(each.pk)])
                    if user.has_perm("wagtail_referrals.view_advocate")
                    else "",
                    "visits": visits_before(each, order.snapshot.placed_at) if order else "",
                }
                for each in meant
            ],
            problem=reason_words(problem) if problem else "",
            may_decide=waiting and user.has_perm(REVIEW),
            may_confirm=problem not in _OF_ORDER and (about.advocate is None or not problem),
            may_choose=about.advocate is None,
            decide_url=reverse(f"{NAMESPACE}:decide", args=[quote(about.pk)]),
            decided_by=person(about.actor),
            referral_url=reverse("wagtail_referrals_referrals:inspect", args=[quote(about.referral_id)])
            if about.referral_id and user.has_perm("wagtail_referrals.view_referral")
            else "",
            lapses_at=about.created_at + timedelta(days=DAYS) if waiting else None,
            **kwargs,
        )


class DecideForm(forms.Form):
    """``advocate`` is the key of one that the page proposed; ``other`` a code, an e-mail address or a name."""

    outcome = forms.ChoiceField(choices=[("confirm", ""), ("refuse", "")])
    advocate = forms.IntegerField(min_value=1, required=False)
    other = forms.CharField(max_length=254, required=False)
    note = forms.CharField(max_length=500, required=False)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("outcome") == "refuse" and not cleaned.get("note", "").strip():
            self.add_error("note", gettext("Say why: colleagues read it."))
        return cleaned

    def referrer(self) -> Advocate | None:
        """Who was chosen; ``None`` where nobody was. Raises ``RequestError`` where it is not clear who is meant."""
        text = self.cleaned_data["other"].strip()
        if text:
            found = list(advocates_like(text).distinct()[:2])
            if len(found) != 1:
                raise RequestError(
                    gettext("No referrer is found under “%(text)s”.") % {"text": text}
                    if not found
                    else gettext("“%(text)s” means several referrers: give the code.") % {"text": text}
                )
            return found[0]
        chosen = self.cleaned_data["advocate"]
        return Advocate.objects.filter(pk=chosen).first() if chosen else None


class DecideView(PermissionCheckedMixin, View):
    """Confirm or refuse. Two editors at once: the second one is told, and nothing is paid twice."""

    model = AttributionRequest
    permission_required = "view"
    http_method_names = ("post",)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not request.user.has_perm(REVIEW):
            raise PermissionDenied
        get_object_or_404(AttributionRequest.objects.exclude(reference=""), pk=pk)
        back = redirect(f"{NAMESPACE}:inspect", pk)
        form = DecideForm(request.POST)
        if not form.is_valid():
            note_errors = form.errors.get("note")
            messages.error(
                request, note_errors[0] if note_errors else gettext("Choose to confirm or to refuse.")
            )
            return back
        confirmed = form.cleaned_data["outcome"] == "confirm"
        try:
            referral = decide_request(
                pk,
                confirmed=confirmed,
                actor=request.user,
                note=form.cleaned_data["note"].strip(),
                advocate=form.referrer() if confirmed else None,
            )
        except RequestError as error:
            messages.warning(request, str(error))
            return back
        forget_count(REQUEST_COUNT)
        if referral is None:
            messages.success(request, gettext("The request was refused."))
            return back
        settle(referral.pk)
        messages.success(
            request, gettext("The order now belongs to a referral, which is judged like any other.")
        )
        return back


class RequestViewSet(CountedViewSet, RecordViewSet):
    model = AttributionRequest
    name = NAMESPACE
    url_prefix = "referrals/requests"
    icon = "help"
    menu_label = _("Requests")
    menu_name = "referral-requests"
    index_view_class = RequestIndexView
    inspect_view_class = RequestInspectView
    filterset_class = RequestFilterSet
    search_fields = ("reference",)
    # What waits for staff comes first, then what waits for somebody else.
    ordering = ("turn", "-created_at", "-pk")
    count_key = REQUEST_COUNT
    count_permissions = ("wagtail_referrals.view_attributionrequest",)

    def waiting(self) -> QuerySet[Any]:
        return AttributionRequest.objects.filter(FOR_STAFF).exclude(reference="")

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            *super().get_urlpatterns(),
            path("decide/<int:pk>/", self.construct_view(DecideView), name="decide"),
        ]
