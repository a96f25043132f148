"""One account opened for one operation: the locks, and the only place that changes an amount.

Every change goes through ``Books.move``, which writes the entry and the sums together: they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from django.db import connections, models, router
from django.db.models import F, QuerySet, Subquery

from wagtail_referrals.credit.models import Account, Entry, Lot, Reservation
from wagtail_referrals.credit.money import has_lost_decimals, quantize
from wagtail_referrals.credit.prepared import PreparedRead
from wagtail_referrals.credit.together import update_together

ZERO = Decimal("0.00")
Row = TypeVar("Row", bound=models.Model)


def locked(
    rows: QuerySet[Row], *, skip_locked: bool = False, of: tuple[str, ...] = ("self",)
) -> QuerySet[Row]:
    """``rows`` locked for change, without keeping others from writing rows that refer to them.

    A plain FOR UPDATE would wait for every transaction that inserted an entry of the account, and the other way
    round. ``of`` names what is locked of each row, in this order: PostgreSQL locks it as it is named.
    """
    features = connections[router.db_for_write(rows.model)].features
    return rows.select_for_update(
        no_key=features.has_select_for_no_key_update,
        of=of if features.has_select_for_update_of else (),
        skip_locked=skip_locked and features.has_select_for_update_skip_locked,
    )


def user_id_of(user: Any) -> int | str | None:
    """The primary key of a user; ``None`` for nobody, for an anonymous visitor and for a deleted user."""
    return getattr(user, "pk", None)


def find_account(user_id: Any, currency: str) -> Account | None:
    """The account, locked; ``None`` if there is none."""
    if user_id is None:
        return None
    return next(iter(_one_account(user_id=user_id, currency=currency)), None)


def _account_of(user_id: Any, currency: Any) -> QuerySet[Account]:
    return locked(Account.objects.filter(user_id=user_id, currency=currency))


_one_account = PreparedRead(
    Account,
    _account_of,
    user_id=Account._meta.get_field("user"),
    currency=Account._meta.get_field("currency"),
)


def open_account(user_id: Any, currency: str) -> Account:
    """The account, made if there is none, locked. Also when two transactions make it at once."""
    account = find_account(user_id, currency)
    if account is None:
        # ON CONFLICT DO NOTHING: waits for whoever is making it, and leaves the transaction usable.
        Account.objects.bulk_create([Account(user_id=user_id, currency=currency)], ignore_conflicts=True)
        account = locked(Account.objects.filter(user_id=user_id, currency=currency)).get()
    return account


def account_of_order(order_number: str) -> Account | None:
    """The account that set credit aside for this order, locked; the last one if there were several."""
    numbered = Reservation.objects.filter(order_number=order_number)
    accounts = list(
        locked(Account.objects.filter(pk__in=numbered.order_by().values("account_id")).order_by("pk"))
    )
    if len(accounts) < 2:
        return accounts[0] if accounts else None
    last = numbered.order_by("-pk").values_list("account_id", flat=True)[0]
    return next(account for account in accounts if account.pk == last)


def open_lots_of(user_id: Any, currency: str, order_number: str) -> list[Lot]:
    """Lots that are not used up, soonest to expire first, with their account, which is locked before them.

    ``attempt`` of each says whether this order had an attempt to pay with credit when the statement began. What was
    committed while it waited for the account is in the rows, but neither there nor among the lots that came since:
    where something is missing, ask again under the lock.
    """
    return _open_lots(user_id=user_id, currency=currency, order_number=order_number)


def _open_lots_of(user_id: Any, currency: Any, order_number: Any) -> QuerySet[Lot]:
    attempts = Reservation.objects.filter(order_number=order_number).order_by().values("pk")[:1]
    lots = Lot.objects.filter(account__user_id=user_id, account__currency=currency, remaining__gt=0)
    rows = lots.select_related("account").annotate(attempt=Subquery(attempts))
    return locked(rows.order_by(F("expires_at").asc(nulls_last=True), "pk"), of=("account", "self"))


_open_lots = PreparedRead(
    Lot,
    _open_lots_of,
    user_id=Account._meta.get_field("user"),
    currency=Account._meta.get_field("currency"),
    order_number=Reservation._meta.get_field("order_number"),
)


class Held(NamedTuple):
    """What one attempt to pay an order set aside in one lot."""

    account: Account
    reservation: Reservation
    lot: Lot
    amount: Decimal


def set_aside_for(order_number: str) -> list[Held]:
    """What was ever set aside for this order, soonest to expire first, with the rows locked in the order of ``Held``.

    Empty if nothing ever was. A reservation that is active is the last one. Where none is, ask again under the lock:
    another may have come while the statement waited for it.
    """
    return [
        Held(entry.account, entry.reservation, entry.lot, entry.reserved_delta)
        for entry in _set_aside(order_number=order_number)
        if entry.reservation is not None and entry.lot is not None
    ]


def _set_aside_for(order_number: Any) -> QuerySet[Entry]:
    # The comparison is always true. It makes the join an inner one: PostgreSQL locks no rows that may be missing.
    entries = Entry.objects.filter(
        reservation__order_number=order_number, kind=Entry.Kind.RESERVE, lot__account=F("account")
    )
    rows = entries.select_related("account", "reservation", "lot").order_by(
        "account", F("lot__expires_at").asc(nulls_last=True), "lot"
    )
    return locked(rows, of=("account", "reservation", "lot"))


_set_aside = PreparedRead(Entry, _set_aside_for, order_number=Reservation._meta.get_field("order_number"))


def last_reservation(order_number: str) -> Reservation | None:
    """The last attempt to pay this order with credit. Only this one can be active or captured."""
    return Reservation.objects.filter(order_number=order_number).order_by("-pk").first()


def posted(key: str) -> Entry | None:
    """The first entry with this key. Ask under the account's lock."""
    return Entry.objects.filter(key=key, part=0).first()


