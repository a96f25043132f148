"""Replay: what has happened, judged by other terms, as if they had been in force from the beginning. Pure.

The judge is the one that settles. What it is told of other referrals, numbers of friends and places under the caps, is
given out anew, in the order in which they qualified. Writes nothing, reads nothing: see ``past``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from wagtail_referrals import credit
from wagtail_referrals.kinds import Rule, Side, reward_kinds, triggers
from wagtail_referrals.kinds.reward import DiscountFixedKind, DiscountPercentKind, counts_part
from wagtail_referrals.programs import TermsData, budget
from wagtail_referrals.rewards.discounts import arrival_discounts
from wagtail_referrals.rewards.judge import (
    Due,
    Given,
    History,
    PurchaseFacts,
    RewardKey,
    Verdict,
    anchor,
    judge,
    slot_period,
)
from wagtail_referrals.rewards.models import Reward

ARRIVAL: Final = "arrival"
NOTHING: Final = Decimal(0)

# What a reward comes to, whatever its state is called.
GIVEN: Final = "given"
WAITING: Final = "waiting"
NONE: Final = "none"

# Why a referral comes out differently, where it is not one of referrals.REASONS.
RULE_GONE: Final = "rule_gone"
RULE_NEW: Final = "rule_new"
RULE_CHANGED: Final = "rule_changed"
OTHER_PLACE: Final = "other_place"

# What cannot be known afterwards.
UNKNOWN_LINES: Final = "lines"
UNKNOWN_DISCOUNT: Final = "discount"
UNKNOWN_PRICE: Final = "price"
UNKNOWN_CUSTOMERS: Final = "customers"
UNKNOWN_REFUNDS: Final = "refunds"
UNKNOWN_KIND: Final = "kind"


# (side, kind, unit, amount, state)
Counted = tuple[str, str, str, Decimal | None, str]


@dataclass(frozen=True)
class Outcome:
    """One reward of a referral, as it is or as it would be.

    ``amount`` is counted in ``unit``, a currency or the name of points; ``None`` for what has no price that is known:
    a thing, a discount that nobody has used. ``state`` is GIVEN, WAITING or NONE. ``rule`` is ``None`` where the terms
    no longer have it.
    """

    side: str
    kind: str
    occasion: str
    rule: Rule | None
    state: str
    unit: str = ""
    amount: Decimal | None = None
    reason: str = ""

    @property
    def counts(self) -> Counted:
        """What makes two of them come out the same."""
        return (self.side, self.kind, self.unit, self.amount, self.state)


@dataclass(frozen=True)
class UsedDiscount:
    """The friend's discount, in the order that used it; ``amount`` in the order's currency."""

    rule_key: str
    kind: str
    order_id: int
    currency: str
    amount: Decimal


@dataclass(frozen=True)
class Case:
    """A referral and all that is known of it.

    ``history`` is what ``judge`` is told today, ``orders`` as they were seen last, ``today`` the rewards as they are.
    ``seen`` are the orders for which something was given, or a place taken: they were good once, whatever became of
    them. ``approved_at``: when a reviewer let it pass. ``first_was_customer``: who placed the first order had ordered
    before.
    """

    id: int
    advocate: int
    terms: TermsData
    history: History
    orders: tuple[PurchaseFacts, ...]
    today: tuple[Outcome, ...]
    created_at: datetime
    qualified_at: datetime | None = None
    seen: frozenset[int] = frozenset()
    approved_at: datetime | None = None
    first_was_customer: bool = False
    # That it objected because of earlier orders: such a refusal goes with terms that are for everybody.
    new_customer_refusals: int = 0
    had_discount: bool = False
    discounts: tuple[UsedDiscount, ...] = ()


@dataclass(frozen=True)
class Judged:
    """What became of a referral. ``qualified_at``: when the friend's first order would have counted."""

    case: Case
    outcomes: tuple[Outcome, ...]
    qualified_at: datetime | None
    reason: str = ""

    @property
    def is_different(self) -> bool:
        return _counted(self.case.today) != _counted(self.outcomes)

    @property
    def why(self) -> tuple[tuple[str, str], ...]:
        """(side or "", code): a reason of referrals.REASONS, or one of those above. Each once."""
        if not self.is_different:
            return ()
        found: dict[tuple[str, str], None] = {}
        before, after = _counted(self.case.today), _counted(self.outcomes)
        # What waits either way waits for the same: that is not what is different.
        waited = {(was.side, was.occasion) for was in self.case.today if was.state == WAITING}
        for outcome in self.outcomes:
            waits = outcome.state == WAITING and (outcome.side, outcome.occasion) in waited
            if outcome.state != GIVEN and not waits and outcome.reason and outcome.counts not in before:
                found[(outcome.side, outcome.reason)] = None
            elif outcome.state != NONE and outcome.counts not in before:
                found[(outcome.side, self._change(outcome))] = None
        rules = {(outcome.side, outcome.occasion) for outcome in self.outcomes}
        for outcome in self.case.today:
            if outcome.state == NONE or outcome.counts in after:
                continue
            if self.reason:
                found[("", self.reason)] = None
            elif (outcome.side, outcome.occasion) not in rules:
                found[(outcome.side, RULE_GONE)] = None
        return tuple(found) or (("", OTHER_PLACE),)

    def _change(self, outcome: Outcome) -> str:
        """Why there is this reward now, which there was not."""
        same = [was for was in self.case.today if was.rule is not None and was.rule == outcome.rule]
        if outcome.rule is not None and any(was.occasion == outcome.occasion for was in same):
            return next((was.reason for was in same if was.state != GIVEN and was.reason), OTHER_PLACE)
        if any((was.side, was.occasion) == (outcome.side, outcome.occasion) for was in self.case.today):
            return RULE_CHANGED
        return RULE_NEW


