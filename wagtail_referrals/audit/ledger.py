"""The accounts, replayed from the first movement on, against what account, lots and reservations say.

One pass over the movements in the order of their accounts. What is kept in memory is one account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from django.db.models import Count, F, Max, Min, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals import credit
from wagtail_referrals.audit.findings import Finding, Problem, Run, amount_finding
from wagtail_referrals.credit.models import Account, Entry, Lot, Reservation

ZERO: Final = Decimal(0)
CHUNK: Final = 2000
Kind = Entry.Kind
State = Reservation.State

_RECOMPUTE = _(
    "The movements are right, unless a trigger was missing: find out who wrote to the table, and correct the number to "
    "what the movements say."
)
ACCOUNT = Problem("account_sums", _("Accounts that are not the sum of their movements"), _RECOMPUTE)
LOT = Problem("lot_sums", _("Credit of one grant that is not the sum of its movements"), _RECOMPUTE)
EXPIRY = Problem(
    "lot_expiry",
    _("Credit that expired or was spent at the wrong time"),
    _("Find out who changed the date until when it can be spent, and correct it."),
)
NEGATIVE = Problem(
    "negative",
    _("Amounts that were below zero, or more set aside than there was"),
    _("A movement is missing or was added by hand. Compare the account's movements with the orders."),
)
SHAPE = Problem(
    "entry_shape",
    _("Movements that no operation writes"),
    _(
        "Somebody wrote it by hand. Find out who, and correct the account by an adjustment, never by a deletion."
    ),
)
KEY = Problem(
    "key_parts",
    _("Operations that were written in part, or twice"),
    _("A movement was deleted or added by hand. Compare with a backup."),
)
RESERVATION = Problem(
    "reservation",
    _("Credit set aside that its movements do not confirm"),
    _("Find out who wrote to the table, and correct the state to what the movements say."),
)
TWICE = Problem(
    "captured_twice",
    _("Orders that were paid with credit twice"),
    _("Give one of the two payments back by an adjustment."),
)
LOT_OVERDUE = Problem(
    "lot_overdue",
    _("Credit that should have expired by now"),
    _('Does "manage.py referrals_sweep" run? It takes what has expired.'),
    overdue=True,
)
RESERVATION_OVERDUE = Problem(
    "reservation_overdue",
    _("Credit that is still set aside for payments nobody finished"),
    _('Does "manage.py referrals_sweep" run? It frees this credit.'),
    overdue=True,
)


class Movement(NamedTuple):
    id: int
    account: int
    lot: int | None
    reservation: int | None
    kind: str
    amount: Decimal
    reserved: Decimal
    shortfall: Decimal
    at: datetime


@dataclass
class Replayed:
    """What the movements of one lot add up to."""

    remaining: Decimal = ZERO
    reserved: Decimal = ZERO
    began_with: Decimal = ZERO
    expired: Decimal = ZERO
    forgiven: Decimal = ZERO
    last_expired: datetime | None = None
    # After it last expired. By the order of the movements, which the account's lock gives; their times were read before
    # somebody waited for it.
    given_back: bool = False
    last_reserved: datetime | None = None
    was_negative: bool = False


@dataclass
class Attempt:
    """What the movements of one reservation add up to."""

    reserved: Decimal = ZERO
    held: Decimal = ZERO
    spent: Decimal = ZERO
    given_back: Decimal = ZERO


@dataclass
class Books:
    """One account as its movements say."""

    balance: Decimal = ZERO
    reserved: Decimal = ZERO
    shortfall: Decimal = ZERO
    was_negative: bool = False
    lots: dict[int, Replayed] = field(default_factory=dict)
    attempts: dict[int, Attempt] = field(default_factory=dict)


def rows() -> int:
    return Account.objects.count() + Entry.objects.count()


def find(run: Run) -> Iterator[Finding]:
    movements = _Grouped(
        Entry.objects.order_by("account_id", "pk").values_list(
            "account_id",
            "pk",
            "lot_id",
            "reservation_id",
            "kind",
            "amount",
            "reserved_delta",
            "shortfall_delta",
            "created_at",
        )
    )
    lots = _Grouped(
        Lot.objects.order_by("account_id", "pk").values_list(
            "account_id", "pk", "amount", "remaining", "reserved", "expires_at"
        )
    )
    reservations = _Grouped(
        Reservation.objects.order_by("account_id", "pk").values_list(
            "account_id", "pk", "order_number", "key", "amount", "state", "expires_at"
        )
    )
    accounts = Account.objects.order_by("pk").values_list(
        "pk", "currency", "balance", "reserved", "shortfall"
    )
    for pk, currency, balance, reserved, shortfall in accounts.iterator(chunk_size=CHUNK):
        run.look_at("accounts")
        its_lots = {row[1]: row for row in lots.of(pk)}
        books = Books()
        yield from _replay(run, books, its_lots, movements.of(pk), currency)
        for name, written, replayed in (
            (_("the balance"), balance, books.balance),
            (_("what is set aside"), reserved, books.reserved),
            (_("what is still to recover"), shortfall, books.shortfall),
        ):
            if written != replayed:
                yield amount_finding(
                    ACCOUNT,
                    "account",
                    pk,
                    _("Account %(number)s: %(what)s is %(found)s, its movements say %(expected)s."),
                    what=name,
                    expected=replayed,
                    found=written,
                    currency=currency,
                )
        yield from _lots(run, books, its_lots, currency)
        yield from _reservations(run, books, reservations.of(pk), currency)
    yield from _keys()
    yield from _captured_twice()


def _replay(
    run: Run, books: Books, lots: dict[int, Any], movements: Iterable[tuple[Any, ...]], currency: str
) -> Iterator[Finding]:
    for row in movements:
        run.look_at("movements")
        account, pk, lot_id, reservation_id, kind, amount, reserved, shortfall, at = row
        books.balance += amount
        books.reserved += reserved
        books.shortfall += shortfall
        if books.shortfall < 0 and not books.was_negative:
            books.was_negative = True
            words = gettext(
                "Account %(number)s: with movement %(movement)s less than nothing was to recover."
            )
            yield Finding(NEGATIVE, "account", account, words % {"number": account, "movement": pk})
        shape = _SHAPES.get(kind)
        right = shape is not None and shape(lot_id is not None, reservation_id, amount, reserved, shortfall)
        if not right or (lot_id is not None and lot_id not in lots):
            words = gettext(
                "Movement %(number)s (%(kind)s) of account %(account)s is none that is ever written."
            )
            label = Kind(kind).label if kind in Kind.values else kind
            values = {"number": pk, "kind": label, "account": account}
            yield Finding(SHAPE, "entry", pk, words % values)
        if lot_id is not None:
            lot = books.lots.get(lot_id)
            if lot is None:
                # The movement that made it.
                lot = books.lots[lot_id] = Replayed(began_with=amount)
            lot.remaining += amount
            lot.reserved += reserved
            if not (ZERO <= lot.reserved <= lot.remaining) and not lot.was_negative:
                lot.was_negative = True
                words = gettext(
                    "Account %(account)s: with movement %(movement)s there was %(remaining)s in lot %(number)s, and "
                    "%(reserved)s of it set aside."
                )
                values = {
                    "account": account,
                    "movement": pk,
                    "number": lot_id,
                    "remaining": credit.format_money(lot.remaining, currency),
                    "reserved": credit.format_money(lot.reserved, currency),
                }
                yield Finding(NEGATIVE, "lot", lot_id, words % values)
            if kind == Kind.RESERVE:
                lot.last_reserved = at
            elif kind == Kind.REFUND:
                lot.given_back = True
            elif kind == Kind.EXPIRE:
                lot.expired -= amount
                lot.last_expired = at
                lot.given_back = False
            elif kind == Kind.FORGIVEN:
                lot.forgiven -= shortfall
        if reservation_id is not None:
            attempt = books.attempts.setdefault(reservation_id, Attempt())
            attempt.held += reserved
            if kind == Kind.RESERVE:
                attempt.reserved += reserved
            elif kind == Kind.CAPTURE:
                attempt.spent += shortfall - amount
            elif kind == Kind.REFUND:
                attempt.given_back += amount - shortfall


def _lots(run: Run, books: Books, lots: dict[int, Any], currency: str) -> Iterator[Finding]:
    for pk, (account, _pk, amount, remaining, reserved, expires_at) in lots.items():
        run.look_at("lots", 1)
        replayed = books.lots.get(pk, Replayed())
        for name, written, right in (
            (_("what remains"), remaining, replayed.remaining),
            (_("what is set aside"), reserved, replayed.reserved),
            (_("what it began with"), amount, replayed.began_with),
        ):
            if written != right:
                yield amount_finding(
                    LOT,
                    "lot",
                    pk,
                    _(
                        "Lot %(number)s of account %(account)s: %(what)s is %(found)s, its movements say %(expected)s."
                    ),
                    what=name,
                    account=account,
                    expected=right,
                    found=written,
                    currency=currency,
                )
        if replayed.forgiven > replayed.expired:
            yield amount_finding(
                LOT,
                "lot",
                pk,
                _(
                    "Lot %(number)s of account %(account)s: %(found)s was forgiven, and only %(expected)s had expired."
                ),
                account=account,
                expected=replayed.expired,
                found=replayed.forgiven,
                currency=currency,
            )
        wrong = _wrong_time(replayed, expires_at)
        if wrong:
            yield Finding(EXPIRY, "lot", pk, str(wrong) % {"number": pk, "account": account})
        elif (
            expires_at is not None
            and remaining > reserved
            and expires_at <= run.now
            and run.is_late(expires_at)
        ):
            yield amount_finding(
                LOT_OVERDUE,
                "lot",
                pk,
                _("Account %(account)s: %(found)s have expired (lot %(number)s) and are still there."),
                account=account,
                expected=ZERO,
                found=remaining - reserved,
                currency=currency,
            )


def _wrong_time(lot: Replayed, expires_at: datetime | None) -> Any:
    """What of a lot happened before or after it could; only a refund moves the date, and only to a later one."""
    if lot.last_expired is not None:
        if expires_at is None:
            return _("Lot %(number)s of account %(account)s: something expired, although it never expires.")
        if expires_at > lot.last_expired and not lot.given_back:
            return _("Lot %(number)s of account %(account)s: something expired before its time.")
    if expires_at is not None and lot.last_reserved is not None and lot.last_reserved >= expires_at:
        return _("Lot %(number)s of account %(account)s: something was set aside after it had expired.")
    return None


def _reservations(
    run: Run, books: Books, reservations: Iterable[tuple[Any, ...]], currency: str
) -> Iterator[Finding]:
    known = set()
    for _account, pk, order, key, amount, state, expires_at in reservations:
        run.look_at("reservations")
        known.add(pk)
        attempt = books.attempts.get(pk, Attempt())
        for name, right, found in (
            (_("was set aside for it"), amount, attempt.reserved),
            (_("is held for it"), amount if state == State.ACTIVE else ZERO, attempt.held),
            (_("was spent on it"), amount if state == State.CAPTURED else ZERO, attempt.spent),
        ):
            if right != found:
                yield amount_finding(
                    RESERVATION,
                    "reservation",
                    pk,
                    _(
                        "Order %(order)s, amount set aside no. %(number)s: %(found)s %(what)s, not %(expected)s."
                    ),
                    order=order,
                    what=name,
                    expected=right,
                    found=found,
                    currency=currency,
                )
        if attempt.given_back > attempt.spent:
            yield amount_finding(
                RESERVATION,
                "reservation",
                pk,
                _("Order %(order)s: %(found)s of credit was given back, and %(expected)s had been spent."),
                order=order,
                expected=attempt.spent,
                found=attempt.given_back,
                currency=currency,
            )
        if key.rpartition(":")[0] != order:
            words = gettext("Order %(order)s: the attempt to pay it is called %(key)s.")
            yield Finding(RESERVATION, "reservation", pk, words % {"order": order, "key": key}, order, key)
        if state == State.ACTIVE and expires_at <= run.now and run.is_late(expires_at):
            yield amount_finding(
                RESERVATION_OVERDUE,
                "reservation",
                pk,
                _("Order %(order)s: %(found)s are still set aside."),
                order=order,
                expected=ZERO,
                found=amount,
                currency=currency,
            )
    for pk in books.attempts.keys() - known:
        words = gettext(
            "Movements of account %(account)s belong to the amount set aside no. %(number)s of another."
        )
        yield Finding(SHAPE, "reservation", pk, words % {"account": "", "number": pk})


def _keys() -> Iterator[Finding]:
    """An operation is one key of one account, with parts 0, 1, 2... PostgreSQL reads this from the key's index."""
    grouped = (
        Entry.objects.order_by()
        .values("key")
        .annotate(rows=Count("pk"), first=Min("part"), last=Max("part"))
        .filter(~Q(first=0) | ~Q(last=F("rows") - 1))
    )
    for row in grouped.iterator(chunk_size=CHUNK):
        words = gettext(
            "The operation %(key)s has %(rows)s movements, and their numbers go from %(first)s to %(last)s."
        )
        yield Finding(KEY, "key", row["key"], words % row, "", str(row["rows"]))


