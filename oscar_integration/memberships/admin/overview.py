"""The overview: members by plan now, growth and loss by month, who came as a friend, what renewals bring."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.generic import TemplateView
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from oscar_integration.memberships.admin.figures import (
    RUNNING,
    Due,
    MonthRow,
    Overview,
    PlanRow,
    earlier_month,
    overview,
    soon,
    this_month,
)
from oscar_integration.memberships.admin.media import css
from oscar_integration.memberships.admin.names import MEMBERS, RENEWALS
from oscar_integration.memberships.admin.policies import OVERVIEW, VIEW_MEMBERS, VIEW_RENEWALS
from oscar_integration.memberships.models import Membership, Plan, Renewal
from wagtail_referrals import credit

MONTHS: Final = 12
MOST_MONTHS: Final = 60
# Nobody has sold anything before, and dates this side of it can be reckoned with.
FIRST_YEAR: Final = 2000
FORMAT: Final = "%Y-%m"


class MonthField(forms.DateField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            input_formats=[FORMAT],
            widget=forms.DateInput(format=FORMAT, attrs={"type": "month", "placeholder": "2026-01"}),
            error_messages={
                "invalid": _("Give a month, like 2026-01."),
                "required": _("Give a month, like 2026-01."),
            },
            **kwargs,
        )


class OverviewForm(forms.Form):
    """Which months, and which plan. ``today`` is the first day of this month."""

    first = MonthField(label=pgettext_lazy("period", "From"))
    last = MonthField(label=pgettext_lazy("period", "To"))
    plan = forms.ModelChoiceField(
        label=_("Plan"), queryset=Plan.objects.all(), required=False, empty_label=_("All plans")
    )

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        first, last = cleaned.get("first"), cleaned.get("last")
        if first is not None and first.year < FIRST_YEAR:
            self.add_error("first", gettext("Choose a later month."))
        elif last is not None and last > self.today:
            self.add_error("last", gettext("That month has not begun yet."))
        elif first is not None and last is not None and last < first:
            self.add_error("last", gettext("The period ends before it begins."))
        elif first is not None and last is not None and first < earlier_month(last, MOST_MONTHS - 1):
            self.add_error(
                "first",
                ngettext("Choose at most %(count)s month.", "Choose at most %(count)s months.", MOST_MONTHS)
                % {"count": MOST_MONTHS},
            )
        return cleaned


def amounts(money: dict[str, Any]) -> list[str]:
    """One line for each currency."""
    return [credit.format_money(amount, code) for code, amount in sorted(money.items())]


class Links:
    """Where the rows behind a figure are listed, for those who may see them; "" for the others."""

    def __init__(self, viewer: Any, plan: Plan | None) -> None:
        self.sees_members = viewer.has_perm(VIEW_MEMBERS)
        self.sees_renewals = viewer.has_perm(VIEW_RENEWALS)
        self.plan = plan

    def members(self, filters: dict[str, Any], *, plan: Plan | None = None) -> str:
        return self._url(f"{MEMBERS}:index", plan, filters) if self.sees_members else ""

    def renewals(self, filters: dict[str, Any]) -> str:
        return self._url(f"{RENEWALS}:index", None, filters) if self.sees_renewals else ""

    def _url(self, name: str, plan: Plan | None, filters: dict[str, Any]) -> str:
        chosen = plan or self.plan
        if chosen is not None:
            filters = {**filters, "plan": chosen.pk}
        return f"{reverse(name)}?{urlencode(filters, doseq=True)}"


class OverviewView(WagtailAdminTemplateMixin, TemplateView):
    template_name = "oscar_integration/memberships/admin/overview.html"
    page_title = _("Overview of memberships")
    header_icon = "table"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # A view without a model is open to every editor unless it asks.
        if not request.user.has_perm(OVERVIEW):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    @cached_property
    def now(self) -> datetime:
        return timezone.now()

    @cached_property
    def form(self) -> OverviewForm:
        today = this_month(self.now)
        data = self.request.GET.copy()
        data.setdefault("last", today.strftime(FORMAT))
        data.setdefault("first", earlier_month(today, MONTHS - 1).strftime(FORMAT))
        return OverviewForm(data, today=today)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": self.page_title}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(form=self.form, **kwargs)
        context["media"] = self.form.media + css()
        # A form that makes no sense shows no figures, rather than those of everything.
        if not self.form.is_valid():
            return context
        values = self.form.cleaned_data
        plan: Plan | None = values["plan"]
        found = overview(values["first"], values["last"], now=self.now, plan_id=plan.pk if plan else None)
        links = Links(self.request.user, plan)
        return {
            **context,
            "figures": self.figures(found, links),
            "of_months": self.figures_of_months(found, links),
            "plans": [self.plan_row(row, links) for row in found.plans],
            "months": month_rows(found.months, links),
            "totals": {
                name: sum(getattr(row, name) for row in found.months)
                for name in ("began", "renewed", "ended", "net")
            },
            "first": values["first"],
            "last": values["last"],
        }

    def figures(self, found: Overview, links: Links) -> list[dict[str, Any]]:
        """Label, values, what it is, where the rows are."""
        running = {"state": list(RUNNING)}
        return [
            {
                "label": _("Members"),
                "values": [found.members],
                "definition": _("Memberships that run now, with those whose payment is due."),
                "url": links.members(running),
            },
            {
                "label": _("Came as friends"),
                "values": [friends_words(found)],
                "definition": _(
                    "Of these, the ones whose customer was referred by another. A referral that was refused does not "
                    "count."
                ),
                "url": links.members({**running, "friend": "true"}),
            },
            {
                "label": _("Renewals to come"),
                "values": due_lines(found.due),
                "definition": _(
                    "To be charged in the next 30 days, or being charged now; what they cost as announced, whether the "
                    "card or credit pays it."
                ),
                "url": links.renewals(
                    {
                        "state": [Renewal.State.PLANNED, Renewal.State.CHARGING],
                        "due_at_to": soon(self.now).isoformat(),
                    }
                ),
            },
            {
                "label": _("Renewals past due"),
                "values": due_lines(found.past_due),
                "definition": _("The card was declined; it is charged again until the grace period is over."),
                "url": links.renewals({"state": Renewal.State.PAST_DUE}),
            },
            {
                "label": _("Still to recover"),
                "values": [found.shortfalls],
                "definition": _(
                    "Memberships with a gift that was used already when its reward was taken back, and that nobody has "
                    "seen to."
                ),
                "url": links.members({"shortfall": "true"}),
            },
        ]

    @staticmethod
    def figures_of_months(found: Overview, links: Links) -> list[dict[str, Any]]:
        first, last = found.months[0].first, found.months[-1].last
        return [
            {
                "label": _("Credit that paid renewals"),
                "values": amounts(found.credit),
                "definition": _("Referral credit spent on the renewals that were paid in these months."),
                "url": links.renewals(
                    {
                        "state": Renewal.State.DONE,
                        "ended_at_from": first.isoformat(),
                        "ended_at_to": last.isoformat(),
                    }
                ),
            },
        ]

    def plan_row(self, row: PlanRow, links: Links) -> dict[str, Any]:
        return {
            "plan": row.plan,
            "cells": [
                (row.running, links.members({"state": list(RUNNING)}, plan=row.plan)),
                (row.past_due, links.members({"state": Membership.State.PAST_DUE}, plan=row.plan)),
                (
                    row.ending,
                    links.members(
                        {
                            "state": Membership.State.ACTIVE,
                            "renews": "false",
                            "access_until_to": soon(self.now).isoformat(),
                        },
                        plan=row.plan,
                    ),
                ),
            ],
        }


def friends_words(found: Overview) -> str:
    """ "12 (30%)"."""
    if not found.members:
        return str(found.friends)
    return gettext("%(count)s (%(percent)s%%)") % {"count": found.friends, "percent": found.friends_percent}


def due_lines(due: Due) -> list[Any]:
    """How many, what they come to in each currency, and how many have no amount yet."""
    lines: list[Any] = [due.count, *amounts(due.money)]
    if due.unknown and due.unknown < due.count:
        lines.append(
            ngettext("%(count)s not reckoned yet", "%(count)s not reckoned yet", due.unknown)
            % {"count": due.unknown}
        )
    return lines


def month_rows(months: list[MonthRow], links: Links) -> list[dict[str, Any]]:
    """The newest first; ``bars`` are what began and what ended, as parts of the most of all, in percent."""
    most = max((max(row.began, row.ended) for row in months), default=0) or 1

    def days(name: str, row: MonthRow) -> dict[str, str]:
        return {f"{name}_from": row.first.isoformat(), f"{name}_to": row.last.isoformat()}

    return [
        {
            "month": row.first,
            "began": (row.began, links.members(days("starts_at", row))),
            "renewed": (
                row.renewed,
                links.renewals({"state": Renewal.State.DONE} | days("ended_at", row)),
            ),
            "ended": (
                row.ended,
                links.members({"state": Membership.State.ENDED} | days("access_until", row)),
            ),
            "net": f"{row.net:+d}" if row.net else "0",
            "bars": (100 * row.began // most, 100 * row.ended // most),
        }
        for row in reversed(months)
    ]
