"""settle: lock, gather, judge, post the difference. Twice, or at once from two workers, changes nothing more.

Locks, always with ``no_key=True`` and in this order: Referral, Budget, Advocate, Reward, Account (in the ledger), Lot.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import F, Max, Q
from django.utils import timezone

from wagtail_referrals import conf, credit, signals
from wagtail_referrals.kinds import HadAlready, LedgerKind, Posting, Rule, Side, reward_kinds, triggers
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import TermsData, budget, forget_open_terms, kept_gift, parse
from wagtail_referrals.referrals import Facts, get_shop, timeline
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards import discounts
from wagtail_referrals.rewards.history import (
    facts_from_json,
    history_of,
    order_until,
    purchase_facts,
    spent_of,
)
from wagtail_referrals.rewards.judge import HAD_ALREADY, Due, History, RewardKey, Verdict, judge
from wagtail_referrals.rewards.models import DiscountGrant, Reward
from wagtail_referrals.rewards.promise import end_claim, hold_what_is_open
from wagtail_referrals.tracking.models import Claim
from wagtail_referrals.trust import evaluate
from wagtail_referrals.trust.models import Decision

logger = logging.getLogger("wagtail_referrals")

PENDING = (
    Referral.State.WAITING_ORDER,
    Referral.State.WAITING_PAYMENT,
    Referral.State.WAITING_PERIOD,
    Referral.State.TO_CHECK,
)
RETRY = timedelta(hours=1)


@dataclass(frozen=True)
class ReadBeforehand:
    """Facts that a sweep read for many referrals at once; good only while ``revision`` is still the referral's."""

    revision: int
    facts: Mapping[str, Facts]


def settle(
    referral_id: int,
    *,
    now: datetime | None = None,
    beforehand: ReadBeforehand | None = None,
    skip_locked: bool = False,
) -> Verdict | None:
    """Bring a referral and its rewards to what the facts of now say.

    ``None`` when there is no such referral, or with ``skip_locked`` when another worker is at it.
    """
    moment = now or timezone.now()
    with transaction.atomic():
        referral = (
            Referral.objects.select_for_update(no_key=True, of=("self",), skip_locked=skip_locked)
            .select_related("terms", "claim", "advocate__user", "friend")
            .filter(pk=referral_id)
            .first()
        )
        if referral is None:
            return None
        terms = parse(referral.terms)
        purchases = list(referral.purchases.all())
        facts = _read_facts(referral, purchases, beforehand)
        decisions = evaluate(referral, terms, purchases, shop=get_shop(), now=moment)
        budget.lock(terms.program_key, set(budget.limits(terms)) | set(referral.claim.held))
        advocate = (
            Advocate.objects.select_for_update(no_key=True, of=("self",))
            .select_related("user")
            .get(pk=referral.advocate_id)
        )
        referral.advocate = advocate
        locked = Reward.objects.select_for_update(no_key=True, of=("self",)).filter(referral=referral)
        if discounts.rewards_discounts(terms):
            discounts.follow_orders(referral, now=moment)
        rewards = {
            (str(reward.rule_key), reward.side, reward.occasion): reward
            for reward in discounts.with_use(locked).order_by("pk")
        }
        orders = [purchase_facts(purchase, facts[purchase.reference]) for purchase in purchases]
        check_every = timedelta(hours=conf.get("CHECK_HOURS"))

        def judged() -> Verdict:
            history = _history(referral, terms, decisions, rewards, facts)
            return judge(terms, orders, history, moment, check_every=check_every)

        verdict = judged()
        failed = _apply_rewards(referral, verdict, rewards, moment)
        if _was_had_already(verdict, rewards):
            # Found out while it was given: what follows from that is judged with it.
            verdict = judged()
            failed = _apply_rewards(referral, verdict, rewards, moment)
        _apply_discounts(referral, terms, verdict, purchases, facts, moment)
        cancelled = frozenset(reference for reference, fact in facts.items() if fact.cancelled)
        _apply_referral(referral, terms, verdict, rewards, cancelled, failed, moment)
    if purchases and not verdict.waits_for_order:
        # Not under the locks above: each of them may hold another row of the budget.
        _end_other_claims(referral, moment)
    return verdict


def _was_had_already(verdict: Verdict, rewards: Mapping[RewardKey, Reward]) -> bool:
    """Did a kind refuse to give what was owed, because the customer has had it?"""
    return any(
        due.state == Reward.State.GIVEN and rewards[due.key].reason == HAD_ALREADY for due in verdict.dues
    )


