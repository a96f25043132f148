"""settle: lock, gather, judge, post the difference. Twice, or at once from two workers, changes nothing more.

Locks, always with ``no_key=True`` and in this order: Referral, Budget, Advocate, Reward, Account (in the ledger), Lot.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final

from django.db import DatabaseError, transaction
from django.db.models import F, Max, Q, QuerySet
from django.dispatch import Signal
from django.utils import timezone

from wagtail_referrals import conf, credit, signals
from wagtail_referrals.kinds import HadAlready, LedgerKind, Posting, Rule, Side, reward_kinds, triggers
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import TermsData, budget, forget_open_terms, kept_gift, parse
from wagtail_referrals.referrals import Facts, get_shop, timeline
from wagtail_referrals.referrals.models import Purchase, Referral, TimelineEvent
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
from wagtail_referrals.trust import evaluate, have_spoken
from wagtail_referrals.trust.models import Decision

logger = logging.getLogger("wagtail_referrals")

PENDING = (
    Referral.State.WAITING_ORDER,
    Referral.State.WAITING_PAYMENT,
    Referral.State.WAITING_PERIOD,
    Referral.State.TO_CHECK,
)
RETRY = timedelta(hours=1)
# Of invitations that were found out about when the order was there.
_AFTERWARDS = (Claim.Source.NAMED, Claim.Source.REPORTED)


@dataclass(frozen=True)
class ReadBeforehand:
    """What a sweep read of a referral, with many others at once; good only while ``revision`` is still the referral's.

    ``facts`` by order number, also of others; ``None`` where they could not be read. ``decisions``, the oldest first.
    ``given_again``: was the friend's discount given a second time? ``other_claims``: is the friend invited to the same
    program by another claim that is still open?
    """

    revision: int
    facts: Mapping[str, Facts] | None
    purchases: list[Purchase]
    decisions: list[Decision]
    given_again: bool
    other_claims: bool


@dataclass
class _Case:
    """One referral while it is being settled: what was read of it under its lock, and what comes of that.

    ``counted`` and ``owed`` are what readers count, as it was before.
    """

    referral: Referral
    terms: TermsData
    purchases: list[Purchase]
    beforehand: ReadBeforehand | None
    facts: dict[str, Facts] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    rewards: dict[RewardKey, Reward] = field(default_factory=dict)
    counted: tuple[Any, ...] = ()
    owed: dict[RewardKey, tuple[Any, ...]] = field(default_factory=dict)
    failed: bool = False
    # Without a verdict nothing is settled.
    verdict: Verdict = field(init=False)

    def judge(self, now: datetime) -> Verdict:
        orders = [purchase_facts(purchase, self.facts[purchase.reference]) for purchase in self.purchases]
        check_every = timedelta(hours=conf.get("CHECK_HOURS"))
        history = _history(self.referral, self.decisions, self.rewards, self.facts)
        self.verdict = judge(self.terms, orders, history, now, check_every=check_every)
        if _has_new_places(self.verdict, history):
            # Only now those that are taken have to be known.
            history = replace(history, slots_taken=_slots_taken(self.referral))
            self.verdict = judge(self.terms, orders, history, now, check_every=check_every)
        return self.verdict


@dataclass
class _Attempt:
    """One attempt to settle, in one transaction; of one referral or of some together.

    The first takes it that nothing fails. It has no savepoints, and what it writes is collected and written at the end.
    Should anything be raised all the same, all of it is undone, and the next attempt is ``careful``: that sees to it
    that what one check, kind or reader cannot do stays by itself.
    """

    now: datetime
    careful: bool
    skip_locked: bool = False
    # What goes into the ledger, once the accounts are locked.
    grants: credit.Grants | None = None
    # As they were read, to see what of them changes.
    read: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    rewards: dict[int, Reward] = field(default_factory=dict)
    referrals: list[Referral] = field(default_factory=list)
    events: list[TimelineEvent] = field(default_factory=list)
    news: list[tuple[Signal, str, dict[str, Any]]] = field(default_factory=list)
    # What readers have written in this transaction and need not write again, or have still to write.
    written: dict[str, Any] = field(default_factory=dict)

    def isolated(self) -> transaction.Atomic:
        return transaction.atomic(savepoint=self.careful)

    def save(self, reward: Reward) -> None:
        if self.careful:
            reward.save()
        elif self.read.get(reward.pk) != _values(reward):
            self.rewards[reward.pk] = reward

    def tell(self, signal: Signal, about: str, **values: Any) -> None:
        self.news.append((signal, about, values))
        if self.careful:
            self.write()

    def write_events(self) -> None:
        if self.events:
            timeline.write(self.events)
            self.events = []

    def write_grants(self) -> None:
        if self.grants is not None:
            self.grants.write()
            self.grants = None

    def write(self) -> None:
        """Write all that was collected, and tell the readers."""
        if self.grants is not None:
            self.grants.write()
        credit.update_together(list(self.rewards.values()), _MOVES)
        self.rewards = {}
        credit.update_together(self.referrals, _VERDICT)
        self.referrals = []
        self.write_events()
        news, self.news = self.news, []
        for signal, about, values in news:
            _tell(signal, self, about, **values)
        if news and not self.careful:
            _tell(signals.all_told, self, "a transaction", sender=Referral)


# What settle writes of a reward, and of a referral.
_MOVES: Final = (
    "purchase_id",
    "user_id",
    "currency",
    "amount",
    "posted",
    "revision",
    "slot",
    "slot_period",
    "friend_slot",
    "state",
    "reason",
    "due_at",
    "given_at",
)
_VERDICT: Final = (
    "state",
    "reason",
    "qualified_at",
    "hold_until",
    "ordinal",
    "next_check_at",
    "spent",
    "revision",
)


def _values(reward: Reward) -> tuple[Any, ...]:
    return tuple(getattr(reward, name) for name in _MOVES)


class _NeedsCare(Exception):
    """Raised in the first attempt, before anything is handed to a kind that may reach beyond the database: should
    something fail after that, the attempt would be undone, and the thing given again under another key.
    """


class NotTogether(Exception):
    """Raised where some of several referrals have to be settled by themselves: ``ids``."""

    def __init__(self, ids: Collection[int]) -> None:
        super().__init__(f"{len(ids)} referrals have to be settled by themselves")
        self.ids = ids


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
    known = {referral_id: beforehand} if beforehand is not None else {}
    try:
        settled = _settle([referral_id], _Attempt(moment, careful=False, skip_locked=skip_locked), known)
    except Exception:
        # With nothing that was read beforehand: it may be what failed.
        settled = _settle([referral_id], _Attempt(moment, careful=True, skip_locked=skip_locked), {})
    return settled.get(referral_id)


def settle_together(
    referral_ids: Collection[int], *, now: datetime, beforehand: Mapping[int, ReadBeforehand]
) -> dict[int, Verdict]:
    """Settle some referrals in one transaction, each of another advocate: one commit, and few statements for all.

    Those that another worker is at are left out. All or nothing: where anything fails, it is raised, and each has to
    be settled by itself. ``NotTogether`` names those with which that is so from the start: what takes the locks of
    a budget or of vouchers, for which visitors wait, or runs code of the shop's, is not kept under many locks.
    """
    return _settle(sorted(referral_ids), _Attempt(now, careful=False, skip_locked=True), beforehand)


def _referrals(skip_locked: bool) -> QuerySet[Referral]:
    locked = Referral.objects.select_for_update(no_key=True, of=("self",), skip_locked=skip_locked)
    return locked.select_related("terms", "claim", "advocate__user", "friend")


def _advocates() -> QuerySet[Advocate]:
    return Advocate.objects.select_for_update(no_key=True, of=("self",)).select_related("user")


def _rewards() -> QuerySet[Reward]:
    return discounts.with_use(Reward.objects.select_for_update(no_key=True, of=("self",))).order_by("pk")


_one_referral = credit.PreparedRead(
    Referral, lambda pk: _referrals(skip_locked=False).filter(pk=pk), pk=Referral._meta.pk
)
_one_free_referral = credit.PreparedRead(
    Referral, lambda pk: _referrals(skip_locked=True).filter(pk=pk), pk=Referral._meta.pk
)
_one_advocate = credit.PreparedRead(Advocate, lambda pk: _advocates().filter(pk=pk), pk=Advocate._meta.pk)
_its_rewards = credit.PreparedRead(
    Reward,
    lambda referral_id: _rewards().filter(referral_id=referral_id),
    referral_id=Reward._meta.get_field("referral"),
)


def _lock_referrals(ids: Sequence[int], skip_locked: bool) -> list[Referral]:
    if len(ids) == 1:
        return (_one_free_referral if skip_locked else _one_referral)(pk=ids[0])
    return list(_referrals(skip_locked).filter(pk__in=ids).order_by("pk"))


def _lock_advocates(cases: Sequence[_Case]) -> None:
    if len(cases) == 1:
        found = _one_advocate(pk=cases[0].referral.advocate_id)
    else:
        ids = [case.referral.advocate_id for case in cases]
        found = list(_advocates().filter(pk__in=ids).order_by("pk"))
    advocates = {advocate.pk: advocate for advocate in found}
    for case in cases:
        case.referral.advocate = advocates[case.referral.advocate_id]


def _lock_rewards(cases: Sequence[_Case], attempt: _Attempt) -> None:
    by_referral = {case.referral.pk: case for case in cases}
    if len(cases) == 1:
        found = _its_rewards(referral_id=cases[0].referral.pk)
    else:
        found = list(_rewards().filter(referral__in=list(by_referral)))
    for reward in found:
        case = by_referral[reward.referral_id]
        case.rewards[str(reward.rule_key), reward.side, reward.occasion] = reward
        attempt.read[reward.pk] = _values(reward)
        _join(reward, case)
    for case in cases:
        case.owed = _what_is_owed(case.rewards)


def _settle(
    ids: Sequence[int], attempt: _Attempt, beforehand: Mapping[int, ReadBeforehand]
) -> dict[int, Verdict]:
    """Of several at once, all locks of one kind are taken before those of the next, in the order of their keys."""
    together = len(ids) > 1
    with transaction.atomic():
        cases = [
            _begin(referral, beforehand.get(referral.pk))
            for referral in _lock_referrals(ids, attempt.skip_locked)
        ]
        if not cases:
            return {}
        if together:
            _refuse(case for case in cases if _needs_much(case))
        for case in cases:
            _look(case, attempt)
        for case in cases:
            budget.lock(
                case.terms.program_key, set(budget.limits(case.terms)) | set(case.referral.claim.held)
            )
        _lock_advocates(cases)
        for case in cases:
            if discounts.rewards_discounts(case.terms):
                # Before the rewards are read: it changes which of them are used.
                discounts.follow_orders(case.referral, now=attempt.now)
        _lock_rewards(cases, attempt)
        for case in cases:
            case.judge(attempt.now)
        if together:
            _refuse(case for case in cases if _does_much(case))
        _apply_rewards(cases, attempt)
        for case in cases:
            if _was_had_already(case):
                # Found out while it was given: what follows from that is judged with it.
                case.judge(attempt.now)
                _apply_rewards([case], attempt)
        for case in cases:
            _apply_discounts(case, attempt)
            _apply_referral(case, attempt)
        attempt.write()
        if transaction.get_rollback():
            raise DatabaseError("Something was broken, and nobody said so.")
    for case in cases:
        known = case.beforehand
        if case.purchases and not case.verdict.waits_for_order and (known is None or known.other_claims):
            # Not under the locks above: each of them may hold another row of the budget.
            _end_other_claims(case.referral, attempt.now)
    return {case.referral.pk: case.verdict for case in cases}


def _begin(referral: Referral, beforehand: ReadBeforehand | None) -> _Case:
    if beforehand is not None and beforehand.revision != referral.revision:
        beforehand = None
    if beforehand is None:
        purchases = list(referral.purchases.all())
    else:
        # Copies: what is changed of them may be undone, and settled once more.
        purchases = [copy(purchase) for purchase in beforehand.purchases]
    return _Case(referral, parse(referral.terms), purchases, beforehand)


def _look(case: _Case, attempt: _Attempt) -> None:
    """What the shop and the checks say."""
    case.counted = _what_counts(case)
    known = case.beforehand
    case.facts = _read_facts(case.purchases, known.facts if known is not None else None)
    case.decisions = evaluate(
        case.referral,
        case.terms,
        case.purchases,
        shop=get_shop(),
        now=attempt.now,
        known=[copy(decision) for decision in known.decisions] if known is not None else None,
        careful=attempt.careful,
    )


def _refuse(cases: Iterable[_Case]) -> None:
    ids = [case.referral.pk for case in cases]
    if ids:
        raise NotTogether(ids)


def _needs_much(case: _Case) -> bool:
    """Is it to be settled by itself, as far as is known without looking at what the shop and the checks say?"""
    if case.beforehand is None or case.beforehand.facts is None:
        return True
    if budget.limits(case.terms) or case.referral.claim.held or discounts.rewards_discounts(case.terms):
        return True
    return not have_spoken(case.purchases, case.beforehand.decisions)


def _does_much(case: _Case) -> bool:
    """Is there more to be done than to give credit, and to write down what it is waiting for?"""
    if case.verdict.state == Referral.State.EXPIRED or (case.beforehand and case.beforehand.given_again):
        return True
    if any(fact.cancelled for fact in case.facts.values()):
        return True
    dues = {due.key: due for due in case.verdict.dues}
    for key in {*dues, *case.rewards}:
        reward, due = case.rewards.get(key), dues.get(key)
        if reward is not None and (
            getattr(reward, "was_used", False) or (due is not None and due.currency != reward.currency)
        ):
            return True
        change = _target(due) - (reward.posted if reward is not None else Decimal(0))
        rule = case.terms.rule(key[0])
        if change < 0 or (change and (rule is None or not _only_grants(rule.kind))):
            return True
    return False


def _only_grants(kind: str) -> bool:
    return kind in reward_kinds and type(reward_kinds.get(kind)).post is LedgerKind.post


def _has_new_places(verdict: Verdict, history: History) -> bool:
    """Does it give places under the advocate's cap? Only then those that are taken have to be known."""
    return any(
        due.slot is not None and (due.key not in history.rewards or history.rewards[due.key].slot is None)
        for due in verdict.dues
    )


