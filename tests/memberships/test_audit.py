"""The audit of memberships: no false alarm whatever happens, and each thing that was written past the code is found."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import TestCase
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_integration.memberships.models import GroupGrant, Membership, Period, Plan, Renewal, Use
from oscar_integration.memberships.opening import add_period, take_back
from oscar_integration.memberships.settle import settle
from oscar_integration.memberships.uses import NotOpen, record_use, undo_use
from tests.audit.tampering import change, problems, sql
from tests.books import assert_audit_clean, audited
from tests.memberships.renewing import PATH, has_credit, open_bank
from tests.memberships.rows import NOW, give, make_plan, make_user
from tests.memberships.shopping import make_sold_plan, membership_of, pay, place, refund
from wagtail_referrals import credit
from wagtail_referrals.rewards import sweep

pytestmark = pytest.mark.django_db

D = Decimal
Order = get_model("order", "Order")
PARTS = ("memberships", "renewals")


def found(**later: Any) -> list[tuple[str, str, Any]]:
    return problems(now=timezone.now() + timedelta(**later), only=PARTS)


def committed() -> Any:
    """What is done inside is done for good: whoever waits for the commit is called at its end."""
    return TestCase.captureOnCommitCallbacks(execute=True)


@pytest.fixture
def bought(clock: Any, lea: Any, plan: Plan) -> Membership:
    with committed():
        pay(place(plan, user=lea))
    return membership_of(lea)


# Nothing is wrong


def test_a_life_with_all_that_can_happen_agrees(clock: Any, lea: Any, plan: Plan) -> None:
    """Bought twice and half of it refunded, waiting for an account, used up, taken back, deleted."""
    group = make_plan("group", group=_group(), uses=2)
    tom, ada = make_user("tom@example.com"), make_user("ada@example.com")
    with committed():
        refund(pay(place(plan, user=lea, quantity=2)), "30.00")
        place(plan, email="guest@example.com")
        pay(place(plan, user=tom)).set_status("Cancelled")
        for key in ("first", "second"):
            record_use(give(tom, group), key=key, how=Use.How.CODE, by=None)
        give(ada, group)
        ada.delete()
    sweep()
    states = set(Membership.objects.values_list("state", "ended_reason"))
    assert states >= {("active", ""), ("waiting", ""), ("ended", "cancelled"), ("ended", "deleted")}
    assert_audit_clean(now=timezone.now())
    clock.shift(timedelta(days=40))
    sweep()
    assert_audit_clean(now=timezone.now())
    assert Membership.objects.filter(state="active").count() == 0


def _group() -> Any:
    from django.contrib.auth.models import Group

    return Group.objects.get_or_create(name="Members")[0]


class Life:
    """Some customers to whom something happens at random."""

    def __init__(self, seed: int, clock: time_machine.Traveller) -> None:
        self.chance, self.clock = random.Random(seed), clock
        self.people = [make_user(f"member{number}@example.com") for number in range(4)]
        self.plans = [
            make_sold_plan("monthly", renews=True, group=_group()),
            make_sold_plan("ten", uses=3, period_length=60, period_unit="days"),
            make_plan("trial", uses=1, is_trial=True, gift_only=True),
        ]

        self.bank = open_bank()
        self.bank.before, self.bank.after = self.break_down, self.break_down

    def break_down(self, request: Any) -> None:
        """Taken or not: nobody knows."""
        if self.chance.random() < 0.2:
            raise ConnectionError("the bank does not answer")

    def step(self) -> str:
        deeds = [
            self.buy,
            self.buy,
            self.pay,
            self.pay,
            self.give,
            self.use,
            self.use,
            self.undo,
            self.refund,
            self.cancel,
            self.take_back,
            self.wait,
            self.wait,
            self.sweep,
            self.switch,
            self.edit,
            self.leave,
            self.earn,
            self.run_dry,
        ]
        deed: Callable[[], None] = self.chance.choice(deeds)
        with committed():
            deed()
        return deed.__name__

    def one(self, rows: Any) -> Any:
        rows = list(rows)
        return self.chance.choice(rows) if rows else None

    def buy(self) -> None:
        plan = self.chance.choice(self.plans[:2])
        user = self.chance.choice([*self.people, None])
        place(plan, user=user, email="" if user else "g@example.com", quantity=self.chance.choice([1, 1, 3]))

    def pay(self) -> None:
        order = self.one(Order.objects.filter(status="Pending"))
        if order is not None:
            pay(order)

    def cancel(self) -> None:
        order = self.one(Order.objects.exclude(status="Cancelled"))
        if order is not None and "Cancelled" in order.available_statuses():
            order.set_status("Cancelled")

    def refund(self) -> None:
        order = self.one(Order.objects.filter(status="Paid"))
        if order is not None:
            refund(order, self.chance.choice(["30.00", "10.00", str(order.total_incl_tax)]))

    def give(self) -> None:
        give(self.chance.choice(self.people), self.chance.choice(self.plans), now=timezone.now())

    def take_back(self) -> None:
        period = self.one(Period.objects.filter(taken_back_at=None))
        if period is not None:
            take_back(period, Membership.Reason.STAFF, now=timezone.now())

    def use(self) -> None:
        membership = self.one(Membership.objects.filter(state="active"))
        if membership is not None:
            try:
                record_use(membership, key=f"use{Use.objects.count()}", how=Use.How.LIST, by=None)
            except NotOpen:
                pass

    def undo(self) -> None:
        use = self.one(Use.objects.filter(undone_at=None))
        if use is not None:
            undo_use(use, None)

    def switch(self) -> None:
        membership = self.one(Membership.objects.exclude(state="ended"))
        if membership is not None:
            Membership.objects.filter(pk=membership.pk).update(renews=not membership.renews)
            settle(membership.pk)

    def edit(self) -> None:
        plan = self.plans[0]
        plan.grace_days = self.chance.choice([0, 3, 20])
        plan.save()

    def leave(self) -> None:
        if len(self.people) > 2 and self.chance.random() < 0.3:
            self.people.pop().delete()

    def earn(self) -> None:
        has_credit(self.chance.choice(self.people), self.chance.choice(["5", "20", "40"]), now=timezone.now())

    def run_dry(self) -> None:
        person = self.chance.choice(self.people)
        if person.pk in self.bank.declines:
            del self.bank.declines[person.pk]
        else:
            self.bank.declines[person.pk] = "No money."

    def wait(self) -> None:
        self.clock.shift(timedelta(hours=self.chance.choice([1, 20, 24 * 9, 24 * 31])))

    def sweep(self) -> None:
        sweep()


@pytest.mark.parametrize("seed", range(4))
def test_a_random_life_gives_no_false_alarm(seed: int, clock: time_machine.Traveller, settings: Any) -> None:
    settings.WAGTAIL_REFERRALS_OSCAR = {"RENEWAL_CARDS": PATH}
    life = Life(seed, clock)
    done: list[str] = []
    for _step in range(60):
        done.append(life.step())
        try:
            assert_audit_clean(only=PARTS)
        except AssertionError as error:
            raise AssertionError(f"after {', '.join(done)}") from error
    for _night in range(3):
        clock.shift(timedelta(hours=2))
        with committed():
            sweep()
    assert_audit_clean(now=timezone.now())


# What it is


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("starts_at", NOW - timedelta(days=3)),
        ("ends_at", NOW + timedelta(days=300)),
        ("access_until", NOW + timedelta(days=300)),
        ("uses_left", 7),
        ("state", "waiting"),
        ("next_check_at", None),
        ("next_check_at", NOW + timedelta(days=300)),
    ],
)
def test_a_membership_that_says_something_else_than_its_periods(
    bought: Membership, field: str, value: Any
) -> None:
    assert found() == []
    change(bought, **{field: value})
    finding = next(each for each in audited(now=timezone.now(), only=PARTS) if field in each.message)
    assert (finding.problem.key, finding.about, finding.number) == (
        "membership_state",
        "membership",
        bought.pk,
    )


def test_a_membership_that_ended_for_nothing(bought: Membership) -> None:
    change(bought, state="ended", ended_reason="cancelled", next_check_at=None)
    assert {key for key, _about, _number in found()} == {"membership_state"}
    settle(bought.pk)
    assert found() == []


def test_the_reason_of_an_end(bought: Membership, clock: Any) -> None:
    take_back(bought.periods.get(), Membership.Reason.STAFF, now=timezone.now())
    assert found() == []
    change(Membership.objects.get(), ended_reason="used_up", next_check_at=None)
    assert found() == [("membership_state", "membership", bought.pk)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("starts_at", NOW - timedelta(days=3)),
        ("ends_at", None),
        ("shortfall_uses", 4),
        ("shortfall_days", 4),
    ],
)
def test_a_period_that_runs_at_another_time(bought: Membership, field: str, value: Any) -> None:
    period = bought.periods.get()
    change(period, **{field: value})
    assert found() == [("membership_state", "period", period.pk)]


def test_a_period_that_was_deleted(clock: Any, lea: Any) -> None:
    plan = make_plan()
    give(lea, plan)
    membership = give(lea, plan)
    membership.periods.latest("pk").delete()
    assert found() == [("membership_state", "membership", membership.pk)]


def test_what_the_sweep_has_not_done(bought: Membership, clock: Any) -> None:
    change(bought, next_check_at=timezone.now() + timedelta(hours=1))
    assert found(hours=24) == []
    assert found(hours=26) == [("membership_overdue", "membership", bought.pk)]
    sweep(now=timezone.now() + timedelta(hours=26))
    assert found(hours=26) == []


def test_an_end_that_comes_between_two_looks_at_the_orders(
    bought: Membership, plan: Plan, lea: Any, clock: Any
) -> None:
    """It waits for 30 days for what was ordered to follow; the sweep is there when they are over."""
    clock.shift(timedelta(days=20))
    with committed():
        place(plan, user=lea)
    clock.shift(timedelta(days=29, hours=12))
    sweep()
    assert Membership.objects.get().state == "waiting"
    assert found(hours=13) == []
    sweep(now=timezone.now() + timedelta(hours=13))
    assert Membership.objects.get().state == "ended"


# Orders


def test_an_order_that_changed_without_a_word(bought: Membership) -> None:
    """As long as the sweep will look at it, nothing is wrong."""
    order = Order.objects.get()
    Order.objects.update(status="Cancelled")
    assert found() == []
    change(bought, next_check_at=bought.ends_at)
    assert found() == [("membership_order_unseen", "order", order.number)]
    settle(bought.pk)
    assert found() == []


def test_a_paid_piece_without_a_period(clock: Any, lea: Any, plan: Plan) -> None:
    with committed():
        order = pay(place(plan, user=lea, quantity=2))
    assert found(hours=23) == []
    Period.objects.latest("pk").delete()
    settle(membership_of(lea).pk)
    assert found(hours=1) == []
    missed = [each for each in found(days=2) if each[0] == "membership_missed"]
    assert missed == [("membership_missed", "order", order.number)]
    refund(order, "60.00")
    assert "membership_missed" not in {key for key, _about, _number in found(days=2)}


def test_an_order_that_is_not_paid_or_older_than_the_plan_is_not_missed(
    clock: Any, lea: Any, plan: Plan
) -> None:
    with committed():
        place(plan, user=lea)
    Period.objects.all().delete()
    Membership.objects.all().delete()
    assert found(days=2) == []
    Order.objects.get().set_status("Paid")
    assert [key for key, _about, _number in found(days=2)] == ["membership_missed"]
    Plan.objects.update(sold_since=timezone.now() + timedelta(days=1))
    assert found(days=2) == []


# Uses


def test_more_uses_than_it_allows(clock: Any, lea: Any) -> None:
    membership = give(lea, make_plan(uses=2, renews=True))
    for number in range(2):
        record_use(membership, key=str(number), how=Use.How.CODE, by=None)
    assert found() == []
    period = membership.periods.get()
    Use.objects.create(membership=membership, period=period, key="past", how="code", used_at=timezone.now())
    assert found() == [("membership_uses", "membership", membership.pk)]
    Use.objects.filter(key="past").update(undone_at=timezone.now())
    assert found() == []


@pytest.mark.parametrize("renews", [True, False])
def test_a_plan_with_uses_that_learns_or_forgets_to_renew(clock: Any, lea: Any, renews: bool) -> None:
    plan = make_plan(uses=1, renews=renews)
    give(lea, plan)
    membership = give(lea, plan)
    record_use(membership, key="1", how=Use.How.CODE, by=None)
    plan.renews = not renews
    plan.save()
    assert found() == []
    settle(membership.pk)
    assert found() == []
    change(membership.periods.earliest("pk"), ends_used_up=renews)
    assert {code for code, *_rest in found()} == {"membership_state"}


# Groups


@pytest.fixture
def member(clock: Any, lea: Any) -> Membership:
    return give(lea, make_plan(group=_group()))


def test_a_member_who_is_not_in_the_group(member: Membership, lea: Any) -> None:
    assert found(days=2) == []
    lea.groups.clear()
    assert found(hours=23) == []
    assert found(days=2) == [("membership_group", "membership", member.pk)]


def test_somebody_in_the_group_without_a_membership(member: Membership, lea: Any) -> None:
    tom = make_user("tom@example.com")
    tom.groups.add(_group())
    assert found(days=2) == [], "somebody else put him in"
    GroupGrant.objects.create(user=tom, group=_group())
    assert found() == [("membership_group", "customer", str(tom.pk))]


def test_somebody_whose_membership_ended_leaves_the_group_in_time(member: Membership) -> None:
    change(member, state="ended", ended_reason="staff", access_until=timezone.now(), next_check_at=None)
    assert not [each for each in found(hours=23) if each[0] == "membership_group"]
    assert [each for each in found(hours=25) if each[0] == "membership_group"]


# Rewards


def test_a_reward_and_its_period(clock: Any, lea: Any, earned: Callable[..., Any]) -> None:
    reward = earned()
    assert found() == []
    change(reward, posted=0)
    assert found() == [("membership_reward", "reward", reward.pk)]
    change(reward, posted=1)
    period = Period.objects.get(reward=reward)
    # Staff ended it: it was given all the same.
    take_back(period, Membership.Reason.STAFF, now=timezone.now())
    assert found() == []
    change(period, taken_back_reason="taken_back")
    assert ("membership_reward", "reward", reward.pk) in found()
    Period.objects.all().delete()
    assert ("membership_reward", "reward", reward.pk) in found()


@pytest.fixture
def earned(lea: Any) -> Callable[..., Any]:
    """A membership that a referral brought: ``earned()`` is the reward."""
    from oscar_integration.memberships.kind import plan_options
    from tests.oscar_integration.shopping import create_order, make_product, make_program
    from tests.oscar_integration.test_vouchers import claimed
    from wagtail_referrals import people
    from wagtail_referrals.rewards.models import Reward

    def earned() -> Any:
        rule = {"side": "advocate", "trigger": "first_purchase", "kind": "membership"}
        options = plan_options(make_plan("gift", gift_only=True))
        terms = make_program([rule | {"options": options}], hold_days=0)
        order = create_order(
            claimed(people.advocate_for(lea), terms, make_product("MAT", "100.00")),
            email="friend@example.com",
        )
        with committed():
            order.set_status("Paid")
            order.set_status("Shipped")
        sweep()
        return Reward.objects.get()

    return earned


def test_open_shortfalls_are_said_and_no_mistake(clock: Any, lea: Any, earned: Callable[..., Any]) -> None:
    reward = earned()
    clock.shift(timedelta(days=3))
    take_back(Period.objects.get(reward=reward), Membership.Reason.TAKEN_BACK, now=timezone.now())
    change(reward, posted=0)
    from wagtail_referrals.audit import audit

    run = audit(only=lambda check: check.key in PARTS)
    assert run.agrees and run.looked_at["shortfalls"] == 1


# Renewals


@pytest.fixture
def renewed(clock: Any, lea: Any) -> Renewal:
    """A renewal that was paid, 10.00 of it with credit."""
    plan = make_sold_plan(renews=True)
    membership = give(lea, plan)
    credit.grant(user=lea, currency="EUR", amount=D(15), key="earned", source="by hand", now=timezone.now())
    renewal = Renewal.objects.create(
        membership=membership,
        number=1,
        due_at=membership.ends_at,
        state=Renewal.State.DONE,
        currency="EUR",
        total=D("30.00"),
        credit=D("10.00"),
        charge=D("20.00"),
        created_at=timezone.now(),
        ended_at=timezone.now(),
        order_number="renewal-1",
    )
    credit.reserve(
        user=lea,
        currency="EUR",
        amount=D(10),
        order_number="renewal-1",
        expires_at=timezone.now() + timedelta(hours=1),
        now=timezone.now(),
    )
    with committed():
        order = pay(place(plan, user=lea, order_number="renewal-1"))
    add_period(
        user=lea,
        plan=plan,
        membership=membership,
        key=f"renewal:{renewal.pk}",
        origin=Period.Origin.RENEWAL,
        kind=Period.Kind.RENEWAL,
        now=timezone.now(),
        counts_from=timezone.now(),
        order_number=order.number,
        line_id=order.lines.get().pk,
    )
    return renewal


def test_a_paid_renewal_agrees(renewed: Renewal) -> None:
    assert Period.objects.count() == 2
    assert found(hours=23) == []


def test_a_renewal_without_its_order(renewed: Renewal) -> None:
    Order.objects.all().delete()
    assert found() == [("renewal_order", "renewal", renewed.pk)]


def test_a_renewal_that_brought_nothing(renewed: Renewal) -> None:
    change(Period.objects.get(origin="renewal"), key="another")
    assert found() == [("renewal_order", "renewal", renewed.pk)]


@pytest.mark.parametrize("state", ["given_up", "called_off", "planned", "charging", "past_due"])
def test_an_order_of_a_renewal_that_is_not_paid(renewed: Renewal, state: str) -> None:
    change(renewed, state=state, next_attempt_at=timezone.now() + timedelta(days=9))
    wrong = [("renewal_order", "renewal", renewed.pk)]
    # A worker may be between the order and its note.
    assert found() == ([] if state in Renewal.OPEN else wrong)
    assert wrong[0] in found(hours=25)


@pytest.mark.parametrize(
    ("values", "problem", "expected", "said"),
    [
        ({"total": D("31.00"), "charge": D("21.00")}, "renewal_amount", "30.00", "31.00"),
        ({"credit": D("9.00"), "charge": D("21.00")}, "renewal_credit", "10.00", "9.00"),
        ({"currency": "CHF"}, "renewal_amount", "EUR", "CHF"),
    ],
)
def test_a_renewal_that_paid_something_else(
    renewed: Renewal, values: dict[str, Any], problem: str, expected: str, said: str
) -> None:
    change(renewed, **values)
    (finding,) = audited(now=timezone.now(), only=PARTS)
    assert (finding.problem.key, finding.number, finding.expected, finding.found) == (
        problem,
        renewed.pk,
        expected,
        said,
    )


def test_a_membership_that_was_renewed_twice_for_one_time(renewed: Renewal) -> None:
    renewed.pk, renewed.number, renewed.order_number = None, 2, "renewal-2"
    renewed.total, renewed.credit, renewed.charge = D("30.00"), D(0), D("30.00")
    renewed.save()
    with committed():
        order = pay(place(renewed.membership.plan, user=renewed.membership.user, order_number="renewal-2"))
    add_period(
        user=renewed.membership.user,
        plan=renewed.membership.plan,
        membership=renewed.membership,
        key=f"renewal:{renewed.pk}",
        origin=Period.Origin.RENEWAL,
        now=timezone.now(),
        counts_from=timezone.now(),
        order_number=order.number,
        line_id=order.lines.get().pk,
    )
    assert found() == [("renewal_twice", "membership", renewed.membership_id)]


def test_a_renewal_that_nobody_tries(renewed: Renewal) -> None:
    Renewal.objects.create(
        membership=renewed.membership,
        number=2,
        due_at=NOW,
        next_attempt_at=NOW + timedelta(hours=1),
        created_at=NOW,
    )
    number = Renewal.objects.get(number=2).pk
    assert found(hours=24) == []
    assert ("membership_overdue", "renewal", number) in found(hours=26)


def test_a_membership_whose_renewal_nobody_began(clock: Any, lea: Any) -> None:
    membership = give(lea, make_sold_plan(renews=True))
    settle(membership.pk, now=membership.ends_at)
    after = membership.ends_at - timezone.now()
    assert found(days=after.days, hours=23) == []
    assert found(days=after.days + 2) == [("membership_overdue", "membership", membership.pk)]
    change(membership, renews=False)
    assert ("membership_overdue", "membership", membership.pk) not in found(days=after.days + 2)


# What the database refuses


def test_a_constraint_that_was_dropped_and_what_offends_against_it(renewed: Renewal) -> None:
    assert found() == []
    sql("DROP INDEX memberships_one_open_renewal")
    for number in (2, 3):
        Renewal.objects.create(
            membership=renewed.membership,
            number=number,
            due_at=NOW + timedelta(days=60),
            next_attempt_at=NOW + timedelta(days=60),
            created_at=NOW,
        )
    assert found() == [
        ("constraint_missing", "constraint", "memberships_one_open_renewal"),
        ("duplicate", "memberships_one_open_renewal", f"membership {renewed.membership_id}"),
    ]


# How it reads


def test_it_reads_in_batches(clock: Any, lea: Any, django_assert_max_num_queries: Any) -> None:
    """As many queries for sixty memberships as for two."""
    plan = make_sold_plan()
    with committed():
        pay(place(plan, user=lea))
    assert_audit_clean(only=PARTS)
    with django_assert_max_num_queries(80) as few:
        assert_audit_clean(only=PARTS)
    with committed():
        for number in range(20):
            pay(place(plan, user=make_user(f"m{number}@example.com")))
    with django_assert_max_num_queries(len(few)):
        assert_audit_clean(only=PARTS)


def test_a_look_writes_nothing(bought: Membership) -> None:
    change(bought, ends_at=NOW)
    before = list(Membership.objects.values()), list(Period.objects.values())
    assert found()
    assert before == (list(Membership.objects.values()), list(Period.objects.values()))


def test_it_names_nobody(bought: Membership, lea: Any) -> None:
    change(bought, uses_left=3)
    for finding in audited(now=timezone.now(), only=PARTS):
        assert lea.email not in finding.message and lea.first_name not in finding.message
