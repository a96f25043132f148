"""The referrals of a program as replay judges them, read in a constant number of queries. Nothing is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Q
from django.utils import timezone

from wagtail_referrals import conf
from wagtail_referrals.programs import TermsData, parse
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals import get_shop, shop_first_orders
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.discounts import with_use
from wagtail_referrals.rewards.history import facts_from_json, history_of, order_until, purchase_facts
from wagtail_referrals.rewards.judge import History, PurchaseFacts, RewardKey
from wagtail_referrals.rewards.models import DiscountGrant, Reward
from wagtail_referrals.rewards.replay import (
    ARRIVAL,
    GIVEN,
    NONE,
    WAITING,
    Case,
    Outcome,
    Replay,
    UsedDiscount,
    has_amount,
    replay_cases,
)
from wagtail_referrals.trust.decisions import REVIEWER
from wagtail_referrals.trust.models import Decision

# As many as a page can wait for: judging them all takes a few seconds.
MOST: Final = 2000
# First orders that are looked at.
SAMPLE: Final = 200
_NEW_CUSTOMER: Final = "new_customer"


def replay(
    data: TermsData, *, program: str | UUID | None = None, most: int = MOST, now: datetime | None = None
) -> Replay:
    """What these terms would have given for the referrals of a program, by default for its own. Writes nothing.

    Those of the referrers who brought the newest friends, about ``most`` of them: each referrer's are looked at
    together, as they share limits and milestones. Orders are taken as they were seen last.
    """
    key = program if program is not None else data.program_key
    cases, there_are = read_cases(key, most=most)
    if cases and str(key) != data.program_key:
        data = _with_keys_of(data, cases[-1].terms)
    return replay_cases(data, cases, now or timezone.now(), there_are=there_are)


def _with_keys_of(data: TermsData, terms: TermsData) -> TermsData:
    """A copy of a program has rules of its own: those that say the same are the same here."""
    left = list(terms.rules)
    rules = []
    for rule in data.rules:
        same = next((other for other in left if replace(other, key=rule.key) == rule), None)
        if same is not None:
            left.remove(same)
        rules.append(same or rule)
    return replace(data, rules=tuple(rules))


def replay_first_orders(data: TermsData, *, most: int = SAMPLE, now: datetime | None = None) -> Replay | None:
    """What these terms would have given, had the shop's newest first orders been placed by friends, each of another
    referrer. Orders that friends did place are left out, and so is the budget. ``None`` where the shop does not say.
    Writes nothing.
    """
    orders = shop_first_orders(most, data)
    if orders is None:
        return None
    references = [order.reference for order in orders]
    referred = set(Purchase.objects.filter(reference__in=references).values_list("reference", flat=True))
    orders = [order for order in orders if order.reference not in referred]
    facts = get_shop().facts([order.reference for order in orders]) if orders else {}
    # Nothing was promised for them.
    nothing = replace(data, rules=())
    cases = [
        Case(
            id=number,
            advocate=number,
            terms=nothing,
            history=History(
                claim_expires_at=order.placed_at,
                created_at=order.placed_at,
                registered_at=order.placed_at,
                default_currency=conf.currencies()[0],
            ),
            orders=(
                PurchaseFacts(
                    id=number,
                    reference=order.reference,
                    placed_at=order.placed_at,
                    currency=order.currency,
                    eligible=order.eligible,
                    watch_until=order.placed_at + timedelta(days=data.clawback_days),
                    facts=facts[order.reference],
                    lines=order.lines,
                ),
            ),
            today=(),
            created_at=order.placed_at,
        )
        for number, order in enumerate(orders, start=1)
        if order.reference in facts
    ]
    unlimited = replace(data, budget_amounts={}, budget_count=None)
    return replay_cases(unlimited, cases, now or timezone.now())


def replayable_programs() -> list[tuple[str, int]]:
    """Programs with referrals: key and number of referrals; most first. One query."""
    counted = Referral.objects.order_by().values_list("program_key").annotate(number=Count("pk"))
    return [(str(key), number) for key, number in counted.order_by("-number", "program_key")]


def read_cases(program_key: str | UUID, *, most: int = MOST) -> tuple[list[Case], int]:
    """The referrals of the referrers who brought the newest friends to a program, and how many it has in all.

    Nine queries at most.
    """
    mine = Referral.objects.filter(program_key=program_key)
    newest = list(mine.order_by("-created_at", "-pk").values_list("advocate", flat=True)[: most + 1])
    if len(newest) <= most:
        return _Reading(mine).cases(), len(newest)
    wanted = dict.fromkeys(newest)
    numbers = mine.filter(advocate__in=wanted).order_by().values_list("advocate").annotate(Count("pk"))
    count_of = dict(numbers)
    advocates, total = [], 0
    for advocate in wanted:
        if total and total + count_of[advocate] > most:
            break
        advocates.append(advocate)
        total += count_of[advocate]
    return _Reading(mine.filter(advocate__in=advocates)).cases(), mine.count()


class _Reading:
    """All rows about some referrals, by referral."""

    def __init__(self, chosen: Any) -> None:
        self.referrals = list(chosen.select_related("claim", "advocate").order_by("pk"))
        self.terms = self._terms()
        self.purchases: dict[int, list[Purchase]] = defaultdict(list)
        self.rewards: dict[int, dict[RewardKey, Reward]] = defaultdict(dict)
        self.decisions: dict[int, list[Decision]] = defaultdict(list)
        self.grants: dict[int, list[DiscountGrant]] = defaultdict(list)
        self.prices: dict[int, tuple[str, Decimal | None]] = {}
        these = [referral.pk for referral in self.referrals]
        for purchase in Purchase.objects.filter(referral__in=these).order_by("placed_at", "pk"):
            self.purchases[purchase.referral_id].append(purchase)
        for reward in with_use(Reward.objects.filter(referral__in=these)).order_by("pk"):
            self.rewards[reward.referral_id][(str(reward.rule_key), reward.side, reward.occasion)] = reward
        spoken = Decision.objects.filter(referral__in=these).exclude(outcome=Decision.Outcome.PASS)
        for decision in spoken.order_by("created_at", "pk"):
            self.decisions[decision.referral_id].append(decision)
        claims = {referral.claim_id: referral.pk for referral in self.referrals}
        theirs = DiscountGrant.objects.filter(Q(claim__in=claims) | Q(reward__referral__in=these))
        for grant in theirs.order_by("pk"):
            if grant.claim_id in claims:
                self.grants[claims[grant.claim_id]].append(grant)
            elif grant.reward_id is not None and grant.state == DiscountGrant.State.USED:
                self.prices[grant.reward_id] = (grant.used_currency, grant.used_amount)

    def _terms(self) -> dict[int, TermsData]:
        wanted = {referral.terms_id for referral in self.referrals}
        return {terms.pk: parse(terms) for terms in Terms.objects.filter(pk__in=wanted)}

    def cases(self) -> list[Case]:
        return [self._case(referral) for referral in self.referrals]

    def _case(self, referral: Referral) -> Case:
        terms, rewards = self.terms[referral.terms_id], self.rewards[referral.pk]
        purchases, decisions = self.purchases[referral.pk], self.decisions[referral.pk]
        grants = self.grants[referral.pk]
        facts = {purchase.reference: facts_from_json(purchase.observed) for purchase in purchases}
        again = [grant.expires_at for grant in grants if grant.issue == 1 and grant.expires_at is not None]
        history = history_of(
            referral,
            decisions,
            rewards,
            claim_expires_at=order_until(referral, facts.values(), max(again, default=None)),
            slots_taken={},
            last_ordinal=None,
        )
        orders = tuple(purchase_facts(purchase, facts[purchase.reference]) for purchase in purchases)
        stands = {order.reference: order.id for order in orders if not order.facts.cancelled}
        discounts = tuple(
            UsedDiscount(
                rule_key=str(grant.rule_key),
                kind=grant.kind,
                order_id=stands[grant.used_reference],
                currency=grant.used_currency,
                amount=grant.used_amount or Decimal(0),
            )
            for grant in grants
            if grant.state == DiscountGrant.State.USED and grant.used_reference in stands
        )
        reviews = [decision for decision in decisions if decision.check_key == REVIEWER]
        approved = bool(reviews) and reviews[-1].outcome == Decision.Outcome.APPROVE
        return Case(
            id=referral.pk,
            advocate=referral.advocate_id,
            terms=terms,
            history=history,
            orders=orders,
            today=(*self._today(terms, rewards.values()), *_used(terms, discounts)),
            created_at=referral.created_at,
            qualified_at=referral.qualified_at,
            seen=frozenset(
                reward.purchase_id
                for reward in rewards.values()
                if reward.purchase_id is not None and (reward.given_at is not None or reward.slot is not None)
            ),
            approved_at=reviews[-1].created_at if approved else None,
            first_was_customer=bool(purchases) and purchases[0].was_customer,
            new_customer_refusals=sum(decision.check_key == _NEW_CUSTOMER for decision in decisions),
            had_discount=bool(grants),
            discounts=discounts,
        )

    def _today(self, terms: TermsData, rewards: Iterable[Reward]) -> list[Outcome]:
        found = []
        for reward in rewards:
            state = NONE
            amount: Decimal | None = reward.amount
            if reward.posted > 0:
                state, amount = GIVEN, reward.posted
            elif reward.state in (Reward.State.WAITING, Reward.State.TO_CHECK, Reward.State.FAILED):
                state = WAITING
            unit = reward.currency
            if not has_amount(reward.kind):
                unit, amount = self.prices.get(reward.pk, ("", None))
            rule = terms.rule(str(reward.rule_key))
            found.append(
                Outcome(reward.side, reward.kind, reward.occasion, rule, state, unit, amount, reward.reason)
            )
        return found


def _used(terms: TermsData, discounts: Iterable[UsedDiscount]) -> list[Outcome]:
    return [
        Outcome(
            side="friend",
            kind=discount.kind,
            occasion=ARRIVAL,
            rule=terms.rule(discount.rule_key),
            state=GIVEN,
            unit=discount.currency,
            amount=discount.amount,
        )
        for discount in discounts
    ]
