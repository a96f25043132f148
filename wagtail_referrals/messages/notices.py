"""Who is told what about rewards."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from wagtail_referrals import credit
from wagtail_referrals.kinds import LedgerKind, Rule, Side, reward_kinds
from wagtail_referrals.messages.planning import write
from wagtail_referrals.programs import kept_gift, parse
from wagtail_referrals.rewards.models import Reward


def tell_about_reward(
    sender: type[Reward], *, reward: Reward, delta: Decimal, now: datetime, **kwargs: Any
) -> None:
    """Given, or taken back: the customer hears of both."""
    if reward.user is None:
        return
    data: dict[str, Any] = {"reward": reward.pk, "side": reward.side, "reason": reward.reason}
    rule = parse(reward.terms).rule(str(reward.rule_key))
    kind = reward_kinds.get(reward.kind)
    if isinstance(kind, LedgerKind):
        # What is on the account now is what counts, whatever the rule's words are.
        data |= {"amount": str(abs(delta)), "currency": reward.currency}
    elif rule is not None:
        data["gift"] = kept_gift(_worth(rule, reward, delta), reward.currency)
    if delta > 0:
        data |= _use(reward, rule, now)
    write(
        "reward_given" if delta > 0 else "reward_taken_back",
        key=f"reward:{reward.pk}:{reward.revision}",
        user=reward.user,
        data=data,
        referral=reward.referral,
        language=_language(reward),
        now=now,
    )


def _worth(rule: Rule, reward: Reward, delta: Decimal) -> Rule:
    """The rule with the amount that this is about: after a refund that is less than what the rule gives."""
    kind = reward_kinds.get(reward.kind)
    if kind.is_discount or "amounts" not in kind.value_fields or reward.currency not in rule.amounts:
        return rule
    return replace(rule, amounts={**rule.amounts, reward.currency: abs(delta)})


def _use(reward: Reward, rule: Rule | None, now: datetime) -> dict[str, str]:
    """The code under which it is used, and the last day on which it can be."""
    kind = reward_kinds.get(reward.kind)
    found = {}
    until = None
    if kind.is_discount:
        # Without a code it cannot be used yet, and its time has not begun.
        found["code"] = reward.discount.code
        until = reward.discount.expires_at if reward.discount.code else None
    elif isinstance(kind, LedgerKind) and rule is not None and rule.expires_days:
        until = now + timedelta(days=rule.expires_days)
    if until is not None:
        found["until"] = credit.last_day(until).isoformat()
    return found


def _language(reward: Reward) -> str:
    return reward.advocate.language if reward.side == Side.ADVOCATE else reward.referral.claim.language
