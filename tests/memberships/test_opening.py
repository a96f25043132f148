"""How memberships begin and go on: what is bought, given and earned, each once, and what it is for the customer."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from oscar.core.loading import get_model

from oscar_integration.memberships import opening, receivers
from oscar_integration.memberships.models import Membership, Period, Plan, Renewal
from oscar_integration.memberships.opening import (
    IN_THE_MAKING,
    LOOK_BACK,
    add_period,
    kind_for,
    open_for_order,
    open_missed,
    plans_of_products,
    take_back,
)
from oscar_integration.memberships.renewals import plan_renewals
from oscar_integration.memberships.settle import settle
from tests.memberships.rows import NOW, give, make_plan, make_user
from tests.memberships.shopping import make_sold_plan, membership_of, pay, place
from tests.oscar_integration.shopping import make_product
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.models import Reward

State = Membership.State
Kind = Period.Kind
Origin = Period.Origin
Order = get_model("order", "Order")
DAY = timedelta(days=1)
MONTH = timedelta(days=31)
LATER = NOW + IN_THE_MAKING + timedelta(minutes=1)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock", "france")]


# Adding


def test_the_same_key_is_the_same_period(lea: Any) -> None:
    plan = make_plan("gift")
    given = {"user": lea, "plan": plan, "key": "staff:1", "origin": Origin.STAFF, "counts_from": NOW}
    first = add_period(**given, now=NOW)
    assert add_period(**given, now=NOW + DAY) == first
    assert Period.objects.count() == 1


def test_one_more_makes_the_running_one_longer(lea: Any) -> None:
    plan = make_plan("gift")
    first = give(lea, plan)
    second = give(lea, plan, now=NOW + DAY)
    assert second.pk == first.pk
    assert first.ends_at is not None and second.ends_at is not None and second.ends_at > first.ends_at


def test_after_the_end_there_is_a_new_one_also_where_the_end_was_not_noted(lea: Any) -> None:
    plan = make_plan("gift")
    first = give(lea, plan)
    second = give(lea, plan, now=NOW + 2 * MONTH)
    first.refresh_from_db()
    assert (first.state, second.state) == (State.ENDED, State.ACTIVE)
    assert second.starts_at == NOW + 2 * MONTH
    assert first.code != second.code


def test_another_plan_and_another_customer_have_their_own(lea: Any) -> None:
    plan = make_plan("gift")
    made = {give(lea, plan).pk, give(lea, make_plan("other")).pk, give(make_user(), plan).pk}
    assert len(made) == 3


def test_a_renewal_goes_on_with_its_membership(lea: Any) -> None:
    """Whatever state that is in."""
    plan = make_plan("gift")
    first = give(lea, plan)
    settle(first.pk, now=NOW + 2 * MONTH)
    again = give(lea, plan, now=NOW + 2 * MONTH, membership=first, origin=Origin.RENEWAL, kind=Kind.RENEWAL)
    assert again.pk == first.pk
    assert again.is_open(NOW + 2 * MONTH)


def test_a_conflict_that_stays_is_said_and_not_tried_for_ever(
    lea: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan("gift")
    give(lea, plan)
    tried: list[int] = []

    def refuse(*args: Any, **kwargs: Any) -> None:
        tried.append(1)
        raise IntegrityError("some other constraint")

    monkeypatch.setattr(opening, "settle_locked", refuse)
    with pytest.raises(IntegrityError):
        give(lea, plan)
    assert len(tried) == opening._TRIES
    assert Period.objects.count() == 1


def test_who_earned_it_is_not_charged_for_it(lea: Any) -> None:
    plan = make_plan("monthly", renews=True)
    assert give(lea, plan, origin=Origin.REWARD).renews is False
    assert give(make_user(), plan, origin=Origin.ORDER).renews is True


def test_who_was_given_it_by_staff_is_not_charged_for_it(lea: Any, clock: Any) -> None:
    """Not until they switch the renewal on, or buy it themselves; who pays for it already goes on."""
    plan = make_sold_plan(renews=True)
    membership = give(lea, plan, switched_on=False)
    assert membership.renews is False
    plan_renewals(NOW)
    assert not membership.renewals.exists()
    assert membership.access_until == membership.ends_at
    buyer = make_user()
    assert give(buyer, plan, origin=Origin.ORDER).renews is True
    assert give(buyer, plan, switched_on=False).renews is True


# New, extension or renewal


def bought(user: Any, plan: Plan, now: Any = NOW, **values: Any) -> Membership:
    return give(user, plan, now=now, origin=Origin.ORDER, **values)


def test_what_makes_the_next_one_an_extension(lea: Any) -> None:
    plan, other = make_plan("monthly"), make_plan("yearly")
    assert kind_for(None, plan, NOW) == Kind.NEW
    assert kind_for(lea, plan, NOW) == Kind.NEW
    membership = bought(lea, plan)
    assert membership.ends_at is not None
    assert [kind_for(lea, each, NOW) for each in (plan, other)] == [Kind.EXTENSION] * 2
    assert kind_for(make_user(), plan, NOW) == Kind.NEW
    assert kind_for(lea, plan, membership.ends_at) == Kind.NEW, "though its end was not noted yet"


@pytest.mark.parametrize("origin", [Origin.STAFF, Origin.REWARD])
def test_what_was_only_given_makes_nobody_a_member(lea: Any, origin: str) -> None:
    plan = make_plan("monthly")
    give(lea, plan, origin=origin)
    assert kind_for(lea, plan, NOW) == Kind.NEW
    bought(lea, plan)
    assert kind_for(lea, plan, NOW) == Kind.EXTENSION


def test_a_trial_makes_nobody_a_member(lea: Any) -> None:
    trial, plan = make_plan("trial", is_trial=True), make_plan("monthly")
    bought(lea, trial)
    assert kind_for(lea, plan, NOW) == Kind.NEW
    assert kind_for(lea, trial, NOW) == Kind.EXTENSION


def test_a_member_who_tries_something_out_has_a_new_trial(lea: Any) -> None:
    bought(lea, make_plan("monthly"))
    assert kind_for(lea, make_plan("trial", is_trial=True), NOW) == Kind.NEW


def test_what_was_taken_back_makes_nobody_a_member(lea: Any) -> None:
    plan = make_plan("monthly")
    take_back(bought(lea, plan).periods.get(), Membership.Reason.REFUNDED, now=NOW)
    assert kind_for(lea, plan, NOW) == Kind.NEW


def test_an_order_that_was_never_paid_makes_nobody_a_member_for_long(lea: Any) -> None:
    plan = make_plan("monthly")
    bought(lea, plan, counts_from=None)
    assert kind_for(lea, plan, NOW + timedelta(hours=1)) == Kind.EXTENSION
    assert kind_for(lea, plan, NOW + 2 * DAY) == Kind.NEW


def test_the_kind_never_changes(lea: Any, plan: Plan) -> None:
    pay(place(plan, user=lea))
    first = membership_of(lea).periods.get()
    pay(place(plan, user=lea))
    Order.objects.filter(number=first.order_number).update(status="Cancelled")
    settle(first.membership_id, now=NOW)
    assert list(Period.objects.values_list("kind", flat=True)) == [Kind.NEW, Kind.EXTENSION]


# Orders


def test_each_piece_is_a_period_and_the_first_one_says_what_was_bought(lea: Any, plan: Plan) -> None:
    place(plan, user=lea, quantity=3)
    periods = membership_of(lea).periods.order_by("pk")
    assert list(periods.values_list("piece", "kind")) == [
        (0, Kind.NEW),
        (1, Kind.EXTENSION),
        (2, Kind.EXTENSION),
    ]


def test_opened_again_nothing_changes(lea: Any, plan: Plan) -> None:
    order = place(plan, user=lea, quantity=2)
    known = list(Period.objects.values())
    assert [period.pk for period in open_for_order(order)] == [row["id"] for row in known]
    assert list(Period.objects.values()) == known


def test_a_guests_orders_are_memberships_of_their_own(plan: Plan) -> None:
    for _time in range(2):
        place(plan, make_sold_plan(f"other{_time}"), email="zoe@example.com", quantity=2)
    found = Membership.objects.filter(user=None).order_by("pk")
    assert [(each.plan.slug, each.periods.count()) for each in found] == [
        ("monthly", 2),
        ("other0", 2),
        ("monthly", 2),
        ("other1", 2),
    ]


def test_which_plan_a_product_sells(plan: Plan, django_assert_num_queries: Any) -> None:
    mat = make_product("MAT", "100.00")
    assert plan.product is not None
    Product = get_model("catalogue", "Product")
    child = Product.objects.create(structure="child", parent=mat, title="Red")
    yearly = make_plan("yearly", product=mat)
    with django_assert_num_queries(0):
        assert plans_of_products(set()) == {}
    assert plans_of_products({plan.product.pk}) == {plan.product.pk: plan}
    Product.objects.filter(pk=mat.pk).update(structure="parent")
    assert plans_of_products({plan.product.pk, child.pk, mat.pk}) == {
        plan.product.pk: plan,
        mat.pk: yearly,
        child.pk: yearly,
    }
    Plan.objects.all().delete()
    with django_assert_num_queries(1):
        assert plans_of_products({child.pk}) == {}


# What was missed


def missed(user: Any, plan: Plan, monkeypatch: pytest.MonkeyPatch, **values: Any) -> Any:
    """An order of which nothing was opened."""
    with monkeypatch.context() as patch:
        patch.setattr(receivers, "open_for_order", lambda order: None)
        return place(plan, user=user, **values)


def test_only_orders_of_the_last_days_whose_checkout_is_over(
    lea: Any, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = missed(lea, plan, monkeypatch)
    moments = (NOW + IN_THE_MAKING - timedelta(seconds=1), NOW + LOOK_BACK + timedelta(seconds=1))
    assert [open_missed(moment) for moment in moments] == [0, 0]
    assert open_missed(NOW + LOOK_BACK) == 1
    assert membership_of(lea).periods.get().order_number == order.number


def test_a_guests_a_renewals_and_one_that_is_known(
    lea: Any, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(plan, user=lea)
    Renewal.objects.create(
        membership=membership_of(lea), number=1, due_at=NOW, order_number="R1", created_at=NOW
    )
    missed(lea, plan, monkeypatch, order_number="R1")
    missed(None, plan, monkeypatch, email="zoe@example.com")
    assert open_missed(LATER) == 1
    assert Membership.objects.filter(user=None).count() == 1
    assert Period.objects.count() == 2


def test_a_plan_that_was_given_a_product_later_sells_nothing_of_before(
    lea: Any, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    missed(lea, plan, monkeypatch)
    Plan.objects.filter(pk=plan.pk).update(sold_since=NOW + timedelta(seconds=1))
    assert open_missed(LATER) == 0
    Plan.objects.all().delete()
    assert open_missed(LATER) == 0


def test_one_that_fails_keeps_nobody_waiting(
    lea: Any, plan: Plan, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad = missed(lea, plan, monkeypatch)
    missed(make_user(), plan, monkeypatch)
    kinds_of = opening.kinds_of

    def fail(order: Any, *args: Any, **kwargs: Any) -> Any:
        if order.pk == bad.pk:
            raise RuntimeError("out of order")
        return kinds_of(order, *args, **kwargs)

    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(opening, "kinds_of", fail)
        assert open_missed(LATER) == 1
    assert f"Order #{bad.number}" in caplog.text
    assert open_missed(LATER) == 1


def test_none_of_it_makes_a_referral(lea: Any, plan: Plan) -> None:
    pay(place(plan, user=lea))
    for model in (Purchase, Referral, Reward):
        assert not model._default_manager.exists()


def test_many_pieces_cost_no_more_than_a_few(clock: Any, lea: Any, plan: Plan, monkeypatch: Any) -> None:
    """An order that is not paid may be of thousands, and a sweep opens it as well."""
    monkeypatch.setattr(receivers, "open_for_order", lambda order: None)
    costs = []
    for number, quantity in enumerate((3, 150)):
        order = place(plan, user=make_user(f"member{number}@example.com"), quantity=quantity)
        with CaptureQueriesContext(connection) as queries:
            periods = open_for_order(order)
        assert [period.piece for period in periods] == list(range(quantity))
        assert {period.kind for period in periods[1:]} == {Period.Kind.EXTENSION}
        assert [period.pk for period in open_for_order(order)] == [period.pk for period in periods]
        costs.append(len(queries))
    # SQLite takes so many values at a time.
    assert costs[1] - costs[0] < 10
