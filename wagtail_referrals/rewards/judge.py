"""judge: what is owed, from the terms, the facts and the history. Pure: no database, no clock.

The same function decides at the first payment, at the end of the waiting period, after a late refund and after a
reviewer's word; also what a draft would have cost, and why somebody got nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any, Final

from wagtail_referrals import credit
from wagtail_referrals.kinds import PurchaseOccasion, RefundPolicy, Rule, Side, reward_kinds, triggers
from wagtail_referrals.programs import TermsData
from wagtail_referrals.programs.models import Program
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.referrals.shop import Facts
from wagtail_referrals.rewards.models import Reward

NOTHING: Final = Decimal(0)
# The reason that an order was placed after the days to order.
LATE: Final = "window"
# The reason that a kind gives once, and the customer has had it.
HAD_ALREADY: Final = "had_already"
# How long an order that is not paid or sent yet is looked at without a word from the shop: made to order takes time.
PATIENCE: Final = timedelta(days=365)


@dataclass(frozen=True)
class Part:
    """What of an order a rule counts, in the order's currency.

    ``eligible``: what it cost. ``kept``: of that, what no line is known to have been given back or cancelled of.
    ``net``: what is left of it.
    """

    eligible: Decimal
    kept: Decimal
    net: Decimal


@dataclass(frozen=True)
class PurchaseFacts:
    """One order: what was frozen at ordering, and ``facts``, what is true now."""

    id: int
    reference: str
    placed_at: datetime
    currency: str
    eligible: Decimal
    watch_until: datetime
    facts: Facts
    lines: Sequence[Mapping[str, Any]] = ()

    @property
    def net(self) -> Decimal:
        """What is left of the goods after refunds, in the order's currency."""
        if self.facts.cancelled:
            return NOTHING
        return max(self.eligible - self.facts.refunded, NOTHING)

    def part(self, lines: Sequence[Mapping[str, Any]] | None) -> Part:
        """The part that these of its ``lines`` make up; ``None``: the whole order.

        What was given back of a known line counts for that line only. The rest of what was given back is spread over
        what is left, in proportion.
        """
        if lines is None:
            return Part(self.eligible, self.eligible, self.net)
        eligible = min(sum((_amount(line) for line in lines), NOTHING), self.eligible)
        kept = min(sum((self._kept(line) for line in lines), NOTHING), self.eligible)
        net = NOTHING
        kept_of_all = sum((self._kept(line) for line in self.lines), NOTHING)
        if kept_of_all > 0 and not self.facts.cancelled:
            known = sum((_amount(line) for line in self.lines), NOTHING) - kept_of_all
            spread = min(max(self.facts.refunded - known, NOTHING), kept_of_all)
            net = kept - kept * spread / kept_of_all
        return Part(*(credit.quantize(amount, self.currency) for amount in (eligible, kept, net)))

    def _kept(self, line: Mapping[str, Any]) -> Decimal:
        given_back = self.facts.refunded_lines.get(str(line.get("line")), NOTHING)
        return max(_amount(line) - given_back, NOTHING)

    @property
    def never_happened(self) -> bool:
        """Cancelled before it was delivered: as if the friend had not ordered yet."""
        return self.facts.cancelled and self.facts.shipped_at is None


def _amount(line: Mapping[str, Any]) -> Decimal:
    return Decimal(line["amount"])


@dataclass(frozen=True)
class Given:
    """A reward that exists: its places under the caps, and what was handed over so far.

    ``posted`` is counted in ``currency``. ``used``: it is a discount, and an order has it. What was used cannot be
    taken back. ``had_already``: its kind refused to give it, as the customer has had it.
    """

    slot: int | None = None
    slot_period: str = ""
    friend_slot: int | None = None
    posted: Decimal = NOTHING
    currency: str = ""
    purchase_id: int | None = None
    used: bool = False
    had_already: bool = False


RewardKey = tuple[str, str, str]


