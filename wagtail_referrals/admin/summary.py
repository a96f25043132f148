"""The referral summary: what came of it and what it cost, by program and period."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.forms import Media
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.generic import TemplateView
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.widgets import AdminDateInput

from wagtail_referrals import credit
from wagtail_referrals.admin.policies import SUMMARY
from wagtail_referrals.admin.terms import program_choices
from wagtail_referrals.insights import (
    Figures,
    Period,
    ProgramFigures,
    Summary,
    custom_period,
    named_period,
    summary,
)

PERIODS: Final = [
    ("month", _("This month")),
    ("last_month", _("Last month")),
    ("quarter", _("This quarter")),
    ("last_quarter", _("Last quarter")),
    ("year", _("This year")),
    ("last_year", _("Last year")),
    ("custom", _("From … to …")),
]

# Name in Figures, label, definition.
DEFINITIONS: Final = [
    ("visits", _("Visits"), _("Times that a share link was opened, without search engines and previews.")),
    (
        "claims",
        _("Invitations saved"),
        _(
            "People who came by a link or a code and then did something: filled the basket, typed the code, registered."
        ),
    ),
    ("referrals", _("Referrals"), _("Friends who became known, by an account or an order.")),
    ("orders", _("Orders"), _("Orders that friends placed, also ones that were cancelled later.")),
    (
        "rewarded",
        _("Rewarded"),
        _("Referrals whose first order counted in this period and for which a reward has been given."),
    ),
    (
        "revenue",
        _("Revenue"),
        _(
            "What these orders came to when they were placed: goods with tax after discounts, without delivery."
        ),
    ),
    ("discounts", _("Friends' discounts"), _("What friends saved in these orders.")),
    (
        "given",
        _("Rewards given"),
        _("Credit for rewards first given in this period, as far as it has not been taken back since."),
    ),
    (
        "due",
        _("Rewards due"),
        _("Credit of rewards that came about in this period and are still waiting or to be checked."),
    ),
    (
        "taken_back",
        _("Taken back"),
        _("Credit that was taken back in this period, after a refund, a cancellation or a review."),
    ),
]


class SummaryForm(forms.Form):
    period = forms.ChoiceField(label=_("Period"), choices=PERIODS, required=False)
    first = forms.DateField(label=pgettext_lazy("period", "From"), required=False, widget=AdminDateInput)
    last = forms.DateField(label=pgettext_lazy("period", "To"), required=False, widget=AdminDateInput)
    program = forms.ChoiceField(label=_("Program"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["program"].choices = [("", gettext("All programs")), *program_choices()]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if "period" not in cleaned:
            return cleaned
        if cleaned["period"] != "custom":
            cleaned["dates"] = named_period(cleaned["period"] or "month")
            return cleaned
        first, last = cleaned.get("first"), cleaned.get("last")
        if first is None or last is None:
            self.add_error(
                "first" if first is None else "last",
                gettext("Give the first and the last day of the period."),
            )
            return cleaned
        try:
            cleaned["dates"] = custom_period(first, last)
        except ValueError:
            self.add_error("last", gettext("The period ends before it begins."))
        return cleaned


def shown(value: Any) -> list[str]:
    """A figure in words: one line for a count, one for each currency."""
    if isinstance(value, dict):
        return [credit.format_money(amount, code) for code, amount in sorted(value.items())]
    return [str(value)]


class SummaryView(WagtailAdminTemplateMixin, TemplateView):
    template_name = "wagtail_referrals/admin/summary.html"
    page_title = _("Referral summary")
    header_icon = "table"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # A view without a model is open to every editor unless it asks.
        if not request.user.has_perm(SUMMARY):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    @cached_property
    def form(self) -> SummaryForm:
        data = self.request.GET.copy()
        data.setdefault("period", "month")
        return SummaryForm(data)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        programs = []
        if self.request.user.has_perms(["wagtail_referrals.change_program"]):
            programs = [{"url": reverse("wagtail_referrals_programs:list"), "label": gettext("Programs")}]
        return [*self.breadcrumbs_items, *programs, {"url": "", "label": self.page_title}]

    def rows_urls(self, period: Period, program: str) -> dict[str, str]:
        """Where the rows behind a figure are listed, for those who may see them."""
        dates = {"created_at_from": period.first.isoformat(), "created_at_to": period.last.isoformat()}
        query = urlencode({**dates, **({"program": program} if program else {})})
        urls = {}
        if self.request.user.has_perm("wagtail_referrals.view_referral"):
            urls["referrals"] = f"{reverse('wagtail_referrals_referrals:index')}?{query}"
        if self.request.user.has_perm("wagtail_referrals.view_reward"):
            open_states = "&state=waiting&state=to_check&state=failed"
            urls["due"] = f"{reverse('wagtail_referrals_rewards:index')}?{query}{open_states}"
        return urls

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        context["form"] = self.form
        context["media"] = self.form.media + Media(
            css={"all": [versioned_static("wagtail_referrals/admin/admin.css")]},
            js=[versioned_static("wagtail_referrals/admin/summary.js")],
        )
        # A form that makes no sense shows no figures, rather than those of everything.
        if not self.form.is_valid():
            return context
        period: Period = self.form.cleaned_data["dates"]
        program: str = self.form.cleaned_data["program"]
        found: Summary = summary(period.start, period.end, UUID(program) if program else None)
        urls = self.rows_urls(period, program)
        context["period"] = period
        context["figures"] = [
            {
                "name": name,
                "label": label,
                "definition": definition,
                "values": shown(getattr(found.total, name)),
                "url": urls.get(name, ""),
            }
            for name, label, definition in DEFINITIONS
        ]
        context["labels"] = [label for _name, label, _definition in DEFINITIONS]
        context["programs"] = [self.program_row(item) for item in found.programs]
        return context

    @staticmethod
    def program_row(item: ProgramFigures) -> dict[str, Any]:
        figures: Figures = item.figures
        return {
            "name": item.name or gettext("No program was open"),
            "values": [shown(getattr(figures, name)) for name, _label, _definition in DEFINITIONS],
        }
