"""Everything at once, in real threads: what the database promises about memberships."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction
from oscar.core.loading import get_model

from oscar_integration.memberships import groups, opening, receivers
from oscar_integration.memberships import settle as settling
from oscar_integration.memberships.groups import sync_all
from oscar_integration.memberships.models import GroupGrant, Membership, Period, Plan, Use
from oscar_integration.memberships.opening import IN_THE_MAKING, adopt, open_for_order, take_back
from oscar_integration.memberships.settle import settle
from oscar_integration.memberships.uses import record_use, undo_use
from tests.memberships.rows import NOW, give, make_plan, make_user
from tests.memberships.shopping import make_sold_plan, membership_of, pay, place
from tests.oscar_integration.test_checkout_credit_races import at_once
from wagtail_referrals import rewards

State = Membership.State
Order = get_model("order", "Order")
THREADS = 8
DAY = timedelta(days=1)
LATER = NOW + IN_THE_MAKING + timedelta(minutes=1)

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="concurrency is proved on PostgreSQL"),
    pytest.mark.usefixtures("clock", "france"),
]


def together(*jobs: Callable[[], Any]) -> list[Any]:
    """Their results; none may fail or hang."""
    results = at_once(*jobs)
    assert [result for result in results if result is None or isinstance(result, Exception)] == []
    return results


@pytest.fixture
def unheard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is opened when an order is placed."""
    monkeypatch.setattr(receivers, "open_for_order", lambda order: None)


def problems() -> list[str]:
    """Rows that do not agree with each other."""
    found = []
    for membership in Membership.objects.all():
        periods = membership.periods.exclude(starts_at=None).order_by("starts_at", "pk")
        for earlier, later in zip(periods, list(periods)[1:], strict=False):
            if earlier.ends_at > later.starts_at:  # type: ignore[operator]
                found.append(f"{membership} overlaps")
        last = periods.last()
        if last is not None and membership.ends_at != last.ends_at:
            found.append(f"{membership} ends at {membership.ends_at}")
    return found


@pytest.mark.usefixtures("unheard")
def test_one_order_is_opened_once(lea: Any, plan: Plan) -> None:
    order = pay(place(plan, user=lea, quantity=2))
    results = together(*[lambda: [each.pk for each in open_for_order(order)]] * THREADS)
    assert results == [results[0]] * THREADS
    assert Period.objects.count() == 2
    membership = membership_of(lea)
    assert (membership.state, membership.starts_at) == (State.ACTIVE, NOW)
    assert problems() == []


@pytest.mark.usefixtures("unheard")
def test_orders_of_one_customer_are_one_membership(lea: Any, plan: Plan) -> None:
    orders = [pay(place(plan, user=lea)) for _number in range(THREADS)]
    together(*[lambda order=order: open_for_order(order) for order in orders])
    assert membership_of(lea).periods.count() == THREADS
    assert problems() == []


@pytest.mark.usefixtures("unheard")
def test_a_guests_order_is_opened_and_adopted_once(lea: Any, plan: Plan) -> None:
    order = pay(place(plan, email="lea@example.com"))
    together(*[lambda: len(open_for_order(order))] * THREADS)
    assert Period.objects.count() == 1
    results = together(*[lambda: len(adopt(lea, order.number, now=NOW))] * THREADS)
    assert Counter(results) == {1: 1, 0: THREADS - 1}
    assert membership_of(lea).state == State.ACTIVE


def test_a_gift_arrives_while_a_guests_order_is_adopted(lea: Any, plan: Plan) -> None:
    order = pay(place(plan, email="lea@example.com"))
    together(
        lambda: adopt(lea, order.number, now=NOW),
        *[lambda number=number: give(lea, plan, key=f"reward:{number}") for number in range(3)],
    )
    assert membership_of(lea).periods.count() == 4
    assert Membership.objects.count() == 1
    assert problems() == []


@pytest.mark.usefixtures("unheard")
def test_sweeps_at_once_make_good_what_was_missed(plan: Plan) -> None:
    for number in range(6):
        pay(place(plan, user=make_user(f"member{number}@example.com")))
    together(*[lambda: rewards.sweep(now=LATER)] * 4)
    # What one worker skipped because another one had it is done by the next.
    rewards.sweep(now=LATER)
    assert Membership.objects.filter(state=State.ACTIVE).count() == Period.objects.count() == 6


def test_taken_back_once(lea: Any) -> None:
    membership = give(lea, make_plan("gift"), origin=Period.Origin.REWARD)
    period = membership.periods.get()
    moments = [NOW + number * DAY for number in range(1, THREADS + 1)]
    taken = together(
        *[
            lambda moment=moment: take_back(period, "taken_back", now=moment).taken_back_at
            for moment in moments
        ]
    )
    assert len(set(taken)) == 1


