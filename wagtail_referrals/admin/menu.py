"""Marketing > Referrals."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from wagtail.admin.menu import Menu, MenuItem, SubmenuMenuItem
from wagtail.snippets.views.snippets import SnippetViewSetGroup

from wagtail_referrals.admin.advocates import AdvocateViewSet
from wagtail_referrals.admin.audiences import AudienceViewSet
from wagtail_referrals.admin.badges import BadgeViewSet
from wagtail_referrals.admin.credit import AccountViewSet, EntryViewSet
from wagtail_referrals.admin.leads import LeadViewSet
from wagtail_referrals.admin.message_form import MessageTemplateViewSet
from wagtail_referrals.admin.programs import ProgramViewSet
from wagtail_referrals.admin.referrals import ReferralViewSet
from wagtail_referrals.admin.requests import RequestViewSet
from wagtail_referrals.admin.review import ReviewViewSet
from wagtail_referrals.admin.rewards import RewardViewSet
from wagtail_referrals.admin.sent_messages import SentMessageViewSet
from wagtail_referrals.admin.sequences import SequenceViewSet
from wagtail_referrals.admin.terms import TermsViewSet
from wagtail_referrals.admin.wall import FeaturedViewSet

# Other packages that have something for marketing add their items to this hook.
MARKETING_HOOK: Final = "register_marketing_menu_item"
MARKETING: Final = "marketing"


class ReferralsGroup(SnippetViewSetGroup):
    """All our listings; a menu item each, for those who may see it."""

    items = (
        ReviewViewSet,
        ProgramViewSet,
        AudienceViewSet,
        BadgeViewSet,
        FeaturedViewSet,
        ReferralViewSet,
        RequestViewSet,
        LeadViewSet,
        MessageTemplateViewSet,
        SequenceViewSet,
        SentMessageViewSet,
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
