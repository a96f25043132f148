"""What memberships hear of orders and customers: it opens, settles and ends them, and breaks nothing."""

from __future__ import annotations

import logging
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.db import connection
from oscar.core.loading import get_model

from example_site.card.gateway import ACCEPTED
from oscar_integration.attribution import attribute
from oscar_integration.memberships import opening, receivers, selling
from oscar_integration.memberships.models import Membership, Period, Plan, Renewal
from oscar_integration.memberships.opening import IN_THE_MAKING, open_missed
from oscar_integration.repair import attribute_missed
from tests.memberships.rows import NOW, give, make_user
from tests.memberships.shopping import make_sold_plan, membership_of, pay, place, refund
from tests.oscar_integration.shopping import Friend, create_order, fill_basket, make_product, make_program
from tests.oscar_integration.test_attribution_robust import queries
from tests.oscar_integration.test_vouchers import claimed
from wagtail_referrals import rewards
from wagtail_referrals.people import advocate_for
from wagtail_referrals.referrals.models import Purchase

State = Membership.State
Kind = Period.Kind
Reason = Membership.Reason
Order = get_model("order", "Order")
LATER = NOW + IN_THE_MAKING + timedelta(minutes=1)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock", "france")]


@pytest.fixture
def advocate(db: None) -> Any:
    return advocate_for(make_user("camille@example.com", "Camille"))


def _broken(*args: Any, **kwargs: Any) -> None:
    raise RuntimeError("out of order")