def _slots_taken(referral: Referral) -> dict[tuple[str, str], int]:
    slots = (
        Reward.objects.filter(advocate=referral.advocate, slot__isnull=False)
        .order_by()
        .values_list("rule_key", "slot_period")
        .annotate(Max("slot"))
    )
    return {(str(rule_key), period): slot for rule_key, period, slot in slots}


def _what_counts(case: _Case) -> tuple[Any, ...]:
    """What readers count of a referral: as it was read, or as it is after the verdict."""
    referral = case.referral
    return referral.state, referral.qualified_at, [purchase.observed for purchase in case.purchases]


def _what_is_owed(rewards: Mapping[RewardKey, Reward]) -> dict[RewardKey, tuple[Any, ...]]:
    """What readers count of the rewards."""
    return {
        key: (reward.state, reward.currency, reward.amount, reward.posted, reward.given_at)
        for key, reward in rewards.items()
    }


def _was_had_already(case: _Case) -> bool:
    """Did a kind refuse to give what was owed, because the customer has had it?"""
    return any(
        due.state == Reward.State.GIVEN and case.rewards[due.key].reason == HAD_ALREADY
        for due in case.verdict.dues
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


def _read_facts(purchases: list[Purchase], beforehand: Mapping[str, Facts] | None) -> dict[str, Facts]:
    """Present facts by order number; those of an order that the shop no longer knows stay as last seen."""
    references = [purchase.reference for purchase in purchases]
    if beforehand is not None:
        read = {reference: beforehand[reference] for reference in references if reference in beforehand}
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
    decisions: list[Decision],
    rewards: Mapping[RewardKey, Reward],
    facts: Mapping[str, Facts],
) -> History:
    """Without the places that are taken under the advocate's cap."""
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
        slots_taken={},
        last_ordinal=last,
    )