def _counted(outcomes: Iterable[Outcome]) -> list[Counted]:
    return sorted((outcome.counts for outcome in outcomes if outcome.state != NONE), key=str)


@dataclass
class Sum:
    """``number`` given and their ``amount``, the same of those that wait, and of how many nobody knows the price."""

    number: int = 0
    amount: Decimal = NOTHING
    waiting: int = 0
    waiting_amount: Decimal = NOTHING
    unpriced: int = 0

    def add(self, outcome: Outcome) -> None:
        if outcome.state == GIVEN:
            self.number += 1
            self.amount += outcome.amount or NOTHING
            self.unpriced += outcome.amount is None
        elif outcome.state == WAITING:
            self.waiting += 1
            self.waiting_amount += outcome.amount or NOTHING


LineKey = tuple[str, str, str]


@dataclass(frozen=True)
class Replay:
    """All referrals that were looked at, by what they came to. ``there_are``: how many there are in all.

    ``lines``: by (side, kind, unit) what was given until ``moment``, and what these terms would have given.
    ``unknown``: what could not be known, codes as above.
    """

    moment: datetime
    judged: tuple[Judged, ...]
    there_are: int
    lines: Mapping[LineKey, tuple[Sum, Sum]]
    unknown: frozenset[str] = frozenset()

    @property
    def looked_at(self) -> int:
        return len(self.judged)

    @property
    def different(self) -> list[Judged]:
        """Those that came out differently, the newest first."""
        found = [judged for judged in self.judged if judged.is_different]
        return sorted(found, key=lambda judged: (judged.case.created_at, judged.case.id), reverse=True)

    @property
    def friends(self) -> tuple[int, int]:
        """How many friends' orders count today, and would."""
        before = sum(judged.case.qualified_at is not None for judged in self.judged)
        return before, sum(judged.qualified_at is not None for judged in self.judged)

    @property
    def costs(self) -> dict[str, tuple[Decimal, Decimal]]:
        """What was given by currency (or points): today, and with these terms."""
        found: dict[str, tuple[Decimal, Decimal]] = {}
        for (_side, _kind, unit), (before, after) in self.lines.items():
            if unit:
                so_far = found.get(unit, (NOTHING, NOTHING))
                found[unit] = (so_far[0] + before.amount, so_far[1] + after.amount)
        return found