@dataclass(frozen=True)
class History:
    """What happened to the referral so far, and to the advocate's other referrals as far as limits need it.

    ``rewards`` by (rule key, side, occasion). ``slots_taken`` counts by (rule key, period) the places that all the
    advocate's referrals have taken. ``next_ordinal`` is the number that this referral gets if it qualifies now.
    ``review`` is the reviewers' latest word, "approve", "refuse" or "". ``refusals`` and ``holds`` are the checks'
    reasons.
    """

    claim_expires_at: datetime
    created_at: datetime
    registered_at: datetime | None = None
    friend_known: bool = True
    advocate_known: bool = True
    people_deleted: frozenset[str] = frozenset()
    refusals: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    review: str = ""
    rewards: Mapping[RewardKey, Given] = field(default_factory=dict)
    slots_taken: Mapping[tuple[str, str], int] = field(default_factory=dict)
    ordinal: int | None = None
    next_ordinal: int = 1
    default_currency: str = "EUR"


@dataclass(frozen=True)
class Due:
    """One reward as it should stand now. ``worth`` is what should have been handed over, in ``currency`` or in
    another unit that the kind counts in. ``instead_of``: the reason for which it would be taken back, had it not been
    used in an order.
    """

    rule: Rule
    occasion: str
    currency: str
    worth: Decimal
    state: str
    reason: str = ""
    purchase_id: int | None = None
    tier: int | None = None
    due_at: datetime | None = None
    qualified_at: datetime | None = None
    slot: int | None = None
    slot_period: str = ""
    friend_slot: int | None = None
    instead_of: str = ""

    @property
    def key(self) -> RewardKey:
        return (self.rule.key, self.rule.side, self.occasion)


@dataclass(frozen=True)
class Verdict:
    """What the referral is now, what is owed, and when to look again (``None``: nothing changes by itself).

    ``waits_for_order``: the friend can still make the promise good; also where registering was rewarded already.
    ``waits_for_more``: the friend has ordered, and can still order what another rule is for. ``in_time``: the days to
    order are not over, and nothing speaks against the referral.
    """

    state: str
    reason: str
    dues: tuple[Due, ...]
    qualified_at: datetime | None
    hold_until: datetime | None
    ordinal: int | None
    next_check_at: datetime | None
    waits_for_order: bool = False
    waits_for_more: bool = False
    in_time: bool = False


def slot_period(terms: TermsData, moment: datetime) -> str:
    """The period under whose cap a reward falls: "2026-11", "2026" or "ever"; in UTC, so that it never depends on a
    site.
    """
    moment = moment.astimezone(UTC)
    if terms.cap_period == Program.Period.MONTH:
        return f"{moment:%Y-%m}"
    return f"{moment:%Y}" if terms.cap_period == Program.Period.YEAR else "ever"


def anchor(terms: TermsData, facts: Facts) -> datetime | None:
    """From when the waiting period runs; ``None`` while it does not."""
    if facts.paid_at is None:
        return None
    if terms.hold_anchor == Program.Anchor.PAID:
        return facts.paid_at
    return max(facts.paid_at, facts.shipped_at) if facts.shipped_at else None


def judge(
    terms: TermsData,
    purchases: Iterable[PurchaseFacts],
    history: History,
    now: datetime,
    *,
    check_every: timedelta = timedelta(days=1),
) -> Verdict:
    """What is owed now.

    The result depends on the present facts only, not on the order in which they came about. After an order's
    ``watch_until`` what was given for it stays.
    """
    orders = sorted(purchases, key=lambda order: (order.placed_at, order.id))
    # What was given for an order stays after its ``watch_until``: so the order stays, and no other becomes the first.
    rewarded = {given.purchase_id for given in history.rewards.values() if given.posted > 0}
    real = [
        order
        for order in orders
        if not order.never_happened or (order.id in rewarded and now > order.watch_until)
    ]
    # An order of nothing (a free sample) is no first order: the one that is worth something comes later.
    first = next((order for order in real if order.eligible > 0), None)
    late = first is not None and first.placed_at > history.claim_expires_at
    refusal = _refusal(history, late)
    held = bool(history.holds) and not history.review

    qualified_at = _qualified_at(terms, first)
    ordinal = history.ordinal
    if ordinal is None and qualified_at is not None and not refusal and not held:
        ordinal = history.next_ordinal

    dues: list[Due] = []
    for rule in terms.rules:
        dues += _dues_of(rule, terms, real, first, history, ordinal, now)
    dues = [_reconsider(due, refusal, held, history, now, orders) for due in dues]
    dues = _give_friend_slots(terms, dues, history, orders, now)
    dues = _give_slots(terms, dues, history)
    dues = _keep_used(terms, dues, history)
    in_time = not refusal and now <= history.claim_expires_at
    waits = first is None and in_time
    waits_for_more = first is not None and in_time and bool(_without_lines(terms, dues))
    state, reason, until = _state(terms, first, orders, history, dues, refusal, held, now)
    return Verdict(
        state=state,
        reason=reason,
        dues=tuple(dues),
        qualified_at=qualified_at,
        hold_until=until,
        ordinal=ordinal,
        next_check_at=_next_check(orders, history, dues, waits or waits_for_more, now, check_every),
        waits_for_order=waits,
        waits_for_more=waits_for_more,
        in_time=in_time,
    )


