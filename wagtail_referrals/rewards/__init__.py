"""Promises and rewards: commit, judge, settle, sweep."""

from wagtail_referrals.rewards.discounts import (
    active_discounts,
    bind_person,
    discount_by_code,
    discount_refusal,
    issue_waiting,
    minimum_to_use,
    reward_by_token,
    usable_rewards,
    withdrawn_codes,
)
from wagtail_referrals.rewards.judge import Due, History, PurchaseFacts, Verdict, judge
from wagtail_referrals.rewards.past import replay, replay_first_orders, replayable_programs
from wagtail_referrals.rewards.placed import order_placed, whose_order
from wagtail_referrals.rewards.promise import TypedCode, commit, lapse_claims, promise_holds, typed_code
from wagtail_referrals.rewards.renewal import renewal_credit, reserve_for_renewal
from wagtail_referrals.rewards.replay import Judged, Outcome, Replay
from wagtail_referrals.rewards.settle import RETRY, check_soon, retry, settle
from wagtail_referrals.rewards.sweep import sweep

__all__ = [
    "RETRY",
    "Due",
    "History",
    "Judged",
    "Outcome",
    "PurchaseFacts",
    "Replay",
    "TypedCode",
    "Verdict",
    "active_discounts",
    "bind_person",
    "check_soon",
    "commit",
    "discount_by_code",
    "discount_refusal",
    "issue_waiting",
    "judge",
    "lapse_claims",
    "minimum_to_use",
    "order_placed",
    "promise_holds",
    "renewal_credit",
    "replay",
    "replay_first_orders",
    "replayable_programs",
    "reserve_for_renewal",
    "retry",
    "reward_by_token",
    "settle",
    "sweep",
    "typed_code",
    "usable_rewards",
    "whose_order",
    "withdrawn_codes",
]