def _expires_at(referral: Referral, facts: Mapping[str, Facts]) -> datetime:
    again = None
    if any(fact.cancelled and fact.shipped_at is None for fact in facts.values()):
        again = referral.claim.discounts.filter(issue=1).aggregate(Max("expires_at"))["expires_at__max"]
    return order_until(referral, facts.values(), again)


def _apply_rewards(cases: Sequence[_Case], attempt: _Attempt) -> None:
    """Post the differences. All accounts are locked first, in the ledger's order."""
    for case in cases:
        case.failed = False
    new = {
        (case.referral.pk, due.key): _new_reward(case.referral, due, attempt.now)
        for case in cases
        for due in case.verdict.dues
        if due.key not in case.rewards
    }
    Reward.objects.bulk_create(list(new.values()))
    for case in cases:
        case.rewards |= {key: reward for (pk, key), reward in new.items() if pk == case.referral.pk}
    steps = {case.referral.pk: _steps(case) for case in cases}
    locked = credit.lock_accounts(
        (reward.user, currency)
        for theirs in steps.values()
        for reward, owed in theirs
        for currency in _currencies(reward, owed)
        if reward.user is not None
        and reward.kind in reward_kinds
        and isinstance(reward_kinds.get(reward.kind), LedgerKind)
    )
    attempt.grants = None if attempt.careful else credit.Grants(locked)
    for case in cases:
        theirs = steps[case.referral.pk]
        _free_friend_slots(theirs)
        for reward, owed in theirs:
            case.failed |= not _post(reward, owed, case.terms, attempt)