def _keep_used(terms: TermsData, dues: list[Due], history: History) -> list[Due]:
    """What was used in an order already stays, whatever has become of its reason."""
    kept = {due.key: due for due in dues}
    for key, given in history.rewards.items():
        rule = terms.rule(key[0])
        if not given.used or rule is None or rule.kind not in reward_kinds or rule.trigger not in triggers:
            continue
        due = kept.get(key)
        if due is None:
            # Another order counts as the first now, for instance.
            unit = reward_kinds.get(rule.kind).unit(rule, history.default_currency)
            due = Due(rule, key[2], unit, NOTHING, Reward.State.TAKEN_BACK, "not_first", given.purchase_id)
        if due.state != Reward.State.GIVEN:
            due = replace(due, state=Reward.State.GIVEN, reason="used_up", instead_of=due.reason)
        kept[key] = replace(
            due,
            worth=max(given.posted, Decimal(1)),
            slot=given.slot,
            slot_period=given.slot_period,
            friend_slot=given.friend_slot,
        )
    return list(kept.values())


def _refusal(history: History, late: bool) -> str:
    if history.review == "refuse":
        return "reviewer"
    if history.review == "approve":
        return ""
    if history.refusals:
        return history.refusals[0]
    return LATE if late else ""


def _qualified_at(terms: TermsData, first: PurchaseFacts | None) -> datetime | None:
    if first is None or first.net <= 0:
        return None
    return anchor(terms, first.facts)


def _dues_of(
    rule: Rule,
    terms: TermsData,
    real: list[PurchaseFacts],
    first: PurchaseFacts | None,
    history: History,
    ordinal: int | None,
    now: datetime,
) -> list[Due]:
    """What the rule gives on its occasions, without checks and caps."""
    if rule.kind not in reward_kinds or rule.trigger not in triggers:
        return []
    trigger = triggers.get(rule.trigger)
    if trigger.on == "arrival":
        # The friend's discount is handed over with the claim. Other gifts wait for an account to give them to.
        if reward_kinds.get(rule.kind).is_discount:
            return []
        return [_without_order(rule, "arrival", history.created_at, history)]
    if trigger.on == "registration":
        if history.registered_at is None:
            return []
        wait = timedelta(days=terms.hold_days if rule.side == Side.ADVOCATE else 0)
        return [_without_order(rule, "registration", history.registered_at + wait, history)]
    if trigger.on == "tier":
        if ordinal is None or first is None or ordinal != (rule.occurrence or 1):
            return []
        whole = _for_order(rule, terms, first, first.part(None))
        return [replace(whole, occasion=f"tier:{ordinal}", tier=ordinal)]
    parts: list[tuple[PurchaseFacts, Part]] = []
    for order in real:
        lines = trigger.eligible_lines(rule, order.lines)
        if lines is None or lines:
            parts.append((order, order.part(lines)))
    if trigger.eligible_lines(rule, ()) is not None:
        first = _first_of(rule, parts, history, now)
    return [
        _for_order(rule, terms, order, part)
        for order, part in parts
        if trigger.matches(rule, PurchaseOccasion(order.reference, order is first, order.lines))
    ]


