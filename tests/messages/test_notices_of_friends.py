"""News of friends: each once, to who refers at present, in time, and with a name only where both agreed."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.admin.rows import (
    NOW,
    make_advocate,
    make_lead,
    make_program,
    make_purchase,
    make_referral,
    make_reward,
    make_user,
)
from wagtail_referrals import signals
from wagtail_referrals.messages import kinds, news
from wagtail_referrals.messages.compose import compose
from wagtail_referrals.messages.models import Message, MessageSwitch
from wagtail_referrals.messages.notices import tell_about_reward
from wagtail_referrals.messages.sweeping import plan_all
from wagtail_referrals.messages.wanting import kinds_switched_on
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Program, Terms
from wagtail_referrals.referrals.models import AttributionRequest, Referral
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.tracking.models import Share

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
States = Referral.State


@pytest.fixture
def program() -> Program:
    return make_program()


@pytest.fixture
def camille(program: Program) -> Advocate:
    return make_advocate()


@pytest.fixture
def lea() -> Any:
    return make_user("lea@example.com", "Léa")


def referral_of(camille: Advocate, friend: Any, **values: Any) -> Referral:
    return make_referral(Terms.objects.get(), camille, friend, **values)


def registered(camille: Advocate, friend: Any, moment: datetime = NOW - HOUR, **values: Any) -> Referral:
    return referral_of(camille, friend, registered_at=moment, **values)


def ordered(camille: Advocate, friend: Any, moment: datetime = NOW - HOUR, **values: Any) -> Referral:
    referral = referral_of(camille, friend, **{"state": States.WAITING_PAYMENT} | values)
    make_purchase(referral, f"1000{referral.pk}", moment=moment)
    return referral


def waiting(camille: Advocate, friend: Any, moment: datetime = NOW - HOUR, **values: Any) -> Referral:
    values = {"state": States.WAITING_PERIOD, "hold_until": NOW + 30 * DAY} | values
    referral = referral_of(camille, friend, qualified_at=moment, **values)
    make_reward(referral, "15.00", occasion="purchase:1")
    return referral


def planned() -> list[str]:
    return sorted(Message.objects.values_list("kind", flat=True))


def sent(message: Message) -> str:
    """Subject and text."""
    content = compose(message, message.user)
    return f"{content.subject}\n{content.text}"


CAUSES = [("friend_registered", registered), ("friend_ordered", ordered), ("reward_waiting", waiting)]


@pytest.mark.parametrize(("kind", "cause"), CAUSES)
def test_each_is_planned_once_and_only_when_it_has_just_happened(
    kind: str, cause: Any, camille: Advocate, lea: Any
) -> None:
    referral = cause(camille, lea)
    assert plan_all(now=NOW - 2 * HOUR) == 0
    assert plan_all(now=NOW) == 1
    message = Message.objects.get()
    assert (message.kind, message.user, message.referral) == (kind, camille.user, referral)
    assert kinds.is_due(message, NOW)
    assert plan_all(now=NOW) == plan_all(now=NOW + HOUR) == 0
    Message.objects.all().delete()
    assert plan_all(now=NOW + 3 * DAY) == 0


@pytest.mark.parametrize(("kind", "cause"), CAUSES)
def test_what_is_past_when_it_would_be_sent_is_not(
    kind: str, cause: Any, camille: Advocate, lea: Any
) -> None:
    cause(camille, lea)
    plan_all(now=NOW)
    message = Message.objects.get()
    assert not kinds.is_due(message, NOW + 8 * DAY)
    Referral.objects.update(state=States.REWARDED)
    assert not kinds.is_due(Message.objects.get(), NOW)


@pytest.mark.parametrize(("kind", "cause"), CAUSES)
@pytest.mark.parametrize("state", [Advocate.State.LEFT, Advocate.State.PAUSED, Advocate.State.BLOCKED])
def test_who_does_not_refer_any_more_gets_no_news(
    kind: str, cause: Any, state: str, camille: Advocate, lea: Any
) -> None:
    cause(camille, lea)
    plan_all(now=NOW)
    Advocate.objects.update(state=state)
    assert not kinds.is_due(Message.objects.get(), NOW)
    Message.objects.all().delete()
    assert plan_all(now=NOW) == 0


@pytest.mark.parametrize(("kind", "cause"), CAUSES)
def test_guests_and_accounts_that_are_closed_get_none(
    kind: str, cause: Any, camille: Advocate, lea: Any
) -> None:
    cause(camille, lea)
    get_user_model().objects.filter(pk=camille.user_id).update(is_active=False)
    assert plan_all(now=NOW) == 0
    Advocate.objects.update(user=None)
    assert plan_all(now=NOW) == 0


def test_only_the_last_of_what_happened_is_told(camille: Advocate, lea: Any) -> None:
    """Registered, ordered and paid for between two sweeps."""
    referral = registered(
        camille, lea, state=States.WAITING_PERIOD, hold_until=NOW + 30 * DAY, qualified_at=NOW
    )
    make_purchase(referral, "100001", moment=NOW)
    make_reward(referral, "15.00", occasion="purchase:1")
    assert plan_all(now=NOW) == 1 and planned() == ["reward_waiting"]
    Message.objects.all().delete()
    Referral.objects.update(state=States.REWARDED)
    assert plan_all(now=NOW) == 0


def test_a_reward_that_comes_tomorrow_is_not_announced(camille: Advocate, lea: Any) -> None:
    waiting(camille, lea, hold_until=NOW + DAY)
    assert plan_all(now=NOW) == 0


def test_a_friend_who_brings_no_reward_is_not_said_to(camille: Advocate, lea: Any) -> None:
    referral = waiting(camille, lea)
    referral.rewards.update(state=Reward.State.REFUSED, reason="cap")
    assert plan_all(now=NOW) == 0


def test_it_is_said_what_waits_and_until_when(camille: Advocate, lea: Any) -> None:
    waiting(camille, lea)
    plan_all(now=NOW)
    text = sent(Message.objects.get())
    assert "A friend of yours has ordered: your reward comes on Dec" in text
    assert "What waits for you: €15.00. It is yours on Dec" in text
    assert "Hello Camille," in text


# Names


AGREED = [(True, True, True), (True, False, False), (False, True, False), (False, False, False)]


@pytest.mark.parametrize(("by_friend", "by_referrer", "named"), AGREED)
@pytest.mark.parametrize(("kind", "cause"), [*CAUSES, ("remind_friend", None), ("referral_refused", None)])
def test_a_friend_is_named_only_where_both_agreed(
    kind: str,
    cause: Any,
    by_friend: bool,
    by_referrer: bool,
    named: bool,
    camille: Advocate,
    lea: Any,
) -> None:
    agreed: dict[str, Any] = {"name_agreed_at": NOW if by_friend else None}
    camille.name_confirmed_at = NOW if by_referrer else None
    camille.save()
    if kind == "remind_friend":
        registered(camille, lea, NOW - 6 * DAY, **agreed)
    elif kind == "referral_refused":
        tell_refused(ordered(camille, lea, **agreed))
    else:
        cause(camille, lea, **agreed)
    plan_all(now=NOW)
    message = Message.objects.get(kind=kind)
    text = sent(message)
    assert ("Léa" in text) == named
    assert ("friend of yours" in text) != named
    assert lea.email not in text and "L…" not in text
    # What somebody takes back is not said any more, also not in what is planned already.
    Referral.objects.update(name_agreed_at=None)
    assert "Léa" not in sent(Message.objects.get(pk=message.pk))


def test_a_friend_whose_account_is_gone_or_nameless_is_a_friend(camille: Advocate, lea: Any) -> None:
    camille.name_confirmed_at = NOW
    camille.save()
    registered(camille, lea, name_agreed_at=NOW)
    plan_all(now=NOW)
    for name in ("", "www.shop.example", "lea@example.com"):
        lea.first_name = name
        lea.save()
        text = sent(Message.objects.get())
        assert "A friend of yours has opened an account" in text and (not name or name not in text)
    lea.delete()
    assert "A friend of yours has opened an account" in sent(Message.objects.get())


# Refused


def tell_refused(referral: Referral, before: str = States.TO_CHECK, **values: Any) -> None:
    Referral.objects.filter(pk=referral.pk).update(state=States.REFUSED, reason="existing_customer")
    referral.refresh_from_db()
    values = {"rewards": list(referral.rewards.all()), "careful": True, "now": NOW} | values
    signals.referral_changed.send(
        sender=Referral, referral=referral, state_before=before, qualified_before=None, **values
    )


def refusals() -> int:
    return Message.objects.filter(kind="referral_refused").count()


def test_who_saw_it_being_checked_is_told_why_there_is_nothing(camille: Advocate, lea: Any) -> None:
    referral = ordered(camille, lea)
    tell_refused(referral)
    tell_refused(referral)
    assert refusals() == 1
    text = sent(Message.objects.get())
    assert "The offer is for new customers, and your friend has ordered before" in text.replace(
        "reason: the", "reason: The"
    )


def test_who_expected_nothing_is_told_nothing(camille: Advocate, lea: Any) -> None:
    referral = ordered(camille, lea)
    tell_refused(referral, States.WAITING_PAYMENT)
    assert refusals() == 0
    # Once the order was told of there is something to say.
    Referral.objects.update(state=States.WAITING_PAYMENT)
    plan_all(now=NOW)
    tell_refused(referral, States.WAITING_PAYMENT)
    assert refusals() == 1


def test_what_was_given_and_is_taken_back_has_its_own_message(camille: Advocate, lea: Any) -> None:
    referral = waiting(camille, lea)
    referral.rewards.update(given_at=NOW - DAY, state=Reward.State.TAKEN_BACK)
    tell_refused(referral, States.WAITING_PERIOD)
    assert refusals() == 0


def test_who_left_is_not_told_and_what_is_allowed_after_all_is_not_sent(camille: Advocate, lea: Any) -> None:
    referral = ordered(camille, lea)
    tell_refused(referral)
    message = Message.objects.get()
    assert kinds.is_due(message, NOW)
    Referral.objects.update(state=States.WAITING_PERIOD)
    assert not kinds.is_due(Message.objects.get(), NOW)
    Message.objects.all().delete()
    camille.state = Advocate.State.BLOCKED
    camille.save()
    referral.advocate.refresh_from_db()
    tell_refused(referral)
    assert refusals() == 0


# Welcome


def share(camille: Advocate, moment: datetime) -> None:
    Share.objects.create(advocate=camille, channel="copy", created_at=moment)


def test_whoever_passes_the_link_on_for_the_first_time_is_welcome(camille: Advocate) -> None:
    assert plan_all(now=NOW) == 0
    share(camille, NOW - HOUR)
    share(camille, NOW - HOUR)
    assert plan_all(now=NOW) == 1
    message = Message.objects.get()
    assert (message.kind, message.user) == ("welcome", camille.user)
    text = sent(message)
    assert "/r/" in text and "For a friend: " in text and "For you: " in text
    assert plan_all(now=NOW + HOUR) == 0


def test_whoever_has_done_it_before_is_not_greeted_again(camille: Advocate) -> None:
    share(camille, NOW - 60 * DAY)
    share(camille, NOW - HOUR)
    assert plan_all(now=NOW) == 0


def test_a_shop_without_an_offer_says_nothing_of_one(camille: Advocate) -> None:
    share(camille, NOW - HOUR)
    plan_all(now=NOW)
    Program.objects.update(live=False)
    text = sent(Message.objects.get())
    assert "For a friend" not in text and "For you" not in text


# Visits


def test_a_visit_is_told_only_where_an_editor_wants_it_and_the_visitor_agreed(camille: Advocate) -> None:
    referral = referral_of(camille, None)
    lead = make_lead(referral.claim, opened_at=NOW - HOUR, wants_reminders=False)
    assert plan_all(now=NOW) == 0
    MessageSwitch.objects.create(kind="friend_visited", is_on=True)
    assert plan_all(now=NOW) == 0
    lead.wants_reminders = True
    lead.save()
    assert plan_all(now=NOW) == 1
    message = Message.objects.get()
    text = sent(message)
    assert lead.email not in text and "Hello Camille," in text
    assert kinds.is_due(message, NOW)
    # Who has their address removed takes that back too.
    lead.delete()
    assert not kinds.is_due(message, NOW)


# Milestones


def test_a_milestone_whose_reward_waits_is_told(camille: Advocate, lea: Any) -> None:
    referral = referral_of(
        camille, lea, state=States.WAITING_PERIOD, hold_until=NOW + 30 * DAY, qualified_at=NOW
    )
    make_reward(referral, "50.00", occasion="tier:5", tier=5, moment=NOW - HOUR)
    assert plan_all(now=NOW) == 1
    text = sent(Message.objects.get(kind="milestone_passed"))
    assert "Friends who have ordered thanks to you: 5." in text
    assert "Your reward for that: €50.00." in text and "It is yours on Dec" in text
    assert plan_all(now=NOW) == 0
    assert kinds.is_due(Message.objects.get(), NOW)
    Reward.objects.update(state=Reward.State.TAKEN_BACK)
    assert not kinds.is_due(Message.objects.get(), NOW)


def test_one_that_is_given_at_once_is_told_with_the_reward(camille: Advocate, lea: Any) -> None:
    reward = make_reward(
        referral_of(camille, lea), "50.00", "50.00", occasion="tier:5", tier=5, moment=NOW - HOUR
    )
    assert plan_all(now=NOW) == 0
    tell_about_reward(Reward, reward=reward, delta=Decimal("50.00"), now=NOW)
    text = sent(Message.objects.get())
    assert (
        "you have passed a milestone: 5 friends have ordered thanks to you. Your reward is there: €50.00."
        in (text[:1].lower() + text[1:]).replace("You have", "you have")
    )


# Somebody names the customer


def test_who_is_named_is_asked_once_and_only_while_the_question_waits(camille: Advocate) -> None:
    request = AttributionRequest.objects.create(
        kind=AttributionRequest.Kind.NAMED,
        advocate=camille,
        reference="100200",
        given_name="Camille Martin",
        given_town="Lyon",
        basket_reference="17",
        created_at=NOW - DAY,
        matched_at=NOW - HOUR,
    )
    assert plan_all(now=NOW) == 1 and plan_all(now=NOW) == 0
    message = Message.objects.get()
    text = sent(message)
    assert message.kind == "named_by_friend"
    assert "Have you sent us a friend?" in text and "100200" not in text and "Lyon" not in text
    assert kinds.is_due(message, NOW)
    AttributionRequest.objects.filter(pk=request.pk).update(state=AttributionRequest.State.CONFIRMED)
    assert not kinds.is_due(message, NOW)


# Switches and cost


def test_what_is_switched_off_is_not_planned(camille: Advocate, lea: Any, program: Program) -> None:
    registered(camille, lea)
    switch = MessageSwitch.objects.create(kind="friend_registered", is_on=False)
    assert plan_all(now=NOW) == 0
    # One program sends them all the same.
    MessageSwitch.objects.create(kind="friend_registered", program=program, is_on=True)
    assert "friend_registered" in kinds_switched_on()
    switch.delete()
    assert plan_all(now=NOW) == 1


def test_a_sweep_with_nothing_to_plan_costs_as_much_however_many_friends_there_are(
    camille: Advocate, lea: Any
) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert plan_all(now=NOW) == 0
        return len(queries)

    before = cost()
    for number in range(30):
        friend = make_user(f"friend{number}@example.com", "Robin")
        waiting(camille, friend, NOW - 40 * DAY, registered_at=NOW - 40 * DAY, state=States.REWARDED)
        make_purchase(Referral.objects.latest("pk"), f"2000{number}", moment=NOW - 40 * DAY)
        share(camille, NOW - 40 * DAY)
    # What is switched on, seven kinds with one each, and the three that say that nobody has come up.
    assert cost() == before == 11


def test_a_kind_that_cannot_be_planned_keeps_none_of_the_others(
    camille: Advocate, lea: Any, monkeypatch: Any, caplog: Any
) -> None:
    def fail(now: datetime) -> Any:
        raise RuntimeError("not today")

    registered(camille, lea)
    monkeypatch.setattr(
        "wagtail_referrals.messages.sweeping._planners",
        [("welcome", fail), ("friend_registered", news._registrations)],
    )
    assert plan_all(now=NOW) == 1
    assert "welcome" in caplog.text
