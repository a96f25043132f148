"""Referral credit: accounts and movements, to look at."""

from __future__ import annotations

from typing import Any

import django_filters
from django import forms
from django.db.models import Q
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from wagtail.admin.filters import DateRangePickerWidget, WagtailFilterSet
from wagtail.admin.views import generic
from wagtail.admin.widgets import BooleanRadioSelect

from wagtail_referrals import conf, credit
from wagtail_referrals.admin.listing import (
    MINOR,
    Column,
    MomentColumn,
    RecordColumn,
    RecordIndexView,
    RecordViewSet,
    users_like,
)
from wagtail_referrals.admin.words import person
from wagtail_referrals.credit.models import Account, Entry


def customer(account: Account) -> str:
    """Needs ``account.user``."""
    return person(account.user) or str(_("deleted customer"))


def currency_choices() -> list[tuple[str, str]]:
    return [(code, code) for code in conf.currencies()]


class AccountFilterSet(WagtailFilterSet):
    currency = django_filters.ChoiceFilter(label=_("Currency"), choices=currency_choices)
    shortfall = django_filters.BooleanFilter(
        label=_("Still to recover"),
        field_name="shortfall",
        method="filter_shortfall",
        widget=BooleanRadioSelect,
    )

    class Meta:
        model = Account
        fields: list[str] = []

    def filter_shortfall(self, queryset: Any, name: str, value: bool | None) -> Any:
        return (
            queryset
            if value is None
            else queryset.filter(shortfall__gt=0)
            if value
            else queryset.filter(shortfall=0)
        )


class AccountIndexView(RecordIndexView):
    related = ("user",)
    search_fields = ("user",)

    @cached_property
    def columns(self) -> list[Any]:

        def money(name: str, label: Any) -> Column:
            return Column(
                name,
                label=label,
                sort_key=name,
                accessor=lambda account: credit.format_money(getattr(account, name), account.currency),
            )

        return [
            RecordColumn("user", label=_("Customer"), accessor=customer, get_url=self.get_inspect_url),
            Column("currency", label=_("Currency"), sort_key="currency"),
            money("balance", _("Balance")),
            money("reserved", _("Set aside")),
            money("shortfall", _("Still to recover")),
        ]

    def find(self, text: str) -> Q:
        return Q(user__in=users_like(text).values("pk"))


class AccountInspectView(generic.InspectView):
    template_name = "wagtail_referrals/admin/account.html"
    page_title = _("Credit account")

    def get_fields(self) -> list[str]:
        return []

    def get_object(self, queryset: Any = None) -> Account:
        return get_object_or_404(Account.objects.select_related("user"), pk=self.pk)

    def get_page_subtitle(self) -> str:
        return customer(self.object)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        account = self.object
        code = account.currency
        entries = account.entries.select_related("reservation").order_by("-created_at", "-pk")[:100]
        lots = account.lots.filter(remaining__gt=0).order_by("expires_at", "pk")
        return super().get_context_data(
            account=account,
            figures=[
                (_("Balance"), credit.format_money(account.balance, code)),
                (_("Set aside for payments under way"), credit.format_money(account.reserved, code)),
                (_("Can be spent now"), credit.format_money(account.available, code)),
                (_("Still to recover"), credit.format_money(account.shortfall, code)),
            ],
            lots=[{"lot": lot, "remaining": credit.format_money(lot.remaining, code)} for lot in lots],
            entries=[
                {
                    "entry": entry,
                    "amount": signed(entry.amount, code),
                    "reserved": signed(entry.reserved_delta, code),
                    "shortfall": signed(entry.shortfall_delta, code),
                }
                for entry in entries
            ],
            **kwargs,
        )


def signed(amount: Any, currency: str) -> str:
    """ "+€15.00"; "" for nothing."""
    if not amount:
        return ""
    return ("+" if amount > 0 else "") + credit.format_money(amount, currency)


class EntryFilterSet(WagtailFilterSet):
    kind = django_filters.MultipleChoiceFilter(
        label=_("Movement"), choices=Entry.Kind.choices, widget=forms.CheckboxSelectMultiple
    )
    currency = django_filters.ChoiceFilter(
        label=_("Currency"), field_name="account__currency", choices=currency_choices
    )
    created_at = django_filters.DateFromToRangeFilter(label=_("Date"), widget=DateRangePickerWidget)

    class Meta:
        model = Entry
        fields: list[str] = []


class EntryIndexView(RecordIndexView):
    related = ("account__user", "reservation")
    search_fields = ("account",)

    @cached_property
    def columns(self) -> list[Any]:
        return [
            MomentColumn("created_at", label=_("Date"), sort_key="created_at"),
            Column("user", label=_("Customer"), accessor=lambda entry: customer(entry.account)),
            Column("kind", label=_("Movement"), accessor="get_kind_display"),
            Column(
                "amount",
                label=_("Balance"),
                accessor=lambda entry: signed(entry.amount, entry.account.currency),
            ),
            Column(
                "reserved_delta",
                label=_("Set aside"),
                accessor=lambda entry: signed(entry.reserved_delta, entry.account.currency),
            ),
            Column(
                "shortfall_delta",
                label=_("Still to recover"),
                accessor=lambda entry: signed(entry.shortfall_delta, entry.account.currency),
            ),
            Column(
                "order",
                label=pgettext_lazy("purchase", "Order"),
                accessor="reservation.order_number",
                classname=MINOR,
            ),
        ]

    def find(self, text: str) -> Q:
        return Q(account__user__in=users_like(text).values("pk")) | Q(reservation__order_number=text)


class AccountViewSet(RecordViewSet):
    model = Account
    name = "wagtail_referrals_accounts"
    url_prefix = "referrals/credit"
    icon = "tasks"
    menu_label = _("Credit accounts")
    menu_name = "referral-accounts"
    index_view_class = AccountIndexView
    inspect_view_class = AccountInspectView
    filterset_class = AccountFilterSet
    search_fields = ("user",)
    ordering = "-pk"


class EntryViewSet(RecordViewSet):
    model = Entry
    name = "wagtail_referrals_entries"
    url_prefix = "referrals/movements"
    icon = "list-ul"
    menu_label = _("Movements of credit")
    menu_name = "referral-entries"
    index_view_class = EntryIndexView
    filterset_class = EntryFilterSet
    search_fields = ("account",)
    ordering = ("-created_at", "-pk")

    def get_urlpatterns(self) -> list[Any]:
        # A movement is one line: there is no page to see more.
        return [pattern for pattern in super().get_urlpatterns() if pattern.name != "inspect"]
