"""Standings and badges as the engine keeps them, against a plain look at orders and referrals."""

from __future__ import annotations

import io
import threading
import uuid
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.badges import make_badge
from tests.books import audited
from tests.plainshop.models import Order
from tests.plainshop.test_chain import DAY, deliver, friend_orders
from tests.plainshop.test_concurrency import at_once
from wagtail_referrals import recognition, rewards, trust
from wagtail_referrals.people import advocate_for
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.recognition import (
    awards,
    badges_of,
    check_standings,
    checking,
    join_leaderboards,
    leaderboard,
)
from wagtail_referrals.recognition.levels import differing_levels
from wagtail_referrals.recognition.models import Badge, BadgeAward, Standing, StandingLevel
from wagtail_referrals.referrals.models import Referral

pytestmark = pytest.mark.django_db
D = Decimal
on_postgres = pytest.mark.skipif(
    "connection.vendor != 'postgresql'", reason="concurrency is proved on PostgreSQL"
)

REWARD = [
    {"side": "advocate", "trigger": "first_purchase", "kind": "credit", "amounts": {"EUR": "15.00"}},
]


def standings(advocate: Advocate | None = None) -> dict[Any, tuple[int, dict[str, str]]]:
    rows = Standing.objects.all() if advocate is None else Standing.objects.filter(advocate=advocate)
    return {
        (row.advocate_id, row.program_key, row.period): (row.referrals, row.revenue, row.reached_at)
        for row in rows
    }


def plainly() -> dict[Any, tuple[int, dict[str, str]]]:
    """What the standings should be, from the shop's orders and the referrals, one by one."""
    found: dict[Any, list[Any]] = defaultdict(lambda: [0, defaultdict(Decimal), []])
    for referral in Referral.objects.prefetch_related("purchases"):
        if referral.qualified_at is None or referral.state in ("refused", "taken_back", "to_check"):
            continue
        day = timezone.localtime(referral.qualified_at, timezone.get_default_timezone())
        for period in ("ever", f"{day.year}", f"{day.year}-{day.month:02}"):
            place = found[referral.advocate_id, referral.program_key, period]
            place[0] += 1
            place[2].append(referral.qualified_at)
            for purchase in referral.purchases.all():
                order = Order.objects.get(number=purchase.reference)
                if order.paid_at and not order.cancelled:
                    place[1]["EUR"] += max(order.goods - order.discount - order.refunded, D(0))
    return {
        place: (count, {code: f"{amount:.2f}" for code, amount in revenue.items() if amount}, max(moments))
        for place, (count, revenue, moments) in found.items()
    }


def worn() -> set[tuple[int, int]]:
    active = BadgeAward.objects.filter(taken_back_at=None)
    return set(active.values_list("badge_id", "advocate_id"))


@pytest.fixture
def settled(django_capture_on_commit_callbacks):
    """Settle everything, with what is done after the commit."""

    def settle(now: datetime, *ids: int) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            for pk in ids or list(Referral.objects.order_by("pk").values_list("pk", flat=True)):
                rewards.settle(pk, now=now)

    return settle


@pytest.fixture
def come(advocate, basket, now):
    """A friend whose order is delivered at once."""

    def friend(
        terms, number: int, *, by: Any = None, after: timedelta = timedelta(0), **values: Any
    ) -> Order:
        order = friend_orders(
            by or advocate, terms, basket, now, number=str(number), email=f"f{number}@example.com", **values
        )
        deliver(order, now + after)
        return order

    return friend


