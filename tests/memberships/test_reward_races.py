"""Memberships that one customer earns at the same moment: each is there once, and what is given once is given once."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from oscar_integration.memberships.kind import plan_options
from oscar_integration.memberships.models import Membership, Period, Plan
from tests.books import assert_audit_clean
from tests.memberships.rows import NOW, give, make_plan, make_user
from tests.oscar_integration.shopping import make_program
from tests.oscar_integration.test_checkout_credit_races import at_once
from wagtail_referrals import people, referrals, rewards
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.tracking.models import Visit

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="concurrency is proved on PostgreSQL"),
    pytest.mark.usefixtures("clock"),
]

COUNT = 6


def earned(lea: Any, plan: Plan) -> list[int]:
    """Referrals of one friend by different people to different programs: no lock is shared but the membership's."""
    rule = {"side": "friend", "trigger": "registers", "kind": "membership", "options": plan_options(plan)}
    found = []
    for number in range(COUNT):
        terms = make_program([rule], new_customers_only=False)
        advocate = people.advocate_for(make_user(f"advocate{number}@example.com"))
        visit = Visit.objects.create(advocate=advocate, terms=terms, created_at=timezone.now())
        claim = rewards.commit(visit=visit, user=lea)
        referral = referrals.register_friend(lea, claim=claim)
        assert referral is not None
        found.append(referral.pk)
    assert not Period.objects.filter(origin="reward").exists()
    return found


def settle_all(ids: list[int]) -> None:
    results = at_once(*[partial(rewards.settle, pk) for pk in ids])
    assert not [result for result in results if isinstance(result, Exception)], results


def test_each_reward_prolongs_the_one_membership(lea: Any) -> None:
    settle_all(earned(lea, make_plan("week", period_unit="days", period_length=7)))
    membership = Membership.objects.get()
    # At the same time of day, in summer time by then.
    assert membership.starts_at == NOW
    assert membership.ends_at == NOW + timedelta(days=7 * COUNT, hours=-1)
    assert Period.objects.filter(taken_back_at=None).count() == COUNT
    assert set(Reward.objects.values_list("posted", "revision")) == {(1, 1)}
    assert_audit_clean(now=NOW)


def test_one_reward_settled_many_times_is_one_period(lea: Any) -> None:
    give(lea, make_plan("yearly", period_length=12))
    settle_all(earned(lea, make_plan("month"))[:1] * COUNT)
    assert Period.objects.filter(origin="reward").count() == 1


def test_what_is_for_trying_out_is_given_once_whoever_settles(lea: Any) -> None:
    settle_all(earned(lea, make_plan("trial", uses=1, is_trial=True, gift_only=True)))
    assert Period.objects.count() == 1
    given = Reward.objects.values_list("posted", "reason", "state").order_by("state")
    assert list(given) == [(1, "", "given"), *[(0, "had_already", "refused")] * (COUNT - 1)]
    assert_audit_clean(now=NOW)
