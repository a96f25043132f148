"""Giving back credit that an order was paid with."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from wagtail_referrals.credit.books import (
    ZERO,
    Books,
    account_of_order,
    last_reservation,
    positive,
    posted,
)
from wagtail_referrals.credit.errors import NothingToRefund
from wagtail_referrals.credit.models import Entry, Lot, Reservation

# Credit that comes back into a lot that has expired can be spent for this long.
SECOND_LIFE = timedelta(days=30)


@transaction.atomic
def refund(*, order_number: str, amount: Decimal, key: str, now: datetime | None = None) -> Entry:
    """Give back credit that an order was paid with, into the lots it came from, last spent first.

    ``amount`` is in the order's currency and is held to what was captured and not given back yet. A part of the order
    that was paid by a shortfall reduces the shortfall; if that has been recovered meanwhile, it is new credit that
    does not expire. An expired lot that gets something back lives for 30 more days from ``now``. What is still to
    recover is taken from it. Idempotent by ``key``: an order may be refunded in parts, each under a key of its own.
    Locks the account that paid, then its lots. Returns the first entry.

    Raises ``NothingToRefund`` if nothing is left to give back, ``ValueError`` for an amount that is not positive.
    """
    account = account_of_order(order_number)
    first = posted(key)
    if first is not None:
        return first
    reservation = last_reservation(order_number) if account is not None else None
    if account is None or reservation is None or reservation.state != Reservation.State.CAPTURED:
        raise NothingToRefund(f"Order {order_number} was not paid with credit.")
    amount = positive(amount, account.currency)
    spent = _spent(reservation)
    amount = min(amount, sum(spent.values(), ZERO))
    if amount <= 0:
        raise NothingToRefund(f"What order {order_number} was paid with in credit has been given back.")

    books = Books(account, now or timezone.now())
    lots = {
        lot.pk: lot
        for lot in books.read(Lot.objects.filter(pk__in=[pk for pk in spent if pk]).order_by("pk"))
    }
    # As it was spent soonest to expire first, what comes back first lives longest.
    for lot_id, most in reversed(spent.items()):
        part = min(amount, most)
        if part <= 0:
            continue
        amount -= part
        if lot_id is None:
            _refund_shortfall(books, key, part, reservation)
            continue
        lot = lots[lot_id]
        if books.lapsed(lot):
            # What else is in it has expired for good, whether the sweep has been there or not.
            books.expire(lot)
            lot.expires_at = books.now + SECOND_LIFE
        books.move(Entry.Kind.REFUND, key, lot=lot, amount=part, reservation=reservation)
    books.recover(key)
    books.write()
    return Entry.objects.get(key=key, part=0)


def captured_amount(order_number: str) -> Decimal:
    """How much of an order is paid with credit, in its currency, without what was given back. Two queries at most."""
    reservation = last_reservation(order_number)
    if reservation is None or reservation.state != Reservation.State.CAPTURED:
        return ZERO
    return sum(_spent(reservation).values(), ZERO)


def _refund_shortfall(books: Books, key: str, amount: Decimal, reservation: Reservation) -> None:
    owed = min(amount, books.account.shortfall)
    if owed > 0:
        books.move(Entry.Kind.REFUND, key, shortfall=-owed, reservation=reservation)
    if amount > owed:
        lot = books.add_lot(source="", amount=amount - owed, expires_at=None)
        books.move(Entry.Kind.REFUND, key, lot=lot, amount=amount - owed, reservation=reservation)


def _spent(reservation: Reservation) -> dict[int | None, Decimal]:
    """What the order took from each lot, in that order, without what came back; ``None`` is its shortfall."""
    moved = Entry.objects.filter(
        Q(kind=Entry.Kind.CAPTURE) | Q(kind=Entry.Kind.REFUND), reservation_id=reservation.pk
    ).order_by("pk")
    spent: dict[int | None, Decimal] = {}
    for entry in moved:
        change = entry.shortfall_delta - entry.amount
        if entry.kind == Entry.Kind.CAPTURE:
            spent[entry.lot_id] = spent.get(entry.lot_id, ZERO) + change
        else:
            # A lot that the order did not spend from was made to give back its shortfall.
            lot_id = entry.lot_id if entry.lot_id in spent else None
            spent[lot_id] = spent.get(lot_id, ZERO) + change
    return spent
