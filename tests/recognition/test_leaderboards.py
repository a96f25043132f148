"""Leaderboards: names of who wants to be named, ties, one's own place, one query."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

from wagtail_referrals.people import adopt_guest, advocate_for, advocate_for_guest
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.recognition import (
    Leaderboard,
    current_period,
    forget_recognition,
    join_leaderboards,
    leaderboard,
    leave_leaderboards,
)
from wagtail_referrals.recognition.levels import differing_levels, merge_levels, repair_levels
from wagtail_referrals.recognition.models import Standing, StandingLevel

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 5, 12, 0, tzinfo=UTC)
PROGRAM = uuid.UUID(int=1)


def advocate(name: str, referrals: int, *, reached: int = 0, joined: bool = True, **values: Any) -> Advocate:
    user = get_user_model().objects.create_user(username=name, email=f"{name}@example.com")
    made = Advocate.objects.create(
        user=user, public_name=values.pop("public_name", name), created_at=NOW, **values
    )
    for period in ("ever", "2026", "2026-11"):
        Standing.objects.create(
            program_key=PROGRAM,
            period=period,
            advocate=made,
            referrals=referrals,
            reached_at=NOW + timedelta(hours=reached),
        )
    if joined:
        join_leaderboards(made)
    return made


def lines(board: Leaderboard) -> list[tuple[int, str, int]]:
    return [(row.rank, row.name, row.referrals) for row in board.rows]


def test_equals_share_a_rank_and_the_next_is_passed_over() -> None:
    advocate("Ann", 3, reached=2)
    advocate("Bob", 3, reached=1)
    advocate("Cid", 1)
    advocate("Dan", 0)
    assert lines(leaderboard(PROGRAM)) == [(1, "Bob", 3), (1, "Ann", 3), (3, "Cid", 1)]
    assert lines(leaderboard(PROGRAM, "2026-11", size=2)) == [(1, "Bob", 3), (1, "Ann", 3)]
    assert lines(leaderboard(PROGRAM, "2026-10")) == lines(leaderboard(uuid.UUID(int=2))) == []


def test_only_who_wants_to_be_named_is_named() -> None:
    advocate("Ann", 3)
    advocate("Bob", 2, joined=False)
    advocate("Cid", 1, public_name="")
    assert lines(leaderboard(PROGRAM)) == [(1, "Ann", 3)]


def test_everybody_sees_their_own_place() -> None:
    ann = advocate("Ann", 5)
    for number in range(12):
        advocate(f"A{number}", 4, reached=number)
    bob = advocate("Bob", 2)
    cid = advocate("Cid", 4, reached=99, joined=False)
    dan = advocate("Dan", 0)
    board = leaderboard(PROGRAM, advocate=bob)
    assert len(board.rows) == 10 and not any(row.is_own for row in board.rows)
    assert board.own is not None and (board.own.rank, board.own.name, board.own.is_own) == (14, "Bob", True)
    # Who is not named takes nobody's place, and still reads where they would stand.
    hidden = leaderboard(PROGRAM, advocate=cid)
    assert hidden.own is not None and hidden.own.rank == 2 and not hidden.is_joined
    assert "Cid" not in [row.name for row in hidden.rows]
    first = leaderboard(PROGRAM, advocate=ann)
    assert first.own == first.rows[0] and first.own.is_own and first.is_joined
    assert leaderboard(PROGRAM, advocate=dan).own is None


def test_a_leaderboard_is_one_query() -> None:
    ann = advocate("Ann", 5)
    for number in range(30):
        advocate(f"A{number}", 4)
    for reader in (None, ann):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            leaderboard(PROGRAM, advocate=reader)
        assert len(queries) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"state": Advocate.State.BLOCKED},
        {"state": Advocate.State.PAUSED},
        {"state": Advocate.State.LEFT},
        {"public_name": ""},
        {"in_leaderboards": False},
    ],
)
def test_who_is_stopped_or_has_no_name_is_gone_at_once(change: dict[str, Any]) -> None:
    ann = advocate("Ann", 5)
    advocate("Bob", 4)
    for name, value in change.items():
        setattr(ann, name, value)
    ann.save(update_fields=list(change))
    assert lines(leaderboard(PROGRAM)) == [(1, "Bob", 4)]
    assert not Standing.objects.filter(advocate=ann, is_public=True).exists()


def test_a_counter_that_was_not_told_names_nobody() -> None:
    ann = advocate("Ann", 5)
    Advocate.objects.filter(pk=ann.pk).update(state=Advocate.State.BLOCKED)
    assert Standing.objects.filter(advocate=ann, is_public=True).exists()
    assert lines(leaderboard(PROGRAM)) == []


def test_leaving_and_joining() -> None:
    ann = advocate("Ann", 5)
    leave_leaderboards(ann)
    assert lines(leaderboard(PROGRAM)) == []
    join_leaderboards(ann)
    join_leaderboards(ann)
    assert lines(leaderboard(PROGRAM)) == [(1, "Ann", 5)]
    forget_recognition(ann)
    assert lines(leaderboard(PROGRAM)) == [] and Standing.objects.filter(advocate=ann).exists()


def test_a_guest_who_opens_an_account_stays_in_or_out_as_they_said() -> None:
    guest = advocate_for_guest("lea@example.com")
    Standing.objects.create(program_key=PROGRAM, period="ever", advocate=guest, referrals=2, reached_at=NOW)
    lea = get_user_model().objects.create_user(
        username="lea", email="lea@elsewhere.example", first_name="Lea"
    )
    join_leaderboards(advocate_for(lea))
    lea.email = "lea@example.com"
    lea.save()
    assert adopt_guest(lea) == guest
    assert lines(leaderboard(PROGRAM)) == [(1, "Lea", 2)]


def test_a_period_is_that_of_the_site(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Paris"
    last_minute = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert current_period("month", last_minute) == "2027-01"
    assert current_period("year", last_minute) == "2027"
    assert current_period("ever", last_minute) == "ever"
    with pytest.raises(LookupError):
        current_period("week", last_minute)  # type: ignore[arg-type]


def test_levels_follow_who_is_shown_and_are_added_up() -> None:
    people = [advocate(f"A{number}", number % 3 + 1) for number in range(6)]
    leave_leaderboards(people[0])
    people[1].delete()
    assert sum(differing_levels().values()) == -3, "whoever deletes rows is found out"
    StandingLevel.objects.all().delete()
    assert repair_levels() == 9
    assert not differing_levels()
    leave_leaderboards(people[2])
    join_leaderboards(people[2])
    rows = StandingLevel.objects.count()
    merge_levels()
    assert StandingLevel.objects.count() < rows and not differing_levels()
