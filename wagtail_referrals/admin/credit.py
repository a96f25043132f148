"""Referral credit: accounts and movements to look at, and corrections by staff."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import uuid4

import django_filters
from django import forms
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, F, Min, OuterRef, Q
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.generic import FormView
from wagtail.admin import messages
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.views import generic
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.widgets import AdminAutoHeightTextInput, BooleanRadioSelect
from wagtail.admin.widgets.button import HeaderButton
from wagtail.log_actions import LogFormatter

from wagtail_referrals import conf, credit, people
from wagtail_referrals.admin.filters import SiteDatesFilter
from wagtail_referrals.admin.listing import (
    MINOR,
    Column,
    CurrencyColumn,
    MomentColumn,
    MoneyColumn,
    RecordColumn,
    RecordIndexView,
    RecordViewSet,
    keys_of,
    users_like,
)
from wagtail_referrals.admin.words import order_url, person, reward_words
from wagtail_referrals.credit.models import Account, Entry, Lot, Reservation
from wagtail_referrals.rewards.models import Reward

ACCOUNTS: Final = "wagtail_referrals_accounts"
ENTRIES: Final = "wagtail_referrals_entries"
# On the page of an account.
MOST_ENTRIES: Final = 100
MOST_LOTS: Final = 50
# How long somebody may think that a correction did not work, and send it once more.
A_MOMENT: Final = timedelta(minutes=15)
# No row has a larger number, and databases refuse to look for one.
LARGEST_KEY: Final = 2**63 - 1
# What one correction may come to. More was hardly meant, and has to fit the columns of the ledger.
MOST: Final = Decimal("9999999.99")


def customer(account: Account) -> str:
    """Needs ``account.user``."""
    return person(account.user) or str(_("deleted customer"))


def currency_choices() -> list[tuple[str, str]]:
    return [(code, credit.unit_name(code)) for code in conf.units()]


# By the days until then.
EXPIRING: Final = [
    ("7", _("within 7 days")),
    ("30", _("within 30 days")),
    ("90", _("within 90 days")),
]


class AccountFilterSet(WagtailFilterSet):
    currency = django_filters.ChoiceFilter(label=_("Currency"), choices=currency_choices)
    shortfall = django_filters.BooleanFilter(
        label=_("Still to recover"),
        field_name="shortfall",
        method="filter_shortfall",
        widget=BooleanRadioSelect,
    )

    set_aside = django_filters.BooleanFilter(
        label=_("Set aside"), method="filter_set_aside", widget=BooleanRadioSelect
    )
    expiring = django_filters.ChoiceFilter(
        label=_("Expires"), method="filter_expiring", choices=EXPIRING, widget=forms.RadioSelect
    )

    class Meta:
        model = Account
        fields: list[str] = []

    def filter_set_aside(self, queryset: Any, name: str, value: bool | None) -> Any:
        if value is None:
            return queryset
        return queryset.filter(reserved__gt=0) if value else queryset.filter(reserved=0)

    def filter_expiring(self, queryset: Any, name: str, value: str) -> Any:
        until = timezone.now() + timedelta(days=int(value))
        lots = Lot.objects.filter(account=OuterRef("pk"), remaining__gt=0, expires_at__lte=until)
        return queryset.filter(Exists(lots))

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
    spare = ("expires_at",)

    @cached_property
    def columns(self) -> list[Any]:

        def money(name: str, label: Any) -> Column:
            return MoneyColumn(name, label=label, sort_key=name, currency="currency")

        return [
            RecordColumn("user", label=_("Customer"), accessor=customer, get_url=self.get_inspect_url),
            CurrencyColumn("currency", label=_("Currency"), sort_key="currency", currency="currency"),
            money("balance", _("Balance")),
            money("reserved", _("Set aside")),
            money("shortfall", _("Still to recover")),
            MomentColumn(
                "expires_at",
                label=_("Expires next"),
                accessor=lambda account: self.expiries.get(account.pk),
            ),
        ]

    def decorate(self, rows: list[Account]) -> None:
        self.expiries: dict[int, Any] = {}
        if self.shows("expires_at"):
            lots = Lot.objects.filter(account__in=rows, remaining__gt=0, expires_at__isnull=False)
            self.expiries = dict(lots.order_by().values_list("account").annotate(Min("expires_at")))

    def find(self, text: str) -> Q:
        return Q(user__in=keys_of(users_like(text)))


class AccountInspectView(generic.InspectView):
    template_name = "wagtail_referrals/admin/account.html"
    page_title = _("Credit account")

    def get_fields(self) -> list[str]:
        return []

    def get_object(self, queryset: Any = None) -> Account:
        return get_object_or_404(Account.objects.select_related("user"), pk=self.pk)

    def get_page_subtitle(self) -> str:
        return customer(self.object)

    @cached_property
    def header_buttons(self) -> list[Any]:
        account = self.object
        if account.user_id is None or not self.user_has_permission("adjust"):
            return []
        return [
            HeaderButton(
                _("Correct the balance"),
                url=reverse(f"{ACCOUNTS}:adjust", args=[quote(account.pk)]),
                icon_name="edit",
            )
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        account = self.object
        code = account.currency
        lots = account.lots.filter(remaining__gt=0).order_by(F("expires_at").asc(nulls_last=True), "pk")
        operations, more = latest_operations(account)
        return super().get_context_data(
            account=account,
            name=customer(account),
            figures=figures(account),
            lots=[
                {
                    "remaining": credit.format_money(lot.remaining, code),
                    "reserved": credit.format_money(lot.reserved, code) if lot.reserved else "",
                    "until": date_format(credit.last_day(lot.expires_at), "DATE_FORMAT")
                    if lot.expires_at
                    else "",
                }
                for lot in lots[:MOST_LOTS]
            ],
            operations=described(account, operations, self.request.user),
            all_url=f"{reverse(f'{ENTRIES}:index')}?account={account.pk}"
            if more and self.request.user.has_perm("wagtail_referrals_credit.view_entry")
            else "",
            **kwargs,
        )


def figures(account: Account) -> list[tuple[Any, str]]:
    """What there is, what of it can be spent, and what is owed; in words and amounts."""
    code = account.currency
    # What has expired and was not swept yet is no longer to be spent.
    spendable = credit.available(account.user, code) if account.user_id else Decimal(0)
    return [
        (_("Balance"), credit.format_money(account.balance, code)),
        (_("Set aside for payments under way"), credit.format_money(account.reserved, code)),
        (
            _("Can be spent now") if credit.is_money(code) else _("Available"),
            credit.format_money(spendable, code),
        ),
        (_("Still to recover"), credit.format_money(account.shortfall, code)),
    ]


@dataclass
class Operation:
    """What one call of the ledger did to an account in one respect, over all lots."""

    first: Entry
    amount: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)
    shortfall: Decimal = Decimal(0)

    def add(self, entry: Entry) -> None:
        self.amount += entry.amount
        self.reserved += entry.reserved_delta
        self.shortfall += entry.shortfall_delta


def latest_operations(account: Account) -> tuple[list[Operation], bool]:
    """The latest operations on an account, the newest first, and whether there were others before. One query."""
    entries = credit.entries_of(account, MOST_ENTRIES + 1)
    found: dict[tuple[str, str], Operation] = {}
    for entry in entries:
        found.setdefault((entry.key, entry.kind), Operation(entry)).add(entry)
    more = len(entries) > MOST_ENTRIES
    if more and len(found) > 1:
        # The last one may go on beyond what was read.
        found.popitem()
    return list(found.values()), more


def described(account: Account, operations: list[Operation], viewer: Any) -> list[dict[str, Any]]:
    """Operations with words, why they happened, and links to what the viewer may see. Two queries."""
    code = account.currency
    keys = {operation.first.key for operation in operations}
    rewards = rewards_of(keys) if viewer.has_perm("wagtail_referrals.view_referral") else {}
    logged = people.corrections_of([account.pk]).filter(data__key__in=sorted(keys)).select_related("user")
    notes = {row.data["key"]: row for row in logged}
    rows = []
    for operation in operations:
        entry = operation.first
        reward = rewards.get(reward_id(entry.key))
        note = notes.get(entry.key)
        order = entry.reservation.order_number if entry.reservation else ""
        rows.append(
            {
                "when": entry.created_at,
                "words": capfirst(entry.get_kind_display()),
                "amount": signed(operation.amount, code),
                "reserved": signed(operation.reserved, code),
                "shortfall": signed(operation.shortfall, code),
                "order": order,
                "order_url": order_url(order) if order else "",
                "reward": reward_words(reward) if reward else "",
                "reward_url": reverse("wagtail_referrals_referrals:inspect", args=[quote(reward.referral_id)])
                if reward
                else "",
                "is_correction": note is not None,
                "note": note.data.get("note", "") if note is not None else "",
                "actor": note.user_display_name if note is not None else "",
            }
        )
    return rows


def reward_id(key: str) -> int | None:
    """Of the reward that an operation belongs to, by its key; ``None`` for the others."""
    match = re.match(r"reward:(\d+):", key)
    return int(match[1]) if match else None


def rewards_of(keys: Iterable[str]) -> dict[int | None, Reward]:
    """The rewards that these operations belong to, by their id."""
    wanted = {number for number in map(reward_id, keys) if number is not None}
    return {reward.pk: reward for reward in Reward.objects.filter(pk__in=wanted).select_related("terms")}


class AdjustForm(forms.Form):
    """A correction as staff write it. ``token`` makes one form one correction, however often it is sent."""

    ADD, TAKE = "add", "take"

    direction = forms.ChoiceField(
        label=_("What to do"),
        choices=[(ADD, _("Add to the balance")), (TAKE, _("Take from the balance"))],
        initial=ADD,
        widget=forms.RadioSelect,
        error_messages={"required": _("Say whether to add or to take.")},
    )
    amount = forms.DecimalField(
        label=_("Amount"),
        max_digits=12,
        decimal_places=2,
        max_value=MOST,
        min_value=Decimal("0.01"),
        error_messages={
            "required": _("Give an amount."),
            "invalid": _("Give an amount, like 15.00."),
            "min_value": _("Give an amount above zero."),
            "max_value": _("This is too much: at most %(limit_value)s."),
        },
    )
    currency = forms.ChoiceField(label=_("Currency"))
    note = forms.CharField(
        label=_("Reason"),
        max_length=people.NOTE_LENGTH,
        widget=AdminAutoHeightTextInput,
        help_text=_(
            "Colleagues read it here and in the site history; the customer does not. It is removed when the "
            "customer is deleted."
        ),
        error_messages={"required": _("Say why: colleagues will want to know.")},
    )
    token = forms.UUIDField(widget=forms.HiddenInput, required=True)
    # The member of staff knows that there is one just like it.
    repeat = forms.BooleanField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, account: Account, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.account = account
        codes = list(dict.fromkeys([account.currency, *conf.units()]))
        currency = self.fields["currency"]
        currency.choices = [(code, credit.unit_name(code)) for code in codes]  # type: ignore[attr-defined]
        currency.initial = account.currency
        if len(codes) == 1:
            currency.widget = forms.HiddenInput()
            self.fields["amount"].label = gettext("Amount in %(currency)s") % {
                "currency": credit.unit_name(codes[0])
            }
        # Two decimals where the smallest unit of one of them has two.
        step = min(credit.exponent(code) for code in codes)
        self.fields["amount"].widget.attrs.update(step=str(step), min=str(step))

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        amount, currency = cleaned.get("amount"), cleaned.get("currency")
        if amount is not None and currency and credit.quantize(amount, currency) != amount:
            self.add_error(
                "amount",
                gettext("%(currency)s has no decimals: give a whole number.")
                % {"currency": credit.unit_name(currency)},
            )
        return cleaned

    @property
    def signed_amount(self) -> Decimal:
        amount: Decimal = self.cleaned_data["amount"]
        return amount if self.cleaned_data["direction"] == self.ADD else -amount


class AdjustView(PermissionCheckedMixin, WagtailAdminTemplateMixin, FormView):
    """Correct a customer's balance, with a note that stays in the history."""

    model = Account
    permission_required = "adjust"
    form_class = AdjustForm
    template_name = "wagtail_referrals/admin/adjust.html"
    page_title = _("Correct the balance")
    header_icon = "edit"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not self.user_has_permission("view"):
            raise PermissionDenied
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.pk = kwargs["pk"]

    @cached_property
    def account(self) -> Account:
        return get_object_or_404(Account.objects.select_related("user"), pk=self.pk, user__isnull=False)

    @property
    def inspect_url(self) -> str:
        return reverse(f"{ACCOUNTS}:inspect", args=[quote(self.pk)])

    def get_page_subtitle(self) -> str:
        return customer(self.account)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {
                "url": reverse(f"{ACCOUNTS}:index"),
                "label": capfirst(Account._meta.verbose_name_plural or ""),
            },
            {"url": self.inspect_url, "label": customer(self.account)},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "account": self.account}

    def get_initial(self) -> dict[str, Any]:
        return {"token": uuid4()}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        account = self.account
        return {
            **context,
            "figures": figures(account),
            "shortfall": credit.format_money(account.shortfall, account.currency)
            if account.shortfall
            else "",
            "action_url": reverse(f"{ACCOUNTS}:adjust", args=[quote(self.pk)]),
            "submit_button_label": gettext("Record the correction"),
            "submit_button_active_label": gettext("Recording…"),
            "media": context["form"].media,
        }

    def form_valid(self, form: AdjustForm) -> HttpResponse:
        currency = form.cleaned_data["currency"]
        note = form.cleaned_data["note"].strip()
        key = f"adjust:{self.account.pk}:{form.cleaned_data['token']}"
        if not form.cleaned_data["repeat"] and self.is_repeated(form, note, key):
            return self.ask_again(
                form,
                gettext(
                    "The same correction, with the same reason, was recorded a moment ago. Send it again if this "
                    "is another one."
                ),
                repeat=True,
            )
        try:
            done = people.correct_credit(
                user=self.account.user,
                currency=currency,
                amount=form.signed_amount,
                note=note,
                key=key,
                actor=self.request.user,
            )
        except credit.InsufficientCredit as error:
            form.add_error("amount", self.too_much(error))
            return self.form_invalid(form)
        if not done.is_new and (done.amount, done.note, done.currency) != (
            form.signed_amount,
            note,
            currency,
        ):
            # Sent already with other values, from a page that was kept open. What is there stays.
            return self.ask_again(
                form,
                gettext(
                    "From this form %(amount)s was recorded already (“%(note)s”). Send it again if this is another "
                    "correction."
                )
                % {"amount": signed(done.amount, done.currency), "note": done.note},
            )
        self.report(done)
        return redirect(f"{ACCOUNTS}:inspect", quote(done.account_id))

    def too_much(self, error: credit.InsufficientCredit) -> str:
        """Why not, and what would do. Asked anew: what was shown before is no longer true."""
        account = credit.account_of(self.account.user, error.currency)
        most = {"most": credit.format_money(error.available, error.currency)}
        if account is not None and account.reserved:
            return gettext(
                "At most %(most)s can be taken. Another %(reserved)s is set aside for a payment under way."
            ) % {**most, "reserved": credit.format_money(account.reserved, error.currency)}
        return gettext("At most %(most)s can be taken: the customer has no more.") % most

    def is_repeated(self, form: AdjustForm, note: str, key: str) -> bool:
        """Was the same recorded a moment ago by another form? Whoever goes back in the browser gets a new one."""
        accounts = Account.objects.filter(user=self.account.user).values_list("pk", flat=True)
        same = people.corrections_of(accounts).filter(
            timestamp__gte=timezone.now() - A_MOMENT,
            data__currency=form.cleaned_data["currency"],
            data__note=note,
        )
        recent = {row.data["key"]: Decimal(row.data["amount"]) for row in same}
        # What this form has sent itself is told as it was, once more.
        return key not in recent and form.signed_amount in recent.values()

    def ask_again(self, form: AdjustForm, words: str, *, repeat: bool = False) -> HttpResponse:
        """The form with what was typed, as another correction than those before."""
        messages.warning(self.request, words)
        again = self.form_class(
            initial={**form.cleaned_data, "token": uuid4(), "repeat": repeat}, account=self.account
        )
        return self.render_to_response(self.get_context_data(form=again))

    def report(self, done: people.Correction) -> None:
        amount = credit.format_money(abs(done.amount), done.currency)
        balance = Account.objects.get(pk=done.account_id).balance
        words = gettext("%(amount)s was added.") if done.amount > 0 else gettext("%(amount)s was taken.")
        parts = [words % {"amount": amount}]
        if done.recovered:
            parts.append(
                gettext("%(amount)s of it paid what was still to recover.")
                % {"amount": credit.format_money(done.recovered, done.currency)}
            )
        parts.append(
            gettext("The balance is now %(balance)s.")
            % {"balance": credit.format_money(balance, done.currency)}
        )
        messages.success(self.request, " ".join(parts))


