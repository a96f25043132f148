"""What referrers are told of their friends, and of what they have reached: by the sweep, once for each friend.

By the next sweep, and not at the moment itself: whoever orders waits for nothing, and of what follows in minutes only
the last is told, "your friend has ordered" no more once the reward is there.

A friend is named by their first name where both have agreed to that, see ``friend_words``; else it is a friend.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals import credit
from wagtail_referrals.kinds import LedgerKind, Side, reward_kinds
from wagtail_referrals.messages.kinds import (
    MessageKind,
    Reader,
    Standard,
    Topic,
    Urgency,
    message_kinds,
)
from wagtail_referrals.messages.models import Message
from wagtail_referrals.messages.notices import AMOUNT
from wagtail_referrals.messages.planning import planned, write
from wagtail_referrals.messages.surroundings import site_of
from wagtail_referrals.messages.sweeping import RECENT, by_key, is_planned, register_planner
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import advocate_gets, friend_gets, join_words, parse, pick_terms, rule_gets
from wagtail_referrals.referrals import agreed_name, reason_for_advocate
from wagtail_referrals.referrals.models import AttributionRequest, Purchase, Referral
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.tracking.models import Claim, Lead, Share

logger = logging.getLogger("wagtail_referrals")

WELCOME: Final = "welcome"
VISITED: Final = "friend_visited"
REGISTERED: Final = "friend_registered"
ORDERED: Final = "friend_ordered"
WAITING: Final = "reward_waiting"
REFUSED: Final = "referral_refused"
MILESTONE: Final = "milestone_passed"
NAMED: Final = "named_by_friend"

States = Referral.State
# As long as that a message may wait, for quiet hours or a mail server, and still be news.
STALE: Final = timedelta(days=7)
# A reward that waits for no longer than that is announced when it is there.
SOON: Final = timedelta(days=1)


# Who may be written to


def is_told(advocate: Advocate) -> bool:
    """Is this a customer who refers at present? Of guests no address is known, and who has left wants no news."""
    user = advocate.user
    return user is not None and advocate.state == Advocate.State.ACTIVE and getattr(user, "is_active", True)


def referrals_not_told(kind: str) -> QuerySet[Referral]:
    """Those whose referrer may be written to, and has not been about this."""
    told = Message.objects.filter(referral=OuterRef("pk"), kind=kind)
    return Referral.objects.filter(
        ~Exists(told), advocate__state=Advocate.State.ACTIVE, advocate__user__isnull=False
    ).select_related("advocate__user", "claim", "friend", "terms")


def to_referrers(kind: str, referrals: QuerySet[Referral], now: datetime) -> Iterator[Message]:
    """A message about each of these friends."""
    for referral in by_key(referrals):
        if is_told(referral.advocate):
            yield planned(
                kind,
                key=f"{kind}:{referral.pk}",
                user=referral.advocate.user,
                data={"side": Side.ADVOCATE.value},
                referral=referral,
                language=referral.advocate.language,
                now=now,
            )


def is_news(message: Message, now: datetime) -> bool:
    """Not older than a few days, and still to the referrer, who still refers."""
    advocate = Advocate.objects.filter(user=message.user_id).first() if message.user_id is not None else None
    return advocate is not None and is_told(advocate) and message.created_at > now - STALE


# What is due


def _welcomes(now: datetime) -> Iterator[Message]:
    """Whoever has passed their link on for the first time."""
    since = now - RECENT
    recent = Share.objects.filter(created_at__gt=since, created_at__lte=now).values("advocate")
    before = Share.objects.filter(advocate=OuterRef("pk"), created_at__lte=since)
    new = Advocate.objects.filter(
        ~Exists(before),
        ~is_planned(WELCOME),
        pk__in=recent,
        state=Advocate.State.ACTIVE,
        user__isnull=False,
    ).select_related("user")
    for advocate in by_key(new):
        if is_told(advocate):
            yield planned(
                WELCOME,
                key=f"{WELCOME}:{advocate.pk}",
                user=advocate.user,
                data={},
                language=advocate.language,
                now=now,
            )


def _visits(now: datetime) -> Iterator[Message]:
    """Somebody kept the invitation by e-mail, agreed to be written to, and came back by that mail."""
    since = now - RECENT
    back = Lead.objects.filter(
        opened_at__gt=since,
        opened_at__lte=now,
        wants_reminders=True,
        claim__state=Claim.State.OPEN,
        claim__advocate__state=Advocate.State.ACTIVE,
        claim__advocate__user__isnull=False,
    )
    claims = Claim.objects.filter(pk__in=back.values("claim")).filter(~is_planned(VISITED))
    for claim in by_key(claims.select_related("advocate__user")):
        if is_told(claim.advocate):
            yield planned(
                VISITED,
                key=f"{VISITED}:{claim.pk}",
                user=claim.advocate.user,
                data={"claim": claim.pk},
                language=claim.advocate.language,
                now=now,
            )


def _registrations(now: datetime) -> Iterator[Message]:
    new = referrals_not_told(REGISTERED).filter(
        state=States.WAITING_ORDER, registered_at__gt=now - RECENT, registered_at__lte=now
    )
    return to_referrers(REGISTERED, new, now)


def _orders(now: datetime) -> Iterator[Message]:
    """What waits to be paid for, or delivered: there is nothing to say yet of when the reward comes."""
    recent = Purchase.objects.filter(placed_at__gt=now - RECENT, placed_at__lte=now).values("referral")
    new = referrals_not_told(ORDERED).filter(state=States.WAITING_PAYMENT, pk__in=recent)
    return to_referrers(ORDERED, new, now)


def _waiting(now: datetime) -> Iterator[Message]:
    theirs = waiting_rewards().filter(referral=OuterRef("pk"))
    new = referrals_not_told(WAITING).filter(
        Exists(theirs),
        state=States.WAITING_PERIOD,
        qualified_at__gt=now - RECENT,
        qualified_at__lte=now,
        hold_until__gt=now + SOON,
    )
    return to_referrers(WAITING, new, now)


def waiting_rewards() -> QuerySet[Reward]:
    """Of referrers, for a friend's order: milestones are announced as such."""
    return Reward.objects.filter(side=Side.ADVOCATE, state=Reward.State.WAITING, tier=None)


