"""Who does not want a message, and addresses to which nothing is sent."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from anymail.signals import AnymailTrackingEvent, tracking
from django.core import mail
from django.db import DatabaseError

from tests.admin.rows import make_advocate, make_program, make_referral, make_user
from tests.messages.made import ACCOUNT_KEY, NOW_KEY, make_message
from wagtail_referrals import people
from wagtail_referrals.messages import deliver_pending, suppressing
from wagtail_referrals.messages.models import Message, MessageSwitch, Preferences, Suppression
from wagtail_referrals.messages.suppressing import is_suppressed, suppress
from wagtail_referrals.messages.wanting import reason_against
from wagtail_referrals.programs.models import Program, Terms
from wagtail_referrals.referrals.models import TimelineEvent

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_kinds")]

NOW = datetime(2027, 2, 12, 12, tzinfo=UTC)
State = Message.State
EMAIL = "Camille@example.com"


@pytest.fixture
def camille() -> Any:
    return make_user(EMAIL, "Camille")


@pytest.fixture
def message(camille: Any) -> Message:
    """Of a program."""
    make_program()
    referral = make_referral(Terms.objects.get(), make_advocate(), make_user("lea@example.com", "Léa"))
    return make_message("a", camille, kind=ACCOUNT_KEY, now=NOW, referral=referral)


def reason_of(message: Message) -> str:
    deliver_pending(now=NOW)
    message.refresh_from_db()
    assert (message.state == State.DROPPED) == bool(message.reason)
    recipients = [each.to[0] for each in mail.outbox]
    assert (message.user.email in recipients) == (message.state == State.SENT)
    return message.reason


def test_by_default_it_is_sent(message: Message) -> None:
    assert reason_against(message) == "" and reason_of(message) == ""


def test_a_switch_of_the_program_counts_more_than_that_of_all(message: Message) -> None:
    program = Program.objects.get()
    for_all = MessageSwitch.objects.create(kind=ACCOUNT_KEY, is_on=False)
    assert reason_against(message) == "switched_off"
    own = MessageSwitch.objects.create(kind=ACCOUNT_KEY, program=program, is_on=True)
    assert reason_against(message) == ""
    for_all.delete()
    own.is_on = False
    own.save()
    assert reason_against(message) == "switched_off"
    # Of another kind, or about no program.
    assert reason_against(make_message("b", make_user("noor@example.com"), kind=ACCOUNT_KEY)) == ""
    assert reason_of(message) == "switched_off"
    event = TimelineEvent.objects.filter(referral=message.referral).latest("pk")
    assert (event.kind, event.data["reason"]) == ("message_not_sent", "switched_off")


def test_what_the_customer_does_not_want(message: Message, camille: Any) -> None:
    chosen = Preferences.objects.create(user=camille, unwanted=["something else"], changed_at=NOW)
    assert reason_against(message) == ""
    chosen.unwanted = [ACCOUNT_KEY]
    chosen.save()
    assert reason_against(message) == "unwanted"
    Preferences.objects.update(unwanted=[], wants_nothing=True)
    assert reason_against(message) == "unwanted"
    # What cannot be refused is not asked about.
    assert reason_against(Message(kind=NOW_KEY, user=camille)) == ""
    assert reason_of(message) == "unwanted"


def test_it_is_asked_again_right_before_it_is_handed_over(
    message: Message, camille: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wagtail_referrals.messages import delivery

    compose = delivery.compose

    def unsubscribe_meanwhile(*args: Any) -> Any:
        Preferences.objects.create(user=camille, wants_nothing=True, changed_at=NOW)
        return compose(*args)

    monkeypatch.setattr(delivery, "compose", unsubscribe_meanwhile)
    assert reason_of(message) == "unwanted"


def test_nothing_is_sent_to_a_suppressed_address(message: Message, camille: Any) -> None:
    suppress(EMAIL.lower(), Suppression.Reason.BOUNCED, now=NOW)
    assert reason_against(Message(kind=NOW_KEY, user=camille)) == "suppressed", "whatever it is"
    assert reason_of(message) == "suppressed"


def test_the_very_address_and_only_its_hash() -> None:
    suppress("Camille.R+shop@Example.com", Suppression.Reason.COMPLAINED)
    suppress("camille.r+shop@example.com", Suppression.Reason.BOUNCED)
    row = Suppression.objects.get()
    assert row.reason == "complained", "her word is not written over by a server's"
    assert row.email_key == people.exact_email_key("camille.r+shop@example.com")
    assert is_suppressed(" CAMILLE.R+shop@example.com")
    for other in ("camille.r@example.com", "camiller+shop@example.com", ""):
        assert not is_suppressed(other)
    assert "example" not in f"{row} {row.__dict__}"
    suppress("", Suppression.Reason.BOUNCED)
    assert Suppression.objects.count() == 1


# What a mail service tells


def tell(event_type: str, reject_reason: str | None = None, recipient: str | None = EMAIL) -> None:
    tracking.send(
        sender=object(),
        event=AnymailTrackingEvent(
            event_type=event_type, reject_reason=reject_reason, recipient=recipient, timestamp=NOW
        ),
        esp_name="Test",
    )


@pytest.mark.parametrize(
    ("event_type", "reject_reason", "kept"),
    [
        ("bounced", "bounced", "bounced"),
        ("bounced", "invalid", "bounced"),
        ("bounced", None, "bounced"),
        ("bounced", "spam", "complained"),
        ("bounced", "blocked", None),
        ("bounced", "timed_out", None),
        ("rejected", "bounced", "bounced"),
        ("rejected", "spam", "complained"),
        ("rejected", "unsubscribed", "refused"),
        ("rejected", "blocked", None),
        ("rejected", "other", None),
        ("complained", None, "complained"),
        ("delivered", None, None),
        ("deferred", "timed_out", None),
        ("opened", None, None),
        ("unknown", None, None),
    ],
)
def test_what_became_of_mails(event_type: str, reject_reason: str | None, kept: str | None) -> None:
    tell(event_type, reject_reason)
    tell(event_type, reject_reason)
    assert list(Suppression.objects.values_list("reason", flat=True)) == ([kept] if kept else [])
    assert is_suppressed(EMAIL) == bool(kept)


def test_the_call_of_the_mail_service_never_fails(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell("bounced", recipient=None)

    def broken(email: str, reason: Any) -> None:
        raise DatabaseError(f"no place for {email}")

    monkeypatch.setattr(suppressing, "suppress", broken)
    with caplog.at_level(logging.DEBUG):
        tell("bounced")
    assert "could not be noted" in caplog.text and "example.com" not in caplog.text


# Whoever leaves


def test_an_account_that_is_deleted(camille: Any) -> None:
    noor = make_user("noor@example.com")
    for number, state in enumerate(State.values):
        make_message(f"m{number}", camille, state=state, claimed_until=NOW)
        make_message(f"n{number}", noor, state=state, claimed_until=NOW)
    Preferences.objects.create(user=camille, changed_at=NOW)
    suppress(EMAIL, Suppression.Reason.BOUNCED)
    suppress("noor@example.com", Suppression.Reason.COMPLAINED)
    camille.delete()
    assert not Preferences.objects.exists()
    left = Message.objects.exclude(user=noor)
    # What was to be sent to nobody is not there any more; what was sent is, and does not say to whom.
    assert sorted(left.values_list("state", flat=True)) == ["dropped", "failed", "sending", "sent", "unsure"]
    assert not left.exclude(user=None).exists()
    assert not is_suppressed(EMAIL)
    noor.delete()
    assert is_suppressed("noor@example.com"), "who asked for no mails gets none, also with a new account"
    assert deliver_pending(now=NOW) == 0
