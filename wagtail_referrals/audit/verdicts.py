"""Rewards against orders: what every referral is owed now, judged anew, against what was handed over.

Reads referrals in batches with a constant number of queries each, and asks the shop for the facts of a batch at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from django.db.models import Count, F, Max
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals import conf
from wagtail_referrals.audit.findings import Finding, Problem, Run, amount_finding
from wagtail_referrals.kinds import Side, reward_kinds, triggers
from wagtail_referrals.programs import TermsData, budget, parse
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals import Facts, get_shop
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.discounts import used_discounts, with_use
from wagtail_referrals.rewards.history import (
    facts_from_json,
    history_of,
    order_until,
    purchase_facts,
    spent_of,
)
from wagtail_referrals.rewards.judge import RewardKey, Verdict, judge
from wagtail_referrals.rewards.models import DiscountGrant, Reward
from wagtail_referrals.trust.models import Decision

ZERO: Final = Decimal(0)
BATCH: Final = 1000
# What is read of the rows: dates cost most.
_OF_REFERRAL: Final = (
    "terms_id",
    "program_key",
    "advocate_id",
    "claim_id",
    "friend_id",
    "friend_email_hash",
    "registered_at",
    "ordinal",
    "spent",
    "created_at",
    "next_check_at",
    "claim__expires_at",
    "advocate__user_id",
    "advocate__email_hash",
)
_OF_REWARD: Final = (
    "referral_id",
    "rule_key",
    "side",
    "occasion",
    "tier",
    "purchase_id",
    "kind",
    "currency",
    "posted",
    "slot",
    "slot_period",
    "friend_slot",
    "state",
    "reason",
)

OWED = Problem(
    "reward_owed",
    _("Rewards that are not what the terms and the order say"),
    _(
        'Open the referral and choose "Look again". If nothing changes, its timeline says what it was judged by.'
    ),
)
UNSEEN = Problem(
    "order_unseen",
    _("Orders that have changed, and that nobody looks at any more"),
    _("Open the referral and look again: then the reward follows the order."),
)
FAILED = Problem(
    "reward_failed",
    _("Rewards that could not be handed over"),
    _("The log says why. It is tried again every hour."),
)
OVERDUE = Problem(
    "referral_overdue",
    _("Referrals that the sweep should have looked at"),
    _('Does "manage.py referrals_sweep" run? It settles what is due.'),
    overdue=True,
)
CAP = Problem(
    "cap",
    _("Rewards past the most that the terms allow"),
    _(
        "Two places were given at once, or a number was changed by hand. Take the reward back, or leave it as a gift."
    ),
)
TIER = Problem(
    "milestone",
    _("Milestones that do not fit the number of friends"),
    _("The numbers of an advocate's referrals were changed by hand. Compare their dates."),
)
SPENT = Problem(
    "budget_of_referral",
    _("Referrals that count for something else in the budget than they cost"),
    _("Open the referral and look again. If nothing changes, the budget was changed by hand."),
)


def rows() -> int:
    return Referral.objects.count()


def find(run: Run) -> Iterator[Finding]:
    referrals = Referral.objects.order_by("pk").select_related("claim", "advocate").iterator(chunk_size=BATCH)
    read = lru_cache(maxsize=256)(lambda pk: parse(Terms.objects.get(pk=pk)))
    while batch := list(islice(referrals, BATCH)):
        yield from _Batch(run, batch, read).findings()
        run.look_at("referrals", len(batch))
    yield from _places()


@dataclass
class _Batch:
    """Some referrals, with all that is needed to judge them."""

    run: Run
    referrals: list[Referral]
    terms_of: Any
    purchases: dict[int, list[Purchase]] = field(default_factory=lambda: defaultdict(list))
    rewards: dict[int, dict[RewardKey, Reward]] = field(default_factory=lambda: defaultdict(dict))
    decisions: dict[int, list[Decision]] = field(default_factory=lambda: defaultdict(list))
    again: dict[int, datetime] = field(default_factory=dict)
    used: dict[int, list[DiscountGrant]] = field(default_factory=lambda: defaultdict(list))
    slots: dict[int, dict[tuple[str, str], int]] = field(default_factory=lambda: defaultdict(dict))
    ordinals: dict[tuple[int, Any], int] = field(default_factory=dict)

    def findings(self) -> Iterator[Finding]:
        self._read()
        references = [purchase.reference for found in self.purchases.values() for purchase in found]
        present = dict(get_shop().facts(references)) if references else {}
        unknown = len(references) - len(present)
        if unknown:
            self.run.look_at("orders_gone", unknown)
        for referral in self.referrals:
            yield from self._referral(referral, present)

    def _read(self) -> None:
        # They come by key: no other is between the first and the last, and this is shorter than a list of them.
        these = (self.referrals[0].pk, self.referrals[-1].pk)
        purchases = Purchase.objects.filter(referral__pk__range=these).defer("total", "was_customer")
        for purchase in purchases.order_by("placed_at", "pk"):
            self.purchases[purchase.referral_id].append(purchase)
        theirs = Reward.objects.filter(referral__pk__range=these).only(*_OF_REWARD)
        for reward in with_use(theirs).order_by("pk"):
            key = (str(reward.rule_key), reward.side, reward.occasion)
            self.rewards[reward.referral_id][key] = reward
        # What passed a check says nothing, and there is much of it.
        spoken = Decision.objects.filter(referral__pk__range=these).exclude(outcome=Decision.Outcome.PASS)
        for decision in spoken.order_by("created_at", "pk"):
            self.decisions[decision.referral_id].append(decision)
        claims = {referral.claim_id: referral.pk for referral in self.referrals}
        again = DiscountGrant.objects.filter(
            claim__referral__pk__range=these, issue=1, expires_at__isnull=False
        )
        for claim, expires_at in again.values_list("claim_id", "expires_at"):
            if claim is not None and expires_at is not None:
                pk = claims[claim]
                self.again[pk] = max(self.again.get(pk, expires_at), expires_at)
        terms = {referral.terms_id: self.terms_of(referral.terms_id) for referral in self.referrals}
        limited = [referral for referral in self.referrals if budget.limits(terms[referral.terms_id])]
        for grant in used_discounts(limited).select_related("reward") if limited else ():
            pk = grant.reward.referral_id if grant.reward is not None else claims[grant.claim_id or 0]
            self.used[pk].append(grant)
        capped = {
            referral.advocate_id
            for referral in self.referrals
            if terms[referral.terms_id].cap_count is not None
        }
        taken = Reward.objects.filter(advocate__in=capped, slot__isnull=False).order_by()
        for advocate, rule_key, period, slot in taken.values_list(
            "advocate_id", "rule_key", "slot_period"
        ).annotate(Max("slot")):
            self.slots[advocate][(str(rule_key), period)] = slot
        waiting = {referral.advocate_id for referral in self.referrals if referral.ordinal is None}
        numbered = Referral.objects.filter(advocate__in=waiting, ordinal__isnull=False).order_by()
        for advocate, program, ordinal in numbered.values_list("advocate_id", "program_key").annotate(
            Max("ordinal")
        ):
            self.ordinals[(advocate, program)] = ordinal

    def _referral(self, referral: Referral, present: Mapping[str, Facts]) -> Iterator[Finding]:
        run, terms = self.run, self.terms_of(referral.terms_id)
        rewards = self.rewards[referral.pk]
        yield from _within_limits(referral, terms, rewards)
        failed = [reward for reward in rewards.values() if reward.state == Reward.State.FAILED]
        for reward in failed:
            words = gettext("Referral %(referral)s: reward %(number)s could not be handed over.")
            yield Finding(FAILED, "reward", reward.pk, words % {"referral": referral.pk, "number": reward.pk})
        seen, now, changed = self._facts(referral, present)
        if referral.next_check_at is not None and referral.next_check_at <= run.now:
            if run.is_late(referral.next_check_at):
                yield self._overdue(referral, _differences(self._judge(referral, terms, now), terms, rewards))
            return
        wrong = _differences(self._judge(referral, terms, seen), terms, rewards)
        for key, currency, owed, posted in wrong:
            if rewards.get(key) not in failed:
                yield _owed(OWED, referral, key, currency, owed, posted)
        if not wrong and changed:
            # Something has changed that nobody has told us.
            would = _differences(self._judge(referral, terms, now), terms, rewards)
            soon = run.now + timedelta(hours=conf.get("CHECK_HOURS"))
            if would and referral.next_check_at is not None and referral.next_check_at <= soon:
                run.waiting += 1
            else:
                for key, currency, owed, posted in would:
                    yield _owed(UNSEEN, referral, key, currency, owed, posted)
        cancelled = {reference for reference, facts in seen.items() if facts.cancelled}
        used = [grant for grant in self.used[referral.pk] if grant.used_reference not in cancelled]
        yield from _spent(referral, terms, rewards, used)

    def _facts(
        self, referral: Referral, present: Mapping[str, Facts]
    ) -> tuple[dict[str, Facts], dict[str, Facts], bool]:
        """The facts of the referral's orders as settle saw them last, as they are now, and whether they differ."""
        seen, now, changed = {}, {}, False
        for purchase in self.purchases[referral.pk]:
            facts = present.get(purchase.reference)
            if facts is not None and facts.to_json() == purchase.observed:
                seen[purchase.reference] = now[purchase.reference] = facts
                continue
            seen[purchase.reference] = facts_from_json(purchase.observed)
            now[purchase.reference] = facts or seen[purchase.reference]
            changed = changed or facts is not None
        return seen, now, changed

    def _judge(self, referral: Referral, terms: TermsData, facts: Mapping[str, Facts]) -> Verdict:
        history = history_of(
            referral,
            self.decisions[referral.pk],
            self.rewards[referral.pk],
            claim_expires_at=order_until(referral, facts.values(), self.again.get(referral.pk)),
            slots_taken=self.slots[referral.advocate_id],
            last_ordinal=self.ordinals.get((referral.advocate_id, referral.program_key)),
        )
        purchases = [
            purchase_facts(purchase, facts[purchase.reference]) for purchase in self.purchases[referral.pk]
        ]
        return judge(terms, purchases, history, self.run.now)

    def _overdue(self, referral: Referral, differences: list[_Difference]) -> Finding:
        # Never a name: the number leads to the page of the referral.
        words = gettext("Referral %(number)s was to be looked at on %(date)s.")
        if differences:
            words = gettext("Referral %(number)s was to be looked at on %(date)s, and a reward would change.")
        due = referral.next_check_at
        date = f"{due:%Y-%m-%d %H:%M}" if due is not None else ""
        return Finding(OVERDUE, "referral", referral.pk, words % {"number": referral.pk, "date": date}, date)


