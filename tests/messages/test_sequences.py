"""Sequences of messages: who begins them, and what a moving clock makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import Min
from django.test.utils import CaptureQueriesContext

from tests.admin.rows import (
    make_advocate,
    make_lead,
    make_program,
    make_purchase,
    make_referral,
    make_reward,
    make_user,
)
from tests.messages.sequences import DAY, HOUR, START, begin, make_sequence, make_template, planned
from wagtail_referrals import rewards
from wagtail_referrals.messages.enrolling import address_opened, enroll
from wagtail_referrals.messages.models import Enrollment, Message, Sequence, SequenceStep
from wagtail_referrals.messages.sequencing import Condition, Moment, conditions, moments
from wagtail_referrals.messages.steps import BATCH, is_due, plan_due
from wagtail_referrals.people import advocate_for
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals import register_friend
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.tracking.models import Claim, Share

pytestmark = pytest.mark.django_db

STATE = Enrollment.State


class World:
    """What is so of people at a moment, for conditions and a moment of the tests' own."""

    def __init__(self) -> None:
        self.since: dict[str, datetime | None] = {"member": None, "left": None, "visited": None}
        self.ends: datetime | None = None
        self.asked = 0
        self.fails: set[str] = set()

    def holds(self, key: str, enrollments: Any, now: datetime) -> set[int]:
        self.asked += 1
        if key in self.fails:
            raise RuntimeError("no answer")
        since = self.since[key]
        return {row.pk for row in enrollments} if since is not None and since <= now else set()

    def end(self, enrollments: Any, now: datetime) -> dict[int, datetime]:
        return {row.pk: self.ends for row in enrollments} if self.ends is not None else {}


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    for key in world.since:
        conditions.register(
            Condition(key, key, lambda rows, now, key=key: world.holds(key, rows, now))  # type: ignore[misc]
        )
    moments.register(Moment("ends", "before it ends", world.end, is_end=True))
    yield world
    for key in world.since:
        conditions.unregister(key)
    moments.unregister("ends")


@pytest.fixture
def lea(db: None) -> Any:
    return make_user("lea@example.com", "Léa")


