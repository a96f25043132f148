"""Real threads and real transactions: what the database promises when everything happens at once."""

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.db import IntegrityError, connection, connections

from tests.plainshop.models import Order
from tests.plainshop.test_chain import DAY, friend_orders, visit
from wagtail_referrals import credit, messages, rewards
from wagtail_referrals.messages.models import Message
from wagtail_referrals.programs.models import Budget
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import DiscountGrant, Reward
from wagtail_referrals.tracking.models import Claim

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="concurrency is proved on PostgreSQL"),
]

THREADS = 16
HOUR = timedelta(hours=1)


def at_once(*jobs):
    """Run the jobs in threads that start together; their results, an exception as itself."""
    barrier = threading.Barrier(len(jobs))
    results = [None] * len(jobs)

    def run(index, job):
        try:
            barrier.wait(timeout=30)
            results[index] = job()
        except Exception as error:
            results[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(index, job)) for index, job in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs: a deadlock?"
    errors = [result for result in results if isinstance(result, Exception)]
    assert not errors, errors
    return results


def delivered(advocate, terms, basket, now, count):
    for number in range(count):
        friend_orders(advocate, terms, basket, now, number=str(number), email=f"friend{number}@example.com")
    Order.objects.update(paid_at=now, shipped_at=now)


def test_two_sweeps_at_once_give_one_reward_and_one_mail(advocate, camille, make_program, basket, now):
    _, terms, _ = make_program()
    delivered(advocate, terms, basket, now, 5)
    later = now + 15 * DAY

    def work():
        rewards.sweep(now=later)
        messages.deliver_pending(now=later)

    at_once(*[work] * 4)
    # What one worker skipped because another had it locked is no longer due; nothing is left over.
    rewards.sweep(now=later)
    messages.deliver_pending(now=later)
    assert credit.available(camille, "EUR") == Decimal("75.00")
    assert Reward.objects.filter(posted=15, revision=1).count() == 5
    assert Message.objects.filter(state="sent").count() == len(mail.outbox) == 5


def test_a_cap_holds_whoever_settles(advocate, camille, make_program, basket, now):
    _, terms, _ = make_program(cap_count=3)
    delivered(advocate, terms, basket, now, THREADS)
    ids = list(Referral.objects.values_list("pk", flat=True))
    at_once(*[lambda pk=pk: rewards.settle(pk, now=now + 15 * DAY) for pk in ids])
    assert credit.available(camille, "EUR") == Decimal("45.00")
    assert sorted(Reward.objects.filter(slot__isnull=False).values_list("slot", flat=True)) == [1, 2, 3]
    assert Reward.objects.filter(reason="cap").count() == THREADS - 3
    assert sorted(Referral.objects.values_list("ordinal", flat=True)) == list(range(1, THREADS + 1))


def test_one_friend_brings_no_more_than_the_limit_whoever_settles(
    advocate, camille, make_program, make_user, basket, now
):
    """Sixteen orders of one friend, sixteen workers: three places, each once."""
    rules = [{"side": "advocate", "trigger": "every_purchase", "kind": "credit", "amounts": {"EUR": "2.00"}}]
    _, terms, _ = make_program(rules, friend_cap_count=3)
    lea = make_user("lea")
    for number in range(THREADS):
        friend_orders(advocate, terms, basket, now + number * HOUR, user=lea, number=str(number))
    referral = Referral.objects.get()

    def work(number):
        # Each order qualifies by itself, while others are being settled.
        Order.objects.filter(number=str(number)).update(paid_at=now, shipped_at=now + number * HOUR)
        rewards.settle(referral.pk, now=now + 15 * DAY)

    at_once(*[lambda n=n: work(n) for n in range(THREADS)])
    rewards.settle(referral.pk, now=now + 15 * DAY)
    assert credit.available(camille, "EUR") == Decimal("6.00")
    given = Reward.objects.filter(posted__gt=0).order_by("friend_slot")
    assert list(given.values_list("friend_slot", flat=True)) == [1, 2, 3]
    assert Reward.objects.filter(reason="friend_cap", posted=0).count() == THREADS - 3


def test_the_database_gives_a_place_with_a_friend_once(advocate, make_program, basket, make_user, now):
    rules = [{"side": "advocate", "trigger": "every_purchase", "kind": "credit", "amounts": {"EUR": "2.00"}}]
    _, terms, _ = make_program(rules, friend_cap_count=3)
    lea = make_user("lea")
    for number in range(2):
        friend_orders(advocate, terms, basket, now, user=lea, number=str(number))
    Order.objects.update(paid_at=now, shipped_at=now)
    rewards.settle(Referral.objects.get().pk, now=now + 15 * DAY)
    with pytest.raises(IntegrityError):
        Reward.objects.filter(friend_slot=2).update(friend_slot=1)


def test_a_milestone_is_paid_once(advocate, camille, make_program, basket, now):
    """Sixteen friends become the first, the second, ... at the same time."""
    amounts = {1: "10.00", 3: "30.00", 5: "50.00"}
    _, terms, _ = make_program(
        [
            {
                "side": "advocate",
                "trigger": "nth_referral",
                "occurrence": occurrence,
                "kind": "credit",
                "amounts": {"EUR": amount},
            }
            for occurrence, amount in amounts.items()
        ]
    )
    delivered(advocate, terms, basket, now, THREADS)
    ids = list(Referral.objects.values_list("pk", flat=True))
    at_once(*[lambda pk=pk: rewards.settle(pk, now=now + 15 * DAY) for pk in ids])
    assert credit.available(camille, "EUR") == Decimal("90.00")
    assert sorted(Reward.objects.filter(posted__gt=0).values_list("tier", flat=True)) == [1, 3, 5]
    assert sorted(Referral.objects.values_list("ordinal", flat=True)) == list(range(1, THREADS + 1))


