"""A member came: noted once, in the period that runs, as often as the plan allows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from oscar_integration.memberships.models import Membership, Period, Plan, Renewal, Use
from oscar_integration.memberships.opening import take_back
from oscar_integration.memberships.settle import settle
from oscar_integration.memberships.uses import NotOpen, NoUsesLeft, find_membership, record_use, undo_use
from tests.credit.test_concurrency import at_once
from tests.killing import in_a_process
from tests.memberships.rows import NOW, give, make_plan, make_user

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def desk() -> Any:
    """Who stands at the desk."""
    return make_user("desk@example.com", "Dominique", is_staff=True)


@pytest.fixture
def camille() -> Any:
    return make_user("camille@example.com", "Camille", "Laurent")


@pytest.fixture
def ten() -> Plan:
    """Ten times within a month."""
    return make_plan("ten", uses=10)


def come(membership: Membership, key: str, now: Any = NOW, how: str = "list", by: Any = None) -> Use:
    return record_use(membership, key=key, how=how, by=by, now=now)


def left(membership: Membership) -> int | None:
    membership.refresh_from_db()
    return membership.uses_left


def test_a_use_is_noted_with_all_that_is_known(camille: Any, desk: Any, ten: Plan) -> None:
    membership = give(camille, ten)
    use = come(membership, "k", NOW + HOUR, "code", desk)
    assert (use.membership, use.period) == (membership, membership.periods.get())
    assert (use.how, use.used_at, use.recorded_by) == ("code", NOW + HOUR, desk)
    assert (use.undone_at, use.undone_by) == (None, None)
    assert left(membership) == 9


def test_an_unlimited_membership_is_used_as_often_as_one_likes(camille: Any) -> None:
    membership = give(camille, make_plan())
    for number in range(40):
        come(membership, str(number))
    assert left(membership) is None
    assert membership.state == "active"


def test_the_last_use_ends_a_pass(camille: Any) -> None:
    membership = give(camille, make_plan("pass", uses=1))
    come(membership, "1", NOW + DAY)
    membership.refresh_from_db()
    assert (membership.state, membership.ended_reason) == ("ended", "used_up")
    with pytest.raises(NoUsesLeft) as refused:
        come(membership, "2", NOW + DAY)
    assert refused.value.membership.ends_at == NOW + DAY
    assert Use.objects.count() == 1


def test_a_second_click_is_no_second_use(camille: Any, ten: Plan) -> None:
    membership = give(camille, ten)
    first = come(membership, "k")
    assert come(membership, "k", NOW + HOUR) == first
    # Also the last one, and one that has ended since.
    for number in range(9):
        last = come(membership, str(number))
    assert come(membership, "8", NOW + 60 * DAY) == last
    assert Use.objects.count() == 10
    other = give(make_user("lea@example.com"), ten)
    with pytest.raises(ValueError):
        come(other, "k")
    assert left(other) == 10


def test_a_use_is_of_the_period_that_runs(camille: Any, ten: Plan) -> None:
    membership = give(camille, ten)
    give(camille, ten, now=NOW + DAY)
    first, second = membership.periods.order_by("pk")
    assert left(membership) == 20
    assert come(membership, "1", NOW + 2 * DAY).period == first
    # The sweep has not come by yet: what was left of the first period is gone.
    later = NOW + 40 * DAY
    assert left(membership) == 19
    assert come(membership, "2", later).period == second
    assert left(membership) == 9
    assert Use.objects.filter(period=first).count() == 1


def test_what_one_period_lacks_the_next_one_has(camille: Any) -> None:
    once = make_plan("pass", uses=1)
    membership = give(camille, once)
    give(camille, once)
    first, second = membership.periods.order_by("pk")
    assert come(membership, "1", NOW + DAY).period == first
    # The same moment, and the second period has begun.
    assert come(membership, "2", NOW + DAY).period == second
    assert left(membership) == 0
    assert membership.ended_reason == "used_up"


def test_what_is_not_open_is_not_used(camille: Any, ten: Plan) -> None:
    membership = give(camille, ten)
    with pytest.raises(NotOpen) as refused:
        come(membership, "early", NOW - HOUR)
    assert refused.value.membership.state == "active"
    # Its end was not noted yet, and is by this.
    Membership.objects.update(next_check_at=NOW + 31 * DAY)
    with pytest.raises(NotOpen) as refused:
        come(membership, "late", NOW + 31 * DAY)
    assert not isinstance(refused.value, NoUsesLeft)
    assert refused.value.membership.ended_reason == "ran_out"
    membership.refresh_from_db()
    assert membership.state == "ended"

    waiting = give(make_user("lea@example.com"), ten, counts_from=None)
    with pytest.raises(NotOpen):
        come(waiting, "unpaid")
    assert not Use.objects.exists()
    membership.delete()
    with pytest.raises(Membership.DoesNotExist):
        record_use(waiting.__class__(pk=membership.pk or 0), key="gone", how="list", by=None, now=NOW)


def test_what_was_taken_back_meanwhile_is_not_used(camille: Any, ten: Plan) -> None:
    membership = give(camille, ten)
    take_back(membership.periods.get(), Membership.Reason.STAFF, now=NOW + HOUR)
    with pytest.raises(NotOpen) as refused:
        come(membership, "k", NOW + 2 * HOUR)
    assert refused.value.membership.ended_reason == "staff"


def test_in_the_time_of_grace_the_last_period_is_used(camille: Any) -> None:
    plan = make_plan("renewing", uses=10, renews=True, grace_days=7)
    membership = give(camille, plan)
    assert membership.ends_at is not None
    Renewal.objects.create(
        membership=membership,
        number=1,
        due_at=membership.ends_at,
        state=Renewal.State.PAST_DUE,
        attempt=1,
        next_attempt_at=membership.ends_at + DAY,
        created_at=NOW,
    )
    settle(membership.pk, now=membership.ends_at + HOUR)
    use = come(membership, "k", membership.ends_at + 2 * HOUR)
    membership.refresh_from_db()
    assert (membership.state, membership.uses_left) == ("past_due", 9)
    assert use.period == membership.periods.get()
    with pytest.raises(NotOpen):
        come(membership, "late", use.used_at + 8 * DAY)


def test_undoing_gives_the_use_back_and_keeps_it_in_the_list(camille: Any, desk: Any, ten: Plan) -> None:
    membership = give(camille, ten)
    use = come(membership, "k")
    undone = undo_use(use, desk, NOW + HOUR)
    assert (undone.undone_at, undone.undone_by) == (NOW + HOUR, desk)
    assert left(membership) == 10
    # Again, by somebody else: nothing more.
    assert undo_use(use, None, NOW + DAY).undone_by == desk
    # The form it came from stays one use.
    assert come(membership, "k", NOW + DAY).undone_at == NOW + HOUR
    assert left(membership) == 10
    assert Use.objects.count() == 1


def test_undoing_the_last_use_opens_a_pass_again(camille: Any) -> None:
    plan = make_plan("pass", uses=1)
    membership = give(camille, plan)
    undo_use(come(membership, "1", NOW + DAY), None, NOW + DAY)
    membership.refresh_from_db()
    assert membership.is_open(NOW + DAY) and membership.uses_left == 1
    # Once its time is over it stays ended.
    use = come(membership, "2", NOW + DAY)
    undo_use(use, None, NOW + 40 * DAY)
    membership.refresh_from_db()
    assert (membership.state, membership.ended_reason) == ("ended", "ran_out")


def test_undoing_disturbs_no_newer_membership(camille: Any) -> None:
    plan = make_plan("pass", uses=1)
    membership = give(camille, plan)
    use = come(membership, "1", NOW + DAY)
    newer = give(camille, plan, now=NOW + 2 * DAY)
    assert newer != membership
    undo_use(use, None, NOW + 3 * DAY)
    membership.refresh_from_db()
    assert membership.state == "ended"
    assert left(newer) == 1


def test_found_by_its_code_however_it_is_typed(
    camille: Any, ten: Plan, django_assert_num_queries: Any
) -> None:
    membership = give(camille, ten)
    Membership.objects.update(code="K7Q29XMB")
    with django_assert_num_queries(1):
        found = find_membership(" k7q2-9xmb\r\n")
        assert found is not None and (found.user, found.plan) == (camille, ten)
    assert found == membership
    assert find_membership("K7Q29XMC") is None
    with django_assert_num_queries(0):
        for text in ("", "Camille", "camille@example.com", "K7Q2", "K7Q29XMBK7Q29XMB", "0OIL1111"):
            assert find_membership(text) is None


def test_staff_who_leave_leave_the_uses(camille: Any, desk: Any, ten: Plan) -> None:
    membership = give(camille, ten)
    undo_use(come(membership, "1", by=desk), desk, NOW)
    desk.delete()
    use = Use.objects.get()
    assert (use.recorded_by, use.undone_by) == (None, None)


# At once, and killed


postgres_only = pytest.mark.skipif(
    connection.vendor != "postgresql",
    reason="SQLite has one writer at a time; row locks are proved with TEST_DATABASE=postgres.",
)


@postgres_only
@pytest.mark.django_db(transaction=True)
def test_sixteen_desks_and_one_use_left(camille: Any, ten: Plan) -> None:
    membership = give(camille, ten)
    for number in range(9):
        come(membership, str(number))
    results = at_once(lambda number: come(membership, f"desk {number}", NOW + HOUR))
    assert sum(isinstance(result, Use) for result in results) == 1, results
    assert sum(isinstance(result, NoUsesLeft) for result in results) == 15, results
    assert left(membership) == 0
    assert Use.objects.count() == 10


@postgres_only
@pytest.mark.django_db(transaction=True)
def test_sixteen_clicks_are_one_use(camille: Any, ten: Plan) -> None:
    membership = give(camille, ten)
    results = at_once(lambda number: come(membership, "k", NOW + HOUR))
    assert len({use.pk for use in results}) == 1, results
    assert left(membership) == 9

    undone = at_once(lambda number: undo_use(results[0], None, NOW + HOUR))
    assert len({use.pk for use in undone}) == 1, undone
    assert left(membership) == 10


@postgres_only
@pytest.mark.django_db(transaction=True)
def test_uses_undoings_and_new_periods_at_once(camille: Any, ten: Plan) -> None:
    """Sixteen desks and offices at one membership, without a deadlock; the end is what the rows say."""
    membership = give(camille, ten)
    before = [come(membership, f"before {number}") for number in range(4)]

    def work(number: int) -> Any:
        if number % 4 == 0:
            return undo_use(before[number // 4], None, NOW + HOUR)
        if number % 4 == 1:
            return give(camille, ten, now=NOW + HOUR)
        if number % 4 == 2:
            return settle(membership.pk, now=NOW + HOUR)
        return come(membership, f"desk {number}", NOW + HOUR)

    results = at_once(work)
    assert not [result for result in results if isinstance(result, Exception)], results
    assert Period.objects.count() == 5
    assert left(membership) == 50 - 4


MEMBERS = 24


@pytest.mark.django_db(transaction=True)
def test_a_use_killed_at_each_step_is_one_or_none(ten: Plan) -> None:
    members = [give(make_user(f"member{number}@example.com"), ten) for number in range(MEMBERS)]
    done = in_a_process(
        "tests.memberships.dying_use", memberships=[row.pk for row in members], now=NOW.isoformat()
    )
    assert len(done["died"]) > 5 and done["died"][-1] == done["steps"]

    def facts() -> set[tuple[int, int | None]]:
        return {
            (row.uses_made.filter(undone_at=None).count(), row.uses_left) for row in Membership.objects.all()
        }

    assert facts() == {(0, 10), (1, 9)}
    # Settling finds nothing to mend.
    before = facts()
    for row in members:
        settle(row.pk, now=NOW)
    assert facts() == before
    # Whoever got no answer sends the form again.
    for row in members:
        come(row, f"key {row.pk}")
    assert facts() == {(1, 9)}
    assert Use.objects.count() == MEMBERS


def test_uses_that_nobody_settled_count(camille: Any, ten: Plan) -> None:
    """Written past us, or restored from elsewhere: settling computes the same as recording does."""
    membership = give(camille, ten)
    use = come(membership, "1")
    Membership.objects.update(uses_left=10)
    settle(membership.pk, now=NOW)
    assert left(membership) == 9
    Use.objects.filter(pk=use.pk).update(undone_at=NOW)
    settle(membership.pk, now=NOW)
    assert left(membership) == 10