def run(until: datetime, *, start: datetime = START, every: timedelta = HOUR) -> None:
    """A sweep at ``start`` and then ``every`` so often; those that would find nothing due are left out."""
    now = start
    while now <= until:
        plan_due(now=now)
        waits = Enrollment.objects.filter(sequence__live=True, next_at__isnull=False)
        next_at = waits.aggregate(first=Min("next_at"))["first"]
        if next_at is None:
            return
        now += max(every, -((now - next_at) // every) * every)


MEMBERS: dict[str, Any] = {"goal": "member", "stops": ["left"]}
STEPS: list[dict[str, Any]] = [
    {"name": "Welcome"},
    {"name": "Tip", "delay": 2, "condition": "visited", "is_negated": True},
    {"name": "Reminder", "delay": 1, "moment": "ends"},
    {"name": "Offer", "delay": 3, "moment": "previous"},
    {"name": "Thanks", "moment": "goal"},
    {"name": "How is it", "delay": 12, "unit": "hours", "moment": "previous"},
]


# A branch each: what happens when (days after the start), what is sent, and how it is over.
BRANCHES: dict[str, tuple[dict[str, Any], list[str], str, str]] = {
    "nothing happens": ({"ends": 7}, ["Welcome", "Tip", "Reminder", "Offer"], STATE.FINISHED, ""),
    "the pass was visited": (
        {"ends": 7, "visited": 1},
        ["Welcome", "Reminder", "Offer"],
        STATE.FINISHED,
        "",
    ),
    "a member before the tip": (
        {"ends": 7, "member": 1},
        ["Welcome", "Thanks", "How is it"],
        STATE.REACHED,
        "",
    ),
    "a member after the offer": (
        {"ends": 7, "member": 12},
        ["Welcome", "Tip", "Reminder", "Offer", "Thanks", "How is it"],
        STATE.REACHED,
        "",
    ),
    "a member from the start": ({"ends": 7, "member": 0}, ["Thanks", "How is it"], STATE.REACHED, ""),
    "left": ({"ends": 7, "left": 3}, ["Welcome", "Tip"], STATE.STOPPED, "left"),
    "left from the start": ({"ends": 7, "left": 0}, [], STATE.STOPPED, "left"),
    "a member, then left": (
        {"ends": 7, "member": 3, "left": 3.2},
        ["Welcome", "Tip", "Thanks", "How is it"],
        STATE.REACHED,
        "",
    ),
    "both at once": (
        {"ends": 7, "member": 3, "left": 3},
        ["Welcome", "Tip", "Thanks", "How is it"],
        STATE.REACHED,
        "",
    ),
    "no end is known": ({}, ["Welcome", "Tip"], STATE.FINISHED, ""),
    "a pass shorter than the reminder": (
        {"ends": 0.5},
        ["Welcome", "Offer", "Tip"],
        STATE.FINISHED,
        "",
    ),
}


@pytest.mark.parametrize("branch", BRANCHES)
def test_a_clock_drives_a_sequence_through_each_branch(branch: str, world: World, lea: Any) -> None:
    happens, expected, state, reason = BRANCHES[branch]
    sequence = make_sequence(*STEPS, **MEMBERS)
    enrollment = begin(sequence, lea)
    for what, days in happens.items():
        if what == "ends":
            world.ends = START + days * DAY
        else:
            world.since[what] = START + days * DAY
    run(START + 45 * DAY, every=12 * HOUR)
    enrollment.refresh_from_db()
    assert sorted(planned(enrollment)) == sorted(expected)
    assert (enrollment.state, enrollment.reason) == (state, reason)
    assert enrollment.next_at is None and enrollment.waits_for is None and enrollment.ended_at is not None


# The details of the clock


def test_what_came_due_while_no_sweep_ran_comes_one_a_day(world: World, lea: Any) -> None:
    sequence = make_sequence(
        {"name": "Welcome"},
        {"name": "Tip", "delay": 2},
        {"name": "More", "delay": 5},
        {"name": "End", "delay": 30},
    )
    enrollment = begin(sequence, lea)
    down = START + 20 * DAY
    assert plan_due(now=down) == 1
    assert plan_due(now=down + timedelta(minutes=5)) == 0
    assert planned() == ["Welcome"]
    run(down + 40 * DAY, start=down + timedelta(minutes=10))
    rows = Message.objects.order_by("pk").values_list("created_at", flat=True)
    assert planned() == ["Welcome", "Tip", "More", "End"]
    gaps = [later - earlier for earlier, later in zip(rows, list(rows)[1:], strict=False)]
    assert all(gap >= DAY for gap in gaps)
    assert rows[3] - START >= 30 * DAY and rows[3] - START < 30 * DAY + 2 * HOUR
    enrollment.refresh_from_db()
    assert enrollment.state == STATE.FINISHED


def test_what_has_no_delay_goes_along(world: World, lea: Any) -> None:
    begin(make_sequence({"name": "Welcome"}, {"name": "And this"}, {"name": "Later", "delay": 1}), lea)
    assert plan_due(now=START) == 2
    assert plan_due(now=START + HOUR) == 0
    assert plan_due(now=START + DAY) == 1


def test_the_step_before_may_have_been_passed_over(world: World, lea: Any) -> None:
    begin(
        make_sequence(
            {"name": "Tip", "delay": 1, "condition": "visited"},
            {"name": "More", "delay": 1, "moment": "previous"},
        ),
        lea,
    )
    run(START + 3 * DAY)
    assert planned() == ["More"]
    assert Message.objects.get().created_at == START + 2 * DAY


def test_the_end_may_become_known_later_and_move(world: World, lea: Any) -> None:
    begin(make_sequence({"name": "Reminder", "delay": 2, "moment": "ends"}), lea)
    run(START + 5 * DAY)
    assert planned() == []
    world.ends = START + 9 * DAY
    run(START + 6 * DAY, start=START + 5 * DAY + HOUR)
    world.ends = START + 20 * DAY
    run(START + 17 * DAY, start=START + 6 * DAY + HOUR)
    assert planned() == []
    run(START + 19 * DAY, start=START + 17 * DAY + HOUR)
    assert planned() == ["Reminder"]
    assert Message.objects.get().created_at == START + 18 * DAY


def test_a_step_once_sent_is_sent_once_whatever_editors_do(world: World, lea: Any) -> None:
    sequence = make_sequence({"name": "Welcome"}, {"name": "Tip", "delay": 2}, {"name": "Offer", "delay": 4})
    enrollment = begin(sequence, lea)
    run(START + DAY)
    welcome, tip, offer = sequence.steps.all()
    # Moved to the end, another removed, a third one changed, and one added.
    SequenceStep.objects.filter(pk=tip.pk).delete()
    SequenceStep.objects.filter(pk=welcome.pk).update(sort_order=9, delay=3)
    SequenceStep.objects.filter(pk=offer.pk).update(delay=6)
    SequenceStep.objects.create(sequence=sequence, sort_order=10, delay=8, template=make_template("New"))
    run(START + 10 * DAY, start=START + DAY)
    assert planned() == ["Welcome", "Offer", "New"]
    enrollment.refresh_from_db()
    assert enrollment.state == STATE.FINISHED
    assert Message.objects.last().created_at == START + 8 * DAY


def test_a_condition_that_fails_holds_up_its_own_step_only(
    world: World, lea: Any, caplog: pytest.LogCaptureFixture
) -> None:
    others = make_user("noe@example.com", "Noé")
    begin(make_sequence({"name": "Tip", "condition": "visited", "is_negated": True}), lea)
    begin(make_sequence({"name": "Welcome"}), others)
    world.fails = {"visited"}
    assert plan_due(now=START) == 1
    assert planned() == ["Welcome"] and "'visited'" in caplog.text
    world.fails = set()
    assert plan_due(now=START + timedelta(minutes=5)) == 0
    assert plan_due(now=START + HOUR) == 1


@pytest.mark.parametrize("asked", ["goal", "stops"])
def test_nothing_is_sent_while_the_aim_cannot_be_asked(world: World, lea: Any, asked: str) -> None:
    begin(
        make_sequence(
            {"name": "Welcome"}, **({"goal": "member"} if asked == "goal" else {"stops": ["member"]})
        ),
        lea,
    )
    world.fails = {"member"}
    assert plan_due(now=START) == 0
    conditions.unregister("member")
    try:
        assert plan_due(now=START + HOUR) == 0
    finally:
        conditions.register(Condition("member", "member", lambda rows, now: set()))
    assert plan_due(now=START + 2 * HOUR) == 1


def test_a_row_that_fails_holds_up_nobody_else(
    world: World, lea: Any, caplog: pytest.LogCaptureFixture
) -> None:
    sequence = make_sequence({"name": "Welcome"})
    for number in range(3):
        begin(sequence, lea, done={"sent": "no date"} if number == 1 else {})
    Enrollment.objects.filter(done__has_key="sent").update(done=["broken"])
    assert plan_due(now=START) == 2
    assert "is tried again in an hour" in caplog.text
    assert Enrollment.objects.get(state=STATE.RUNNING).next_at == START + HOUR


def test_an_unpublished_sequence_rests_and_goes_on(world: World, lea: Any) -> None:
    sequence = make_sequence({"name": "Welcome"}, {"name": "Tip", "delay": 2}, {"name": "Offer", "delay": 3})
    begin(sequence, lea)
    plan_due(now=START)
    Sequence.objects.update(live=False)
    run(START + 10 * DAY, every=DAY)
    assert planned() == ["Welcome"]
    assert Enrollment.objects.get().state == STATE.RUNNING
    Sequence.objects.update(live=True)
    run(START + 10 * DAY + 2 * HOUR, start=START + 10 * DAY)
    assert planned() == ["Welcome", "Tip"], "not all at once"


def test_a_sequence_that_ends_by_its_date_stops_all_who_are_on_the_way(world: World, lea: Any) -> None:
    sequence = make_sequence({"name": "Welcome"}, {"name": "Tip", "delay": 2})
    enrollment = begin(sequence, lea)
    plan_due(now=START)
    Sequence.objects.update(live=False, expired=True)
    plan_due(now=START + DAY)
    enrollment.refresh_from_db()
    assert (enrollment.state, enrollment.reason, enrollment.next_at) == (STATE.STOPPED, "over", None)
    assert enrollment.ended_at == START + DAY


def test_what_was_sent_stays_when_a_sequence_is_deleted(world: World, lea: Any) -> None:
    sequence = make_sequence({"name": "Welcome"})
    begin(sequence, lea)
    plan_due(now=START)
    message = Message.objects.get()
    sequence.delete()
    message.refresh_from_db()
    assert message.enrollment is None and not Enrollment.objects.exists()
    assert not is_due(message, START)


def test_who_is_gone_is_written_to_no_more(world: World, lea: Any) -> None:
    sequence = make_sequence({"name": "Welcome"}, {"name": "Tip", "delay": 1})
    enrollment = begin(sequence, lea)
    plan_due(now=START)
    get_user_model().objects.filter(pk=lea.pk).update(is_active=False)
    plan_due(now=START + DAY)
    enrollment.refresh_from_db()
    assert planned() == ["Welcome"]
    assert (enrollment.state, enrollment.reason) == (STATE.STOPPED, "gone")
    lea.delete()
    assert not Enrollment.objects.exists()


# Right before sending


def test_a_message_that_waits_is_not_sent_once_its_cause_is_gone(world: World, lea: Any) -> None:
    sequence = make_sequence(*STEPS, **MEMBERS)
    enrollment = begin(sequence, lea)
    plan_due(now=START)
    message = Message.objects.get()
    night = START + 12 * HOUR
    assert is_due(message, night)
    for what in ("member", "left"):
        world.since[what] = START + HOUR
        assert not is_due(message, night), what
        world.since[what] = None
    world.fails = {"left"}
    assert not is_due(message, night), "unsure"
    world.fails = set()
    Sequence.objects.update(live=False)
    assert not is_due(message, night)
    Sequence.objects.update(live=True)
    Enrollment.objects.update(state=STATE.STOPPED)
    assert not is_due(message, night)
    Enrollment.objects.update(state=STATE.REACHED)
    assert not is_due(message, night)
    Enrollment.objects.update(state=STATE.RUNNING)
    world.since["member"] = START + HOUR
    plan_due(now=night)
    assert is_due(Message.objects.exclude(pk=message.pk).get(), night), "the thanks follow the aim"
    sequence.steps.all()[0].delete()
    world.since["member"] = None
    assert not is_due(message, night), "its step is gone"
    assert enrollment.pk


def test_its_own_condition_is_asked_again(world: World, lea: Any) -> None:
    begin(make_sequence({"name": "Tip", "condition": "visited", "is_negated": True}), lea)
    plan_due(now=START)
    message = Message.objects.get()
    assert is_due(message, START + HOUR)
    world.since["visited"] = START
    assert not is_due(message, START + HOUR)


# How much it costs


def test_a_batch_costs_as_many_queries_as_one(
    world: World, lea: Any, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sequence = make_sequence(*STEPS, **MEMBERS)
    world.ends = START + 7 * DAY

    def queries(people: int, now: datetime) -> int:
        for _number in range(people):
            begin(sequence, lea, now=now)
        with CaptureQueriesContext(connection) as captured:
            assert plan_due(now=now) == people
        return len(captured)

    assert queries(1, START) == queries(30, START + timedelta(minutes=1))
    asked = world.asked
    queries(30, START + timedelta(minutes=2))
    assert world.asked - asked == 2, "the aim and the stop, once for all"


def test_what_is_written_for_many_at_once_is_what_is_written_for_each(
    world: World, lea: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People at different steps, of two sequences, some of whom reach the aim."""
    first = make_sequence(*STEPS, **MEMBERS)
    second = make_sequence({"name": "One"}, {"name": "Two", "delay": 1, "condition": "visited"})
    for number in range(4):
        for sequence in (first, second):
            begin(sequence, lea, now=START + number * DAY, done={"an old step": START.isoformat()})
    world.ends = START + 7 * DAY
    world.since |= {"visited": START + DAY, "member": START + 4 * DAY}

    def rows(alike: int) -> list[Any]:
        monkeypatch.setattr("wagtail_referrals.messages.steps.ALIKE", alike)
        run(START + 5 * DAY, every=6 * HOUR)
        return [
            (row.state, row.reason, row.done, row.waits_for, row.next_at, row.ended_at)
            for row in Enrollment.objects.order_by("pk")
        ]

    with transaction.atomic():
        together = rows(1)
        transaction.set_rollback(True)
    assert together == rows(1000)
    assert {state for state, *_others in together} == {STATE.REACHED, STATE.FINISHED}


def test_more_than_a_batch_is_planned_in_one_sweep(
    world: World, lea: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert BATCH == 1000
    monkeypatch.setattr("wagtail_referrals.messages.steps.BATCH", 7)
    sequence = make_sequence({"name": "Welcome"})
    for _number in range(20):
        begin(sequence, lea)
    heard: list[tuple[str, int, int]] = []
    assert plan_due(now=START, progress=lambda *words: heard.append(words)) == 20
    assert heard == [("People in sequences", looked, 20) for looked in (7, 14, 20)]
    assert plan_due(now=START) == 0
    assert Message.objects.count() == 20


# Who begins them


@pytest.fixture
def program(db: None) -> Any:
    return make_program(hold_days=0)


@pytest.fixture
def terms(program: Any) -> Terms:
    return Terms.objects.get(program_key=program.key)


def invitation(terms: Terms, moment: datetime = START) -> Claim:
    return Claim.objects.create(
        advocate=make_advocate(),
        terms=terms,
        source=Claim.Source.LINK,
        language="fr",
        created_at=moment,
        expires_at=moment + 30 * DAY,
    )


def test_a_friend_who_registers_begins_what_waits_for_that(terms: Terms, lea: Any) -> None:
    sequence = make_sequence({"name": "Welcome"})
    make_sequence({"name": "Other"}, start="friend_ordered")
    referral = register_friend(lea, claim=invitation(terms), now=START)
    enrollment = Enrollment.objects.get()
    assert referral is not None
    assert (enrollment.sequence, enrollment.user, enrollment.referral) == (sequence, lea, referral)
    assert (enrollment.language, enrollment.started_at, enrollment.next_at) == ("fr", START, START)
    register_friend(lea, claim=None, now=START + DAY)
    assert Enrollment.objects.count() == 1
    rewards.sweep(now=START + HOUR)
    assert planned() == ["Welcome"]
    message = Message.objects.get(kind="sequence")
    assert (message.user, message.referral, message.enrollment) == (lea, referral, enrollment)
    assert message.key == f"sequence:{sequence.key}:{enrollment.pk}:{sequence.steps.get().key}"


def test_only_published_sequences_of_this_program_begin(program: Any, terms: Terms, lea: Any) -> None:
    other = make_program("credit_for_both", name="Another one")
    for name, values in {
        "draft": {"live": False},
        "other program": {"program": other},
        "published later": {"first_published_at": START + HOUR},
        "over": {"expire_at": START - HOUR},
        "this one": {"program": program},
        "of all": {},
    }.items():
        make_sequence({"name": "Welcome"}, name=name, **values)
    register_friend(lea, claim=invitation(terms), now=START)
    names = Enrollment.objects.values_list("sequence__name", flat=True)
    assert sorted(names) == ["of all", "this one"]


def test_the_same_cause_begins_a_sequence_once_and_nobody_is_in_it_twice(lea: Any) -> None:
    make_sequence({"name": "Welcome"})

    def begun(cause: str, now: datetime = START) -> int:
        enroll("friend_registered", user=lea, cause=cause, now=now)
        return Enrollment.objects.count()

    assert begun("order:1") == 1
    assert begun("order:2") == 1, "on the way already"
    Enrollment.objects.update(state=STATE.FINISHED, next_at=None)
    assert begun("order:1") == 1
    assert begun("order:2") == 2


def test_who_cannot_be_written_to_begins_nothing(lea: Any, django_assert_num_queries: Any) -> None:
    make_sequence({"name": "Welcome"})
    lea.is_active = False
    with django_assert_num_queries(0):
        assert enroll("friend_registered", user=None, cause="a", now=START) == 0
        assert enroll("friend_registered", user=lea, cause="a", now=START) == 0


def test_it_never_breaks_what_began_it(
    lea: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_sequence({"name": "Welcome"})

    def broken(*args: Any, **kwargs: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT nothing FROM nowhere")

    monkeypatch.setattr(Enrollment.objects, "bulk_create", broken)
    assert enroll("friend_registered", user=lea, cause="a", now=START) == 0
    assert "could not be begun" in caplog.text
    assert get_user_model().objects.filter(pk=lea.pk).exists(), "the transaction goes on"
    with pytest.raises(Exception, match=r"nothing|nowhere"):
        enroll("friend_registered", user=lea, cause="a", now=START, careful=False)


def changed(referral: Referral, **values: Any) -> None:
    from wagtail_referrals.messages.enrolling import referral_changed

    arguments = {
        "qualified_before": None,
        "orders_changed": True,
        "purchases": list(referral.purchases.all()),
    }
    referral_changed(Referral, referral=referral, now=START, **(arguments | values))


def test_orders_of_friends_begin_theirs(terms: Terms, lea: Any) -> None:
    make_sequence({"name": "Ordered"}, start="friend_ordered", name="ordered")
    make_sequence({"name": "Qualified"}, start="friend_qualified", name="qualified")
    referral = make_referral(terms, make_advocate(), lea, moment=START)

    def begun() -> list[str]:
        return sorted(Enrollment.objects.values_list("sequence__name", flat=True))

    changed(referral)
    assert begun() == []
    purchase = make_purchase(referral, "100", moment=START)
    purchase.observed = {"cancelled": True}
    purchase.save()
    changed(referral)
    assert begun() == [], "a cancelled order is none"
    purchase.observed = {}
    purchase.save()
    changed(referral, orders_changed=False)
    assert begun() == []
    changed(referral)
    assert begun() == ["ordered"]
    referral.qualified_at = START
    changed(referral, qualified_before=START)
    assert begun() == ["ordered"]
    changed(referral)
    assert begun() == ["ordered", "qualified"]
    assert set(Enrollment.objects.values_list("user", flat=True)) == {lea.pk}


def test_an_order_from_before_it_was_published_begins_nothing(terms: Terms, lea: Any) -> None:
    make_sequence({"name": "Ordered"}, start="friend_ordered", first_published_at=START)
    referral = make_referral(terms, make_advocate(), lea, moment=START - 5 * DAY)
    make_purchase(referral, "100", moment=START - HOUR)
    changed(referral)
    assert not Enrollment.objects.exists()


def test_a_guest_is_not_enrolled(terms: Terms) -> None:
    make_sequence({"name": "Ordered"}, start="friend_ordered")
    referral = make_referral(terms, make_advocate(), None, moment=START)
    make_purchase(referral, "100", moment=START)
    changed(referral)
    assert not Enrollment.objects.exists()


def test_a_reward_of_the_friend_begins_it(terms: Terms, lea: Any) -> None:
    from wagtail_referrals.messages.enrolling import reward_changed

    make_sequence({"name": "Yours"}, start="reward_given_friend")
    referral = make_referral(terms, make_advocate(), lea)
    reward = make_reward(referral, "15.00", "15.00", user=lea, occasion="arrival")
    reward.side = "friend"
    reward_changed(None, reward=reward, delta=-reward.posted, now=START)
    assert not Enrollment.objects.exists()
    theirs = make_reward(referral, "15.00", "15.00", occasion="tier:1")
    reward_changed(None, reward=theirs, delta=theirs.posted, now=START)
    assert not Enrollment.objects.exists(), "that was the referrer's"
    reward_changed(None, reward=reward, delta=reward.posted, now=START)
    assert Enrollment.objects.get().user == lea


def test_a_customer_who_becomes_a_referrer_begins_it(lea: Any) -> None:
    make_sequence({"name": "How to share"}, start="became_referrer", first_published_at=None)
    advocate = advocate_for(lea)
    enrollment = Enrollment.objects.get()
    assert (enrollment.user, enrollment.referral) == (lea, None)
    advocate.save()
    assert Enrollment.objects.count() == 1


# Visitors who left an address


def test_a_visitor_is_written_to_after_a_yes_and_only_while_it_holds(terms: Terms) -> None:
    make_sequence({"name": "Still there"}, {"name": "Last day", "delay": 2}, start="address_left")
    claim = invitation(terms)
    shy = make_lead(claim, "shy@example.com")
    address_opened(shy, now=START)
    assert not Enrollment.objects.exists(), "agreed to the one mail only"
    lead = make_lead(claim, "robin@example.com", wants_reminders=True, language="fr")
    address_opened(lead, now=START)
    enrollment = Enrollment.objects.get()
    assert (enrollment.user, enrollment.lead, enrollment.language) == (None, lead, "fr")
    plan_due(now=START)
    message = Message.objects.get()
    assert (message.lead, message.user) == (lead, None) and is_due(message, START)
    lead.wants_reminders = False
    lead.save()
    assert not is_due(Message.objects.get(), START)
    plan_due(now=START + 2 * DAY)
    enrollment.refresh_from_db()
    assert (enrollment.state, enrollment.reason) == (STATE.STOPPED, "no_consent")
    assert planned() == ["Still there"]


def test_a_removed_address_ends_it(terms: Terms) -> None:
    make_sequence({"name": "Still there"}, {"name": "Last day", "delay": 2}, start="address_left")
    lead = make_lead(invitation(terms), wants_reminders=True)
    address_opened(lead, now=START)
    plan_due(now=START)
    lead.delete()
    plan_due(now=START + 2 * DAY)
    enrollment = Enrollment.objects.get()
    assert (enrollment.state, enrollment.reason) == (STATE.STOPPED, "gone")
    assert not is_due(Message.objects.get(), START)


# What the engine knows


def holding(key: str, *rows: Enrollment) -> set[int]:
    with CaptureQueriesContext(connection) as queries:
        found = conditions.get(key).holds(list(rows), START)
    assert len(queries) <= 3
    return found


def test_the_conditions_of_the_engine(terms: Terms, lea: Any) -> None:
    sequence = make_sequence({"name": "Welcome"})
    noe = make_user("noe@example.com", "Noé")
    claim = invitation(terms)
    lead = make_lead(claim, wants_reminders=True)
    referral = make_referral(terms, claim.advocate, lea)
    one, two, three = (
        begin(sequence, lea, referral=referral),
        begin(sequence, noe),
        begin(sequence, lead=lead),
    )
    rows = (one, two, three)
    assert holding("registered", *rows) == {one.pk, two.pk}
    assert holding("ordered", *rows) == set()
    assert holding("has_shared", *rows) == set()
    assert holding("reward_given", *rows) == set()
    assert holding("opened_nothing", *rows) == {one.pk, two.pk, three.pk}

    make_purchase(referral, "100")
    assert holding("ordered", *rows) == {one.pk}
    guest = Referral.objects.create(
        terms=terms, program_key=terms.program_key, advocate=claim.advocate, claim=claim, created_at=START
    )
    make_purchase(guest, "101")
    assert holding("ordered", *rows) == {one.pk, three.pk}
    claim.user = noe
    claim.save()
    assert holding("registered", *rows) == {one.pk, two.pk, three.pk}
    Share.objects.create(advocate=advocate_for(noe), channel="copy", created_at=START)
    assert holding("has_shared", *rows) == {two.pk}
    make_reward(referral, "5.00", "5.00", user=lea, occasion="arrival")
    assert holding("reward_given", *rows) == {one.pk}
    plan_due(now=START)
    Message.objects.filter(enrollment=three).update(opened_at=START)
    assert holding("opened_nothing", *rows) == {one.pk, two.pk}
    for key in ("registered", "ordered", "has_shared", "reward_given", "opened_nothing"):
        assert holding(key) == set()
