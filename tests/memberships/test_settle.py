"""What a membership is follows from its periods, its uses and the present state of its orders."""

from __future__ import annotations

import logging
from datetime import timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oscar.core.loading import get_model

from oscar_integration.memberships import settle as settling
from oscar_integration.memberships.models import Membership, Period, Plan, Renewal, Use
from oscar_integration.memberships.opening import take_back
from oscar_integration.memberships.settle import BATCH, PATIENCE, RETRY, settle, settle_due
from oscar_integration.memberships.uses import record_use, undo_use
from tests.memberships.rows import NOW, give, make_plan, make_user
from tests.memberships.shopping import make_sold_plan, membership_of, pay, place, refund
from tests.oscar_integration.shopping import create_order, fill_basket, make_product

State = Membership.State
Reason = Membership.Reason
Order = get_model("order", "Order")
DAY = timedelta(days=1)
MONTH = timedelta(days=31)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock", "france")]


def shape(membership: Membership) -> tuple[Any, ...]:
    """All that settling computes."""
    membership = Membership.objects.get(pk=membership.pk)
    rows = membership.periods.order_by("pk").values_list(
        "taken_back_reason", "starts_at", "ends_at", "shortfall_uses", "shortfall_days"
    )
    return (
        membership.state,
        membership.ended_reason,
        membership.starts_at,
        membership.ends_at,
        membership.access_until,
        membership.uses_left,
        membership.next_check_at,
        tuple(rows),
    )


def settled(membership: Membership, now: Any = NOW) -> Membership:
    found = settle(membership.pk, now=now)
    assert found is not None
    before = shape(found)
    settle(membership.pk, now=now)
    assert shape(found) == before, "once more changes nothing"
    return Membership.objects.get(pk=membership.pk)


def bought(user: Any, plan: Plan, quantity: int = 1) -> tuple[Any, Membership]:
    """A paid order, and the membership that it opened."""
    order = pay(place(plan, user=user, quantity=quantity))
    return order, settled(membership_of(user, plan))


# Beginning and end


def test_it_runs_from_when_it_is_paid_to_the_end(lea: Any, plan: Plan, clock: Any) -> None:
    order = place(plan, user=lea)
    membership = settled(membership_of(lea))
    assert (membership.state, membership.starts_at, membership.is_open(NOW)) == (State.WAITING, None, False)
    clock.move_to(NOW + DAY)
    pay(order)
    membership = settled(membership, NOW + 3 * DAY)
    assert (membership.state, membership.starts_at) == (State.ACTIVE, NOW + DAY)
    assert membership.ends_at is not None and membership.access_until == membership.ends_at
    last = membership.ends_at - timedelta(microseconds=1)
    assert [membership.is_open(moment) for moment in (NOW, NOW + DAY, last, membership.ends_at)] == [
        False,
        True,
        True,
        False,
    ]
    membership = settled(membership, membership.ends_at)
    assert (membership.state, membership.ended_reason) == (State.ENDED, Reason.RAN_OUT)


def test_pieces_run_one_after_the_other(lea: Any, plan: Plan) -> None:
    _order, membership = bought(lea, plan, 3)
    periods = list(membership.periods.order_by("pk"))
    assert [period.starts_at for period in periods] == [NOW, periods[0].ends_at, periods[1].ends_at]
    assert membership.ends_at == periods[2].ends_at


def test_it_keeps_what_it_was_when_it_was_bought(lea: Any, plan: Plan) -> None:
    _order, membership = bought(lea, plan)
    ends_at = membership.ends_at
    plan.period_length = 12
    plan.save()
    assert settled(membership).ends_at == ends_at


def test_a_status_that_is_no_longer_paid_does_not_end_it(lea: Any, plan: Plan) -> None:
    """Shops have statuses that they tell us nothing about."""
    order, membership = bought(lea, plan)
    Order.objects.filter(pk=order.pk).update(status="On hold")
    assert settled(membership).state == State.ACTIVE


