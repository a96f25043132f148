"""What customers do with plans that the shop sells: shared by the tests of memberships."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from oscar.core.loading import get_model

from oscar_integration.memberships.models import Membership, Plan
from tests.memberships.rows import make_plan
from tests.oscar_integration.shopping import create_order, fill_basket, make_product


def make_sold_plan(slug: str = "monthly", *, price: str = "30.00", **values: Any) -> Plan:
    """A plan with a product at this price, tax included."""
    return make_plan(slug, product=make_product(slug.upper(), price, sent=False), **values)


def place(*plans: Plan, user: Any = None, email: str = "", quantity: int = 1, **values: Any) -> Any:
    """An order of so many pieces of each plan's product, by Oscar's OrderCreator; not paid."""
    basket = fill_basket(user=user)
    for plan in plans:
        basket.add_product(plan.product, quantity=quantity)
    return create_order(basket, user=user, email=email, **values)


def pay(order: Any) -> Any:
    """As the shop's office does it; the order."""
    order.set_status("Paid")
    return order


def refund(order: Any, amount: str, pieces: dict[Any, int] | None = None) -> None:
    """Give money back, as Oscar's dashboard records it: for these pieces of these lines, or for nothing named."""
    kind, _created = get_model("order", "PaymentEventType").objects.get_or_create(
        code="refund", name="Refund"
    )
    event = order.payment_events.create(event_type=kind, amount=Decimal(amount))
    for line, quantity in (pieces or {}).items():
        get_model("order", "PaymentEventQuantity").objects.create(event=event, line=line, quantity=quantity)


def membership_of(user: Any, plan: Plan | None = None) -> Membership:
    """The only one of this customer, or of this customer and plan, as it is in the database."""
    found = Membership.objects.filter(user=user)
    return (found.filter(plan=plan) if plan is not None else found).get()
