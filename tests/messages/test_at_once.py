"""Corrections and announcements by several workers at once, on a real PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from wagtail.models import ModelLogEntry

from tests.admin.rows import make_user
from tests.books import LEDGER, assert_audit_clean
from tests.credit.test_concurrency import at_once, no_errors
from wagtail_referrals import credit, people
from wagtail_referrals.credit.models import Entry
from wagtail_referrals.messages import announce_expiring, deliver_pending
from wagtail_referrals.messages.models import Message

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor != "postgresql",
        reason="SQLite has one writer at a time; row locks are proved with TEST_DATABASE=postgres.",
    ),
]

NOW = datetime(2027, 2, 12, 12, tzinfo=UTC)


@pytest.fixture
def camille() -> Any:
    return make_user("camille@example.com", "Camille")


def test_the_same_correction_at_once_is_one(camille: Any) -> None:
    def correct(number: int) -> people.Correction:
        return people.correct_credit(
            user=camille, currency="EUR", amount=Decimal(5), note=f"Note {number}", key="k", actor=camille
        )

    results = at_once(correct)
    no_errors(results)
    assert [done.is_new for done in results].count(True) == 1
    assert len({done.note for done in results}) == 1
    assert Entry.objects.count() == 1
    assert ModelLogEntry.objects.filter(action=people.ADJUST_ACTION).count() == 1
    assert_audit_clean(only=LEDGER)


def test_no_more_is_taken_than_there_is(camille: Any) -> None:
    credit.grant(user=camille, currency="EUR", amount=Decimal(20), key="a")

    def take(number: int) -> people.Correction:
        return people.correct_credit(
            user=camille, currency="EUR", amount=Decimal(-3), note="Mistake", key=f"k{number}"
        )

    results = at_once(take)
    losers = [result for result in results if isinstance(result, credit.InsufficientCredit)]
    assert len(losers) == 10
    no_errors([result for result in results if result not in losers])
    assert credit.available(camille, "EUR") == Decimal(2)
    # Whoever was refused left nothing in the log.
    assert ModelLogEntry.objects.filter(action=people.ADJUST_ACTION).count() == 6
    assert_audit_clean(only=LEDGER)


def test_several_workers_announce_once(camille: Any) -> None:
    credit.grant(
        user=camille,
        currency="EUR",
        amount=Decimal(15),
        key="a",
        expires_at=NOW + timedelta(days=30),
        now=NOW - timedelta(days=90),
    )

    def work(number: int) -> int:
        announce_expiring(now=NOW)
        return deliver_pending(now=NOW)

    no_errors(at_once(work, 8))
    assert Message.objects.get().state == Message.State.SENT
    assert len(mail.outbox) == 1
