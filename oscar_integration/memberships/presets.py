"""Ready-made programs with memberships, and what they are made of. They need a plan: what is missing is said."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from django.db.models import F
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from oscar_integration.memberships import kind
from oscar_integration.memberships.kind import MembershipKind, plan_options
from oscar_integration.memberships.models import Plan
from oscar_integration.memberships.triggers import ORDERS, BuysMembership
from oscar_integration.triggers import FIRST
from wagtail_referrals.kinds import Side, reward_kinds, triggers
from wagtail_referrals.programs import Preset, presets
from wagtail_referrals.programs.models import Program, ProgramRule
from wagtail_referrals.programs.presets import DISCOUNT_WORDS, FIFTEEN, TEN, everywhere, unsaved_program

PASS_WORDS: Final = {
    "headline": _("Come and try it"),
    "introduction": _(
        "Somebody who knows us well thought of you. Open an account, and your pass waits for you there."
    ),
    "share_message": _("I like it there and thought of you. With my link you can try it for free:"),
    "small_print": _("Once for each person. Cannot be paid out in cash."),
}


def _gift(side: Side, trigger: str, plan: Plan | None, **values: Any) -> ProgramRule:
    """The plan for this side; left open for the editor where there is none."""
    options = plan_options(plan) if plan is not None else {}
    return ProgramRule(
        side=side,
        trigger=trigger,
        kind=MembershipKind.key,
        options=options | values.pop("options", {}),
        **values,
    )


def _pass() -> Plan | None:
    """What one tries with: before others what is meant for that, then what can be used once."""
    plans = Plan.objects.prefetch_related("names").order_by(
        "-is_trial", F("uses").asc(nulls_last=True), "-gift_only", "pk"
    )
    return plans.first()


def _month() -> Plan | None:
    """What members have: what is sold before what is only given, and what renews before what does not."""
    plans = Plan.objects.filter(is_trial=False).prefetch_related("names")
    return plans.order_by("-renews", F("product").asc(nulls_last=True), "pk").first()


def _new_member() -> dict[str, Any]:
    return {"trigger": BuysMembership.key, "options": {ORDERS: FIRST}}


def _try_once() -> Program:
    return unsaved_program(
        gettext("New friends try once"),
        [
            _gift(Side.FRIEND, "arrives", _pass()),
            ProgramRule(side=Side.ADVOCATE, kind="credit", amounts=everywhere(FIFTEEN), **_new_member()),
        ],
        PASS_WORDS,
        cap_count=10,
        hold_anchor=Program.Anchor.PAID,
        credit_pays_renewals=True,
    )


def _month_for_month() -> Program:
    return unsaved_program(
        gettext("A month for a month"),
        [
            ProgramRule(side=Side.FRIEND, trigger="arrives", kind="discount_percent", percent=Decimal(TEN)),
            _gift(Side.ADVOCATE, plan=_month(), **_new_member()),
        ],
        DISCOUNT_WORDS,
        cap_count=10,
        hold_anchor=Program.Anchor.PAID,
    )


def register() -> None:
    """Called once, from the app's ``ready``."""
    kind.connect()
    reward_kinds.register(MembershipKind())
    triggers.register(BuysMembership())
    for preset in (
        Preset(
            "try_once",
            _("New friends try once"),
            _(
                "The friend gets a pass to come once; your customer gets credit when the friend becomes a member, and "
                "renewals are paid with it."
            ),
            "key",
            _try_once,
        ),
        Preset(
            "month_for_month",
            _("A month for a month"),
            _("When the friend becomes a member, your customer is one for a month longer."),
            "date",
            _month_for_month,
        ),
    ):
        presets.register(preset, before="empty")
