"""Sending what is planned, through Django's e-mail API. At most once: a message that was being handed over is not
repeated.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import F
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils import timezone, translation
from django.utils.formats import date_format
from wagtail.models import Site

from wagtail_referrals import credit
from wagtail_referrals.kinds import Side, reward_kinds
from wagtail_referrals.messages.models import Message
from wagtail_referrals.people import email_of_account
from wagtail_referrals.programs.models import Program
from wagtail_referrals.referrals import get_shop, reason_for_advocate, reason_words, timeline
from wagtail_referrals.referrals.timeline import money_words

logger = logging.getLogger("wagtail_referrals")

ATTEMPTS = 8
BATCH = 200


@dataclass(frozen=True)
class Special:
    """A kind of message that has more to it than rewards have.

    ``is_due`` is asked right before sending, and may bring ``message.data`` up to date; when it says no, the message
    is dropped. ``context`` is for the templates, in the reader's language.
    """

    is_due: Callable[[Message, datetime], bool]
    context: Callable[[Message], dict[str, Any]]


# By the kind of message; see ``connect``.
specials: Final[dict[str, Special]] = {}


def deliver_pending(*, now: datetime | None = None, limit: int | None = BATCH) -> int:
    """Send the messages that are due, at most ``limit`` of them; how many were handed over. Any number of workers at
    once.
    """
    moment = now or timezone.now()
    sent = 0
    due = Message.objects.filter(state=Message.State.PENDING, next_attempt_at__lte=moment).order_by(
        "next_attempt_at", "pk"
    )
    for pk in list(due.values_list("pk", flat=True)[:limit]):
        # Whoever changes the state has the message; a worker that dies now leaves it "being sent", never sent twice.
        if Message.objects.filter(pk=pk, state=Message.State.PENDING).update(state=Message.State.SENDING):
            sent += _deliver(Message.objects.select_related("user", "referral__claim").get(pk=pk), moment)
    return sent


def _deliver(message: Message, now: datetime) -> bool:
    address = email_of_account(message.user)
    if not address:
        Message.objects.filter(pk=message.pk).update(state=Message.State.FAILED)
        return False
    special = specials.get(message.kind)
    try:
        if special is not None and not special.is_due(message, now):
            # Should there be cause again, it can be planned again.
            Message.objects.filter(pk=message.pk).delete()
            return False
        compose(message, address).send()
    except Exception as error:
        # No address in the log: the class of the error says enough.
        logger.warning("Message %s was not handed over (%s).", message.pk, type(error).__name__)
        attempts = message.attempts + 1
        Message.objects.filter(pk=message.pk).update(
            state=Message.State.FAILED if attempts >= ATTEMPTS else Message.State.PENDING,
            attempts=F("attempts") + 1,
            next_attempt_at=now + timedelta(minutes=2**attempts),
        )
        return False
    Message.objects.filter(pk=message.pk).update(
        state=Message.State.SENT, sent_at=now, attempts=F("attempts") + 1
    )
    if message.referral is not None:
        timeline.record(
            "message",
            referral=message.referral,
            data={"side": message.data.get("side"), "message": message.kind},
            key=f"message:{message.pk}",
            now=now,
        )
    return True


def compose(message: Message, address: str) -> EmailMultiAlternatives:
    """The mail in the person's language: plain text and HTML."""
    with translation.override(message.language or settings.LANGUAGE_CODE):
        context = _context(message)
        folder = f"wagtail_referrals/mail/{message.kind}"
        mail = EmailMultiAlternatives(
            # One line; str.split would also break non-breaking spaces.
            subject=re.sub(r"[ \t\r\n]+", " ", render_to_string(f"{folder}_subject.txt", context)).strip(),
            body=render_to_string(f"{folder}.txt", context),
            to=[address],
        )
        mail.attach_alternative(render_to_string(f"{folder}.html", context), "text/html")
    return mail


def site_of(message: Message) -> Site | None:
    """Where the links of a mail lead: the site of the program that it speaks of; else the default one."""
    site: Site | None = None
    if message.referral is not None:
        program = Program.objects.filter(key=message.referral.program_key).select_related("site").first()
        site = program.site if program is not None else None
    return site or Site.objects.filter(is_default_site=True).first()


def _context(message: Message) -> dict[str, Any]:
    site = site_of(message)
    root = site.root_url if site is not None else ""
    try:
        link = root + reverse("referrals:account")
    except NoReverseMatch:
        link = root
    name = getattr(message.user, "first_name", "") if message.user is not None else ""
    side = message.data.get("side")
    until = message.data.get("until") or message.data.get("day")
    currency = message.data.get("currency", "")
    special = specials.get(message.kind)
    return {
        "name": name,
        "amount": money_words(message.data),
        "reason": (reason_for_advocate if side == Side.ADVOCATE else reason_words)(
            message.data.get("reason", "")
        ),
        "code": message.data.get("code", ""),
        "side": side,
        "site_name": (site.site_name if site is not None else "") or root,
        "root_url": root,
        "account_url": link,
        "language": translation.get_language(),
        # What is counted in points, and things, pay for no order.
        "pays": bool(currency) and credit.is_money(currency) and get_shop().takes_credit(),
        "waits": _is_discount(message.data)
        and message.kind == "reward_given"
        and not message.data.get("code"),
        "is_for_reader": bool(currency) or _is_discount(message.data),
        "day": date_format(date.fromisoformat(until), "DATE_FORMAT") if until else "",
        **(special.context(message) if special is not None else {}),
    }


def _is_discount(data: dict[str, Any]) -> bool:
    kind = data["gift"]["rule"]["kind"] if data.get("gift") else ""
    return kind in reward_kinds and reward_kinds.get(kind).is_discount
