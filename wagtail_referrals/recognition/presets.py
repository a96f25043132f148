"""A ready-made program with milestones: the last one is a badge where the shop has one."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals.kinds import Side, reward_kinds
from wagtail_referrals.programs import Preset, presets
from wagtail_referrals.programs.models import Program, ProgramRule
from wagtail_referrals.programs.presets import DISCOUNT_WORDS, everywhere, unsaved_program
from wagtail_referrals.recognition import receivers
from wagtail_referrals.recognition.kind import BadgeKind, badge_options
from wagtail_referrals.recognition.models import Badge

TEN: Final = Decimal(10)
FIFTY: Final = Decimal(50)


def _milestone(occurrence: int, kind: str, **values: object) -> ProgramRule:
    return ProgramRule(side=Side.ADVOCATE, trigger="nth_referral", occurrence=occurrence, kind=kind, **values)


def _milestones() -> Program:
    badge = next(
        (badge for badge in Badge.objects.prefetch_related("names") if badge.names_by_language), None
    )
    return unsaved_program(
        gettext("Milestones"),
        [
            ProgramRule(side=Side.FRIEND, trigger="arrives", kind="discount_percent", percent=TEN),
            _milestone(1, "credit", amounts=everywhere(TEN)),
            _milestone(3, "free_shipping"),
            _milestone(5, "badge", options=badge_options(badge))
            if badge is not None
            else _milestone(5, "credit", amounts=everywhere(FIFTY)),
        ],
        DISCOUNT_WORDS,
    )


def register() -> None:
    """Called when Django is ready."""
    receivers.connect()
    reward_kinds.register(BadgeKind())
    presets.register(
        Preset(
            "milestones",
            _("Milestones"),
            _("Something for the first friend, something else for the third, and again for the fifth."),
            "list-ol",
            _milestones,
        ),
        before="empty",
    )
