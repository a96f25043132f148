"""The ready-made sequence "Turn referrals into members", driven by a moving clock; and what it asks of memberships."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from oscar_integration.memberships import sequences
from oscar_integration.memberships.models import Membership, Period, Use
from oscar_integration.memberships.opening import take_back
from oscar_integration.memberships.settle import settle
from tests.memberships.rows import NOW, give, make_plan, make_user
from tests.memberships.test_reward_kind import gives, open_program
from wagtail_referrals import rewards
from wagtail_referrals.messages.models import Enrollment, Message, MessageTemplate, Sequence
from wagtail_referrals.messages.ready_made import OPEN, ready_sequences, write_ready
from wagtail_referrals.messages.sequencing import conditions, moments
from wagtail_referrals.messages.steps import plan_due
from wagtail_referrals.people import advocate_for
from wagtail_referrals.programs.models import language_choices
from wagtail_referrals.referrals import register_friend
from wagtail_referrals.tracking.models import Claim

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def lea() -> Any:
    return make_user("lea@example.com", "Léa")


@pytest.fixture
def sequence() -> Sequence:
    made = write_ready("friends_to_members", publish=True, fill={OPEN: "STAY10"})
    Sequence.objects.update(first_published_at=NOW - DAY)
    return made


def give_pass(user: Any, *, now: datetime = NOW, slug: str = "pass") -> Period:
    plan = make_plan(
        slug,
        "Two weeks",
        period_length=14,
        period_unit="days",
        uses=1,
        gift_only=True,
        is_trial=True,
    )
    membership = give(user, plan, now=now, origin=Period.Origin.REWARD, key="reward:1:1")
    period = membership.periods.get()
    sequences.pass_given(period, now=now)
    return period


def buy(user: Any, *, now: datetime) -> Membership:
    return give(
        user, make_plan("monthly"), now=now, origin=Period.Origin.ORDER, key="line:1:0", order_number="1"
    )


def use(period: Period, now: datetime) -> Use:
    return Use.objects.create(
        membership=period.membership, period=period, key="u1", how=Use.How.CODE, used_at=now
    )


def run(until: datetime, start: datetime = NOW) -> None:
    now = start
    while now <= until:
        for membership in Membership.objects.filter(next_check_at__lte=now):
            settle(membership.pk, now=now)
        plan_due(now=now)
        now += 12 * HOUR


def sent() -> list[str]:
    names = dict(MessageTemplate.objects.values_list("pk", "name"))
    rows = Message.objects.filter(kind="sequence").order_by("pk")
    return [names[row.data["template"]][:1] for row in rows]


def test_who_does_nothing_gets_four_messages(sequence: Sequence, lea: Any) -> None:
    give_pass(lea)
    run(NOW + 50 * DAY)
    rows = Message.objects.order_by("pk").values_list("created_at", flat=True)
    assert sent() == ["1", "2", "4", "3"]
    assert [(moment - NOW).days for moment in rows] == [0, 2, 7, 12]
    assert Enrollment.objects.get().state == Enrollment.State.FINISHED


def test_who_comes_is_not_reminded_of_it(sequence: Sequence, lea: Any) -> None:
    period = give_pass(lea)
    plan_due(now=NOW)
    use(period, NOW + DAY)
    settle(period.membership_id, now=NOW + DAY)
    run(NOW + 50 * DAY, NOW + DAY)
    assert sent() == ["1", "4"]


def test_who_becomes_a_member_is_thanked_and_left_alone(sequence: Sequence, lea: Any) -> None:
    give_pass(lea)
    run(NOW + 3 * DAY)
    buy(lea, now=NOW + 4 * DAY)
    run(NOW + 50 * DAY, NOW + 4 * DAY)
    assert sent() == ["1", "2", "5"]
    enrollment = Enrollment.objects.get()
    assert enrollment.state == Enrollment.State.REACHED
    assert enrollment.ended_at == NOW + 4 * DAY


def test_a_pass_that_was_taken_back_is_not_announced_to_end(sequence: Sequence, lea: Any) -> None:
    period = give_pass(lea)
    run(NOW + 3 * DAY)
    take_back(period, Membership.Reason.TAKEN_BACK, now=NOW + 3 * DAY)
    run(NOW + 20 * DAY, NOW + 3 * DAY)
    assert sent() == ["1", "2", "4"]


def test_a_reward_that_prolongs_a_membership_welcomes_nobody(sequence: Sequence, lea: Any) -> None:
    buy(lea, now=NOW - 5 * DAY)
    membership = give(lea, Membership.objects.get().plan, origin=Period.Origin.REWARD, key="reward:2:1")
    sequences.pass_given(membership.periods.get(key="reward:2:1"), now=NOW)
    assert not Enrollment.objects.exists()


@pytest.mark.usefixtures("clock")
def test_a_friend_who_gets_a_pass_from_a_program_is_welcomed(sequence: Sequence, lea: Any) -> None:
    plan = make_plan("pass", period_length=14, period_unit="days", uses=1, gift_only=True, is_trial=True)
    terms = open_program(gives(plan, "friend", "arrives"))
    claim = Claim.objects.create(
        advocate=advocate_for(make_user()),
        terms=terms,
        source=Claim.Source.LINK,
        language="fr",
        created_at=NOW,
        expires_at=NOW + 30 * DAY,
    )
    referral = register_friend(lea, claim=claim, now=NOW)
    assert referral is not None
    rewards.sweep(now=NOW)
    enrollment = Enrollment.objects.get()
    assert (enrollment.user, enrollment.referral, enrollment.language) == (lea, referral, "fr")
    assert enrollment.key == f"{sequence.key}:period:{Period.objects.get().pk}"
    assert sent() == ["1"], "by the same sweep"
    rewards.sweep(now=NOW + HOUR)
    assert sent() == ["1"]


# What it asks


def test_conditions_and_the_end_in_few_queries(lea: Any) -> None:
    others = [make_user(f"u{number}@example.com") for number in range(3)]
    period = give_pass(lea)
    kept = Sequence.objects.create(name="Any", start="pass_given", live=True)
    rows = [
        Enrollment.objects.create(
            key=f"{kept.key}:{cause}", sequence=kept, user=user, started_at=NOW, next_at=NOW
        )
        for user, cause in ((lea, f"period:{period.pk}"), (others[0], "a"), (lea, "b"), (others[1], "c"))
    ]

    def holding(key: str, now: datetime = NOW) -> list[bool]:
        with CaptureQueriesContext(connection) as queries:
            found = conditions.get(key).holds(rows, now)
        assert len(queries) <= 3
        return [row.pk in found for row in rows]

    assert holding("pass_used") == holding("pass_ended") == holding("has_membership") == [False] * 4
    assert moments.get("pass_ends").of(rows, NOW) == {rows[0].pk: period.ends_at, rows[2].pk: period.ends_at}
    assert holding("pass_ended", NOW + 15 * DAY) == [True, False, True, False]
    made = use(period, NOW)
    assert holding("pass_used") == [True, False, True, False]
    Use.objects.filter(pk=made.pk).update(undone_at=NOW)
    assert holding("pass_used") == [False] * 4
    buy(others[0], now=NOW)
    assert holding("has_membership") == [False, True, False, False]
    assert holding("has_membership", NOW + 60 * DAY) == [False] * 4
    assert conditions.get("has_membership").holds([], NOW) == set()


# Its words


def test_its_messages_are_written_in_each_language_of_the_shop() -> None:
    sequence = write_ready("friends_to_members")
    assert not sequence.live
    steps = list(sequence.steps.select_related("template"))
    assert len(steps) == 5
    languages = [code for code, _name in language_choices()]
    for step in steps:
        assert not step.template.live and step.template.kind == "sequence"
        latest = step.template.get_latest_revision_as_object()
        assert [text.language for text in latest.texts.all()] == languages
        for text in latest.texts.all():
            assert text.subject and text.preheader
            kinds = [block.block_type for block in text.body]
            assert kinds[0] == "heading" and kinds[-1] == "button" and "paragraph" in kinds
    words = " ".join(str(text.body) for step in steps for text in step.template.texts.all())
    assert OPEN in words, "the editor says which code"
    filled = write_ready("friends_to_members", fill={OPEN: "STAY10"})
    words = " ".join(str(text.body) for step in filled.steps.all() for text in step.template.texts.all())
    assert OPEN not in words and "STAY10" in words


def test_it_is_there_to_start_from() -> None:
    ready = ready_sequences.get("friends_to_members")
    with override("en"):
        assert str(ready.label) == "Turn referrals into members"


def test_its_messages_name_the_pass(sequence: Sequence, lea: Any) -> None:
    period = give_pass(lea)
    plan_due(now=NOW)
    with override("en"):
        found = sequences.context_of(Message.objects.get())
        assert found["pass"] == "Two weeks"
        assert found["pass_code"] == period.membership.code
        assert found["pass_ends"] == "March 24, 2026"
        sample = sequences.context_of(Message(kind="sequence", data={}))
    assert sample["pass"] and sample["pass_ends"] and sample["pass_code"]
