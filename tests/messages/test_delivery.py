"""From planned to sent: at most once, whatever fails or dies on the way."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.db import DatabaseError, connection, transaction

from tests.admin.rows import make_advocate, make_program, make_referral, make_user
from tests.credit.test_concurrency import at_once, no_errors
from tests.killing import in_a_process
from tests.messages.dying import LineInAFile
from tests.messages.made import ACCOUNT_KEY, KINDS, NOW_KEY, make_message
from wagtail_referrals.messages import deliver, deliver_pending, delivery, tasks, write
from wagtail_referrals.messages.channels import EMAIL, MaybeSent, Refused, channels
from wagtail_referrals.messages.kinds import message_kinds
from wagtail_referrals.messages.models import Message, Preferences
from wagtail_referrals.messages.suppressing import is_suppressed
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals.models import TimelineEvent
from wagtail_referrals.referrals.timeline import event_words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_kinds")]

NOW = datetime(2027, 2, 12, 12, tzinfo=UTC)
State = Message.State
MINUTE = timedelta(minutes=1)


class Way:
    """Fails as it is told, else keeps what it is given."""

    key = EMAIL
    label = "Post"

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.sent: list[str] = []
        self.state_then = ""

    def address_of(self, recipient: Any) -> str:
        return str(getattr(recipient, "email", ""))

    def send(self, message: Message, content: Any, address: str) -> None:
        self.state_then = Message.objects.get(pk=message.pk).state
        if self.error is not None:
            raise self.error
        self.sent.append(address)


@pytest.fixture
def way() -> Iterator[Way]:
    kept = channels.get(EMAIL)
    channels.unregister(EMAIL)
    yield channels.register(Way())  # type: ignore[misc]
    channels.unregister(EMAIL)
    channels.register(kept)


def read(message: Message) -> Message:
    return Message.objects.get(pk=message.pk)


def test_the_states_of_a_message(way: Way) -> None:
    message = make_message("a", now=NOW)
    assert deliver_pending(now=NOW) == 1
    assert way.state_then == State.SENDING and way.sent == ["a@example.com"]
    sent = read(message)
    assert (sent.state, sent.reason, sent.attempts) == (State.SENT, "", 1)
    assert (sent.sent_at, sent.claimed_until, sent.channel) == (NOW, None, EMAIL)
    assert deliver_pending(now=NOW) == 0 and len(way.sent) == 1


def test_it_is_tried_again_with_longer_and_longer_pauses(way: Way, caplog: pytest.LogCaptureFixture) -> None:
    message = make_message("a", now=NOW)
    way.error = OSError("a@example.com")
    now, pauses = NOW, []
    with caplog.at_level(logging.DEBUG):
        while read(message).state == State.PENDING:
            assert deliver_pending(now=now - MINUTE) == 0, "not before it is due"
            assert deliver_pending(now=now) == 0
            then = read(message).next_attempt_at
            assert then is not None
            pauses.append((then - now) / MINUTE)
            now = then
    failed = read(message)
    assert pauses[:-1] == [2, 4, 8, 16, 32, 64, 128]
    assert (failed.state, failed.reason, failed.attempts) == (State.FAILED, "not_taken", 8)
    assert "OSError" in caplog.text and "example.com" not in caplog.text
    # Staff may have it tried once more.
    way.error = None
    assert delivery.try_again(Message.objects.all(), now=now) == 1
    assert deliver_pending(now=now) == 1 and read(message).attempts == 1


def test_a_message_that_cannot_be_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    message = make_message("a", now=NOW)
    other = make_message("b", now=NOW)
    compose = delivery.compose

    def fails(asked: Message, recipient: Any) -> Any:
        if asked.pk == message.pk:
            raise ValueError
        return compose(asked, recipient)

    monkeypatch.setattr(delivery, "compose", fails)
    assert deliver_pending(now=NOW) == 1, "the others are sent"
    assert read(other).state == State.SENT
    for minutes in range(300):
        deliver_pending(now=NOW + minutes * MINUTE)
    assert (read(message).state, read(message).reason) == (State.FAILED, "not_written")
    assert len(mail.outbox) == 1


def test_an_address_that_is_refused_is_not_tried_again(way: Way) -> None:
    message = make_message("a", now=NOW)
    way.error = Refused()
    deliver_pending(now=NOW)
    assert (read(message).state, read(message).reason) == (State.FAILED, "refused")
    assert not is_suppressed("a@example.com")
    way.error = Refused(is_gone=True)
    make_message("b", now=NOW)
    deliver_pending(now=NOW)
    assert is_suppressed("b@example.com")


def test_who_has_no_address() -> None:
    message = make_message("a", now=NOW)
    message.user.email = ""
    message.user.save()
    gone = make_message("b", now=NOW)
    Message.objects.filter(pk=gone.pk).update(user=None)
    assert deliver_pending(now=NOW) == 0
    assert {read(each).reason for each in (message, gone)} == {"no_address"}
    assert {read(each).state for each in (message, gone)} == {State.FAILED}


def test_what_is_not_due_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    key = KINDS[0].key
    for may_come_again, left in ((False, [(State.DROPPED.value, "not_due")]), (True, [])):
        message_kinds.unregister(key)
        message_kinds.register(
            replace(KINDS[0], is_due=lambda message, now: False, may_come_again=may_come_again)
        )
        make_message("a", make_user(f"{may_come_again}@example.com"), now=NOW)
        assert deliver_pending(now=NOW) == 0
        assert list(Message.objects.values_list("state", "reason")) == left
        Message.objects.all().delete()
    assert not mail.outbox


def test_the_way_that_the_customer_prefers(way: Way) -> None:
    class Text(Way):
        key = "text"

        def address_of(self, recipient: Any) -> str:
            return "" if recipient.last_name == "No telephone" else "+33"

    text = Text()
    channels.register(text)
    try:
        for number, (chosen, name) in enumerate((("text", ""), ("text", "No telephone"), ("gone", ""))):
            user = make_user(f"{number}@example.com", last_name=name)
            Preferences.objects.create(user=user, channel=chosen, changed_at=NOW)
            make_message(str(number), user, now=NOW + number * MINUTE)
        planned_so = make_message("text", channel="text", now=NOW + 5 * MINUTE)
        assert deliver_pending(now=NOW + 9 * MINUTE) == 4
        assert text.sent == ["+33", "+33"] and way.sent == ["1@example.com", "2@example.com"]
        assert read(planned_so).channel == "text"
        assert list(Message.objects.order_by("pk").values_list("channel", flat=True)) == [
            "text",
            "email",
            "email",
            "text",
        ]
    finally:
        channels.unregister("text")


# Workers that die, or that are slow


def test_a_claim_that_ran_out_is_taken_by_somebody_else(way: Way) -> None:
    message = make_message("a", now=NOW, state=State.CLAIMED, claimed_until=NOW + 10 * MINUTE, attempts=1)
    assert deliver_pending(now=NOW + 9 * MINUTE) == 0 and read(message).state == State.CLAIMED
    assert deliver_pending(now=NOW + 10 * MINUTE) == 1
    assert read(message).attempts == 2


def test_a_message_at_which_workers_die_is_given_up(way: Way) -> None:
    message = make_message("a", now=NOW, state=State.CLAIMED, claimed_until=NOW, attempts=delivery.ATTEMPTS)
    assert deliver_pending(now=NOW) == 0
    assert (read(message).state, read(message).reason) == (State.FAILED, "not_written")


def test_who_comes_back_late_finds_that_somebody_else_has_it(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = make_message("a", now=NOW)
    compose = delivery.compose
    later = NOW + 11 * MINUTE

    def takes_long(asked: Message, recipient: Any) -> Any:
        # Its claim has run out, and another worker takes it.
        delivery.release(later)
        assert delivery._take(message.pk, later) is not None
        return compose(asked, recipient)

    monkeypatch.setattr(delivery, "compose", takes_long)
    assert deliver_pending(now=NOW) == 0 and not way.sent
    assert (read(message).state, read(message).claimed_until) == (State.CLAIMED, later + delivery.CLAIM)
    monkeypatch.setattr(delivery, "compose", compose)
    assert deliver_pending(now=later + delivery.CLAIM) == 1 and way.sent == ["a@example.com"]


def test_what_was_being_handed_over_is_never_sent_again(way: Way) -> None:
    message = make_message("a", now=NOW, state=State.SENDING, claimed_until=NOW + 60 * MINUTE, attempts=1)
    assert deliver_pending(now=NOW + 59 * MINUTE) == 0 and read(message).state == State.SENDING
    for _twice in range(2):
        assert deliver_pending(now=NOW + 60 * MINUTE) == 0
        assert read(message).state == State.UNSURE
    assert delivery.try_again(Message.objects.all()) == 0
    assert not way.sent


def test_a_connection_that_breaks_in_the_middle(way: Way) -> None:
    message = make_message("a", now=NOW)
    way.error = MaybeSent()
    assert deliver_pending(now=NOW) == 0
    assert read(message).state == State.UNSURE
    way.error = None
    assert deliver_pending(now=NOW + timedelta(days=1)) == 0 and not way.sent


def test_a_delivery_that_took_longer_than_anybody_waits_was_one(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = make_message("a", now=NOW)
    send = way.send

    def slow(*args: Any) -> None:
        delivery.release(NOW + 61 * MINUTE)
        assert read(message).state == State.UNSURE
        send(*args)

    monkeypatch.setattr(way, "send", slow)
    assert deliver_pending(now=NOW) == 1
    assert read(message).state == State.SENT and read(message).sent_at == NOW


def test_the_timeline_of_the_referral(way: Way) -> None:
    make_program()
    referral = make_referral(Terms.objects.get(), make_advocate(), make_user("lea@example.com", "Léa"))
    sent, refused, broken = (
        make_message(key, now=NOW + number * MINUTE, referral=referral, data={"side": "friend"})
        for number, key in enumerate("abc")
    )
    deliver_pending(now=NOW)
    way.error = Refused()
    deliver_pending(now=NOW + MINUTE)
    way.error = MaybeSent()
    deliver_pending(now=NOW + 2 * MINUTE)
    assert [read(each).state for each in (sent, refused, broken)] == [State.SENT, State.FAILED, State.UNSURE]
    events = TimelineEvent.objects.filter(referral=referral, kind__startswith="message").order_by(
        "created_at"
    )
    assert [event.kind for event in events] == ["message", "message_not_sent", "message_unsure"]
    words = [event_words(event) for event in events]
    assert "to the friend" in words[1] and "the address was refused" in words[1]
    assert "may have been sent" in words[2]


@pytest.mark.django_db(transaction=True)
def test_a_delivery_killed_at_each_step(tmp_path: Path) -> None:
    """Nothing is lost, and nothing is sent twice."""
    users = [make_user(f"reader{number}@example.com") for number in range(60)]
    for number, user in enumerate(users):
        make_message(f"m{number}", user, kind=ACCOUNT_KEY, now=NOW)
    path = tmp_path / "sent"
    path.touch()
    done = in_a_process("tests.messages.dying", path=str(path), now=NOW.isoformat())
    assert done["died"] == list(range(1, done["steps"] + 1)), "at every step, from the first to the last"
    states = Counter(Message.objects.filter(claimed_until=None).values_list("state", flat=True))
    assert set(states) == {State.PENDING, State.SENT}, "before it was claimed, and when it was sent"
    held = Counter(Message.objects.exclude(claimed_until=None).values_list("state", flat=True))
    assert held[State.CLAIMED] > 3 and held[State.SENDING] > 1
    # Those that come after.
    Message.objects.filter(state=State.PENDING).update(next_attempt_at=NOW)
    kept = channels.get(EMAIL)
    channels.unregister(EMAIL)
    channels.register(LineInAFile(str(path)))
    try:
        deliver_pending(now=NOW + 10 * MINUTE)
        deliver_pending(now=NOW + timedelta(hours=2))
        assert deliver_pending(now=NOW + timedelta(days=1)) == 0
    finally:
        channels.unregister(EMAIL)
        channels.register(kept)
    sent = Counter(path.read_text().split())
    assert max(sent.values()) == 1, "nothing is sent twice"
    states = Counter(Message.objects.values_list("state", flat=True))
    assert set(states) == {State.SENT, State.UNSURE}, "nothing is lost"
    assert states[State.UNSURE] == held[State.SENDING]
    assert {*Message.objects.filter(state=State.SENT).values_list("key", flat=True)} <= set(sent)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    connection.vendor != "postgresql",
    reason="SQLite has one writer at a time; row locks are proved with TEST_DATABASE=postgres.",
)
def test_eight_workers_send_each_message_once() -> None:
    for number in range(40):
        make_message(f"m{number}", now=NOW)
    results = at_once(lambda number: deliver_pending(now=NOW), 8)
    no_errors(results)
    assert sum(results) == len(mail.outbox) == 40
    assert len({sent.to[0] for sent in mail.outbox}) == 40


# Tasks


class Broken:
    """As a queue that is down."""

    def __init__(self, alias: str, params: Any) -> None:
        self.alias = alias

    def validate_task(self, task: Any) -> None:
        pass

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> None:
        raise ConnectionError("the queue is down")


@contextmanager
def use_tasks(setting: dict[str, Any]) -> Iterator[None]:
    from django.test import override_settings

    # Django's own handler, and that of django-tasks, forget what they have made of the setting.
    with override_settings(TASKS=setting):
        forget_backends()
        yield
    forget_backends()


def forget_backends() -> None:
    import django_tasks
    from asgiref.local import Local

    handlers = [django_tasks.task_backends]
    try:
        from django.tasks import task_backends
    except ImportError:
        pass
    else:
        handlers.append(task_backends)
    for handler in handlers:
        handler._settings = handler.settings = handler.configure_settings(None)
        handler._connections = Local()


BROKEN = {"default": {"BACKEND": f"{__name__}.Broken"}}


def plan(key: str = "a") -> None:
    write(NOW_KEY, key=key, user=make_user(f"{key}@example.com"), data={})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("atomic_requests", [False, True])
def test_a_queue_that_is_down_breaks_nothing(
    settings: Any, atomic_requests: bool, caplog: pytest.LogCaptureFixture, rf: Any
) -> None:
    """Neither the transaction of a checkout nor its answer, with or without ``ATOMIC_REQUESTS``."""
    from django.core.handlers.base import BaseHandler
    from django.http import HttpResponse

    def checkout(request: Any) -> HttpResponse:
        with transaction.atomic():
            plan()
        return HttpResponse("ordered")

    before = connection.settings_dict["ATOMIC_REQUESTS"]
    connection.settings_dict["ATOMIC_REQUESTS"] = atomic_requests
    handler = BaseHandler()
    try:
        with use_tasks(BROKEN):
            answer = handler.make_view_atomic(checkout)(rf.post("/"))
            assert answer.content == b"ordered"
            assert Message.objects.get().state == State.PENDING and not mail.outbox
            assert deliver_pending() == 0, "nor the sweep"
            assert Message.objects.get().claimed_until is None, "it may be tried at once when the queue is up"
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = before
    assert "no task could be enqueued" in caplog.text and "example.com" not in caplog.text
    assert deliver_pending() == 1 and len(mail.outbox) == 1


def test_without_a_queue_it_is_sent_right_after_the_transaction(
    django_capture_on_commit_callbacks: Any,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        plan()
        assert not mail.outbox
    assert len(mail.outbox) == 1


class Kept(Broken):
    """A queue that keeps what it is given."""

    kept: list[list[str]] = []

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> None:
        self.kept.append(args[0])


@pytest.fixture
def queue() -> Iterator[list[list[str]]]:
    Kept.kept = []
    with use_tasks({"default": {"BACKEND": f"{__name__}.Kept"}}):
        yield Kept.kept


def test_with_a_queue_workers_are_told(queue: Any, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        plan()
    assert queue == [["a"]] and not mail.outbox
    assert deliver_pending() == 0 and len(queue) == 1, "the sweep gives a worker its time"
    assert tasks.deliver_messages.call(["a", "gone"]) == 1
    assert tasks.deliver_messages.call(["a"]) == 0, "a task that comes twice finds nothing to do"
    assert len(mail.outbox) == 1


def test_the_sweep_tells_workers_of_what_is_due_in_batches(queue: Any) -> None:
    user = make_user("camille@example.com")
    for number in range(250):
        make_message(f"m{number:03}", user, now=NOW)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tasks.timezone, "now", lambda: NOW)
        assert deliver_pending() == 250
        assert [len(keys) for keys in queue] == [100, 100, 50]
        assert deliver_pending() == 0
        # A worker that died with its task: somebody else is told.
        patched.setattr(tasks.timezone, "now", lambda: NOW + 10 * MINUTE)
        assert deliver_pending() == 250
    deliver([f"m{number:03}" for number in range(250)])
    assert [len(keys) for keys in queue[6:]] == [100, 100, 50]
    assert not mail.outbox


def test_whoever_names_the_moment_has_it_sent_here(queue: Any) -> None:
    make_message("a", now=NOW)
    assert deliver_pending(now=NOW) == 1 and not queue and len(mail.outbox) == 1


def test_a_failing_row_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    first = make_message("a", now=NOW)
    make_message("b", now=NOW + MINUTE)
    take = delivery._take

    def fails(pk: int, now: datetime) -> Any:
        if pk == first.pk:
            raise DatabaseError
        return take(pk, now)

    monkeypatch.setattr(delivery, "_take", fails)
    assert deliver_pending(now=NOW + MINUTE) == 1
