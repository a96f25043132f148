"""Giving credit, taking it back, and corrections by staff."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from wagtail_referrals.credit.books import (
    ZERO,
    Books,
    locked,
    open_account,
    positive,
    posted,
    user_id_of,
    write_together,
)
from wagtail_referrals.credit.errors import InsufficientCredit
from wagtail_referrals.credit.models import Account, Entry, Lot


@transaction.atomic
def grant(
    *,
    user: Any,
    currency: str,
    amount: Decimal,
    key: str,
    source: str = "",
    expires_at: datetime | None = None,
    now: datetime | None = None,
) -> Entry:
    """Give credit in a lot of its own, and pay a shortfall with it.

    ``amount`` is in ``currency``; ``source`` says what it is for ("reward:12"), so that it can be taken back from
    this lot. ``expires_at`` ``None``: never. Idempotent by ``key``, which names one operation on one account: with the
    same key, the entry that is there is returned, whatever else is asked. Locks the account, which is made if there is
    none, then its lots if there is a shortfall. Returns the entry. Raises ``ValueError`` if the amount is not positive,
    or for a deleted user who never had a lot with this source.
    """
    amount = positive(amount, currency)
    account = _account(user, currency, source, key)
    first = posted(key)
    if first is not None:
        return first
    books = Books(account, now or timezone.now())
    entry = _enter(books, amount, key, source=source, expires_at=expires_at)
    books.write()
    return entry


class Grants:
    """Grants into accounts from ``lock_accounts``, collected to be written together: for who settles many.

    From the lock to ``write`` nothing else may move these accounts. Keys are to be new: ``write`` raises
    ``IntegrityError`` where one is not, and then, as with any other error, all of the transaction has to be undone.
    """

    def __init__(self, accounts: Mapping[tuple[Any, str], Account]) -> None:
        self._accounts = accounts
        self._books: dict[int, Books] = {}

    def add(
        self,
        *,
        user: Any,
        currency: str,
        amount: Decimal,
        key: str,
        source: str = "",
        expires_at: datetime | None = None,
        now: datetime,
    ) -> bool:
        """As ``grant``. ``False``, and nothing is done, where the account is none of those that were locked."""
        account = self._accounts.get((user_id_of(user), currency))
        if account is None:
            return False
        books = self._books.setdefault(account.pk, Books(account, now))
        _enter(books, positive(amount, currency), key, source=source, expires_at=expires_at)
        return True

    def write(self) -> None:
        """Three statements, however many grants; one more for each account with a shortfall."""
        write_together(list(self._books.values()))
        self._books = {}


def _enter(books: Books, amount: Decimal, key: str, *, source: str, expires_at: datetime | None) -> Entry:
    lot = books.add_lot(source=source, amount=amount, expires_at=expires_at)
    entry = books.move(Entry.Kind.GRANT, key, lot=lot, amount=amount)
    books.recover(key)
    return entry


@transaction.atomic
def claw_back(
    *,
    user: Any,
    currency: str,
    amount: Decimal,
    key: str,
    source: str = "",
    now: datetime | None = None,
) -> Entry:
    """Take credit back: from the lots with this source, then from those that expire soonest; the rest is a shortfall.

    What expired of the lots with this source, unused, is owed by nobody: a FORGIVEN entry for each of them sets it
    against the shortfall, before others are touched. What is set aside for an order is left alone. ``user`` may be
    ``None`` when the customer was deleted: the account is then the one that has a lot with this source. Idempotent by
    ``key``. Locks the account, then its lots. Returns the first entry; there is one even if everything became a
    shortfall. Raises ``ValueError`` as ``grant`` does.
    """
    amount = positive(amount, currency)
    account = _account(user, currency, source, key)
    first = posted(key)
    if first is not None:
        return first
    books = Books(account, now or timezone.now())
    own = [lot for lot in books.open_lots() if source and lot.source == source]
    others = [lot for lot in books.spendable_lots() if lot not in own]
    missing = books.take(Entry.Kind.CLAWBACK, key, own, amount)
    forgiven = _expired_unused(account, source, missing) if source and missing > 0 else []
    pardoned = sum((part for _lot, part in forgiven), ZERO)
    missing = books.take(Entry.Kind.CLAWBACK, key, others, missing - pardoned)
    if missing + pardoned > 0:
        books.move(Entry.Kind.CLAWBACK, key, shortfall=missing + pardoned)
    for lot, part in forgiven:
        books.move(Entry.Kind.FORGIVEN, key, lot=books.keep(lot), shortfall=-part)
    books.write()
    return _first(key)


def _expired_unused(account: Account, source: str, most: Decimal) -> list[tuple[Lot, Decimal]]:
    """What expired of the lots with this source and was not forgiven before, at most ``most``, the oldest lot first."""
    moved = Entry.objects.filter(
        lot__account_id=account.pk, lot__source=source, kind__in=(Entry.Kind.EXPIRE, Entry.Kind.FORGIVEN)
    )
    lots: dict[int, Lot] = {}
    expired: dict[int, Decimal] = {}
    for entry in moved.select_related("lot").order_by("lot_id", "pk"):
        if entry.lot is not None:
            lots[entry.lot.pk] = entry.lot
            change = entry.shortfall_delta - entry.amount
            expired[entry.lot.pk] = expired.get(entry.lot.pk, ZERO) + change
    found = []
    for pk, left in expired.items():
        part = min(left, most)
        if part > 0:
            most -= part
            found.append((lots[pk], part))
    return found


@transaction.atomic
def adjust(*, user: Any, currency: str, amount: Decimal, key: str, now: datetime | None = None) -> Entry:
    """Correct a balance by ``amount`` (in ``currency``, negative to take). Who and why belong in the caller's log.

    Credit that is added never expires and pays a shortfall first. Idempotent by ``key``. Locks the account, which is
    made if there is none, then its lots. Returns the first entry. Raises ``InsufficientCredit`` when more is to be
    taken than is available, ``ValueError`` for an amount of zero.
    """
    size = positive(abs(amount), currency)
    account = _account(user, currency, "", key)
    first = posted(key)
    if first is not None:
        return first
    books = Books(account, now or timezone.now())
    if amount > 0:
        lot = books.add_lot(source="", amount=size, expires_at=None)
        books.move(Entry.Kind.ADJUST, key, lot=lot, amount=size)
        books.recover(key)
    else:
        available = books.available()
        if available < size:
            raise InsufficientCredit(available, currency)
        books.take(Entry.Kind.ADJUST, key, books.spendable_lots(), size)
    books.write()
    return _first(key)


def _account(user: Any, currency: str, source: str, key: str) -> Account:
    """The customer's account, locked, made if need be; of a deleted customer, that of the key or of the source."""
    user_id = user_id_of(user)
    if user_id is not None:
        return open_account(user_id, currency)
    first = posted(key)
    if first is not None:
        return locked(Account.objects.filter(pk=first.account_id)).get()
    lots = Lot.objects.filter(source=source, account__currency=currency) if source else Lot.objects.none()
    account_id = lots.order_by("-pk").values_list("account_id", flat=True).first()
    if account_id is None:
        raise ValueError("There is no account without a user for this source.")
    return locked(Account.objects.filter(pk=account_id)).get()


def _first(key: str) -> Entry:
    return Entry.objects.get(key=key, part=0)