def test_a_friend_counts_once_qualified_and_no_longer_once_taken_back(
    make_program, advocate, come, settled, now, settings
):
    settings.TIME_ZONE = "Europe/Paris"
    _, terms, data = make_program(REWARD)
    order = come(terms, 1)
    Order.objects.update(shipped_at=None)
    settled(now)
    assert standings() == {}, "paid, but not delivered: nothing is recognised before it qualified"
    Order.objects.update(shipped_at=datetime(2026, 3, 31, 22, 30, tzinfo=UTC))
    settled(now + 40 * DAY)
    key = uuid.UUID(str(data.program_key))
    reached = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)
    expected = (1, {"EUR": "100.00"}, reached)
    # In Paris it is April already.
    assert standings() == {(advocate.pk, key, period): expected for period in ("ever", "2026", "2026-04")}
    assert standings() == plainly()
    Order.objects.update(refunded=D("30.50"))
    settled(now + 41 * DAY)
    assert standings() == {
        (advocate.pk, key, period): (1, {"EUR": "69.50"}, reached) for period in ("ever", "2026", "2026-04")
    }
    order.refresh_from_db()
    order.cancelled = True
    order.save()
    settled(now + 42 * DAY)
    assert standings() == {} == plainly()
    Order.objects.update(cancelled=False)
    settled(now + 43 * DAY)
    assert standings() == plainly() != {}


def test_who_is_to_check_or_refused_does_not_count(make_program, advocate, come, settled, now):
    _, terms, _ = make_program(REWARD)
    come(terms, 1)
    settled(now + 20 * DAY)
    assert len(standings()) == 3
    referral = Referral.objects.get()
    trust.review(referral.pk, "refuse", actor=None)
    settled(now + 20 * DAY)
    assert standings() == {}
    trust.review(referral.pk, "approve", actor=None, now=timezone.now() + DAY)
    settled(now + 20 * DAY)
    assert len(standings()) == 3


def test_a_badge_for_a_number_of_friends(make_program, advocate, camille, come, settled, now):
    _, terms, data = make_program(REWARD)
    two = make_badge("Two", criterion="referrals", threshold=2)
    make_badge("In a month", criterion="referrals", threshold=2, period="month")
    make_badge("Elsewhere", criterion="referrals", threshold=2, program_key=uuid.uuid4())
    make_badge("Here", criterion="referrals", threshold=2, program_key=data.program_key, period="year")
    come(terms, 1)
    settled(now + DAY)
    assert badges_of(camille) == []
    come(terms, 2, after=40 * DAY)
    settled(now + 41 * DAY)
    assert [badge.name for badge in badges_of(camille)] == ["Two", "Here"]
    award = BadgeAward.objects.get(badge=two)
    assert (award.evidence, award.awarded_at) == ({"referrals": 2, "period": "ever"}, now + 41 * DAY)
    # Again and again: one award, the date of the first time, taken back and given by what is true now.
    for _time in range(2):
        Order.objects.filter(number="1").update(cancelled=True)
        settled(now + 42 * DAY)
        assert badges_of(camille) == []
        award.refresh_from_db()
        assert award.taken_back_at == now + 42 * DAY
        Order.objects.filter(number="1").update(cancelled=False)
        settled(now + 43 * DAY)
        assert len(badges_of(camille)) == 2
    award.refresh_from_db()
    assert (award.awarded_at, award.taken_back_at) == (now + 41 * DAY, None)
    assert BadgeAward.objects.filter(badge=two).count() == 1


def test_a_badge_for_what_friends_have_ordered_for(make_program, camille, come, settled, now):
    _, terms, _ = make_program(REWARD)
    make_badge("Big", criterion="revenue", revenue={"CHF": "1.00", "EUR": "150.00"})
    come(terms, 1, goods="90.00")
    come(terms, 2, goods="60.00")
    settled(now + DAY)
    assert [badge.name for badge in badges_of(camille)] == ["Big"]
    Order.objects.filter(number="2").update(refunded=D("0.01"))
    settled(now + 2 * DAY)
    assert badges_of(camille) == []


def test_a_second_order_counts_as_long_as_it_stands(make_program, make_user, advocate, basket, settled, now):
    _, terms, _ = make_program(REWARD)
    lea = make_user("lea")
    for number, goods in (("1", "100.00"), ("2", "40.00"), ("3", "7.00")):
        deliver(friend_orders(advocate, terms, basket, now, user=lea, number=number, goods=goods), now)
    Order.objects.filter(number="3").update(paid_at=None, shipped_at=None)
    settled(now + DAY)
    assert {revenue["EUR"] for _count, revenue, _reached in standings().values()} == {"140.00"}
    Order.objects.filter(number="2").update(cancelled=True)
    settled(now + 2 * DAY)
    assert {revenue["EUR"] for _count, revenue, _reached in standings().values()} == {"100.00"}
    assert standings() == plainly()


