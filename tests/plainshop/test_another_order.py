"""A reward that another order of the same friend earns after all: in its currency, and tied to that order."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.books import assert_audit_clean
from tests.plainshop import shop
from tests.plainshop.models import Order
from tests.plainshop.test_chain import DAY, deliver, friend_orders, visit
from tests.plainshop.test_milestones import milestone
from wagtail_referrals import credit, rewards
from wagtail_referrals.people import adopt_guest
from wagtail_referrals.referrals import register_friend
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import Reward

pytestmark = pytest.mark.django_db
D = Decimal
AMOUNTS = {"EUR": "10.00", "JPY": "1500"}


def paid(order: Order, moment) -> None:
    order.paid_at = moment
    order.save()


def cancel(order: Order) -> None:
    order.cancelled = True
    order.save()


@pytest.mark.parametrize("was_given", [False, True])
def test_a_milestone_is_given_in_the_currency_of_the_order_that_earned_it(
    make_program, advocate, camille, basket, make_user, now, monkeypatch, was_given
):
    _, terms, _ = make_program(
        [milestone(1, "credit", amounts=AMOUNTS)], hold_days=0 if was_given else 14, hold_anchor="paid"
    )
    lea = make_user("lea")
    first = friend_orders(advocate, terms, basket, now, user=lea)
    paid(first, now)
    referral = Referral.objects.get()
    rewards.settle(referral.pk, now=now + DAY / 24)
    assert credit.available(camille, "EUR") == (D(10) if was_given else 0)
    cancel(first)
    rewards.settle(referral.pk, now=now + DAY)
    monkeypatch.setattr(shop, "CURRENCY", "JPY")
    second = friend_orders(
        advocate, terms, basket, now + DAY, user=lea, number="2", goods="9000", email=lea.email
    )
    deliver(second, now + DAY)
    for moment in (now + 2 * DAY, now + 20 * DAY):
        rewards.settle(referral.pk, now=moment)
    reward = Reward.objects.get()
    assert (reward.posted, reward.currency, reward.purchase.reference) == (D(1500), "JPY", "2")
    assert credit.available(camille, "EUR") == 0
    assert credit.available(camille, "JPY", now=now + 20 * DAY) == D(1500)
    assert_audit_clean()


def test_a_milestone_that_changes_its_order_while_it_is_given_changes_its_currency(
    make_program, advocate, camille, basket, make_user, now, monkeypatch
):
    """Both orders are there when the first turns out never to have happened: one look sees it all."""
    _, terms, _ = make_program([milestone(1, "credit", amounts=AMOUNTS)], hold_days=0, hold_anchor="paid")
    lea = make_user("lea")
    first = friend_orders(advocate, terms, basket, now, user=lea)
    paid(first, now)
    referral = Referral.objects.get()
    rewards.settle(referral.pk, now=now + DAY / 24)
    monkeypatch.setattr(shop, "CURRENCY", "JPY")
    second = friend_orders(
        advocate, terms, basket, now + DAY, user=lea, number="2", goods="9000", email=lea.email
    )
    paid(second, now + DAY)
    rewards.settle(referral.pk, now=now + DAY)
    assert (credit.available(camille, "EUR"), credit.available(camille, "JPY")) == (D(10), 0)
    cancel(first)
    rewards.settle(referral.pk, now=now + 2 * DAY)
    assert (credit.available(camille, "EUR"), credit.available(camille, "JPY")) == (0, D(1500))
    first.cancelled = False
    first.save()
    for moment in (now + 3 * DAY, now + 4 * DAY):
        rewards.settle(referral.pk, now=moment)
    assert (credit.available(camille, "EUR"), credit.available(camille, "JPY")) == (D(10), 0)
    assert_audit_clean()


def test_an_order_that_never_happened_does_not_come_back_by_a_milestone(
    make_program, advocate, camille, basket, make_user, now
):
    """The milestone was noted at the first order; the second earned it, and what else it earned stays."""
    _, terms, _ = make_program(
        [
            milestone(1, "credit", amounts={"EUR": "10.00"}),
            {
                "side": "advocate",
                "trigger": "first_purchase",
                "kind": "credit",
                "amounts": {"EUR": "15.00"},
            },
        ],
        hold_days=14,
        hold_anchor="paid",
        clawback_days=30,
        window_days=60,
    )
    lea = make_user("lea")
    first = friend_orders(advocate, terms, basket, now, user=lea)
    paid(first, now)
    referral = Referral.objects.get()
    rewards.settle(referral.pk, now=now + DAY)
    cancel(first)
    rewards.settle(referral.pk, now=now + 2 * DAY)
    second = friend_orders(advocate, terms, basket, now + 10 * DAY, user=lea, number="2", email=lea.email)
    deliver(second, now + 10 * DAY)
    rewards.settle(referral.pk, now=now + 25 * DAY)
    assert credit.available(camille, "EUR") == D(25)
    # The first order is no longer looked at, the second one is.
    rewards.settle(referral.pk, now=now + 35 * DAY)
    assert credit.available(camille, "EUR") == D(25)
    assert_audit_clean()


def test_an_order_after_the_days_to_order_takes_nothing_back_that_registering_brought(
    make_program, advocate, camille, basket, make_user, now
):
    _, terms, _ = make_program(
        [
            {"side": "advocate", "trigger": "registers", "kind": "credit", "amounts": {"EUR": "5.00"}},
            {"side": "advocate", "trigger": "first_purchase", "kind": "credit", "amounts": {"EUR": "15.00"}},
        ],
        hold_days=0,
        hold_anchor="paid",
        window_days=30,
    )
    lea = make_user("lea")
    claim = rewards.commit(visit=visit(advocate, terms, now), user=lea, now=now)
    adopt_guest(lea)
    referral = register_friend(lea, claim=claim, now=now)
    rewards.settle(referral.pk, now=now + DAY)
    assert credit.available(camille, "EUR") == D(5)
    rewards.sweep(now=now + 31 * DAY)
    assert credit.available(camille, "EUR") == D(5)
    order = shop.place_order(basket(lea), number="1", goods=D(80), email=lea.email, now=now + 40 * DAY)
    deliver(order, now + 40 * DAY)
    rewards.settle(referral.pk, now=now + 41 * DAY)
    assert credit.available(camille, "EUR") == D(5)
    assert_audit_clean()
