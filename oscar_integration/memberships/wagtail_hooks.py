"""Wires memberships into the Wagtail admin, and nothing else."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import QuerySet
from django.urls import URLPattern, path
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.snippets.models import register_snippet

from oscar_integration.memberships.admin.policies import register_policies

# Before anything asks for the policy of one of our models.
register_policies()

from oscar_integration.memberships.admin.bulk import NoBulkDeletionOfPlans  # noqa: E402
from oscar_integration.memberships.admin.checkin import checkin_item, checkin_urls  # noqa: E402
from oscar_integration.memberships.admin.groups import custom_permissions  # noqa: E402
from oscar_integration.memberships.admin.history import register_actions  # noqa: E402
from oscar_integration.memberships.admin.menu import (  # noqa: E402
    SUBMENU_HOOK,
    MembershipsGroup,
    overview_item,
)
from oscar_integration.memberships.admin.names import OVERVIEW  # noqa: E402
from oscar_integration.memberships.admin.overview import OverviewView  # noqa: E402
from oscar_integration.memberships.admin.plans import refuse_deletion  # noqa: E402

register_snippet(MembershipsGroup)


@hooks.register(SUBMENU_HOOK)
def register_overview_item() -> MenuItem:
    return overview_item()


@hooks.register(SUBMENU_HOOK)
def register_checkin_item() -> MenuItem:
    return checkin_item()


hooks.register("register_admin_urls", checkin_urls)


@hooks.register("register_admin_urls")
def register_overview_url() -> list[URLPattern]:
    return [path("memberships/overview/", OverviewView.as_view(), name=OVERVIEW)]


# After Wagtail's, which is for all snippets.
hooks.register("register_bulk_action", NoBulkDeletionOfPlans, order=100)
hooks.register("before_delete_snippet", refuse_deletion)


@hooks.register("register_permissions")
def register_custom_permissions() -> QuerySet[Permission]:
    return custom_permissions()


@hooks.register("register_log_actions")
def register_log_actions(actions: Any) -> None:
    register_actions(actions)
