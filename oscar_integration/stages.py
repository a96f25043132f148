"""Stages that the shop switches on one by one: what the engine is told of those that are off, in the editor's words."""

from __future__ import annotations

from django.utils.translation import gettext

from oscar_integration import conf
from wagtail_referrals.kinds import LedgerKind, Objection, PointsKind, RewardKind, register_objector


def objection_to(kind: RewardKind) -> Objection | None:
    """What speaks against a kind of reward while a stage is off."""
    if kind.is_discount and not conf.gives_vouchers():
        return Objection(
            gettext(
                "The shop gives no discounts and no gifts through referrals at present. What is promised waits until "
                "it does; your developers can switch them on."
            ),
            forbids=True,
        )
    if isinstance(kind, LedgerKind) and not isinstance(kind, PointsKind) and not conf.credit_at_checkout():
        return Objection(
            gettext(
                "Referral credit can be earned, but orders cannot be paid with it at present. Customers are told so."
            ),
            forbids=False,
        )
    return None


def connect() -> None:
    """Called once, from the app's ``ready``."""
    register_objector(objection_to)
