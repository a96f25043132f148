"""What Wagtail's own groups may do with memberships from the start."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth.models import Permission
from django.db.models import QuerySet

from wagtail_referrals.admin.groups import grant_once

APP: Final = "referral_memberships"

# Editors write plans and read; moderators also look after single members. Neither gives memberships away: that is a
# right for whoever keeps the books, as correcting credit is.
EDITORS: Final = ("add_plan", "change_plan", "view_membership", "view_renewal", "view_overview", "record_use")
MODERATORS: Final = (*EDITORS, "delete_plan", "change_membership")
STOCK: Final = {"Editors": EDITORS, "Moderators": MODERATORS}


def custom_permissions() -> QuerySet[Permission]:
    """Those that belong to no listing of their own, for the form of a group."""
    return Permission.objects.filter(
        content_type__app_label=APP, codename__in=("record_use", "view_overview")
    )


def grant_to_stock_groups(*, using: str, **kwargs: Any) -> None:
    """A receiver of ``post_migrate``."""
    grant_once(STOCK, apps=(APP,), using=using)
