"""When days are counted, by whom, and what the command says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from tests.admin.rows import make_advocate, make_program, make_purchase, make_referral, make_reward
from wagtail_referrals import audit, rewards, signals
from wagtail_referrals.insights import days_with, due_days, figures, read_figures, rebuild_days, refresh_days
from wagtail_referrals.insights.daily import count_days
from wagtail_referrals.insights.models import ActivePeople, ArrivalFigures, DailyFigures, FiguredDay, StaleDay
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.tracking.models import Share, Visit

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 11, tzinfo=UTC)


@pytest.fixture(autouse=True)
def zone(settings: Any) -> None:
    settings.TIME_ZONE = "UTC"


@pytest.fixture
def terms(db: None) -> Terms:
    return Terms.objects.get(program=make_program())


@pytest.fixture
def referral(terms: Terms) -> Referral:
    return make_referral(terms, make_advocate(), moment=NOON)


def recorded(purchase: Purchase, now: datetime) -> None:
    signals.purchase_recorded.send_robust(sender=Purchase, purchase=purchase, now=now)


def changed(referral: Referral, now: datetime, before: datetime | None = None) -> None:
    signals.referral_changed.send_robust(sender=Referral, referral=referral, qualified_before=before, now=now)


def marked() -> list[date]:
    return sorted(StaleDay.objects.values_list("day", flat=True))


def test_a_day_is_counted_when_it_has_been_over_for_an_hour(referral: Referral) -> None:
    assert refresh_days(NOON) == refresh_days(MIDNIGHT + timedelta(minutes=59)) == 0
    assert refresh_days(MIDNIGHT + timedelta(minutes=60)) == 1
    assert FiguredDay.objects.get().day == NOON.date()
    assert refresh_days(MIDNIGHT + timedelta(minutes=61)) == 0


def test_the_oldest_first_and_not_all_at_once(referral: Referral) -> None:
    now = NOON + 5 * DAY
    assert refresh_days(now, most=2) == 2
    assert list(FiguredDay.objects.order_by("day").values_list("day", flat=True)) == [
        NOON.date(),
        NOON.date() + DAY,
    ]
    assert refresh_days(now) == 3 and due_days(now) == []


def test_what_has_changed_comes_before_what_was_never_counted(referral: Referral) -> None:
    refresh_days(NOON + 2 * DAY)
    StaleDay.objects.create(day=NOON.date())
    StaleDay.objects.create(day=NOON.date() + DAY)
    now = NOON + 4 * DAY
    assert due_days(now) == [NOON.date() + number * DAY for number in (1, 0, 2, 3)]
    refresh_days(now, most=1)
    assert marked() == [NOON.date()]


def test_what_is_kept_is_read(referral: Referral) -> None:
    refresh_days(NOON + DAY)
    DailyFigures.objects.update(visits=7)
    assert figures(NOON.date(), NOON.date())[""].visits == 7
    StaleDay.objects.create(day=NOON.date())
    assert figures(NOON.date(), NOON.date())[""].visits == 1


def test_a_period_that_is_over_costs_two_queries(referral: Referral) -> None:
    refresh_days(NOON + DAY)
    with CaptureQueriesContext(connection) as queries:
        read_figures(NOON.date(), NOON.date()).by("channel")
    assert len(queries) == 2


def test_an_order_of_today_costs_no_query(referral: Referral) -> None:
    with time_machine.travel(NOON, tick=False):
        purchase = make_purchase(referral, "1", moment=NOON)
        with CaptureQueriesContext(connection) as queries:
            recorded(purchase, NOON)
        assert len(queries) == 0 and marked() == []


def test_an_order_that_is_recorded_late_marks_its_day(referral: Referral) -> None:
    make_purchase(referral, "2", moment=NOON - DAY)
    purchase = make_purchase(referral, "1", moment=NOON - 3 * DAY)
    with time_machine.travel(NOON, tick=False):
        recorded(purchase, NOON)
    # The later one is not the friend's first any more.
    assert marked() == [date(2026, 11, 7), date(2026, 11, 9)]


def test_a_friend_who_was_noted_late_marks_who_was_active_since(referral: Referral) -> None:
    """The job kept the time at which it began; whoever was active since was so on that day before."""
    refresh_days(NOON + 3 * DAY)
    purchase = make_purchase(referral, "1", moment=NOON)
    with time_machine.travel(NOON + 3 * DAY, tick=False):
        recorded(purchase, NOON)
    others = StaleDay.objects.filter(people=True).values_list("day", flat=True)
    assert sorted(others) == [NOON.date() + number * DAY for number in range(3)]


def test_shares_that_become_somebody_elses_mark_their_days(referral: Referral, terms: Terms) -> None:
    guest = make_advocate("guest@example.com")
    for advocate, days in ((guest, 2), (guest, 2), (referral.advocate, 1), (guest, 0)):
        Share.objects.create(advocate=advocate, terms=terms, created_at=NOON - days * DAY)
    with time_machine.travel(NOON, tick=False):
        signals.guest_adopted.send_robust(sender=Advocate, advocate=guest)
    # Today is not counted yet.
    assert list(StaleDay.objects.values_list("day", "people")) == [(NOON.date() - 2 * DAY, True)]


def test_what_settling_says_is_marked_where_it_stands(referral: Referral) -> None:
    make_purchase(referral, "1", moment=NOON - 5 * DAY)
    make_reward(referral, "15.00", "15.00", moment=NOON - 2 * DAY, given_at=NOON - DAY)
    referral.qualified_at = NOON - 4 * DAY
    with time_machine.travel(NOON, tick=False):
        changed(referral, NOON, before=NOON - 3 * DAY)
    assert marked() == [date(2026, 11, number) for number in (5, 6, 7, 8, 9)]


def test_a_job_that_began_yesterday_marks_yesterday(referral: Referral) -> None:
    with time_machine.travel(MIDNIGHT + timedelta(hours=2), tick=False):
        changed(referral, NOON)
    assert marked() == [NOON.date()]


def test_what_changes_while_a_day_is_counted_is_counted_once_more(
    referral: Referral, monkeypatch: Any
) -> None:
    """Its mark was not there when the rows were read: it stays."""
    refresh_days(NOON + DAY)
    StaleDay.objects.create(day=NOON.date())

    def count(runs: Any) -> Any:
        found = count_days(runs)
        Visit.objects.create(advocate=referral.advocate, created_at=NOON)
        StaleDay.objects.create(day=NOON.date())
        return found

    with monkeypatch.context() as patched:
        patched.setattr("wagtail_referrals.insights.refresh.count_days", count)
        assert refresh_days(NOON + DAY) == 1
    assert marked() == [NOON.date()] and figures(NOON.date(), NOON.date())[""].visits == 2
    assert refresh_days(NOON + DAY) == 1 and marked() == []
    assert figures(NOON.date(), NOON.date())[""].visits == 2


def test_a_day_that_could_not_be_counted_stays_marked(referral: Referral, monkeypatch: Any) -> None:
    refresh_days(NOON + DAY)
    StaleDay.objects.create(day=NOON.date())

    def count(runs: Any) -> Any:
        raise OperationalError

    monkeypatch.setattr("wagtail_referrals.insights.refresh.count_days", count)
    with pytest.raises(OperationalError):
        refresh_days(NOON + DAY)
    assert marked() == [NOON.date()]


def test_a_filter_looks_only_where_there_may_be_something(referral: Referral) -> None:
    now = NOON + 4 * DAY
    assert days_with("referrals", "created_at", channel="whatsapp") == Q()
    refresh_days(now)
    found = days_with("referrals", "created_at", channel="whatsapp")
    assert not Referral.objects.filter(found).exists()
    # One that came since, on a day that is marked and on one that is not kept yet.
    StaleDay.objects.create(day=NOON.date())
    Referral.objects.update(created_at=now)
    assert Referral.objects.filter(found).count() == 1
    Referral.objects.update(created_at=NOON)
    found = days_with("referrals", "created_at", channel="whatsapp")
    assert Referral.objects.filter(found).count() == 1
    refresh_days(now)
    DailyFigures.objects.filter(referrals=1).update(channel="whatsapp")
    found = days_with("referrals", "created_at", channel="whatsapp")
    assert Referral.objects.filter(found).count() == 1
    Referral.objects.update(created_at=NOON + DAY)
    assert not Referral.objects.filter(found).exists()


def test_marks_that_cannot_be_written_break_nothing(
    referral: Referral, monkeypatch: Any, caplog: Any
) -> None:
    def fail(days: Any) -> None:
        Visit.objects.raw("SELECT nonsense FROM nowhere")[0]

    monkeypatch.setattr("wagtail_referrals.insights.receivers._mark", fail)
    changed(referral, NOON)
    recorded(make_purchase(referral, "1", moment=NOON - DAY), NOON)
    assert Referral.objects.count() == 1 and "could not be marked" in caplog.text


def test_the_sweep_counts(referral: Referral) -> None:
    rewards.sweep(now=NOON + DAY)
    assert FiguredDay.objects.filter(day=NOON.date()).exists() and marked() == []


def test_the_audit_finds_a_wrong_figure(referral: Referral) -> None:
    make_purchase(referral, "1", moment=NOON)
    refresh_days(NOON + DAY)

    def found() -> list[str]:
        findings: list[audit.Finding] = []
        audit.audit(report=findings.append, only=lambda check: check.key == "figures")
        return [finding.problem.key for finding in findings]

    assert found() == []
    DailyFigures.objects.update(visits=7)
    assert found() == ["figure"]
    rebuild_days()
    assert found() == []
    ActivePeople.objects.update(before=NOON.date() - DAY)
    assert found() == ["figure"]
    rebuild_days()
    assert found() == []
    ArrivalFigures.objects.update(first_of_month=0)
    assert found() == ["figure"]
    rebuild_days()
    assert found() == []


def test_the_command(referral: Referral, capsys: Any) -> None:
    def run(*arguments: str) -> str:
        call_command("referrals_figures", "--no-progress", *arguments)
        return capsys.readouterr().out

    with time_machine.travel(NOON + 2 * DAY, tick=False):
        assert run() == "2 days counted.\n"
        assert run() == "0 days counted.\n"
        assert run("--check") == "2 days compared.\nAll figures are what the rows say.\n"
        DailyFigures.objects.update(visits=7)
        with pytest.raises(SystemExit) as ended:
            run("--check")
        assert ended.value.code == 1
        assert "kept 7, counted 1" in capsys.readouterr().out
        # The other day is not touched.
        assert run("--rebuild", "--from", "2026-11-11") == "1 day counted.\n"
        assert figures(NOON.date(), NOON.date())[""].visits == 7
        assert run("--rebuild", "--from", "2026-11-10", "--to", "2026-11-10") == "1 day counted.\n"
        assert figures(NOON.date(), NOON.date())[""].visits == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--from", "2026-11-10"),
        ("--check", "--from", "yesterday"),
        ("--rebuild", "--from", "2026-11-10", "--to", "2026-11-09"),
    ],
)
def test_the_command_refuses_what_makes_no_sense(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        call_command("referrals_figures", *arguments)
