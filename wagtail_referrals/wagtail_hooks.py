"""Wires to the Wagtail admin, and nothing else."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.snippets.models import register_snippet

from wagtail_referrals.admin.policies import register_policies

# Before anything asks for the policy of one of our models.
register_policies()

from wagtail_referrals.admin.audiences import refuse_deletion, warn_of_closing  # noqa: E402
from wagtail_referrals.admin.credit import AdjustLogFormatter  # noqa: E402
from wagtail_referrals.admin.groups import custom_permissions  # noqa: E402
from wagtail_referrals.admin.menu import (  # noqa: E402
    ReferralsGroup,
    join_marketing_menu,
    marketing_item,
    summary_item,
)
from wagtail_referrals.admin.programs import SUMMARY_URL  # noqa: E402
from wagtail_referrals.admin.summary import SummaryView  # noqa: E402
from wagtail_referrals.people import ADJUST_ACTION  # noqa: E402
from wagtail_referrals.programs.models import Program  # noqa: E402
from wagtail_referrals.site.program_preview import draw_program_preview  # noqa: E402

register_snippet(ReferralsGroup)
Program.draw_preview = staticmethod(draw_program_preview)


@hooks.register("register_admin_menu_item")
def register_marketing_menu() -> MenuItem:
    return marketing_item()


@hooks.register("construct_main_menu")
def join_other_marketing_menu(request: HttpRequest, menu_items: list[Any]) -> None:
    join_marketing_menu(request, menu_items)


@hooks.register("register_referrals_menu_item")
def register_summary_item() -> MenuItem:
    return summary_item()


@hooks.register("register_admin_urls")
def register_summary_url() -> list[URLPattern]:
    return [path("referrals/summary/", SummaryView.as_view(), name=SUMMARY_URL)]


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