def _first_of(
    rule: Rule, parts: Sequence[tuple[PurchaseFacts, Part]], history: History, now: datetime
) -> PurchaseFacts | None:
    """The friend's first order of what the rule is for, placed within the days to order.

    One of whose lines nothing was kept is passed over for one that was, unless what was given for it stays.
    """
    in_time = [
        (order, part)
        for order, part in parts
        if part.eligible > 0 and (order.placed_at <= history.claim_expires_at or history.review == "approve")
    ]
    for order, part in in_time:
        given = history.rewards.get((rule.key, rule.side, f"purchase:{order.id}"))
        if part.kept > 0 or (given is not None and given.posted > 0 and now > order.watch_until):
            return order
    return in_time[0][0] if in_time else None


def _without_lines(terms: TermsData, dues: Sequence[Due]) -> list[Rule]:
    """Rules for an order of certain things, of which the friend has ordered none so far."""
    met = {due.rule.key for due in dues}
    return [
        rule
        for rule in terms.rules
        if rule.key not in met
        and rule.kind in reward_kinds
        and rule.trigger in triggers
        and triggers.get(rule.trigger).on == "purchase"
        and triggers.get(rule.trigger).eligible_lines(rule, ()) is not None
    ]


def _without_order(rule: Rule, occasion: str, due_at: datetime, history: History) -> Due:
    kind = reward_kinds.get(rule.kind)
    currency = history.default_currency
    given = history.rewards.get((rule.key, rule.side, occasion))
    if given is not None and given.posted > 0 and given.currency in rule.amounts:
        # Whatever the shop's first currency is by now.
        currency = given.currency
    elif rule.amounts and currency not in rule.amounts:
        currency = next(iter(rule.amounts))
    worth = kind.worth(rule, currency, None)
    unit = kind.unit(rule, currency)
    if worth is None:
        return Due(rule, occasion, unit, NOTHING, Reward.State.REFUSED, "no_amount")
    return Due(rule, occasion, unit, worth, Reward.State.GIVEN, due_at=due_at, qualified_at=due_at)


def _for_order(rule: Rule, terms: TermsData, order: PurchaseFacts, part: Part) -> Due:
    """The rule's reward for one order, of which it counts ``part``, as if no check had anything to say."""
    kind = reward_kinds.get(rule.kind)
    base = Due(
        rule,
        f"purchase:{order.id}",
        kind.unit(rule, order.currency),
        NOTHING,
        Reward.State.GIVEN,
        purchase_id=order.id,
    )
    full = kind.worth(rule, order.currency, part.eligible)
    minimum = rule.minimum_in(order.currency)
    if full is None or minimum is None:
        return replace(base, state=Reward.State.REFUSED, reason="no_amount")
    if part.eligible < minimum or part.eligible <= 0:
        return replace(base, state=Reward.State.REFUSED, reason="minimum")
    began = anchor(terms, order.facts)
    due_at = began + timedelta(days=terms.hold_days) if began else None
    base = replace(base, due_at=due_at, qualified_at=began)
    if order.facts.cancelled:
        return replace(base, state=Reward.State.TAKEN_BACK, reason="cancelled")
    if part.net <= 0:
        return replace(base, state=Reward.State.TAKEN_BACK, reason="refunded")
    if part.net < minimum:
        return replace(base, state=Reward.State.TAKEN_BACK, reason="below_minimum")
    worth = full
    reason = ""
    # Half a discount, or half of a thing, cannot be handed over.
    divisible = bool(kind.value_fields) and not kind.is_discount
    if divisible and rule.refund_policy == RefundPolicy.PROPORTIONAL and part.net < part.eligible:
        worth = credit.quantize(full * part.net / part.eligible, base.currency)
        reason = "partly_refunded"
    if began is None:
        waiting_for = "payment" if order.facts.paid_at is None else "delivery"
        return replace(base, worth=worth, state=Reward.State.WAITING, reason=waiting_for)
    return replace(base, worth=worth, reason=reason)


