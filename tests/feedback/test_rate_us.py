"""A message of its own that asks, where an editor wants one: once to each customer, until they have answered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from tests.admin.rows import NOW, make_reward
from wagtail_referrals.feedback.models import RATING, FeedbackPage
from wagtail_referrals.feedback.respondents import token_for
from wagtail_referrals.messages import kinds
from wagtail_referrals.messages.compose import compose
from wagtail_referrals.messages.models import Message, MessageSwitch
from wagtail_referrals.messages.sweeping import plan_all
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import Reward

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
LATER = NOW + 4 * DAY


@pytest.fixture
def _wanted() -> None:
    MessageSwitch.objects.create(kind="rate_us", is_on=True)


def asked() -> list[Message]:
    return list(Message.objects.filter(kind="rate_us"))


def test_nobody_is_asked_unless_an_editor_wants_it(feedback_page: FeedbackPage, referral: Referral) -> None:
    plan_all(now=LATER)
    assert asked() == []


@pytest.mark.usefixtures("_wanted")
def test_who_got_a_reward_is_asked_once_some_days_later(
    feedback_page: FeedbackPage, referral: Referral
) -> None:
    plan_all(now=NOW + 2 * DAY)
    assert asked() == []
    plan_all(now=LATER)
    (message,) = asked()
    assert message.user == referral.advocate.user and kinds.is_due(message, LATER)
    content = compose(message, message.user)
    assert (
        feedback_page.full_url in content.text and "How do you like our referral program?" in content.subject
    )
    # Another reward does not ask anew.
    make_reward(referral, "5.00", "5.00", occasion="purchase:2", moment=NOW + DAY)
    plan_all(now=LATER + DAY)
    assert len(asked()) == 1


@pytest.mark.usefixtures("_wanted")
def test_who_has_answered_is_not_asked(
    visitor: Client, feedback_page: FeedbackPage, referral: Referral
) -> None:
    plan_all(now=LATER)
    (message,) = asked()
    visitor.post(feedback_page.url, {"t": token_for(referral.pk, "advocate"), RATING: "8"})
    assert not kinds.is_due(message, LATER)
    Message.objects.all().delete()
    plan_all(now=LATER)
    assert asked() == []


@pytest.mark.usefixtures("_wanted")
def test_without_a_page_there_is_nothing_to_send(referral: Referral) -> None:
    plan_all(now=LATER)
    assert not any(kinds.is_due(message, LATER) for message in asked())


@pytest.mark.usefixtures("_wanted")
@pytest.mark.parametrize("values", [{"given_at": NOW - 9 * DAY}, {"posted": 0}, {"user": None}])
def test_nothing_to_ask_about(feedback_page: FeedbackPage, referral: Referral, values: Any) -> None:
    Reward.objects.update(**values)
    plan_all(now=LATER)
    assert asked() == []
