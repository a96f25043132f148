"""Orders of friends, as they were placed: the rows behind revenue, refunds and discounts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import django_filters
from django.contrib.admin.utils import quote
from django.db.models import DecimalField, Exists, OuterRef, Q, QuerySet
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet

from wagtail_referrals.admin.arrivals import ArrivalViewSet
from wagtail_referrals.admin.filters import ReferrerFilter, SiteDatesFilter
from wagtail_referrals.admin.listing import (
    MINOR,
    Column,
    MomentColumn,
    MoneyColumn,
    RecordColumn,
    RecordIndexView,
)
from wagtail_referrals.admin.terms import ProgramFilter
from wagtail_referrals.admin.words import advocate_name, friend_name
from wagtail_referrals.referrals.models import Purchase
from wagtail_referrals.rewards.models import DiscountGrant


class OrderFilterSet(WagtailFilterSet):
    program = ProgramFilter("referral__program_key")
    advocate = ReferrerFilter("referral__advocate")
    was_customer = django_filters.BooleanFilter(label=_("Had ordered before"))
    saved = django_filters.BooleanFilter(label=_("With a friend’s discount"), method="filter_saved")
    refunded = django_filters.BooleanFilter(label=_("Refunded"), method="filter_refunded")
    placed_at = SiteDatesFilter(label=_("Date"))

    class Meta:
        model = Purchase
        fields: list[str] = []

    def filter_saved(self, queryset: QuerySet[Purchase], name: str, value: bool) -> QuerySet[Purchase]:
        used = DiscountGrant.objects.filter(
            state=DiscountGrant.State.USED, used_reference=OuterRef("reference")
        )
        return queryset.filter(Exists(used) if value else ~Exists(used))

    def filter_refunded(self, queryset: QuerySet[Purchase], name: str, value: bool) -> QuerySet[Purchase]:
        known = queryset.annotate(
            sent_back=Cast(KT("observed__refunded"), DecimalField(max_digits=12, decimal_places=2))
        )
        some = Q(sent_back__gt=0)
        return known.filter(some) if value else known.filter(Q(sent_back=None) | ~some)


def refunded(purchase: Purchase) -> Decimal | None:
    found = Decimal(purchase.observed.get("refunded") or 0)
    return found or None


class OrderIndexView(RecordIndexView):
    page_title = _("Friends’ orders")
    related = ("referral__friend", "referral__advocate__user")
    shared = ("referral__terms",)
    search_fields = ("reference",)
    spare = ("advocate", "total")

    @cached_property
    def columns(self) -> list[Any]:
        return [
            RecordColumn(
                "reference",
                label=pgettext_lazy("purchase", "Order"),
                accessor="reference",
                get_url=self.referral_url,
            ),
            Column("friend", label=_("Friend"), accessor=lambda purchase: friend_name(purchase.referral)),
            Column(
                "advocate",
                label=_("Referred by"),
                accessor=lambda purchase: advocate_name(purchase.referral.advocate),
                classname=MINOR,
            ),
            Column(
                "program",
                label=_("Program"),
                accessor=lambda purchase: purchase.referral.terms.data.get("name", ""),
                classname=MINOR,
            ),
            MoneyColumn(
                "eligible",
                label=pgettext_lazy("purchase", "Order value"),
                accessor="eligible",
                currency="currency",
            ),
            MoneyColumn("total", label=_("Total"), accessor="total", currency="currency", classname=MINOR),
            MoneyColumn("refunded", label=_("Refunded"), accessor=refunded, currency="currency"),
            Column(
                "was_customer",
                label=_("Had ordered before"),
                accessor=lambda purchase: gettext("yes") if purchase.was_customer else "",
                classname=MINOR,
            ),
            MomentColumn("placed_at", label=_("Date"), sort_key="placed_at"),
        ]

    def referral_url(self, purchase: Purchase) -> str | None:
        if not self.request.user.has_perm("wagtail_referrals.view_referral"):
            return None
        return reverse("wagtail_referrals_referrals:inspect", args=[quote(purchase.referral_id)])

    def find(self, text: str) -> Q:
        return Q(reference=text)


class OrderViewSet(ArrivalViewSet):
    model = Purchase
    name = "wagtail_referrals_orders"
    url_prefix = "referrals/orders"
    icon = "tag"
    index_view_class = OrderIndexView
    filterset_class = OrderFilterSet
    search_fields = ("reference",)
    ordering = ("-placed_at", "-pk")