def _reconsider(
    due: Due, refusal: str, held: bool, history: History, now: datetime, orders: list[PurchaseFacts]
) -> Due:
    """The checks' and the clock's word on a due reward."""
    given = history.rewards.get(due.key)
    order = next((order for order in orders if order.id == due.purchase_id), None)
    stays = given is not None and given.posted > 0 and given.purchase_id in (None, due.purchase_id)
    if given is not None and stays and order is not None and now > order.watch_until:
        return replace(due, worth=given.posted, state=Reward.State.GIVEN, reason="")
    # An order that came too late says nothing against what needed none.
    if refusal and (refusal != LATE or due.purchase_id is not None):
        return replace(due, worth=NOTHING, state=Reward.State.REFUSED, reason=refusal)
    if due.rule.side in history.people_deleted and (given is None or given.posted == 0):
        return replace(due, worth=NOTHING, state=Reward.State.REFUSED, reason="no_customer")
    if due.state != Reward.State.GIVEN:
        return due
    if held and given is not None and given.posted > 0:
        # Found out after it was given, maybe about a later order: nothing more, nothing back before a person looked.
        return replace(due, worth=min(due.worth, given.posted))
    if held:
        return replace(due, state=Reward.State.TO_CHECK, reason=history.holds[0])
    if due.due_at is not None and now < due.due_at:
        return replace(due, state=Reward.State.WAITING, reason="hold")
    known = history.advocate_known if due.rule.side == Side.ADVOCATE else history.friend_known
    if not known and due.rule.side not in history.people_deleted:
        return replace(due, state=Reward.State.WAITING, reason="account")
    if given is not None and given.had_already:
        return replace(due, worth=NOTHING, state=Reward.State.REFUSED, reason=HAD_ALREADY)
    return due


def _order_of_places(due: Due) -> tuple[bool, float, int]:
    """First comes who qualified first; what has not yet, last."""
    moment = due.qualified_at.timestamp() if due.qualified_at is not None else 0.0
    return due.qualified_at is None, moment, due.purchase_id or 0


def _give_friend_slots(
    terms: TermsData, dues: list[Due], history: History, orders: list[PurchaseFacts], now: datetime
) -> list[Due]:
    """Places for one friend's orders under each rule, in the order (qualified at, purchase).

    An order that was given back keeps its place; one that never happened had none. So the places follow from the
    present facts alone, and do not move while orders qualify one after another. What stays, because its order is no
    longer watched or because it was used, keeps its place too.
    """
    if terms.friend_cap_count is None:
        return dues
    over = {order.id for order in orders if now > order.watch_until}
    taken: dict[str, set[int]] = {}
    result: dict[RewardKey, Due] = {}
    by_key = {due.key: due for due in dues}
    for key, given in history.rewards.items():
        stays = given.used or (given.posted > 0 and given.purchase_id in over)
        if stays and given.friend_slot is not None:
            taken.setdefault(key[0], set()).add(given.friend_slot)
            if key in by_key:
                result[key] = replace(by_key[key], friend_slot=given.friend_slot)
    for due in sorted(dues, key=_order_of_places):
        if due.key in result:
            continue
        result[due.key] = due
        if due.purchase_id is None or due.tier is not None or due.qualified_at is None:
            continue
        if due.state in (Reward.State.REFUSED, Reward.State.TO_CHECK):
            continue
        mine = taken.setdefault(due.rule.key, set())
        number = next(number for number in count(1) if number not in mine)
        if number <= terms.friend_cap_count:
            mine.add(number)
            result[due.key] = replace(due, friend_slot=number)
        elif due.state != Reward.State.TAKEN_BACK:
            result[due.key] = replace(due, worth=NOTHING, state=Reward.State.REFUSED, reason="friend_cap")
    return [result[due.key] for due in dues]


def _give_slots(terms: TermsData, dues: list[Due], history: History) -> list[Due]:
    """Places under the advocate's cap, in the order (qualified at, purchase). A place once given is never given
    back.
    """
    if terms.cap_count is None:
        return dues
    taken = dict(history.slots_taken)
    result: dict[RewardKey, Due] = {}

    for due in sorted(dues, key=_order_of_places):
        given = history.rewards.get(due.key)
        if due.rule.side != Side.ADVOCATE:
            result[due.key] = due
        elif given is not None and given.slot is not None:
            result[due.key] = replace(due, slot=given.slot, slot_period=given.slot_period)
        elif due.qualified_at is None or due.worth <= 0 or due.state == Reward.State.TO_CHECK:
            result[due.key] = due
        else:
            period = slot_period(terms, due.qualified_at)
            number = taken.get((due.rule.key, period), 0) + 1
            if number > terms.cap_count:
                result[due.key] = replace(due, worth=NOTHING, state=Reward.State.REFUSED, reason="cap")
            else:
                taken[(due.rule.key, period)] = number
                result[due.key] = replace(due, slot=number, slot_period=period)
    return [result[due.key] for due in dues]


