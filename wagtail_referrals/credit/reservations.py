"""Setting credit aside for the payment of an order, spending it, freeing it.

A reservation is one attempt to pay an order: Oscar reuses the order number when the customer tries again. Only the
last attempt of an order can be active or captured.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from wagtail_referrals.credit.books import (
    ZERO,
    Books,
    account_of_order,
    find_account,
    free,
    last_reservation,
    locked,
    open_lots_of,
    positive,
    set_aside_for,
    share,
    user_id_of,
)
from wagtail_referrals.credit.errors import InsufficientCredit
from wagtail_referrals.credit.models import Account, Entry, Lot, Reservation
from wagtail_referrals.credit.money import is_money

State = Reservation.State


class _HeldElsewhere(Exception):
    """Another account has set credit aside for this order: both must be locked, in their order."""

    def __init__(self, accounts: set[int]) -> None:
        self.accounts = accounts


class _LookClosely(Exception):
    """Not the usual case: an attempt before this one, or maybe not enough."""


def reserve(
    *,
    user: Any,
    currency: str,
    amount: Decimal,
    order_number: str,
    expires_at: datetime,
    sources: Collection[str] | None = None,
    now: datetime | None = None,
) -> Reservation:
    """Set credit aside for an order, from what expires soonest; with ``sources`` only credit that came from these.

    The order number is the natural key, with the attempt: "<order>:<n>". The same amount again: the active reservation,
    which now lives until the later of the two times. Another amount: the active one is released and a new attempt
    takes its place. Credit that another account had set aside for the order is released. Once captured, the captured
    one is returned whatever the amount.

    Locks the account (two of them by primary key, where another held the order's credit), the reservation that is
    replaced, then the lots. Returns the reservation. Raises ``InsufficientCredit``, which leaves everything as it was,
    and ``ValueError`` for an amount that is not positive, or in points, which pay for no order.
    """
    if not is_money(currency):
        raise ValueError(f"{currency} is no currency: it cannot pay for an order")
    amount = positive(amount, currency)
    moment = now or timezone.now()
    user_id = user_id_of(user)
    involved: set[int] = set()
    account: Account | None = None
    try:
        with transaction.atomic():
            return _first_attempt(user_id, currency, amount, order_number, expires_at, sources, moment)
    except (_LookClosely, IntegrityError):
        # Unusual, or an attempt of this order was committed while this one waited for the account.
        pass
    while True:
        # The savepoint gives the locks back: an account that turns out to be involved is locked in its order.
        try:
            with transaction.atomic():
                others = (
                    {row.pk: row for row in locked(Account.objects.filter(pk__in=involved).order_by("pk"))}
                    if involved
                    else {}
                )
                account = find_account(user_id, currency)
                if account is None:
                    raise InsufficientCredit(ZERO, currency)
                return _reserve(account, others, amount, order_number, expires_at, sources, moment)
        except _HeldElsewhere as held:
            involved |= held.accounts
        except IntegrityError:
            # Another account has just set credit aside for this order.
            last = last_reservation(order_number)
            if account is None or last is None or last.account_id in {account.pk, *involved}:
                raise
            involved |= {account.pk, last.account_id}


def _first_attempt(
    user_id: Any,
    currency: str,
    amount: Decimal,
    order_number: str,
    expires_at: datetime,
    sources: Collection[str] | None,
    moment: datetime,
) -> Reservation:
    """The usual case, with one read: enough is there, and the order had no attempt before. Else ``_LookClosely``.

    Raises ``IntegrityError`` when there was one after all.
    """
    lots = open_lots_of(user_id, currency, order_number) if user_id is not None else []
    if not lots or lots[0].attempt is not None:  # type: ignore[attr-defined]
        raise _LookClosely
    books = Books(lots[0].account, moment)
    books.know(lots)
    usable = _usable(books, sources)
    if _sum_of(usable) < amount:
        raise _LookClosely
    return _set_aside(books, usable, order_number, 1, amount, expires_at)


def _reserve(
    account: Account,
    others: dict[int, Account],
    amount: Decimal,
    order_number: str,
    expires_at: datetime,
    sources: Collection[str] | None,
    moment: datetime,
) -> Reservation:
    last = last_reservation(order_number)
    books = Books(account, moment)
    attempt = 1
    if last is not None:
        if last.state == State.CAPTURED:
            return last
        if last.state == State.ACTIVE and last.account_id == account.pk:
            if last.amount == amount:
                return _prolong(last, expires_at)
            _free(books, last, State.RELEASED)
        elif last.state == State.ACTIVE:
            if last.account_id not in others:
                raise _HeldElsewhere({account.pk, last.account_id})
            theirs = Books(others[last.account_id], moment)
            _free(theirs, last, State.RELEASED)
            theirs.write()
        attempt = int(last.key.rpartition(":")[2]) + 1
    usable = _usable(books, sources)
    available = _sum_of(usable)
    if available < amount:
        raise InsufficientCredit(available, account.currency)
    return _set_aside(books, usable, order_number, attempt, amount, expires_at)


def _usable(books: Books, sources: Collection[str] | None) -> list[Lot]:
    return [lot for lot in books.spendable_lots() if sources is None or lot.source in sources]


def _sum_of(lots: Iterable[Lot]) -> Decimal:
    return sum((free(lot) for lot in lots), ZERO)


def _set_aside(
    books: Books, lots: list[Lot], order_number: str, attempt: int, amount: Decimal, expires_at: datetime
) -> Reservation:
    """Write the attempt; that much is there in ``lots``."""
    reservation = Reservation(
        account=books.account,
        order_number=order_number,
        key=f"{order_number}:{attempt}",
        amount=amount,
        created_at=books.now,
        expires_at=expires_at,
    )
    key = f"reserve:{reservation.key}"
    for lot, part in share(amount, lots):
        books.move(Entry.Kind.RESERVE, key, lot=lot, reserved=part, reservation=reservation)
    reservation.save(force_insert=True)
    books.write()
    return reservation


def capture(*, order_number: str, now: datetime | None = None, savepoint: bool = True) -> Reservation | None:
    """Spend what was set aside for an order that has been placed.

    The order number is the natural key: captured before, that reservation is returned. Where the reservation
    expired or was released although the order was placed, what is available is spent after all, and the rest becomes
    a shortfall: never raises ``InsufficientCredit``. ``None`` if no credit was ever set aside, or if the customer
    chose to pay without it (``withdraw``). ``spent_now`` of the answer is True for the call that spent it. Locks the
    account, the reservation, then the lots.

    ``savepoint=False`` saves a caller two statements who gives up their own transaction or savepoint when this fails.
    """
    with transaction.atomic(savepoint=savepoint):
        return _capture(order_number, now or timezone.now())


def _capture(order_number: str, moment: datetime) -> Reservation | None:
    attempts = set_aside_for(order_number)
    if not attempts:
        return None
    held = [part for part in attempts if part.reservation.state == State.ACTIVE]
    if held:
        # The usual case.
        books, active = Books(held[0].account, moment), held[0].reservation
        _spend(books, active, [(books.keep(part.lot), part.amount) for part in held])
        return _captured(books, active)
    account = account_of_order(order_number)
    reservation = last_reservation(order_number) if account is not None else None
    if account is None or reservation is None or reservation.state == State.WITHDRAWN:
        return None
    if reservation.state == State.CAPTURED:
        return reservation
    books = Books(account, moment)
    key = f"capture:{reservation.key}"
    if reservation.state == State.ACTIVE:
        _spend(books, reservation, _held(books, reservation))
    else:
        # Also from what has expired since and was not swept yet: it was good when it was set aside.
        lots = books.open_lots()
        missing = books.take(Entry.Kind.CAPTURE, key, lots, reservation.amount, reservation=reservation)
        if missing > 0:
            books.move(Entry.Kind.CAPTURE, key, shortfall=missing, reservation=reservation)
    return _captured(books, reservation)


@transaction.atomic
def release(*, order_number: str, now: datetime | None = None) -> Reservation | None:
    """Free what was set aside for an order whose payment failed, and pay a shortfall with it.

    The order number is the natural key: one that is not active stays as it is. Locks the account, then the lots.
    Returns the order's last reservation, ``None`` if there is none.
    """
    return _end(order_number, State.RELEASED, now)


@transaction.atomic
def withdraw(*, order_number: str, now: datetime | None = None) -> Reservation | None:
    """The customer pays this order without credit: as ``release``, and a later ``capture`` finds nothing to spend.

    Also for a reservation that expired or was released before. One that is captured stays as it is. A new ``reserve``
    starts over. The order number is the natural key. Locks and returns as ``release`` does.
    """
    reservation = _end(order_number, State.WITHDRAWN, now)
    if reservation is not None and reservation.state in (State.RELEASED, State.EXPIRED):
        _set_state(reservation, State.WITHDRAWN)
    return reservation


def active_reservation(order_number: str) -> Reservation | None:
    """What is set aside for this order now, with its account."""
    return (
        Reservation.objects.filter(order_number=order_number, state=State.ACTIVE)
        .select_related("account")
        .first()
    )


def end_overdue(account: Account, now: datetime) -> int:
    """Let the account's reservations that are past their time expire; how many. The account is locked by the caller."""
    overdue = Reservation.objects.filter(account_id=account.pk, state=State.ACTIVE, expires_at__lte=now)
    books = Books(account, now)
    count = 0
    for reservation in overdue.order_by("pk"):
        _free(books, reservation, State.EXPIRED)
        count += 1
    if count:
        books.write()
    return count


def _end(order_number: str, state: Reservation.State, now: datetime | None) -> Reservation | None:
    account = account_of_order(order_number)
    reservation = last_reservation(order_number) if account is not None else None
    if account is not None and reservation is not None and reservation.state == State.ACTIVE:
        books = Books(account, now or timezone.now())
        _free(books, reservation, state)
        books.write()
    return reservation


def _free(books: Books, reservation: Reservation, state: Reservation.State) -> None:
    """Free what is set aside and pay a shortfall with it; the caller writes the books."""
    key = f"release:{reservation.key}"
    held = _held(books, reservation)
    for lot, amount in held:
        books.move(Entry.Kind.RELEASE, key, lot=lot, reserved=-amount, reservation=reservation)
    books.recover(key, freed=[lot for lot, _amount in held])
    _set_state(reservation, state)


def _held(books: Books, reservation: Reservation) -> list[tuple[Lot, Decimal]]:
    """The lots of an active reservation with what is set aside in each, as its entries say."""
    lots = Lot.objects.filter(entries__reservation_id=reservation.pk, entries__kind=Entry.Kind.RESERVE)
    rows = lots.annotate(held=F("entries__reserved_delta")).order_by(
        F("expires_at").asc(nulls_last=True), "pk"
    )
    return [(books.keep(row), row.held) for row in locked(rows)]


def _spend(books: Books, reservation: Reservation, held: Iterable[tuple[Lot, Decimal]]) -> None:
    """Spend what is set aside; the caller writes the books."""
    key = f"capture:{reservation.key}"
    for lot, amount in held:
        books.move(
            Entry.Kind.CAPTURE, key, lot=lot, amount=-amount, reserved=-amount, reservation=reservation
        )


def _captured(books: Books, reservation: Reservation) -> Reservation:
    books.write()
    _set_state(reservation, State.CAPTURED)
    reservation.spent_now = True
    return reservation


def _prolong(reservation: Reservation, expires_at: datetime) -> Reservation:
    if expires_at > reservation.expires_at:
        reservation.expires_at = expires_at
        Reservation.objects.filter(pk=reservation.pk).update(expires_at=expires_at)
    return reservation


def _set_state(reservation: Reservation, state: Reservation.State) -> Reservation:
    reservation.state = state
    Reservation.objects.filter(pk=reservation.pk).update(state=state)
    return reservation
