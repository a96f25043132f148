"""Registries and base classes: what a rule can give, and when. No rows."""

from wagtail_referrals.kinds.asking import join_option_fields, option_owners
from wagtail_referrals.kinds.options import OPTION_PREFIX, HasOptions, in_language
from wagtail_referrals.kinds.placeholders import NAME_AND_GIFT, NAME_GIFT_AND_DAY, Placeholders
from wagtail_referrals.kinds.points import PointsKind
from wagtail_referrals.kinds.registry import Registry
from wagtail_referrals.kinds.reward import (
    DiscountIssuer,
    DiscountKind,
    DiscountRequest,
    HadAlready,
    LedgerKind,
    Objection,
    Posting,
    RewardKind,
    amount_words,
    gives_credit,
    is_forbidden,
    notes_on,
    objection_to,
    percent_words,
    register_annotator,
    register_objector,
    reward_kind_choices,
    reward_kinds,
)
from wagtail_referrals.kinds.rule import RefundPolicy, Rule, Side
from wagtail_referrals.kinds.trigger import PurchaseOccasion, Trigger, trigger_choices, triggers

__all__ = [
    "NAME_AND_GIFT",
    "NAME_GIFT_AND_DAY",
    "OPTION_PREFIX",
    "DiscountIssuer",
    "DiscountKind",
    "DiscountRequest",
    "HadAlready",
    "HasOptions",
    "LedgerKind",
    "Objection",
    "Placeholders",
    "PointsKind",
    "Posting",
    "PurchaseOccasion",
    "RefundPolicy",
    "Registry",
    "RewardKind",
    "Rule",
    "Side",
    "Trigger",
    "amount_words",
    "gives_credit",
    "in_language",
    "is_forbidden",
    "join_option_fields",
    "notes_on",
    "objection_to",
    "option_owners",
    "percent_words",
    "register_annotator",
    "register_objector",
    "reward_kind_choices",
    "reward_kinds",
    "trigger_choices",
    "triggers",
]