def test_the_first_of_a_program(make_program, make_user, advocate, come, settled, now):
    _, terms, data = make_program(REWARD)
    lea, tom = (advocate_for(make_user(name)) for name in ("lea", "tom"))
    badge = make_badge("Pioneer", criterion="first", program_key=data.program_key)
    come(terms, 2, by=lea, after=2 * DAY)
    settled(now + 3 * DAY)
    assert worn() == {(badge.pk, lea.pk)}
    come(terms, 3, by=tom, after=3 * DAY)
    settled(now + 3 * DAY)
    assert worn() == {(badge.pk, lea.pk)}
    # An order that was delivered before, and that nobody had looked at.
    come(terms, 1, after=DAY)
    settled(now + 4 * DAY)
    assert worn() == {(badge.pk, advocate.pk)}
    Order.objects.filter(number="1").update(cancelled=True)
    settled(now + 5 * DAY)
    assert worn() == {(badge.pk, lea.pk)}
    lea.user.delete()
    check_standings(now=now + 5 * DAY)
    assert worn() == {(badge.pk, tom.pk)}
    with pytest.raises(IntegrityError), transaction.atomic():
        BadgeAward.objects.filter(badge=badge).update(taken_back_at=None)


def test_a_new_criterion_is_looked_at_by_the_next_sweep(make_program, camille, come, settled, now):
    _, terms, _ = make_program(REWARD)
    come(terms, 1)
    settled(now + DAY)
    rewards.sweep(now=now + DAY)
    badge = make_badge("Late", criterion="referrals", threshold=1)
    rewards.sweep(now=now + DAY)
    assert [worn.name for worn in badges_of(camille)] == ["Late"]
    Badge.objects.filter(pk=badge.pk).update(threshold=2, to_recheck=True)
    rewards.sweep(now=now + DAY)
    assert badges_of(camille) == []


def test_the_sweep_mends_once_a_day(make_program, advocate, come, settled, now):
    _, terms, _ = make_program(REWARD)
    join_leaderboards(advocate)
    come(terms, 1)
    settled(now + DAY)
    rewards.sweep(now=now + DAY)
    right = standings()
    Standing.objects.filter(period="ever").update(referrals=7)
    Standing.objects.filter(period="2026").delete()
    rewards.sweep(now=now + DAY + timedelta(hours=1))
    assert standings() != right
    rewards.sweep(now=now + 2 * DAY)
    assert standings() == right == plainly()
    assert not differing_levels()
    # Somebody tried out what happens years from now.
    rewards.sweep(now=now + 2000 * DAY)
    Standing.objects.filter(period="ever").update(referrals=7)
    rewards.sweep(now=now + 3 * DAY)
    assert standings() == right


def test_what_recognition_breaks_does_not_undo_a_reward(
    make_program, come, settled, now, monkeypatch, caplog
):
    _, terms, _ = make_program(REWARD)
    come(terms, 1)

    def broken(*args: Any, **kwargs: Any) -> None:
        Standing.objects.create(program_key=None, period="ever", advocate_id=0)

    monkeypatch.setattr(recognition.receivers.standings, "recount", broken)
    settled(now + 20 * DAY)
    assert Referral.objects.get().state == "rewarded" and standings() == {}
    assert "could not be counted" in caplog.text and "@" not in caplog.text
    monkeypatch.undo()
    rewards.sweep(now=now + 21 * DAY)
    assert standings() == plainly() != {}


