"""What the ledger's tests share: a customer, a moment, and books that are checked after every test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from tests.books import LEDGER, assert_audit_clean
from tests.credit.audit import assert_books_agree
from wagtail_referrals import credit

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOON


@pytest.fixture
def make_customer(db: None) -> Callable[[], Any]:
    from django.contrib.auth import get_user_model

    numbers = count(1)

    def make() -> Any:
        number = next(numbers)
        return get_user_model().objects.create_user(username=f"customer{number}", password="x")

    return make


@pytest.fixture
def customer(make_customer: Callable[[], Any]) -> Any:
    return make_customer()


@pytest.fixture
def books(db: None) -> Iterator[None]:
    """Every amount can be recomputed from the entries, whatever the test did."""
    yield
    assert_books_agree()
    assert_audit_clean(only=LEDGER)


@pytest.fixture
def give(customer: Any, now: datetime, books: None) -> Callable[..., credit.Entry]:
    """Grant credit: ``give("10", days=30, source="reward:1")``."""
    numbers = count(1)

    def give(amount: str, *, days: int | None = None, user: Any = None, **more: Any) -> credit.Entry:
        arguments = {
            "user": user or customer,
            "currency": "EUR",
            "amount": Decimal(amount),
            "key": f"grant:{next(numbers)}",
            "expires_at": None if days is None else now + timedelta(days=days),
            "now": now,
        } | more
        return credit.grant(**arguments)

    return give


@pytest.fixture
def set_aside(customer: Any, now: datetime, books: None) -> Callable[..., credit.Reservation]:
    """Reserve credit for an order: ``set_aside("10", "order-1")``."""

    def set_aside(amount: str, order_number: str = "100001", **more: Any) -> credit.Reservation:
        arguments = {
            "user": customer,
            "currency": "EUR",
            "amount": Decimal(amount),
            "order_number": order_number,
            "expires_at": now + timedelta(hours=1),
            "now": now,
        } | more
        return credit.reserve(**arguments)

    return set_aside