def _captured_twice() -> Iterator[Finding]:
    twice = (
        Reservation.objects.filter(state=State.CAPTURED)
        .order_by()
        .values("order_number")
        .annotate(times=Count("pk"))
        .filter(times__gt=1)
    )
    for row in twice.iterator(chunk_size=CHUNK):
        words = gettext("Order %(order_number)s was paid with credit %(times)s times.")
        yield Finding(TWICE, "order", row["order_number"], words % row, "1", str(row["times"]))


# What each kind of movement changes: (has a lot, its reservation, balance, set aside, shortfall) -> is it right?
_SHAPES: Final[dict[str, Callable[[bool, int | None, Decimal, Decimal, Decimal], bool]]] = {
    Kind.GRANT: lambda lot, held, a, r, s: lot and held is None and a > 0 and r == s == 0,
    Kind.RESERVE: lambda lot, held, a, r, s: lot and held is not None and r > 0 and a == s == 0,
    Kind.CAPTURE: lambda lot, held, a, r, s: (
        held is not None
        and ((lot and a < 0 and s == 0 and r in (a, 0)) or (not lot and s > 0 and a == r == 0))
    ),
    Kind.RELEASE: lambda lot, held, a, r, s: lot and held is not None and r < 0 and a == s == 0,
    Kind.REFUND: lambda lot, held, a, r, s: (
        held is not None and r == 0 and ((lot and a > 0 and s == 0) or (not lot and s < 0 and a == 0))
    ),
    Kind.EXPIRE: lambda lot, held, a, r, s: lot and held is None and a < 0 and r == s == 0,
    Kind.CLAWBACK: lambda lot, held, a, r, s: (
        held is None and r == 0 and ((lot and a < 0 and s == 0) or (not lot and s > 0 and a == 0))
    ),
    Kind.FORGIVEN: lambda lot, held, a, r, s: lot and held is None and s < 0 and a == r == 0,
    Kind.RECOVERY: lambda lot, held, a, r, s: lot and held is None and a < 0 and s == a and r == 0,
    Kind.ADJUST: lambda lot, held, a, r, s: lot and held is None and a != 0 and r == s == 0,
}


class _Grouped:
    """Rows in the order of their first column, handed out account by account while they are read."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows.iterator(chunk_size=CHUNK)
        self._next: tuple[Any, ...] | None = next(self._rows, None)

    def of(self, account: int) -> Iterator[tuple[Any, ...]]:
        """The rows of this account. Accounts are asked for in ascending order, and each is read to its end."""
        row = self._next
        while row is not None and row[0] < account:
            row = next(self._rows, None)
        while row is not None and row[0] == account:
            # Kept in step, should the reader stop here.
            self._next = nxt = next(self._rows, None)
            yield row
            row = nxt
        self._next = row