# (key, unit, what is owed, what was handed over)
_Difference = tuple[RewardKey, str, Decimal, Decimal]


def _differences(
    verdict: Verdict, terms: TermsData, rewards: Mapping[RewardKey, Reward]
) -> list[_Difference]:
    """What settle would post now."""
    owed = {
        due.key: (due.worth if due.state == Reward.State.GIVEN else ZERO, due.currency)
        for due in verdict.dues
    }
    for key in rewards:
        rule = terms.rule(key[0])
        if key not in owed and rule is not None and rule.kind in reward_kinds and rule.trigger in triggers:
            owed[key] = (ZERO, rewards[key].currency)
    return [
        (key, currency, worth, rewards[key].posted if key in rewards else ZERO)
        for key, (worth, currency) in owed.items()
        if worth != (rewards[key].posted if key in rewards else ZERO)
    ]


def _owed(
    problem: Problem, referral: Referral, key: RewardKey, currency: str, owed: Decimal, posted: Decimal
) -> Finding:
    return amount_finding(
        problem,
        "referral",
        referral.pk,
        _("Referral %(number)s, %(side)s, %(occasion)s: %(found)s handed over, %(expected)s owed."),
        side=Side(key[1]).label,
        occasion=key[2],
        expected=owed,
        found=posted,
        currency=currency,
    )