def _steps(case: _Case) -> list[tuple[Reward, Due | None]]:
    """The rewards, each with what is due."""
    referral, dues = case.referral, {due.key: due for due in case.verdict.dues}
    steps: list[tuple[Reward, Due | None]] = [(case.rewards[key], due) for key, due in dues.items()]
    # What has no occasion any more: another order counts as the first now, or the rule's order never happened. Not what
    # this site cannot judge at the moment, because an app that brings a kind or a trigger is not there.
    steps += [
        (reward, None)
        for key, reward in case.rewards.items()
        if key not in dues and _is_known(case.terms.rule(str(reward.rule_key)))
    ]
    for reward, _owed in steps:
        if reward.posted == 0 and getattr(reward, "was_used", False):
            # Taken back while the order that has it was being paid for.
            reward.posted = Decimal(1)
        if reward.posted == 0:
            reward.user = referral.advocate.user if reward.side == Side.ADVOCATE else referral.friend
    return steps


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


def _join(reward: Reward, case: _Case) -> None:
    """Hand the reward what was read already: who writes down what happened asks for it."""
    referral = case.referral
    reward.referral = referral
    if reward.terms_id == referral.terms_id:
        reward.terms = referral.terms
    if reward.advocate_id == referral.advocate_id:
        reward.advocate = referral.advocate
    for person in (referral.advocate.user, referral.friend):
        if person is not None and reward.user_id == person.pk:
            reward.user = person
    for purchase in case.purchases:
        if reward.purchase_id == purchase.pk:
            reward.purchase = purchase