def replay_cases(
    data: TermsData, cases: Sequence[Case], now: datetime, *, there_are: int | None = None
) -> Replay:
    """What the terms would have given to these referrals until ``now``. All of a referrer's are needed, or none."""
    judged = _judge_all(data, cases, now)
    closed = _closed(data, judged)
    if closed:
        # Whom the program did not take takes no place from others.
        open_cases = [case for case in cases if case.id not in closed]
        rest = {each.case.id: each for each in _judge_all(data, open_cases, now)}
        judged = [rest.get(case.id) or Judged(case, (), None, "budget") for case in cases]
    lines: dict[LineKey, tuple[Sum, Sum]] = defaultdict(lambda: (Sum(), Sum()))
    for each in judged:
        for place, outcomes in enumerate((each.case.today, each.outcomes)):
            for outcome in outcomes:
                if outcome.state != NONE:
                    lines[(outcome.side, outcome.kind, outcome.unit)][place].add(outcome)
    return Replay(
        moment=now,
        judged=tuple(judged),
        there_are=len(cases) if there_are is None else there_are,
        lines=dict(lines),
        unknown=frozenset(_unknown(data, cases, judged)),
    )


@dataclass
class _Round:
    """One referral while places are given out."""

    case: Case
    history: History
    orders: tuple[PurchaseFacts, ...]
    # As they were before anything was given back, of those that were good once.
    earlier_orders: tuple[PurchaseFacts, ...]
    earlier_history: History
    qualified: tuple[datetime, int] | None = None
    wanted: dict[RewardKey, Due] = field(default_factory=dict)
    known: dict[RewardKey, Given] = field(default_factory=dict)
    places: dict[RewardKey, tuple[int, str]] = field(default_factory=dict)

    @property
    def has_past(self) -> bool:
        return self.orders != self.earlier_orders or self.history != self.earlier_history

    def not_before(self, moment: datetime) -> datetime:
        """What was held takes its place when somebody lets it pass."""
        approved = self.case.approved_at
        return max(moment, approved) if approved is not None and self.case.history.holds else moment


def _judge_all(data: TermsData, cases: Sequence[Case], now: datetime) -> list[Judged]:
    rounds = [_round(data, case) for case in cases]
    uncapped = replace(data, cap_count=None)
    by_advocate: dict[int, list[_Round]] = defaultdict(list)
    for each in rounds:
        each.qualified = _qualified(uncapped, each, now)
        by_advocate[each.case.advocate].append(each)
    for theirs in by_advocate.values():
        numbered = sorted(
            (each for each in theirs if each.qualified is not None), key=lambda each: each.qualified or ()
        )
        for ordinal, each in enumerate(numbered, start=1):
            each.history = replace(each.history, ordinal=ordinal)
            each.earlier_history = replace(each.earlier_history, ordinal=ordinal)
    for each in rounds:
        _want(uncapped, each, now)
    taken: dict[int, dict[tuple[str, str], int]] = {}
    if data.cap_count is not None:
        for advocate, theirs in by_advocate.items():
            taken[advocate] = _give_places(data, theirs, data.cap_count)
    return [_final(data, each, taken.get(each.case.advocate, {}), now) for each in rounds]


