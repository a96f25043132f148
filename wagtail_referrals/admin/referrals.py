"""Referrals: one line each, and the page that explains what became of one."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import django_filters
from django import forms
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _
from django.views import View
from wagtail.admin import messages
from wagtail.admin.filters import DateRangePickerWidget, WagtailFilterSet
from wagtail.admin.ui.tables import StatusTagColumn
from wagtail.admin.views import generic
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin

from wagtail_referrals import credit
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
from wagtail_referrals.admin.policies import REVIEW
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
from wagtail_referrals.programs import count_differences, parse, sentence, versions_in_force
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals import event_words, events_of, reason_words
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards import settle
from wagtail_referrals.trust import review
from wagtail_referrals.trust.models import Decision

NAMESPACE = "wagtail_referrals_referrals"


class ReferralFilterSet(WagtailFilterSet):
    state = django_filters.MultipleChoiceFilter(
        label=_("State"), choices=Referral.State.choices, widget=forms.CheckboxSelectMultiple
    )
    program = ProgramFilter("program_key")
    terms = django_filters.ChoiceFilter(label=_("Version of the terms"), choices=version_choices)
    created_at = django_filters.DateFromToRangeFilter(label=_("Date"), widget=DateRangePickerWidget)
    advocate = django_filters.CharFilter(label=_("Referrer"), method="filter_advocate")

    class Meta:
        model = Referral
        fields: list[str] = []

    def filter_advocate(self, queryset: QuerySet[Referral], name: str, value: str) -> QuerySet[Referral]:
        return queryset.filter(advocate__in=advocates_like(value.strip()).values("pk"))


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
    related = ("advocate__user", "friend", "terms")
    search_fields = ("pk",)

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
            MomentColumn("created_at", label=_("Date"), sort_key="created_at"),
        ]

    def find(self, text: str) -> Q:
        orders = Purchase.objects.filter(reference=text).values("referral")
        return (
            Q(friend__in=users_like(text).values("pk"))
            | Q(advocate__in=advocates_like(text).values("pk"))
            | Q(pk__in=orders)
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


def latest_review(referral: Referral) -> Decision | None:
    return referral.decisions.filter(check_key="reviewer").order_by("-created_at", "-pk").first()


class ReviewForm(forms.Form):
    """``seen`` is the latest review that was on the reviewer's screen, 0 for none."""

    outcome = forms.ChoiceField(choices=[("approve", ""), ("refuse", "")])
    note = forms.CharField(max_length=500, required=False)
    seen = forms.IntegerField(min_value=0)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("outcome") == "refuse" and not cleaned.get("note", "").strip():
            self.add_error("note", gettext("Say why: it is kept in the timeline."))
        return cleaned


class ReviewView(PermissionCheckedMixin, View):
    """Approve or refuse what a check held. Two editors at once: the second one is told, and nothing is paid twice."""

    model = Referral
    permission_required = "view"
    http_method_names = ("post",)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not request.user.has_perm(REVIEW):
            raise PermissionDenied
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
            latest = latest_review(referral)
            if (latest.pk if latest else 0) != form.cleaned_data["seen"]:
                messages.warning(request, gettext("Somebody has decided in the meantime. Please look again."))
                return back
            if latest is None and referral.state != Referral.State.TO_CHECK:
                messages.warning(request, gettext("There is nothing to check here any more."))
                return back
            review(
                pk, form.cleaned_data["outcome"], actor=request.user, note=form.cleaned_data["note"].strip()
            )
        settle(pk)
        if form.cleaned_data["outcome"] == "approve":
            messages.success(request, gettext("The referral was approved."))
        else:
            messages.success(request, gettext("The referral was refused."))
        return back


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
        ]
