"""The pages of figures: one entry in the menu, and from each of them a way to the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.forms import Media
from django.http import HttpRequest, HttpResponseBadRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.generic import TemplateView
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from wagtail_referrals.admin.charts import chart_media
from wagtail_referrals.admin.export import CSV, XLSX, export_buttons, export_rows

# Each function registered there returns a ``Report``; other packages may add theirs.
REPORTS_HOOK: Final = "register_referral_report"


@dataclass(frozen=True)
class Report:
    """``name`` is the name of the URL, ``permission`` what opens it."""

    name: str
    label: Any
    permission: str
    order: int = 100


def reports_for(user: Any) -> list[Report]:
    """The reports that the user may open, in order."""
    reports: Iterable[Report] = (function() for function in hooks.get_hooks(REPORTS_HOOK))
    return sorted(
        (report for report in reports if user.has_perm(report.permission)),
        key=lambda report: (report.order, report.name),
    )


class ReportsMenuItem(MenuItem):
    """Leads to the first report that one may see."""

    def is_shown(self, request: HttpRequest) -> bool:
        return bool(reports_for(request.user))

    def render_component(self, request: HttpRequest) -> Any:
        component = super().render_component(request)
        component.url = reverse(reports_for(request.user)[0].name)
        return component


def reports_item() -> MenuItem:
    return ReportsMenuItem(_("Reports"), "", name="referral-reports", icon_name="table", order=900)


class ReportView(WagtailAdminTemplateMixin, TemplateView):
    """A page whose template extends "wagtail_referrals/admin/report.html", for who has the ``permission``.

    ``?export=csv`` or ``xlsx`` sends ``sheet()`` as a file; a page that has none leaves it at ``None``.
    """

    permission = ""
    header_icon = "table"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # A view without a model is open to every editor unless it asks.
        if not request.user.has_perm(self.permission):
            raise PermissionDenied
        if request.method == "GET" and "export" in request.GET:
            return self.export(request.GET["export"])
        return super().dispatch(request, *args, **kwargs)

    def export(self, format: str) -> HttpResponseBase:
        sheet = self.sheet() if format in (CSV, XLSX) and self.makes_sense else None
        if sheet is None:
            return HttpResponseBadRequest(gettext("There is nothing to download here."))
        headings, rows = sheet
        return export_rows(self.export_filename, headings, rows, format)

    @property
    def makes_sense(self) -> bool:
        """Is what was asked for in the address a question that has an answer?"""
        return True

    @property
    def export_filename(self) -> str:
        return slugify(str(self.page_title)) or "report"

    def sheet(self) -> tuple[Sequence[Any], Iterable[Sequence[Any]]] | None:
        """Headings and rows of what is on the screen."""
        return None

    def get_header_more_buttons(self) -> list[Any]:
        buttons = list(super().get_header_more_buttons())
        if self.makes_sense and type(self).sheet is not ReportView.sheet:
            query = self.request.GET.copy()
            query.pop("p", None)
            buttons += export_buttons(
                f"{self.request.path}?{query.urlencode()}" if query else self.request.path
            )
        return sorted(buttons)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": self.page_title}]

    @property
    def media(self) -> Media:
        return Media(css={"all": [versioned_static("wagtail_referrals/admin/admin.css")]}) + chart_media()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        here = self.request.resolver_match.url_name if self.request.resolver_match else ""
        reports = [
            {"label": report.label, "url": reverse(report.name), "is_here": report.name == here}
            for report in reports_for(self.request.user)
        ]
        return super().get_context_data(
            reports=reports if len(reports) > 1 else [], media=self.media, **kwargs
        )


__all__ = ["Report", "ReportView", "reports_for", "reports_item"]
