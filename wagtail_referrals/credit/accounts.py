"""Reading accounts, their movements and what will expire."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import DecimalField, F, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from wagtail_referrals.credit.books import ZERO, locked, open_account, user_id_of
from wagtail_referrals.credit.models import Account, Entry, Lot
from wagtail_referrals.credit.money import quantize


def account_of(user: Any, currency: str, *, now: datetime | None = None) -> Account | None:
    """The customer's account in one currency; ``None`` if there never was credit in it, and for anonymous visitors."""
    return _accounts(user, now).filter(currency=currency).first()


def accounts_of(user: Any, *, now: datetime | None = None) -> list[Account]:
    """The customer's accounts, by currency. One query; none for anonymous visitors."""
    return list(_accounts(user, now).order_by("currency"))


def available(user: Any, currency: str, *, now: datetime | None = None) -> Decimal:
    """What the customer can spend now: without what is set aside for other orders and without what has expired."""
    account = account_of(user, currency, now=now)
    return quantize(account.available, currency) if account is not None else ZERO


def entries_of(account: Account, limit: int | None = None) -> list[Entry]:
    """The account's movements, the newest first, with their reservations. One query."""
    entries = Entry.objects.filter(account_id=account.pk).select_related("reservation")
    return list(entries.order_by("-created_at", "-pk")[:limit])


def expiring_lots(
    *, until: datetime, account: Account | None = None, now: datetime | None = None
) -> QuerySet[Lot]:
    """Lots with something left to spend that expire after ``now`` and not after ``until``, soonest first."""
    lots = Lot.objects.filter(
        remaining__gt=F("reserved"), expires_at__gt=now or timezone.now(), expires_at__lte=until
    )
    if account is not None:
        lots = lots.filter(account_id=account.pk)
    return lots.select_related("account").order_by("expires_at", "pk")


def lock_accounts(owners: Iterable[tuple[Any, str]]) -> dict[tuple[Any, str], Account]:
    """Lock the accounts of these (user, currency), in the order of the ledger, until the transaction ends.

    For a transaction that posts to several accounts: two of them could otherwise wait for each other. Accounts that
    do not exist are made. Must run inside ``transaction.atomic``. The accounts by (key of the user, currency), as
    ``Grants`` takes them.
    """
    named = ((user_id_of(user), currency) for user, currency in owners)
    wanted = {(user_id, currency) for user_id, currency in named if user_id is not None}
    if len(wanted) == 1:
        # One is locked before it is known whether it is there: whoever has to make it holds no other.
        (owner,) = wanted
        return {owner: open_account(*owner)}
    found = Account.objects.filter(user_id__in={user_id for user_id, _ in wanted})
    known = {(account.user_id, account.currency): account.pk for account in found}
    missing = sorted(wanted - known.keys(), key=str)
    if missing:
        Account.objects.bulk_create(
            [Account(user_id=user_id, currency=currency) for user_id, currency in missing],
            ignore_conflicts=True,
        )
        known = {(account.user_id, account.currency): account.pk for account in found.all()}
    keys = [known[owner] for owner in wanted if owner in known]
    rows = locked(Account.objects.filter(pk__in=keys).order_by("pk"))
    return {(account.user_id, account.currency): account for account in rows}


def _accounts(user: Any, now: datetime | None) -> QuerySet[Account]:
    """The customer's accounts; each knows what of its credit expired but was not swept yet."""
    user_id = user_id_of(user)
    if user_id is None:
        return Account.objects.none()
    due = Lot.objects.filter(account=OuterRef("pk"), remaining__gt=0, expires_at__lte=now or timezone.now())
    amount = (
        due.order_by().values("account").annotate(total=Sum(F("remaining") - F("reserved"))).values("total")
    )
    money: DecimalField[Any, Any] = DecimalField(max_digits=12, decimal_places=2)
    return Account.objects.filter(user_id=user_id).annotate(  # type: ignore[no-redef]
        lapsed=Coalesce(Subquery(amount, output_field=money), Value(ZERO, output_field=money))
    )
