"""What a customer is told of a renewal: one message each, written in the transaction that gives the cause.

What depends on the case stands in the templates ``wagtail_referrals/mail/details/<kind>.html`` and ``.txt``;
``context_of`` says what they can use.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from oscar_integration.memberships.charging import Card
from oscar_integration.memberships.models import Membership, Plan, Renewal
from oscar_integration.memberships.words import day_words, payment_words
from oscar_integration.split import Split
from wagtail_referrals import conf, credit, messages
from wagtail_referrals.messages.kinds import (
    MessageKind,
    Reader,
    Standard,
    Topic,
    Urgency,
    message_kinds,
)
from wagtail_referrals.messages.models import Message

RENEWS: Final = "membership_renews"
RENEWED: Final = "membership_renewed"
DECLINED: Final = "membership_declined"
ENDED: Final = "membership_ended"

# Why a renewal was refused: by the card, for want of one, or because the shop cannot sell it at present.
CARD, NO_CARD, SHOP = "card", "no_card", "shop"

State = Renewal.State


def language_of(user: Any) -> str:
    """What the customer reads, as far as we know it; "" otherwise. 3 queries."""
    return messages.languages_of({user.pk}).get(user.pk, "") if user is not None else ""


def announce(
    renewal: Renewal,
    paid: Split,
    *,
    due_at: datetime,
    card: Card | None,
    before: Decimal | None,
    now: datetime,
) -> None:
    """It will be renewed then, and ``paid`` so. ``before``: what was announced and is not enough any more."""
    key = f"{RENEWS}:{renewal.pk}:{due_at.isoformat()}:{renewal.announced_total}"
    words = str(before) if before is not None else ""
    _write(RENEWS, key, renewal, now, due_at=due_at, card=card, paid=paid, before=words)


def tell_renewed(renewal: Renewal, *, until: datetime | None, now: datetime) -> None:
    """It was: how it was paid, and until when it runs now."""
    card = Card(renewal.charge_label)
    number = renewal.order_number or ""
    _write(RENEWED, f"{RENEWED}:{renewal.pk}", renewal, now, due_at=until, card=card, order=number)


def tell_refused(
    renewal: Renewal, *, cause: str, until: datetime, next_at: datetime, card: Card | None, now: datetime
) -> None:
    """The access goes on ``until`` then, and it is tried again. Of what is the shop's trouble only once."""
    if cause == SHOP and renewal.attempt > 1:
        return
    _write(
        DECLINED,
        f"{DECLINED}:{renewal.pk}:{renewal.attempt}",
        renewal,
        now,
        due_at=until,
        card=card,
        cause=cause,
        refusal=renewal.refusal,
        next_at=next_at.isoformat(),
    )


def tell_ended(renewal: Renewal, *, cause: str, card: Card | None, now: datetime) -> None:
    """It was not paid: the membership has ended."""
    _write(
        ENDED,
        f"{ENDED}:{renewal.pk}",
        renewal,
        now,
        due_at=now,
        card=card,
        cause=cause,
        refusal=renewal.refusal,
    )


def _write(
    kind: str,
    key: str,
    renewal: Renewal,
    now: datetime,
    *,
    due_at: datetime | None,
    card: Card | None,
    paid: Split | None = None,
    **more: str,
) -> None:
    membership = renewal.membership
    if membership.user is None:
        return
    if paid is None and renewal.credit is not None and renewal.charge is not None:
        paid = Split(renewal.credit, renewal.charge)
    data: dict[str, Any] = {
        "renewal": renewal.pk,
        "membership": membership.pk,
        "plan": membership.plan_id,
        "attempt": renewal.attempt,
        "moment": due_at.isoformat() if due_at is not None else "",
        # What the mails' usual words ask for, and how it is paid.
        "currency": renewal.currency,
        "amount": str(paid.credit + paid.card) if paid is not None else "",
        "credit": str(paid.credit) if paid is not None else "",
        "charge": str(paid.card) if paid is not None else "",
        "card": card.label if card is not None else "",
        "card_url": card.url if card is not None else "",
        **more,
    }
    messages.write(
        kind, key=key, user=membership.user, data=data, language=language_of(membership.user), now=now
    )


# As they are sent


def is_due(message: Message, now: datetime) -> bool:
    """Whether it is still true: not if it was switched off, extended or paid in the meantime."""
    renewal = Renewal.objects.filter(pk=message.data["renewal"]).select_related("membership").first()
    if renewal is None or renewal.membership.user_id != message.user_id:
        return False
    if message.kind == RENEWS:
        return (
            renewal.state == State.PLANNED
            and renewal.announced_total == Decimal(message.data["amount"])
            and renewal.next_attempt_at == parse_datetime(message.data["moment"])
        )
    if message.kind == DECLINED:
        return renewal.state == State.PAST_DUE and renewal.attempt == message.data["attempt"]
    return True


