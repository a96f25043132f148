"""Blocks about how far somebody has come, and about those who bring friends."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from wagtail_referrals.programs import program_choices
from wagtail_referrals.site import panels
from wagtail_referrals.site.blocks.base import ReferralBlock

PERIODS = [("month", _("this month")), ("year", _("this year")), ("ever", _("since the beginning"))]


def _program_block() -> blocks.ChoiceBlock:
    # Programs have no chooser of Wagtail's: it is open to every editor.
    return blocks.ChoiceBlock(
        choices=program_choices,
        label=_("program"),
        required=False,
        help_text=_("Leave empty for the one that the visitor's own link brings."),
    )


class ProgressBlock(ReferralBlock):
    """How far the visitor is from the next reward."""

    program = _program_block()

    class Meta:
        icon = "tasks"
        label = _("Progress to the next reward")
        description = _(
            "A bar with the friends who have ordered, and the milestones ahead. Visitors see the milestones."
        )
        template = "wagtail_referrals/blocks/progress.html"

    def panel(self, value: Any, request: Any) -> Any:
        return panels.progress_panel(request, program=value.get("program"))

    def sample(self, value: Any, request: Any) -> Any:
        return panels.sample_progress_panel(request, program=value.get("program"))


class LeaderboardBlock(ReferralBlock):
    """Who has brought the most friends, of those who want to be named; and the visitor's own rank."""

    is_personal = False

    program = _program_block()
    period = blocks.ChoiceBlock(PERIODS, label=_("counted"), default="month")
    size = blocks.IntegerBlock(label=_("how many"), min_value=3, max_value=100, default=10)

    class Meta:
        icon = "order-up"
        label = _("Leaderboard")
        description = _("Customers with the most friends, by the names they chose. Only who agreed is named.")
        template = "wagtail_referrals/blocks/leaderboard.html"

    def panel(self, value: Any, request: Any) -> Any:
        return panels.leaderboard_panel(
            request,
            program=value.get("program"),
            period=value.get("period") or "month",
            size=value.get("size") or 10,
        )

    def sample(self, value: Any, request: Any) -> Any:
        return panels.sample_leaderboard_panel(
            request, period=value.get("period") or "month", size=value.get("size") or 10
        )


class WallBlock(ReferralBlock):
    """Customers whom the shop thanks in public."""

    is_personal = False

    text = blocks.TextBlock(label=_("text"), required=False, max_length=300)
    size = blocks.IntegerBlock(label=_("how many"), min_value=1, max_value=60, default=12)

    class Meta:
        icon = "group"
        label = _("Wall of thanks")
        description = _("Customers whom you thank in public, with your words. Only who agreed is shown.")
        template = "wagtail_referrals/blocks/wall.html"

    def panel(self, value: Any, request: Any) -> Any:
        return panels.wall_panel(request, size=value.get("size") or 12)

    def sample(self, value: Any, request: Any) -> Any:
        return panels.sample_wall_panel(request, size=value.get("size") or 12)
