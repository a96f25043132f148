"""Wires to the Wagtail admin, and nothing else."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.auth.models import Permission
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.contrib.settings.registry import register_setting
from wagtail.snippets.models import register_snippet

from wagtail_referrals.admin.policies import register_policies

# Before anything asks for the policy of one of our models.
register_policies()

from wagtail_referrals.admin import cohorts, credit_report, health, top_referrers  # noqa: E402
from wagtail_referrals.admin.arrivals import ClaimViewSet, ShareViewSet, VisitViewSet  # noqa: E402
from wagtail_referrals.admin.audiences import refuse_deletion, warn_of_closing  # noqa: E402
from wagtail_referrals.admin.bulk import NoBulkDeletion  # noqa: E402
from wagtail_referrals.admin.credit import AdjustLogFormatter  # noqa: E402
from wagtail_referrals.admin.groups import custom_permissions  # noqa: E402
from wagtail_referrals.admin.home import add_panel  # noqa: E402
from wagtail_referrals.admin.menu import (  # noqa: E402
    ReferralsGroup,
    join_marketing_menu,
    marketing_item,
)
from wagtail_referrals.admin.message_form import OVERVIEW_URL  # noqa: E402
from wagtail_referrals.admin.message_overview import SWITCH_URL, OverviewView, SwitchView  # noqa: E402
from wagtail_referrals.admin.orders import OrderViewSet  # noqa: E402
from wagtail_referrals.admin.programs import SUMMARY_URL  # noqa: E402
from wagtail_referrals.admin.reports import REPORTS_HOOK, reports_item  # noqa: E402
from wagtail_referrals.admin.summary import SummaryView, summary_report  # noqa: E402
from wagtail_referrals.people import ADJUST_ACTION  # noqa: E402
from wagtail_referrals.programs.models import Program  # noqa: E402
from wagtail_referrals.site.program_preview import draw_program_preview  # noqa: E402
from wagtail_referrals.site.settings import ReferralSettings  # noqa: E402

register_snippet(ReferralsGroup)
if apps.is_installed("wagtail.contrib.settings"):
    register_setting(ReferralSettings, icon="referral")
Program.draw_preview = staticmethod(draw_program_preview)


@hooks.register("register_admin_menu_item")
def register_marketing_menu() -> MenuItem:
    return marketing_item()


@hooks.register("construct_main_menu")
def join_other_marketing_menu(request: HttpRequest, menu_items: list[Any]) -> None:
    join_marketing_menu(request, menu_items)


@hooks.register("register_admin_viewset")
def register_rows_behind_figures() -> list[Any]:
    """In no menu: the summary leads to them."""
    return [ShareViewSet(), VisitViewSet(), ClaimViewSet(), OrderViewSet()]


@hooks.register("register_referrals_menu_item")
def register_reports_item() -> MenuItem:
    return reports_item()


@hooks.register("register_admin_urls")
def register_summary_url() -> list[URLPattern]:
    return [path("referrals/summary/", SummaryView.as_view(), name=SUMMARY_URL)]


@hooks.register("register_admin_urls")
def register_message_urls() -> list[URLPattern]:
    return [
        path("referrals/messages/", OverviewView.as_view(), name=OVERVIEW_URL),
        path("referrals/messages/switch/<slug:kind>/", SwitchView.as_view(), name=SWITCH_URL),
    ]


@hooks.register("register_admin_urls")
def register_report_urls() -> list[URLPattern]:
    return [
        path("referrals/reports/top/", top_referrers.TopView.as_view(), name=top_referrers.URL),
        path("referrals/reports/months/", cohorts.CohortView.as_view(), name=cohorts.URL),
        path("referrals/reports/credit/", credit_report.CreditView.as_view(), name=credit_report.URL),
        path("referrals/reports/health/", health.HealthView.as_view(), name=health.URL),
    ]


hooks.register(REPORTS_HOOK, summary_report)
hooks.register(REPORTS_HOOK, top_referrers.top_report)
hooks.register(REPORTS_HOOK, cohorts.cohort_report)
hooks.register(REPORTS_HOOK, credit_report.credit_report)
hooks.register(REPORTS_HOOK, health.health_report)
hooks.register("construct_homepage_panels", add_panel)
# After Wagtail's, which is for all snippets.
hooks.register("register_bulk_action", NoBulkDeletion, order=100)
hooks.register("before_delete_snippet", refuse_deletion)
hooks.register("after_unpublish", warn_of_closing)


@hooks.register("register_permissions")
def register_custom_permissions() -> QuerySet[Permission]:
    return custom_permissions()


@hooks.register("register_icons")
def register_icons(icons: list[str]) -> list[str]:
    return [*icons, "wagtail_referrals/icons/marketing.svg", "wagtail_referrals/icons/referral.svg"]


@hooks.register("register_log_actions")
def register_log_actions(actions: Any) -> None:
    actions.register_action(ADJUST_ACTION)(AdjustLogFormatter)
