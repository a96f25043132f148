"""Credit that is about to expire is announced once for each day and step, and only while it is there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from tests.admin.rows import make_advocate, make_program, make_referral, make_user
from wagtail_referrals import credit
from wagtail_referrals.messages import announce_expiring, compose, deliver_pending
from wagtail_referrals.messages.models import Message
from wagtail_referrals.people import advocate_for
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.rewards import sweep
from wagtail_referrals.rewards.models import SweepRun
from wagtail_referrals.site.account import balance_of

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
# Given long before, and good until noon of 14 March 2027.
GIVEN = datetime(2026, 9, 1, 9, tzinfo=UTC)
END = datetime(2027, 3, 14, 12, tzinfo=UTC)


@pytest.fixture
def camille() -> Any:
    return make_user("camille@example.com", "Camille")


def give(
    user: Any, amount: str, *, key: str = "a", given: datetime = GIVEN, end: datetime = END, unit: str = "EUR"
) -> None:
    credit.grant(user=user, currency=unit, amount=Decimal(amount), key=key, expires_at=end, now=given)


def days_before(days: int) -> datetime:
    return END - days * DAY


def announced() -> list[tuple[int, str, str]]:
    """(step, day, amount) of every message, in the order they were written."""
    rows = Message.objects.filter(kind="credit_expiring").order_by("pk")
    return [(row.data["step"], row.data["day"], row.data["amount"]) for row in rows]


def deliver(now: datetime) -> list[Any]:
    """The mails that are sent by then."""
    before = len(mail.outbox)
    with time_machine.travel(now, tick=False):
        deliver_pending(now=now)
    return mail.outbox[before:]


THIRTY = (30, "2027-03-14", "15.00")
SEVEN = (7, "2027-03-14", "15.00")


def test_thirty_days_before_and_seven_days_before(camille: Any) -> None:
    give(camille, "15.00")
    for days in (60, 31):
        assert announce_expiring(now=days_before(days)) == 0
    assert announce_expiring(now=days_before(30)) == 1
    for days in (30, 29, 8):
        assert announce_expiring(now=days_before(days)) == 0
    assert announced() == [THIRTY]
    assert announce_expiring(now=days_before(7)) == 1
    for days in (7, 6, 1, 0, -1):
        assert announce_expiring(now=days_before(days)) == 0
    assert announced() == [THIRTY, SEVEN]


def test_a_day_begins_at_midnight_where_the_shop_is(camille: Any, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Paris"
    give(camille, "15.00")
    # Half past eleven of the evening before, then half past midnight, in Paris.
    assert announce_expiring(now=datetime(2027, 2, 11, 22, 30, tzinfo=UTC)) == 0
    assert announce_expiring(now=datetime(2027, 2, 11, 23, 30, tzinfo=UTC)) == 1


def test_what_ends_at_midnight_is_good_until_the_day_before(camille: Any, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Paris"
    give(camille, "15.00", end=datetime(2027, 3, 13, 23, tzinfo=UTC))
    announce_expiring(now=days_before(20))
    assert announced() == [(30, "2027-03-13", "15.00")]


def test_the_sweep_does_it_once_a_day(camille: Any) -> None:
    give(camille, "15.00")
    sweep(now=days_before(30))
    assert announced() == [THIRTY]
    Message.objects.all().delete()
    sweep(now=days_before(30) + timedelta(minutes=5))
    assert announced() == []
    sweep(now=days_before(29))
    assert announced() == [THIRTY]


def test_a_sweep_that_was_killed_does_not_count(camille: Any) -> None:
    give(camille, "15.00")
    SweepRun.objects.create(started_at=days_before(30))
    sweep(now=days_before(30) + timedelta(minutes=5))
    assert announced() == [THIRTY]


def test_several_lots_of_one_day_are_one_message(camille: Any) -> None:
    give(camille, "15.00")
    give(camille, "2.50", key="b", end=END + timedelta(hours=3))
    give(camille, "4.00", key="c", end=END + DAY)
    give(camille, "7.00", key="d", unit="USD")
    assert announce_expiring(now=days_before(29)) == 3
    assert sorted(announced()) == [
        (30, "2027-03-14", "17.50"),
        (30, "2027-03-14", "7.00"),
        (30, "2027-03-15", "4.00"),
    ]


@pytest.mark.parametrize(
    ("life", "steps"),
    [(60, [30, 7]), (31, [30, 7]), (30, [7]), (20, [7]), (8, [7]), (7, []), (3, [])],
)
def test_what_was_given_late_is_announced_by_the_steps_that_make_sense(
    camille: Any, life: int, steps: list[int]
) -> None:
    given = END - life * DAY
    give(camille, "15.00", given=given)
    for days in range(life + 1):
        announce_expiring(now=given + days * DAY)
    assert [step for step, _, _ in announced()] == steps


def test_a_late_sweep_announces_once_and_tells_the_day(camille: Any) -> None:
    give(camille, "15.00")
    announce_expiring(now=days_before(12))
    assert announced() == [THIRTY]
    (sent,) = deliver(days_before(12))
    assert sent.subject == "€15.00 can be used until March 14, 2027"
    Message.objects.all().delete()
    announce_expiring(now=days_before(3))
    assert announced() == [SEVEN]


def test_nothing_is_announced_that_is_not_there(camille: Any) -> None:
    give(camille, "15.00")
    reserved = credit.reserve(
        user=camille,
        currency="EUR",
        amount=Decimal(15),
        order_number="1",
        expires_at=END,
        now=days_before(40),
    )
    assert reserved.amount == 15
    assert announce_expiring(now=days_before(30)) == 0
    credit.release(order_number="1", now=days_before(29))
    credit.reserve(
        user=camille,
        currency="EUR",
        amount=Decimal(10),
        order_number="2",
        expires_at=END,
        now=days_before(29),
    )
    announce_expiring(now=days_before(29))
    assert announced() == [(30, "2027-03-14", "5.00")]
    credit.capture(order_number="2", now=days_before(20))
    credit.claw_back(user=camille, currency="EUR", amount=Decimal(5), key="back", now=days_before(20))
    assert announce_expiring(now=days_before(7)) == 0


def test_what_went_before_the_mail_was_sent_is_not_in_it(camille: Any) -> None:
    """The mail server was away, and the customer spent some, then all of it."""
    give(camille, "15.00")
    announce_expiring(now=days_before(30))
    credit.claw_back(user=camille, currency="EUR", amount=Decimal(5), key="back", now=days_before(30))
    (sent,) = deliver(days_before(29))
    assert "€10.00 on your account" in sent.body
    Message.objects.update(state=Message.State.PENDING)
    credit.claw_back(user=camille, currency="EUR", amount=Decimal(10), key="more", now=days_before(28))
    assert deliver(days_before(28)) == []
    assert not Message.objects.exists()


def test_a_message_of_yesterday_is_not_sent_after_the_end(camille: Any) -> None:
    give(camille, "15.00")
    announce_expiring(now=days_before(7))
    assert deliver(END + DAY) == []


def test_deleted_and_inactive_customers_hear_nothing(camille: Any) -> None:
    give(camille, "15.00")
    sleeping = make_user("noa@example.com", "Noa", is_active=False)
    give(sleeping, "15.00", key="b")
    deleted = make_user("lea@example.com", "Léa")
    give(deleted, "15.00", key="c")
    deleted.delete()
    announce_expiring(now=days_before(30))
    assert [message.user for message in Message.objects.all()] == [camille]
    camille.delete()
    assert deliver(days_before(30)) == []


def test_credit_that_never_expires_is_left_alone(camille: Any) -> None:
    credit.grant(user=camille, currency="EUR", amount=Decimal(5), key="a", now=GIVEN)
    assert announce_expiring(now=days_before(1)) == 0


def test_what_came_back_into_an_expired_lot_is_announced_with_its_new_day(camille: Any) -> None:
    give(camille, "15.00")
    credit.reserve(
        user=camille, currency="EUR", amount=Decimal(15), order_number="1", expires_at=END, now=days_before(9)
    )
    credit.capture(order_number="1", now=days_before(9))
    credit.refund(order_number="1", amount=Decimal(6), key="r", now=END + 5 * DAY)
    announce_expiring(now=END + 6 * DAY)
    assert announced() == [(30, "2027-04-18", "6.00")]


def test_each_reads_their_own_language(camille: Any, terms: Any) -> None:
    advocate = advocate_for(camille)
    advocate.language = "fr"
    advocate.save()
    give(camille, "15.00")
    friend = make_user("lea@example.com", "Léa")
    referral = make_referral(terms, make_advocate("other@example.com", "Other"), friend)
    referral.claim.language = "fr"
    referral.claim.save()
    give(friend, "15.00", key="b")
    stranger = make_user("noa@example.com", "Noa")
    give(stranger, "15.00", key="c")
    announce_expiring(now=days_before(30))
    assert {message.user.first_name: message.language for message in Message.objects.all()} == {
        "Camille": "fr",
        "Léa": "fr",
        "Noa": "",
    }


@pytest.fixture
def terms() -> Any:
    return Terms.objects.get(program=make_program())


def test_it_costs_the_same_for_one_and_for_many() -> None:
    counts = []
    # Few enough for one INSERT on SQLite, which takes a thousand values.
    for start in (0, 10):
        Message.objects.all().delete()
        for number in range(start, start + 10):
            user = make_user(f"customer{number}@example.com")
            give(user, "15.00", key=f"a{number}")
            give(user, "5.00", key=f"b{number}", end=END + DAY)
        with CaptureQueriesContext(connection) as queries:
            # Without the sending, which is one mail at a time.
            assert announce_expiring(now=days_before(29)) == 2 * (start + 10)
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert counts[0] <= 7
    with CaptureQueriesContext(connection) as queries:
        assert announce_expiring(now=days_before(29)) == 0
    assert len(queries) == 2


def test_more_than_one_batch(monkeypatch: Any) -> None:
    monkeypatch.setattr("wagtail_referrals.messages.expiring.BATCH", 3)
    for number in range(7):
        give(make_user(f"customer{number}@example.com"), "15.00", key=f"a{number}")
    assert announce_expiring(now=days_before(29)) == 7
    assert announce_expiring(now=days_before(29)) == 0


# --- the mail


def words_of(message: Message) -> tuple[str, str, str]:
    """Subject, text and the words of the HTML."""
    composed = compose(message, message.user)
    return (
        composed.subject,
        composed.text,
        BeautifulSoup(composed.html, "html.parser").get_text("\n", strip=True),
    )


def test_the_mail_says_how_much_until_when_and_what_to_do(camille: Any) -> None:
    give(camille, "15.00")
    credit.grant(user=camille, currency="EUR", amount=Decimal(5), key="b", now=GIVEN)
    announce_expiring(now=days_before(30))
    with time_machine.travel(days_before(30), tick=False):
        subject, text, html = words_of(Message.objects.get())
    assert subject == "€15.00 can be used until March 14, 2027"
    for words in (text, html):
        assert "Hello Camille," in words
        assert (
            "a reminder: €15.00 on your account can be used until March 14, 2027. What is not used by then expires."
            in words
        )
        assert "You can use it at checkout with your next order." in words
        assert "Your whole balance: €20.00." in words
    assert "/account/" in text


def test_the_last_mail_says_that_it_is_the_last(camille: Any) -> None:
    give(camille, "15.00")
    announce_expiring(now=days_before(6))
    with time_machine.travel(days_before(6), tick=False):
        _subject, text, html = words_of(Message.objects.get())
    for words in (text, html):
        assert "this is the last reminder: €15.00 on your account" in words
        # It is all there is.
        assert "Your whole balance" not in words


def test_points_are_announced_in_their_unit(camille: Any, settings: Any) -> None:
    settings.WAGTAIL_REFERRALS = {
        **settings.WAGTAIL_REFERRALS,
        "POINTS": {"unit": "LEAF", "name": "leaves"},
    }
    give(camille, "120", unit="LEAF")
    announce_expiring(now=days_before(30))
    (sent,) = deliver(days_before(30))
    assert sent.subject == "120 leaves can be used until March 14, 2027"
    assert "at checkout" not in sent.body


def test_the_account_page_says_the_same(camille: Any) -> None:
    give(camille, "15.00")
    give(camille, "2.50", key="b", end=END + timedelta(hours=3))
    with time_machine.travel(days_before(29), tick=False), override("en"):
        account = credit.account_of(camille, "EUR")
        assert account is not None
        assert balance_of(account, camille, None).expiring == ["€17.50 can be used until March 14, 2027."]