def _broken_database(*args: Any, **kwargs: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nothing FROM nowhere")


# Placing


def test_an_order_opens_what_runs_once_it_is_paid(
    lea: Any, plan: Plan, django_capture_on_commit_callbacks: Any
) -> None:
    order = place(plan, user=lea)
    membership = membership_of(lea)
    period = membership.periods.get()
    assert (membership.state, period.kind, period.origin) == (State.WAITING, Kind.NEW, "order")
    assert (period.order_number, period.line_id) == (order.number, order.lines.get().pk)
    with django_capture_on_commit_callbacks(execute=True):
        pay(order)
    membership.refresh_from_db()
    assert (membership.state, membership.starts_at) == (State.ACTIVE, NOW)
    assert membership.is_open(NOW)


def test_an_order_without_a_membership_costs_nothing(lea: Any, plan: Plan) -> None:
    order = create_order(fill_basket(make_product("MAT", "100.00"), user=lea), user=lea)
    basket = fill_basket(make_product("STRAP", "20.00"), user=lea)
    list(basket.all_lines())
    order.basket = basket
    selling.sells_membership([])
    assert queries(lambda: receivers.on_order_placed(None, order)) == 0
    assert not receivers.is_concerned(order)
    # Another way to order leaves no basket at hand.
    again = Order.objects.get(pk=order.pk)
    assert receivers.is_concerned(again)
    assert queries(lambda: receivers.on_order_placed(None, again)) == 3, "the lines, in a savepoint"
    assert not receivers.is_concerned(again)


def test_a_variant_of_a_plans_product_sells_it(lea: Any, plan: Plan) -> None:
    assert plan.product is not None
    Product = get_model("catalogue", "Product")
    child = make_product("CHILD", "25.00", sent=False)
    Product.objects.filter(pk=plan.product_id).update(structure=Product.PARENT)
    Product.objects.filter(pk=child.pk).update(
        structure=Product.CHILD, parent=plan.product, product_class=None
    )
    cache.clear()
    child.refresh_from_db()
    create_order(fill_basket(child, user=lea), user=lea)
    assert membership_of(lea).plan == plan


def test_a_new_plan_sells_at_once(lea: Any, plan: Plan) -> None:
    selling.sells_membership([])
    place(make_sold_plan("yearly", period_length=12), user=lea)
    assert membership_of(lea).plan.slug == "yearly"


@pytest.mark.parametrize("fault", [_broken, _broken_database])
@pytest.mark.parametrize(
    ("module", "where"),
    [(receivers, "open_for_order"), (opening, "kind_for"), (selling, "_read")],
    ids=["opening", "kind", "products"],
)
def test_what_fails_breaks_no_order_and_is_made_good(
    fault: Any,
    module: Any,
    where: str,
    lea: Any,
    plan: Plan,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(module, where, fault)
        order = place(plan, user=lea)
    assert f"Order #{order.number}" in caplog.text
    assert not Membership.objects.exists()
    assert open_missed(NOW + timedelta(minutes=1)) == 0, "the checkout may still be at it"
    assert open_missed(LATER) == 1
    assert membership_of(lea).periods.get().order_number == order.number
    assert open_missed(LATER) == 0


def test_half_of_an_order_is_not_opened(
    lea: Any, plan: Plan, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    add_period = opening.add_period

    def add_one(**values: Any) -> Period:
        if values["piece"] == 1:
            raise RuntimeError("out of order")
        return add_period(**values)

    with monkeypatch.context() as patch:
        patch.setattr(opening, "add_period", add_one)
        place(plan, user=lea, quantity=2)
    assert not Membership.objects.exists()
    assert open_missed(LATER) == 1
    assert membership_of(lea).periods.count() == 2


# Changes


def test_changes_of_an_order_are_followed(
    lea: Any, plan: Plan, clock: Any, django_capture_on_commit_callbacks: Any
) -> None:
    order = place(plan, user=lea, quantity=2)
    with django_capture_on_commit_callbacks(execute=True):
        pay(order)
    assert (ends_at := membership_of(lea).ends_at) is not None
    clock.move_to(NOW + timedelta(days=3))
    with django_capture_on_commit_callbacks(execute=True):
        refund(order, "30.00", {order.lines.get(): 1})
    membership = membership_of(lea)
    assert membership.ends_at is not None and membership.ends_at < ends_at
    assert [period.taken_back_reason for period in membership.periods.all()] == ["", Reason.REFUNDED]
    with django_capture_on_commit_callbacks(execute=True):
        Order.objects.get(pk=order.pk).set_status("Cancelled")
    membership.refresh_from_db()
    assert (membership.state, membership.ended_reason) == (State.ENDED, Reason.CANCELLED)


def test_half_a_change_is_left_to_the_sweep(lea: Any, plan: Plan, clock: Any) -> None:
    order = place(plan, user=lea)
    Order.objects.filter(pk=order.pk).update(status="Paid")
    receivers.on_order_changed(order.number, at_once=False)
    membership = membership_of(lea)
    assert (membership.state, membership.next_check_at) == (State.WAITING, NOW)
    rewards.sweep(now=NOW)
    assert membership_of(lea).state == State.ACTIVE


def test_what_cannot_be_settled_is_due(
    lea: Any, plan: Plan, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    order = place(plan, user=lea)
    Order.objects.filter(pk=order.pk).update(status="Paid")
    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(receivers, "settle", _broken)
        receivers.on_order_changed(order.number, at_once=True)
    assert f"Order #{order.number}" in caplog.text
    rewards.sweep(now=NOW)
    assert membership_of(lea).state == State.ACTIVE


# What rules are told


def kinds(number: str) -> list[dict[str, Any] | None]:
    return [line.get("membership") for line in Purchase.objects.get(reference=number).lines]


def friend_buys(advocate: Any, user: Any, *plans: Plan) -> Any:
    """An order that is a friend's, whatever the program gives."""
    products = [plan.product for plan in plans]
    terms = make_program(
        [{"side": "advocate", "trigger": "every_purchase", "kind": "credit", "amounts": {"EUR": "5.00"}}]
    )
    return create_order(claimed(advocate, terms, *products, user=user), user=user)


def agreed(order: Any, *expected: str) -> None:
    """The frozen lines say what the periods say."""
    plans = [line.product_id for line in order.lines.order_by("pk")]
    by_product = {plan.product_id: plan.pk for plan in Plan.objects.all()}
    assert [(told["plan"], told["kind"]) for told in kinds(order.number) if told] == [
        (by_product[product], kind) for product, kind in zip(plans, expected, strict=True)
    ]
    assert list(Period.objects.filter(order_number=order.number).values_list("kind", flat=True)) == list(
        expected
    )


def test_a_new_membership_and_an_extension(advocate: Any, lea: Any, plan: Plan) -> None:
    first = friend_buys(advocate, lea, plan)
    agreed(first, "new")
    pay(first)
    second = place(plan, user=lea)
    agreed(second, "extension")


def test_two_memberships_in_one_order(advocate: Any, lea: Any, plan: Plan) -> None:
    agreed(friend_buys(advocate, lea, plan, make_sold_plan("yearly", period_length=12)), "new", "extension")


def test_a_trial_makes_nobody_a_member(advocate: Any, lea: Any, plan: Plan) -> None:
    trial = make_sold_plan("trial", price="5.00", is_trial=True)
    agreed(friend_buys(advocate, lea, trial, plan), "new", "new")


def test_a_guest_and_another_product(advocate: Any, plan: Plan) -> None:
    program = make_program()
    basket = claimed(advocate, program, make_product("MAT", "100.00"), plan.product)
    order = create_order(basket, email="lea@example.com")
    assert kinds(order.number) == [None, {"plan": plan.pk, "kind": "new"}]


def test_a_renewal(advocate: Any, lea: Any, plan: Plan) -> None:
    membership = give(lea, plan)
    Renewal.objects.create(
        membership=membership, number=1, due_at=NOW, order_number="R1", created_at=NOW, state="charging"
    )
    friend_buys(advocate, lea, plan)
    order = place(plan, user=lea, order_number="R1")
    assert kinds("R1") == [{"plan": plan.pk, "kind": "renewal"}]
    assert not Period.objects.filter(order_number=order.number).exists(), "the renewal brings it"


def test_opened_later_it_is_what_the_rules_were_told(
    advocate: Any, lea: Any, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(receivers, "open_for_order", _broken)
        order = friend_buys(advocate, lea, plan)
    assert kinds(order.number) == [{"plan": plan.pk, "kind": "new"}]
    # Meanwhile another one made them a member.
    pay(place(make_sold_plan("yearly", period_length=12), user=lea))
    assert open_missed(LATER) == 1
    agreed(order, "new")


def test_attributed_later_the_rules_are_told_what_was_opened(
    advocate: Any, lea: Any, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(rewards, "order_placed", _broken)
        order = friend_buys(advocate, lea, plan)
    pay(order)
    # What makes the next one an extension.
    give(lea, make_sold_plan("yearly", period_length=12), origin=Period.Origin.ORDER)
    attribute_missed(None, now=LATER)
    assert kinds(order.number) == [{"plan": plan.pk, "kind": "new"}]


def test_rules_are_told_of_no_membership_where_it_cannot_be_known(
    advocate: Any, lea: Any, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "kind_for", _broken_database)
    order = friend_buys(advocate, lea, plan)
    assert kinds(order.number) == [None]
    assert attribute(order) == Purchase.objects.get()


# Guests


def guest_buys(friend: Friend, plan: Plan, email: str = "lea@example.com") -> Any:
    assert plan.product is not None
    friend.add(plan.product.upc)
    friend.as_guest(email)
    friend.client.get(friend.url("checkout/shipping-method/"))
    response = friend.place(ACCEPTED)
    assert response.status_code == 302, response.content.decode()[:2000]
    return Order.objects.latest("pk")


@pytest.fixture
def friend() -> Friend:
    return Friend()


def user_of(email: str) -> Any:
    return get_user_model().objects.get(email=email)


def test_who_registers_in_the_session_of_the_order_has_it(
    friend: Friend, plan: Plan, clock: Any, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        order = guest_buys(friend, plan)
        if order.status == "Pending":
            pay(order)
    membership = Membership.objects.get()
    assert (membership.user, membership.state) == (None, State.WAITING)
    clock.move_to(NOW + timedelta(hours=1))
    friend.register("another@example.com")
    membership.refresh_from_db()
    assert membership.user == user_of("another@example.com")
    assert (membership.state, membership.starts_at) == (State.ACTIVE, NOW + timedelta(hours=1))


def test_an_address_alone_proves_nothing(friend: Friend, plan: Plan, settings: Any) -> None:
    guest_buys(friend, plan)
    Friend().register("lea@example.com")
    assert Membership.objects.get().user is None
    Friend().log_in("lea@example.com")
    assert Membership.objects.get().user is None


@pytest.mark.parametrize("verified", [True, False])
def test_a_verified_address_does(verified: bool, friend: Friend, plan: Plan, settings: Any) -> None:
    guest_buys(friend, plan)
    guest_buys(Friend(), plan, "le.a@example.com")
    Friend().register("lea@example.com")
    name = "verified" if verified else "unverified"
    settings.WAGTAIL_REFERRALS = settings.WAGTAIL_REFERRALS | {"EMAIL_IS_VERIFIED": f"{__name__}.{name}"}
    Friend().log_in("lea@example.com")
    owners = [membership.user for membership in Membership.objects.order_by("pk")]
    assert owners == [user_of("lea@example.com") if verified else None, None]


def verified(user: Any) -> bool:
    return True


def unverified(user: Any) -> bool:
    return False


def test_the_shop_gives_a_guests_order_to_an_account(
    lea: Any, plan: Plan, django_capture_on_commit_callbacks: Any
) -> None:
    order = place(plan, email="lea@example.com")
    order.user = lea
    with django_capture_on_commit_callbacks(execute=True):
        order.save()
        pay(order)
    assert membership_of(lea).state == State.ACTIVE


def test_what_a_guest_bought_prolongs_what_they_have(lea: Any, plan: Plan) -> None:
    own = give(lea, plan)
    order = place(plan, email="lea@example.com")
    pay(order)
    opening.adopt(lea, order.number, now=NOW)
    own.refresh_from_db()
    assert membership_of(lea) == own
    assert Membership.objects.count() == 1
    first, second = own.periods.order_by("starts_at")
    assert (first.ends_at, second.ends_at) == (second.starts_at, own.ends_at)
    assert opening.adopt(lea, order.number, now=NOW) == []


# Who leaves


def test_what_a_deleted_customer_had_ends(
    lea: Any, plan: Plan, django_capture_on_commit_callbacks: Any
) -> None:
    plan.group = Group.objects.create(name="Members")
    plan.save()
    running, waiting = give(lea, plan), make_sold_plan("yearly", period_length=12)
    place(waiting, user=lea)
    with django_capture_on_commit_callbacks(execute=True):
        lea.delete()
    assert {(each.user, each.state, each.ended_reason) for each in Membership.objects.all()} == {
        (None, State.ENDED, Reason.DELETED)
    }
    running.refresh_from_db()
    assert not running.is_open(NOW)
    assert Period.objects.count() == 2


def test_the_deletion_is_made_good_by_the_sweep(lea: Any, plan: Plan) -> None:
    give(lea, plan)
    lea.delete()
    rewards.sweep(now=NOW)
    assert Membership.objects.get().ended_reason == Reason.DELETED


def test_nobody_adopts_what_a_deleted_customer_ordered(lea: Any, plan: Plan) -> None:
    order = place(plan, user=lea)
    lea.delete()
    rewards.sweep(now=NOW)
    assert opening.adopt(make_user("noe@example.com"), order.number, now=NOW) == []


# The sweep


def test_a_step_that_fails_keeps_nobody_from_the_others(
    lea: Any, plan: Plan, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plan.group = Group.objects.create(name="Members")
    plan.save()
    give(lea, plan)
    lea.groups.clear()
    monkeypatch.setattr(opening, "missed_orders", _broken)
    with caplog.at_level(logging.ERROR):
        rewards.sweep(now=NOW)
    assert "memberships.open_missed" in caplog.text
    assert lea.groups.exists()


def test_what_was_ordered_before_the_plan_was_sold_is_none(lea: Any, plan: Plan, clock: Any) -> None:
    mat = make_product("MAT", "100.00")
    create_order(fill_basket(mat, user=lea), user=lea)
    clock.move_to(NOW + timedelta(seconds=1))
    plan.product = mat
    plan.save()
    assert open_missed(LATER) == 0
    assert Decimal(mat.stockrecords.get().price) == 100
