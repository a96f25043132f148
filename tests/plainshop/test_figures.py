"""Figures by day, kept while the engine does what it does."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from tests.plainshop.models import Order
from tests.plainshop.test_chain import DAY, deliver, friend_orders, visit
from tests.plainshop.test_concurrency import at_once
from tests.plainshop.test_requests import lyon, says  # noqa: F401
from wagtail_referrals import insights, rewards, trust
from wagtail_referrals.insights.models import FiguredDay, StaleDay
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals import answer_request
from wagtail_referrals.referrals.models import AttributionRequest, Referral
from wagtail_referrals.tracking.models import Claim

pytestmark = pytest.mark.django_db

D = Decimal


def counted_days():
    return list(FiguredDay.objects.order_by("day").values_list("day", flat=True))


def of(moment, **chosen):
    day = insights.today(moment)
    return insights.figures(day, day, **chosen)[""]


def test_a_late_refund_changes_the_day_of_the_order(advocate, make_program, basket, now):
    _, terms, _ = make_program()
    order = friend_orders(advocate, terms, basket, now)
    deliver(order, now + 2 * DAY)
    paid = now + 16 * DAY
    rewards.sweep(now=paid)
    rewards.sweep(now=paid + DAY)
    assert of(now).revenue == {"EUR": D("90.00")} and of(now).refunded == {}
    assert of(now + 2 * DAY).qualified == of(now + 2 * DAY).rewarded == 1
    assert of(paid).given == {"EUR": D("15.00")} and of(paid).due == {}

    order.refunded = D("90.00")
    order.save()
    late = now + 40 * DAY
    rewards.check_soon(order.number, at_once=False, now=late)
    rewards.sweep(now=late)
    assert insights.due_days(late) == []
    assert of(now).refunded == {"EUR": D("90.00")}
    assert of(now + 2 * DAY).rewarded == 0
    assert of(paid).given == {} and of(late).taken_back == {"EUR": D("15.00")}
    assert list(insights.differences(counted_days())) == []


def test_an_order_that_came_to_count_and_does_not_any_more(advocate, make_program, basket, now):
    """The day on which it qualified is told apart from those of the order and of the reward."""
    _, terms, _ = make_program()
    order = friend_orders(advocate, terms, basket, now)
    rewards.sweep(now=now + DAY)
    deliver(order, now + 4 * DAY)
    rewards.sweep(now=now + 6 * DAY)
    rewards.sweep(now=now + 19 * DAY)
    assert of(now + 4 * DAY).qualified == of(now + 4 * DAY).rewarded == 1
    order.shipped_at, order.cancelled = None, True
    order.save()
    rewards.settle(Referral.objects.get().pk, now=now + 30 * DAY)
    assert Referral.objects.get().qualified_at is None
    assert of(now + 4 * DAY).qualified == 0
    rewards.sweep(now=now + 31 * DAY)
    assert list(insights.differences(counted_days())) == []


def test_an_order_that_is_confirmed_long_afterwards(lyon, advocate, basket, now):  # noqa: F811
    """The day on which the friend said who sent them, and that of the order, are counted again at once."""
    evening = now.replace(hour=23, minute=59, second=30)
    says(basket, evening)
    # Else there is nothing yet of which a day could be counted.
    visit(advocate, Terms.objects.get(), evening)
    insights.refresh_days(evening + 3 * DAY)
    answer_request(AttributionRequest.objects.get().pk, advocate, True, now=evening + 3 * DAY)
    assert Claim.objects.get().created_at == evening
    assert of(evening).claims == 1 and of(evening + DAY).orders == 1
    insights.refresh_days(evening + 5 * DAY)
    assert list(insights.differences(counted_days())) == []


def test_a_reward_that_comes_after_the_first(advocate, make_program, basket, make_user, now):
    """The referral is rewarded already, its orders have been delivered: nothing but the reward changes."""
    rules = [{"side": "advocate", "trigger": "every_purchase", "kind": "credit", "amounts": {"EUR": "2.00"}}]
    _, terms, _ = make_program(rules)
    lea = make_user("lea")
    deliver(friend_orders(advocate, terms, basket, now, user=lea), now + DAY)
    for days in range(1, 17):
        rewards.sweep(now=now + days * DAY)
    again = now + 17 * DAY
    deliver(friend_orders(advocate, terms, basket, again, user=lea, number="2"), again + DAY)
    for days in range(1, 17):
        rewards.sweep(now=again + days * DAY)
        assert list(insights.differences(counted_days())) == []
        if days > 2:
            assert Referral.objects.get().state == Referral.State.REWARDED
    assert of(again + 15 * DAY).given == {"EUR": D("2.00")}


def test_a_reward_that_is_refused_by_itself(advocate, make_program, basket, make_user, now):
    """The referral stays as it is, and so do its orders: only what is owed has changed."""
    rules = [{"side": "advocate", "trigger": "every_purchase", "kind": "credit", "amounts": {"EUR": "2.00"}}]
    _, terms, _ = make_program(rules, cap_count=1)
    lea = make_user("lea")
    first = friend_orders(advocate, terms, basket, now, user=lea)
    second = friend_orders(advocate, terms, basket, now + DAY, user=lea, number="2")
    for order in (first, second):
        deliver(order, now + 2 * DAY)
    for days in (2, 3, 17, 18, 20):
        rewards.sweep(now=now + days * DAY)
        assert list(insights.differences(counted_days())) == []
    given = {currency for day in range(21) for currency in of(now + day * DAY).given}
    assert given == {"EUR"}


def test_a_reviewer_decides_long_afterwards(advocate, make_program, basket, now):
    _, terms, _ = make_program()
    deliver(friend_orders(advocate, terms, basket, now), now)
    rewards.sweep(now=now + DAY)
    referral = Referral.objects.get()
    trust.review(referral.pk, "refuse", actor=None, now=now + 30 * DAY)
    rewards.settle(referral.pk, now=now + 30 * DAY)
    rewards.sweep(now=now + 31 * DAY)
    assert list(insights.differences(counted_days())) == []
    assert not any(of(now + day * DAY).due for day in range(31))


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="concurrency is proved on PostgreSQL")
def test_settling_while_days_are_counted_and_folded(advocate, make_program, basket, now, settings):
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "VISITS_DAYS": 1}
    _, terms, _ = make_program()
    for number in range(8):
        friend_orders(
            advocate,
            terms,
            basket,
            now + timedelta(hours=number),
            number=str(number),
            email=f"friend{number}@example.com",
        )
        visit(advocate, terms, now + timedelta(hours=number))
    later = now + 100 * DAY
    insights.refresh_days(later)
    Order.objects.update(paid_at=now, shipped_at=now)
    ids = list(Referral.objects.values_list("pk", flat=True))

    def settle(pk):
        rewards.settle(pk, now=later)
        Order.objects.filter(number=Referral.objects.get(pk=pk).purchases.get().reference).update(
            refunded=D("90")
        )
        rewards.settle(pk, now=later + DAY)

    def count():
        for _ in range(6):
            insights.refresh_days(later + 2 * DAY)
            insights.fold_visits(later + 2 * DAY)

    at_once(*[lambda pk=pk: settle(pk) for pk in ids], count, count)
    insights.refresh_days(later + 2 * DAY)
    insights.fold_visits(later + 2 * DAY)
    assert not StaleDay.objects.exists()
    assert list(insights.differences(counted_days())) == []
    found = of(now)
    assert (found.visits, found.orders, found.refunded) == (16, 8, {"EUR": D("720.00")})
    assert connection.vendor == "postgresql" and advocate.visits.count() == 8
