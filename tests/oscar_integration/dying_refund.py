"""Orders whose cancellation or refund dies at a step, each at another: run by ``tests.killing.in_a_process``."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from oscar.core.loading import get_model

from oscar_integration import refund_credit
from tests.killing import count_steps, die_after, spread


def give_back(number: str, what: str) -> None:
    """Cancel the order as the back office does, or give back 4.00 of its credit."""
    order = get_model("order", "Order").objects.get(number=number)
    if what == "cancel":
        order.set_status("Cancelled")
    else:
        refund_credit(order, Decimal("4.00"), key=f"return:{number}")


def die(orders: list[str], what: str) -> dict[str, Any]:
    """Give back the credit of the first two, and of each other one in a process that dies at another step."""
    steps = 0
    for number in orders[:2]:
        steps = count_steps(lambda number=number: give_back(number, what))  # type: ignore[misc]
    died = [
        step
        for step, number in zip(spread(steps, len(orders) - 2), orders[2:], strict=False)
        if die_after(step, lambda number=number: give_back(number, what))  # type: ignore[misc]
    ]
    return {"steps": steps, "died": died}