def _round(data: TermsData, case: Case) -> _Round:
    was, days = case.history, data.window_days - case.terms.window_days
    refusals = was.refusals
    if not data.new_customers_only and case.new_customer_refusals:
        refusals = tuple(reason for reason in refusals if reason != "existing_customer")
    newly = data.new_customers_only and not case.terms.new_customers_only and case.first_was_customer
    if newly:
        refusals = (*refusals, "existing_customer")
    # Who was given something was there then, and what was deleted since does not matter.
    had = {key[1] for key, given in was.rewards.items() if given.posted > 0}
    history = replace(
        was,
        claim_expires_at=was.claim_expires_at + timedelta(days=days),
        refusals=refusals,
        people_deleted=was.people_deleted - had,
        friend_known=was.friend_known or (Side.FRIEND in had and Side.FRIEND in was.people_deleted),
        advocate_known=was.advocate_known or (Side.ADVOCATE in had and Side.ADVOCATE in was.people_deleted),
        rewards={},
        slots_taken={},
        ordinal=None,
        # No number: so no milestone is reached before numbers are given out.
        next_ordinal=0,
    )
    watch = timedelta(days=data.clawback_days - case.terms.clawback_days)
    orders = tuple(replace(order, watch_until=order.watch_until + watch) for order in case.orders)
    good_once = was.ordinal is not None or bool(case.seen)
    earlier = tuple(_as_placed(order) if order.id in case.seen else order for order in orders)
    before = history
    if good_once:
        before = replace(
            history,
            refusals=("existing_customer",) if newly else (),
            holds=(),
            review="" if was.review == "refuse" else was.review,
        )
    return _Round(case, history, orders, earlier, before)


def _as_placed(order: PurchaseFacts) -> PurchaseFacts:
    """Before anything of it was given back."""
    facts = replace(order.facts, cancelled=False, refunded=NOTHING, refunded_lines={})
    return replace(order, facts=facts)


def _qualified(uncapped: TermsData, each: _Round, now: datetime) -> tuple[datetime, int] | None:
    """When it qualified, and by which order; ``None`` for one that never did."""
    looks = [(each.orders, each.history)]
    if each.case.history.ordinal is not None:
        looks.append((tuple(_as_placed(order) for order in each.orders), each.earlier_history))
    for orders, history in looks:
        verdict = judge(uncapped, orders, history, now)
        if verdict.ordinal is not None and verdict.qualified_at is not None:
            moment = verdict.qualified_at
            by = (order.id for order in orders if anchor(uncapped, order.facts) == moment)
            return each.not_before(moment), min(by, default=0)
    return None


def _want(uncapped: TermsData, each: _Round, now: datetime) -> None:
    """What would be given without a cap, then and now; and what is known of such rewards."""
    earlier = judge(uncapped, each.earlier_orders, each.earlier_history, now)
    each.wanted = {due.key: due for due in earlier.dues if _takes_place(due)}
    each.known = _known(uncapped, each)
    if each.has_past or each.known:
        present = judge(uncapped, each.orders, replace(each.history, rewards=each.known), now)
        each.wanted |= {due.key: due for due in present.dues if _takes_place(due)}


def _takes_place(due: Due) -> bool:
    return due.qualified_at is not None and due.worth > 0 and due.state != Reward.State.TO_CHECK


def _known(data: TermsData, each: _Round) -> dict[RewardKey, Given]:
    """What is known of today's rewards, where the rule is the same and would have given it too."""
    case = each.case
    held = bool(each.history.holds) and not each.history.review
    posted = {key[1:] for key, given in case.history.rewards.items() if given.posted > 0}
    found: dict[RewardKey, Given] = {}
    for key, due in each.wanted.items():
        given = case.history.rewards.get(key)
        if given is not None and data.rule(key[0]) == case.terms.rule(key[0]):
            found[key] = replace(given, slot=None, slot_period="", friend_slot=None, used=False)
        elif held and key[1:] in posted:
            # Found out after it was given: under other terms something else had been given by then.
            found[key] = Given(posted=due.worth, currency=due.currency, purchase_id=due.purchase_id)
    return found