def _end_other_claims(referral: Referral, now: datetime) -> None:
    """Who has ordered as a friend is not invited to the same program again, e.g. in another browser that is ready to
    pay.
    """
    person = Q(user=referral.friend_id) if referral.friend_id is not None else Q()
    if referral.friend_email_hash:
        person |= Q(user=None, email_hash=referral.friend_email_hash)
    if not person:
        return
    others = Claim.objects.filter(
        person, state=Claim.State.OPEN, terms__program_key=referral.program_key
    ).exclude(pk=referral.claim_id)
    for claim in others.select_related("terms"):
        end_claim(claim, Claim.State.REPLACED, now=now, reason="used")


def _read_facts(
    referral: Referral, purchases: list[Purchase], beforehand: ReadBeforehand | None
) -> dict[str, Facts]:
    """Present facts by order number; those of an order that the shop no longer knows stay as last seen."""
    references = [purchase.reference for purchase in purchases]
    if beforehand is not None and beforehand.revision == referral.revision:
        read = {
            reference: beforehand.facts[reference]
            for reference in references
            if reference in beforehand.facts
        }
    else:
        read = dict(get_shop().facts(references)) if references else {}
    for purchase in purchases:
        if purchase.reference in read:
            observed = read[purchase.reference].to_json()
            if observed != purchase.observed:
                purchase.observed = observed
                purchase.save(update_fields=["observed"])
        else:
            read[purchase.reference] = facts_from_json(purchase.observed)
    return read


def _history(
    referral: Referral,
    terms: TermsData,
    decisions: list[Decision],
    rewards: Mapping[RewardKey, Reward],
    facts: Mapping[str, Facts],
) -> History:
    slots = (
        Reward.objects.filter(advocate=referral.advocate, slot__isnull=False)
        .values_list("rule_key", "slot_period")
        .annotate(Max("slot"))
        if terms.cap_count is not None
        else ()
    )
    last = (
        Referral.objects.filter(advocate=referral.advocate, program_key=referral.program_key).aggregate(
            Max("ordinal")
        )["ordinal__max"]
        if referral.ordinal is None
        else referral.ordinal
    )
    return history_of(
        referral,
        decisions,
        rewards,
        claim_expires_at=_expires_at(referral, facts),
        slots_taken={(str(rule_key), period): slot for rule_key, period, slot in slots},
        last_ordinal=last,
    )


def _expires_at(referral: Referral, facts: Mapping[str, Facts]) -> datetime:
    again = None
    if any(fact.cancelled and fact.shipped_at is None for fact in facts.values()):
        again = referral.claim.discounts.filter(issue=1).aggregate(Max("expires_at"))["expires_at__max"]
    return order_until(referral, facts.values(), again)


def _apply_rewards(
    referral: Referral, verdict: Verdict, rewards: dict[RewardKey, Reward], now: datetime
) -> bool:
    """Post the differences; whether one failed. All accounts are locked first, in the ledger's order."""
    terms = parse(referral.terms)
    failed = False
    steps: list[tuple[Reward, Due | None]] = []
    dues = {due.key: due for due in verdict.dues}
    for key, due in dues.items():
        rewards[key] = rewards.get(key) or _new_reward(referral, due, now)
        steps.append((rewards[key], due))
    # What has no occasion any more: another order counts as the first now, or the rule's order never happened. Not what
    # this site cannot judge at the moment, because an app that brings a kind or a trigger is not there.
    steps += [
        (reward, None)
        for key, reward in rewards.items()
        if key not in dues and _is_known(terms.rule(str(reward.rule_key)))
    ]
    for reward, _owed in steps:
        if reward.posted == 0 and getattr(reward, "was_used", False):
            # Taken back while the order that has it was being paid for.
            reward.posted = Decimal(1)
        if reward.posted == 0:
            reward.user = referral.advocate.user if reward.side == Side.ADVOCATE else referral.friend
    credit.lock_accounts(
        (reward.user, currency)
        for reward, owed in steps
        for currency in _currencies(reward, owed)
        if reward.user is not None
        and reward.kind in reward_kinds
        and isinstance(reward_kinds.get(reward.kind), LedgerKind)
    )
    _free_friend_slots(steps)
    for reward, owed in steps:
        failed |= not _post(reward, owed, terms, now)
    return failed


def _free_friend_slots(steps: list[tuple[Reward, Due | None]]) -> None:
    """Places that are another order's now. Before any is taken: each is there once."""
    moved = [
        reward
        for reward, due in steps
        if reward.friend_slot is not None and reward.friend_slot != (due.friend_slot if due else None)
    ]
    if moved:
        Reward.objects.filter(pk__in=[reward.pk for reward in moved]).update(friend_slot=None)
    for reward in moved:
        reward.friend_slot = None


