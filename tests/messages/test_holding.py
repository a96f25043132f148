"""Quiet hours by the reader's clock, and the most in seven days."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from django.core import mail
from django.db import connection
from hypothesis import example, given
from hypothesis import strategies as st

from tests.admin.rows import make_user
from tests.credit.test_concurrency import at_once, no_errors
from tests.messages.made import ACCOUNT_KEY, EXTRA_KEY, NOW_KEY, make_message
from wagtail_referrals.messages import Limits, deliver_pending, holding
from wagtail_referrals.messages.holding import after_quiet_hours, hold_until
from wagtail_referrals.messages.models import Message, Preferences
from wagtail_referrals.site.settings import ReferralSettings, limits_of

State = Message.State
PARIS = ZoneInfo("Europe/Paris")
NINE, EIGHT = time(21), time(8)
NOON = datetime(2027, 2, 12, 12, tzinfo=UTC)
NIGHT = datetime(2027, 2, 12, 23, tzinfo=UTC)


def paris(*parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=PARIS, fold=fold)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("moment", "sent"),
    [
        ((2027, 2, 12, 20, 59), (2027, 2, 12, 20, 59)),
        ((2027, 2, 12, 21, 0), (2027, 2, 13, 8, 0)),
        ((2027, 2, 12, 23, 59), (2027, 2, 13, 8, 0)),
        ((2027, 2, 13, 0, 0), (2027, 2, 13, 8, 0)),
        ((2027, 2, 13, 7, 59), (2027, 2, 13, 8, 0)),
        ((2027, 2, 13, 8, 0), (2027, 2, 13, 8, 0)),
        # The nights in which the clocks are changed.
        ((2026, 10, 24, 22, 0), (2026, 10, 25, 8, 0)),
        ((2026, 10, 25, 2, 30), (2026, 10, 25, 8, 0)),
        ((2027, 3, 27, 22, 0), (2027, 3, 28, 8, 0)),
        ((2027, 3, 28, 3, 0), (2027, 3, 28, 8, 0)),
    ],
)
def test_the_night_is_quiet(moment: Any, sent: Any) -> None:
    assert after_quiet_hours(paris(*moment).astimezone(UTC), PARIS, NINE, EIGHT) == paris(*sent)


def test_quiet_hours_of_a_night_with_one_hour_more_or_less() -> None:
    longer = after_quiet_hours(paris(2026, 10, 24, 21).astimezone(UTC), PARIS, NINE, EIGHT)
    shorter = after_quiet_hours(paris(2027, 3, 27, 21).astimezone(UTC), PARIS, NINE, EIGHT)
    assert longer - paris(2026, 10, 24, 21).astimezone(UTC) == timedelta(hours=12)
    assert shorter - paris(2027, 3, 27, 21).astimezone(UTC) == timedelta(hours=10)


def test_an_end_that_is_skipped_or_comes_twice() -> None:
    # At 2:00 it is 3:00: there is no half past two.
    end = after_quiet_hours(paris(2027, 3, 28, 0).astimezone(UTC), PARIS, NINE, time(2, 30))
    assert end == paris(2027, 3, 28, 3, 30)
    # At 3:00 it is 2:00 again. Whoever asks between half past two and three may; then it is quiet once more.
    first = paris(2026, 10, 25, 2, 30, fold=0).astimezone(UTC)
    second = paris(2026, 10, 25, 2, 30, fold=1).astimezone(UTC)
    assert second - first == timedelta(hours=1)
    assert after_quiet_hours(first - timedelta(minutes=1), PARIS, NINE, time(2, 30)) == first
    assert after_quiet_hours(first + timedelta(minutes=29), PARIS, NINE, time(2, 30)) < second
    assert after_quiet_hours(first + timedelta(minutes=31), PARIS, NINE, time(2, 30)) == second


def test_quiet_hours_within_a_day_and_none_at_all() -> None:
    noon = paris(2027, 2, 12, 12, 30).astimezone(UTC)
    assert after_quiet_hours(noon, PARIS, time(12), time(14)) == paris(2027, 2, 12, 14)
    assert after_quiet_hours(noon, PARIS, time(14), time(12)) == noon
    assert after_quiet_hours(noon, PARIS, time(12), time(12)) == noon


# From 2000 to 2037.
MOMENTS = st.integers(0, 37 * 365 * 24 * 60).map(
    lambda minutes: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
TIMES = st.times(max_value=time(23, 59, 59))
ZONES = st.sampled_from(sorted(available_timezones()))


@given(
    moment=MOMENTS,
    zone=ZONES,
    quiet_from=TIMES,
    quiet_until=TIMES,
)
# A day that Samoa did not have, a change of half an hour, one at midnight.
@example(datetime(2011, 12, 30, 9, tzinfo=UTC), "Pacific/Apia", time(21), time(8))
@example(datetime(2027, 4, 3, 14, tzinfo=UTC), "Australia/Lord_Howe", time(21), time(1, 45))
@example(datetime(2018, 11, 4, 2, 59, tzinfo=UTC), "America/Sao_Paulo", time(21), time(0, 30))
def test_never_within_quiet_hours_and_never_earlier(
    moment: datetime, zone: str, quiet_from: time, quiet_until: time
) -> None:
    there = ZoneInfo(zone)
    sent = after_quiet_hours(moment, there, quiet_from, quiet_until)
    assert moment <= sent <= moment + timedelta(days=3)
    quiet = (timedelta(hours=quiet_until.hour, minutes=quiet_until.minute)) - timedelta(
        hours=quiet_from.hour, minutes=quiet_from.minute
    )
    if quiet % timedelta(days=1) < timedelta(hours=22):
        wall = sent.astimezone(there).time()
        if quiet_from <= quiet_until:
            assert not quiet_from <= wall < quiet_until
        else:
            assert quiet_until <= wall < quiet_from


# Whom they are asked for


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Any:
    def put(**values: Any) -> None:
        monkeypatch.setattr(holding, "_limits", [lambda site_id: Limits(**values)])

    return put


@pytest.mark.django_db
@pytest.mark.usefixtures("own_kinds")
def test_what_somebody_waits_for_is_held_back_by_nothing(limits: Any) -> None:
    limits(quiet_from=NINE, quiet_until=EIGHT, most_a_week=1)
    user = make_user("camille@example.com")
    make_message("before", user, kind=EXTRA_KEY, state=State.SENT, sent_at=NIGHT - timedelta(days=1))
    morning = datetime(2027, 2, 13, 8, tzinfo=ZoneInfo("Europe/Paris"))
    Preferences.objects.create(user=user, time_zone="Europe/Paris", changed_at=NOON)
    assert hold_until(make_message("a", user, kind=NOW_KEY, now=NIGHT), NIGHT) is None
    assert hold_until(make_message("b", user, kind=ACCOUNT_KEY, now=NIGHT), NIGHT) == morning
    extra = make_message("c", user, kind=EXTRA_KEY, now=NIGHT)
    assert hold_until(extra, NIGHT) == NIGHT + timedelta(days=6) + timedelta(hours=8)


@pytest.mark.django_db
@pytest.mark.usefixtures("own_kinds")
@pytest.mark.parametrize(
    "name",
    ["Europe/Paris", "", "Nowhere/At_All", "Europe", "../../etc/passwd", "/etc/passwd", "é", " ", "x" * 64],
)
def test_any_name_of_a_time_zone_can_be_asked_for(name: str, limits: Any, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Paris"
    limits(quiet_from=NINE, quiet_until=EIGHT)
    user = make_user("camille@example.com")
    Preferences.objects.create(user=user, time_zone=name, changed_at=NOON)
    message = make_message("a", user, kind=ACCOUNT_KEY, now=NIGHT)
    assert hold_until(message, NIGHT) == paris(2027, 2, 13, 8)


@pytest.mark.django_db
@pytest.mark.usefixtures("own_kinds")
def test_it_is_the_readers_clock(limits: Any) -> None:
    limits(quiet_from=NINE, quiet_until=EIGHT)
    user = make_user("camille@example.com")
    Preferences.objects.create(user=user, time_zone="Asia/Tokyo", changed_at=NOON)
    assert hold_until(make_message("a", user, kind=ACCOUNT_KEY, now=NIGHT), NIGHT) is None
    assert hold_until(make_message("b", user, kind=ACCOUNT_KEY, now=NOON), NOON) == NOON + timedelta(hours=11)


@pytest.mark.django_db
@pytest.mark.usefixtures("own_kinds")
def test_the_site_says_what_holds_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from wagtail.models import Site

    site = Site.objects.get(is_default_site=True)
    monkeypatch.setattr(holding, "_limits", [limits_of])
    user = make_user("camille@example.com")
    Preferences.objects.create(user=user, time_zone="UTC", changed_at=NOON)
    message = make_message("a", user, kind=ACCOUNT_KEY, now=NIGHT)
    assert hold_until(message, NIGHT) == NIGHT + timedelta(hours=9), (
        "without any settings: from 21:00 to 8:00"
    )
    ReferralSettings.objects.create(site=site, quiet_from=time(22), quiet_until=time(6, 30), most_a_week=None)
    assert hold_until(message, NIGHT) == NIGHT + timedelta(hours=7.5)
    assert limits_of(site.pk) == Limits(time(22), time(6, 30), None)
    ReferralSettings.objects.get().delete()
    ReferralSettings.objects.create(site=site, quiet_from=None, quiet_until=None)
    assert hold_until(message, NIGHT) is None


@pytest.mark.django_db
@pytest.mark.usefixtures("own_kinds")
def test_what_is_held_back_waits_and_is_sent_then(limits: Any) -> None:
    limits(quiet_from=NINE, quiet_until=EIGHT)
    user = make_user("camille@example.com")
    Preferences.objects.create(user=user, time_zone="UTC", changed_at=NOON)
    message = make_message("a", user, kind=ACCOUNT_KEY, now=NIGHT)
    assert deliver_pending(now=NIGHT) == 0 and not mail.outbox
    message.refresh_from_db()
    assert (message.state, message.attempts) == (State.PENDING, 0)
    assert message.next_attempt_at == NIGHT + timedelta(hours=9)
    assert deliver_pending(now=NIGHT + timedelta(hours=8, minutes=59)) == 0
    assert deliver_pending(now=NIGHT + timedelta(hours=9)) == 1 and len(mail.outbox) == 1


@pytest.mark.django_db
@pytest.mark.usefixtures("own_kinds")
def test_three_in_seven_days_and_the_next_when_the_first_is_over(limits: Any) -> None:
    limits(most_a_week=3)
    user = make_user("camille@example.com")
    for number in range(5):
        make_message(str(number), user, kind=EXTRA_KEY, now=NOON + timedelta(hours=number))
    for hour in range(6):
        deliver_pending(now=NOON + timedelta(hours=hour))
    assert len(mail.outbox) == 3
    week = NOON + timedelta(days=7)
    waiting = Message.objects.filter(state=State.PENDING)
    # The first place is free when the first of the three is seven days old; whoever is later waits for the second.
    assert {message.next_attempt_at for message in waiting} == {week}
    assert deliver_pending(now=week - timedelta(seconds=1)) == 0
    assert deliver_pending(now=week) == 1
    assert waiting.get().next_attempt_at == week + timedelta(hours=1)
    assert deliver_pending(now=week + timedelta(hours=1)) == 1


@pytest.mark.django_db
@pytest.mark.usefixtures("own_kinds")
def test_what_is_counted(limits: Any) -> None:
    limits(most_a_week=2)
    user = make_user("camille@example.com")
    message = make_message("a", user, kind=EXTRA_KEY)

    def others(**values: Any) -> datetime | None:
        Message.objects.exclude(pk=message.pk).delete()
        for number in range(2):
            make_message(f"other-{number}", **{"user": user, "kind": EXTRA_KEY, **values})
        return hold_until(message, NOON)

    sent = {"state": State.SENT, "sent_at": NOON - timedelta(days=2)}
    assert others(**sent) == NOON + timedelta(days=5)
    assert others(**sent | {"sent_at": NOON - timedelta(days=7)}) is None
    assert others(**sent, kind=ACCOUNT_KEY) is None
    assert others(**sent, user=make_user("noor@example.com")) is None
    # Nobody knows whether these went, or they are on their way.
    for state in (State.UNSURE, State.SENDING):
        assert others(state=state, claimed_until=NOON + timedelta(minutes=9)) is not None
    for state in (State.DROPPED, State.FAILED, State.PENDING, State.CLAIMED):
        assert others(state=state, claimed_until=NOON + timedelta(minutes=9)) is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_kinds")
@pytest.mark.skipif(
    connection.vendor != "postgresql",
    reason="SQLite has one writer at a time; row locks are proved with TEST_DATABASE=postgres.",
)
def test_eight_workers_send_no_more_than_is_allowed(limits: Any) -> None:
    limits(most_a_week=3)
    user = make_user("camille@example.com")
    for number in range(16):
        make_message(f"m{number}", user, kind=EXTRA_KEY, now=NOON)
    results = at_once(lambda number: deliver_pending(now=NOON), 8)
    no_errors(results)
    assert sum(results) == len(mail.outbox) == 3
    assert Message.objects.filter(state=State.SENT).count() == 3
    assert Message.objects.filter(state=State.PENDING, claimed_until=None).count() == 13


@pytest.mark.django_db
@pytest.mark.usefixtures("own_kinds")
def test_a_shop_that_sweeps_at_night_only_sends_the_night_after(limits: Any) -> None:
    limits(quiet_from=NINE, quiet_until=EIGHT)
    user = make_user("camille@example.com")
    Preferences.objects.create(user=user, time_zone="UTC", changed_at=NOON)
    message = make_message("a", user, kind=ACCOUNT_KEY, now=NIGHT)
    assert deliver_pending(now=NIGHT) == 0
    message.refresh_from_db()
    assert message.next_attempt_at == NIGHT + timedelta(hours=9)
    # A sweep of the next day would have sent it; there was none.
    assert deliver_pending(now=NIGHT + timedelta(days=1)) == 1
    message.refresh_from_db()
    assert message.state == State.SENT


@pytest.mark.django_db
@pytest.mark.usefixtures("own_kinds")
def test_what_is_a_little_late_waits_for_the_morning(limits: Any) -> None:
    limits(quiet_from=NINE, quiet_until=EIGHT)
    user = make_user("camille@example.com")
    Preferences.objects.create(user=user, time_zone="UTC", changed_at=NOON)
    message = make_message("a", user, kind=ACCOUNT_KEY, now=NOON)
    assert hold_until(message, NIGHT) == NIGHT + timedelta(hours=9)
    assert hold_until(message, NOON + holding.LATE) is None