def test_two_memberships_in_one_order_and_the_sweep_do_not_wait_for_each_other(
    lea: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A customer is locked last: an order with two memberships has both before it comes to that."""
    members = Group.objects.create(name="Members")
    first, second = make_sold_plan("first", group=members), make_sold_plan("second", group=members)
    earlier, _later = give(lea, first), give(lea, second)
    order = place(second, first, user=lea)
    Period.objects.exclude(order_number="").delete()
    half_way, at_the_customer = threading.Event(), threading.Event()
    add_period, sync = opening.add_period, groups._sync

    def add_and_wait(**values: Any) -> Period:
        period = add_period(**values)
        if not half_way.is_set():
            half_way.set()
            at_the_customer.wait(1)
        return period

    def say_and_sync(user_ids: Any, now: Any) -> None:
        if threading.current_thread().name == "sweep":
            at_the_customer.set()
        sync(user_ids, now)

    def sweep() -> Any:
        threading.current_thread().name = "sweep"
        assert half_way.wait(30)
        return settle(earlier.pk, now=NOW)

    monkeypatch.setattr(opening, "add_period", add_and_wait)
    monkeypatch.setattr(groups, "_sync", say_and_sync)
    opened, _settled = together(lambda: open_for_order(order), sweep)
    assert len(opened) == 2
    assert problems() == []


def test_one_ends_while_another_one_begins(lea: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both look at the same group: the customer's lock lets one of them look after the other."""
    members = Group.objects.create(name="Members")
    old = give(lea, make_plan("old", group=members))
    new = make_plan("new", group=members)
    assert old.ends_at is not None
    end = old.ends_at
    half_way, done = threading.Event(), threading.Event()

    through, _user, _group = groups._table()
    create = type(through.objects).bulk_create

    def stop_and_create(self: Any, rows: Any, **values: Any) -> Any:
        if threading.current_thread().name == "end" and self.model is through:
            half_way.set()
            done.wait(1)
        return create(self, rows, **values)

    def end_it() -> Any:
        threading.current_thread().name = "end"
        return settle(old.pk, now=end)

    def begin() -> Any:
        assert half_way.wait(30)
        membership = give(lea, new, now=end)
        done.set()
        return membership

    monkeypatch.setattr(type(through.objects), "bulk_create", stop_and_create)
    together(end_it, begin)
    assert set(lea.groups.all()) == {members}
    assert GroupGrant.objects.count() == 1


def test_many_do_many_things_and_nobody_waits_for_ever() -> None:
    """Orders, gifts, refunds, sweeps and an editor who moves a group, for three customers with three plans."""
    parts = [Group.objects.create(name=name) for name in ("A", "B")]
    plans = [make_sold_plan(f"plan{number}", group=parts[number % 2]) for number in range(3)]
    users = [make_user(f"member{number}@example.com") for number in range(3)]
    orders = [[pay(place(*plans, user=user)) for _time in range(2)] for user in users]

    def sweep() -> bool:
        for _time in range(3):
            rewards.sweep(now=NOW)
            sync_all(NOW)
        return True

    def cancel(order: Any) -> bool:
        Order.objects.get(pk=order.pk).set_status("Cancelled")
        return True

    def move() -> bool:
        for part in (parts[1], None, parts[0]):
            plans[0].group = part
            plans[0].save()
            sync_all(NOW)
        return True

    together(
        *[lambda user=user: [give(user, plan) for plan in reversed(plans)] for user in users],
        *[lambda mine=mine: cancel(mine[0]) for mine in orders],
        sweep,
        move,
    )
    rewards.sweep(now=NOW)
    sync_all(NOW)
    assert problems() == []
    for user in users:
        assert set(user.groups.all()) == set(parts)
        for plan in plans:
            own = Membership.objects.filter(user=user, plan=plan).exclude(state=State.ENDED).get()
            assert own.is_open(NOW)
    assert sync_all(NOW) == 0
    assert GroupGrant.objects.count() == 6


def test_a_customer_leaves_while_they_are_settled(lea: Any, plan: Plan) -> None:
    plan.group = Group.objects.create(name="Members")
    plan.save()
    membership = give(lea, plan)

    def leave() -> bool:
        lea.delete()
        return True

    def settle_often() -> bool:
        for _time in range(5):
            with transaction.atomic():
                settle(membership.pk, now=NOW)
        return True

    together(leave, settle_often, settle_often)
    rewards.sweep(now=NOW)
    membership.refresh_from_db()
    assert (membership.user_id, membership.state) == (None, State.ENDED)
    assert not GroupGrant.objects.exists()


def test_a_use_is_undone_while_another_membership_begins(lea: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ten = make_plan("pass", uses=1)
    first = give(lea, ten)
    use = record_use(first, key="1", how=Use.How.LIST, by=None, now=NOW)
    looked, begun = threading.Event(), threading.Event()
    look = settling._has_another

    def look_and_wait(membership: Membership) -> bool:
        found = look(membership)
        if not looked.is_set():
            looked.set()
            begun.wait(1)
        return found

    def begin() -> Membership:
        assert looked.wait(30)
        with transaction.atomic():
            membership = give(lea, ten)
            # Not committed: the one that comes back waits for it.
            begun.set()
        return membership

    monkeypatch.setattr(settling, "_has_another", look_and_wait)
    undone, second = together(lambda: undo_use(use, None, NOW), begin)
    assert undone.undone_at == NOW
    assert list(Membership.objects.exclude(state=State.ENDED)) == [second]
    settle(first.pk, now=NOW)
    assert Membership.objects.get(pk=first.pk).state == State.ENDED
