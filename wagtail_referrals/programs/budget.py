"""What a program may still promise. Rows are locked after Referral and before Advocate."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from decimal import Decimal

from django.db import IntegrityError, transaction

from wagtail_referrals.programs.amounts import friend_cost
from wagtail_referrals.programs.models import Budget
from wagtail_referrals.programs.terms import TermsData

# The row with this currency counts friends.
FRIENDS = ""


def limits(data: TermsData) -> dict[str, Decimal]:
    """The budget by currency; under "" the number of friends. Empty without a budget."""
    found = dict(data.budget_amounts)
    if data.budget_count is not None:
        found[FRIENDS] = Decimal(data.budget_count)
    return found


def promise_of(data: TermsData) -> dict[str, Decimal]:
    """What one more friend may cost, as far as it is known beforehand: fixed amounts, points, and one friend.

    Percentages are known when the order is: they count when they are owed.
    """
    limited = limits(data)
    held = {currency: amount for currency, amount in friend_cost(data.rules).items() if currency in limited}
    if FRIENDS in limited:
        held[FRIENDS] = Decimal(1)
    return held


def lock(program_key: str | uuid.UUID, currencies: Iterable[str]) -> dict[str, Budget]:
    """The rows of these currencies, made where missing and locked in the order of their currency."""
    wanted = sorted(set(currencies))
    if not wanted:
        return {}
    rows = _locked(program_key, wanted)
    for currency in wanted:
        if currency not in rows:
            try:
                with transaction.atomic():
                    Budget.objects.create(program_key=program_key, currency=currency)
            except IntegrityError:
                pass
    if len(rows) < len(wanted):
        rows = _locked(program_key, wanted)
    return rows


def _locked(program_key: str | uuid.UUID, currencies: list[str]) -> dict[str, Budget]:
    rows = Budget.objects.select_for_update(no_key=True).filter(
        program_key=program_key, currency__in=currencies
    )
    return {row.currency: row for row in rows.order_by("currency")}


def rows_of(program_key: str | uuid.UUID) -> list[Budget]:
    """The program's rows as they are, not locked."""
    return list(Budget.objects.filter(program_key=program_key))


def hold(data: TermsData) -> dict[str, Decimal] | None:
    """Set the promise to one more friend aside; ``None`` when the budget is used up. Inside a transaction.

    The friend who meets a budget that is not used up yet is promised everything, also where it goes over: a promise is
    never partial.
    """
    limited = limits(data)
    rows = lock(data.program_key, limited)
    if any(row.held + row.spent >= limited[currency] for currency, row in rows.items()):
        return None
    held = promise_of(data)
    for currency, amount in held.items():
        rows[currency].held += amount
        rows[currency].save(update_fields=["held"])
    return held


def release(program_key: str | uuid.UUID, held: dict[str, Decimal]) -> None:
    """Give back what a promise held. Inside a transaction."""
    for currency, row in lock(program_key, held).items():
        row.held = max(row.held - held[currency], Decimal(0))
        row.save(update_fields=["held"])


def spend(program_key: str | uuid.UUID, amounts: dict[str, Decimal]) -> None:
    """Count what became owed (or, negative, what was taken back). Inside a transaction."""
    for currency, row in lock(program_key, amounts).items():
        row.spent = max(row.spent + amounts[currency], Decimal(0))
        row.save(update_fields=["spent"])


def used_up(data: TermsData, rows: Iterable[Budget]) -> bool:
    limited = limits(data)
    return any(row.currency in limited and row.held + row.spent >= limited[row.currency] for row in rows)
