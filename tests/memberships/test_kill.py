"""A process that dies while an order opens a membership, at whatever step, leaves what the sweep makes good."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from oscar.core.loading import get_model

from oscar_integration.memberships.models import Membership, Period
from oscar_integration.memberships.opening import IN_THE_MAKING
from tests.killing import in_a_process
from tests.memberships.rows import NOW, make_user
from tests.memberships.shopping import make_sold_plan
from wagtail_referrals import rewards

Order = get_model("order", "Order")
State = Membership.State
STEPS = 60
LATER = NOW + IN_THE_MAKING + timedelta(hours=1)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clock", "france")]


def problem_of(order: Any) -> str:
    """What is wrong with the memberships of an order of two pieces of each of two plans; "" for nothing."""
    lines = {line.pk: line.product_id for line in order.lines.all()}
    periods = list(Period.objects.filter(order_number=order.number).select_related("membership__plan"))
    if sorted((period.line_id, period.piece) for period in periods) != [
        (pk, n) for pk in sorted(lines) for n in (0, 1)
    ]:
        return f"periods {periods}"
    if [period.kind for period in sorted(periods, key=lambda each: each.pk)] != ["new", *["extension"] * 3]:
        return f"kinds {[period.kind for period in periods]}"
    is_paid = order.status == "Paid"
    for period in periods:
        membership = period.membership
        if (membership.user_id, membership.plan.product_id) != (order.user_id, lines[period.line_id or 0]):
            return f"{membership} is another one's"
        if (membership.state == State.ACTIVE) != is_paid or (period.starts_at is not None) != is_paid:
            return f"{membership} is {membership.state}, the order {order.status}"
    return "" if bool(order.user.groups.count()) == is_paid else f"groups {order.user.groups.all()}"


def test_orders_and_sweeps_killed_at_each_step(db: None) -> None:
    group = Group.objects.create(name="Members")
    plans = [make_sold_plan("monthly", group=group), make_sold_plan("yearly", period_length=12)]
    users = [make_user(f"member{number}@example.com") for number in range(STEPS + 2)]
    done = in_a_process(
        "tests.memberships.dying_order",
        user_ids=[user.pk for user in users],
        plan_ids=[plan.pk for plan in plans],
        now=NOW.isoformat(),
        later=LATER.isoformat(),
    )
    assert len(done["died"]) == STEPS, "each died in the middle"
    assert done["steps"] > 2 * STEPS
    assert len(done["swept"]) > 5
    rewards.sweep(now=LATER)
    orders = list(Order.objects.select_related("user").order_by("pk"))
    assert STEPS / 2 < len(orders) < len(users), "some died before there was an order"
    assert {order.status for order in orders} == {"Pending", "Paid"}
    assert [problem for order in orders if (problem := problem_of(order))] == []
    assert Period.objects.count() == 4 * len(orders)
    assert Membership.objects.count() == 2 * len(orders)
    rewards.sweep(now=LATER)
    assert Period.objects.count() == 4 * len(orders)