def test_nothing_new_costs_no_query_of_ours(make_program, come, settled, now):
    _, terms, _ = make_program(REWARD)
    come(terms, 1)
    settled(now + 20 * DAY)
    referral = Referral.objects.get()
    with CaptureQueriesContext(connection) as queries:
        rewards.settle(referral.pk, now=now + 20 * DAY)
    assert not [query for query in queries if "standing" in query["sql"] or "badge" in query["sql"]]


def test_nothing_stays_of_a_deleted_customer(make_program, advocate, camille, come, settled, now):
    _, terms, data = make_program(REWARD)
    make_badge("One", criterion="referrals", threshold=1)
    join_leaderboards(advocate)
    come(terms, 1)
    settled(now + DAY)
    assert leaderboard(data.program_key).rows and worn()
    camille.delete()
    settled(now + 20 * DAY)
    check_standings(now=now + 20 * DAY)
    assert standings() == {} and not BadgeAward.objects.exists() and not differing_levels()
    assert leaderboard(data.program_key).rows == []


def test_the_audit_finds_what_was_changed_by_hand(make_program, make_user, advocate, come, settled, now):
    _, terms, data = make_program(REWARD)
    join_leaderboards(advocate)
    two = make_badge("Two", criterion="referrals", threshold=2)
    first = make_badge("First", criterion="first", program_key=data.program_key)
    come(terms, 1)
    come(terms, 2)
    settled(now + DAY)
    check_standings(now=now + DAY)
    assert audited(only=["recognition"]) == []
    lea = advocate_for(make_user("lea"))
    for change, problem in (
        (lambda: Standing.objects.filter(period="ever").update(referrals=3), {"standing", "standing_level"}),
        (lambda: Standing.objects.update(revenue={"EUR": "1.00"}), {"standing"}),
        (lambda: Standing.objects.filter(period="2026").delete(), {"standing", "standing_level"}),
        (lambda: Advocate.objects.filter(pk=advocate.pk).update(state="blocked"), {"standing"}),
        (lambda: StandingLevel.objects.update(advocates=2), {"standing_level"}),
        (lambda: BadgeAward.objects.filter(badge=two).update(taken_back_at=now), {"badge"}),
        (lambda: BadgeAward.objects.filter(badge=first).update(advocate=lea), {"badge"}),
        (lambda: BadgeAward.objects.create(badge=two, advocate=lea, awarded_at=now), {"badge"}),
    ):
        with transaction.atomic():
            change()
            assert {finding.problem.key for finding in audited(only=["recognition"])} == problem
            call_command("referrals_recount", "--no-progress", stdout=io.StringIO())
            assert audited(only=["recognition"]) == []
            transaction.set_rollback(True)


def test_the_command_says_what_it_mended(make_program, advocate, come, settled, now):
    _, terms, _ = make_program(REWARD)
    join_leaderboards(advocate)
    come(terms, 1)
    settled(now + DAY)
    Standing.objects.filter(period="ever").update(referrals=3)
    out, progress = io.StringIO(), io.StringIO()
    call_command("referrals_recount", stdout=out, stderr=progress)
    assert out.getvalue().splitlines() == [
        "1 referrer looked at.",
        "The numbers or badges of 1 referrer were mended.",
        "2 sums for places in leaderboards were mended.",
    ]
    out = io.StringIO()
    call_command("referrals_recount", stdout=out, stderr=progress)
    assert "All numbers and badges were right." in out.getvalue()


# --- any history ----------------------------------------------------------------------------------------------------

