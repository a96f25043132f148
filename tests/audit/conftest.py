"""A customer whose account has seen everything that can happen to one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.credit.conftest import NOON, customer, make_customer  # noqa: F401  (fixtures)
from wagtail_referrals import credit

D = Decimal


@pytest.fixture
def now() -> datetime:
    return NOON


@pytest.fixture
def live(customer: Any) -> Callable[..., None]:  # noqa: F811
    """Everything once, in one currency: ``live("EUR")``."""

    def live(currency: str = "EUR", user: Any = None) -> None:
        who = {"user": user or customer, "currency": currency}
        name = f"{(user or customer).pk}:{currency}"

        def day(number: int) -> datetime:
            return NOON - timedelta(days=60 - number)

        def reserve(amount: int, order: str, on: int) -> None:
            credit.reserve(
                **who,
                amount=D(amount),
                order_number=f"{order}-{name}",
                expires_at=day(on) + timedelta(hours=1),
                now=day(on),
            )

        for number, amount in enumerate((30, 20, 10), 1):
            credit.grant(
                **who,
                amount=D(amount),
                key=f"{name}:{number}",
                source=f"reward:{number}",
                expires_at=day(30 + number) if number < 3 else None,
                now=day(number),
            )
        reserve(25, "spent", 4)
        credit.capture(order_number=f"spent-{name}", now=day(4))
        reserve(5, "declined", 5)
        credit.release(order_number=f"declined-{name}", now=day(5))
        reserve(5, "abandoned", 6)
        credit.expire_reservations(now=day(7))
        reserve(4, "late", 8)
        credit.expire_reservations(now=day(9))
        credit.capture(order_number=f"late-{name}", now=day(9))
        credit.refund(order_number=f"spent-{name}", amount=D(5), key=f"refund:{name}:1", now=day(10))
        credit.expire(now=day(33))
        # Into a lot that has expired: it lives again.
        credit.refund(order_number=f"spent-{name}", amount=D(6), key=f"refund:{name}:2", now=day(34))
        credit.claw_back(**who, amount=D(20), source="reward:2", key=f"back:{name}:2", now=day(35))
        credit.claw_back(**who, amount=D(30), source="reward:1", key=f"back:{name}:1", now=day(36))
        credit.adjust(**who, amount=D(40), key=f"adjust:{name}:1", now=day(37))
        credit.adjust(**who, amount=D(-3), key=f"adjust:{name}:2", now=day(38))
        credit.reserve(
            **who,
            amount=D(2),
            order_number=f"open-{name}",
            expires_at=NOON + timedelta(hours=1),
            now=NOON,
        )

    return live