def _is_known(rule: Rule | None) -> bool:
    return rule is not None and rule.kind in reward_kinds and rule.trigger in triggers


def _new_reward(referral: Referral, due: Due, now: datetime) -> Reward:
    return Reward.objects.create(
        referral=referral,
        terms_id=referral.terms_id,
        rule_key=due.rule.key,
        side=due.rule.side,
        occasion=due.occasion,
        tier=due.tier,
        advocate_id=referral.advocate_id,
        purchase_id=due.purchase_id,
        kind=due.rule.kind,
        user=referral.advocate.user if due.rule.side == Side.ADVOCATE else referral.friend,
        currency=due.currency,
        created_at=now,
    )


def _currencies(reward: Reward, due: Due | None) -> set[str]:
    """In which it is about to be posted."""
    if due is not None and due.currency != reward.currency:
        return ({reward.currency} if reward.posted else set()) | ({due.currency} if _target(due) else set())
    return {reward.currency} if _target(due) != reward.posted else set()


def _follow_order(reward: Reward, due: Due, terms: TermsData, now: datetime) -> bool:
    """Another order may have earned the reward after all, maybe in another currency: nothing is converted, all that was
    given is taken back first. ``False`` when that failed.
    """
    reward.purchase_id = due.purchase_id
    if due.currency == reward.currency:
        return True
    kind = reward_kinds.get(reward.kind)
    if reward.posted and kind.value_fields and not kind.is_discount:
        nothing = replace(
            due,
            currency=reward.currency,
            worth=Decimal(0),
            state=Reward.State.TAKEN_BACK,
            reason="not_first",
        )
        if not _post(reward, nothing, terms, now):
            return False
    reward.currency = due.currency
    return True


def _post(reward: Reward, due: Due | None, terms: TermsData, now: datetime) -> bool:
    """Hand over the difference between what the reward should be and what was posted; ``False`` when that failed."""
    if due is not None and not _follow_order(reward, due, terms, now):
        return False
    target = due.worth if due is not None and due.state == Reward.State.GIVEN else Decimal(0)
    state = (
        due.state if due is not None else Reward.State.TAKEN_BACK if reward.posted else Reward.State.REFUSED
    )
    reason = due.reason if due is not None else _reason_without_occasion(reward)
    before = (reward.state, reward.reason)
    delta = target - reward.posted
    reward.amount = due.worth if due is not None else Decimal(0)
    places = (reward.slot, reward.slot_period, reward.friend_slot)
    if due is not None:
        reward.due_at, reward.slot, reward.slot_period = due.due_at, due.slot, due.slot_period
        reward.friend_slot = due.friend_slot
    rule = terms.rule(str(reward.rule_key))
    instead_of = due.instead_of if due is not None else ""
    if delta and rule is not None:
        reward.revision += 1
        try:
            with transaction.atomic():
                if not _hand_over(reward, rule, delta, reason, now):
                    # Used in an order at this very moment.
                    reward.revision -= 1
                    target, delta = reward.posted, Decimal(0)
                    state, reason, instead_of = Reward.State.GIVEN, "used_up", reason
                    reward.amount = target
        except HadAlready:
            reward.revision -= 1
            target, delta = reward.posted, Decimal(0)
            state, reason = Reward.State.REFUSED, HAD_ALREADY
            reward.amount = target
            # Its place is somebody else's.
            reward.slot, reward.slot_period, reward.friend_slot = places
        except Exception:
            logger.exception("Posting reward %s failed.", reward.pk)
            reward.revision -= 1
            reward.state, reward.reason = Reward.State.FAILED, "failed"
            reward.save()
            _record(reward, "reward_failed", rule, delta, now, f"reward_failed:{reward.pk}:{reward.revision}")
            return False
        reward.posted = target
        if delta > 0 and reward.given_at is None:
            reward.given_at = now
    if target and reason in ("partly_refunded", "below_minimum"):
        state = Reward.State.REDUCED
    elif not target and reward.given_at is not None and state != Reward.State.TO_CHECK:
        state = Reward.State.TAKEN_BACK
    reward.state, reward.reason = state, reason
    reward.save()
    if delta and rule is not None:
        kind = "reward_given" if delta > 0 else "reward_reduced" if target else "reward_taken_back"
        _record(reward, kind, rule, delta, now, f"reward:{reward.pk}:{reward.revision}")
        _tell(reward, delta, now)
    elif reason == "used_up" and before != (state, reason):
        # Nobody is told: nothing changes for the customer.
        key = f"reward_kept:{reward.pk}:{reward.revision}"
        _record(reward, "reward_kept", rule, delta, now, key, reason=instead_of)
    elif state == Reward.State.REFUSED and before != (state, reason):
        _record(reward, "reward_refused", rule, delta, now, f"reward_refused:{reward.pk}:{reason}")
    return True