FRIENDS = "1234"
steps = st.lists(
    st.one_of(
        st.tuples(st.just("shipped"), st.sampled_from(FRIENDS), st.none() | st.integers(0, 70)),
        st.tuples(st.just("cancelled"), st.sampled_from(FRIENDS), st.booleans()),
        st.tuples(st.just("refunded"), st.sampled_from(FRIENDS), st.sampled_from([0, 10, 40, 99, 100])),
        st.tuples(st.just("review"), st.sampled_from(FRIENDS), st.sampled_from(["approve", "refuse"])),
        st.tuples(st.just("settle"), st.sampled_from(FRIENDS), st.integers(20, 60)),
        st.tuples(st.just("sweep"), st.just("1"), st.integers(20, 60)),
        st.tuples(st.just("show"), st.just("1"), st.booleans()),
    ),
    max_size=12,
)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=steps)
def test_after_any_history_it_is_what_a_plain_look_says(
    make_program, make_user, advocate, come, settled, now, django_capture_on_commit_callbacks, history
):
    with transaction.atomic():
        _, terms, data = make_program(REWARD, clawback_days=400)
        lea = advocate_for(make_user("lea"))
        badges = [
            make_badge("Two", criterion="referrals", threshold=2),
            make_badge("Two a month", criterion="referrals", threshold=2, period="month"),
            make_badge("Big", criterion="revenue", revenue={"EUR": "120.00"}, period="year"),
            make_badge("First", criterion="first", program_key=data.program_key),
        ]
        for number in FRIENDS:
            come(terms, int(number), by=lea if number == "4" else None, after=int(number) * 10 * DAY)
        referrals = dict(Referral.objects.values_list("purchases__reference", "pk"))
        said = now
        for step, number, value in history:
            orders = Order.objects.filter(number=number)
            if step == "shipped":
                orders.update(shipped_at=None if value is None else now + value * DAY)
            elif step in ("cancelled", "refunded"):
                orders.update(**{step: value})
            elif step == "review":
                said += timedelta(minutes=1)
                trust.review(referrals[number], value, actor=None, now=said)
            elif step == "settle":
                settled(now + value * DAY, referrals[number])
            elif step == "sweep":
                with django_capture_on_commit_callbacks(execute=True):
                    rewards.sweep(now=now + value * DAY)
            else:
                recognition.standings.set_in_leaderboards(advocate, value)
        settled(now + 80 * DAY)
        assert standings() == plainly()
        assert not differing_levels()
        assert worn() == _deserved_plainly(badges)
        before = (standings(), list(BadgeAward.objects.order_by("pk").values()))
        settled(now + 80 * DAY)
        checked = check_standings(now=now + 80 * DAY)
        assert (checked.corrected, checked.levels) == (0, 0)
        assert before == (standings(), list(BadgeAward.objects.order_by("pk").values()))
        transaction.set_rollback(True)


def _deserved_plainly(badges: list[Badge]) -> set[tuple[int, int]]:
    two, month, big, first = badges
    found = set()
    for (advocate_id, _program, period), (count, revenue, _reached) in plainly().items():
        if period == "ever" and count >= 2:
            found.add((two.pk, advocate_id))
        if len(period) == 7 and count >= 2:
            found.add((month.pk, advocate_id))
        if period == "2026" and D(revenue.get("EUR", 0)) >= 120:
            found.add((big.pk, advocate_id))
    counting = [
        (referral.qualified_at, referral.pk, referral.advocate_id)
        for referral in Referral.objects.exclude(qualified_at=None)
        if referral.state not in ("refused", "taken_back", "to_check")
    ]
    if counting:
        found.add((first.pk, min(counting)[2]))
    return found


