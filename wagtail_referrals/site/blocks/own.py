"""Blocks that are the visitor's own: their link, their invitation, their credit."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from wagtail_referrals.site import panels
from wagtail_referrals.site.blocks.base import ReferralBlock


class ShareBlock(ReferralBlock):
    """The visitor's own link and the ways to share it; the way to it for who has none yet."""

    text = blocks.TextBlock(
        label=_("text"), required=False, max_length=300, help_text=_("A sentence or two above the link.")
    )
    shows_offer = blocks.BooleanBlock(label=_("say what each side gets"), required=False, default=True)

    class Meta:
        icon = "link"
        label = _("Share panel")
        description = _("A customer's own link with the buttons to share it. Others find the way to theirs.")
        template = "wagtail_referrals/blocks/share.html"

    def panel(self, value: Any, request: Any) -> Any:
        return panels.share_panel(request)

    def sample(self, value: Any, request: Any) -> Any:
        return panels.sample_share_panel(request)


class BannerBlock(ReferralBlock):
    """Who has been invited, by whom, to what. Nothing for everybody else."""

    heading = None
    text = blocks.CharBlock(
        label=_("text"),
        required=False,
        max_length=200,
        help_text=_(
            "A sentence after who invites to what, as “Look around, your present waits in the basket.”"
        ),
    )

    class Meta:
        icon = "mail"
        label = _("“You have been invited”")
        description = _(
            "A line for visitors who followed a friend's link: who invites them, to what. Others see nothing."
        )
        template = "wagtail_referrals/blocks/banner.html"

    def panel(self, value: Any, request: Any) -> Any:
        return panels.banner(request)

    def sample(self, value: Any, request: Any) -> Any:
        return panels.sample_banner(request)


class BalanceBlock(ReferralBlock):
    """The customer's referral credit. Nothing for who is not logged in."""

    class Meta:
        icon = "pick"
        label = _("Referral credit")
        description = _(
            "A customer's balance and what expires when. Shown only to customers who are logged in."
        )
        template = "wagtail_referrals/blocks/balance.html"

    def panel(self, value: Any, request: Any) -> Any:
        return panels.balance_panel(request)

    def sample(self, value: Any, request: Any) -> Any:
        return panels.sample_balance_panel(request)
