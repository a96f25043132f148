"""What Wagtail's own groups may do with referrals from the start."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth.models import Group, Permission
from django.db.models import Q, QuerySet

OWN_APPS: Final = ("wagtail_referrals", "wagtail_referrals_credit")

# Editors write programs and read reports; moderators also publish and review, as with pages. None of them corrects
# credit: that is giving money away, a right for whoever keeps the books.
EDITORS: Final = (
    "add_program",
    "change_program",
    "add_audience",
    "change_audience",
    "add_badge",
    "change_badge",
    "delete_badge",
    "view_referral",
    "view_advocate",
    "view_reward",
    "view_terms",
    "view_summary",
)
MODERATORS: Final = (
    *EDITORS,
    "publish_program",
    "lock_program",
    "unlock_program",
    "publish_audience",
    "review_referral",
    "change_advocate",
    "view_account",
    "view_entry",
)
STOCK: Final = {"Editors": EDITORS, "Moderators": MODERATORS}


def custom_permissions() -> QuerySet[Permission]:
    """Those that belong to no listing of their own, for the form of a group."""
    return Permission.objects.filter(
        Q(content_type__app_label="wagtail_referrals", codename__in=("review_referral", "view_summary"))
    )


def grant_to_stock_groups(*, using: str, **kwargs: Any) -> None:
    """After the first migration: never again once any group has a permission of ours, so what was taken away stays so.

    A receiver of ``post_migrate``, which is sent once for each app: permissions come about in several of these steps.
    """
    ours = Permission.objects.using(using).filter(content_type__app_label__in=OWN_APPS)
    if ours.filter(codename__in=MODERATORS).count() < len(MODERATORS):
        return
    if Group.objects.using(using).filter(permissions__in=ours).exists():
        return
    for name, codenames in STOCK.items():
        group = Group.objects.using(using).filter(name=name).first()
        if group is not None:
            group.permissions.add(*ours.filter(codename__in=codenames))
