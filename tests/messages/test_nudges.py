"""Reminders to referrers, and the question to customers who might become one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.admin.rows import (
    NOW,
    make_advocate,
    make_program,
    make_purchase,
    make_referral,
    make_reward,
    make_user,
)
from wagtail_referrals import signals
from wagtail_referrals.kinds import Side
from wagtail_referrals.messages import kinds, nudges
from wagtail_referrals.messages.compose import compose
from wagtail_referrals.messages.models import Message, MessageSwitch
from wagtail_referrals.messages.sweeping import plan_all
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import parse
from wagtail_referrals.programs.models import Program, Terms
from wagtail_referrals.referrals import GoodOrder
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import DiscountGrant
from wagtail_referrals.tracking.models import Claim, Share

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def camille() -> Advocate:
    make_program()
    return make_advocate()


@pytest.fixture
def lea() -> Any:
    return make_user("lea@example.com", "Léa")


def sent(message: Message) -> str:
    content = compose(message, message.user)
    return f"{content.subject}\n{content.text}"


# A friend who is one step short


def one_step_short(camille: Advocate, lea: Any, days: int = 6) -> Referral:
    referral = make_referral(Terms.objects.get(), camille, lea, registered_at=NOW - days * DAY)
    Claim.objects.update(expires_at=NOW + 20 * DAY)
    referral.refresh_from_db()
    return referral


def test_the_referrer_is_reminded_once_of_a_friend_who_has_not_ordered(camille: Advocate, lea: Any) -> None:
    referral = one_step_short(camille, lea)
    assert plan_all(now=NOW - 2 * DAY) == 0
    assert plan_all(now=NOW) == 1
    message = Message.objects.get()
    assert (message.kind, message.key, message.user) == (
        "remind_friend",
        f"remind_friend:{referral.pk}",
        camille.user,
    )
    text = sent(message)
    assert "Only one step to go for a friend of yours" in text
    assert "For a friend: 10% off" in text and "For you: €15.00" in text and "valid until Nov" in text
    assert plan_all(now=NOW) == plan_all(now=NOW + DAY) == 0
    assert kinds.is_due(message, NOW)


@pytest.mark.parametrize(
    "what", ["ordered", "too early", "long ago", "invitation over", "left", "refused", "guest"]
)
def test_there_is_no_cause_to_remind(what: str, camille: Advocate, lea: Any) -> None:
    referral = one_step_short(camille, lea, {"too early": 4, "long ago": 9}.get(what, 6))
    if what == "ordered":
        make_purchase(referral, "100001")
    elif what == "invitation over":
        Claim.objects.update(expires_at=NOW + HOUR)
    elif what == "left":
        Advocate.objects.update(state=Advocate.State.LEFT)
    elif what == "refused":
        Referral.objects.update(state=Referral.State.REFUSED)
    elif what == "guest":
        Advocate.objects.update(user=None)
    assert plan_all(now=NOW) == 0


def test_who_has_ordered_before_it_is_sent_is_not_reminded_of(camille: Advocate, lea: Any) -> None:
    referral = one_step_short(camille, lea)
    plan_all(now=NOW)
    make_purchase(referral, "100001")
    assert not kinds.is_due(Message.objects.get(), NOW)


# After a good order


@pytest.fixture
def orders(monkeypatch: Any, camille: Advocate) -> list[GoodOrder]:
    """What the shop tells of; the question is switched on, and there has been a program for long."""
    told: list[GoodOrder] = []
    monkeypatch.setattr(
        nudges,
        "shop_good_orders",
        lambda start, end: [order for order in told if start <= order.shipped_at < end],
    )
    MessageSwitch.objects.create(kind="share_it", is_on=True)
    Terms.objects.update(created_at=NOW - 60 * DAY)
    return told


def good_order(
    user: Any, shipped_at: datetime = NOW - 8 * DAY, placed_at: datetime | None = None
) -> GoodOrder:
    return GoodOrder(f"1000{user.pk}", user.pk, placed_at or shipped_at - 2 * DAY, shipped_at)


def test_who_has_a_good_order_is_asked_once(orders: list[GoodOrder], lea: Any) -> None:
    orders += [good_order(lea), good_order(lea, NOW - 9 * DAY)]
    assert plan_all(now=NOW) == 1
    message = Message.objects.get()
    assert (message.kind, message.user, message.referral) == ("share_it", lea, None)
    text = sent(message)
    assert "Do you like it? Pass it on" in text and "For a friend: 10% off" in text
    assert kinds.is_due(message, NOW)
    orders.append(good_order(lea, NOW - 7 * DAY))
    assert plan_all(now=NOW + DAY) == 0


@pytest.mark.parametrize("days", [6, 11])
def test_neither_too_early_nor_too_late(days: int, orders: list[GoodOrder], lea: Any) -> None:
    orders.append(good_order(lea, NOW - days * DAY))
    assert plan_all(now=NOW) == 0


def test_an_order_from_before_there_was_a_program_is_no_cause(orders: list[GoodOrder], lea: Any) -> None:
    orders.append(good_order(lea, placed_at=NOW - 61 * DAY))
    assert plan_all(now=NOW) == 0


def test_without_a_program_nobody_is_asked(orders: list[GoodOrder], lea: Any) -> None:
    orders.append(good_order(lea))
    Program.objects.update(live=False)
    assert plan_all(now=NOW) == 0


def test_who_shares_already_or_left_or_is_gone_is_not_asked(
    orders: list[GoodOrder], camille: Advocate, lea: Any
) -> None:
    Share.objects.create(advocate=camille, channel="copy", created_at=NOW - 30 * DAY)
    left = make_advocate("gone@example.com", "Robin")
    left.state = Advocate.State.LEFT
    left.save()
    closed = make_user("closed@example.com", is_active=False)
    orders += [good_order(user) for user in (camille.user, left.user, closed)]
    orders.append(GoodOrder("1", 987654, NOW - 10 * DAY, NOW - 8 * DAY))
    assert plan_all(now=NOW) == 0
    orders.append(good_order(lea))
    assert plan_all(now=NOW) == 1
    # Before it is sent she has shared.
    message = Message.objects.get()
    mine = make_advocate_of(lea)
    Share.objects.create(advocate=mine, channel="copy", created_at=NOW)
    assert not kinds.is_due(message, NOW)


def make_advocate_of(user: Any) -> Advocate:
    return Advocate.objects.create(user=user, created_at=NOW)


def test_it_is_off_until_an_editor_wants_it(orders: list[GoodOrder], lea: Any) -> None:
    MessageSwitch.objects.all().delete()
    orders.append(good_order(lea))
    assert plan_all(now=NOW) == 0


def test_many_orders_cost_no_more_queries(orders: list[GoodOrder], lea: Any) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert plan_all(now=NOW) > 0
        return len(queries)

    orders.append(good_order(lea))
    # The first question of all reads the programs.
    cost()
    orders.append(good_order(make_user("robin@example.com")))
    before = cost()
    orders += [good_order(make_user(f"customer{number}@example.com")) for number in range(20)]
    assert cost() == before


# A discount that had to wait


@pytest.mark.parametrize("side", [Side.ADVOCATE, Side.FRIEND])
def test_who_had_to_wait_for_a_discount_is_told_that_it_can_be_used(
    side: str, camille: Advocate, lea: Any
) -> None:
    referral = make_referral(Terms.objects.get(), camille, lea)
    Claim.objects.update(user=lea)
    rule = next(rule for rule in parse(referral.terms).rules if rule.kind == "discount_percent")
    grant = DiscountGrant.objects.create(
        claim=referral.claim if side == Side.FRIEND else None,
        reward=reward_of(referral) if side == Side.ADVOCATE else None,
        terms=referral.terms,
        rule_key=rule.key,
        kind=rule.kind,
        state=DiscountGrant.State.ISSUED,
        code="REF-AB12",
        expires_at=NOW + 30 * DAY,
        created_at=NOW - DAY,
    )
    for _twice in range(2):
        grant = DiscountGrant.objects.get(pk=grant.pk)
        signals.discount_usable.send(sender=DiscountGrant, grant=grant, rule=rule, now=NOW)
    message = Message.objects.get()
    assert message.user == (camille.user if side == Side.ADVOCATE else lea)
    text = sent(message)
    assert "Now it can be used: 10% off" in text
    assert "Your personal code: REF-AB12" in text and "It can be used until Dec" in text
    assert kinds.is_due(message, NOW)
    DiscountGrant.objects.update(state=DiscountGrant.State.USED)
    assert not kinds.is_due(message, NOW)


def reward_of(referral: Referral) -> Any:
    return make_reward(referral, "1", "1", currency="")


def test_a_visitor_whose_address_we_do_not_have_is_not_told(camille: Advocate) -> None:
    referral = make_referral(Terms.objects.get(), camille)
    rule = parse(referral.terms).rules[0]
    grant = DiscountGrant(
        claim=referral.claim, terms=referral.terms, rule_key=rule.key, kind=rule.kind, code="A"
    )
    signals.discount_usable.send(sender=DiscountGrant, grant=grant, rule=rule, now=NOW)
    assert not Message.objects.exists()
