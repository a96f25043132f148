"""Credit that is about to expire, by the last day on which it can be used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import groupby

from django.utils import timezone

from wagtail_referrals.credit.accounts import expiring_lots
from wagtail_referrals.credit.models import Account, Lot

CHUNK = 2000


@dataclass(frozen=True)
class Ending:
    """What expires together: everything of one account that can be used on ``day`` for the last time.

    ``amount`` (Decimal, in the account's unit) is without what is set aside for payments under way. ``days_to_live``
    is how many days before ``day`` the oldest of it was given.
    """

    account: Account
    day: date
    amount: Decimal
    days_to_live: int


def last_day(expires_at: datetime) -> date:
    """The last day, in the site's time zone, on which credit that expires then can be used."""
    # What expires at midnight cannot be used on the day that begins then.
    return timezone.localtime(expires_at - timedelta(microseconds=1)).date()


def end_of_day(day: date) -> datetime:
    """The moment after which ``day`` is over in the site's time zone."""
    return timezone.make_aware(datetime.combine(day + timedelta(days=1), time.min))


def endings_of(account: Account, *, until: date, now: datetime | None = None) -> list[Ending]:
    """What of this account expires on or before ``until`` and not yet, the soonest first. One query."""
    return list(_together(expiring_lots(until=end_of_day(until), account=account, now=now)))


def all_endings(*, until: date, now: datetime | None = None) -> Iterator[Ending]:
    """The same for every customer, by account, with ``account.user``. One query, read bit by bit."""
    lots = expiring_lots(until=end_of_day(until), now=now).filter(account__user__isnull=False)
    lots = lots.select_related("account__user").order_by("account_id", "expires_at", "pk")
    return _together(lots.iterator(chunk_size=CHUNK))


def _together(lots: Iterable[Lot]) -> Iterator[Ending]:
    for (_, day), rows in groupby(lots, key=lambda lot: (lot.account_id, _day_of(lot))):
        same = list(rows)
        yield Ending(
            account=same[0].account,
            day=day,
            amount=sum((lot.remaining - lot.reserved for lot in same), Decimal(0)),
            days_to_live=max((day - timezone.localtime(lot.created_at).date()).days for lot in same),
        )


def _day_of(lot: Lot) -> date:
    assert lot.expires_at is not None, "only lots that expire are asked for"
    return last_day(lot.expires_at)
