"""Referrals: one line each, and the page that explains what became of one."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import django_filters
from django import forms
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _
from django.views import View
from wagtail.admin import messages
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import StatusTagColumn
from wagtail.admin.views import generic
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin

from wagtail_referrals import credit
from wagtail_referrals.admin.counts import REVIEW_COUNT, forget_count
from wagtail_referrals.admin.filters import (
    AudienceFilter,
    LandingPageFilter,
    LanguageFilter,
    ReasonFilter,
    ReferrerFilter,
    SiteDatesFilter,
)
from wagtail_referrals.admin.listing import (
    MINOR,
    Column,
    MomentColumn,
    RecordColumn,
    RecordIndexView,
    RecordViewSet,
    advocates_like,
    keys_of,
    users_like,
)
from wagtail_referrals.admin.policies import RETRY, REVIEW
from wagtail_referrals.admin.review import (
    POSTPONE,
    ReviewerMixin,
    cases_of,
    check_until,
    decide,
    seal_of,
    settle_some,
    until_field,
)
from wagtail_referrals.admin.terms import ProgramFilter, compare_url, version_choices
from wagtail_referrals.admin.words import (
    advocate_name,
    friend_name,
    order_url,
    person,
    reward_amount,
    reward_posted,
    reward_words,
)
from wagtail_referrals.insights import days_with
from wagtail_referrals.programs import count_differences, parse, sentence, versions_in_force
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals import event_words, events_of, reason_words
from wagtail_referrals.referrals.models import TAKES_BACK, Purchase, Referral, TimelineEvent
from wagtail_referrals.rewards import retry
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.tracking import CHANNELS
from wagtail_referrals.tracking.models import Claim
from wagtail_referrals.trust import latest_review, review

NAMESPACE = "wagtail_referrals_referrals"


# Those of the whole referral, see rewards/judge.py and trust/checks.py. Others belong to single rewards and requests.
REASONS: Final = (
    "order",
    "other_products",
    "payment",
    "delivery",
    "hold",
    "review",
    "same_address",
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
    "not_first",
    "had_already",
    "no_customer",
    "cancelled",
    "refunded",
    "below_minimum",
)
# By no way that is counted.
NO_CHANNEL: Final = "-"


def channel_choices() -> list[tuple[str, str]]:
    return [*((key, str(label)) for key, label in CHANNELS.items()), (NO_CHANNEL, gettext("not known"))]


class FirstOrderFilter(SiteDatesFilter):
    """By the date of the friend's first order."""

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        orders = Purchase.objects.order_by()
        found = super().filter(orders, value)
        if found is orders:
            return qs
        before = Q(placed_at__lt=OuterRef("placed_at")) | Q(
            placed_at=OuterRef("placed_at"), pk__lt=OuterRef("pk")
        )
        earlier = Purchase.objects.filter(before, referral=OuterRef("referral")).order_by()
        return qs.filter(pk__in=found.filter(~Exists(earlier)).values("referral"))


class TakenBackFilter(SiteDatesFilter):
    """By the date on which some of a reward was taken back."""

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        events = TimelineEvent.objects.filter(kind__in=TAKES_BACK, data__has_key="amount").order_by()
        found = super().filter(events, value)
        return qs.filter(pk__in=found.values("referral")) if found is not events else qs


class ReferralFilterSet(WagtailFilterSet):
    state = django_filters.MultipleChoiceFilter(
        distinct=False, label=_("State"), choices=Referral.State.choices, widget=forms.CheckboxSelectMultiple
    )
    program = ProgramFilter("program_key")
    terms = django_filters.ChoiceFilter(label=_("Version of the terms"), choices=version_choices)
    reason = ReasonFilter(REASONS)
    advocate = ReferrerFilter()
    source = django_filters.MultipleChoiceFilter(
        distinct=False,
        label=_("Came by"),
        field_name="claim__source",
        choices=Claim.Source.choices,
        widget=forms.CheckboxSelectMultiple,
    )
    channel = django_filters.ChoiceFilter(
        label=_("Way of sharing"), choices=channel_choices, method="filter_channel"
    )
    page = LandingPageFilter()
    language = LanguageFilter()
    audience = AudienceFilter()
    created_at = SiteDatesFilter(label=_("Date"))
    registered_at = SiteDatesFilter(label=_("Registered"))
    ordered_at = FirstOrderFilter(field_name="placed_at", label=_("First order"))
    qualified_at = SiteDatesFilter(label=_("Qualified"))
    taken_back_at = TakenBackFilter(field_name="created_at", label=_("Reward taken back"))

    class Meta:
        model = Referral
        fields: list[str] = []

    def filter_channel(self, queryset: QuerySet[Referral], name: str, value: str) -> QuerySet[Referral]:
        if value == NO_CHANNEL:
            return queryset.filter(Q(claim__visit=None) | Q(claim__visit__channel=""))
        # Of a way that brought nobody, or few, only the days on which it did are looked at.
        return queryset.filter(
            days_with("referrals", "created_at", channel=value), claim__visit__channel=value
        )


