"""Handing over what is planned: at most once, whatever dies.

PENDING -> CLAIMED (one worker has it) -> SENDING (committed before it leaves) -> SENT. A worker that dies while it puts
a message together loses nothing: when its claim has run out, another one begins anew. One that dies from then on leaves
a message of which nobody knows whether it went: after an hour it is UNSURE, and is never sent again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_variables

from wagtail_referrals.messages import holding, kinds, wanting
from wagtail_referrals.messages.channels import EMAIL, Channel, MaybeSent, Refused, channels
from wagtail_referrals.messages.compose import compose
from wagtail_referrals.messages.content import Content
from wagtail_referrals.messages.kinds import Urgency, message_kinds
from wagtail_referrals.messages.models import Message, Preferences, Suppression
from wagtail_referrals.messages.suppressing import suppress
from wagtail_referrals.referrals import timeline

logger = logging.getLogger("wagtail_referrals")

ATTEMPTS: Final = 8
# For so long a worker has a message to itself.
CLAIM: Final = timedelta(minutes=10)
# After so long without an answer nobody waits for one.
HANDING_OVER: Final = timedelta(hours=1)
BATCH: Final = 500
# What a message is put together from.
RELATED: Final = (
    "user",
    "referral__claim",
    "lead__claim__terms",
    "lead__claim__advocate",
    "enrollment__sequence__program__site",
)
# States in which a worker may have it; UNSURE: one that took longer than anybody waits.
_WORKED_ON: Final = (Message.State.CLAIMED, Message.State.SENDING, Message.State.UNSURE)


def due(now: datetime) -> QuerySet[Message]:
    """What is to be sent by now, and no worker has been told of lately. The oldest first."""
    return Message.objects.filter(
        Q(claimed_until=None) | Q(claimed_until__lte=now),
        state=Message.State.PENDING,
        next_attempt_at__lte=now,
    ).order_by("next_attempt_at", "pk")


def release(now: datetime) -> None:
    """What workers that died have left. Somebody else puts it together; what was being handed over may have gone."""
    left = Message.objects.filter(claimed_until__lte=now)
    left.filter(state=Message.State.CLAIMED, attempts__lt=ATTEMPTS).update(
        state=Message.State.PENDING, next_attempt_at=now, claimed_until=None
    )
    for state, end, reason in (
        (Message.State.CLAIMED, Message.State.FAILED, "not_written"),
        (Message.State.SENDING, Message.State.UNSURE, ""),
    ):
        rows = left.filter(state=state).select_related("referral__claim")
        for message in rows.iterator(chunk_size=BATCH):
            _end(message, end, reason, now, of=[state])


def deliver(keys: Collection[str]) -> int:
    """Hand over what is due of the messages with these keys; how many were. Any number of workers at once."""
    return sum(_take_and_deliver(pk, None) for pk in _pks(Message.objects.filter(key__in=keys)))


def deliver_due(now: datetime | None, progress: Callable[[str, int, int], None] | None = None) -> int:
    """Hand over all that is due; how many were. Any number of workers at once, in constant memory.

    ``progress`` is told, after each message, what is being done, and how many of how many were looked at.
    """
    moment = now or timezone.now()
    total = due(moment).count() if progress is not None else 0
    count = done = 0
    last: tuple[datetime | None, int] | None = None
    while True:
        rows = due(moment)
        if last is not None:
            # Whatever happens to a message, it is taken once.
            rows = rows.filter(Q(next_attempt_at__gt=last[0]) | Q(next_attempt_at=last[0], pk__gt=last[1]))
        batch = list(rows.values_list("next_attempt_at", "pk")[:BATCH])
        if not batch:
            return count
        for _due_at, pk in batch:
            count += _take_and_deliver(pk, now)
            done += 1
            if progress is not None:
                progress(gettext("Messages"), done, total)
        last = batch[-1]


def _pks(planned: QuerySet[Message]) -> list[int]:
    pending = planned.filter(state=Message.State.PENDING).order_by("next_attempt_at", "pk")
    return list(pending.values_list("pk", flat=True))


def _take_and_deliver(pk: int, now: datetime | None) -> bool:
    """Whether it was handed over. Of the others, none is held up by what goes wrong with this one."""
    try:
        message = _take(pk, now or timezone.now())
        return message is not None and _deliver(message, now)
    except Exception as error:
        # It is with this worker until its claim runs out.
        logger.warning("Message %s could not be worked on (%s).", pk, type(error).__name__)
        return False


def _take(pk: int, now: datetime) -> Message | None:
    """Whoever changes the state has the message, until ``claimed_until``: as that only grows, it names one claim."""
    pending = Message.objects.filter(pk=pk, state=Message.State.PENDING, next_attempt_at__lte=now)
    # Counted at once, so that a message at which workers die is given up, too.
    if not pending.update(state=Message.State.CLAIMED, claimed_until=now + CLAIM, attempts=F("attempts") + 1):
        return None
    return Message.objects.select_related(*RELATED).filter(pk=pk).first()


def _deliver(message: Message, told: datetime | None) -> bool:
    now = told or timezone.now()
    try:
        channel, address = _way_to(message)
        if not address:
            _end(message, Message.State.FAILED, "no_address", now)
            return False
        if _is_held_back(message, now):
            return False
        if not kinds.is_due(message, now):
            _not_due(message, now)
            return False
        content = compose(message, message.recipient())
        if not _begin(message, channel, told or timezone.now()):
            return False
    except Exception as error:
        _try_again(message, error, "not_written", now)
        return False
    return _hand_over(message, content, channel, address, told)


def _way_to(message: Message) -> tuple[Channel, str]:
    """As it was planned, else as the customer prefers; by e-mail where they cannot be reached so. With the address."""
    key = message.channel
    recipient = message.recipient()
    if key == EMAIL and message.user_id is not None:
        chosen = Preferences.objects.filter(user=message.user_id).values_list("channel", flat=True).first()
        key = chosen or EMAIL
    for name in (key, EMAIL):
        if (
            recipient is not None
            and name in channels
            and (address := channels.get(name).address_of(recipient))
        ):
            return channels.get(name), address
    return channels.get(EMAIL), ""


def _is_held_back(message: Message, now: datetime) -> bool:
    """Is it not wanted, or to be sent later? Then that is written."""
    if reason := wanting.reason_against(message):
        _end(message, Message.State.DROPPED, reason, now)
        return True
    if until := holding.hold_until(message, now):
        _mine(message).update(
            state=Message.State.PENDING,
            next_attempt_at=until,
            claimed_until=None,
            attempts=message.attempts - 1,
        )
        return True
    return False


def _not_due(message: Message, now: datetime) -> None:
    may_come_again = message.kind in message_kinds and message_kinds.get(message.kind).may_come_again
    if may_come_again:
        # Should there be cause again, it can be planned again.
        _mine(message).delete()
    else:
        _end(message, Message.State.DROPPED, "not_due", now)


def _begin(message: Message, channel: Channel, now: datetime) -> bool:
    """The last step before it is handed over; from here on, nobody else ever does. ``False``: it is not to be.

    Locks the message, then the person whose messages of this week are counted: two workers cannot both send the last
    one that is allowed.
    """
    with transaction.atomic():
        if not _mine(message).update(state=Message.State.SENDING, channel=channel.key):
            # The claim ran out, and somebody else has it.
            return False
        if holding.urgency_of(message) == Urgency.EXTRA:
            _lock_person(message)
        if _is_held_back(message, now):
            return False
        _mine(message).update(claimed_until=now + HANDING_OVER)
    message.claimed_until = now + HANDING_OVER
    return True


def _lock_person(message: Message) -> None:
    person: Any = message.recipient()
    rows = type(person)._default_manager.filter(pk=person.pk).select_for_update(no_key=True)
    rows.values_list("pk", flat=True).first()


@sensitive_variables()
def _hand_over(
    message: Message, content: Content, channel: Channel, address: str, told: datetime | None
) -> bool:
    try:
        channel.send(message, content, address)
    except MaybeSent:
        logger.warning("Message %s may have been sent: the connection broke.", message.pk)
        _end(message, Message.State.UNSURE, "", told or timezone.now())
    except Refused as refusal:
        now = told or timezone.now()
        logger.warning("The address of message %s was refused.", message.pk)
        _end(message, Message.State.FAILED, "refused", now)
        if refusal.is_gone and channel.key == EMAIL:
            suppress(address, Suppression.Reason.BOUNCED, now=now)
    except Exception as error:
        _try_again(message, error, "not_taken", told or timezone.now())
    else:
        _end(message, Message.State.SENT, "", told or timezone.now())
        return True
    return False


def _try_again(message: Message, error: Exception, reason: str, now: datetime) -> None:
    # No address in the log: the class of the error says enough.
    logger.warning("Message %s was not handed over (%s).", message.pk, type(error).__name__)
    if message.attempts >= ATTEMPTS:
        _end(message, Message.State.FAILED, reason, now)
        return
    _mine(message).update(
        state=Message.State.PENDING,
        next_attempt_at=now + timedelta(minutes=2**message.attempts),
        claimed_until=None,
    )


def _mine(message: Message) -> QuerySet[Message]:
    """The row, as long as nobody else has the message."""
    return Message.objects.filter(pk=message.pk, state__in=_WORKED_ON, claimed_until=message.claimed_until)


def _end(
    message: Message, state: Message.State, reason: str, now: datetime, *, of: Collection[str] = ()
) -> bool:
    """It is over, one way or the other; what the timeline of its referral says of it comes or goes with that."""
    with transaction.atomic():
        values: dict[str, Any] = {"state": state, "reason": reason}
        if state != Message.State.UNSURE:
            values["claimed_until"] = None
        if state == Message.State.SENT:
            values["sent_at"] = now
        rows = _mine(message)
        if not (rows.filter(state__in=of) if of else rows).update(**values):
            return False
        if message.referral is not None:
            _note(message, state, reason, now)
    return True


def _note(message: Message, state: Message.State, reason: str, now: datetime) -> None:
    kind = {Message.State.SENT: "message", Message.State.UNSURE: "message_unsure"}.get(
        state, "message_not_sent"
    )
    data = {"side": message.data.get("side"), "message": message.kind}
    timeline.record(
        kind,
        referral=message.referral,
        data={**data, "reason": reason} if reason else data,
        # One that was given up, and then tried again by staff, has both.
        key=f"{kind}:{message.pk}",
        now=now,
    )


def try_again(messages: QuerySet[Message], *, now: datetime | None = None) -> int:
    """Let messages that were given up be sent once more, from the first attempt on; how many of these there were."""
    moment = now or timezone.now()
    return messages.filter(state=Message.State.FAILED).update(
        state=Message.State.PENDING, reason="", attempts=0, next_attempt_at=moment, claimed_until=None
    )