def test_an_order_that_the_shop_has_deleted_leaves_it_as_it_was(lea: Any, plan: Plan) -> None:
    order, membership = bought(lea, plan)
    before = shape(membership)
    order.delete()
    settle(membership.pk, now=NOW)
    assert shape(membership) == before


def test_one_that_is_over_waits_for_what_was_ordered_to_follow_but_not_for_ever(
    lea: Any, plan: Plan, clock: Any
) -> None:
    _order, membership = bought(lea, plan)
    end = membership.ends_at
    assert end is not None
    clock.move_to(end - DAY)
    order = place(plan, user=lea)
    membership = settled(membership, end)
    assert (membership.state, membership.is_open(end)) == (State.WAITING, False)
    membership = settled(membership, end + PATIENCE)
    assert (membership.state, membership.ended_reason) == (State.ENDED, Reason.RAN_OUT)
    clock.move_to(end + 2 * PATIENCE)
    pay(order)
    membership = settled(membership, end + 2 * PATIENCE)
    assert (membership.state, membership.is_open(end + 2 * PATIENCE)) == (State.ACTIVE, True)


# Refunds and cancellations


def test_a_cancelled_order_ends_it_and_comes_back(lea: Any, plan: Plan) -> None:
    order, membership = bought(lea, plan)
    before = shape(membership)
    Order.objects.filter(pk=order.pk).update(status="Cancelled")
    membership = settled(membership, NOW + DAY)
    assert (membership.state, membership.ended_reason) == (State.ENDED, Reason.CANCELLED)
    assert (membership.ends_at, membership.uses_left) == (NOW + DAY, 0)
    Order.objects.filter(pk=order.pk).update(status="Paid")
    settle(membership.pk, now=NOW)
    assert shape(membership) == before


def test_one_cancelled_before_it_was_paid_never_ran(lea: Any, plan: Plan) -> None:
    order = place(plan, user=lea)
    order.set_status("Cancelled")
    membership = settled(membership_of(lea))
    assert (membership.state, membership.ended_reason, membership.starts_at) == (
        State.ENDED,
        Reason.CANCELLED,
        None,
    )
    assert membership.next_check_at is not None, "the shop may change its mind"


def test_a_refunded_piece_is_the_last_one(lea: Any, plan: Plan) -> None:
    order, membership = bought(lea, plan, 3)
    line = order.lines.get()
    for pieces, reasons in (
        (1, ["", "", "refunded"]),
        (2, ["", "refunded", "refunded"]),
        (3, ["refunded"] * 3),
    ):
        refund(order, "30.00", {line: 1})
        membership = settled(membership, NOW + DAY)
        assert [period.taken_back_reason for period in membership.periods.all()] == reasons, pieces
    assert (membership.state, membership.ended_reason) == (State.ENDED, Reason.REFUNDED)
    assert membership.ends_at == NOW + DAY


@pytest.mark.parametrize(("price", "quantity"), [("33.33", 3), ("10.01", 7), ("0.01", 3), ("29.99", 2)])
def test_pieces_whose_price_does_not_divide(lea: Any, plan: Plan, price: str, quantity: int) -> None:
    """Discounts leave a line that its pieces do not divide to the cent: each refund still takes one back."""
    order, membership = bought(lea, plan, quantity)
    line = order.lines.get()
    line.line_price_incl_tax = Decimal(price)
    line.save()
    assert settled(membership).state == State.ACTIVE
    refund(order, str((Decimal(price) / quantity).quantize(Decimal("0.01"))), {line: 1})
    membership = settled(membership)
    taken = membership.periods.exclude(taken_back_at=None).count()
    assert taken == (1 if Decimal(price) / quantity > Decimal("0.005") else 0)


def test_part_of_the_money_for_a_piece_takes_nothing_back(lea: Any, plan: Plan) -> None:
    order, membership = bought(lea, plan, 2)
    before = shape(membership)
    refund(order, "29.99")
    settle(membership.pk, now=NOW)
    assert shape(membership) == before


