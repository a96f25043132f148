"""Marketing > Referrals."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from wagtail.admin.menu import Menu, MenuItem, SubmenuMenuItem
from wagtail.snippets.views.snippets import SnippetViewSetGroup

from wagtail_referrals.admin.advocates import AdvocateViewSet
from wagtail_referrals.admin.audiences import AudienceViewSet
from wagtail_referrals.admin.badges import BadgeViewSet
from wagtail_referrals.admin.credit import AccountViewSet, EntryViewSet
from wagtail_referrals.admin.policies import SUMMARY
from wagtail_referrals.admin.programs import SUMMARY_URL, ProgramViewSet
from wagtail_referrals.admin.referrals import ReferralViewSet
from wagtail_referrals.admin.rewards import RewardViewSet
from wagtail_referrals.admin.terms import TermsViewSet

# Other packages that have something for marketing add their items to this hook.
MARKETING_HOOK: Final = "register_marketing_menu_item"
MARKETING: Final = "marketing"


class ReferralsGroup(SnippetViewSetGroup):
    """All our listings; a menu item each, for those who may see it."""

    items = (
        ProgramViewSet,
        AudienceViewSet,
        BadgeViewSet,
        ReferralViewSet,
        AdvocateViewSet,
        RewardViewSet,
        AccountViewSet,
        EntryViewSet,
        TermsViewSet,
    )
    menu_label = _("Referrals")
    menu_name = "referrals"
    menu_icon = "referral"
    menu_order = 200
    menu_hook = MARKETING_HOOK
    submenu_hook = "register_referrals_menu_item"

    def get_menu_item(self, order: int | None = None) -> MenuItem:
        item = super().get_menu_item(order)
        # Wagtail 7.4 does not know ``submenu_hook``.
        item.menu.register_hook_name = self.submenu_hook
        return item


class SummaryMenuItem(MenuItem):
    def is_shown(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(SUMMARY))


def summary_item() -> MenuItem:
    return SummaryMenuItem(
        pgettext_lazy("referrals", "Summary"),
        reverse(SUMMARY_URL),
        name="referral-summary",
        icon_name="table",
        order=900,
    )


class MarketingMenuItem(SubmenuMenuItem):
    """Our own Marketing menu, for sites that have none yet."""


def marketing_item() -> MenuItem:
    return MarketingMenuItem(
        _("Marketing"),
        Menu(register_hook_name=MARKETING_HOOK),
        name=MARKETING,
        icon_name="marketing",
        order=8990,
    )


def join_marketing_menu(request: HttpRequest, menu_items: list[Any]) -> None:
    """Where another package brings a Marketing menu, there is one menu, with our items in it."""
    ours = next((item for item in menu_items if isinstance(item, MarketingMenuItem)), None)
    theirs = next(
        (
            item
            for item in menu_items
            if item.name == MARKETING and isinstance(item, SubmenuMenuItem) and item is not ours
        ),
        None,
    )
    if ours is None or theirs is None:
        return
    menu_items.remove(ours)
    there = theirs.menu.registered_menu_items
    names = {item.name for item in there}
    there.extend(item for item in ours.menu.registered_menu_items if item.name not in names)
