"""Several sweeps at once, and one that dies anywhere: nothing is planned twice, and nothing is lost."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections

from tests.admin.rows import make_user
from tests.killing import in_a_process
from tests.messages.sequences import DAY, START, begin, make_sequence, planned
from wagtail_referrals.messages.enrolling import enroll
from wagtail_referrals.messages.models import Enrollment, Message
from wagtail_referrals.messages.steps import plan_due

pytestmark = pytest.mark.django_db(transaction=True)

on_postgres = pytest.mark.skipif(
    "connection.vendor != 'postgresql'", reason="concurrency is proved on PostgreSQL"
)
THREADS = 6
PEOPLE = 60
MINUTE = timedelta(minutes=1)


def at_once(job: Any) -> list[Any]:
    assert connection.vendor == "postgresql"
    barrier = threading.Barrier(THREADS)
    results: list[Any] = [None] * THREADS

    def run(index: int) -> None:
        try:
            barrier.wait(timeout=30)
            results[index] = job(index)
        except Exception as error:
            results[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs: a deadlock?"
    errors = [result for result in results if isinstance(result, Exception)]
    assert not errors, errors
    return results


@on_postgres
def test_sweeps_at_once_plan_each_message_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wagtail_referrals.messages.steps.BATCH", 4)
    lea = make_user("lea@example.com", "Léa")
    sequence = make_sequence({"name": "Welcome"}, {"name": "And this"}, {"name": "Tip", "delay": 1})
    for _number in range(PEOPLE):
        begin(sequence, lea)
    first = at_once(lambda index: plan_due(now=START))
    assert sum(first) == 2 * PEOPLE, "all are done when the last sweep is"
    second = at_once(lambda index: plan_due(now=START + DAY))
    assert sum(second) == PEOPLE
    assert Counter(planned()) == {"Welcome": PEOPLE, "And this": PEOPLE, "Tip": PEOPLE}
    assert Message.objects.values("key").distinct().count() == 3 * PEOPLE
    assert not Enrollment.objects.exclude(state=Enrollment.State.FINISHED).exists()


@on_postgres
def test_one_cause_begins_a_sequence_once_whoever_says_so() -> None:
    lea = make_user("lea@example.com", "Léa")
    make_sequence({"name": "Welcome"})
    at_once(lambda index: enroll("friend_registered", user=lea, cause="order:7", now=START))
    assert Enrollment.objects.count() == 1


@on_postgres
def test_who_is_locked_is_left_to_the_next_sweep() -> None:
    from django.db import transaction

    lea = make_user("lea@example.com", "Léa")
    sequence = make_sequence({"name": "Welcome"})
    held, free = begin(sequence, lea), begin(sequence, lea)
    found: list[int] = []
    with transaction.atomic():
        Enrollment.objects.select_for_update(no_key=True).get(pk=held.pk)

        def work() -> None:
            try:
                found.append(plan_due(now=START))
            finally:
                connections.close_all()

        thread = threading.Thread(target=work)
        thread.start()
        thread.join(timeout=60)
    assert found == [1] and Message.objects.get().enrollment == free
    assert plan_due(now=START + MINUTE) == 1


def test_a_sweep_killed_at_each_step_loses_nothing() -> None:
    lea = make_user("lea@example.com", "Léa")
    sequence = make_sequence(
        {"name": "Welcome"},
        {"name": "Tip", "delay": 1, "condition": "ordered", "is_negated": True},
        goal="ordered",
        stops=["has_shared"],
    )
    rounds = 20
    starts = [START + index * 10 * DAY for index in range(rounds)]
    for moment in starts:
        # As many as are due at each of these moments: one is sent a welcome.
        begin(sequence, lea, now=moment)
    done = in_a_process("tests.messages.dying_sweep", moments=[moment.isoformat() for moment in starts])
    assert len(done["died"]) > 10 and done["died"][-1] <= done["steps"]
    last = starts[-1]
    for index in range(36):
        plan_due(now=last + index * DAY)
    names = Counter(planned())
    assert names == {"Welcome": rounds, "Tip": rounds}, names
    for enrollment in Enrollment.objects.all():
        assert planned(enrollment) == ["Welcome", "Tip"]
        assert enrollment.state == Enrollment.State.FINISHED
