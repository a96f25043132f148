"""What judge is told, from rows that were read: by settle, which has locked them, or by who only looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from wagtail_referrals import conf
from wagtail_referrals.kinds import Side, reward_kinds
from wagtail_referrals.programs import TermsData, budget
from wagtail_referrals.referrals import Facts
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.judge import HAD_ALREADY, Given, History, PurchaseFacts, RewardKey
from wagtail_referrals.rewards.models import DiscountGrant, Reward
from wagtail_referrals.trust.decisions import REVIEWER
from wagtail_referrals.trust.models import Decision


def facts_from_json(observed: dict[str, Any]) -> Facts:
    """The facts of an order as they were last seen: ``Purchase.observed``."""

    def moment(name: str) -> datetime | None:
        return datetime.fromisoformat(observed[name]) if observed.get(name) else None

    return Facts(
        paid_at=moment("paid_at"),
        shipped_at=moment("shipped_at"),
        cancelled=bool(observed.get("cancelled")),
        refunded=Decimal(observed.get("refunded", "0")),
        refunded_lines={line: Decimal(amount) for line, amount in observed.get("refunded_lines", {}).items()},
    )


def purchase_facts(purchase: Purchase, facts: Facts) -> PurchaseFacts:
    return PurchaseFacts(
        id=purchase.pk,
        reference=purchase.reference,
        placed_at=purchase.placed_at,
        currency=purchase.currency,
        eligible=purchase.eligible,
        watch_until=purchase.watch_until,
        facts=facts,
        lines=purchase.lines,
    )


def order_until(referral: Referral, facts: Iterable[Facts], again: datetime | None) -> datetime:
    """Until when an order counts: as long as the discount that was given ``again`` after one that never happened."""
    until: datetime = referral.claim.expires_at
    if again is not None and any(fact.cancelled and fact.shipped_at is None for fact in facts):
        until = max(until, again)
    return until


def history_of(
    referral: Referral,
    decisions: Iterable[Decision],
    rewards: Mapping[RewardKey, Reward],
    *,
    claim_expires_at: datetime,
    slots_taken: Mapping[tuple[str, str], int],
    last_ordinal: int | None,
) -> History:
    """``decisions``: all about the referral, the oldest first. ``slots_taken`` is asked for where the terms have a cap.

    ``last_ordinal``: the last number among the referrer's qualified referrals of the program.
    """
    reviews = [decision for decision in decisions if decision.check_key == REVIEWER]
    said = [decision for decision in decisions if decision.check_key != REVIEWER]
    advocate = referral.advocate
    deleted = set()
    if advocate.user_id is None and not advocate.email_hash:
        deleted.add(str(Side.ADVOCATE))
    if referral.friend_id is None and not referral.friend_email_hash:
        deleted.add(str(Side.FRIEND))
    return History(
        claim_expires_at=claim_expires_at,
        created_at=referral.created_at,
        registered_at=referral.registered_at,
        friend_known=referral.friend_id is not None,
        advocate_known=advocate.user_id is not None,
        people_deleted=frozenset(deleted),
        refusals=tuple(said_no.reason for said_no in said if said_no.outcome == Decision.Outcome.REFUSE),
        holds=tuple(unsure.reason for unsure in said if unsure.outcome == Decision.Outcome.HOLD),
        review=reviews[-1].outcome if reviews else "",
        rewards={
            key: Given(
                slot=reward.slot,
                slot_period=reward.slot_period,
                friend_slot=reward.friend_slot,
                posted=reward.posted,
                currency=reward.currency,
                purchase_id=reward.purchase_id,
                # Where it was asked for: see ``discounts.with_use``.
                used=bool(getattr(reward, "was_used", False)),
                had_already=reward.reason == HAD_ALREADY and not reward.posted,
            )
            for key, reward in rewards.items()
        },
        slots_taken=slots_taken,
        ordinal=referral.ordinal,
        next_ordinal=(last_ordinal or 0) + 1,
        default_currency=conf.currencies()[0],
    )


def spent_of(
    terms: TermsData, rewards: Iterable[Reward], used: Iterable[DiscountGrant]
) -> dict[str, Decimal]:
    """What a referral counts for in the program's budget, with these ``rewards`` and with these discounts ``used``."""
    limited = budget.limits(terms)
    spent: dict[str, Decimal] = {}
    counts = False
    for reward in rewards:
        kind = reward_kinds.get(reward.kind) if reward.kind in reward_kinds else None
        counts = counts or bool(reward.posted)
        if reward.posted and kind is not None and kind.value_fields and not kind.is_discount:
            spent[reward.currency] = spent.get(reward.currency, Decimal(0)) + reward.posted
    for grant in used:
        counts = True
        spent[grant.used_currency] = spent.get(grant.used_currency, Decimal(0)) + (grant.used_amount or 0)
    if counts:
        spent[budget.FRIENDS] = Decimal(1)
    return {currency: amount for currency, amount in spent.items() if currency in limited}