def _milestones(now: datetime) -> Iterator[Message]:
    """Those whose reward is still to come: otherwise the message about the reward says what it is for."""
    new = Reward.objects.filter(
        ~is_planned(MILESTONE),
        side=Side.ADVOCATE,
        tier__isnull=False,
        state=Reward.State.WAITING,
        created_at__gt=now - RECENT,
        created_at__lte=now,
        advocate__user__isnull=False,
    ).select_related("advocate__user", "referral")
    for reward in by_key(new):
        if is_told(reward.advocate):
            yield planned(
                MILESTONE,
                key=f"{MILESTONE}:{reward.pk}",
                user=reward.advocate.user,
                data={"side": Side.ADVOCATE.value, "reward": reward.pk},
                referral=reward.referral,
                language=reward.advocate.language,
                now=now,
            )


def _named(now: datetime) -> Iterator[Message]:
    asked = AttributionRequest.objects.filter(
        ~is_planned(NAMED),
        _asked(),
        matched_at__gt=now - RECENT,
        matched_at__lte=now,
        advocate__isnull=False,
    ).select_related("advocate__user")
    for request in by_key(asked):
        if request.advocate is not None and is_told(request.advocate):
            yield planned(
                NAMED,
                key=f"{NAMED}:{request.pk}",
                user=request.advocate.user,
                data={"request": request.pk},
                language=request.advocate.language,
                now=now,
            )


def _asked() -> Q:
    Kind, State = AttributionRequest.Kind, AttributionRequest.State
    return Q(kind=Kind.NAMED, state=State.WAITING) & ~Q(reference="")


