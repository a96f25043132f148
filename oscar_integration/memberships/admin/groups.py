"""What Wagtail's own groups may do with memberships from the start."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth.models import Group, Permission
from django.db.models import QuerySet

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
    """After the first migration: never again once any group has a permission of ours, so what was taken away stays so.

    A receiver of ``post_migrate``, which is sent once for each app: permissions come about in several of these steps.
    """
    ours = Permission.objects.using(using).filter(content_type__app_label=APP)
    if ours.filter(codename__in=MODERATORS).count() < len(MODERATORS):
        return
    if Group.objects.using(using).filter(permissions__in=ours).exists():
        return
    for name, codenames in STOCK.items():
        group = Group.objects.using(using).filter(name=name).first()
        if group is not None:
            group.permissions.add(*ours.filter(codename__in=codenames))