def waits_for(referral: Referral) -> str:
    """What is to happen next, and until when; for a referral that is over, why."""
    words = reason_words(referral.reason) if referral.reason else ""
    if referral.state == Referral.State.WAITING_PERIOD and referral.hold_until:
        return gettext("%(reason)s, on %(date)s") % {
            "reason": capfirst(words),
            "date": date_format(timezone.localtime(referral.hold_until), "DATE_FORMAT"),
        }
    return capfirst(words)


class ReferralIndexView(RecordIndexView):
    related = ("advocate__user", "friend")
    shared = ("terms",)
    search_fields = ("pk",)
    spare = ("source", "channel", "orders", "registered_at", "qualified_at", "hold_until")

    @cached_property
    def columns(self) -> list[Any]:
        return [
            RecordColumn("friend", label=_("Friend"), accessor=friend_name, get_url=self.get_inspect_url),
            Column(
                "advocate", label=_("Referred by"), accessor=lambda referral: advocate_name(referral.advocate)
            ),
            Column(
                "program",
                label=_("Program"),
                classname=MINOR,
                accessor=lambda referral: referral.terms.data.get("name", ""),
            ),
            StatusTagColumn(
                "state",
                label=_("State"),
                accessor="get_state_display",
                primary=lambda referral: referral.state == Referral.State.TO_CHECK,
            ),
            Column("waits_for", label=_("Why"), accessor=waits_for),
            Column("source", label=_("Came by"), accessor=self.source_words, classname=MINOR),
            Column("channel", label=_("Way of sharing"), accessor=self.channel_words, classname=MINOR),
            Column(
                "orders",
                label=_("Orders"),
                accessor=lambda referral: ", ".join(self.orders.get(referral.pk, ())),
                classname=MINOR,
            ),
            MomentColumn("registered_at", label=_("Registered")),
            MomentColumn("qualified_at", label=_("Qualified")),
            MomentColumn("hold_until", label=_("Waiting until")),
            MomentColumn("created_at", label=_("Date"), sort_key="created_at"),
        ]

    def decorate(self, rows: list[Referral]) -> None:
        self.claims: dict[int, Claim] = {}
        if self.shows("source") or self.shows("channel"):
            claims = Claim.objects.select_related("visit")
            self.claims = claims.in_bulk([referral.claim_id for referral in rows])
        self.orders: dict[int, list[str]] = {}
        if self.shows("orders"):
            found = Purchase.objects.filter(referral__in=rows).values_list("referral", "reference")
            for referral_id, reference in found:
                self.orders.setdefault(referral_id, []).append(reference)

    def source_words(self, referral: Referral) -> str:
        return str(self.claims[referral.claim_id].get_source_display())

    def channel_words(self, referral: Referral) -> str:
        visit = self.claims[referral.claim_id].visit
        return str(CHANNELS.get(visit.channel, visit.channel)) if visit else ""

    def find(self, text: str) -> Q:
        users = keys_of(users_like(text))
        return (
            Q(friend__in=users)
            | Q(advocate__in=keys_of(advocates_like(text, users)))
            | Q(pk__in=keys_of(Purchase.objects.filter(reference=text), "referral"))
        )


def purchase_facts(purchase: Purchase) -> list[str]:
    """What is known of the order now, a sentence each."""
    observed = purchase.observed
    facts = [
        capfirst(
            gettext("placed on %(date)s")
            % {"date": date_format(timezone.localtime(purchase.placed_at), "DATE_FORMAT")}
        )
    ]
    for name, words in (("paid_at", _("paid on %(date)s")), ("shipped_at", _("delivered on %(date)s"))):
        moment: datetime | None = parse_datetime(observed.get(name) or "")
        if moment:
            facts.append(
                capfirst(str(words) % {"date": date_format(timezone.localtime(moment), "DATE_FORMAT")})
            )
    if observed.get("cancelled"):
        facts.append(pgettext("purchase", "Cancelled"))
    if Decimal(observed.get("refunded") or 0):
        facts.append(
            gettext("Refunded: %(amount)s")
            % {"amount": credit.format_money(Decimal(observed["refunded"]), purchase.currency)}
        )
    if purchase.was_customer:
        facts.append(gettext("By somebody who had ordered before"))
    return facts