def tell_about_refusal(
    sender: type[Referral],
    *,
    referral: Referral,
    state_before: str,
    rewards: Sequence[Reward],
    now: datetime,
    careful: bool,
    written: dict[str, Any] | None = None,
    **kwargs: Any,
) -> None:
    """Refused, after the referrer had reason to expect a reward: they saw it waiting, or being checked."""
    if referral.state != States.REFUSED or state_before == States.REFUSED or not is_told(referral.advocate):
        return
    if any(reward.side == Side.ADVOCATE and reward.given_at is not None for reward in rewards):
        # It is taken back, which has a message of its own.
        return
    try:
        with transaction.atomic(savepoint=careful):
            expected = state_before in (States.TO_CHECK, States.WAITING_PERIOD) or (
                Message.objects.filter(referral=referral, user=referral.advocate.user).exists()
            )
            if expected:
                write(
                    REFUSED,
                    key=f"{REFUSED}:{referral.pk}",
                    user=referral.advocate.user,
                    data={"side": Side.ADVOCATE.value},
                    referral=referral,
                    language=referral.advocate.language,
                    now=now,
                    written=None if careful else written,
                )
    except Exception:
        if not careful:
            raise
        logger.exception("The referrer of referral %s could not be told that it is refused.", referral.pk)


# As they are sent


def _welcome_is_due(message: Message, now: datetime) -> bool:
    return is_news(message, now)


def _visit_is_due(message: Message, now: datetime) -> bool:
    return (
        is_news(message, now)
        and Claim.objects.filter(
            pk=message.data["claim"], state=Claim.State.OPEN, leads__wants_reminders=True
        ).exists()
    )


def _state_is(*states: str) -> Any:
    """For ``is_due``: is the referral still there?"""

    def ask(message: Message, now: datetime) -> bool:
        referral = message.referral
        return referral is not None and referral.state in states and is_news(message, now)

    return ask


def _milestone_is_due(message: Message, now: datetime) -> bool:
    good = (Reward.State.WAITING, Reward.State.GIVEN)
    return is_news(message, now) and Reward.objects.filter(pk=message.data["reward"], state__in=good).exists()


def _named_is_due(message: Message, now: datetime) -> bool:
    asked = AttributionRequest.objects.filter(
        _asked(), pk=message.data["request"], advocate__user=message.user_id
    )
    return is_news(message, now) and asked.exists()


def friend_words(message: Message) -> str:
    """The friend's first name if both have agreed to that until now; else "a friend of yours"."""
    if message.referral is None:
        name = str(message.data.get("friend", ""))
    else:
        name = agreed_name(message.referral)
    return name or gettext("a friend of yours")


def offer_of(message: Message) -> dict[str, str]:
    """What each side gets: by the terms of the referral, else by what this customer can offer now."""
    if message.referral is not None:
        data = parse(message.referral.terms)
    else:
        site = site_of(message)
        offer = pick_terms(site_id=site.pk if site is not None else None, user_id=message.user_id)
        if offer is None:
            return {"friend_gets": "", "you_get": ""}
        data = offer.data
    return {"friend_gets": friend_gets(data), "you_get": advocate_gets(data)}


def friend_context(message: Message) -> dict[str, Any]:
    return {"friend": friend_words(message), **offer_of(message)}


def _waiting_context(message: Message) -> dict[str, Any]:
    data, referral = message.data, message.referral
    until: date | None
    if referral is None:
        amount, until = str(data.get("what", "")), date.fromisoformat(data["until"])
    else:
        rewards = waiting_rewards().filter(referral=referral).select_related("terms").order_by("pk")
        amount, until = join_words(reward_words(reward) for reward in rewards), _day(referral.hold_until)
    return {**friend_context(message), "amount": amount, "day": _date(until)}


def reward_words(reward: Reward) -> str:
    """What it is worth: "€15.00", or "€10.00 off one order"."""
    if reward.kind in reward_kinds and isinstance(reward_kinds.get(reward.kind), LedgerKind):
        return credit.format_money(reward.amount, reward.currency)
    rule = parse(reward.terms).rule(str(reward.rule_key))
    return rule_gets(rule, reward.currency) if rule is not None else ""


def _refused_context(message: Message) -> dict[str, Any]:
    reason = message.referral.reason if message.referral is not None else message.data.get("reason", "")
    return {"friend": friend_words(message), "reason": reason_for_advocate(reason)}


def _milestone_context(message: Message) -> dict[str, Any]:
    data = message.data
    until: date | None
    if "reward" not in data:
        number, amount, until = data["number"], str(data["what"]), date.fromisoformat(data["until"])
    else:
        reward = Reward.objects.select_related("terms", "referral").get(pk=data["reward"])
        number, amount = reward.tier or 0, reward_words(reward)
        # Once it is given there is nothing to wait for.
        waits = reward.state == Reward.State.WAITING
        until = _day(reward.due_at or reward.referral.hold_until) if waits else None
    return {"number": str(number), "amount": amount, "day": _date(until)}


