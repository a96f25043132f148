"""The advocate's friends as they move, from the link to the reward, and why they stand where they stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.core.paginator import Page, Paginator
from django.db.models import Count, Prefetch, Q, QuerySet, prefetch_related_objects
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals import credit, programs
from wagtail_referrals.kinds import LedgerKind, Side, reward_kinds
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import TermsData
from wagtail_referrals.referrals import name_for_advocate, reason_for_advocate
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.tracking import CHANNELS, visits_by_channel
from wagtail_referrals.tracking.models import Claim

PAGE_SIZE: Final = 20
# Of a friend who brings something with every order, the latest only.
MOST_REWARDS: Final = 5

States = Referral.State
GROUPS: Final[dict[str, frozenset[str]]] = {
    "waiting": frozenset(
        {States.WAITING_ORDER, States.WAITING_PAYMENT, States.WAITING_PERIOD, States.TO_CHECK}
    ),
    "rewarded": frozenset({States.REWARDED}),
    "ended": frozenset({States.COMPLETE, States.REFUSED, States.TAKEN_BACK, States.EXPIRED}),
}

CAME: Final[dict[str, Any]] = {
    Claim.Source.LINK: _("Came by your link"),
    Claim.Source.CODE: _("Typed your code"),
    Claim.Source.ATTACHED: _("Came by your link"),
    Claim.Source.NAMED: _("Named you at checkout"),
    Claim.Source.REPORTED: _("You told us about the order"),
}


@dataclass(frozen=True)
class Step:
    """One step on the way. ``day`` says when it was, or from when it can be; "" where that is not known."""

    words: str
    day: str
    is_done: bool


@dataclass(frozen=True)
class RewardLine:
    """What the advocate gets for a friend, how it stands, and why; "" where the state says all."""

    words: str
    why: str


@dataclass(frozen=True)
class Friend:
    """One friend as the advocate may see them: no full name, no address, no order.

    ``state`` is one of ``Referral.State``, or "open" for who has come and is not known yet. ``why``: sentences or
    fragments, one a line.
    """

    name: str
    since: datetime
    state: str
    state_words: str
    why: list[str]
    steps: list[Step]
    rewards: list[RewardLine]
    has_earlier_rewards: bool = False


@dataclass(frozen=True)
class FriendCounts:
    """How many friends stand where; ``total`` is all of them."""

    total: int
    waiting: int
    rewarded: int
    ended: int

    def of(self, group: str) -> int:
        """The number in a group of ``GROUPS``; of all for ""."""
        return int(getattr(self, group or "total"))


@dataclass(frozen=True)
class Opened:
    """How often the link was opened, and by which ways most: (way, number), without those that are not known."""

    total: int
    by_channel: list[tuple[str, int]]


def friend_counts(advocate: Advocate, *, now: datetime | None = None) -> FriendCounts:
    """One query."""
    found = (
        _invitations(advocate, now or timezone.now())
        .order_by()
        .values_list("referral__state")
        .annotate(number=Count("pk"))
    )
    numbers = dict.fromkeys(GROUPS, 0)
    for state, number in found:
        # Who has no referral yet is on the way.
        group = next((name for name, states in GROUPS.items() if state in states), "waiting")
        numbers[group] += number
    return FriendCounts(total=sum(numbers.values()), **numbers)


def friends_of(
    advocate: Advocate,
    number: Any,
    *,
    group: str = "",
    counts: FriendCounts | None = None,
    now: datetime | None = None,
) -> Page:
    """One page of the advocate's friends, the newest first. A constant number of queries.

    ``group`` is one of ``GROUPS``, "" for all of them. ``counts``: what ``friend_counts`` has just said.
    """
    moment = now or timezone.now()
    counts = counts or friend_counts(advocate, now=moment)
    rows = _invitations(advocate, moment)
    if group:
        wanted = Q(referral__state__in=GROUPS[group])
        rows = rows.filter(wanted | Q(referral=None) if group == "waiting" else wanted)
    paginator = Paginator(rows, PAGE_SIZE)
    # Counted already; the same thing said by the database a second time would cost a second.
    paginator.count = counts.of(group)
    page = paginator.get_page(number)
    page.object_list = _friends(advocate, page.object_list)  # type: ignore[assignment]
    return page


def newest_friends(advocate: Advocate, size: int, *, now: datetime | None = None) -> list[Friend]:
    """At most three queries."""
    return _friends(advocate, _invitations(advocate, now or timezone.now())[:size])


def opened_of(advocate: Advocate) -> Opened:
    """One query."""
    found = visits_by_channel(advocate)
    known = sorted(
        ((str(CHANNELS[channel]), number) for channel, number in found.items() if channel in CHANNELS),
        key=lambda each: -each[1],
    )
    return Opened(total=sum(found.values()), by_channel=known)


def _invitations(advocate: Advocate, now: datetime) -> QuerySet[Claim]:
    """Who has come and is a friend by now, or may still become one: each referral has the claim that it began with."""
    may_come = Q(referral=None, state=Claim.State.OPEN, expires_at__gte=now)
    return Claim.objects.filter(may_come | Q(referral__isnull=False), advocate=advocate).order_by(
        "-created_at", "-pk"
    )


def _friends(advocate: Advocate, rows: Any) -> list[Friend]:
    claims: list[Claim] = list(rows.select_related("referral__friend", "referral__terms", "visit"))
    referrals = [claim.referral for claim in claims if hasattr(claim, "referral")]
    # An order that was cancelled before delivery never happened: nothing was promised for it, so nothing is refused.
    told = Reward.objects.filter(side=Side.ADVOCATE).exclude(
        state=Reward.State.REFUSED, reason="cancelled", given_at=None
    )
    prefetch_related_objects(
        referrals,
        Prefetch("rewards", told.order_by("-pk")[: MOST_REWARDS + 1], to_attr="advocate_rewards"),
        Prefetch("purchases", Purchase.objects.order_by("placed_at", "pk")[:1], to_attr="first_purchases"),
    )
    parsed: dict[int, TermsData] = {}
    friends = []
    for claim in claims:
        if not hasattr(claim, "referral"):
            friends.append(_visitor(claim))
            continue
        referral: Referral = claim.referral
        referral.advocate = advocate
        if referral.terms_id not in parsed:
            parsed[referral.terms_id] = programs.parse(referral.terms)
        friends.append(_friend(claim, referral, parsed[referral.terms_id]))
    return friends


def _visitor(claim: Claim) -> Friend:
    """Somebody who has begun, and has neither an account nor ordered."""
    return Friend(
        name=gettext("Somebody"),
        since=claim.created_at,
        state="open",
        state_words=gettext("invitation saved"),
        why=[gettext("There is time to order until %(day)s.") % {"day": _day(claim.expires_at)}],
        steps=[
            _came(claim),
            Step(pgettext("friend", "Order"), "", False),
            Step(gettext("Reward"), "", False),
        ],
        rewards=[],
    )


def _friend(claim: Claim, referral: Referral, data: TermsData) -> Friend:
    given: list[Reward] = getattr(referral, "advocate_rewards", [])
    return Friend(
        name=name_for_advocate(referral) or gettext("A friend"),
        since=claim.created_at,
        state=referral.state,
        state_words=state_words(referral),
        why=why_words(referral),
        steps=list(_steps(claim, referral, data, given)),
        rewards=_together(_reward_line(reward, referral, data) for reward in given[:MOST_REWARDS]),
        has_earlier_rewards=len(given) > MOST_REWARDS,
    )


def _day(moment: datetime | None) -> str:
    return date_format(timezone.localtime(moment), "DATE_FORMAT") if moment is not None else ""


def _step_day(moment: datetime | None, since: datetime) -> str:
    """Without the year where it is that of the row."""
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    same_year = local.year == timezone.localtime(since).year
    return date_format(local, "MONTH_DAY_FORMAT" if same_year else "DATE_FORMAT")


def _came(claim: Claim) -> Step:
    came_at = claim.visit.created_at if claim.visit is not None else claim.created_at
    return Step(str(CAME[claim.source]), _step_day(came_at, claim.created_at), True)


def _steps(claim: Claim, referral: Referral, data: TermsData, given: list[Reward]) -> Iterable[Step]:
    yield _came(claim)
    if referral.registered_at is not None:
        yield Step(gettext("Opened an account"), _step_day(referral.registered_at, claim.created_at), True)
    goes_on = referral.state in GROUPS["waiting"]
    orders: list[Purchase] = getattr(referral, "first_purchases", [])
    if orders:
        yield Step(gettext("Ordered"), _step_day(orders[0].placed_at, claim.created_at), True)
    elif goes_on:
        yield Step(pgettext("friend", "Order"), "", False)
    if referral.state == States.REWARDED:
        days = [reward.given_at for reward in given if reward.given_at is not None]
        yield Step(gettext("Rewarded"), _step_day(max(days, default=None), claim.created_at), True)
    elif goes_on and data.advocate_rules:
        day = ""
        if referral.state == States.WAITING_PERIOD and referral.hold_until:
            day = gettext("from %(day)s") % {"day": _step_day(referral.hold_until, claim.created_at)}
        yield Step(gettext("Reward"), day, False)


def state_words(referral: Referral) -> str:
    """How it stands, in a few words: "waiting until 14 March"."""
    if referral.state == States.WAITING_PERIOD and referral.hold_until:
        return gettext("waiting until %(day)s") % {"day": _day(referral.hold_until)}
    if referral.state == States.TO_CHECK:
        return _being_checked()
    return str(referral.get_state_display())


def reward_state_words(reward: Reward) -> str:
    """How a reward stands, as its customer reads it."""
    return _being_checked() if reward.state == Reward.State.TO_CHECK else str(reward.get_state_display())


def _being_checked() -> str:
    # The state's own words, "to check", are for staff: to a customer they read like something to do.
    return gettext("being checked")


def why_words(referral: Referral) -> list[str]:
    """What explains the state, one thing a line: "The order was cancelled"."""
    if referral.state == States.WAITING_PERIOD and referral.reason == "hold":
        return [gettext("The reward comes when the waiting period after the order is over.")]
    if referral.state == States.TO_CHECK:
        # What the check saw is for staff: it may concern the friend.
        return [capfirst(reason_for_advocate("review"))]
    if referral.state == States.REWARDED or not referral.reason:
        return []
    until = referral.hold_until if referral.state == States.WAITING_ORDER else None
    lines = []
    # That an order is waited for says the state already.
    if referral.reason != "order" or until is None:
        lines.append(capfirst(reason_for_advocate(referral.reason)))
    if until is not None:
        lines.append(gettext("There is time to order until %(day)s.") % {"day": _day(until)})
    return lines


def _together(lines: Iterable[RewardLine]) -> list[RewardLine]:
    """What reads the same once, with its number."""
    return [
        line
        if number == 1
        # Translators: several rewards that read the same, like "3 × 15.00: waiting".
        else RewardLine(
            gettext("%(number)s × %(reward)s") % {"number": number, "reward": line.words}, line.why
        )
        for line, number in Counter(lines).items()
    ]


def _reward_line(reward: Reward, referral: Referral, data: TermsData) -> RewardLine:
    rule = data.rule(str(reward.rule_key))
    kind = reward_kinds.get(reward.kind) if reward.kind in reward_kinds else None
    if isinstance(kind, LedgerKind):
        what = credit.format_money(reward.amount, reward.currency) if reward.amount else ""
    else:
        # An amount alone would read as credit: a donation says whom it is for.
        what = programs.rule_gets(rule, reward.currency) if rule is not None else ""
    state = reward_state_words(reward)
    if what:
        # Translators: a reward and its state, like "15.00: given". The state agrees with the word "reward".
        words = pgettext("reward", "%(what)s: %(state)s") % {"what": what, "state": state}
    else:
        words = state
    tells_more = reward.reason not in ("", referral.reason, "hold") and reward.state != Reward.State.TO_CHECK
    return RewardLine(words, capfirst(reason_for_advocate(reward.reason)) if tells_more else "")
