"""When the periods of a membership run: one after the other. Pure: no database, no clock."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from oscar_integration.memberships.models import Unit


@dataclass(frozen=True)
class Link:
    """One period as it was bought or given. ``uses``: how many times, ``None`` as often as one likes.

    ``counts_from``: when it was paid or given; it runs from then, or from the end of the one before it. ``used_at``:
    the uses that count, earliest first. ``ends_used_up``: it is over with its last use, as a pass is; what renews by
    itself is not, and has new uses in its next period.
    """

    id: int
    length: int
    unit: str
    uses: int | None
    counts_from: datetime
    taken_back_at: datetime | None = None
    used_at: tuple[datetime, ...] = ()
    ends_used_up: bool = True


@dataclass(frozen=True)
class Span:
    """When a period runs; ``whole`` unless it was cut short: taken back or used up. ``uses_left`` as ``Link.uses``."""

    id: int
    starts_at: datetime
    ends_at: datetime
    uses_left: int | None
    whole: bool
    used_up: bool


def end_of(start: datetime, length: int, unit: str, zone: tzinfo, anchor: datetime | None = None) -> datetime:
    """The end of a period that begins at ``start``: at the same time of day in ``zone``.

    ``anchor``: the local date and time at which the first of several periods without a gap began, ``start`` if this is
    the first. So 31 January leads by 28 February to 31 March, and a time of day that a clock skips once comes back.
    """
    began = anchor or _local(start, zone)
    day = _local(start, zone).date()
    if unit == Unit.DAYS:
        day += timedelta(days=length)
    else:
        years, month = divmod(day.month - 1 + length, 12)
        year, month = day.year + years, month + 1
        day = date(year, month, min(began.day, monthrange(year, month)[1]))
    return datetime.combine(day, began.time(), zone).astimezone(UTC)


def _local(moment: datetime, zone: tzinfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def run(links: Iterable[Link], zone: tzinfo) -> list[Span]:
    """When each runs, in the order in which they count. One that was taken back before its turn has none."""
    spans: list[Span] = []
    last: datetime | None = None
    anchor: datetime | None = None
    for link in sorted(links, key=lambda link: (link.counts_from, link.id)):
        start = link.counts_from if last is None else max(last, link.counts_from)
        if link.taken_back_at is not None and link.taken_back_at <= start:
            continue
        if start != last or anchor is None:
            anchor = _local(start, zone)
        natural = end_of(start, link.length, link.unit, zone, anchor)
        end, used_up = natural, False
        if link.taken_back_at is not None:
            end = min(end, link.taken_back_at)
        if link.ends_used_up and link.uses is not None and len(link.used_at) >= link.uses:
            last_use = link.used_at[link.uses - 1]
            # Whoever came at the last moment of it came in it.
            if start <= last_use <= end:
                end, used_up = last_use, True
        left = None if link.uses is None else max(link.uses - len(link.used_at), 0)
        spans.append(Span(link.id, start, end, left, end == natural, used_up))
        if end != natural:
            anchor = None
        elif link.unit == Unit.DAYS:
            anchor = datetime.combine(_local(end, zone).date(), anchor.time())
        last = end
    return spans