def _new_reward(referral: Referral, due: Due, now: datetime) -> Reward:
    return Reward(
        referral=referral,
        terms=referral.terms,
        rule_key=due.rule.key,
        side=due.rule.side,
        occasion=due.occasion,
        tier=due.tier,
        advocate=referral.advocate,
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


def _follow_order(reward: Reward, due: Due, terms: TermsData, attempt: _Attempt) -> bool:
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
        if not _post(reward, nothing, terms, attempt):
            return False
        # The same reward is about to be posted once more.
        attempt.write()
    reward.currency = due.currency
    return True


def _post(reward: Reward, due: Due | None, terms: TermsData, attempt: _Attempt) -> bool:
    """Hand over the difference between what the reward should be and what was posted; ``False`` when that failed."""
    now = attempt.now
    if due is not None and not _follow_order(reward, due, terms, attempt):
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
            with attempt.isolated():
                if not _hand_over(reward, rule, delta, reason, attempt):
                    # Used in an order at this very moment.
                    reward.revision -= 1
                    target, delta = reward.posted, Decimal(0)
                    state, reason, instead_of = Reward.State.GIVEN, "used_up", reason
                    reward.amount = target
        except HadAlready:
            if not attempt.careful:
                raise
            reward.revision -= 1
            target, delta = reward.posted, Decimal(0)
            state, reason = Reward.State.REFUSED, HAD_ALREADY
            reward.amount = target
            # Its place is somebody else's.
            reward.slot, reward.slot_period, reward.friend_slot = places
        except Exception:
            if not attempt.careful:
                raise
            logger.exception("Posting reward %s failed.", reward.pk)
            reward.revision -= 1
            reward.state, reward.reason = Reward.State.FAILED, "failed"
            attempt.save(reward)
            key = f"reward_failed:{reward.pk}:{reward.revision}"
            _record(reward, "reward_failed", rule, delta, attempt, key)
            return False
        reward.posted = target
        if delta > 0 and reward.given_at is None:
            reward.given_at = now
    if target and reason in ("partly_refunded", "below_minimum"):
        state = Reward.State.REDUCED
    elif not target and reward.given_at is not None and state != Reward.State.TO_CHECK:
        state = Reward.State.TAKEN_BACK
    reward.state, reward.reason = state, reason
    attempt.save(reward)
    if delta and rule is not None:
        kind = "reward_given" if delta > 0 else "reward_reduced" if target else "reward_taken_back"
        _record(reward, kind, rule, delta, attempt, f"reward:{reward.pk}:{reward.revision}")
        attempt.tell(signals.reward_changed, f"reward {reward.pk}", sender=Reward, reward=reward, delta=delta)
    elif reason == "used_up" and before != (state, reason):
        # Nobody is told: nothing changes for the customer.
        key = f"reward_kept:{reward.pk}:{reward.revision}"
        _record(reward, "reward_kept", rule, delta, attempt, key, reason=instead_of)
    elif state == Reward.State.REFUSED and before != (state, reason):
        _record(reward, "reward_refused", rule, delta, attempt, f"reward_refused:{reward.pk}:{reason}")
    return True


def _target(due: Due | None) -> Decimal:
    """What should have been handed over by now."""
    return due.worth if due is not None and due.state == Reward.State.GIVEN else Decimal(0)


def _reason_without_occasion(reward: Reward) -> str:
    if reward.purchase is not None and reward.purchase.observed.get("cancelled"):
        return "cancelled"
    return "not_first"


def _hand_over(reward: Reward, rule: Any, delta: Decimal, reason: str, attempt: _Attempt) -> bool:
    """Give or take back; ``False`` for a discount that cannot be taken back, as an order has it."""
    kind, now = reward_kinds.get(reward.kind), attempt.now
    if delta < 0 or not _only_grants(reward.kind):
        # It may read accounts, and move them.
        attempt.write_grants()
    if kind.is_discount:
        attempt.write_events()
        if delta > 0:
            discounts.give_discount(reward, rule, now=now)
            return True
        return discounts.take_discount_back(reward, reason or "revoked", now=now)
    if not (attempt.careful or kind.only_writes_rows or _only_grants(reward.kind)):
        raise _NeedsCare
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
            grants=attempt.grants,
        )
    )
    return True


