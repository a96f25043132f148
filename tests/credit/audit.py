"""The books, computed again from the entries alone."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from wagtail_referrals.credit import Account, Entry, Lot, Reservation

ZERO = Decimal(0)


def assert_books_agree() -> None:
    """Every amount of every account, lot and reservation is what the entries add up to, and none is negative."""
    account: dict[int, list[Decimal]] = defaultdict(lambda: [ZERO, ZERO, ZERO])
    lot: dict[int, list[Decimal]] = defaultdict(lambda: [ZERO, ZERO, ZERO])
    held: dict[int, Decimal] = defaultdict(lambda: ZERO)
    captured: dict[int, Decimal] = defaultdict(lambda: ZERO)
    parts: dict[str, list[int]] = defaultdict(list)
    for entry in Entry.objects.order_by("pk"):
        parts[entry.key].append(entry.part)
        sums = account[entry.account_id]
        sums[0] += entry.amount
        sums[1] += entry.reserved_delta
        sums[2] += entry.shortfall_delta
        if entry.lot_id is not None:
            lot[entry.lot_id][0] += entry.amount
            lot[entry.lot_id][1] += entry.reserved_delta
            if entry.kind in (Entry.Kind.GRANT, Entry.Kind.ADJUST) and entry.amount > 0:
                lot[entry.lot_id][2] += entry.amount
        else:
            assert entry.amount == entry.reserved_delta == 0, "only a lot holds money"
        if entry.reservation_id is not None:
            held[entry.reservation_id] += entry.reserved_delta
            if entry.kind == Entry.Kind.CAPTURE:
                captured[entry.reservation_id] += entry.shortfall_delta - entry.amount

    in_lots: dict[int, list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    for row in Lot.objects.all():
        assert [row.remaining, row.reserved] == lot[row.pk][:2], f"lot {row.pk}"
        assert ZERO <= row.reserved <= row.remaining <= row.amount, f"lot {row.pk}"
        assert lot[row.pk][2] in (ZERO, row.amount), f"lot {row.pk} was made by one entry"
        in_lots[row.account_id][0] += row.remaining
        in_lots[row.account_id][1] += row.reserved
    for row in Account.objects.all():
        assert [row.balance, row.reserved, row.shortfall] == account[row.pk], f"account {row.pk}"
        assert [row.balance, row.reserved] == in_lots[row.pk], f"account {row.pk} and its lots"
        assert row.shortfall >= 0
    for row in Reservation.objects.all():
        active = row.state == Reservation.State.ACTIVE
        assert held[row.pk] == (row.amount if active else 0), f"reservation {row.pk}"
        spent = row.state == Reservation.State.CAPTURED
        assert captured[row.pk] == (row.amount if spent else 0), f"reservation {row.pk}"
    for key, found in parts.items():
        assert found == list(range(len(found))), f"key {key} is one operation"
