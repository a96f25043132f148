"""Reports > Pledges: what referrals brought the sea rescue, for those who may see it."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from oscar.templatetags.currency_filters import currency
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.admin.ui.tables import Column, DateColumn, TitleColumn
from wagtail.admin.views.reports import ReportView

from example_site.giving.models import Pledge


def reward_url(pledge: Pledge) -> str | None:
    """Where it is explained; None in a shop that runs without the package."""
    try:
        return reverse("wagtail_referrals_rewards:inspect", args=[pledge.reward_id])
    except NoReverseMatch:
        return None


class PledgesView(ReportView):
    model = Pledge
    page_title = _("Pledges")
    header_icon = "pick"
    index_url_name = "studio-pledges"
    index_results_url_name = "studio-pledges-results"
    permission_required = "view"
    any_permission_required = ["view"]
    default_ordering = "-created_at"
    columns = [
        TitleColumn("reward", label=_("Reward"), accessor="reward_id", get_url=reward_url),
        Column("amount", label=_("Amount"), accessor=lambda pledge: currency(pledge.amount, pledge.currency)),
        DateColumn("created_at", label=_("Date"), sort_key="created_at"),
    ]

    def get_page_subtitle(self) -> str:
        code = settings.OSCAR_DEFAULT_CURRENCY
        return str(currency(Pledge.total(code), code))


class PledgesMenuItem(MenuItem):
    def is_shown(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("example_giving.view_pledge"))


@hooks.register("register_admin_urls")
def register_pledges_urls() -> list[URLPattern]:
    return [
        path("reports/pledges/", PledgesView.as_view(), name=PledgesView.index_url_name),
        path(
            "reports/pledges/results/",
            PledgesView.as_view(results_only=True),
            name=PledgesView.index_results_url_name,
        ),
    ]


@hooks.register("register_reports_menu_item")
def register_pledges_item() -> Any:
    return PledgesMenuItem(
        _("Pledges"), reverse(PledgesView.index_url_name), name="pledges", icon_name="pick", order=1200
    )
