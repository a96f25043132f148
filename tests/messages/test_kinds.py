"""Mails about rewards that are no money: each in the words of its own kind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from tests.admin.rows import NOW, make_advocate, make_program, make_referral, make_reward, make_user
from wagtail_referrals.kinds import Rule, reward_kinds
from wagtail_referrals.kinds.points import PointsKind
from wagtail_referrals.kinds.reward import RewardKind, amount_words
from wagtail_referrals.messages import compose
from wagtail_referrals.messages.models import Message
from wagtail_referrals.messages.notices import tell_about_reward
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.rewards.models import DiscountGrant, Reward

pytestmark = pytest.mark.django_db


class Donation(RewardKind):
    key = "test_donation"
    label = "Donation"
    value_fields = ("amounts",)

    def words(self, rule: Rule, currency: str) -> str:
        return f"a donation of {amount_words(rule.amounts, currency)} to {rule.options['charity']}"


class Badge(RewardKind):
    key = "test_badge"
    label = "Badge"

    def words(self, rule: Rule, currency: str) -> str:
        return f"the badge “{rule.options['badge']}”"


@pytest.fixture(autouse=True)
def _kinds(settings: Any) -> Iterator[None]:
    settings.WAGTAIL_REFERRALS = {
        **settings.WAGTAIL_REFERRALS,
        "POINTS": {"unit": "LEAF", "name": "leaves"},
    }
    mine = [Donation(), Badge()]
    if PointsKind.key not in reward_kinds:
        mine.append(PointsKind())
    for kind in mine:
        reward_kinds.register(kind)
    yield
    for kind in mine:
        reward_kinds.unregister(kind.key)


def reward_of(kind: str, posted: str = "1", *, unit: str = "EUR", **values: Any) -> Reward:
    """The advocate's reward by a rule of this kind, given."""
    make_program()
    terms = Terms.objects.get()
    rule = next(rule for rule in terms.data["rules"] if rule["side"] == "advocate")
    rule |= {"kind": kind, "amounts": {}, **values}
    terms.save()
    referral = make_referral(terms, make_advocate(), make_user("lea@example.com", "Léa"))
    return make_reward(referral, posted, posted, currency=unit)


def mail_about(reward: Reward, delta: str) -> tuple[str, str]:
    """Subject and text of what the advocate is told."""
    tell_about_reward(Reward, reward=reward, delta=Decimal(delta), now=NOW)
    message = Message.objects.get()
    with time_machine.travel(NOW, tick=False):
        composed = compose(message, message.user)
    return composed.subject, composed.text


def test_a_donation() -> None:
    reward = reward_of(Donation.key, "5.00", amounts={"EUR": "5.00"}, options={"charity": "the Green Cross"})
    subject, text = mail_about(reward, "5.00")
    assert subject == "Your reward: a donation of €5.00 to the Green Cross"
    assert "Your reward is there: a donation of €5.00 to the Green Cross." in text
    assert "at checkout" not in text
    assert "can be used until" not in text


def test_a_part_of_a_donation_is_taken_back() -> None:
    reward = reward_of(Donation.key, "5.00", amounts={"EUR": "5.00"}, options={"charity": "the Green Cross"})
    reward.reason = "partly_refunded"
    subject, text = mail_about(reward, "-2.00")
    assert subject == "A donation of €2.00 to the Green Cross taken back"
    assert "we have taken back a reward, a donation of €2.00 to the Green Cross: " in text


def test_a_badge() -> None:
    subject, text = mail_about(reward_of(Badge.key, options={"badge": "Ambassador"}), "1")
    assert subject == "Your reward: the badge “Ambassador”"
    assert "at checkout" not in text


def test_points() -> None:
    reward = reward_of(
        PointsKind.key, "120", unit="LEAF", options={"points": 120, "points_unit": "LEAF"}, expires_days=90
    )
    subject, text = mail_about(reward, "120")
    assert subject == "120 leaves for you"
    assert "Your reward is there: 120 leaves." in text
    assert "at checkout" not in text
    assert "It can be used until Feb. 8, 2027." in text.replace("February", "Feb.")


def test_credit_says_where_and_until_when_it_is_used() -> None:
    subject, text = mail_about(
        reward_of("credit", "15.00", amounts={"EUR": "15.00"}, expires_days=90), "15.00"
    )
    assert subject == "€15.00 for you"
    assert "You can use it at checkout with your next order." in text
    assert "It can be used until" in text


def test_credit_that_does_not_expire_has_no_day() -> None:
    _subject, text = mail_about(reward_of("credit", "15.00", amounts={"EUR": "15.00"}), "15.00")
    assert "It can be used until" not in text


def test_a_discount_has_a_code_and_a_day() -> None:
    reward = reward_of("discount_percent", percent="10.00")
    DiscountGrant.objects.create(
        reward=reward,
        terms=reward.terms,
        rule_key=reward.rule_key,
        kind=reward.kind,
        state=DiscountGrant.State.ISSUED,
        code="REF-AB12",
        expires_at=NOW + timedelta(days=10),
        created_at=NOW,
    )
    subject, text = mail_about(reward, "1")
    assert subject == "10% off one order for you"
    assert "Your personal code: REF-AB12" in text
    assert "It can be used until Nov. 20, 2026." in text.replace("November", "Nov.")