def _within_limits(
    referral: Referral, terms: TermsData, rewards: Mapping[RewardKey, Reward]
) -> Iterator[Finding]:
    """Places under the caps, and milestones."""
    for reward in rewards.values():
        for number, most in ((reward.slot, terms.cap_count), (reward.friend_slot, terms.friend_cap_count)):
            if number is not None and most is not None and number > most:
                words = gettext(
                    "Referral %(referral)s, reward %(number)s: it is number %(place)s of at most %(most)s."
                )
                values = {"referral": referral.pk, "number": reward.pk, "place": number, "most": most}
                yield Finding(CAP, "reward", reward.pk, words % values, str(most), str(number))
        capped = terms.cap_count is not None and reward.side == Side.ADVOCATE
        if capped and reward.posted > 0 and reward.slot is None:
            words = gettext(
                "Referral %(referral)s, reward %(number)s: it was given without a place under the cap."
            )
            yield Finding(CAP, "reward", reward.pk, words % {"referral": referral.pk, "number": reward.pk})
        if reward.tier is not None and reward.tier != referral.ordinal:
            words = gettext(
                "Referral %(referral)s is friend number %(ordinal)s of its advocate, and has the reward for number "
                "%(tier)s."
            )
            values = {"referral": referral.pk, "ordinal": referral.ordinal or 0, "tier": reward.tier}
            yield Finding(TIER, "reward", reward.pk, words % values, str(referral.ordinal), str(reward.tier))


