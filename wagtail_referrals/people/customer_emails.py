"""By which addresses somebody is a customer already: keyed hashes, under which the variants of a mailbox meet.

Filled once by ``write_account_emails`` and ``write_order_emails`` (see ``referrals.backfill``), then kept up as
accounts and orders come.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from wagtail_referrals.people.hashing import email_key, email_of_account, key_id
from wagtail_referrals.people.models import Backfill, CustomerEmail

# How often a batch is tried again whose accounts were deleted while it was written.
_TRIES: Final = 5


def email_rows_of(user: Any, email: str) -> list[QuerySet[CustomerEmail]]:
    """Where the table knows this account or this address from, by present and former addresses. No query.

    Ask them one by one: each is answered by an index, and any two of them joined by OR by going through the table.
    """
    rows = CustomerEmail.objects.order_by()
    known = user if user is not None and getattr(user, "pk", None) else None
    keys = {email_key(email), email_key(email_of_account(known))} - {""}
    found = [rows.filter(email_hash__in=sorted(keys))] if keys else []
    if known is not None:
        found.append(rows.filter(email_hash__in=rows.filter(user=known).values("email_hash")))
    return found


def all_emails_known() -> Exists:
    """Are all accounts and guest orders in the table? To be asked along with another question."""
    return Exists(Backfill.objects.filter(key_id=key_id()))


def accounts_without_email_row() -> QuerySet[Any]:
    """Accounts with an address of which the table has nothing under today's secret."""
    written = CustomerEmail.objects.filter(user=OuterRef("pk"), key_id=key_id())
    return accounts_with_email().filter(~Exists(written))


def accounts_with_email() -> QuerySet[Any]:
    field = get_user_model().get_email_field_name()
    return (
        get_user_model()
        ._base_manager.exclude(**{f"{field}__isnull": True})
        .exclude(**{field: ""})
        .annotate(referrals_email=F(field))
    )


def remember_account(user: Any) -> None:
    """The account has this address now. Former ones stay. One statement; none without an address."""
    if key := email_key(email_of_account(user)):
        row = CustomerEmail(email_hash=key, key_id=key_id(), user_id=user.pk)
        CustomerEmail.objects.bulk_create([row], ignore_conflicts=True)


def remember_order(reference: str, email: str) -> None:
    """This order was placed with this address. One statement; none without an address."""
    if key := email_key(email):
        row = CustomerEmail(email_hash=key, key_id=key_id(), order_reference=reference)
        CustomerEmail.objects.bulk_create([row], ignore_conflicts=True)


def write_account_emails(emails: Mapping[Any, str]) -> int:
    """Write rows of accounts, {primary key: address}, in one short transaction; how many have an address at all.

    Idempotent. Accounts that are deleted meanwhile are left out.
    """
    current = key_id()
    keys = {pk: key for pk, email in emails.items() if (key := email_key(email))}
    for attempt in range(_TRIES):
        try:
            with transaction.atomic():
                CustomerEmail.objects.bulk_create(
                    [CustomerEmail(email_hash=key, key_id=current, user_id=pk) for pk, key in keys.items()],
                    ignore_conflicts=True,
                )
            break
        except IntegrityError:
            if attempt == _TRIES - 1:
                raise
            there = set(get_user_model()._base_manager.filter(pk__in=keys).values_list("pk", flat=True))
            keys = {pk: key for pk, key in keys.items() if pk in there}
    return len(keys)


def write_order_emails(emails: Mapping[str, str]) -> int:
    """Write rows of orders, {number: address}, as above. A row made under another secret is made anew."""
    current = key_id()
    rows = [
        CustomerEmail(email_hash=key, key_id=current, order_reference=reference)
        for reference, email in sorted(emails.items())
        if (key := email_key(email))
    ]
    CustomerEmail.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["order_reference"],
        update_fields=["email_hash", "key_id"],
    )
    return len(rows)


def mark_emails_complete(now: datetime) -> None:
    """From now on the table answers alone. Rows that say nothing under today's secret go, some at a time."""
    stale = CustomerEmail.objects.exclude(key_id=key_id())
    while ids := list(stale.values_list("pk", flat=True)[:1000]):
        CustomerEmail.objects.filter(pk__in=ids).delete()
    Backfill.objects.exclude(key_id=key_id()).delete()
    Backfill.objects.update_or_create(key_id=key_id(), defaults={"completed_at": now})


def emails_completed_at() -> datetime | None:
    """When the table was last found to be complete under today's secret."""
    found: datetime | None = (
        Backfill.objects.filter(key_id=key_id()).values_list("completed_at", flat=True).first()
    )
    return found


def order_email_rows() -> QuerySet[CustomerEmail]:
    """Orders in the table, under today's secret."""
    return CustomerEmail.objects.filter(key_id=key_id(), order_reference__isnull=False)
