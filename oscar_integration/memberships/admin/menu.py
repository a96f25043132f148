"""Marketing > Memberships."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from wagtail.admin.menu import MenuItem
from wagtail.snippets.views.snippets import SnippetViewSetGroup

from oscar_integration.memberships.admin import explanations
from oscar_integration.memberships.admin.members import MembershipViewSet
from oscar_integration.memberships.admin.names import OVERVIEW
from oscar_integration.memberships.admin.plans import PlanViewSet
from oscar_integration.memberships.admin.policies import OVERVIEW as MAY_SEE
from oscar_integration.memberships.admin.renewals import RenewalViewSet
from wagtail_referrals.admin.menu import MARKETING_HOOK

explanations.register()

# What else belongs into our menu is registered here: the list of who comes in today.
SUBMENU_HOOK: Final = "register_memberships_menu_item"


class MembershipsGroup(SnippetViewSetGroup):
    """Our listings; a menu item each, for those who may see it."""

    items = (PlanViewSet, MembershipViewSet, RenewalViewSet)
    menu_label = _("Memberships")
    menu_name = "memberships"
    menu_icon = "group"
    menu_order = 210
    menu_hook = MARKETING_HOOK
    submenu_hook = SUBMENU_HOOK

    def get_menu_item(self, order: int | None = None) -> MenuItem:
        item = super().get_menu_item(order)
        # Wagtail 7.4 does not know ``submenu_hook``.
        item.menu.register_hook_name = self.submenu_hook
        return item


class OverviewMenuItem(MenuItem):
    def is_shown(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(MAY_SEE))


def overview_item() -> MenuItem:
    return OverviewMenuItem(
        pgettext_lazy("memberships", "Overview"),
        reverse(OVERVIEW),
        name="membership-overview",
        icon_name="table",
        order=900,
    )
