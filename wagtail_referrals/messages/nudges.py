"""What could also not be sent: reminders to referrers, and the question to customers who might become one.

``come_back``, to visitors who left an address, is the reminder in ``kept``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Exists, Min, OuterRef
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.models import Site

from wagtail_referrals.kinds import Rule, Side
from wagtail_referrals.messages.expiring import languages_of
from wagtail_referrals.messages.kinds import (
    MessageKind,
    Reader,
    Standard,
    Topic,
    Urgency,
    message_kinds,
)
from wagtail_referrals.messages.models import Message
from wagtail_referrals.messages.news import (
    FRIEND,
    SEE_FRIENDS,
    friend_context,
    is_news,
    no_data,
    offer_of,
    referrals_not_told,
    sample_friend,
    to_referrers,
)
from wagtail_referrals.messages.notices import AMOUNT, reward_context
from wagtail_referrals.messages.planning import planned, write
from wagtail_referrals.messages.sweeping import BATCH, RECENT, register_planner
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import kept_gift, pick_terms
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals import GoodOrder, shop_good_orders
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.models import DiscountGrant
from wagtail_referrals.tracking.models import Share

logger = logging.getLogger("wagtail_referrals")

REMIND: Final = "remind_friend"
SHARE: Final = "share_it"
USABLE: Final = "discount_usable"

# A friend who has an account had so long to order.
REMIND_AFTER: Final = timedelta(days=5)
# An invitation that ends before that is not worth a reminder.
AT_LEAST: Final = timedelta(days=1)
# So long after it was delivered an order has turned out to be a good one.
SHARE_AFTER: Final = timedelta(days=7)


# What is due


def _reminders(now: datetime) -> Iterator[Message]:
    """Friends who are one step short."""
    ordered = Purchase.objects.filter(referral=OuterRef("pk"))
    short = referrals_not_told(REMIND).filter(
        ~Exists(ordered),
        state=Referral.State.WAITING_ORDER,
        registered_at__gt=now - REMIND_AFTER - RECENT,
        registered_at__lte=now - REMIND_AFTER,
        claim__expires_at__gt=now + AT_LEAST,
    )
    return to_referrers(REMIND, short, now)


def _questions(now: datetime) -> Iterator[Message]:
    """Customers with a good order, who never passed a link on and may. Once each, and never about what they ordered
    before there was a program.
    """
    first = Terms.objects.aggregate(Min("created_at"))["created_at__min"]
    if first is None:
        return
    end = now - SHARE_AFTER
    orders = (order for order in shop_good_orders(end - RECENT, end) if order.placed_at >= first)
    while batch := list(islice(orders, BATCH)):
        yield from _ask(batch, now)


def _ask(orders: Sequence[GoodOrder], now: datetime) -> Iterator[Message]:
    keys = {f"{SHARE}:{order.user_id}": order for order in orders}
    for key in Message.objects.filter(key__in=list(keys)).values_list("key", flat=True):
        del keys[key]
    ids = {order.user_id for order in keys.values()}
    not_asked = set(_no_more_to_ask(ids))
    users = get_user_model()._default_manager.in_bulk(list(ids - not_asked))
    languages = languages_of(set(users)) if users else {}
    site = Site.objects.filter(is_default_site=True).first() if users else None
    for key, order in keys.items():
        user = users.get(order.user_id)
        if user is None or not getattr(user, "is_active", True):
            continue
        if pick_terms(site_id=site.pk if site is not None else None, user_id=user.pk, now=now) is None:
            continue
        yield planned(SHARE, key=key, user=user, data={}, language=languages.get(user.pk, ""), now=now)


def _no_more_to_ask(ids: set[Any]) -> list[Any]:
    """Who has passed the link on already, and who left or was stopped."""
    theirs = Advocate.objects.filter(user__in=ids)
    shared = Share.objects.filter(advocate=OuterRef("pk"))
    stopped = theirs.exclude(state=Advocate.State.ACTIVE)
    both = (
        stopped.values_list("user", flat=True),
        theirs.filter(Exists(shared)).values_list("user", flat=True),
    )
    return [pk for rows in both for pk in rows]


def tell_about_discount(
    sender: type[DiscountGrant], *, grant: DiscountGrant, rule: Rule, now: datetime, **kwargs: Any
) -> None:
    """What had to wait can be used: the reward of a customer, or the present of a friend who has an account."""
    if grant.reward is not None:
        side, user, referral = grant.reward.side, grant.reward.user, grant.reward.referral
        language = referral.advocate.language if side == Side.ADVOCATE else referral.claim.language
    elif grant.claim is not None:
        side, user, referral, language = Side.FRIEND.value, grant.claim.user, None, grant.claim.language
    else:
        return
    if user is None:
        return
    try:
        with transaction.atomic():
            write(
                USABLE,
                key=f"{USABLE}:{grant.pk}",
                user=user,
                data={"side": side, "grant": grant.pk, "gift": kept_gift(rule), "code": grant.code},
                referral=referral,
                language=language,
                now=now,
            )
    except Exception:
        logger.exception("Who has discount %s could not be told that it can be used.", grant.pk)


# As they are sent


def _reminder_is_due(message: Message, now: datetime) -> bool:
    referral = message.referral
    return (
        referral is not None
        and referral.state == Referral.State.WAITING_ORDER
        and referral.claim.expires_at > now
        and not referral.purchases.exists()
        and is_news(message, now)
    )


def _question_is_due(message: Message, now: datetime) -> bool:
    return (
        message.user_id is not None
        and not _no_more_to_ask({message.user_id})
        and any(offer_of(message).values())
    )


def _usable_is_due(message: Message, now: datetime) -> bool:
    grant = DiscountGrant.objects.filter(
        pk=message.data["grant"], state=DiscountGrant.State.ISSUED, code=message.data["code"]
    ).first()
    return grant is not None and (grant.expires_at is None or grant.expires_at > now)


def _reminder_context(message: Message) -> dict[str, Any]:
    referral = message.referral
    ends_at = referral.claim.expires_at if referral is not None else timezone.now() + timedelta(days=20)
    return {**friend_context(message), "day": date_format(timezone.localtime(ends_at), "DATE_FORMAT")}


def _usable_context(message: Message) -> dict[str, Any]:
    grant = DiscountGrant.objects.filter(pk=message.data.get("grant")).first()
    until = grant.expires_at if grant is not None else None
    sample = {"amount": message.data["what"]} if "what" in message.data else {}
    return {
        **reward_context(message),
        **sample,
        "waits": False,
        "day": date_format(timezone.localtime(until), "DATE_FORMAT") if until is not None else "",
    }


def _sample_usable() -> dict[str, Any]:
    return {"side": Side.ADVOCATE.value, "what": gettext("€10.00 off one order"), "code": "REF-AB12-CD34"}


KINDS: Final = (
    MessageKind(
        REMIND,
        _("a friend of yours is one step short"),
        _("5 days after a friend has opened an account and not ordered, once for each friend."),
        Reader.REFERRER,
        Topic.TIPS,
        Urgency.EXTRA,
        Standard(
            subject=_("Only one step to go for {friend}"),
            preheader=_("The invitation is valid until {day}."),
            heading=_("Only one step to go"),
            paragraphs=(
                "{greeting}",
                _("{friend} has opened an account by your invitation, and has not ordered yet."),
                _("A word of yours may help: the invitation is valid until {day}."),
            ),
            button=SEE_FRIENDS,
            target="account",
        ),
        placeholders={"friend": FRIEND, "day": _("The last day of the invitation")},
        details="offer",
        is_due=_reminder_is_due,
        context=_reminder_context,
        sample=sample_friend,
    ),
    MessageKind(
        SHARE,
        _("would you like to invite your friends?"),
        _(
            "7 days after an order was delivered of which nothing was given back, once, to customers who may offer a "
            "program and never passed their link on."
        ),
        Reader.CUSTOMER,
        Topic.TIPS,
        Urgency.EXTRA,
        Standard(
            subject=_("Do you like it? Pass it on"),
            preheader=_("Invite your friends: there is something in it for each of you."),
            heading=_("Do you like it? Pass it on"),
            paragraphs=(
                "{greeting}",
                _("we hope that you enjoy what you ordered. Is there somebody who would like it too?"),
            ),
            button=_("Invite your friends"),
            target="hub",
        ),
        details="offer",
        is_due=_question_is_due,
        context=offer_of,
        sample=no_data,
        # It goes to customers who have never asked for it: editors say so first.
        is_on=False,
    ),
    MessageKind(
        USABLE,
        _("your discount can be used now"),
        _("When a discount that had to wait, as the shop gave none, can be used."),
        Reader.CUSTOMER,
        Topic.REWARDS,
        Urgency.ACCOUNT,
        Standard(
            subject=_("Now it can be used: {amount}"),
            preheader="",
            heading=_("Now it can be used: {amount}"),
            paragraphs=("{greeting}", _("what we had saved for you can be used from now on: {amount}.")),
            button=SEE_FRIENDS,
            target="account",
        ),
        placeholders={"amount": AMOUNT},
        details="reward_given",
        is_due=_usable_is_due,
        context=_usable_context,
        sample=_sample_usable,
    ),
)


def register() -> None:
    for kind in KINDS:
        message_kinds.register(kind)
    register_planner(REMIND, _reminders)
    register_planner(SHARE, _questions)
