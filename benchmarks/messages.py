"""Sequences of a big shop, on PostgreSQL: ``python -m benchmarks.messages``.

100,000 people whose next message is due, in a sequence with an aim, a reason to stop, and a condition at the step. One
sweep plans all of it; beside it, as many rows of messages are only inserted, in the same batches. Then the same
people are looked at once more, with nothing due. Goal: 60 s, in memory that does not grow with the number of people.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

PEOPLE = 100_000
GOAL = 60.0
# What a process may need beyond what it had after the first batches, in MB.
GROWTH = 20.0
NOW = datetime(2026, 11, 2, 10, tzinfo=UTC)


def memory() -> float:
    """In MB, at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fill(people: int) -> Any:
    """Customers, each on the way through a sequence, with the welcome behind them and the tip due."""
    from django.contrib.auth import get_user_model

    from wagtail_referrals.messages.models import Enrollment, MessageTemplate, Sequence, SequenceStep

    User = get_user_model()
    template = MessageTemplate.objects.create(kind="sequence", name="Tip", live=True)
    sequence = Sequence(
        name="Friends", start="friend_registered", goal="ordered", stops=["has_shared"], live=True
    )
    sequence.steps = [
        SequenceStep(sort_order=0, template=template),
        SequenceStep(sort_order=1, delay=2, condition="reward_given", is_negated=True, template=template),
        SequenceStep(sort_order=2, delay=9, template=template),
    ]
    sequence.save()
    welcome = str(sequence.steps.all()[0].key)
    began = NOW - timedelta(days=2)
    done = {welcome: began.isoformat(), "sent": began.isoformat()}
    for start in range(0, people, 5000):
        numbers = range(start, min(start + 5000, people))
        users = User.objects.bulk_create(
            User(username=f"c{number}", email=f"c{number}@mail.example") for number in numbers
        )
        Enrollment.objects.bulk_create(
            Enrollment(
                key=f"{sequence.key}:{number}",
                sequence=sequence,
                user=user,
                done=done,
                started_at=began,
                next_at=NOW,
            )
            for number, user in zip(numbers, users, strict=True)
        )
    return sequence


def plain(people: int) -> float:
    """Nothing but inserting as many messages; in seconds."""
    from wagtail_referrals.messages.models import Enrollment, Message

    keys = list(Enrollment.objects.order_by("pk").values_list("pk", "user_id"))
    started = time.perf_counter()
    for start in range(0, people, 1000):
        Message.objects.bulk_create(
            Message(
                key=f"plain:{pk}",
                kind="sequence",
                user_id=user_id,
                enrollment_id=pk,
                data={"template": 1},
                created_at=NOW,
                next_attempt_at=NOW,
            )
            for pk, user_id in keys[start : start + 1000]
        )
    return time.perf_counter() - started


def measure(people: int) -> float:
    from django.core.management.base import OutputWrapper
    from django.db import connection

    from wagtail_referrals.management.progress import Progress
    from wagtail_referrals.messages.models import Enrollment, Message
    from wagtail_referrals.messages.steps import plan_due

    sequence = fill(people)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    at: list[float] = []

    progress = Progress(OutputWrapper(sys.stderr))

    def show(what: str, done: int, total: int) -> None:
        at.append(memory())
        progress.show(what, done, total)

    started, worked = time.perf_counter(), time.process_time()
    planned = plan_due(now=NOW, progress=show)
    took, worked = time.perf_counter() - started, time.process_time() - worked
    progress.clear()
    assert planned == people == Message.objects.count(), planned
    assert not Enrollment.objects.filter(next_at__lte=NOW).exists()
    assert {*Enrollment.objects.values_list("waits_for", flat=True)} == {sequence.steps.all()[2].key}
    grown = at[-1] - at[min(4, len(at) - 1)]
    Message.objects.all().delete()
    floor = plain(people)
    later = NOW + timedelta(hours=1)
    started, looking = time.perf_counter(), time.process_time()
    assert plan_due(now=later) == 0
    looked, looking = time.perf_counter() - started, time.process_time() - looking
    print(
        f"  planned: {took:6.1f} s, {took / floor:4.1f} times as long as inserting the rows ({floor:.1f} s)"
    )
    print(f"  of which this process worked: {worked:.1f} s; the rest is the database's, and waiting")
    print(f"  looked at with nothing due: {looked:6.1f} s, of which this process worked {looking:.1f} s")
    print(f"  memory that it needed beyond the first batches: {grown:.1f} MB of {at[-1]:.0f}")
    assert grown < GROWTH, grown
    return took


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.messages", description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE)
    options = parser.parse_args()
    os.environ["TEST_DATABASE"] = "postgres"
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"

    import django

    django.setup()
    from tests.databases import TestDatabase

    database = TestDatabase(lambda text: print(text, file=sys.stderr, flush=True))
    try:
        print(f"\nSequences, {options.people} people with a message due, on postgres (goal: {GOAL:.0f} s)")
        took = measure(options.people)
    finally:
        database.drop()
    print(f"  {'reached' if took < GOAL else 'NOT reached'}: {took:.1f} s")


if __name__ == "__main__":
    main()