def test_money_for_no_named_line(lea: Any, plan: Plan) -> None:
    """Of an order of one line it is that line's; of several it counts once it is all of it."""
    mat = make_product("MAT", "70.00", sent=False)
    order, membership = bought(lea, plan, 2)
    refund(order, "30.00")
    assert [bool(period.taken_back_at) for period in settled(membership).periods.all()] == [False, True]
    other = make_sold_plan("yearly", period_length=12)
    mixed = pay(create_order(fill_basket(mat, other.product, user=lea), user=lea))
    membership = settled(membership_of(lea, other))
    refund(mixed, "30.00")
    assert settled(membership).state == State.ACTIVE
    refund(mixed, "70.00")
    assert settled(membership).ended_reason == Reason.REFUNDED


def test_a_refund_of_another_line_takes_nothing_back(lea: Any, plan: Plan) -> None:
    mat = make_product("MAT", "30.00", sent=False)
    order = pay(create_order(fill_basket(mat, plan.product, user=lea), user=lea))
    membership = settled(membership_of(lea))
    refund(order, "30.00", {order.lines.get(product=mat): 1})
    assert settled(membership).state == State.ACTIVE
    order.lines.get(product=plan.product).set_status("Cancelled")
    assert settled(membership).state == State.ENDED


@pytest.mark.parametrize("free", [False, True])
def test_a_cancelled_line(lea: Any, plan: Plan, free: bool) -> None:
    mat = make_product("MAT", "30.00", sent=False)
    order = pay(create_order(fill_basket(mat, plan.product, user=lea), user=lea))
    line = order.lines.get(product=plan.product)
    if free:
        order.lines.filter(pk=line.pk).update(line_price_incl_tax=0)
        line.refresh_from_db()
    membership = settled(membership_of(lea))
    assert membership.state == State.ACTIVE
    line.set_status("Cancelled")
    assert settled(membership).state == State.ENDED


FACTS = ["paid", "refund one", "refund one again", "refund without lines", "source", "line", "cancelled"]


def happen(order: Any, fact: str) -> None:
    line = order.lines.get()
    if fact.startswith("refund one"):
        refund(order, "30.00", {line: 1})
    elif fact == "refund without lines":
        refund(order, "10.00")
    elif fact == "source":
        kind, _created = get_model("payment", "SourceType").objects.get_or_create(name="Card")
        order.sources.create(source_type=kind, amount_debited=Decimal(90), amount_refunded=Decimal(70))
    elif fact == "line":
        order.lines.update(status="Cancelled")
    elif fact == "paid":
        get_model("order", "OrderStatusChange").objects.create(
            order=order, old_status="Pending", new_status="Paid"
        )
        order.refresh_from_db()
        if order.status == "Pending":
            Order.objects.filter(pk=order.pk).update(status="Paid")
    else:
        Order.objects.filter(pk=order.pk).update(status="Cancelled")


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=st.sets(st.sampled_from(FACTS[:-1])), cancelled=st.booleans(), chance=st.randoms())
def test_only_the_final_state_counts(chosen: set[str], cancelled: bool, chance: Any, plan: Plan) -> None:
    """Whatever happened in whatever order, and was noticed after each step or at the end: the result is the same."""
    shapes = []
    for noticed in (False, True):
        user = make_user(f"someone{Membership.objects.count()}@example.com")
        order = place(plan, user=user, quantity=3)
        membership = membership_of(user)
        facts = sorted(chosen)
        chance.shuffle(facts)
        # Nothing follows a cancelled order but money.
        for fact in [*facts, *(["cancelled"] if cancelled else [])]:
            happen(order, fact)
            if noticed:
                settle(membership.pk, now=NOW)
        settled(membership)
        shapes.append(shape(membership))
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("order_of_taking", list(permutations(range(3))))
def test_taken_back_in_any_order_it_comes_to_the_same(lea: Any, order_of_taking: tuple[int, ...]) -> None:
    plan = make_plan("gift")
    for _number in range(4):
        membership = give(lea, plan)
    periods = list(membership.periods.order_by("pk"))
    for index in order_of_taking:
        take_back(periods[index], Reason.STAFF, now=NOW + DAY)
    membership = settled(membership, NOW + DAY)
    # The first one had run for a day, and the one that is left follows it.
    last = Period.objects.get(pk=periods[3].pk)
    assert (last.starts_at, last.ends_at) == (NOW + DAY, membership.ends_at)
    assert membership.periods.filter(starts_at=None).count() == 2


