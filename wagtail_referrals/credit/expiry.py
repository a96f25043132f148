"""What ends by the clock: lots and reservations. Called by the sweep, any number at once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from wagtail_referrals.credit.books import Books, locked
from wagtail_referrals.credit.models import Account, Lot, Reservation
from wagtail_referrals.credit.reservations import end_overdue

logger = logging.getLogger("wagtail_referrals")


def expire(*, now: datetime | None = None) -> int:
    """Take what is left, and not set aside, in lots that are past their time; the number of lots.

    The natural key is the lot, and how often something expired in it: "expire:<lot>:<n>". One transaction per account;
    locks the account, then its lots. An account that is busy is left to the next call.
    """
    moment = now or timezone.now()
    due = Lot.objects.filter(expires_at__lte=moment, remaining__gt=0).filter(remaining__gt=F("reserved"))
    return _for_each_account(due, moment, _end_lots)


def expire_reservations(*, now: datetime | None = None) -> int:
    """Free what payments that neither succeeded nor failed have set aside for too long; the number of reservations.

    The natural key is the reservation, which ends once. One transaction per account; locks the account, then its lots.
    An account that is busy is left to the next call. A shortfall is paid with what was freed.
    """
    moment = now or timezone.now()
    overdue = Reservation.objects.filter(state=Reservation.State.ACTIVE, expires_at__lte=moment)
    return _for_each_account(overdue, moment, end_overdue)


def _end_lots(account: Account, now: datetime) -> int:
    books = Books(account, now)
    count = sum(books.expire(lot) for lot in books.open_lots() if books.lapsed(lot))
    if count:
        books.write()
    return count


def _for_each_account(
    rows: QuerySet[Lot] | QuerySet[Reservation], now: datetime, work: Callable[[Account, datetime], int]
) -> int:
    """Do the work for each account of these rows; one that fails is logged and does not keep the others waiting."""
    done = 0
    for account_id in sorted(set(rows.values_list("account_id", flat=True))):
        try:
            with transaction.atomic():
                account = locked(Account.objects.filter(pk=account_id), skip_locked=True).first()
                if account is not None:
                    done += work(account, now)
        except Exception:
            logger.exception("Credit account %s could not be brought up to date.", account_id)
    return done