def _give_places(data: TermsData, theirs: Sequence[_Round], most: int) -> dict[tuple[str, str], int]:
    """Places under the cap among all of a referrer's rewards, in the order (qualified at, purchase)."""
    wanted: list[tuple[datetime, int, int, _Round, Due]] = []
    for each in theirs:
        for due in each.wanted.values():
            if due.rule.side == Side.ADVOCATE and due.qualified_at is not None:
                moment = each.not_before(due.qualified_at)
                wanted.append((moment, due.purchase_id or 0, each.case.id, each, due))
    taken: dict[tuple[str, str], int] = defaultdict(int)
    for _moment, _purchase, _referral, each, due in sorted(wanted, key=lambda item: item[:3]):
        if due.qualified_at is None:
            continue
        place = (due.rule.key, slot_period(data, due.qualified_at))
        if taken[place] < most:
            taken[place] += 1
            each.places[due.key] = (taken[place], place[1])
    # All are given out: who has none gets none.
    return dict.fromkeys(taken, most)


def _final(data: TermsData, each: _Round, taken: Mapping[tuple[str, str], int], now: datetime) -> Judged:
    case = each.case
    rewards: dict[RewardKey, Given] = {}
    for key in each.wanted:
        given = each.known.get(key, Given())
        place = each.places.get(key)
        capped = data.cap_count is not None and key[1] == Side.ADVOCATE
        if capped and place is None:
            continue
        if key in each.known and case.history.rewards.get(key, Given()).used:
            given = replace(given, used=True)
        rewards[key] = replace(given, slot=place[0], slot_period=place[1]) if place else given
    verdict = judge(data, each.orders, replace(each.history, rewards=rewards, slots_taken=taken), now)
    refused = verdict.reason if verdict.reason == "existing_customer" else ""
    outcomes = [_outcome(due, case) for due in verdict.dues]
    outcomes += _friend_discounts(data, case, verdict, bool(refused))
    return Judged(case, tuple(outcomes), verdict.qualified_at, refused)


def _outcome(due: Due, case: Case) -> Outcome:
    state = NONE
    if due.state == Reward.State.GIVEN and due.worth > 0:
        state = GIVEN
    elif due.state in (Reward.State.WAITING, Reward.State.TO_CHECK):
        state = WAITING
    unit, amount = "", None
    if has_amount(due.rule.kind):
        unit, amount = due.currency, due.worth
    elif state == GIVEN:
        # A discount that was used has a price.
        for was in case.today:
            if (was.rule, was.occasion, was.state) == (due.rule, due.occasion, GIVEN):
                unit, amount = was.unit, was.amount
    return Outcome(due.rule.side, due.rule.kind, due.occasion, due.rule, state, unit, amount, due.reason)


def has_amount(kind: str) -> bool:
    """Does a reward of this kind come to an amount of a currency, or of points?"""
    if kind not in reward_kinds:
        return False
    found = reward_kinds.get(kind)
    return bool(found.value_fields) and not found.is_discount


def _friend_discounts(data: TermsData, case: Case, verdict: Verdict, refused: bool) -> list[Outcome]:
    """The friend's discount comes with the invitation and is not judged: what it would have taken off."""
    found = []
    used = {discount.rule_key: discount for discount in case.discounts}
    for rule in arrival_discounts(data):
        if rule == case.terms.rule(rule.key):
            if rule.key in used and not refused:
                discount = used[rule.key]
                found.append(_discount(rule, discount.currency, discount.amount))
            continue
        order, before = _discounted_order(case)
        if order is None or refused:
            continue
        full = order.eligible + before
        minimum = rule.minimum_in(order.currency)
        if minimum is None or full < minimum:
            reason = "minimum" if minimum is not None else "no_amount"
            found.append(Outcome(Side.FRIEND, rule.kind, ARRIVAL, rule, NONE, reason=reason))
            continue
        amount = _taken_off(rule, order.currency, full)
        found.append(_discount(rule, order.currency if amount is not None else "", amount))
    return found


def _discount(rule: Rule, currency: str, amount: Decimal | None) -> Outcome:
    return Outcome(Side.FRIEND, rule.kind, ARRIVAL, rule, GIVEN, currency, amount)


