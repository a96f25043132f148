"""What a shop knew before the package came: the addresses of its customers, as keyed hashes.

Nothing says how far it came: what has no row yet is what is left. So it may be broken off anywhere and begun again, by
two at once, while orders are placed and accounts are made and deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from wagtail_referrals import people
from wagtail_referrals.referrals.shop import get_shop

BATCH: Final = 2000
# How often all is looked through for what came meanwhile: who receives a signal writes a row by themselves.
_PASSES: Final = 3
# After that the sweep looks for what came without a signal: by an import, or while a receiver could not write.
_LOOK_AGAIN: Final = timedelta(days=1)

# What, how many are done, how many there were in the beginning.
Progress = Callable[[str, int, int], None]


def backfill(
    *, again: bool = False, progress: Progress | None = None, now: datetime | None = None
) -> dict[str, int]:
    """Write the addresses of all accounts and guest orders that have no row; how many of each, and then that all have.

    In constant memory, a short transaction at a time. ``again``: also those that have one, as addresses may have been
    changed without a signal. ``progress`` is told "accounts" or "orders".
    """
    written = {"accounts": 0, "orders": 0}
    for number in range(_PASSES):
        found = _pass(again=again and number == 0, progress=progress)
        for what, count in found.items():
            written[what] += count
        if not any(found.values()):
            break
    people.mark_emails_complete(now or timezone.now())
    return written


def catch_up(*, now: datetime) -> None:
    """Once a day, where all had been written: what came without a signal. One query else."""
    at = people.emails_completed_at()
    if at is not None and at < now - _LOOK_AGAIN:
        backfill(now=now)


def _pass(*, again: bool, progress: Progress | None) -> dict[str, int]:
    accounts = people.accounts_with_email() if again else people.accounts_without_email_row()
    shop = get_shop().guest_orders()
    orders = shop.orders.exclude(**{shop.email: ""}) if again else _orders_without_row()
    return {
        "accounts": _fill(
            "accounts", accounts, ["pk", "referrals_email"], people.write_account_emails, progress
        ),
        "orders": _fill("orders", orders, [shop.reference, shop.email], people.write_order_emails, progress),
    }


def not_written() -> dict[str, int]:
    """How many accounts and how many guest orders ("accounts", "orders") have no row yet. 2 queries."""
    return {
        "accounts": people.accounts_without_email_row().order_by().count(),
        "orders": _orders_without_row().order_by().count(),
    }


def _orders_without_row() -> QuerySet[Any]:
    shop = get_shop().guest_orders()
    written = people.order_email_rows().filter(order_reference=OuterRef(shop.reference))
    return shop.orders.exclude(**{shop.email: ""}).filter(~Exists(written))


def _fill(
    what: str,
    rows: QuerySet[Any],
    columns: list[str],
    write: Callable[[dict[Any, str]], int],
    progress: Progress | None,
) -> int:
    total = rows.order_by().count()
    done = written = 0
    if progress is not None and total:
        progress(what, 0, total)
    for batch in batches(rows, columns):
        written += write(dict(batch))
        done += len(batch)
        if progress is not None:
            progress(what, done, max(done, total))
    return written


def batches(rows: QuerySet[Any], columns: list[str]) -> Iterator[list[Any]]:
    """The rows in order of their primary key, some at a time, each time with a query of its own: nothing stays open."""
    last: Any = None
    while True:
        page = rows.order_by("pk")
        if last is not None:
            page = page.filter(pk__gt=last)
        found = list(page.values_list("pk", *columns)[:BATCH])
        if not found:
            return
        last = found[-1][0]
        yield [row[1:] for row in found]


def customer_accounts(*, with_order: bool = False) -> QuerySet[Any]:
    """All accounts that are in use; or those with an order that came to something, as audiences count them."""
    accounts = get_user_model()._base_manager.all()
    if any(field.name == "is_active" for field in get_user_model()._meta.concrete_fields):
        accounts = accounts.filter(is_active=True)
    if with_order:
        shop = get_shop().orders_of_customers(None)
        accounts = accounts.filter(Exists(shop.orders.order_by().filter(**{shop.customer: OuterRef("pk")})))
    return accounts
