"""Who may do what with referrals from the start: Wagtail's own groups, and four of ours, a role each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

from django.contrib.auth.models import Group, Permission
from django.db.models import Q, QuerySet

OWN_APPS: Final = ("wagtail_referrals", "wagtail_referrals_credit")

# The rows behind the figures of reports, with the referrers' names.
ROWS: Final = ("view_share", "view_visit", "view_claim", "view_purchase")

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
    "add_featured",
    "change_featured",
    "delete_featured",
    "add_messagetemplate",
    "change_messagetemplate",
    "view_message",
    "add_sequence",
    "change_sequence",
    "view_referral",
    "view_attributionrequest",
    "view_advocate",
    "view_reward",
    "view_terms",
    "view_summary",
    *ROWS,
)
MODERATORS: Final = (
    *EDITORS,
    "publish_program",
    "lock_program",
    "unlock_program",
    "publish_audience",
    "publish_messagetemplate",
    "change_message",
    "publish_sequence",
    "delete_sequence",
    "review_referral",
    "change_advocate",
    "view_lead",
    "delete_lead",
    "view_account",
    "view_entry",
)
STOCK: Final = {"Editors": EDITORS, "Moderators": MODERATORS}

PROGRAMS: Final = (
    "add_program",
    "change_program",
    "publish_program",
    "lock_program",
    "unlock_program",
    "add_audience",
    "change_audience",
    "publish_audience",
    "add_badge",
    "change_badge",
    "delete_badge",
    "add_featured",
    "change_featured",
    "delete_featured",
    "add_messagetemplate",
    "change_messagetemplate",
    "delete_messagetemplate",
    "publish_messagetemplate",
    "view_message",
    "change_message",
    "add_sequence",
    "change_sequence",
    "publish_sequence",
    "delete_sequence",
    "change_referralsettings",
    "view_terms",
    "view_summary",
)
REVIEWERS: Final = (
    "view_referral",
    "review_referral",
    "view_attributionrequest",
    "view_advocate",
    "change_advocate",
    "view_reward",
    "view_terms",
    "view_message",
    *ROWS,
)
FINANCE: Final = (
    "view_account",
    "view_entry",
    "adjust_account",
    "view_reward",
    "retry_reward",
    "view_referral",
    "view_advocate",
    "view_terms",
    "view_summary",
    *ROWS,
)
# Figures only: nobody's name.
REPORTS: Final = ("view_summary", "view_sequence")
ROLES: Final = {
    "Referral programs": PROGRAMS,
    "Referral reviewers": REVIEWERS,
    "Referral finance": FINANCE,
    "Referral reports": REPORTS,
}


def custom_permissions() -> QuerySet[Permission]:
    """Those that belong to no listing of their own, for the form of a group."""
    return Permission.objects.filter(
        Q(
            content_type__app_label="wagtail_referrals",
            codename__in=("review_referral", "retry_reward", "view_summary"),
        )
    )


def grant_to_stock_groups(*, using: str, **kwargs: Any) -> None:
    """A receiver of ``post_migrate``."""
    grant_once(STOCK, apps=OWN_APPS, using=using, roles=ROLES)


def grant_once(
    stock: Mapping[str, Collection[str]],
    *,
    apps: Collection[str],
    using: str,
    roles: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> None:
    """After the first migration: never again once any group has a permission of these apps, so what was taken away
    stays so, and a group that was deleted does not come back.

    ``stock``: codenames by the name of a group of Wagtail's, which may be there; ``roles``: of one that is made, and
    opens the admin. A group of the site's own that happens to be called like a role is left alone, and that role not
    made.
    To be called by a receiver of ``post_migrate``, which is sent once for each app: permissions come about in several
    of these steps.
    """
    needed = {codename for codenames in (*stock.values(), *roles.values()) for codename in codenames}
    ours = Permission.objects.using(using).filter(content_type__app_label__in=apps)
    opens_admin = Permission.objects.using(using).filter(
        content_type__app_label="wagtailadmin", codename="access_admin"
    )
    if ours.filter(codename__in=needed).count() < len(needed) or (roles and not opens_admin.exists()):
        return
    if Group.objects.using(using).filter(permissions__in=ours).exists():
        return
    for name, codenames in roles.items():
        group, made = Group.objects.using(using).get_or_create(name=name)
        if made:
            group.permissions.add(*opens_admin, *ours.filter(codename__in=codenames))
    for group in Group.objects.using(using).filter(name__in=stock):
        group.permissions.add(*ours.filter(codename__in=stock[group.name]))
