"""Points through the whole chain: given, taken back, told everywhere in the shop's own unit."""

from __future__ import annotations

import html
from decimal import Decimal

import pytest
from django.core import mail

from tests.plainshop.models import Order
from tests.plainshop.test_chain import DAY, deliver, friend_orders, story
from tests.points import FIFTY_LEAVES, leaves
from wagtail_referrals import credit, insights, messages, rewards
from wagtail_referrals.programs import sentence
from wagtail_referrals.programs.models import Budget
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import Reward

pytestmark = pytest.mark.django_db
__all__ = ["leaves"]
D = Decimal


def test_points_are_given_and_taken_back(advocate, camille, make_program, basket, now, leaves, client):
    _, terms, data = make_program([FIFTY_LEAVES])
    assert "your customer gets 50 leaves" in sentence(data)
    order = friend_orders(advocate, terms, basket, now)
    deliver(order, now)
    rewards.sweep(now=now + 15 * DAY)
    reward = Reward.objects.get()
    assert (reward.currency, reward.amount, reward.posted) == ("LEAF", D(50), D(50))
    assert (credit.available(camille, "LEAF"), credit.available(camille, "EUR")) == (D(50), 0)
    messages.deliver_pending(now=now + 15 * DAY)
    assert mail.outbox[0].subject == "50 leaves for you"
    assert "at checkout" not in mail.outbox[0].body + str(mail.outbox[0].alternatives)

    client.force_login(camille)
    page = html.unescape(client.get("/account/refer-a-friend/").content.decode())
    assert "50 leaves: given" in page and '<p class="referrals-balance">50 leaves</p>' in page
    page = html.unescape(client.get("/account/refer-a-friend/rewards/").content.decode())
    money, _, points = page.partition('<h2 id="points-1">Leaves</h2>')
    assert "You have no credit yet" in money and "+50 leaves" in points

    order.cancelled = True
    order.save()
    rewards.settle(Referral.objects.get().pk, now=now + 20 * DAY)
    assert credit.available(camille, "LEAF") == 0
    text = "\n".join(story(Referral.objects.get()))
    assert "Reward given to the referrer: 50 leaves." in text
    assert "Reward of the referrer taken back, 50 leaves: the order was cancelled." in text
    messages.deliver_pending(now=now + 20 * DAY)
    assert mail.outbox[1].subject == "50 leaves taken back"
    figures = insights.figures(now.date(), (now + 30 * DAY).date())[""]
    assert (figures.taken_back, figures.revenue) == ({"LEAF": D("50.00")}, {"EUR": D("100.00")})


def test_points_shrink_with_the_order_where_the_rule_says_so(
    advocate, camille, make_program, basket, now, leaves
):
    _, terms, _ = make_program([{**FIFTY_LEAVES, "refund_policy": "proportional"}])
    order = friend_orders(advocate, terms, basket, now)
    deliver(order, now)
    order.refunded = D("33.00")
    order.save()
    rewards.sweep(now=now + 15 * DAY)
    assert credit.available(camille, "LEAF") == D(34), "33.5 is no number of leaves"


def test_points_can_end(advocate, make_program, basket, now, leaves):
    _, terms, _ = make_program([{**FIFTY_LEAVES, "expires_days": 100}])
    deliver(friend_orders(advocate, terms, basket, now), now)
    rewards.sweep(now=now + 15 * DAY)
    lot = credit.Lot.objects.get()
    assert (lot.account.currency, lot.remaining, lot.expires_at) == ("LEAF", D(50), now + 115 * DAY)


def test_a_minimum_is_one_of_money(advocate, camille, make_program, basket, now, leaves):
    _, terms, _ = make_program([{**FIFTY_LEAVES, "minimum_spend": {"EUR": "150.00"}}])
    deliver(friend_orders(advocate, terms, basket, now), now)
    rewards.sweep(now=now + 15 * DAY)
    assert (Reward.objects.get().reason, credit.available(camille, "LEAF")) == ("minimum", 0)


def test_a_budget_of_points_closes_the_program(advocate, make_program, basket, now, leaves):
    _, terms, _ = make_program([FIFTY_LEAVES], budget_amounts={"LEAF": "100"})
    friend_orders(advocate, terms, basket, now, number="1", email="friend1@example.com")
    budget = Budget.objects.get(currency="LEAF")
    assert (budget.held, budget.spent) == (D(50), 0)
    Order.objects.update(paid_at=now, shipped_at=now)
    rewards.sweep(now=now + 15 * DAY)
    budget.refresh_from_db()
    assert (budget.held, budget.spent) == (0, D(50))
    friend_orders(advocate, terms, basket, now + 15 * DAY, number="2", email="friend2@example.com")
    friend_orders(advocate, terms, basket, now + 15 * DAY, number="3", email="friend3@example.com")
    assert Referral.objects.count() == 2


def test_a_friend_gets_points_for_an_account(advocate, make_program, basket, now, leaves, make_user):
    _, terms, _ = make_program([{**FIFTY_LEAVES, "side": "friend", "trigger": "registers"}])
    from tests.plainshop.test_chain import visit
    from wagtail_referrals import referrals

    lea = make_user("lea")
    claim = rewards.commit(visit=visit(advocate, terms, now), user=lea, now=now)
    referral = referrals.register_friend(lea, claim=claim, now=now)
    rewards.settle(referral.pk, now=now)
    assert credit.available(lea, "LEAF") == D(50)
