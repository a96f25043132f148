"""The result depends on the final state only: not on the order, number or interruption of what a shop did."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.plainshop.models import Order
from tests.plainshop.shop import BuysMats
from tests.plainshop.test_chain import DAY, friend_orders
from wagtail_referrals import credit, rewards
from wagtail_referrals.credit.models import Entry, Lot
from wagtail_referrals.kinds import triggers
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import Reward

pytestmark = pytest.mark.django_db

RULES = [
    {
        "side": "advocate",
        "trigger": "first_purchase",
        "kind": "credit",
        "amounts": {"EUR": "15.00"},
        "minimum_spend": {"EUR": "60.00"},
    },
    {"side": "advocate", "trigger": "every_purchase", "kind": "credit_percent", "percent": Decimal(10)},
    {"side": "friend", "trigger": "every_purchase", "kind": "credit", "amounts": {"EUR": "2.00"}},
    {
        "side": "advocate",
        "trigger": BuysMats.key,
        "kind": "credit_percent",
        "percent": Decimal(20),
        "minimum_spend": {"EUR": "25.00"},
    },
]

# What the friend's three orders are made of.
ORDERS = ({"mat": "60.00", "book": "40.00"}, {"mat": "30.00", "book": "50.00"}, {"mat": "70.00"})

steps = st.lists(
    st.one_of(
        st.tuples(st.just("paid"), st.sampled_from("123"), st.none() | st.integers(0, 9)),
        st.tuples(st.just("shipped"), st.sampled_from("123"), st.none() | st.integers(0, 9)),
        st.tuples(st.just("cancelled"), st.sampled_from("123"), st.booleans()),
        st.tuples(st.just("refunded"), st.sampled_from("123"), st.integers(0, 100)),
        st.tuples(st.just("mat"), st.sampled_from("123"), st.integers(0, 70)),
        st.tuples(st.just("book"), st.sampled_from("123"), st.integers(0, 50)),
        st.tuples(st.just("settle"), st.just(""), st.integers(20, 60)),
        st.tuples(st.just("spend"), st.just(""), st.integers(1, 20)),
    ),
    max_size=14,
)


@pytest.fixture(autouse=True)
def _a_trigger_of_the_shop():
    triggers.register(BuysMats())
    yield
    triggers.unregister(BuysMats.key)


class Undo(Exception):
    """Ends an example: everything it wrote is rolled back."""


def apply(step, value, order: Order, now) -> None:
    if step == "paid":
        order.paid_at = None if value is None else now + value * DAY
    elif step == "shipped":
        order.shipped_at = None if value is None else now + value * DAY
    elif step in ("mat", "book"):
        order.refunded_lines[step] = str(value)
    elif step == "cancelled":
        order.cancelled = value
    else:
        order.refunded = Decimal(value)
    order.save()


def outcome() -> dict[tuple, tuple]:
    return {
        (str(reward.rule_key), reward.occasion.split(":")[0], reward.purchase.reference): reward.posted
        for reward in Reward.objects.select_related("purchase")
        if reward.posted
    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_any_history_ends_where_its_final_state_says(
    advocate, camille, make_user, make_program, basket, now, steps
):
    end = now + 100 * DAY
    try:
        with transaction.atomic():
            _, terms, _ = make_program(RULES, friend_cap_count=2)
            lea = make_user("lea")
            for index, lines in enumerate(ORDERS):
                friend_orders(
                    advocate,
                    terms,
                    basket,
                    now + timedelta(hours=index),
                    user=lea,
                    number=str(index + 1),
                    goods=str(sum(map(Decimal, lines.values()))),
                    lines=lines,
                )
            referral = Referral.objects.get()
            spent = 0
            # Rewarded once, so that whatever follows has something to take back.
            Order.objects.update(paid_at=now, shipped_at=now + DAY)
            rewards.settle(referral.pk, now=now + 20 * DAY)
            for index, (step, number, value) in enumerate(steps):
                if step == "settle":
                    rewards.settle(referral.pk, now=now + value * DAY)
                elif step == "spend":
                    amount = min(Decimal(value), credit.available(camille, "EUR"))
                    if amount:
                        reference = f"spend{index}"
                        credit.reserve(
                            user=camille,
                            currency="EUR",
                            amount=amount,
                            order_number=reference,
                            expires_at=end,
                            now=now,
                        )
                        credit.capture(order_number=reference, now=now)
                        spent += amount
                else:
                    apply(step, value, Order.objects.get(number=number), now)
            rewards.settle(referral.pk, now=end)
            rewards.settle(referral.pk, now=end)
            found = outcome()
            account = credit.account_of(camille, "EUR")
            if account is not None:
                # The books: entries, lots and what was posted tell one story, and nothing is below zero.
                posted = sum(
                    Reward.objects.filter(side="advocate").values_list("posted", flat=True), Decimal(0)
                )
                assert account.balance - account.shortfall == posted - spent
                # Added up here: SQLite's SUM is a float.
                assert account.balance == sum(
                    Entry.objects.filter(account=account).values_list("amount", flat=True)
                )
                assert account.balance == sum(
                    Lot.objects.filter(account=account).values_list("remaining", flat=True)
                )
                assert account.balance >= 0
            with transaction.atomic():
                # The same orders in their final state, seen for the first time.
                fresh = Referral.objects.get()
                expected = judged_afresh(fresh, end)
            assert found == expected
            raise Undo
    except Undo:
        pass


def judged_afresh(referral: Referral, end) -> dict[tuple, tuple]:
    from wagtail_referrals.programs import parse
    from wagtail_referrals.referrals import get_shop
    from wagtail_referrals.rewards import History, PurchaseFacts, judge

    orders = list(referral.purchases.all())
    facts = get_shop().facts([order.reference for order in orders])
    verdict = judge(
        parse(referral.terms),
        [
            PurchaseFacts(
                id=order.pk,
                reference=order.reference,
                placed_at=order.placed_at,
                currency=order.currency,
                eligible=order.eligible,
                watch_until=order.watch_until,
                facts=facts[order.reference],
                lines=order.lines,
            )
            for order in orders
        ],
        History(claim_expires_at=referral.claim.expires_at, created_at=referral.created_at),
        end,
    )
    by_id = {order.pk: order.reference for order in orders}
    return {
        (due.rule.key, "purchase", by_id[due.purchase_id]): due.worth
        for due in verdict.dues
        if due.state == "given" and due.worth
    }
