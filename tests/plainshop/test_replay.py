"""Replay: what has happened, judged by other terms. With the same terms everything comes out as it is."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from random import Random

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.plainshop.models import Order
from tests.plainshop.shop import BuysMats
from tests.plainshop.test_chain import DAY, friend_orders
from wagtail_referrals import rewards, trust
from wagtail_referrals.kinds import triggers
from wagtail_referrals.people import advocate_for
from wagtail_referrals.referrals.models import Referral

pytestmark = pytest.mark.django_db

RULES = [
    {"side": "friend", "trigger": "arrives", "kind": "discount_percent", "percent": Decimal(10)},
    {
        "side": "advocate",
        "trigger": "first_purchase",
        "kind": "credit",
        "amounts": {"EUR": "15.00"},
        "minimum_spend": {"EUR": "40.00"},
    },
    {"side": "advocate", "trigger": "every_purchase", "kind": "credit_percent", "percent": Decimal(10)},
    {"side": "friend", "trigger": "first_purchase", "kind": "credit", "amounts": {"EUR": "2.00"}},
    {
        "side": "advocate",
        "trigger": "nth_referral",
        "kind": "credit",
        "occurrence": 2,
        "amounts": {"EUR": "30.00"},
    },
    {
        "side": "advocate",
        "trigger": BuysMats.key,
        "kind": "credit_percent",
        "percent": Decimal(20),
        "minimum_spend": {"EUR": "25.00"},
    },
    {"side": "advocate", "trigger": "every_purchase", "kind": "free_shipping"},
]


@pytest.fixture(autouse=True)
def _a_trigger_of_the_shop():
    triggers.register(BuysMats())
    yield
    triggers.unregister(BuysMats.key)


class Undo(Exception):
    """Ends an example: everything it wrote is rolled back."""


# What happens, as often as it is named.
STEPS = [
    *["order"] * 4,
    *["shipped"] * 5,
    *["again"] * 2,
    *["paid", "cancelled", "refunded", "mat", "approve", "refuse", "wait"],
]
limits = st.fixed_dictionaries(
    {
        "cap_count": st.sampled_from([None, 1, 2]),
        "cap_period": st.sampled_from(["month", "year", "ever"]),
        "friend_cap_count": st.sampled_from([None, 1]),
        "budget_count": st.sampled_from([None, 2]),
        "budget_amounts": st.sampled_from([{}, {"EUR": "40.00"}]),
        "hold_anchor": st.sampled_from(["paid", "shipped"]),
        "hold_days": st.sampled_from([0, 3]),
        "clawback_days": st.sampled_from([20, 180]),
    }
)


class Life:
    """Four friends of two referrers, and what they do one day after the other; each is settled on its day."""

    def __init__(self, advocates, terms, basket, users, now) -> None:
        self.advocates, self.terms, self.basket, self.users, self.now = advocates, terms, basket, users, now
        self.orders: dict[int, list[Order]] = {}
        self.numbers = count(1)

    def live(self, step: str, who: int, value: int) -> None:
        self.now += (value if step == "wait" else 1) * DAY
        mine = self.orders.setdefault(who, [])
        if step == "order" and not mine:
            # One lives where the referrer lives, and waits for a reviewer.
            address = "1 Mill Lane" if who == 3 else ""
            mine.append(
                friend_orders(
                    self.advocates[who % 2],
                    self.terms,
                    self.basket,
                    self.now,
                    user=self.users[who],
                    email=self.users[who].email,
                    number=str(next(self.numbers)),
                    goods=str(value),
                    lines={"mat": str(value // 2 + 1)},
                    address=address,
                )
            )
        elif step == "again" and mine:
            mine.append(self._again(who, value))
        elif step in ("approve", "refuse") and mine:
            referral = Referral.objects.filter(friend=self.users[who]).first()
            if referral is not None:
                trust.review(referral.pk, step, actor=None, now=self.now)
        elif mine:
            self._change(mine[value % len(mine)], step, value)
        # The shop tells of what it changes: nothing waits for the next day.
        Referral.objects.exclude(next_check_at=None).update(next_check_at=self.now)
        rewards.sweep(now=self.now)

    def _again(self, who: int, value: int) -> Order:
        from tests.plainshop.shop import place_order

        return place_order(
            self.basket(self.users[who]),
            number=str(next(self.numbers)),
            goods=Decimal(value),
            email=self.users[who].email,
            now=self.now,
        )

    def _change(self, order: Order, step: str, value: int) -> None:
        if step == "paid":
            order.paid_at = order.paid_at or self.now
        elif step == "shipped" and not order.cancelled:
            order.paid_at = order.paid_at or self.now
            order.shipped_at = order.shipped_at or self.now
        elif step == "cancelled":
            order.cancelled = True
        elif step == "refunded":
            order.refunded = Decimal(value)
        elif step == "mat":
            order.refunded_lines["mat"] = str(value)
        order.save()


def named(outcomes) -> list[tuple[str, ...]]:
    """What there is of these rewards, by what each was for."""
    return sorted((o.side, o.occasion, *map(str, o.counts)) for o in outcomes if o.state != "none")


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32), values=limits)
def test_the_same_terms_give_what_was_given(seed, values, make_program, make_user, basket, now):
    try:
        with transaction.atomic():
            _, terms, data = make_program(RULES, **values)
            advocates = [advocate_for(make_user(name)) for name in ("camille", "robin")]
            users = [make_user(f"friend{number}") for number in range(4)]
            # Somebody of the referrer's household: a reviewer looks at what is sent there.
            Order.objects.create(
                number="own",
                user=advocates[1].user,
                email="robin@example.com",
                address="1 Mill Lane",
                goods=1,
                placed_at=now,
            )
            life = Life(advocates, terms, basket, users, now)
            chance = Random(seed)
            for _ in range(18):
                life.live(chance.choice(STEPS), chance.randrange(4), chance.randint(1, 100))
            found = rewards.replay(data, now=life.now)
            assert found.looked_at == Referral.objects.count()
            for each in found.judged:
                assert named(each.outcomes) == named(each.case.today)
            assert found.different == []
            for before, after in found.lines.values():
                assert before == after
            raise Undo
    except Undo:
        pass


def test_first_orders_of_the_shop_are_judged_as_if_friends_had_placed_them(
    make_program, advocate, basket, now
):
    """Those of friends are there already, and second orders are no first ones."""
    _, terms, data = make_program(cap_count=1)
    friend_orders(advocate, terms, basket, now, number="friend")
    for number, days in (("1", 1), ("2", 2), ("again", 3), ("unpaid", 4)):
        paid = None if number == "unpaid" else now + days * DAY
        Order.objects.create(
            number=number,
            email=f"{'1' if number == 'again' else number}@example.com",
            goods=80,
            placed_at=now + days * DAY,
            paid_at=paid,
            shipped_at=paid,
        )
    found = rewards.replay_first_orders(data, now=now + 40 * DAY)
    assert (found.looked_at, found.friends[1]) == (3, 2)
    credit, welcome = (
        found.lines[("advocate", "credit", "EUR")][1],
        found.lines[("friend", "discount_percent", "EUR")][1],
    )
    assert (credit.number, credit.amount, credit.waiting) == (2, Decimal(30), 1)
    assert (welcome.number, welcome.amount) == (3, Decimal(24))
    assert Referral.objects.count() == 1
