"""What staff do about single memberships: give, end, switch the renewal, settle what is still to recover."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from django import forms
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views import View
from django.views.generic import FormView
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.widgets import AdminAutoHeightTextInput

from oscar_integration.memberships.admin import history
from oscar_integration.memberships.admin.media import css
from oscar_integration.memberships.admin.names import MEMBERS
from oscar_integration.memberships.admin.words import member, plan_words
from oscar_integration.memberships.models import Membership, Period, Plan, Renewal
from oscar_integration.memberships.opening import add_period, take_back
from oscar_integration.memberships.renewals import switch_renewal
from wagtail_referrals.admin.listing import users_like
from wagtail_referrals.admin.words import order_url, person

# How many customers a search offers.
MOST_CUSTOMERS: Final = 20


def day(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "DATE_FORMAT")


class NoteField(forms.CharField):
    """Why it is done."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            label=_("Reason"),
            max_length=history.NOTE_LENGTH,
            widget=AdminAutoHeightTextInput,
            help_text=_(
                "Colleagues read it here and in the site history; the customer does not. It is removed when the "
                "customer is deleted."
            ),
            error_messages={"required": _("Say why: colleagues will want to know.")},
            **kwargs,
        )


class MemberActionMixin(PermissionCheckedMixin):
    """About one membership, or a new one. Whoever may act on memberships sees them as well, as in all of Wagtail."""

    model = Membership
    pk: Any = None

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.pk = kwargs.get("pk")

    @cached_property
    def membership(self) -> Membership:
        return get_object_or_404(Membership.objects.select_related("user", "plan"), pk=self.pk)

    @property
    def inspect_url(self) -> str:
        return reverse(f"{MEMBERS}:inspect", args=[quote(self.pk)])

    def back(self) -> HttpResponse:
        return redirect(self.inspect_url)