def _day(moment: datetime | None) -> date | None:
    return timezone.localtime(moment).date() if moment is not None else None


def _date(day: date | None) -> str:
    return date_format(day, "DATE_FORMAT") if day is not None else ""


# For previews


def sample_friend() -> dict[str, Any]:
    return {"side": Side.ADVOCATE.value, "friend": "Léa"}


def _sample_waiting() -> dict[str, Any]:
    until = timezone.localdate() + timedelta(days=30)
    return {**sample_friend(), "what": gettext("€15.00 of referral credit"), "until": until.isoformat()}


def _sample_refused() -> dict[str, Any]:
    return {**sample_friend(), "reason": "existing_customer"}


def _sample_milestone() -> dict[str, Any]:
    return {**_sample_waiting(), "number": 5}


def no_data() -> dict[str, Any]:
    return {}


FRIEND: Final = _("The friend's first name if both agreed to that, else “a friend of yours”")
SEE_FRIENDS: Final = _("See your friends and rewards")

KINDS: Final = (
    MessageKind(
        WELCOME,
        _("welcome to the program"),
        _("When a customer has passed their link on for the first time."),
        Reader.REFERRER,
        Topic.TIPS,
        Urgency.EXTRA,
        Standard(
            subject=_("Thank you for inviting your friends"),
            preheader=_("How it works, and where you see what comes of it."),
            heading=_("Thank you for inviting your friends"),
            paragraphs=(
                "{greeting}",
                _("you have passed your personal link on for the first time. This is how it goes on."),
                _(
                    "As soon as a friend has come by your link and ordered, we write to you. You see all of it on your "
                    "page, and can pass the link on as often as you like."
                ),
                _("Your personal link: {link}"),
            ),
            button=SEE_FRIENDS,
            target="account",
        ),
        details="offer",
        is_due=_welcome_is_due,
        context=offer_of,
        sample=no_data,
    ),
    MessageKind(
        VISITED,
        _("a friend of yours has looked at your invitation"),
        _(
            "When a visitor who kept the invitation by e-mail, and wants a reminder, came back by that mail. Nobody "
            "is named."
        ),
        Reader.REFERRER,
        Topic.FRIENDS,
        Urgency.EXTRA,
        Standard(
            subject=_("A friend of yours has looked at your invitation"),
            preheader="",
            heading=_("A friend of yours has looked at your invitation"),
            paragraphs=(
                "{greeting}",
                _("somebody whom you invited has kept your invitation, and come back to it."),
            ),
            button=SEE_FRIENDS,
            target="account",
        ),
        details="offer",
        is_due=_visit_is_due,
        context=offer_of,
        sample=no_data,
        # Who leaves an address is told that it is used for their invitation: editors decide whether this goes with it.
        is_on=False,
    ),
    MessageKind(
        REGISTERED,
        _("a friend of yours has opened an account"),
        _("When a friend has come by the invitation and opened an account, and has not ordered yet."),
        Reader.REFERRER,
        Topic.FRIENDS,
        Urgency.EXTRA,
        Standard(
            subject=_("{friend} has opened an account"),
            preheader="",
            heading=_("{friend} has opened an account"),
            paragraphs=(
                "{greeting}",
                _("good news: {friend} has come by your invitation and opened an account."),
            ),
            button=SEE_FRIENDS,
            target="account",
        ),
        placeholders={"friend": FRIEND},
        details="offer",
        is_due=_state_is(States.WAITING_ORDER),
        context=friend_context,
        sample=sample_friend,
    ),
    MessageKind(
        ORDERED,
        _("a friend of yours has ordered"),
        _("When a friend has ordered, and the order is still to be paid for or to be delivered."),
        Reader.REFERRER,
        Topic.FRIENDS,
        Urgency.EXTRA,
        Standard(
            subject=_("{friend} has ordered"),
            preheader="",
            heading=_("{friend} has ordered"),
            paragraphs=(
                "{greeting}",
                _("good news: {friend} has come by your invitation and placed an order."),
                _("We write to you again as soon as we know when your reward comes."),
            ),
            button=SEE_FRIENDS,
            target="account",
        ),
        placeholders={"friend": FRIEND},
        is_due=_state_is(States.WAITING_PAYMENT),
        context=friend_context,
        sample=sample_friend,
    ),
    MessageKind(
        WAITING,
        _("your reward waits"),
        _("When a friend's order counts, and the waiting period has more than a day to go."),
        Reader.REFERRER,
        Topic.REWARDS,
        Urgency.ACCOUNT,
        Standard(
            subject=_("{friend} has ordered: your reward comes on {day}"),
            preheader=_("What waits for you: {amount}"),
            heading=_("{friend} has ordered"),
            paragraphs=(
                "{greeting}",
                _("good news: {friend} has come by your invitation, and the order is in order."),
                _(
                    "What waits for you: {amount}. It is yours on {day}, when the order cannot be returned any more."
                ),
            ),
            button=SEE_FRIENDS,
            target="account",
        ),
        placeholders={
            "friend": FRIEND,
            "amount": AMOUNT,
            "day": _("The day on which the waiting period ends"),
        },
        is_due=_state_is(States.WAITING_PERIOD),
        context=_waiting_context,
        sample=_sample_waiting,
    ),
    MessageKind(
        REFUSED,
        _("there is no reward for a friend of yours"),
        _("When a referral is refused which the referrer has seen waiting, or being checked."),
        Reader.REFERRER,
        Topic.REWARDS,
        Urgency.ACCOUNT,
        Standard(
            subject=_("About one of your friends"),
            preheader="",
            heading=_("No reward this time"),
            paragraphs=(
                "{greeting}",
                _("we have looked at it carefully: for {friend} there is no reward this time."),
                _("The reason: {reason}."),
                _("Your other friends and rewards are not concerned. Thank you for passing us on."),
            ),
            button=SEE_FRIENDS,
            target="account",
        ),
        placeholders={"friend": FRIEND, "reason": _("Why there is none")},
        is_due=_state_is(States.REFUSED),
        context=_refused_context,
        sample=_sample_refused,
    ),
    MessageKind(
        MILESTONE,
        _("you have passed a milestone"),
        _(
            "When a milestone is passed, and its reward waits. Otherwise the message about the reward says it."
        ),
        Reader.REFERRER,
        Topic.RECOGNITION,
        Urgency.EXTRA,
        Standard(
            subject=_("You have passed a milestone"),
            preheader=_("Friends who have ordered thanks to you: {number}"),
            heading=_("You have passed a milestone"),
            paragraphs=(
                "{greeting}",
                _("thank you! Friends who have ordered thanks to you: {number}."),
                _("Your reward for that: {amount}."),
            ),
            button=SEE_FRIENDS,
            target="account",
        ),
        placeholders={
            "number": _("How many friends the milestone is for"),
            "amount": AMOUNT,
            "day": _("The day on which the waiting period ends; may be empty"),
        },
        details="milestone",
        is_due=_milestone_is_due,
        context=_milestone_context,
        sample=_sample_milestone,
    ),
    MessageKind(
        NAMED,
        _("somebody says that you sent them"),
        _("When somebody named the customer at the checkout, and the customer is asked whether that is so."),
        Reader.REFERRER,
        Topic.FRIENDS,
        Urgency.ACCOUNT,
        Standard(
            subject=_("Have you sent us a friend?"),
            preheader=_("Somebody says that they came to us by you."),
            heading=_("Have you sent us a friend?"),
            paragraphs=(
                "{greeting}",
                _("somebody who has just ordered says that they came to us by you."),
                _(
                    "Is that so? Please tell us on your page: with your answer the order can count as your friend's. "
                    "If you know nothing of it, say that too, and nothing happens."
                ),
            ),
            button=_("Answer on your page"),
            target="account",
        ),
        is_due=_named_is_due,
        sample=no_data,
    ),
)


def register() -> None:
    for kind in KINDS:
        message_kinds.register(kind)
    register_planner(WELCOME, _welcomes)
    register_planner(VISITED, _visits)
    register_planner(REGISTERED, _registrations)
    register_planner(ORDERED, _orders)
    register_planner(WAITING, _waiting)
    register_planner(MILESTONE, _milestones)
    register_planner(NAMED, _named)
