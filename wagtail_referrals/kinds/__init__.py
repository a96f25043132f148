"""Registries and protocols: what a rule can give, and when. No rows."""

from wagtail_referrals.kinds.registry import Registry
from wagtail_referrals.kinds.reward import (
    DiscountIssuer,
    DiscountRequest,
    LedgerKind,
    Posting,
    RewardKind,
    amount_words,
    percent_words,
    reward_kind_choices,
    reward_kinds,
)
from wagtail_referrals.kinds.rule import RefundPolicy, Rule, Side
from wagtail_referrals.kinds.trigger import PurchaseOccasion, Trigger, trigger_choices, triggers

__all__ = [
    "DiscountIssuer",
    "DiscountRequest",
    "LedgerKind",
    "Posting",
    "PurchaseOccasion",
    "RefundPolicy",
    "Registry",
    "RewardKind",
    "Rule",
    "Side",
    "Trigger",
    "amount_words",
    "percent_words",
    "reward_kind_choices",
    "reward_kinds",
    "trigger_choices",
    "triggers",
]
