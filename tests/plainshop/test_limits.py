"""What closes a program, and what does not."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.test import Client, TestCase

from tests.plainshop.test_chain import DAY, deliver, friend_orders, visit
from wagtail_referrals import rewards
from wagtail_referrals.people import code_of, share_path
from wagtail_referrals.programs import pick_terms, sentence
from wagtail_referrals.programs.models import Budget
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.site.offer import advocate_conditions
from wagtail_referrals.tracking.models import Claim, Visit

pytestmark = pytest.mark.django_db

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
ROBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def is_open(advocate, now) -> bool:
    return pick_terms(site_id=None, advocate_state=advocate.state, now=now) is not None


def test_clicks_and_robots_close_nothing(advocate, make_program, basket, now):
    """A budget for one friend, and a link that is followed by half the town."""
    _, terms, _ = make_program(budget_count=1, budget_amounts={"EUR": "15.00"})
    link = share_path(code_of(advocate))
    with time_machine.travel(now, tick=False):
        for number in range(30):
            agent = ROBOT if number % 3 == 0 else BROWSER
            answer = Client(headers={"user-agent": agent, "accept-language": "en"}).get(link)
            assert answer.status_code == 200
    assert Visit.objects.count() == 20, "robots leave no trace"
    assert set(Visit.objects.values_list("terms", flat=True)) == {terms.pk}, "everybody is shown the offer"
    assert not Budget.objects.filter(held__gt=0) and not Claim.objects.exists()
    assert is_open(advocate, now)
    # The first who does something about it has the place.
    came = Visit.objects.first()
    with TestCase.captureOnCommitCallbacks(execute=True):
        assert rewards.commit(visit=came, basket_reference=str(basket().pk), now=now) is not None
    assert not is_open(advocate, now)
    late = Visit.objects.last()
    assert rewards.commit(visit=late, basket_reference=str(basket().pk), now=now) is None


def test_a_promise_that_lapses_opens_the_program_again(advocate, make_program, basket, now):
    _, terms, _ = make_program(budget_amounts={"EUR": "15.00"})
    rewards.commit(visit=visit(advocate, terms, now), basket_reference=str(basket().pk), now=now)
    assert not is_open(advocate, now)
    rewards.sweep(now=now + 30 * DAY + timedelta(seconds=1))
    assert is_open(advocate, now + 31 * DAY)
    assert not Budget.objects.filter(held__gt=0)


def test_percentages_close_the_program_once_they_are_owed(advocate, make_program, basket, now):
    rules = [
        {"side": "advocate", "trigger": "every_purchase", "kind": "credit_percent", "percent": Decimal(10)}
    ]
    _, terms, _ = make_program(rules, budget_amounts={"EUR": "10.00"})
    order = friend_orders(advocate, terms, basket, now)
    rewards.sweep(now=now)
    assert is_open(advocate, now)
    deliver(order, now)
    rewards.sweep(now=now + 15 * DAY)
    assert dict(Budget.objects.values_list("currency", "spent")) == {"EUR": 10}
    assert not is_open(advocate, now + 15 * DAY)
    order.cancelled = True
    order.save()
    rewards.settle(Referral.objects.get().pk, now=now + 16 * DAY)
    assert is_open(advocate, now + 16 * DAY), "what was taken back is there to give"


@pytest.mark.parametrize("shipped", [False, True])
def test_the_discount_of_a_cancelled_order_costs_nothing(advocate, make_program, basket, now, shipped):
    _, terms, _ = make_program(budget_amounts={"EUR": "100.00"}, budget_count=10)
    order = friend_orders(advocate, terms, basket, now)
    if shipped:
        deliver(order, now)
    rewards.sweep(now=now)
    assert dict(Budget.objects.values_list("currency", "spent")) == {"": 1, "EUR": 10}
    order.cancelled = True
    order.save()
    rewards.settle(Referral.objects.get().pk, now=now + DAY)
    assert not Budget.objects.filter(spent__gt=0)
    # One that never happened is waited for, with all that was promised.
    held = dict(Budget.objects.values_list("currency", "held"))
    assert held == ({"": 0, "EUR": 0} if shipped else {"": 1, "EUR": 15})


def test_an_order_cancelled_after_the_days_to_order_ends_it(advocate, make_program, basket, now):
    """Nobody waits for ever: the money is free again, and nothing is owed."""
    _, terms, _ = make_program(budget_amounts={"EUR": "100.00"}, budget_count=10, hold_anchor="paid")
    order = friend_orders(advocate, terms, basket, now)
    order.paid_at = now
    order.save()
    rewards.sweep(now=now + 15 * DAY)
    assert Reward.objects.get().posted == Decimal("15.00")
    order.cancelled = True
    order.save()
    referral = Referral.objects.get()
    rewards.settle(referral.pk, now=now + 40 * DAY)
    referral.refresh_from_db()
    assert (referral.state, Reward.objects.get().posted) == ("expired", 0)
    assert [grant.state for grant in referral.claim.discounts.all()] == ["used"], "none is given again"
    assert not Budget.objects.filter(spent__gt=0) and not Budget.objects.filter(held__gt=0)


def test_the_limit_for_one_friend_is_told(advocate, make_program, basket, make_user, now):
    rules = [{"side": "advocate", "trigger": "every_purchase", "kind": "credit", "amounts": {"EUR": "2.00"}}]
    _, terms, data = make_program(rules, friend_cap_count=1)
    assert "at most 1 time for the same friend" in sentence(data)
    assert "At most 1 reward for the same friend." in advocate_conditions(data)
    lea = make_user("lea")
    for number in range(2):
        deliver(
            friend_orders(
                advocate, terms, basket, now + timedelta(hours=number), user=lea, number=str(number)
            ),
            now + timedelta(hours=number),
        )
    rewards.sweep(now=now + 15 * DAY)
    assert list(Reward.objects.order_by("pk").values_list("state", "reason", "friend_slot")) == [
        ("given", "", 1),
        ("refused", "friend_cap", None),
    ]
