"""What holds a message back: quiet hours, and the most that a person is sent in seven days."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Q

from wagtail_referrals.messages.kinds import Urgency, message_kinds
from wagtail_referrals.messages.models import Message, Preferences
from wagtail_referrals.messages.surroundings import site_of

WEEK: Final = timedelta(days=7)
# What nobody came to send for so long is not made to wait for another morning.
LATE: Final = timedelta(hours=12)


@dataclass(frozen=True)
class Limits:
    """Of a site. ``None``: none. From ``quiet_from`` until before ``quiet_until``, by the reader's clock."""

    quiet_from: time | None = None
    quiet_until: time | None = None
    most_a_week: int | None = None


_limits: Final[list[Callable[[int | None], Limits]]] = []


def register_limits(ask: Callable[[int | None], Limits]) -> None:
    """Let the settings of a site, by its key, say what holds its messages back. Without any, nothing does."""
    if ask not in _limits:
        _limits.append(ask)


def limits_of(site_id: int | None) -> Limits:
    return _limits[0](site_id) if _limits else Limits()


def urgency_of(message: Message) -> Urgency:
    """Of a kind that nobody has registered: nothing holds it back."""
    return message_kinds.get(message.kind).urgency if message.kind in message_kinds else Urgency.AT_ONCE


def hold_until(message: Message, now: datetime) -> datetime | None:
    """When it may be sent, later than ``now``; ``None``: now. An aware moment. At most 5 queries.

    Quiet hours do not hold back what could have been sent ``LATE`` ago and was not: where sweeps come at night only, it
    would never be sent.

    The most in seven days is counted without a lock here: see ``delivery``, which asks again under one.
    """
    urgency = urgency_of(message)
    if urgency == Urgency.AT_ONCE:
        return None
    site = site_of(message)
    limits = limits_of(site.pk if site is not None else None)
    earliest = now
    if urgency == Urgency.EXTRA and limits.most_a_week:
        earliest = max(now, _free_again(message, limits.most_a_week, now))
    is_late = message.next_attempt_at is not None and now - message.next_attempt_at >= LATE
    if limits.quiet_from is not None and limits.quiet_until is not None and not is_late:
        earliest = after_quiet_hours(earliest, time_zone_of(message), limits.quiet_from, limits.quiet_until)
    return earliest if earliest > now else None


def _free_again(message: Message, most: int, now: datetime) -> datetime:
    """From when fewer than ``most`` are within the seven days before: ``now``, if it is so already."""
    extra = [kind.key for kind in message_kinds if kind.urgency == Urgency.EXTRA]
    # What may have been sent counts as if it was: what is being handed over, and what nobody knows of.
    began = Q(state__in=[Message.State.SENDING, Message.State.UNSURE], claimed_until__gt=now - WEEK)
    rows = (
        Message.objects.filter(Q(state=Message.State.SENT, sent_at__gt=now - WEEK) | began, kind__in=extra)
        .filter(user=message.user_id, lead=message.lead_id)
        .exclude(pk=message.pk)
        .values_list("sent_at", "claimed_until")
    )
    moments = sorted((moment for row in rows if (moment := row[0] or row[1]) is not None), reverse=True)
    return moments[most - 1] + WEEK if len(moments) >= most else now


def time_zone_of(message: Message) -> tzinfo:
    """The reader's, as they chose it; else the shop's. A name that this machine does not know is the shop's, too."""
    name = (
        Preferences.objects.filter(user=message.user_id).values_list("time_zone", flat=True).first()
        if message.user_id is not None
        else ""
    )
    return _zone(name) or ZoneInfo(settings.TIME_ZONE)


def _zone(name: str | None) -> ZoneInfo | None:
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError, TypeError):
        # Unknown (a KeyError), a path out of the database, a folder of it, or no text at all.
        return None


def after_quiet_hours(moment: datetime, zone: tzinfo, quiet_from: time, quiet_until: time) -> datetime:
    """``moment``, or when the quiet hours are over, if it is within them there.

    Through a change of the clocks too: an end that comes twice is over once it came, until the clocks are set back into
    quiet hours; one that is skipped comes as much later as the clocks are set forward.
    """
    if not _is_quiet(moment, zone, quiet_from, quiet_until):
        return moment
    ends = (end for end in _ends(moment, zone, quiet_until) if end > moment)
    allowed = (end for end in ends if not _is_quiet(end, zone, quiet_from, quiet_until))
    # Quiet hours that leave no minute of a day for a whole week hold nothing back.
    return min(allowed, default=moment)


def _is_quiet(moment: datetime, zone: tzinfo, quiet_from: time, quiet_until: time) -> bool:
    wall = moment.astimezone(zone).time()
    if quiet_from <= quiet_until:
        return quiet_from <= wall < quiet_until
    # Over midnight.
    return wall >= quiet_from or wall < quiet_until


def _ends(moment: datetime, zone: tzinfo, quiet_until: time) -> Iterator[datetime]:
    """When the clocks there show the end of the quiet hours, in the week from the day before: twice where they do."""
    day = moment.astimezone(zone).date()
    for days in range(-1, 8):
        for fold in (0, 1):
            wall = datetime.combine(day + timedelta(days=days), quiet_until, tzinfo=zone)
            yield wall.replace(fold=fold).astimezone(moment.tzinfo)