@pytest.mark.parametrize(
    ("budget", "promises", "held"),
    [
        pytest.param({"budget_count": 5}, 5, {"": 5}, id="in number"),
        pytest.param({"budget_amounts": {"EUR": "60.00"}}, 4, {"EUR": 60}, id="in money"),
        pytest.param({"budget_amounts": {"EUR": "50.00"}}, 4, {"EUR": 60}, id="in money, the last one whole"),
        pytest.param(
            {"budget_amounts": {"EUR": "60.00"}, "budget_count": 2}, 2, {"": 2, "EUR": 30}, id="in both"
        ),
    ],
)
def test_a_budget_makes_no_more_promises_than_it_can_keep(
    advocate, make_program, basket, now, budget, promises, held
):
    """15.00 and one friend each. The friend who meets a budget that is not used up yet is promised everything."""
    _, terms, _ = make_program(**budget)
    visits = [visit(advocate, terms, now) for _ in range(THREADS)]
    baskets = [str(basket().pk) for _ in range(THREADS)]
    made = at_once(
        *[
            lambda v=v, b=b: rewards.commit(visit=v, basket_reference=b, now=now)
            for v, b in zip(visits, baskets, strict=True)
        ]
    )
    assert sum(claim is not None for claim in made) == promises
    assert dict(Budget.objects.values_list("currency", "held")) == held
    assert DiscountGrant.objects.count() == promises


def test_promises_and_what_became_of_them_are_counted_at_once(advocate, make_program, basket, now):
    """Eight friends are settled while eight others come: nothing is counted twice, and nothing is lost."""
    _, terms, _ = make_program(budget_amounts={"EUR": "300.00"}, budget_count=12)
    delivered(advocate, terms, basket, now, 8)
    later = now + 15 * DAY
    ids = list(Referral.objects.values_list("pk", flat=True))
    visits = [visit(advocate, terms, later) for _ in range(8)]
    baskets = [str(basket().pk) for _ in range(8)]
    made = at_once(
        *[lambda pk=pk: rewards.settle(pk, now=later) and None for pk in ids],
        *[
            lambda v=v, b=b: rewards.commit(visit=v, basket_reference=b, now=later)
            for v, b in zip(visits, baskets, strict=True)
        ],
    )
    promised = sum(isinstance(result, Claim) for result in made)
    # 15.00 of credit and 10.00 of discount for each of the eight; the promises hold the 15.00.
    assert promised == 4
    assert dict(Budget.objects.values_list("currency", "spent")) == {"": 8, "EUR": 200}
    assert dict(Budget.objects.values_list("currency", "held")) == {"": promised, "EUR": 15 * promised}


def test_one_visitor_in_many_tabs_makes_one_claim(advocate, make_program, basket, now):
    _, terms, _ = make_program(budget_count=5)
    made = basket()
    came = visit(advocate, terms, now)
    claims = at_once(*[lambda: rewards.commit(visit=came, basket_reference=str(made.pk), now=now)] * THREADS)
    assert {claim.pk for claim in claims} == {Claim.objects.get().pk}
    assert Budget.objects.get().held == 1
    assert DiscountGrant.objects.count() == 1


def test_settling_and_spending_at_once_never_lock_each_other_out(
    advocate, camille, make_program, basket, now
):
    """Checkout locks Account and Lot only; settle comes from above in the stated order."""
    _, terms, _ = make_program()
    delivered(advocate, terms, basket, now, 8)
    credit.grant(user=camille, currency="EUR", amount=Decimal(80), key="start", now=now)
    ids = list(Referral.objects.values_list("pk", flat=True))
    later = now + 15 * DAY

    def spend(number):
        credit.reserve(
            user=camille,
            currency="EUR",
            amount=Decimal(10),
            order_number=f"s{number}",
            expires_at=later + timedelta(hours=1),
            now=later,
        )
        credit.capture(order_number=f"s{number}", now=later)

    at_once(
        *[lambda pk=pk: rewards.settle(pk, now=later) for pk in ids],
        *[lambda n=n: spend(n) for n in range(8)],
    )
    account = credit.account_of(camille, "EUR")
    assert (account.balance, account.reserved, account.shortfall) == (Decimal(120), 0, 0)
    assert connection.vendor == "postgresql"


def test_friends_who_refer_each_other_are_settled_at_once(make_user, make_program, basket, now):
    """Two settlings that both pay the same two people, each in the other role: no circle of locks."""
    from wagtail_referrals.people import advocate_for

    _, terms, _ = make_program(
        [
            {"side": "advocate", "trigger": "first_purchase", "kind": "credit", "amounts": {"EUR": "10.00"}},
            {"side": "friend", "trigger": "first_purchase", "kind": "credit", "amounts": {"EUR": "5.00"}},
        ],
        new_customers_only=False,
    )
    for round_ in range(6):
        one, two = make_user(f"one{round_}"), make_user(f"two{round_}")
        first, second = advocate_for(one), advocate_for(two)
        friend_orders(first, terms, basket, now, user=two, email=two.email, number=f"{round_}a")
        friend_orders(second, terms, basket, now, user=one, email=one.email, number=f"{round_}b")
    Order.objects.update(paid_at=now, shipped_at=now)
    ids = list(Referral.objects.values_list("pk", flat=True))
    at_once(*[lambda pk=pk: rewards.settle(pk, now=now + 15 * DAY) for pk in ids])
    assert sum(Reward.objects.values_list("posted", flat=True)) == 6 * 2 * Decimal(15)
