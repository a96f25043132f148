"""Credit corrected by staff: the movement is the ledger's, who and why are in Wagtail's log.

The note is kept once, in the entry of the log, and nowhere in the ledger: an entry of the ledger can never be changed,
and the note may speak of the customer. It goes when the customer is deleted; the amount stays. Of a deleted member of
staff the log keeps the number, as Wagtail does everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Model, QuerySet
from wagtail.log_actions import log
from wagtail.models import ModelLogEntry

from wagtail_referrals import credit
from wagtail_referrals.credit.models import Account, Entry

ADJUST_ACTION: Final = "wagtail_referrals.adjust_credit"
# What the log keeps of a correction: {"key", "amount", "currency", "note"}.
NOTE_LENGTH: Final = 500


@dataclass(frozen=True)
class Correction:
    """One correction as it was recorded. Amounts are in the account's currency.

    ``amount`` is signed; ``recovered`` is the part of what was added that paid what was still to recover. ``is_new``:
    this call recorded it, and not an earlier one with the same key.
    """

    account_id: int
    currency: str
    amount: Decimal
    note: str
    recovered: Decimal
    is_new: bool


@transaction.atomic
def correct_credit(
    *,
    user: Any,
    currency: str,
    amount: Decimal,
    note: str,
    key: str,
    actor: Any = None,
    now: datetime | None = None,
) -> Correction:
    """Add to a customer's credit, or take from it (``amount`` below zero), and write down who did it and why.

    ``amount`` is in ``currency``. The same ``key`` twice is one movement and one entry of the log; the second call
    returns what the first one recorded, whatever it asked for. Locks the account and its lots. Raises
    ``InsufficientCredit`` when more is to be taken than is available, ``ValueError`` for an amount of zero and for an
    empty note.
    """
    note = note.strip()
    if not note:
        raise ValueError("A correction needs a note that says why.")
    entry = credit.adjust(user=user, currency=currency, amount=amount, key=key, now=now)
    # The account is locked from here on: whoever comes with the same key waits, and finds the log written.
    account = entry.account
    recorded = corrections_of([account.pk]).filter(data__key=key).first()
    is_new = recorded is None
    if recorded is None:
        recorded = log(
            account,
            ADJUST_ACTION,
            user=actor,
            data={
                "key": key,
                "amount": str(credit.quantize(amount, currency)),
                "currency": currency,
                "note": note[:NOTE_LENGTH],
            },
            **({"timestamp": now} if now is not None else {}),
        )
    paid = Entry.objects.filter(key=f"{key}:recovery").values_list("shortfall_delta", flat=True)
    return Correction(
        account_id=account.pk,
        currency=account.currency,
        amount=Decimal(recorded.data["amount"]),
        note=recorded.data.get("note", ""),
        recovered=-sum(paid, Decimal(0)),
        is_new=is_new,
    )


def corrections_of(account_ids: Iterable[int]) -> QuerySet[ModelLogEntry]:
    """What the log knows of the corrections of these accounts, the newest first."""
    rows: QuerySet[ModelLogEntry] = ModelLogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(Account, for_concrete_model=False),
        object_id__in=[str(pk) for pk in account_ids],
        action=ADJUST_ACTION,
    )
    return rows.order_by("-timestamp", "-pk")


def forget_notes(user: Any) -> None:
    """Before a customer is deleted: no note about them stays. Amounts and dates do."""
    accounts = Account.objects.filter(user=user).values_list("pk", flat=True)
    entries = list(corrections_of(accounts))
    for entry in entries:
        entry.data = {name: value for name, value in entry.data.items() if name != "note"}
    ModelLogEntry.objects.bulk_update(entries, ["data"], batch_size=200)


def forget_log_names(row: Model) -> None:
    """Wagtail's log calls a row by its name, which is a person's: it becomes a number. What was done stays."""
    label = f"{row._meta.verbose_name} {row.pk}"
    ModelLogEntry.objects.for_instance(row).update(label=label)
