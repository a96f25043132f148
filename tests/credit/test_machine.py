"""All operations in any order, against a ledger on paper: Hypothesis looks for the order in which they differ."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.books import LEDGER, assert_audit_clean
from tests.credit.audit import assert_books_agree
from tests.credit.conftest import NOON
from tests.credit.model import Paper, Refused
from wagtail_referrals import credit
from wagtail_referrals.credit import Account, Entry, Reservation

# On paper, amounts are whole numbers of the smallest unit.
UNIT = {"EUR": Decimal("0.01"), "JPY": Decimal(1)}

currencies = st.sampled_from(["EUR", "EUR", "EUR", "JPY"])
amounts = st.one_of(st.integers(1, 12), st.integers(1, 3000))
sources = st.sampled_from(["", "reward:1", "reward:2"])
orders = st.sampled_from(["order-1", "order-2", "order-3"])
lifetimes = st.one_of(st.none(), st.integers(1, 40))
minutes = st.integers(1, 180)


class Ledger(RuleBasedStateMachine):
    # Kinds of movements that were met, in all runs together.
    met: set[str] = set()

    def __init__(self) -> None:
        super().__init__()
        self.undo = transaction.atomic()
        self.undo.__enter__()
        self.paper = Paper()
        self.now = NOON
        self.calls: list[tuple[Any, dict[str, Any], int]] = []
        self.user = get_user_model().objects.create_user(username="customer")

    def teardown(self) -> None:
        self.met.update(Entry.objects.values_list("kind", flat=True))
        assert_audit_clean(only=LEDGER)
        transaction.set_rollback(True)
        self.undo.__exit__(None, None, None)

    # What both are asked, and how their answers are compared.

    def post(self, operation: Any, on_paper: Any, **arguments: Any) -> None:
        """An operation with a key: it must be refused by both or by neither."""
        arguments |= {"key": f"key:{len(self.calls)}", "now": self.now}
        try:
            on_paper()
        except Refused as refused:
            wanted = credit.InsufficientCredit if refused.available is not None else credit.NothingToRefund
            with pytest.raises(wanted):
                operation(**arguments)
            return
        entry = operation(**arguments)
        assert (entry.key, entry.part) == (arguments["key"], 0)
        self.calls.append((operation, arguments, entry.pk))

    def known(self, currency: str, source: str) -> bool:
        """Can the account be found? Of a deleted customer, only through the source."""
        if self.user is not None:
            return True
        account = self.paper.accounts.get(currency)
        return bool(source and account and any(lot.source == source for lot in account.lots))

    def can_be_reserved(self, currency: str, amount: int, order: str, expires_at: datetime) -> int | None:
        """Reserve on paper; what is available instead, if that is refused."""
        if self.user is None:
            return 0
        try:
            self.paper.reserve(currency, amount, order, expires_at, self.now)
        except Refused as refused:
            return refused.available
        return None

    # The operations.

    @initialize(currency=currencies, days=st.lists(st.sampled_from([None, 2, 10]), min_size=1, max_size=3))
    def begin(self, currency: str, days: list[int | None]) -> None:
        """With something to spend: most of what follows would be refused."""
        for number, lifetime in enumerate(days, 1):
            self.grant(currency, 1000 * number, f"reward:{number}", lifetime)

    @rule(currency=currencies, amount=amounts, order=orders, back=st.booleans())
    def buy(self, currency: str, amount: int, order: str, back: bool) -> None:
        self.reserve(currency, amount, order, 60)
        self.capture(order, 1)
        if back:
            self.refund(order, amount // 2 + 1)

    @rule(currency=currencies, amount=amounts, source=sources)
    def take_back_too_late(self, currency: str, amount: int, source: str) -> None:
        self.grant(currency, amount, source, 1)
        self.let_expire(2)
        self.claw_back(currency, amount, source)

    @rule(currency=currencies, amount=amounts, source=sources)
    def owe_and_earn(self, currency: str, amount: int, source: str) -> None:
        self.claw_back(currency, 20_000, source)
        self.grant(currency, amount, source, None)

    @rule(days=st.integers(2, 11))
    def let_expire(self, days: int) -> None:
        self.wait(days * 60 * 24)
        self.expire_reservations()
        self.expire()

    @rule(currency=currencies, amount=amounts, source=sources, days=lifetimes)
    def grant(self, currency: str, amount: int, source: str, days: int | None) -> None:
        expires_at = None if days is None else self.now + timedelta(days=days)
        arguments = {
            "user": self.user,
            "currency": currency,
            "amount": amount * UNIT[currency],
            "source": source,
            "expires_at": expires_at,
        }
        if not self.known(currency, source):
            with pytest.raises(ValueError, match="no account"):
                credit.grant(key="none", now=self.now, **arguments)
            return
        self.post(
            credit.grant, lambda: self.paper.add(currency, amount, source, expires_at, self.now), **arguments
        )

    @rule(currency=currencies, amount=amounts, source=sources)
    def claw_back(self, currency: str, amount: int, source: str) -> None:
        arguments = {
            "user": self.user,
            "currency": currency,
            "amount": amount * UNIT[currency],
            "source": source,
        }
        if not self.known(currency, source):
            with pytest.raises(ValueError, match="no account"):
                credit.claw_back(key="none", now=self.now, **arguments)
            return
        self.post(
            credit.claw_back, lambda: self.paper.claw_back(currency, amount, source, self.now), **arguments
        )

    @precondition(lambda self: self.user is not None)
    @rule(currency=currencies, amount=amounts, add=st.booleans())
    def adjust(self, currency: str, amount: int, add: bool) -> None:
        def on_paper() -> None:
            if add:
                self.paper.add(currency, amount, "", None, self.now)
            else:
                self.paper.subtract(currency, amount, self.now)

        signed = amount if add else -amount
        self.post(credit.adjust, on_paper, user=self.user, currency=currency, amount=signed * UNIT[currency])

    @rule(currency=currencies, amount=amounts, order=orders, lifetime=minutes)
    def reserve(self, currency: str, amount: int, order: str, lifetime: int) -> None:
        expires_at = self.now + timedelta(minutes=lifetime)
        arguments = {
            "user": self.user,
            "currency": currency,
            "amount": amount * UNIT[currency],
            "order_number": order,
            "expires_at": expires_at,
            "now": self.now,
        }
        available = self.can_be_reserved(currency, amount, order, expires_at)
        if available is not None:
            with pytest.raises(credit.InsufficientCredit) as told:
                credit.reserve(**arguments)
            assert told.value.available == available * UNIT[currency]
            return
        reservation = credit.reserve(**arguments)
        again = credit.reserve(**arguments)
        assert again.pk == reservation.pk

    @rule(order=orders, times=st.integers(1, 2))
    def capture(self, order: str, times: int) -> None:
        for _ in range(times):
            self.paper.capture(order, self.now)
            reservation = credit.capture(order_number=order, now=self.now)
        last = self.paper.last(order)
        assert (reservation is None) == (last is None or last.state == "withdrawn")

    @rule(order=orders)
    def release(self, order: str) -> None:
        self.paper.release(order, self.now)
        credit.release(order_number=order, now=self.now)

    @rule(order=orders)
    def withdraw(self, order: str) -> None:
        self.paper.withdraw(order, self.now)
        credit.withdraw(order_number=order, now=self.now)

    @rule(order=orders, amount=amounts)
    def refund(self, order: str, amount: int) -> None:
        last = self.paper.last(order)
        names = {id(account): currency for currency, account in self.paper.accounts.items()}
        unit = UNIT[names[id(last.account)]] if last is not None else Decimal(1)
        self.post(
            credit.refund,
            lambda: self.paper.refund(order, amount, self.now),
            order_number=order,
            amount=amount * unit,
        )

    @rule(minutes=st.one_of(st.integers(1, 200), st.integers(1, 60 * 24 * 20)))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule()
    def expire(self) -> None:
        assert credit.expire(now=self.now) == self.paper.expire(self.now)

    @rule()
    def expire_reservations(self) -> None:
        assert credit.expire_reservations(now=self.now) == self.paper.expire_reservations(self.now)

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """Any call with a key, made again at any later time: the first entry, and nothing moves."""
        operation, arguments, first = data.draw(st.sampled_from(self.calls))
        if self.user is None and "user" in arguments:
            arguments = arguments | {"user": None}
        before = Entry.objects.count()
        assert operation(**arguments).pk == first
        assert Entry.objects.count() == before

    @precondition(lambda self: self.user is not None and len(self.calls) > 3)
    @rule()
    def delete_the_customer(self) -> None:
        self.user.delete()
        self.user = None

    # What is always so.

    @invariant()
    def both_say_the_same(self) -> None:
        accounts = {account.currency: account for account in Account.objects.all()}
        assert accounts.keys() == self.paper.accounts.keys()
        for currency, on_paper in self.paper.accounts.items():
            account, unit = accounts[currency], UNIT[currency]
            assert account.shortfall == on_paper.shortfall * unit
            lots = account.lots.order_by("pk")
            assert [
                (lot.source, lot.amount, lot.remaining, lot.reserved, lot.expires_at) for lot in lots
            ] == [
                (lot.source, lot.amount * unit, lot.remaining * unit, lot.reserved * unit, lot.expires_at)
                for lot in on_paper.lots
            ]
            if self.user is not None:
                assert (
                    credit.available(self.user, currency, now=self.now) == on_paper.available(self.now) * unit
                )
            # A shortfall is paid as soon as there is something to pay it with.
            assert not on_paper.shortfall or not on_paper.available(self.now)
        for order, attempts in self.paper.attempts.items():
            rows = Reservation.objects.filter(order_number=order).select_related("account").order_by("pk")
            unit = UNIT[rows[0].account.currency]
            assert [(row.state, row.amount / UNIT[row.account.currency], row.expires_at) for row in rows] == [
                (attempt.state, attempt.amount, attempt.expires_at) for attempt in attempts
            ]
            unit = UNIT[rows[len(rows) - 1].account.currency]
            assert credit.captured_amount(order) == self.paper.captured(order) * unit

    @invariant()
    def the_books_agree(self) -> None:
        assert_books_agree()


@pytest.mark.django_db
def test_the_ledger_does_what_the_one_on_paper_does():
    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=40,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
    assert set(Entry.Kind.values) == Ledger.met, "what is never tried proves nothing"