def _target(due: Due | None) -> Decimal:
    """What should have been handed over by now."""
    return due.worth if due is not None and due.state == Reward.State.GIVEN else Decimal(0)


def _reason_without_occasion(reward: Reward) -> str:
    if reward.purchase is not None and reward.purchase.observed.get("cancelled"):
        return "cancelled"
    return "not_first"


def _hand_over(reward: Reward, rule: Any, delta: Decimal, reason: str, now: datetime) -> bool:
    """Give or take back; ``False`` for a discount that cannot be taken back, as an order has it."""
    kind = reward_kinds.get(reward.kind)
    if kind.is_discount:
        if delta > 0:
            discounts.give_discount(reward, rule, now=now)
            return True
        return discounts.take_discount_back(reward, reason or "revoked", now=now)
    kind.post(
        Posting(
            user=reward.user,
            currency=reward.currency,
            amount=delta,
            key=f"reward:{reward.pk}:{reward.revision}",
            source=f"reward:{reward.pk}",
            rule=rule,
            now=now,
            expires_at=now + timedelta(days=rule.expires_days) if rule.expires_days else None,
        )
    )
    return True


def _record(
    reward: Reward, kind: str, rule: Any, delta: Decimal, now: datetime, key: str, reason: str | None = None
) -> None:
    data = {"side": reward.side, "reason": reward.reason if reason is None else reason, "reward": reward.pk}
    if (
        rule is not None
        and not reward_kinds.get(reward.kind).is_discount
        and reward_kinds.get(reward.kind).value_fields
    ):
        data |= {"amount": str(abs(delta)), "currency": reward.currency}
    elif rule is not None:
        data["gift"] = kept_gift(rule, reward.currency)
    timeline.record(kind, referral=reward.referral, data=data, key=key, now=now)


def _tell(reward: Reward, delta: Decimal, now: datetime) -> None:
    """Readers write their rows within our transaction, so that none is lost. What they break does not undo the
    reward.
    """
    try:
        with transaction.atomic():
            signals.reward_changed.send_robust(sender=Reward, reward=reward, delta=delta, now=now)
    except DatabaseError:
        logger.exception(
            "A receiver of reward_changed left a broken transaction behind, for reward %s.", reward.pk
        )


def _apply_discounts(
    referral: Referral,
    terms: TermsData,
    verdict: Verdict,
    purchases: list[Purchase],
    facts: Mapping[str, Facts],
    now: datetime,
) -> None:
    """The friend's discount: again after an order that never happened, gone with the window."""
    for purchase in purchases:
        fact = facts[purchase.reference]
        # Also beside another order: it was not the one that had the discount.
        if fact.cancelled and fact.shipped_at is None and verdict.in_time:
            discounts.offer_again(referral.claim, terms, reference=purchase.reference, now=now)
    stands = {
        purchase.reference
        for purchase in purchases
        if not facts[purchase.reference].cancelled or facts[purchase.reference].shipped_at is not None
    }
    if stands:
        theirs = list(referral.claim.discounts.select_related("claim", "reward"))
        if any(grant.issue == 0 and grant.used_reference in stands for grant in theirs):
            # An order that seemed never to have happened has come back, with the discount that it used.
            again = [grant for grant in theirs if grant.issue == 1]
            discounts.withdraw(again, discounts.ORDER_STANDS, now=now)
    if verdict.state == Referral.State.EXPIRED:
        grants = referral.claim.discounts.filter(expires_at__lt=now).select_related("claim", "reward")
        discounts.withdraw(grants, "lapsed", now=now)


def _spent(
    referral: Referral, terms: TermsData, rewards: Mapping[RewardKey, Reward], cancelled: frozenset[str]
) -> dict[str, Decimal]:
    """What the referral counts for in the program's budget now.

    A discount whose order was cancelled took nothing off: ``cancelled`` are the order numbers.
    """
    if not budget.limits(terms):
        return {}
    return spent_of(terms, rewards.values(), _used_discounts(referral, cancelled))


