"""The audit reads everything as of one moment, keeps nobody waiting, and cannot write."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection

from tests.books import LEDGER, assert_audit_clean, audited
from tests.credit.test_concurrency import no_errors
from wagtail_referrals import credit
from wagtail_referrals.audit import Check, Finding, Run, checks
from wagtail_referrals.credit import Account, Entry

D = Decimal
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def meanwhile() -> Iterator[Any]:
    """Do something in the middle of the audit: ``meanwhile(work)``; it is put before the accounts are read."""
    added: list[str] = []

    def add(work: Any, before: str = "ledger") -> None:
        def run(run: Run) -> Iterator[Finding]:
            work()
            yield from ()

        name = f"meanwhile{len(added)}"
        # Checks are done in the order in which they were registered.
        later = list(checks)
        for check in later:
            checks.unregister(check.key)
        for check in later:
            if check.key == before:
                checks.register(Check(name, name, run))
            checks.register(check)
        added.append(name)

    yield add
    for name in added:
        checks.unregister(name)


@pytest.mark.parametrize("write", ["orm", "sql"])
def test_it_cannot_write(live, meanwhile, write):
    live("EUR")
    refused: list[str] = []

    def work() -> None:
        try:
            if write == "orm":
                Account.objects.update(balance=99)
            else:
                with connection.cursor() as cursor:
                    cursor.execute("CREATE TABLE scribble (id integer)")
        except DatabaseError as error:
            refused.append(str(error))
            raise

    meanwhile(work)
    found = audited(only=(*LEDGER, "meanwhile0"))
    assert [finding.problem.key for finding in found] == ["check_failed"], (
        "and the accounts were read all the same"
    )
    assert "read-only" in refused[0] or "readonly" in refused[0]
    assert not Account.objects.filter(balance=99).exists()
    # Afterwards one can write again.
    Account.objects.update(shortfall=Account.objects.get().shortfall)
    assert_audit_clean(only=LEDGER)


def test_what_is_written_meanwhile_is_not_seen(live, customer, meanwhile, now):
    """A whole grant between two reads of one audit: the sums of one moment agree, and nobody waits for the audit."""
    live("EUR")

    def elsewhere() -> None:
        def grant() -> None:
            try:
                credit.grant(user=customer, currency="EUR", amount=D(7), key="meanwhile", now=now)
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as pool:
            pool.submit(grant).result(timeout=30)

    seen: list[int] = []
    # It has begun to read when the grant comes.
    meanwhile(lambda: seen.append(Entry.objects.count()))
    meanwhile(elsewhere)
    meanwhile(lambda: seen.append(Entry.objects.count()))
    assert_audit_clean(only=(*LEDGER, "meanwhile0", "meanwhile1", "meanwhile2"))
    assert seen[0] == seen[1] == Entry.objects.count() - 1
    assert_audit_clean(only=LEDGER)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time.")
def test_a_shop_that_goes_on_gives_no_false_alarm(customer, make_customer, now):
    """Six customers order, are refunded and lose credit, over and over, while it looks ten times."""
    people = [make_customer() for _ in range(6)]
    stop = threading.Event()

    def orders(number: int) -> int:
        turn = 0
        try:
            while not stop.is_set():
                turn += 1
                who = {"user": people[number], "currency": "EUR", "now": now}
                order = f"{number}-{turn}"
                credit.grant(
                    **who,
                    amount=D(9),
                    key=f"grant:{order}",
                    source="reward:1",
                    expires_at=now + timedelta(days=turn),
                )
                later = now + timedelta(hours=1)
                credit.reserve(**who, amount=D(5), order_number=order, expires_at=later)
                if turn % 3:
                    credit.capture(order_number=order, now=now)
                    credit.refund(order_number=order, amount=D(2), key=f"refund:{order}", now=now)
                else:
                    credit.release(order_number=order, now=now)
                credit.claw_back(**who, amount=D(3), source="reward:1", key=f"back:{order}")
        finally:
            connection.close()
        return turn

    with ThreadPoolExecutor(6) as pool:
        running = [pool.submit(orders, number) for number in range(6)]
        try:
            for _ in range(10):
                assert_audit_clean(only=(*LEDGER, "safeguards"))
        finally:
            stop.set()
        turns = [job.result(timeout=30) for job in running]
    no_errors(turns)
    assert all(turns)
    assert_audit_clean(only=LEDGER)