# Gifts


def test_what_was_used_of_a_gift_is_noted_when_it_is_taken_back(lea: Any) -> None:
    days, uses = make_plan("days"), make_plan("uses", uses=5)
    by_time = give(lea, days, origin=Period.Origin.REWARD).periods.get()
    by_use = give(lea, uses, origin=Period.Origin.REWARD).periods.get()
    use_it(by_use, NOW + DAY, NOW + 2 * DAY)
    for period in (by_time, by_use):
        take_back(period, Reason.TAKEN_BACK, now=NOW + timedelta(days=2, hours=1))
        period.refresh_from_db()
    assert (by_time.shortfall_days, by_time.shortfall_uses) == (3, 0)
    assert (by_use.shortfall_days, by_use.shortfall_uses) == (0, 2)


def test_what_was_never_used_is_owed_by_nobody(lea: Any) -> None:
    plan = make_plan("days")
    give(lea, plan)
    to_come = give(lea, plan, origin=Period.Origin.REWARD).periods.get(origin=Period.Origin.REWARD)
    take_back(to_come, Reason.TAKEN_BACK, now=NOW + DAY)
    to_come.refresh_from_db()
    assert (to_come.shortfall_days, to_come.starts_at) == (0, None)


def test_it_is_taken_back_once(lea: Any) -> None:
    period = give(lea, make_plan("days"), origin=Period.Origin.REWARD).periods.get()
    take_back(period, Reason.TAKEN_BACK, now=NOW + DAY)
    again = take_back(period, Reason.STAFF, now=NOW + 5 * DAY)
    assert (again.taken_back_at, again.taken_back_reason) == (NOW + DAY, Reason.TAKEN_BACK)


# Uses


def use_it(period: Period, *moments: Any) -> list[Use]:
    return [
        Use.objects.create(
            membership=period.membership,
            period=period,
            key=f"{period.pk}:{moment}",
            how="list",
            used_at=moment,
        )
        for moment in moments
    ]


def test_a_pass_that_is_used_up_ends_and_comes_back_when_a_use_is_undone(lea: Any) -> None:
    membership = give(lea, make_plan("pass", uses=2))
    assert membership.uses_left == 2
    _first, second = use_it(membership.periods.get(), NOW + DAY, NOW + 2 * DAY)
    membership = settled(membership, NOW + 2 * DAY)
    assert (membership.state, membership.ended_reason) == (State.ENDED, Reason.USED_UP)
    assert (membership.uses_left, membership.ends_at) == (0, NOW + 2 * DAY)
    second.undone_at = NOW + 2 * DAY
    second.save()
    membership = settled(membership, NOW + 2 * DAY)
    assert (membership.state, membership.uses_left) == (State.ACTIVE, 1)


def test_uses_of_passes_add_up_and_those_of_what_renews_do_not(lea: Any) -> None:
    card, monthly = make_plan("pass", uses=5), make_plan("monthly", uses=5, renews=True)
    for plan in (card, monthly):
        give(lea, plan)
    assert give(lea, card).uses_left == 10
    assert give(lea, monthly).uses_left == 5


def test_without_limit_beside_a_pass_there_is_none(lea: Any) -> None:
    plan = make_plan("pass", uses=5)
    give(lea, plan)
    Plan.objects.filter(pk=plan.pk).update(uses=None)
    plan.refresh_from_db()
    assert give(lea, plan).uses_left is None


# Renewals


def renewing(user: Any, **values: Any) -> Membership:
    return give(user, make_plan("monthly", renews=True, grace_days=7, **values))