class AdjustLogFormatter(LogFormatter):
    label = _("Correct referral credit")

    def format_message(self, log_entry: Any) -> str:
        data = log_entry.data
        try:
            amount = signed(Decimal(data["amount"]), data["currency"])
        except (KeyError, InvalidOperation):
            return gettext("Corrected the credit")
        if not data.get("note"):
            return gettext("Corrected the credit by %(amount)s") % {"amount": amount}
        return gettext("Corrected the credit by %(amount)s: %(note)s") % {
            "amount": amount,
            "note": data["note"],
        }


def signed(amount: Any, currency: str) -> str:
    """ "+€15.00"; "" for nothing."""
    if not amount:
        return ""
    return ("+" if amount > 0 else "") + credit.format_money(amount, currency)


class EntryFilterSet(WagtailFilterSet):
    kind = django_filters.MultipleChoiceFilter(
        distinct=False, label=_("Movement"), choices=Entry.Kind.choices, widget=forms.CheckboxSelectMultiple
    )
    currency = django_filters.ChoiceFilter(
        label=_("Currency"), field_name="account__currency", choices=currency_choices
    )
    created_at = SiteDatesFilter(label=_("Date"))
    # Where the page of an account leads to.
    account = django_filters.NumberFilter(
        label=_("Credit account"), widget=forms.HiddenInput, min_value=1, max_value=LARGEST_KEY
    )

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
            RecordColumn(
                "user",
                label=_("Customer"),
                accessor=lambda entry: customer(entry.account),
                get_url=self.account_url
                if self.request.user.has_perm("wagtail_referrals_credit.view_account")
                else None,
            ),
            Column("kind", label=_("Movement"), accessor="get_kind_display"),
            MoneyColumn("amount", label=_("Balance"), words=signed, currency="account.currency"),
            MoneyColumn("reserved_delta", label=_("Set aside"), words=signed, currency="account.currency"),
            MoneyColumn(
                "shortfall_delta", label=_("Still to recover"), words=signed, currency="account.currency"
            ),
            Column(
                "order",
                label=pgettext_lazy("purchase", "Order"),
                accessor="reservation.order_number",
                classname=MINOR,
            ),
        ]

    @staticmethod
    def account_url(entry: Entry) -> str:
        return reverse(f"{ACCOUNTS}:inspect", args=[quote(entry.account_id)])

    def find(self, text: str) -> Q:
        return Q(account__in=keys_of(Account.objects.filter(user__in=keys_of(users_like(text))))) | Q(
            reservation__in=keys_of(Reservation.objects.filter(order_number=text))
        )


class AccountViewSet(RecordViewSet):
    model = Account
    name = ACCOUNTS
    url_prefix = "referrals/credit"
    icon = "tasks"
    menu_label = _("Credit accounts")
    menu_name = "referral-accounts"
    index_view_class = AccountIndexView
    inspect_view_class = AccountInspectView
    filterset_class = AccountFilterSet
    search_fields = ("user",)
    ordering = "-pk"

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            *super().get_urlpatterns(),
            path("adjust/<int:pk>/", self.construct_view(AdjustView), name="adjust"),
        ]


class EntryViewSet(RecordViewSet):
    model = Entry
    name = ENTRIES
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
