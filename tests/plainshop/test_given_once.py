"""What a kind gives once to each customer: it says so when it is asked to give, and what follows is judged with it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.books import assert_audit_clean
from tests.plainshop.test_chain import DAY, deliver, friend_orders, story
from wagtail_referrals import rewards
from wagtail_referrals.kinds import HadAlready, Posting, RewardKind, Rule, reward_kinds
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import Reward

pytestmark = pytest.mark.django_db

MUG = {"side": "advocate", "trigger": "every_purchase", "kind": "mug"}


class MugKind(RewardKind):
    """One mug for each customer, whatever became of it."""

    key = "mug"
    label = "A mug"

    def __init__(self) -> None:
        self.sent: list[tuple[Any, str, Decimal]] = []

    def words(self, rule: Rule, currency: str) -> str:
        return "a mug"

    def post(self, posting: Posting) -> None:
        if posting.amount > 0 and any(
            user == posting.user and source != posting.source for user, source, _amount in self.sent
        ):
            raise HadAlready
        self.sent.append((posting.user, posting.source, posting.amount))


@pytest.fixture
def mugs() -> Iterator[MugKind]:
    kind = reward_kinds.register(MugKind())
    assert isinstance(kind, MugKind)
    yield kind
    reward_kinds.unregister("mug")


def states() -> list[tuple[str, str, int]]:
    rows = Reward.objects.order_by("pk").values_list("state", "reason", "posted")
    return [(state, reason, int(posted)) for state, reason, posted in rows]


def test_the_second_one_is_refused_in_words(
    mugs: MugKind, advocate: Any, make_program: Any, basket: Any, now: Any
) -> None:
    _, terms, _ = make_program([MUG], hold_days=0)
    for number in ("1", "2"):
        deliver(
            friend_orders(advocate, terms, basket, now, number=number, email=f"friend{number}@example.com"),
            now,
        )
        rewards.sweep(now=now)
    assert states() == [("given", "", 1), ("refused", "had_already", 0)]
    assert len(mugs.sent) == 1
    second = Referral.objects.latest("pk")
    assert (second.state, second.reason) == ("complete", "had_already")
    line = "No reward for the referrer: it is given once to each customer, and was given before."
    assert story(second).count(line) == 1
    rewards.settle(second.pk, now=now + DAY)
    assert states()[1] == ("refused", "had_already", 0)
    assert story(second).count(line) == 1
    assert_audit_clean()


def test_what_is_refused_takes_no_place(
    mugs: MugKind, advocate: Any, make_program: Any, basket: Any, now: Any
) -> None:
    _, terms, _ = make_program([MUG], hold_days=0, cap_count=5, friend_cap_count=5)
    for number in ("1", "2"):
        deliver(
            friend_orders(advocate, terms, basket, now, number=number, email=f"friend{number}@example.com"),
            now,
        )
        rewards.sweep(now=now)
    slots = Reward.objects.order_by("pk").values_list("slot", "friend_slot")
    assert list(slots) == [(1, 1), (None, None)]
    assert_audit_clean()


def test_two_orders_of_one_friend_at_once(
    mugs: MugKind, advocate: Any, make_program: Any, basket: Any, make_user: Any, now: Any
) -> None:
    lea = make_user("lea")
    _, terms, _ = make_program([MUG], hold_days=0, cap_count=5)
    for number in ("1", "2"):
        deliver(
            friend_orders(advocate, terms, basket, now, number=number, user=lea, email="lea@example.com"),
            now,
        )
    rewards.settle(Referral.objects.get().pk, now=now)
    assert states() == [("given", "", 1), ("refused", "had_already", 0)]
    assert Referral.objects.get().state == "rewarded"
    assert_audit_clean()


class BrokenKind(MugKind):
    key = "broken"
    label = "A thing that cannot be given"

    def post(self, posting: Posting) -> None:
        raise RuntimeError("broken")


def test_what_reaches_beyond_the_database_is_given_once_whatever_fails_beside_it(
    mugs: MugKind, advocate: Any, make_program: Any, basket: Any, now: Any
) -> None:
    """What is undone and done again has another number on PostgreSQL: a parcel service would send a second mug."""
    reward_kinds.register(BrokenKind())
    try:
        _, terms, _ = make_program([MUG, {**MUG, "kind": "broken"}], hold_days=0)
        deliver(friend_orders(advocate, terms, basket, now), now)
        rewards.settle(Referral.objects.get().pk, now=now)
    finally:
        reward_kinds.unregister("broken")
    assert [int(amount) for _user, _source, amount in mugs.sent] == [1]
    assert [state for state, _reason, _posted in states()] == ["given", "failed"]


def test_who_gave_it_back_may_have_it_again(
    mugs: MugKind, advocate: Any, make_program: Any, basket: Any, now: Any
) -> None:
    _, terms, _ = make_program([MUG], hold_days=0)
    order = friend_orders(advocate, terms, basket, now)
    deliver(order, now)
    referral = Referral.objects.get()
    for cancelled, posted in ((False, 1), (True, 0), (False, 1)):
        order.cancelled = cancelled
        order.save()
        rewards.settle(referral.pk, now=now)
        assert [state[2] for state in states()] == [posted]
    assert_audit_clean()


def test_what_was_refused_before_its_order_was_cancelled_is_refused_again(
    mugs: MugKind, advocate: Any, make_program: Any, basket: Any, now: Any
) -> None:
    _, terms, _ = make_program([MUG], hold_days=0)
    for number in ("1", "2"):
        order = friend_orders(
            advocate, terms, basket, now, number=number, email=f"friend{number}@example.com"
        )
        deliver(order, now)
        rewards.sweep(now=now)
    referral = Referral.objects.latest("pk")
    for cancelled, reason in ((True, "cancelled"), (False, "had_already")):
        order.cancelled = cancelled
        order.save()
        rewards.settle(referral.pk, now=now)
        assert states()[1][1:] == (reason, 0)
    assert_audit_clean()