def renewal(membership: Membership, **values: Any) -> Renewal:
    assert membership.ends_at is not None
    return Renewal.objects.create(
        membership=membership, number=1, due_at=membership.ends_at, created_at=NOW, **values
    )


def test_the_time_of_grace(lea: Any) -> None:
    membership = renewing(lea)
    ends_at, grace = membership.ends_at, timedelta(days=7)
    assert ends_at is not None
    assert membership.access_until == ends_at + grace
    membership = settled(membership, ends_at)
    assert (membership.state, membership.is_open(ends_at)) == (State.ACTIVE, True)
    refused = renewal(membership, state="past_due", attempt=1, next_attempt_at=ends_at + 3 * DAY)
    membership = settled(membership, ends_at + DAY)
    assert (membership.state, membership.is_open(ends_at + DAY)) == (State.PAST_DUE, True)
    refused.state, refused.ended_at = "given_up", ends_at + 5 * DAY
    refused.save()
    membership = settled(membership, ends_at + 5 * DAY)
    assert (membership.state, membership.ended_reason) == (State.ENDED, Reason.NOT_PAID)
    assert not membership.is_open(ends_at + 5 * DAY)


def test_nobody_has_grace_who_does_not_renew(lea: Any) -> None:
    membership = renewing(lea)
    Membership.objects.filter(pk=membership.pk).update(renews=False)
    membership = settled(membership)
    assert membership.access_until == membership.ends_at
    Membership.objects.filter(pk=membership.pk).update(renews=True)
    lea.is_active = False
    lea.save()
    membership = settled(membership)
    assert membership.access_until == membership.ends_at


def test_a_gift_does_not_renew_before_it_was_paid_for(lea: Any, clock: Any) -> None:
    plan = make_sold_plan("monthly", renews=True)
    give(lea, plan, origin=Period.Origin.REWARD)
    order = place(plan, user=lea)
    assert membership_of(lea).renews is False, "an order that is never paid binds nobody"
    pay(order)
    membership = settled(membership_of(lea))
    assert membership.renews is True
    Membership.objects.update(renews=False)
    pay(place(plan, user=lea))
    assert settled(membership).renews is False, "as the customer wants it"


# People and others of theirs


def test_a_guest_has_nothing_until_there_is_an_account(plan: Plan) -> None:
    pay(place(plan, email="lea@example.com"))
    membership = settled(Membership.objects.get())
    assert (membership.state, membership.starts_at) == (State.WAITING, None)


def test_what_ended_before_its_customer_was_deleted_keeps_its_reason(lea: Any) -> None:
    membership = give(lea, make_plan("days"))
    settled(membership, NOW + 2 * MONTH)
    lea.delete()
    membership = settled(membership, NOW + 3 * MONTH)
    assert membership.ended_reason == Reason.RAN_OUT


def test_what_comes_back_does_not_run_beside_another_one(lea: Any, plan: Plan) -> None:
    order, first = bought(lea, plan)
    Order.objects.filter(pk=order.pk).update(status="Cancelled")
    settled(first)
    second = give(lea, plan)
    assert second.pk != first.pk
    Order.objects.filter(pk=order.pk).update(status="Paid")
    assert settled(first).state == State.ENDED
    assert settled(second).state == State.ACTIVE


# The sweep


def test_each_is_looked_at_when_something_may_change(lea: Any, plan: Plan) -> None:
    given = give(lea, make_plan("days"))
    assert given.next_check_at == given.ends_at, "nothing else can happen"
    _order, membership = bought(lea, plan)
    assert membership.next_check_at is not None and membership.next_check_at <= NOW + DAY
    membership = settled(membership, NOW + timedelta(days=500))
    assert membership.next_check_at is None


def test_what_is_due_is_settled(lea: Any, plan: Plan) -> None:
    given = give(lea, plan)
    assert given.ends_at is not None
    assert settle_due(given.ends_at - timedelta(seconds=1)) == 0
    assert settle_due(given.ends_at) == 1
    assert Membership.objects.get().state == State.ENDED
    assert settle_due(given.ends_at) == 0