class ReferralInspectView(generic.InspectView):
    template_name = "wagtail_referrals/admin/referral.html"
    page_title = _("Referral")

    def get_fields(self) -> list[str]:
        return []

    def get_object(self, queryset: Any = None) -> Referral:
        rows = Referral.objects.select_related("advocate__user", "friend", "terms", "claim")
        return get_object_or_404(rows, pk=self.pk)

    def get_page_subtitle(self) -> str:
        return gettext("%(friend)s, referred by %(advocate)s") % {
            "friend": friend_name(self.object),
            "advocate": advocate_name(self.object.advocate),
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        referral = self.object
        user = self.request.user
        terms = parse(referral.terms)
        latest = latest_review(referral)
        return super().get_context_data(
            referral=referral,
            waits_for=waits_for(referral),
            friend=friend_name(referral),
            advocate=advocate_name(referral.advocate),
            advocate_url=reverse("wagtail_referrals_advocates:inspect", args=[quote(referral.advocate_id)])
            if user.has_perm("wagtail_referrals.view_advocate")
            else "",
            terms_url=reverse("wagtail_referrals_terms:inspect", args=[quote(referral.terms_id)])
            if user.has_perm("wagtail_referrals.view_terms")
            else "",
            sentence=sentence(terms),
            since=changes_since(referral.terms) if user.has_perm("wagtail_referrals.view_terms") else None,
            purchases=[
                {
                    "purchase": purchase,
                    "total": credit.format_money(purchase.total, purchase.currency),
                    "eligible": credit.format_money(purchase.eligible, purchase.currency),
                    "facts": purchase_facts(purchase),
                    "url": order_url(purchase.reference),
                }
                for purchase in referral.purchases.all()
            ],
            rewards=[
                {
                    "reward": reward,
                    "who": person(reward.user) or reward.get_side_display(),
                    "what": reward_words(reward),
                    "amount": reward_amount(reward),
                    "posted": reward_posted(reward),
                    "reason": capfirst(reason_words(reward.reason)) if reward.reason else "",
                    "retry_url": reverse(f"{NAMESPACE}:retry", args=[referral.pk, reward.pk])
                    if reward.state == Reward.State.FAILED and user.has_perm(RETRY)
                    else "",
                }
                for reward in referral.rewards.select_related("terms", "user").order_by("pk")
            ],
            discounts=[
                {
                    "grant": grant,
                    "reason": capfirst(reason_words(grant.reason)) if grant.reason else "",
                    "used": used,
                }
                for grant in referral.claim.discounts.order_by("pk")
                for used in [
                    credit.format_money(grant.used_amount, grant.used_currency)
                    if grant.used_amount is not None
                    else ""
                ]
            ],
            events=[
                {"event": event, "words": event_words(event), "actor": person(event.actor)}
                for event in events_of(referral)
            ],
            may_review=user.has_perm(REVIEW)
            and (referral.state == Referral.State.TO_CHECK or latest is not None),
            latest=latest,
            review_url=reverse(f"{NAMESPACE}:review", args=[quote(referral.pk)]),
            may_postpone=user.has_perm(REVIEW)
            and referral.state == Referral.State.TO_CHECK
            and latest is None,
            postpone_url=reverse(f"{NAMESPACE}:postpone", args=[quote(referral.pk)]),
            postponed_until=referral.postponed_until
            if referral.postponed_until and referral.postponed_until > timezone.now()
            else None,
            tomorrow=timezone.localdate(timezone=timezone.get_default_timezone()) + timedelta(days=1),
            seen=seal_of(referral),
            case=cases_of([referral])[referral.pk] if referral.state == Referral.State.TO_CHECK else None,
            **kwargs,
        )


def changes_since(terms: Terms) -> dict[str, Any]:
    """How the offer differs now from these terms: from those in force, or from the newest ones of a closed program."""
    versions = {version.pk: version for version in Terms.objects.filter(program_key=terms.program_key)}
    in_force = versions_in_force([terms.program_key])
    newest = max(versions.values(), key=lambda version: version.number)
    now = next((versions[pk] for pk in in_force if pk in versions), newest)
    return {
        "now": now,
        "is_same": now == terms,
        "count": count_differences(parse(terms), parse(now)),
        "url": compare_url(terms.program_key, terms.number, now.number),
    }


class ReviewForm(forms.Form):
    """``seen`` is the seal of what was on the reviewer's screen."""

    outcome = forms.ChoiceField(choices=[("approve", ""), ("refuse", "")])
    note = forms.CharField(max_length=500, required=False)
    seen = forms.CharField(max_length=64)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("outcome") == "refuse" and not cleaned.get("note", "").strip():
            self.add_error("note", gettext("Say why: it is kept in the timeline."))
        return cleaned


class PostponeForm(forms.Form):
    """As ``ReviewForm``, for a day on which to ask again."""

    until = until_field()
    note = forms.CharField(max_length=500, required=False)
    seen = forms.CharField(max_length=64)

    def clean_until(self) -> date:
        return check_until(self.cleaned_data["until"])


# Each decision is a transaction of its own, also where the shop has one for every request: what follows is another.
@method_decorator(transaction.non_atomic_requests, name="dispatch")
class ReviewView(ReviewerMixin, View):
    """Approve or refuse what a check held, or decide otherwise. Two editors at once: the second one is told, and
    nothing is paid twice.
    """

    model = Referral
    http_method_names = ("post",)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        back = redirect(f"{NAMESPACE}:inspect", pk)
        form = ReviewForm(request.POST)
        if not form.is_valid():
            note_errors = form.errors.get("note")
            messages.error(
                request, note_errors[0] if note_errors else gettext("Choose to approve or to refuse.")
            )
            return back
        with transaction.atomic():
            referral = get_object_or_404(Referral.objects.select_for_update(no_key=True), pk=pk)
            if seal_of(referral) != form.cleaned_data["seen"]:
                messages.warning(
                    request,
                    gettext("Somebody has decided in the meantime, or it has changed. Please look again."),
                )
                return back
            if latest_review(referral) is None and referral.state != Referral.State.TO_CHECK:
                messages.warning(request, gettext("There is nothing to check here any more."))
                return back
            review(
                pk, form.cleaned_data["outcome"], actor=request.user, note=form.cleaned_data["note"].strip()
            )
        forget_count(REVIEW_COUNT)
        waiting = settle_some([pk])
        if form.cleaned_data["outcome"] == "approve":
            messages.success(request, gettext("The referral was approved."))
        else:
            messages.success(request, gettext("The referral was refused."))
        if waiting:
            messages.warning(request, gettext("What follows from it is done at the next run of the sweep."))
        return back


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class PostponeView(ReviewerMixin, View):
    """Ask later: the referral leaves the list of what is to be checked until that day."""

    model = Referral
    http_method_names = ("post",)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        get_object_or_404(Referral, pk=pk)
        form = PostponeForm(request.POST)
        if form.is_valid():
            try:
                decide(request, POSTPONE, {pk: form.cleaned_data["seen"]}, form.cleaned_data)
            except forms.ValidationError as error:
                form.add_error("until", error)
        if form.errors:
            errors = form.errors.get("until")
            messages.error(request, errors[0] if errors else gettext("Choose a day after today."))
        return redirect(f"{NAMESPACE}:inspect", pk)


class RetryView(PermissionCheckedMixin, View):
    """Try again to give a reward that failed."""

    model = Referral
    permission_required = "view"
    http_method_names = ("post",)

    def post(self, request: HttpRequest, pk: int, reward_pk: int) -> HttpResponse:
        if not request.user.has_perm(RETRY):
            raise PermissionDenied
        reward = get_object_or_404(Reward, pk=reward_pk, referral=pk)
        if reward.state != Reward.State.FAILED:
            messages.warning(request, gettext("This reward has not failed, or was given meanwhile."))
        elif retry(reward.pk, actor=request.user):
            messages.success(request, gettext("It worked this time."))
        else:
            messages.error(
                request, gettext("It failed again, and is tried again by itself. Tell whoever runs the site.")
            )
        return redirect(f"{NAMESPACE}:inspect", pk)


class ReferralViewSet(RecordViewSet):
    model = Referral
    name = NAMESPACE
    url_prefix = "referrals/referrals"
    icon = "link"
    menu_label = _("Referrals")
    menu_name = "referral-referrals"
    index_view_class = ReferralIndexView
    inspect_view_class = ReferralInspectView
    filterset_class = ReferralFilterSet
    search_fields = ("pk",)
    ordering = ("-created_at", "-pk")

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            *super().get_urlpatterns(),
            path("review/<int:pk>/", self.construct_view(ReviewView), name="review"),
            path("postpone/<int:pk>/", self.construct_view(PostponeView), name="postpone"),
            path("retry/<int:pk>/<int:reward_pk>/", self.construct_view(RetryView), name="retry"),
        ]