def context_of(message: Message) -> dict[str, Any]:
    """What the words and templates ask for beyond the usual, in the reader's language.

    ``headline``, ``button`` and ``about_url`` (what it says, and where it leads), ``plan`` (its name), ``moment_day``,
    ``day`` (the same), ``total``, ``payment`` (a sentence: what credit pays, what the card), ``card``,
    ``card_url``, ``memberships_url``, ``is_dearer`` and ``before`` (was announced for less), ``cause`` ("card",
    "no_card", "shop"), ``refusal`` (the shop's words), ``next_day`` (tried again), ``order_number``, ``is_renewing``.
    """
    data = message.data
    membership = Membership.objects.filter(pk=data["membership"]).select_related("plan").first()
    currency = data["currency"]
    values = {
        "plan": _plan_name(data),
        "moment_day": day_words(parse_datetime(data["moment"])) if data["moment"] else "",
    }
    memberships_url = _absolute(_memberships_path(), message)
    card_url = _absolute(data["card_url"], message)
    # To the card only where another one would help.
    to_card = message.kind == DECLINED and bool(card_url) and data.get("cause") != SHOP
    return {
        **values,
        "day": values["moment_day"],
        "headline": _headline(message.kind, data.get("cause", "")) % values,
        "button": _button(message.kind, data.get("cause", ""), to_card),
        "about_url": card_url if to_card else memberships_url,
        "total": _money(data["amount"], currency),
        "payment": _payment(data, done=message.kind == RENEWED),
        "card": data["card"],
        "card_url": card_url,
        "memberships_url": memberships_url,
        "is_dearer": bool(data.get("before")),
        "before": _money(data.get("before", ""), currency),
        "cause": data.get("cause", ""),
        "refusal": data.get("refusal", ""),
        "next_day": day_words(parse_datetime(data["next_at"])) if data.get("next_at") else "",
        "order_number": data.get("order", ""),
        "is_renewing": membership is not None and membership.renews and membership.plan.renews,
    }


def _plan_name(data: dict[str, Any]) -> str:
    plan = Plan.objects.filter(pk=data["plan"]).first() if data["plan"] is not None else None
    # In a preview there is none.
    return plan.title if plan is not None else str(data.get("plan_name", ""))


def _headline(kind: str, cause: str) -> str:
    if kind == RENEWS:
        return gettext("“%(plan)s” renews on %(moment_day)s")
    if kind == RENEWED:
        return gettext("“%(plan)s” was renewed")
    if kind == ENDED:
        return gettext("“%(plan)s” has ended")
    if cause == SHOP:
        return gettext("“%(plan)s” is not renewed yet")
    return gettext("“%(plan)s” is not paid yet")


def _button(kind: str, cause: str, to_card: bool) -> str:
    if to_card:
        return gettext("Add a card") if cause == NO_CARD else gettext("Change the card")
    return gettext("See what we offer") if kind == ENDED else gettext("See your membership")


def _payment(data: dict[str, Any], *, done: bool) -> str:
    if not data["credit"] or not data["charge"]:
        return ""
    return payment_words(
        currency=data["currency"],
        credit=Decimal(data["credit"]),
        charge=Decimal(data["charge"]),
        card=data["card"],
        done=done,
    )


def _money(amount: str, currency: str) -> str:
    return credit.format_money(Decimal(amount), currency) if amount and currency else ""


def _memberships_path() -> str:
    try:
        return reverse("memberships:list")
    except NoReverseMatch:
        return ""


def _absolute(path: str, message: Message) -> str:
    """An address for a mail."""
    site = messages.site_of(message) if path.startswith("/") else None
    return f"{site.root_url}{path}" if site is not None else path


def _sample(**more: str) -> dict[str, Any]:
    """Of a membership that nobody has: for previews."""
    currency = conf.currencies()[0]
    return {
        "renewal": None,
        "membership": None,
        "plan": None,
        "plan_name": gettext("Monthly pass"),
        "attempt": 1,
        "moment": (timezone.now() + timedelta(days=30)).isoformat(),
        "currency": currency,
        "amount": "75.00",
        "credit": "15.00",
        "charge": "60.00",
        "card": "•••• 4242",
        "card_url": "",
        **more,
    }


def _sample_renews() -> dict[str, Any]:
    return _sample()


def _sample_renewed() -> dict[str, Any]:
    return _sample(order="100042")


def _sample_declined() -> dict[str, Any]:
    again = (timezone.now() + timedelta(days=3)).isoformat()
    return _sample(cause=CARD, refusal=gettext("The card was declined."), next_at=again)


def _sample_ended() -> dict[str, Any]:
    return _sample(cause=CARD, refusal=gettext("The card was declined."))


# What the customer has to know of their contract is sent whatever they want to read.
KINDS: Final = tuple(
    MessageKind(
        key,
        label,
        when,
        Reader.CUSTOMER,
        Topic.MEMBERSHIPS,
        Urgency.ACCOUNT,
        Standard(
            subject="{headline}",
            preheader="",
            heading="{headline}",
            paragraphs=("{greeting}",),
            button="{button}",
            target="about",
        ),
        placeholders={
            "headline": _("The standard words for subject and heading"),
            "button": _("The standard words of the button"),
            "plan": _("The name of the membership"),
            "total": _("What it costs; may be empty"),
            **more,
        },
        details=key,
        is_due=is_due,
        context=context_of,
        sample=sample,
        can_be_refused=False,
        may_come_again=True,
    )
    for key, label, when, more, sample in (
        (
            RENEWS,
            _("your membership is about to renew"),
            _("Some days before a membership renews, and again when it will cost more than was said."),
            {"day": _("The day on which it renews")},
            _sample_renews,
        ),
        (
            RENEWED,
            _("your membership was renewed"),
            _("When a membership was renewed and paid."),
            {"day": _("Until when it runs now; may be empty")},
            _sample_renewed,
        ),
        (
            DECLINED,
            _("your membership could not be renewed yet"),
            _("When a membership could not be renewed, and it will be tried again."),
            {"day": _("Until when the access goes on")},
            _sample_declined,
        ),
        (
            ENDED,
            _("your membership has ended"),
            _("When a membership has ended because it could not be renewed."),
            {"day": _("The day on which it ended")},
            _sample_ended,
        ),
    )
)


def register() -> None:
    for kind in KINDS:
        message_kinds.register(kind)
