"""A worker that dies, at whatever step, leaves what the next one completes: one order, one charge, one period."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from oscar.core.loading import get_model

from example_site.card.gateway import DECLINED
from example_site.card.models import DemoCharge
from oscar_integration.memberships import renewals as room
from oscar_integration.memberships.models import Membership, Renewal
from oscar_integration.memberships.renewals import LEASE
from tests.books import LEDGER, assert_audit_clean
from tests.killing import in_a_process
from tests.memberships.renewing import (
    DAY,
    DUE,
    has_credit,
    has_credit_like,
    join,
    keep_card,
    mails,
    make_renewing_plan,
    problems_of,
    renewal_of,
)
from tests.memberships.rows import NOW, make_user
from wagtail_referrals.messages import deliver_pending

pytestmark = pytest.mark.django_db(transaction=True)

Order = get_model("order", "Order")
STEPS = 40
LATER = LEASE + timedelta(minutes=1)


def renew_due(moment: datetime) -> None:
    """A sweep at that moment; what hears of its orders looks at the clock."""
    with time_machine.travel(moment, tick=False):
        room.renew_due(moment)
        deliver_pending()


def make_members(count: int, amount: str = "12.00", card: str | None = None) -> list[Membership]:
    """Each with credit that pays a part of it, and a card for the rest."""
    plan = make_renewing_plan()
    reward = has_credit(make_user("first@example.com"), amount)
    members = []
    for number in range(count):
        user = make_user(f"member{number}@example.com")
        has_credit_like(user, amount, reward)
        keep_card(user, *([card] if card else []))
        members.append(join(user, plan))
    return members


def announced(members: list[Membership]) -> list[int]:
    renew_due(NOW)
    renew_due(DUE - 7 * DAY)
    return [renewal_of(member).pk for member in members]


def assert_all_renewed(members: list[Membership], **values: Any) -> None:
    assert_audit_clean(only=LEDGER)
    assert [problem for member in members for problem in problems_of(member, **values)] == []
    assert Order.objects.filter(user__in=[member.user for member in members]).count() == len(members)
    for member in members:
        assert mails(member.user) == ["membership_renews", "membership_renewed"]


def test_a_renewal_killed_at_each_step() -> None:
    members = make_members(STEPS + 2)
    renewals = announced(members)
    done = in_a_process("tests.memberships.dying_renewal", now=DUE.isoformat(), renewals=renewals)
    assert len(done["died"]) == STEPS, "each died in the middle"
    assert done["steps"] > 3 * STEPS
    assert_audit_clean(only=LEDGER)
    states = set(Renewal.objects.filter(pk__in=renewals).values_list("state", flat=True))
    assert states >= {Renewal.State.PLANNED, Renewal.State.CHARGING, Renewal.State.DONE}
    assert 2 < DemoCharge.objects.count() < STEPS + 2
    renew_due(DUE + LATER)
    assert_all_renewed(members)
    renew_due(DUE + 2 * LATER)
    assert_all_renewed(members)


def test_credit_that_pays_everything_killed_at_each_step() -> None:
    members = make_members(STEPS // 2 + 2, "30.00")
    renewals = announced(members)
    done = in_a_process("tests.memberships.dying_renewal", now=DUE.isoformat(), renewals=renewals)
    assert len(done["died"]) == STEPS // 2
    renew_due(DUE + LATER)
    assert_all_renewed(members)
    assert not DemoCharge.objects.exists()


def test_a_refusal_killed_at_each_step() -> None:
    """The bank's no is a no, and frees the credit, whoever hears it."""
    members = make_members(STEPS // 2 + 2, card=DECLINED)
    renewals = announced(members)
    done = in_a_process("tests.memberships.dying_renewal", now=DUE.isoformat(), renewals=renewals)
    assert len(done["died"]) == STEPS // 2
    renew_due(DUE + LATER)
    assert_audit_clean(only=LEDGER)
    assert not Order.objects.filter(user__in=[member.user for member in members]).exists()
    for member in members:
        renewal = renewal_of(member)
        assert (renewal.state, renewal.attempt) == (Renewal.State.PAST_DUE, 1)
        assert mails(member.user) == ["membership_renews", "membership_declined"]
        assert problems_of(member, paid=0) == []
        keep_card(member.user)
    renew_due(DUE + DAY + LATER)
    assert [problem for member in members for problem in problems_of(member)] == []


def test_sweeps_that_die_one_after_the_other() -> None:
    """From the plan on; each begins with what the others left."""
    members = make_members(4)
    times = 45
    done = in_a_process(
        "tests.memberships.dying_renewal", now=(DUE - 7 * DAY).isoformat(), renewals=[], sweeps=times
    )
    assert len(done["died"]) > times / 3
    moment = datetime.fromisoformat(done["moment"])
    renew_due(moment)
    done = in_a_process(
        "tests.memberships.dying_renewal", now=(moment + 7 * DAY).isoformat(), renewals=[], sweeps=times
    )
    assert len(done["died"]) > times / 3
    renew_due(datetime.fromisoformat(done["moment"]))
    assert_all_renewed(members)