def _places() -> Iterator[Finding]:
    """Places and ordinals are given out one after the other and never given back: there is no gap."""
    given_out = (
        Reward.objects.filter(slot__isnull=False)
        .order_by()
        .values_list("advocate_id", "rule_key", "slot_period")
    )
    for advocate, _rule, period, count, last in _with_gaps(given_out, "slot"):
        words = gettext(
            "Advocate %(number)s, %(period)s: the last place is %(last)s, and %(count)s are there."
        )
        values = {"number": advocate, "period": period, "last": last, "count": count}
        yield Finding(CAP, "advocate", advocate, words % values, str(count), str(last))
    qualified = (
        Referral.objects.filter(ordinal__isnull=False).order_by().values_list("advocate_id", "program_key")
    )
    for advocate, program, count, last in _with_gaps(qualified, "ordinal"):
        words = gettext("Advocate %(number)s: the last friend is number %(last)s, and %(count)s are there.")
        values = {"number": advocate, "last": last, "count": count, "program": program}
        yield Finding(TIER, "advocate", advocate, words % values, str(count), str(last))


def _with_gaps(groups: Any, number: str) -> Iterator[tuple[Any, ...]]:
    counted = groups.annotate(there=Count("pk"), last=Max(number)).exclude(there=F("last"))
    yield from counted.iterator(chunk_size=2000)


def _spent(
    referral: Referral, terms: TermsData, rewards: Mapping[RewardKey, Reward], used: list[DiscountGrant]
) -> Iterator[Finding]:
    """What the referral says that it counts for in the budget."""
    said = {code: Decimal(amount) for code, amount in referral.spent.items() if Decimal(amount)}
    right = {code: amount for code, amount in spent_of(terms, rewards.values(), used).items() if amount}
    for code in sorted({*said, *right}):
        found, expected = said.get(code, ZERO), right.get(code, ZERO)
        if found == expected:
            continue
        if code:
            message = _("Referral %(number)s counts for %(found)s in the budget, and has cost %(expected)s.")
            yield amount_finding(
                SPENT, "referral", referral.pk, message, expected=expected, found=found, currency=code
            )
        else:
            words = gettext(
                "Referral %(number)s counts as %(found)s friends in the budget, not as %(expected)s."
            )
            values = {"number": referral.pk, "found": int(found), "expected": int(expected)}
            yield Finding(SPENT, "referral", referral.pk, words % values, str(int(expected)), str(int(found)))