class MemberFormView(MemberActionMixin, WagtailAdminTemplateMixin, FormView):
    """A page with a form about one membership, or a new one."""

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        items = [
            *self.breadcrumbs_items,
            {
                "url": reverse(f"{MEMBERS}:index"),
                "label": gettext("Members"),
            },
        ]
        if self.pk is not None:
            items.append({"url": self.inspect_url, "label": member(self.membership)})
        return [*items, {"url": "", "label": self.get_page_title()}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return {**context, "action_url": self.request.path, "media": context["form"].media + css()}


# Giving


class CustomerField(forms.ModelChoiceField):
    """One of the customers that a search has found."""

    def __init__(self, **kwargs: Any) -> None:
        users = get_user_model()._default_manager.filter(is_active=True)
        super().__init__(queryset=users, widget=forms.RadioSelect, empty_label=None, **kwargs)

    def label_from_instance(self, obj: Any) -> str:
        address = getattr(obj, obj.get_email_field_name(), "")
        name = person(obj)
        return name if not address or name == address else f"{name} · {address}"


class GiveForm(forms.Form):
    """``token`` makes one form one period, however often it is sent; ``q`` keeps what was searched for."""

    customer = CustomerField(
        label=_("Customer"), error_messages={"required": _("Choose the customer who gets it.")}
    )
    plan = forms.ModelChoiceField(
        label=_("Plan"),
        queryset=Plan.objects.all(),
        empty_label=None,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what the customer gets.")},
    )
    note = NoteField()
    token = forms.UUIDField(widget=forms.HiddenInput)
    q = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, customers: list[Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        customer, plan = self.fields["customer"], self.fields["plan"]
        customer.choices = [(user.pk, customer.label_from_instance(user)) for user in customers]  # type: ignore[attr-defined]
        plan.label_from_instance = lambda plan: f"{plan} ({plan_words(plan)})"  # type: ignore[attr-defined]

    @property
    def key(self) -> str:
        return f"staff:{self.cleaned_data['token']}"

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        user, plan = cleaned.get("customer"), cleaned.get("plan")
        if user is None or plan is None or not plan.is_trial or "token" not in cleaned:
            return cleaned
        had = Membership.objects.filter(user=user, plan=plan, starts_at__isnull=False)
        if had.exists() and not Period.objects.filter(key=self.key).exists():
            self.add_error(
                "plan",
                gettext("%(customer)s has had “%(plan)s” already: trying out is for once.")
                % {"customer": person(user), "plan": plan},
            )
        return cleaned


class GiveView(MemberFormView):
    """Find the customer, choose a plan: a period of it, from now or from the end of what they have."""

    permission_required = "add"
    form_class = GiveForm
    template_name = "oscar_integration/memberships/admin/give.html"
    page_title = _("Give a membership")
    header_icon = "group"

    @cached_property
    def query(self) -> str:
        return str(self.request.POST.get("q", "")).strip()

    @cached_property
    def customers(self) -> list[Any]:
        """Whom the form offers: found by the search, or named by the page that led here."""
        if self.query:
            found = users_like(self.query).filter(is_active=True).order_by("pk")
            return list(found[: MOST_CUSTOMERS + 1])
        named = str((self.request.POST or self.request.GET).get("customer", ""))
        users: QuerySet[Any] = get_user_model()._default_manager.filter(is_active=True)
        return list(users.filter(pk=named)) if named.isdecimal() and len(named) < 19 else []

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # Names and addresses that are looked for stay out of URLs.
        if "find" not in request.POST:
            response: HttpResponse = super().post(request, *args, **kwargs)
            return response
        form = self.form_class(initial=self.get_initial(), customers=self.customers[:MOST_CUSTOMERS])
        return self.render_to_response(self.get_context_data(form=form))

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "customers": self.customers[:MOST_CUSTOMERS]}

    def get_initial(self) -> dict[str, Any]:
        only = self.customers[0].pk if len(self.customers) == 1 else None
        return {
            "token": uuid4(),
            "q": self.query,
            "customer": only,
            "plan": (self.request.POST or self.request.GET).get("plan"),
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            query=self.query,
            customers=self.customers,
            more=len(self.customers) > MOST_CUSTOMERS,
            most=MOST_CUSTOMERS,
            has_plans=Plan.objects.exists(),
            submit_button_label=gettext("Give it"),
            submit_button_active_label=gettext("Giving…"),
            **kwargs,
        )

    def form_valid(self, form: GiveForm) -> HttpResponse:
        now = timezone.now()
        user, plan = form.cleaned_data["customer"], form.cleaned_data["plan"]
        with transaction.atomic():
            period = add_period(
                user=user,
                plan=plan,
                key=form.key,
                origin=Period.Origin.STAFF,
                now=now,
                counts_from=now,
                given_by=self.request.user,
            )
            membership = Membership.objects.select_related("user", "plan").get(pk=period.membership_id)
            # Whoever comes with the same form has waited for the period, and finds it written down.
            if not history.history_of([membership.pk]).filter(data__period=period.pk).exists():
                history.record(
                    membership,
                    history.GIVEN,
                    actor=self.request.user,
                    note=form.cleaned_data["note"].strip(),
                    period=period.pk,
                )
        messages.success(self.request, given_words(membership))
        return redirect(f"{MEMBERS}:inspect", quote(membership.pk))


def given_words(membership: Membership) -> str:
    return gettext("%(customer)s has “%(plan)s” until %(date)s.") % {
        "customer": member(membership),
        "plan": membership.plan,
        "date": day(membership.ends_at) if membership.ends_at else "–",
    }


# Ending


class EndForm(forms.Form):
    note = NoteField()


def not_over(membership: Membership, now: datetime) -> QuerySet[Period]:
    """Periods that run or are to come: what ending it takes back."""
    return membership.periods.filter(Q(ends_at=None) | Q(ends_at__gt=now), taken_back_at=None)


class BeingCharged(Exception):
    """The renewal is being charged at this moment: what is paid then would bring the membership back."""


def end_now(membership: Membership, now: datetime) -> bool:
    """End a membership at this moment: no renewal, and what is left of its periods is taken back.

    Whether it ran: somebody else may have been faster. Raises ``BeingCharged``, which leaves everything as it was.
    """
    with transaction.atomic():
        # Locks its renewal, then the membership: nobody begins to charge from here on.
        if switch_renewal(membership.pk, False, now) is None:
            return False
        if membership.renewals.filter(state=Renewal.State.CHARGING).exists():
            raise BeingCharged
        for period in not_over(membership, now):
            take_back(period, Membership.Reason.STAFF, now=now)
    return True


class EndView(MemberFormView):
    """Say what happens, ask why, and end it."""

    permission_required = "change"
    form_class = EndForm
    template_name = "oscar_integration/memberships/admin/end.html"
    page_title = _("End the membership")
    header_icon = "cross"

    def get_page_subtitle(self) -> str:
        return member(self.membership)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        now = timezone.now()
        membership = self.membership
        periods = list(not_over(membership, now).order_by("pk"))
        orders = dict.fromkeys(period.order_number for period in periods if period.order_number)
        return super().get_context_data(
            membership=membership,
            customer=member(membership),
            is_open=membership.is_open(now),
            periods=periods,
            orders=[(number, order_url(number)) for number in orders],
            renews=membership.renews and membership.plan.renews,
            submit_button_label=gettext("End it now"),
            submit_button_active_label=gettext("Ending…"),
            back_url=self.inspect_url,
            **kwargs,
        )

    def form_valid(self, form: EndForm) -> HttpResponse:
        membership = self.membership
        try:
            with transaction.atomic():
                ended = end_now(membership, timezone.now())
                if ended:
                    history.record(
                        membership,
                        history.ENDED,
                        actor=self.request.user,
                        note=form.cleaned_data["note"].strip(),
                    )
        except BeingCharged:
            messages.warning(
                self.request,
                gettext("The renewal is being charged at this moment. Try again in a few minutes."),
            )
            return self.back()
        if ended:
            messages.success(
                self.request,
                gettext("The membership of %(customer)s has ended.") % {"customer": member(membership)},
            )
        else:
            messages.warning(self.request, gettext("It has ended already."))
        return self.back()


# The renewal


class RenewalSwitchView(MemberActionMixin, View):
    """Switch the renewal off or on, as the customer can do."""

    permission_required = "change"
    http_method_names = ("post",)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        if request.POST.get("on") not in ("0", "1"):
            return HttpResponseBadRequest()
        on = request.POST["on"] == "1"
        membership = self.membership
        if membership.state == Membership.State.ENDED or not membership.plan.renews:
            messages.warning(request, gettext("There is nothing to renew any more."))
            return self.back()
        if membership.renews != on:
            with transaction.atomic():
                switch_renewal(membership.pk, on, timezone.now())
                history.record(
                    membership, history.RENEWAL_ON if on else history.RENEWAL_OFF, actor=request.user
                )
        if on:
            messages.success(request, gettext("The renewal is on."))
        else:
            messages.success(request, gettext("The renewal is off."))
        return self.back()


# Still to recover


class RecoveredView(MemberActionMixin, View):
    """Staff have seen to what was used of a gift that was taken back, or let it be."""

    permission_required = "change"
    http_method_names = ("post",)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        period = get_object_or_404(Period.objects.select_related("membership"), pk=pk)
        with transaction.atomic():
            closed = Period.objects.filter(
                Q(shortfall_uses__gt=0) | Q(shortfall_days__gt=0), pk=pk, shortfall_closed_at=None
            ).update(shortfall_closed_at=timezone.now())
            if closed:
                history.record(
                    period.membership,
                    history.RECOVERED,
                    actor=request.user,
                    period=period.pk,
                    uses=period.shortfall_uses,
                    days=period.shortfall_days,
                )
        messages.success(request, gettext("It is settled with the customer."))
        return redirect(f"{MEMBERS}:inspect", quote(period.membership_id))
