"""Who is told what: one row for each message, written within the transaction that gives the cause."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from wagtail_referrals import credit, signals
from wagtail_referrals.kinds import LedgerKind, Side, reward_kinds
from wagtail_referrals.messages.delivery import deliver_pending
from wagtail_referrals.messages.models import Message
from wagtail_referrals.programs import kept_gift, parse
from wagtail_referrals.rewards.models import Reward


def write(
    kind: str,
    *,
    key: str,
    user: Any,
    data: dict[str, Any],
    referral: Any = None,
    language: str = "",
    now: datetime | None = None,
) -> None:
    """Plan a message to a customer. The same key twice is one message."""
    moment = now or timezone.now()
    message = Message(
        key=key,
        kind=kind,
        user=user,
        referral=referral,
        language=language,
        data=data,
        created_at=moment,
        next_attempt_at=moment,
    )
    Message.objects.bulk_create([message], ignore_conflicts=True)
    transaction.on_commit(deliver_pending, robust=True)


def tell_about_reward(
    sender: type[Reward], *, reward: Reward, delta: Decimal, now: datetime, **kwargs: Any
) -> None:
    """Given, or taken back: the customer hears of both."""
    if reward.user is None:
        return
    data: dict[str, Any] = {"side": reward.side, "reason": reward.reason}
    rule = parse(reward.terms).rule(str(reward.rule_key))
    kind = reward_kinds.get(reward.kind)
    if kind.is_discount or not kind.value_fields:
        if rule is not None:
            data["gift"] = kept_gift(rule, reward.currency)
        if kind.is_discount and delta > 0:
            data["code"] = reward.discount.code
    else:
        data |= {"amount": str(abs(delta)), "currency": reward.currency}
        # Said in the mail: what else a shop gives is used elsewhere, if at all.
        data["at_checkout"] = isinstance(kind, LedgerKind) and credit.is_money(reward.currency)
    write(
        "reward_given" if delta > 0 else "reward_taken_back",
        key=f"reward:{reward.pk}:{reward.revision}",
        user=reward.user,
        data=data,
        referral=reward.referral,
        language=_language(reward),
        now=now,
    )


def _language(reward: Reward) -> str:
    return reward.advocate.language if reward.side == Side.ADVOCATE else reward.referral.claim.language


def connect() -> None:
    signals.reward_changed.connect(tell_about_reward, dispatch_uid="wagtail_referrals.messages.reward")