def positive(amount: Decimal, currency: str) -> Decimal:
    """``amount`` rounded. Raises ``ValueError`` unless something is left, and where rounding would lose money.

    That is in currencies with three decimals: the third one cannot be kept, and is not thrown away in silence.
    """
    rounded = quantize(amount, currency)
    if has_lost_decimals(currency) and rounded != amount:
        raise ValueError(f"Credit in {currency} is kept with two decimals, as Oscar does, not {amount}.")
    if rounded <= 0:
        raise ValueError(f"An amount of credit must be positive, not {amount} {currency}.")
    return rounded


class Books:
    """A locked account, those of its lots that matter, and the entries that one operation is about to write.

    Nothing reaches the database before ``write``. Whoever holds the account's lock is alone with its lots, so the
    order among lots is a matter of spending, not of deadlocks.
    """

    def __init__(self, account: Account, now: datetime) -> None:
        self.account = account
        self.now = now
        self._lots: dict[int, Lot] = {}
        self._new_lots: list[Lot] = []
        self._changed: dict[int, Lot] = {}
        self._entries: list[Entry] = []
        self._parts: dict[str, int] = {}
        self._all_open = False

    def read(self, lots: QuerySet[Lot]) -> list[Lot]:
        """Lock and return lots of this account."""
        return [self.keep(lot) for lot in locked(lots)]

    def keep(self, lot: Lot) -> Lot:
        """The lot as this operation knows it: one that was read before has been changed since."""
        return self._lots.setdefault(lot.pk, lot)

    def know(self, lots: Iterable[Lot]) -> None:
        """All that is not used up, as it has just been read and locked."""
        for lot in lots:
            self.keep(lot)
        self._all_open = True

    def open_lots(self) -> list[Lot]:
        """What is not used up, soonest to expire first."""
        if not self._all_open:
            mine = Lot.objects.filter(account_id=self.account.pk, remaining__gt=0)
            self.read(mine.order_by(F("expires_at").asc(nulls_last=True), "pk"))
            self._all_open = True
        lots = [*self._lots.values(), *self._new_lots]
        return sorted(
            (lot for lot in lots if lot.remaining > 0),
            key=lambda lot: (lot.expires_at is None, lot.expires_at or self.now, lot.pk or float("inf")),
        )

    def spendable_lots(self) -> list[Lot]:
        """Open lots that are not past their time, whether the sweep has been there or not."""
        return [lot for lot in self.open_lots() if not self.lapsed(lot)]

    def lapsed(self, lot: Lot) -> bool:
        return lot.expires_at is not None and lot.expires_at <= self.now

    def available(self) -> Decimal:
        """What can be spent now."""
        return sum((free(lot) for lot in self.spendable_lots()), ZERO)

    def add_lot(self, *, source: str, amount: Decimal, expires_at: datetime | None) -> Lot:
        """A lot for new credit, still empty: a ``move`` fills it."""
        lot = Lot(
            account=self.account,
            source=source,
            amount=amount,
            remaining=ZERO,
            reserved=ZERO,
            expires_at=expires_at,
            created_at=self.now,
        )
        self._new_lots.append(lot)
        return lot

    def move(
        self,
        kind: Entry.Kind,
        key: str,
        *,
        lot: Lot | None = None,
        amount: Decimal = ZERO,
        reserved: Decimal = ZERO,
        shortfall: Decimal = ZERO,
        reservation: Reservation | None = None,
    ) -> Entry:
        """Change a lot and the account, and write down why."""
        if lot is not None:
            lot.remaining += amount
            lot.reserved += reserved
            if lot.pk is not None:
                self._changed[lot.pk] = lot
        self.account.balance += amount
        self.account.reserved += reserved
        self.account.shortfall += shortfall
        part = self._parts.get(key, 0)
        self._parts[key] = part + 1
        entry = Entry(
            account=self.account,
            lot=lot,
            reservation=reservation,
            kind=kind,
            amount=amount,
            reserved_delta=reserved,
            shortfall_delta=shortfall,
            key=key,
            part=part,
            created_at=self.now,
        )
        self._entries.append(entry)
        return entry

    def take(self, kind: Entry.Kind, key: str, lots: Iterable[Lot], wanted: Decimal, **more: Any) -> Decimal:
        """Take free credit out of ``lots``, in their order, up to ``wanted``; what was not there."""
        for lot, amount in share(wanted, lots):
            self.move(kind, key, lot=lot, amount=-amount, **more)
            wanted -= amount
        return wanted

    def recover(self, key: str, *, freed: Iterable[Lot] = ()) -> None:
        """Pay the shortfall from what can be spent; the entries have the key ``<key>:recovery``.

        Also from ``freed`` lots that expired while they were set aside: an order would have spent them, too.
        """
        if self.account.shortfall <= 0:
            return
        just_freed = {lot.pk for lot in freed}
        lots = [lot for lot in self.open_lots() if lot.pk in just_freed or not self.lapsed(lot)]
        for lot, amount in share(self.account.shortfall, lots):
            self.move(Entry.Kind.RECOVERY, f"{key}:recovery", lot=lot, amount=-amount, shortfall=-amount)

    def expire(self, lot: Lot) -> bool:
        """Take what is free in a lot that is past its time; whether there was something."""
        amount = free(lot)
        if amount <= 0:
            return False
        # A lot can expire several times: what was set aside is freed later, and refunds come back.
        before = Entry.objects.filter(lot_id=lot.pk, kind=Entry.Kind.EXPIRE).count()
        self.move(Entry.Kind.EXPIRE, f"expire:{lot.pk}:{before + 1}", lot=lot, amount=-amount)
        return True

    def write(self) -> None:
        """Bring everything to the database, once: three statements, and one more for lots that were there before."""
        write_together([self])


def write_together(several: Sequence[Books]) -> None:
    """Bring the books of several accounts to the database, in as many statements as those of one."""
    lots = [lot for books in several for lot in books._new_lots]
    if len(lots) == 1:
        lots[0].save(force_insert=True)
    elif lots:
        Lot.objects.bulk_create(lots)
    Entry.objects.bulk_create([entry for books in several for entry in books._entries])
    changed = [lot for books in several for lot in books._changed.values()]
    update_together(changed, ["remaining", "reserved", "expires_at"])
    # By value, not by F(): SQLite would add as floats. The lock makes it safe.
    update_together([books.account for books in several], ["balance", "reserved", "shortfall"])


def free(lot: Lot) -> Decimal:
    """What of a lot is not set aside."""
    return lot.remaining - lot.reserved


def share(wanted: Decimal, lots: Iterable[Lot]) -> Iterator[tuple[Lot, Decimal]]:
    """``wanted`` spread over what is free in ``lots``, in their order; less if there is less."""
    for lot in lots:
        amount = min(wanted, free(lot))
        if amount > 0:
            wanted -= amount
            yield lot, amount
