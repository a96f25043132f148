"""Customers, plans and memberships, written as briefly as a test wants to read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from django.contrib.auth import get_user_model

from oscar_integration.memberships.models import Membership, Period, Plan, PlanName
from oscar_integration.memberships.opening import add_period
from oscar_integration.memberships.settle import settle

NOW = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)


def make_user(
    email: str = "camille@example.com", first_name: str = "", last_name: str = "", **values: Any
) -> Any:
    return get_user_model().objects.create_user(
        username=email.replace("@", "-"), email=email, first_name=first_name, last_name=last_name, **values
    )


def make_plan(slug: str = "monthly", title: str = "", **values: Any) -> Plan:
    """A month, unlimited, given by staff. ``title`` is what customers read in English."""
    plan = Plan.objects.create(name=values.pop("name", slug.title()), slug=slug, **values)
    if title:
        PlanName.objects.create(plan=plan, language="en", name=title)
    return plan


def give(user: Any, plan: Plan, *, now: datetime = NOW, **values: Any) -> Membership:
    """A period of the plan, given by staff at ``now``; the membership that has it.

    A customer who gets a first one of a plan that renews by itself wants that, unless ``switched_on`` is false.
    """
    switched_on = values.pop("switched_on", True)
    arguments: dict[str, Any] = {
        "origin": Period.Origin.STAFF,
        "counts_from": now,
        "key": f"staff:{uuid4()}",
    } | values
    period = add_period(user=user, plan=plan, now=now, **arguments)
    is_first = period.membership.periods.count() == 1
    if switched_on and plan.renews and is_first and arguments["origin"] == Period.Origin.STAFF:
        Membership.objects.filter(pk=period.membership_id).update(renews=True)
        settle(period.membership_id, now=now)
    return Membership.objects.get(pk=period.membership_id)