def _used_discounts(referral: Referral, cancelled: frozenset[str]) -> list[DiscountGrant]:
    return list(discounts.used_discounts([referral]).exclude(used_reference__in=cancelled))


def _still_open(
    referral: Referral, terms: TermsData, rewards: Mapping[RewardKey, Reward], cancelled: frozenset[str]
) -> dict[str, Decimal]:
    """What the promise may still cost: without what counts as spent already."""
    if not budget.limits(terms) or referral.claim.state not in (Claim.State.OPEN, Claim.State.USED):
        return {}
    used = _used_discounts(referral, cancelled)
    done = {str(grant.rule_key) for grant in used} | {
        str(reward.rule_key) for reward in rewards.values() if reward.posted
    }
    open_rules = tuple(rule for rule in terms.rules if str(rule.key) not in done)
    still = budget.promise_of(replace(terms, rules=open_rules))
    if done:
        still.pop(budget.FRIENDS, None)
    return still


def _apply_referral(
    referral: Referral,
    terms: TermsData,
    verdict: Verdict,
    rewards: Mapping[RewardKey, Reward],
    cancelled: frozenset[str],
    failed: bool,
    now: datetime,
) -> None:
    spent = _spent(referral, terms, rewards, cancelled)
    before = {code: Decimal(amount) for code, amount in referral.spent.items()}
    change = {
        code: spent.get(code, Decimal(0)) - before.get(code, Decimal(0))
        for code in set(spent) | set(before)
        if spent.get(code) != before.get(code)
    }
    if change:
        budget.spend(terms.program_key, change)
        forget_open_terms()
    is_open = verdict.waits_for_order or verdict.waits_for_more or verdict.state in PENDING
    hold_what_is_open(referral.claim, _still_open(referral, terms, rewards, cancelled) if is_open else {})
    next_check = verdict.next_check_at
    if failed:
        next_check = min(now + RETRY, next_check or now + RETRY)
    changed = (referral.state, referral.reason) != (verdict.state, verdict.reason)
    referral.state, referral.reason = verdict.state, verdict.reason
    referral.qualified_at, referral.hold_until = verdict.qualified_at, verdict.hold_until
    referral.ordinal, referral.next_check_at = verdict.ordinal, next_check
    referral.spent = {code: str(amount) for code, amount in spent.items()}
    referral.revision += 1
    referral.save(
        update_fields=[
            "state",
            "reason",
            "qualified_at",
            "hold_until",
            "ordinal",
            "next_check_at",
            "spent",
            "revision",
        ]
    )
    if changed:
        until = verdict.hold_until.isoformat() if verdict.hold_until else None
        timeline.record(
            "state_until" if until else "state" if verdict.reason else "state_plain",
            referral=referral,
            data={"state": verdict.state, "reason": verdict.reason, "until": until},
            now=now,
        )
    transaction.on_commit(
        lambda: signals.referral_settled.send_robust(sender=Referral, referral=referral, verdict=verdict),
        robust=True,
    )


def check_soon(reference: str, *, at_once: bool = True, now: datetime | None = None) -> None:
    """Something about this order may have changed: settle after the commit; the sweep does it should that fail.

    With ``at_once=False`` the sweep does it in any case: for a change whose other half is still to be written.
    One query for an order that is none of ours. Never raises.
    """
    moment = now or timezone.now()
    concerned = _concerned(reference)
    if not concerned:
        return
    Referral.objects.filter(pk__in=concerned).update(next_check_at=moment, revision=F("revision") + 1)
    if at_once:
        for referral_id in concerned:
            transaction.on_commit(partial(settle_if_due, referral_id), robust=True)


def _concerned(reference: str) -> list[int]:
    """The referrals of an order: whose friend placed it, and whose reward paid for a part of it. One query."""
    friends = Purchase.objects.filter(reference=reference).order_by()
    rewards = DiscountGrant.objects.filter(used_reference=reference, reward__isnull=False).order_by()
    both = friends.values_list("referral_id", flat=True).union(
        rewards.values_list("reward__referral_id", flat=True)
    )
    # From Django 6.1 on a union has the model's ordering again, by a column that is not in it.
    return list(both.order_by())


def settle_if_due(referral_id: int) -> None:
    """Settle unless that has been done since it became due. What fails is logged, and left to the sweep."""
    try:
        due = Referral.objects.filter(pk=referral_id, next_check_at__lte=timezone.now()).exists()
        if due:
            settle(referral_id)
    except Exception:
        logger.exception("Settling referral %s failed; the sweep will try again.", referral_id)
