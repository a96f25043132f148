"""The ledger as one would write it down on paper: whole numbers in lists, no database, no locks, no entries."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta


class Refused(Exception):
    """The operation is refused; ``available`` is what there is when it is for lack of credit."""

    def __init__(self, available: int | None = None) -> None:
        self.available = available


@dataclass
class PaperLot:
    source: str
    amount: int
    remaining: int
    expires_at: datetime | None
    reserved: int = 0
    # What expired of it and was not forgiven.
    unused: int = 0

    def expire(self) -> None:
        self.unused += self.free
        self.remaining = self.reserved

    @property
    def free(self) -> int:
        return self.remaining - self.reserved


@dataclass
class PaperReservation:
    account: PaperAccount
    amount: int
    expires_at: datetime
    number: int
    state: str = "active"
    held: list[tuple[PaperLot, int]] = field(default_factory=list)
    # What the order is paid with and was not given back, in the order of spending; None is the shortfall.
    spent: list[tuple[PaperLot | None, int]] = field(default_factory=list)


@dataclass
class PaperAccount:
    lots: list[PaperLot] = field(default_factory=list)
    shortfall: int = 0

    def by_expiry(self, now: datetime, *, lapsed: bool = False) -> list[PaperLot]:
        """Lots, soonest to expire first; those that are past their time only when asked for."""
        dated = sorted((lot for lot in self.lots if lot.expires_at), key=lambda lot: lot.expires_at)
        lots = dated + [lot for lot in self.lots if not lot.expires_at]
        return [lot for lot in lots if lapsed or not lot.expires_at or lot.expires_at > now]

    def available(self, now: datetime) -> int:
        return sum(lot.free for lot in self.by_expiry(now))

    def take(self, lots: list[PaperLot], wanted: int) -> list[tuple[PaperLot, int]]:
        taken = []
        for lot in lots:
            part = min(wanted, lot.free)
            if part:
                lot.remaining -= part
                wanted -= part
                taken.append((lot, part))
        return taken

    def recover(self, now: datetime, freed: list[PaperLot] | None = None) -> None:
        there = [
            lot
            for lot in self.by_expiry(now, lapsed=True)
            if not lot.expires_at or lot.expires_at > now or any(lot is one for one in freed or [])
        ]
        self.shortfall -= sum(part for _, part in self.take(there, self.shortfall))


@dataclass
class Paper:
    """All accounts of one customer, by currency, and the attempts to pay each order."""

    accounts: dict[str, PaperAccount] = field(default_factory=dict)
    attempts: dict[str, list[PaperReservation]] = field(default_factory=dict)

    def account(self, currency: str) -> PaperAccount:
        return self.accounts.setdefault(currency, PaperAccount())

    def add(
        self, currency: str, amount: int, source: str, expires_at: datetime | None, now: datetime
    ) -> None:
        account = self.account(currency)
        account.lots.append(PaperLot(source, amount, amount, expires_at))
        account.recover(now)

    def claw_back(self, currency: str, amount: int, source: str, now: datetime) -> None:
        account = self.account(currency)
        everything, in_time = account.by_expiry(now, lapsed=True), account.by_expiry(now)
        own = [lot for lot in everything if source and lot.source == source]
        others = [lot for lot in in_time if not any(lot is one for one in own)]
        amount -= sum(part for _, part in account.take(own, amount))
        for lot in account.lots:
            if source and lot.source == source:
                forgiven = min(lot.unused, amount)
                lot.unused -= forgiven
                amount -= forgiven
        account.shortfall += amount - sum(part for _, part in account.take(others, amount))

    def subtract(self, currency: str, amount: int, now: datetime) -> None:
        account = self.accounts.get(currency, PaperAccount())
        if account.available(now) < amount:
            raise Refused(account.available(now))
        account.take(account.by_expiry(now), amount)

    def last(self, order: str) -> PaperReservation | None:
        return self.attempts[order][-1] if self.attempts.get(order) else None

    def reserve(self, currency: str, amount: int, order: str, expires_at: datetime, now: datetime) -> None:
        account, last = self.accounts.get(currency), self.last(order)
        if account is None:
            raise Refused(0)
        if last is not None and last.state == "captured":
            return
        if last is not None and last.state == "active":
            if last.account is account and last.amount == amount:
                last.expires_at = max(last.expires_at, expires_at)
                return
            if last.account is account:
                # The shortfall is paid with what is freed, before anything is set aside again.
                freed = sum(part for lot, part in last.held if not lot.expires_at or lot.expires_at > now)
                # What expired while it was set aside pays as well, and first.
                lapsed = sum(part for lot, part in last.held if lot.expires_at and lot.expires_at <= now)
                lapsed += sum(lot.free for lot, _ in last.held if lot.expires_at and lot.expires_at <= now)
                there = account.available(now) + freed
                there -= min(there, max(account.shortfall - lapsed, 0))
            else:
                there = account.available(now)
            if there < amount:
                raise Refused(there)
            self.end(last, "released", now)
        elif account.available(now) < amount:
            raise Refused(account.available(now))
        number = sum(len(attempts) for attempts in self.attempts.values())
        reservation = PaperReservation(account, amount, expires_at, number)
        for lot in account.by_expiry(now):
            part = min(amount, lot.free)
            if part:
                lot.reserved += part
                amount -= part
                reservation.held.append((lot, part))
        self.attempts.setdefault(order, []).append(reservation)

    def end(self, reservation: PaperReservation, state: str, now: datetime) -> None:
        freed = [lot for lot, _ in reservation.held]
        for lot, part in reservation.held:
            lot.reserved -= part
        reservation.held = []
        reservation.state = state
        reservation.account.recover(now, freed)

    def release(self, order: str, now: datetime) -> None:
        last = self.last(order)
        if last is not None and last.state == "active":
            self.end(last, "released", now)

    def withdraw(self, order: str, now: datetime) -> None:
        last = self.last(order)
        if last is not None and last.state == "active":
            self.end(last, "withdrawn", now)
        elif last is not None and last.state in ("released", "expired"):
            last.state = "withdrawn"

    def capture(self, order: str, now: datetime) -> None:
        last = self.last(order)
        if last is None or last.state in ("captured", "withdrawn"):
            return
        if last.state == "active":
            for lot, part in last.held:
                lot.reserved -= part
                lot.remaining -= part
            last.spent = list(last.held)
        else:
            last.spent = list(last.account.take(last.account.by_expiry(now, lapsed=True), last.amount))
            missing = last.amount - sum(part for _, part in last.spent)
            if missing:
                last.account.shortfall += missing
                last.spent.append((None, missing))
        last.held = []
        last.state = "captured"

    def captured(self, order: str) -> int:
        last = self.last(order)
        return sum(part for _, part in last.spent) if last is not None else 0

    def refund(self, order: str, amount: int, now: datetime) -> None:
        amount = min(amount, self.captured(order))
        last = self.last(order)
        if not amount or last is None:
            raise Refused
        account = last.account
        while amount:
            lot, most = last.spent.pop()
            part = min(amount, most)
            amount -= part
            if part < most:
                last.spent.append((lot, most - part))
            if lot is None:
                owed = min(part, account.shortfall)
                account.shortfall -= owed
                if part > owed:
                    account.lots.append(PaperLot("", part - owed, part - owed, None))
                continue
            if lot.expires_at and lot.expires_at <= now:
                lot.expire()
                lot.expires_at = now + timedelta(days=30)
            lot.remaining += part
        account.recover(now)

    def expire(self, now: datetime) -> int:
        due = [
            lot
            for account in self.accounts.values()
            for lot in account.lots
            if lot.expires_at and lot.expires_at <= now and lot.free
        ]
        for lot in due:
            lot.expire()
        return len(due)

    def expire_reservations(self, now: datetime) -> int:
        due = [
            attempt
            for attempts in self.attempts.values()
            for attempt in attempts
            if attempt.state == "active" and attempt.expires_at <= now
        ]
        for attempt in sorted(due, key=lambda attempt: attempt.number):
            self.end(attempt, "expired", now)
        return len(due)
