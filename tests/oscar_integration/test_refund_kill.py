"""A cancellation or a refund whose process dies, at whatever step, gives credit back once when it is done again."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_integration import refund_credit
from tests.books import LEDGER, assert_audit_clean
from tests.killing import in_a_process
from tests.oscar_integration.shopping import create_order, fill_basket
from wagtail_referrals import credit, rewards

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
ORDERS = 32
Order = get_model("order", "Order")


@pytest.fixture
def numbers(make_customer: Any, france: Any, mat: Any) -> list[str]:
    """Orders of 100.00, each by a customer of its own, who had 15.00 of credit in two lots and paid 12.00 with it."""
    found = []
    for number in range(ORDERS):
        user = make_customer(f"customer{number}@example.com")
        for part, amount in enumerate(("10", "5")):
            credit.grant(user=user, currency="EUR", amount=D(amount), key=f"gift:{number}:{part}")
        name = f"N{number}"
        later = timezone.now() + timedelta(hours=1)
        credit.reserve(user=user, currency="EUR", amount=D(12), order_number=name, expires_at=later)
        create_order(fill_basket(mat, user=user), user=user, order_number=name)
        found.append(name)
    return found


def left(number: str) -> tuple[Decimal, Decimal, Decimal]:
    """What of the order stays paid with credit, as ledger and payment source say, and what the customer has."""
    order = Order.objects.get(number=number)
    source = order.sources.get(source_type__code="referral-credit")
    return (
        credit.captured_amount(number),
        source.amount_debited - source.amount_refunded,
        credit.available(order.user, "EUR"),
    )


def test_a_refund_killed_at_each_step(numbers: list[str]) -> None:
    done = in_a_process("tests.oscar_integration.dying_refund", orders=numbers, what="refund")
    assert len(done["died"]) > 8 and done["died"][-1] == done["steps"]
    assert_audit_clean(only=LEDGER)
    assert {left(number) for number in numbers} == {(D(12), D(12), D(3)), (D(8), D(8), D(7))}, (
        "all of it or nothing"
    )
    # Whoever got no answer asks again.
    for number in numbers:
        refund_credit(Order.objects.get(number=number), D(4), key=f"return:{number}")
    assert {left(number) for number in numbers} == {(D(8), D(8), D(7))}
    assert_audit_clean()


def test_a_cancellation_killed_at_each_step(numbers: list[str]) -> None:
    done = in_a_process("tests.oscar_integration.dying_refund", orders=numbers, what="cancel")
    assert len(done["died"]) > 8 and done["died"][-1] == done["steps"]
    assert_audit_clean(only=LEDGER)
    cancelled = list(Order.objects.filter(status="Cancelled").values_list("number", flat=True))
    assert len(cancelled) < ORDERS
    later = timezone.now() + timedelta(minutes=10)
    for _again in range(2):
        rewards.sweep(now=later)
        assert_audit_clean(now=later)
    assert {left(number) for number in cancelled} == {(D(0), D(0), D(15))}
    assert {left(number) for number in numbers if number not in cancelled} == {(D(12), D(12), D(3))}