def _record(
    reward: Reward,
    kind: str,
    rule: Any,
    delta: Decimal,
    attempt: _Attempt,
    key: str,
    reason: str | None = None,
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
    attempt.events.append(timeline.event(kind, referral=reward.referral, data=data, key=key, now=attempt.now))


def _tell(signal: Signal, attempt: _Attempt, about: str, **values: Any) -> None:
    """Readers write their rows within our transaction and under our locks, so that none is lost. What they break does
    not undo the verdict.
    """
    try:
        with attempt.isolated():
            answers = signal.send_robust(
                now=attempt.now, careful=attempt.careful, written=attempt.written, **values
            )
            errors = [answer for _receiver, answer in answers if isinstance(answer, Exception)]
            if errors and not attempt.careful:
                raise errors[0]
    except DatabaseError:
        if not attempt.careful:
            raise
        logger.exception("A receiver of %s left a broken transaction behind.", about)


def _apply_discounts(case: _Case, attempt: _Attempt) -> None:
    """The friend's discount: again after an order that never happened, gone with the window."""
    claim, now = case.referral.claim, attempt.now
    given_again = case.beforehand is None or case.beforehand.given_again
    for purchase in case.purchases:
        fact = case.facts[purchase.reference]
        # Also beside another order: it was not the one that had the discount.
        if fact.cancelled and fact.shipped_at is None and case.verdict.in_time:
            attempt.write_events()
            discounts.offer_again(claim, case.terms, reference=purchase.reference, now=now)
            given_again = True
    stands = {
        purchase.reference
        for purchase in case.purchases
        if not case.facts[purchase.reference].cancelled
        or case.facts[purchase.reference].shipped_at is not None
    }
    if stands and given_again:
        theirs = list(claim.discounts.select_related("claim", "reward"))
        if any(grant.issue == 0 and grant.used_reference in stands for grant in theirs):
            # An order that seemed never to have happened has come back, with the discount that it used.
            attempt.write_events()
            again = [grant for grant in theirs if grant.issue == 1]
            discounts.withdraw(again, discounts.ORDER_STANDS, now=now)
    if case.verdict.state == Referral.State.EXPIRED:
        attempt.write_events()
        lapsed = claim.discounts.filter(expires_at__lt=now).select_related("claim", "reward")
        discounts.withdraw(lapsed, "lapsed", now=now)


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
    # The friend ordered without the discount, and does not get it for having said who sent them.
    never = discounts.arrival_discounts(terms) if referral.claim.source in _AFTERWARDS else []
    open_rules = tuple(rule for rule in terms.rules if str(rule.key) not in done and rule not in never)
    still = budget.promise_of(replace(terms, rules=open_rules))
    if done:
        still.pop(budget.FRIENDS, None)
    return still


def _apply_referral(case: _Case, attempt: _Attempt) -> None:
    referral, terms, verdict, now = case.referral, case.terms, case.verdict, attempt.now
    state_before, qualified_before, observed_before = case.counted
    cancelled = frozenset(reference for reference, fact in case.facts.items() if fact.cancelled)
    spent = _spent(referral, terms, case.rewards, cancelled)
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
    hold_what_is_open(
        referral.claim, _still_open(referral, terms, case.rewards, cancelled) if is_open else {}
    )
    next_check = verdict.next_check_at
    if case.failed:
        next_check = min(now + RETRY, next_check or now + RETRY)
    changed = (referral.state, referral.reason) != (verdict.state, verdict.reason)
    referral.state, referral.reason = verdict.state, verdict.reason
    referral.qualified_at, referral.hold_until = verdict.qualified_at, verdict.hold_until
    referral.ordinal, referral.next_check_at = verdict.ordinal, next_check
    referral.spent = {code: str(amount) for code, amount in spent.items()}
    referral.revision += 1
    attempt.referrals.append(referral)
    if changed:
        until = verdict.hold_until.isoformat() if verdict.hold_until else None
        attempt.events.append(
            timeline.event(
                "state_until" if until else "state" if verdict.reason else "state_plain",
                referral=referral,
                data={"state": verdict.state, "reason": verdict.reason, "until": until},
                now=now,
            )
        )
    if _what_counts(case) != case.counted or _what_is_owed(case.rewards) != case.owed:
        attempt.tell(
            signals.referral_changed,
            f"referral {referral.pk}",
            sender=Referral,
            referral=referral,
            qualified_before=qualified_before,
            state_before=state_before,
            orders_changed=observed_before != [purchase.observed for purchase in case.purchases],
            purchases=case.purchases,
            rewards=list(case.rewards.values()),
        )
    transaction.on_commit(
        lambda: signals.referral_settled.send_robust(sender=Referral, referral=referral, verdict=verdict),
        robust=True,
    )


def retry(reward_id: int, *, actor: Any = None, now: datetime | None = None) -> bool:
    """Try at once to give a reward that failed, without waiting for the sweep. Whether it has not failed again.

    Nothing happens to one that has not failed: its referral is only judged once more. Raises ``Reward.DoesNotExist``.
    """
    moment = now or timezone.now()
    with transaction.atomic():
        referral = Referral.objects.select_for_update(no_key=True).get(
            pk=Reward.objects.values_list("referral", flat=True).get(pk=reward_id)
        )
        reward = Reward.objects.get(pk=reward_id)
        if reward.state == Reward.State.FAILED:
            timeline.record(
                "reward_retry", referral=referral, data={"side": reward.side}, actor=actor, now=moment
            )
    settle(referral.pk, now=moment)
    reward.refresh_from_db(fields=["state"])
    return reward.state != Reward.State.FAILED


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