def _discounted_order(case: Case) -> tuple[PurchaseFacts | None, Decimal]:
    """The order in which the friend used a discount, or would have, and what was taken off it."""
    by_id = {order.id: order for order in case.orders}
    for discount in case.discounts:
        if discount.order_id in by_id:
            mine = [other for other in case.discounts if other.order_id == discount.order_id]
            return by_id[discount.order_id], sum((other.amount for other in mine), NOTHING)
    if case.had_discount:
        return None, NOTHING
    real = [order for order in case.orders if not order.never_happened and order.eligible > 0]
    return min(real, key=lambda order: (order.placed_at, order.id), default=None), NOTHING


def _taken_off(rule: Rule, currency: str, full: Decimal) -> Decimal | None:
    kind = reward_kinds.get(rule.kind)
    if isinstance(kind, DiscountPercentKind) and rule.percent is not None:
        return credit.quantize(full * rule.percent / 100, currency)
    if isinstance(kind, DiscountFixedKind) and currency in rule.amounts:
        return min(rule.amounts[currency], full)
    return None


def _closed(data: TermsData, judged: Sequence[Judged]) -> set[int]:
    """Friends who would have met a used-up budget, in the order (qualified at, purchase).

    Who met one that was not used up yet was promised everything. A promise that was made by the same rewards and the
    same budget was made, and is kept.
    """
    limited = budget.limits(data)
    if not limited:
        return set()
    spent = dict.fromkeys(limited, NOTHING)
    closed: set[int] = set()
    for each in sorted(judged, key=_place_in_budget):
        costs = [outcome for outcome in each.outcomes if outcome.state != NONE]
        if not costs:
            continue
        terms = each.case.terms
        kept = terms.rules == data.rules and budget.limits(terms) == limited
        if not kept and any(spent[unit] >= limited[unit] for unit in limited):
            closed.add(each.case.id)
            continue
        for outcome in costs:
            if outcome.unit in spent and outcome.unit != budget.FRIENDS:
                spent[outcome.unit] += outcome.amount or NOTHING
        if budget.FRIENDS in spent:
            spent[budget.FRIENDS] += 1
    return closed


def _place_in_budget(judged: Judged) -> tuple[bool, float, int, int]:
    case, moment = judged.case, judged.qualified_at
    by = (order.id for order in case.orders if anchor(case.terms, order.facts) == moment)
    stamp = moment.timestamp() if moment is not None else case.created_at.timestamp()
    return moment is None, stamp, min(by, default=0), case.id


def _unknown(data: TermsData, cases: Sequence[Case], judged: Sequence[Judged]) -> Iterable[str]:
    changed = _changed_rules(data, cases)
    if any(counts_part(rule) for rule in changed):
        yield UNKNOWN_LINES
    arrivals = arrival_discounts(data)
    if any(rule in changed for rule in arrivals):
        yield UNKNOWN_DISCOUNT
    if any(outcome.state == GIVEN and outcome.amount is None for each in judged for outcome in each.outcomes):
        yield UNKNOWN_PRICE
    newly = data.new_customers_only and any(not case.terms.new_customers_only for case in cases)
    if newly:
        yield UNKNOWN_CUSTOMERS
    if changed and any(
        order.facts.refunded or order.facts.cancelled for case in cases for order in case.orders
    ):
        yield UNKNOWN_REFUNDS
    if any(rule.kind not in reward_kinds or rule.trigger not in triggers for rule in data.rules):
        yield UNKNOWN_KIND


def _changed_rules(data: TermsData, cases: Sequence[Case]) -> list[Rule]:
    """Rules that some of these referrals were not promised as they stand."""
    versions: Collection[TermsData] = {id(case.terms): case.terms for case in cases}.values()
    return [rule for rule in data.rules if any(terms.rule(rule.key) != rule for terms in versions)]