# --- at once --------------------------------------------------------------------------------------------------------


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_friends_who_are_settled_at_once_are_all_counted(make_program, advocate, camille, come, now):
    _, terms, data = make_program(REWARD)
    make_badge("Eight", criterion="referrals", threshold=8)
    join_leaderboards(advocate)
    for number in range(16):
        come(terms, number)
    ids = list(Referral.objects.values_list("pk", flat=True))
    at_once(*[lambda pk=pk: rewards.settle(pk, now=now + DAY) for pk in ids])
    assert standings() == plainly() and leaderboard(data.program_key).rows[0].referrals == 16
    assert len(badges_of(camille)) == 1 == BadgeAward.objects.count()
    # Half of them go back, while others are settled again and the advocate comes and goes.
    Order.objects.filter(number__in=map(str, range(9))).update(cancelled=True)
    jobs = [lambda pk=pk: rewards.settle(pk, now=now + 2 * DAY) for pk in ids]
    jobs += [
        lambda: recognition.standings.set_in_leaderboards(Advocate.objects.get(), False),
        lambda: recognition.standings.set_in_leaderboards(Advocate.objects.get(), True),
        lambda: check_standings(now=now + 2 * DAY),
        lambda: check_standings(now=now + 2 * DAY),
    ]
    at_once(*jobs)
    assert standings() == plainly() and len(standings()) == 3
    assert badges_of(camille) == [] and not differing_levels()


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_two_firsts_at_once_are_one(make_program, make_user, come, now):
    _, terms, data = make_program(REWARD)
    badge = make_badge("First", criterion="first", program_key=data.program_key)
    advocates = [advocate_for(make_user(f"user{number}")) for number in range(8)]
    for number, by in enumerate(advocates):
        come(terms, number, by=by, after=timedelta(minutes=number))
    ids = list(Referral.objects.values_list("pk", flat=True))
    at_once(*[lambda pk=pk: rewards.settle(pk, now=now + DAY) for pk in ids])
    assert worn() == {(badge.pk, advocates[0].pk)}
    Order.objects.filter(number__in=["0", "1", "2"]).update(cancelled=True)
    at_once(*[lambda pk=pk: rewards.settle(pk, now=now + 2 * DAY) for pk in ids])
    assert worn() == {(badge.pk, advocates[3].pk)}


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_levels_that_are_mended_and_merged_at_once_are_mended_once(make_program, make_user, come, now):
    _, terms, _ = make_program(REWARD)
    for number in range(8):
        by = advocate_for(make_user(f"user{number}"))
        join_leaderboards(by)
        come(terms, number, by=by)
    for pk in Referral.objects.values_list("pk", flat=True):
        rewards.settle(pk, now=now + DAY)
    StandingLevel.objects.all().delete()
    at_once(*[lambda: check_standings(now=now + DAY)] * 6)
    assert not differing_levels() and StandingLevel.objects.count() == 3
    assert awards.badges_with_criterion() == []


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_a_check_and_a_settle_that_give_the_same_badges_wait_in_one_order(
    make_program, make_user, come, now, monkeypatch
):
    """Of several advocates in one transaction the first may wear a badge that comes after those of the next."""
    _, terms, _ = make_program(REWARD)
    low = make_badge("Low", criterion="revenue", revenue={"EUR": "150.00"})
    high = make_badge("High", criterion="referrals", threshold=1)
    one, other, both = (advocate_for(make_user(name)) for name in ("one", "other", "both"))
    come(terms, 1, by=one, goods=D(100))
    come(terms, 2, by=other, goods=D(200))
    come(terms, 3, by=both, goods=D(200))
    Badge.objects.filter(pk=high.pk).update(criterion="none")
    for pk in Referral.objects.values_list("pk", flat=True):
        rewards.settle(pk, now=now + DAY)
    BadgeAward.objects.all().delete()
    Badge.objects.filter(pk=high.pk).update(criterion="referrals")
    gives, waits = threading.Event(), threading.Event()
    really_give = awards._give

    def give(*args: Any, **values: Any) -> None:
        really_give(*args, **values)
        if threading.current_thread().name == "check" and not gives.is_set():
            gives.set()
            waits.wait(timeout=30)

    monkeypatch.setattr(awards, "_give", give)

    def check() -> None:
        threading.current_thread().name = "check"
        checking.recount([one.pk, other.pk], awards.badges_with_criterion(), now=now + DAY)

    def settle() -> None:
        assert gives.wait(timeout=30)
        checking.recount([both.pk], awards.badges_with_criterion(), now=now + DAY)

    def watch() -> None:
        assert gives.wait(timeout=30)
        until_somebody_waits()
        waits.set()

    at_once(check, settle, watch)
    assert {(low.pk, both.pk), (high.pk, both.pk), (high.pk, one.pk), (low.pk, other.pk)} <= worn()


def until_somebody_waits() -> None:
    """Until a connection to this database waits for a lock that another one holds."""
    for _time in range(3000):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
        threading.Event().wait(0.01)
    raise AssertionError("nobody waits")
