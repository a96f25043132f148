"""A process that dies at any step of settling leaves books that the next sweep completes, and pays nothing twice."""

from decimal import Decimal

import pytest

from tests.books import assert_audit_clean
from tests.killing import in_a_process
from tests.plainshop.models import Order
from tests.plainshop.test_chain import DAY, friend_orders
from wagtail_referrals import credit, messages, rewards
from wagtail_referrals.credit.models import Entry
from wagtail_referrals.messages.models import Message
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import Reward

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = 75
FRIENDS = STEPS + 2


def test_settling_killed_at_each_step_pays_and_takes_back_everything_once(
    advocate, camille, make_program, basket, now
):
    _, terms, _ = make_program()
    for number in range(FRIENDS):
        friend_orders(advocate, terms, basket, now, number=str(number), email=f"friend{number}@example.com")
    Order.objects.update(paid_at=now, shipped_at=now)
    later = now + 15 * DAY
    ids = list(Referral.objects.order_by("pk").values_list("pk", flat=True))

    done = in_a_process("tests.plainshop.dying", referrals=ids, now=later.isoformat())
    assert done["died"] == list(range(1, done["steps"] + 1)), "at every step, from the first to the last"
    assert 2 < Reward.objects.filter(posted__gt=0).count() < FRIENDS, "some before they paid, some after it"
    rewards.sweep(now=later)
    messages.deliver_pending(now=later)
    assert_audit_clean(now=later)
    assert list(Reward.objects.values_list("posted", "revision").distinct()) == [(Decimal("15.00"), 1)]
    account = credit.account_of(camille, "EUR")
    assert (account.balance, account.reserved, account.shortfall) == (FRIENDS * Decimal(15), 0, 0)
    assert Entry.objects.count() == FRIENDS
    assert Message.objects.count() == FRIENDS
    assert not Message.objects.filter(state="pending").exists()

    # Half of it is spent, and then everything is sent back.
    half = FRIENDS * Decimal(15) / 2
    credit.reserve(
        user=camille, currency="EUR", amount=half, order_number="hers", expires_at=later + DAY, now=later
    )
    credit.capture(order_number="hers", now=later)
    Order.objects.update(cancelled=True)
    done = in_a_process("tests.plainshop.dying", referrals=ids, now=(later + DAY).isoformat())
    # What was spent is looked for in other lots, with one statement more: those that were counted had been spent.
    assert done["died"] == list(range(1, len(done["died"]) + 1)) and len(done["died"]) >= done["steps"] - 1
    assert 2 < Reward.objects.filter(posted=0).count() < FRIENDS
    for pk in ids:
        rewards.check_soon(
            Referral.objects.get(pk=pk).purchases.get().reference, at_once=False, now=later + DAY
        )
    rewards.sweep(now=later + DAY)
    assert_audit_clean(now=later + DAY)
    assert list(Reward.objects.values_list("posted", "revision").distinct()) == [(Decimal("0.00"), 2)]
    account = credit.account_of(camille, "EUR")
    assert (account.balance, account.reserved, account.shortfall) == (0, 0, half)