def _state(
    terms: TermsData,
    first: PurchaseFacts | None,
    orders: list[PurchaseFacts],
    history: History,
    dues: list[Due],
    refusal: str,
    held: bool,
    now: datetime,
) -> tuple[str, str, datetime | None]:
    """The referral's state for lists, its reason, and until when it waits."""
    states = Referral.State
    # The referral is told from the advocate's side; from the friend's only where the advocate gets nothing.
    told = [due for due in dues if due.rule.side == Side.ADVOCATE]
    if refusal and (refusal != LATE or not any(due.worth > 0 for due in told)):
        return states.REFUSED, refusal, None
    if first is None and not any(due.worth > 0 for due in told):
        if now > history.claim_expires_at:
            return states.EXPIRED, "window", None
        never = any(order.never_happened for order in orders)
        return states.WAITING_ORDER, "cancelled" if never else "order", history.claim_expires_at
    if held:
        return states.TO_CHECK, history.holds[0], None
    asked = _without_lines(terms, dues) if first is not None and not told else []
    if asked and (not dues or any(rule.side == Side.ADVOCATE for rule in asked)):
        # Waiting for what a rule is for, whatever becomes of the order that is there.
        if now <= history.claim_expires_at:
            return states.WAITING_ORDER, "other_products", history.claim_expires_at
        if not dues:
            return states.COMPLETE, "other_products", None
    by_state: dict[str, list[Due]] = {}
    for due in told or dues:
        by_state.setdefault(due.state, []).append(due)
    if by_state.get(Reward.State.GIVEN):
        return states.REWARDED, "", None
    waiting = by_state.get(Reward.State.WAITING, [])
    until = [due.due_at for due in waiting if due.reason == "hold" and due.due_at is not None]
    if until:
        return states.WAITING_PERIOD, "hold", min(until)
    if waiting:
        unpaid = waiting[0].reason in ("payment", "delivery")
        return (states.WAITING_PAYMENT if unpaid else states.WAITING_PERIOD), waiting[0].reason, None
    if by_state.get(Reward.State.TAKEN_BACK):
        return states.TAKEN_BACK, by_state[Reward.State.TAKEN_BACK][0].reason, None
    if by_state.get(Reward.State.REFUSED):
        return states.COMPLETE, by_state[Reward.State.REFUSED][0].reason, None
    if first is None:
        return states.WAITING_ORDER, "order", history.claim_expires_at
    return _without_dues(terms, first)


def _without_dues(terms: TermsData, first: PurchaseFacts) -> tuple[str, str, datetime | None]:
    """A program whose rules ask for something that this order is not (yet)."""
    if first.facts.cancelled:
        return Referral.State.TAKEN_BACK, "cancelled", None
    if anchor(terms, first.facts) is None:
        return Referral.State.WAITING_PAYMENT, "payment" if first.facts.paid_at is None else "delivery", None
    return Referral.State.COMPLETE, "", None


def _next_check(
    orders: list[PurchaseFacts],
    history: History,
    dues: list[Due],
    waits: bool,
    now: datetime,
    check_every: timedelta,
) -> datetime | None:
    """When something can change without anybody telling us."""
    moments = [due.due_at for due in dues if due.due_at is not None and due.due_at > now]
    if waits:
        moments.append(history.claim_expires_at + timedelta(seconds=1))
    unfinished = {
        due.purchase_id
        for due in dues
        if due.state == Reward.State.WAITING and due.reason in ("payment", "delivery")
    }
    if any(
        order.watch_until >= now or (order.id in unfinished and order.placed_at + PATIENCE > now)
        for order in orders
    ):
        # A shop may write an order's status without a signal: the sweep reads it again.
        moments.append(now + check_every)
    return min(moments, default=None)
