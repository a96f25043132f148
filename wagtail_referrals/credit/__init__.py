"""The ledger of store credit: users and money, nothing else. An app of its own.

An operation is one call, one transaction (a savepoint inside the caller's) and one set of entries under one
idempotency key: called again with the same key it changes nothing and returns the first entry, also when both calls
run at once. Keys are the caller's, at most 180 characters; those that begin with ``reserve:``, ``capture:``,
``release:`` or ``expire:`` are the ledger's own.

Locks are always taken in the order Account (by primary key), Reservation, Lot, with ``no_key=True``, also where one
statement takes them all: an operation holds one
account, or two by primary key, so nobody else touches its lots, reservations and entries meanwhile. A transaction
that posts to several accounts takes them first with ``lock_accounts``.

Amounts are Decimal, in the currency of the account, and rounded to its smallest unit on the way in. ``now`` is an
aware datetime, by default the present.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from wagtail_referrals.credit.errors import InsufficientCredit, NothingToRefund
from wagtail_referrals.credit.money import (
    exponent,
    format_money,
    format_percent,
    is_money,
    quantize,
    unit_name,
)

if TYPE_CHECKING:
    from wagtail_referrals.credit.accounts import (
        account_of,
        accounts_of,
        available,
        entries_of,
        expiring_lots,
        lock_accounts,
    )
    from wagtail_referrals.credit.endings import Ending, all_endings, endings_of, last_day
    from wagtail_referrals.credit.expiry import expire, expire_reservations
    from wagtail_referrals.credit.grants import Grants, adjust, claw_back, grant
    from wagtail_referrals.credit.models import Account, Entry, Lot, Reservation
    from wagtail_referrals.credit.prepared import PreparedRead
    from wagtail_referrals.credit.refunds import captured_amount, refund
    from wagtail_referrals.credit.reservations import active_reservation, capture, release, reserve, withdraw
    from wagtail_referrals.credit.together import update_together

# Django imports this package before any model can be imported, so what needs the models is imported at its first use.
_MODULES = {
    "accounts": ("account_of", "accounts_of", "available", "entries_of", "expiring_lots", "lock_accounts"),
    "endings": ("Ending", "all_endings", "endings_of", "last_day"),
    "expiry": ("expire", "expire_reservations"),
    "grants": ("Grants", "adjust", "claw_back", "grant"),
    "models": ("Account", "Entry", "Lot", "Reservation"),
    "prepared": ("PreparedRead",),
    "refunds": ("captured_amount", "refund"),
    "reservations": ("active_reservation", "capture", "release", "reserve", "withdraw"),
    "together": ("update_together",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Account",
    "Ending",
    "Entry",
    "Grants",
    "InsufficientCredit",
    "Lot",
    "NothingToRefund",
    "PreparedRead",
    "Reservation",
    "account_of",
    "accounts_of",
    "active_reservation",
    "adjust",
    "all_endings",
    "available",
    "capture",
    "captured_amount",
    "claw_back",
    "endings_of",
    "entries_of",
    "expire",
    "expire_reservations",
    "expiring_lots",
    "exponent",
    "format_money",
    "format_percent",
    "grant",
    "is_money",
    "last_day",
    "lock_accounts",
    "quantize",
    "refund",
    "release",
    "reserve",
    "unit_name",
    "update_together",
    "withdraw",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