def test_one_that_fails_keeps_nobody_waiting(
    lea: Any, plan: Plan, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = give(lea, plan), give(make_user("noe@example.com"), plan)
    Membership.objects.update(next_check_at=NOW)
    real = settling.settle_locked

    def fail(membership: Membership, *, now: Any) -> None:
        if membership.pk == bad.pk:
            raise RuntimeError("out of order")
        real(membership, now=now)

    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(settling, "settle_locked", fail)
        assert settle_due(NOW) == 1
    assert f"membership {bad.pk}" in caplog.text
    bad.refresh_from_db()
    good.refresh_from_db()
    assert bad.next_check_at == NOW + RETRY
    assert good.next_check_at != NOW


def test_more_than_one_batch(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    assert BATCH > 2
    monkeypatch.setattr(settling, "BATCH", 2)
    told: list[int] = []
    for number in range(5):
        give(make_user(f"member{number}@example.com"), plan)
    Membership.objects.update(next_check_at=NOW)
    assert settle_due(NOW, told.append) == 5
    assert told == [2, 4, 5]


def test_settling_costs_what_it_may(lea: Any, plan: Plan) -> None:
    order = place(plan, user=lea)
    membership = membership_of(lea)

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            settle(membership.pk, now=NOW)
        return sum("SAVEPOINT" not in query["sql"] for query in captured.captured_queries)

    pay(order)
    settle(membership.pk, now=NOW)
    assert cost() == 15
    pay(place(plan, user=lea, quantity=5))
    settle(membership.pk, now=NOW)
    assert cost() == 15, "however many periods and orders"


def test_there_is_none(db: None) -> None:
    assert settle(123456, now=NOW) is None


# Plans that an editor changes


def test_a_pass_that_was_used_up_stays_over_when_its_plan_learns_to_renew(lea: Any) -> None:
    plan = make_plan("pass", uses=1)
    membership = give(lea, plan)
    use = record_use(membership, key="1", how=Use.How.LIST, by=None, now=NOW + timedelta(days=1))
    plan.renews = True
    plan.save()
    found = settle(membership.pk, now=NOW + timedelta(days=2))
    assert found is not None
    assert (found.state, found.ended_reason) == ("ended", "used_up")
    undo_use(use, None, NOW + timedelta(days=2))
    assert Membership.objects.get(pk=membership.pk).state == "active"


def test_a_use_comes_back_to_one_who_has_another_of_the_plan(lea: Any) -> None:
    """No second one runs: the use is not lost, and the pass opens again once the other one is over."""
    plan = make_plan("pass", uses=1)
    first = give(lea, plan)
    use = record_use(first, key="1", how=Use.How.LIST, by=None, now=NOW + timedelta(days=1))
    second = give(lea, plan, now=NOW + timedelta(days=2))
    assert second.pk != first.pk
    undo_use(use, None, NOW + timedelta(days=3))
    assert Membership.objects.get(pk=first.pk).state == "ended"
    assert Membership.objects.get(pk=second.pk).state == "active"
    record_use(second, key="2", how=Use.How.LIST, by=None, now=NOW + timedelta(days=4))
    settle_due(NOW + timedelta(days=4))
    assert Membership.objects.get(pk=first.pk).state == "active"
    assert Membership.objects.get(pk=second.pk).state == "ended"


def test_what_is_over_is_not_looked_at_whenever_another_one_ends(lea: Any) -> None:
    plan = make_plan("pass", uses=1)
    for day in range(3):
        latest = give(lea, plan, now=NOW + timedelta(days=2 * day))
        moment = NOW + timedelta(days=2 * day + 1)
        record_use(latest, key=str(day), how=Use.How.LIST, by=None, now=moment)
    assert list(Membership.objects.values_list("state", "next_check_at")) == [("ended", None)] * 3


@pytest.mark.parametrize("change", [{"grace_days": 20}, {"renews": True}])
def test_what_has_run_out_stays_over_when_its_plan_changes(lea: Any, change: dict[str, Any]) -> None:
    plan = make_plan("month", **({"renews": True, "grace_days": 1} | {"renews": "renews" not in change}))
    membership = give(lea, plan)
    Membership.objects.filter(pk=membership.pk).update(renews=True)
    assert membership.ends_at is not None
    over = membership.ends_at + timedelta(days=2)
    settle(membership.pk, now=over)
    assert Membership.objects.get(pk=membership.pk).state == "ended"
    for name, value in ({"grace_days": 20} | change).items():
        setattr(plan, name, value)
    plan.save()
    settle(membership.pk, now=over)
    assert Membership.objects.get(pk=membership.pk).state == "ended"


@pytest.mark.parametrize("renews", [True, False])
def test_periods_that_were_bought_stay_as_they_were_when_the_plan_learns_or_forgets_to_renew(
    lea: Any, renews: bool
) -> None:
    """Of a pass the next one begins with the last use, of what renews when the time is over."""
    plan = make_plan("monthly", uses=2, renews=renews)
    give(lea, plan)
    membership = give(lea, plan)
    first, second = membership.periods.order_by("pk")
    use_it(first, NOW + DAY, NOW + 2 * DAY)
    membership = settled(membership, NOW + 2 * DAY)
    before = (*membership.periods.values_list("starts_at", "ends_at"), membership.uses_left)
    assert membership.uses_left == (0 if renews else 2)
    plan.renews = not renews
    plan.save()
    membership = settled(membership, NOW + 3 * DAY)
    assert (*membership.periods.values_list("starts_at", "ends_at"), membership.uses_left) == before
    assert membership.state == State.ACTIVE
    # What comes after the change is as the plan is now.
    third = give(lea, plan, now=NOW + 3 * DAY).periods.latest("pk")
    assert [first.ends_used_up, second.ends_used_up, third.ends_used_up] == [not renews, not renews, renews]


def test_uses_that_are_left_end_with_the_first_period_that_runs_its_time(lea: Any) -> None:
    plan = make_plan("pass", uses=5)
    give(lea, plan)
    plan.renews = True
    plan.save()
    give(lea, plan)
    assert give(lea, plan).uses_left == 10


def test_a_gift_is_over_with_its_last_use_as_the_membership_is_that_it_prolongs(lea: Any) -> None:
    """The plan of the gift is another one, which renews by itself."""
    membership = give(lea, make_plan("pass", uses=2))
    give(lea, make_plan("monthly", uses=2, renews=True), membership=membership)
    assert list(membership.periods.values_list("ends_used_up", flat=True)) == [True, True]


@pytest.mark.parametrize("does", ["undo", "settle"])
def test_another_membership_begins_while_a_use_is_undone(
    lea: Any, monkeypatch: pytest.MonkeyPatch, does: str
) -> None:
    """The database lets one of them run: the use comes back all the same."""
    plan = make_plan("pass", uses=1)
    first = give(lea, plan)
    use = record_use(first, key="1", how=Use.How.LIST, by=None, now=NOW + DAY)
    look = settling._has_another
    begun: list[Membership] = []

    def look_too_soon(membership: Membership) -> bool:
        found = look(membership)
        if not begun:
            begun.append(first)
            begun[0] = give(lea, plan, now=NOW + 2 * DAY)
        return found

    monkeypatch.setattr(settling, "_has_another", look_too_soon)
    if does == "undo":
        assert undo_use(use, None, NOW + 2 * DAY).undone_at == NOW + 2 * DAY
    else:
        Use.objects.update(undone_at=NOW + 2 * DAY)
        settle(first.pk, now=NOW + 2 * DAY)
    states = dict(Membership.objects.values_list("pk", "state"))
    assert states == {first.pk: State.ENDED, begun[0].pk: State.ACTIVE}
    assert Membership.objects.get(pk=first.pk).ended_reason == Reason.USED_UP
    assert not Use.objects.exclude(undone_at=NOW + 2 * DAY).exists()
