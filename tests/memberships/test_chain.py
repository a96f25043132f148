"""When the periods of a membership run: months, leap years, the hour that is skipped or comes twice, uses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscar_integration.memberships.chain import Link, Span, end_of, run

PARIS = ZoneInfo("Europe/Paris")
MONTHS, DAYS = "months", "days"
DAY = timedelta(days=1)


def paris(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).astimezone(UTC)


def clock_in_paris(moment: datetime) -> str:
    return f"{moment.astimezone(PARIS):%Y-%m-%d %H:%M}"


def link(number: int, counts_from: datetime, length: int = 1, unit: str = MONTHS, **values: Any) -> Link:
    return Link(number, length, unit, values.pop("uses", None), counts_from, **values)


def shown(spans: list[Span]) -> list[tuple[str, str]]:
    return [(clock_in_paris(span.starts_at), clock_in_paris(span.ends_at)) for span in spans]


# Calendars


@pytest.mark.parametrize(
    ("start", "lengths", "ends"),
    [
        ("2027-01-31 10:00", [1, 1, 1], ["2027-02-28 10:00", "2027-03-31 10:00", "2027-04-30 10:00"]),
        ("2028-01-31 10:00", [1, 1], ["2028-02-29 10:00", "2028-03-31 10:00"]),
        ("2028-02-29 10:00", [12, 12, 24], ["2029-02-28 10:00", "2030-02-28 10:00", "2032-02-29 10:00"]),
        (
            "2027-11-30 23:59",
            [1, 1, 1, 1],
            ["2027-12-30 23:59", "2028-01-30 23:59", "2028-02-29 23:59", "2028-03-30 23:59"],
        ),
        ("2027-08-31 00:00", [6, 6], ["2028-02-29 00:00", "2028-08-31 00:00"]),
        ("2027-12-15 10:00", [1, 1000], ["2028-01-15 10:00", "2111-05-15 10:00"]),
        # The clock goes forward at 2:00 on 28 March 2027: there is no 2:30, and a month later there is.
        ("2027-02-28 02:30", [1, 1], ["2027-03-28 03:30", "2027-04-28 02:30"]),
        # It goes back at 3:00 on 31 October 2027: the first 2:30 of the two.
        ("2027-08-31 02:30", [2, 1], ["2027-10-31 02:30", "2027-11-30 02:30"]),
    ],
)
def test_months(start: str, lengths: list[int], ends: list[str]) -> None:
    links = [link(number, paris(start), length) for number, length in enumerate(lengths)]
    assert [end for _start, end in shown(run(links, PARIS))] == ends


def test_days_are_days_of_the_calendar() -> None:
    """The day on which the clock goes forward has 23 hours, and the one on which it goes back 25."""
    spring, autumn = paris("2027-03-27 10:00"), paris("2027-10-30 10:00")
    assert end_of(spring, 1, DAYS, PARIS) - spring == timedelta(hours=23)
    assert end_of(autumn, 1, DAYS, PARIS) - autumn == timedelta(hours=25)
    assert clock_in_paris(end_of(spring, 7, DAYS, PARIS)) == "2027-04-03 10:00"
    links = [link(number, paris("2027-03-27 02:30"), 1, DAYS) for number in range(2)]
    assert shown(run(links, PARIS))[-1] == ("2027-03-28 03:30", "2027-03-29 02:30")


def test_the_first_of_two_hours_of_the_same_name_ends_with_the_first() -> None:
    assert end_of(paris("2027-08-31 02:30"), 2, MONTHS, PARIS) == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)


# Minutes of eight years with two leap years in them.
MOMENTS = st.integers(0, 8 * 365 * 24 * 60).map(
    lambda minutes: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
UNITS = st.sampled_from([MONTHS, DAYS])


@given(MOMENTS, st.lists(st.integers(1, 14), min_size=1, max_size=6), UNITS)
def test_several_periods_are_as_long_as_one_of_their_length(
    start: datetime, lengths: list[int], unit: str
) -> None:
    several = run([link(number, start, length, unit) for number, length in enumerate(lengths)], PARIS)
    (one,) = run([link(0, start, sum(lengths), unit)], PARIS)
    assert (several[0].starts_at, several[-1].ends_at) == (one.starts_at, one.ends_at)


@given(MOMENTS, st.integers(1, 24))
def test_months_end_on_their_day_or_on_the_last_of_a_shorter_month(start: datetime, length: int) -> None:
    end = end_of(start, length, MONTHS, PARIS)
    began, ended = start.astimezone(PARIS), end.astimezone(PARIS)
    assert (ended.year * 12 + ended.month) - (began.year * 12 + began.month) == length
    assert ended.day == began.day or (ended.day < began.day and (ended + DAY).day == 1)
    # Or an hour later, where that time of day was skipped.
    assert ended.replace(tzinfo=None).time() == began.time() or began.hour == 2


# One after the other


def test_what_is_paid_while_another_runs_follows_it() -> None:
    first = link(1, paris("2027-01-10 10:00"))
    second = link(2, paris("2027-01-20 12:00"))
    late = link(3, paris("2027-05-01 08:00"))
    assert shown(run([late, second, first], PARIS)) == [
        ("2027-01-10 10:00", "2027-02-10 10:00"),
        ("2027-02-10 10:00", "2027-03-10 10:00"),
        ("2027-05-01 08:00", "2027-06-01 08:00"),
    ]


def test_days_after_months_and_months_after_days() -> None:
    """The months begin anew on the day that the days led to."""
    start = paris("2027-01-31 10:00")
    links = [link(1, start), link(2, start, 3, DAYS), link(3, start), link(4, start)]
    assert [end for _start, end in shown(run(links, PARIS))] == [
        "2027-02-28 10:00",
        "2027-03-03 10:00",
        "2027-04-03 10:00",
        "2027-05-03 10:00",
    ]


def test_what_is_taken_back_makes_room() -> None:
    start = paris("2027-01-10 10:00")
    running = link(1, start, taken_back_at=paris("2027-01-15 09:00"))
    to_come = link(2, start, taken_back_at=paris("2027-01-15 09:00"))
    links = [running, to_come, link(3, start)]
    spans = run(links, PARIS)
    assert shown(spans) == [
        ("2027-01-10 10:00", "2027-01-15 09:00"),
        ("2027-01-15 09:00", "2027-02-15 09:00"),
    ]
    assert [(span.id, span.whole) for span in spans] == [(1, False), (3, True)]


def test_one_that_was_over_when_it_was_taken_back_stays_as_it_was() -> None:
    start = paris("2027-01-10 10:00")
    (span,) = run([link(1, start, taken_back_at=paris("2027-06-01 10:00"))], PARIS)
    assert (shown([span]), span.whole) == ([("2027-01-10 10:00", "2027-02-10 10:00")], True)


def test_taken_back_at_the_moment_it_begins_it_never_ran() -> None:
    start = paris("2027-01-10 10:00")
    assert run([link(1, start, taken_back_at=start)], PARIS) == []


LINKS = st.lists(
    st.builds(
        Link,
        id=st.integers(1, 1000),
        length=st.integers(1, 13),
        unit=UNITS,
        uses=st.none() | st.integers(1, 3),
        # Some at the very same moment: they were in one order.
        counts_from=st.sampled_from([datetime(2025, 1, 31, 10, 0, tzinfo=UTC)]) | MOMENTS,
        taken_back_at=st.none() | MOMENTS,
        used_at=st.lists(MOMENTS, max_size=4).map(lambda moments: tuple(sorted(moments))),
        ends_used_up=st.booleans(),
    ),
    max_size=7,
    unique_by=lambda each: each.id,
)


@given(LINKS, st.randoms())
def test_the_order_in_which_they_are_read_does_not_matter(links: list[Link], chance: Any) -> None:
    others = list(links)
    chance.shuffle(others)
    assert run(others, PARIS) == run(links, PARIS)


@given(LINKS)
def test_they_never_overlap_and_none_runs_before_it_counts(links: list[Link]) -> None:
    by_id = {each.id: each for each in links}
    last = None
    for span in run(links, PARIS):
        assert by_id[span.id].counts_from <= span.starts_at <= span.ends_at
        assert last is None or span.starts_at >= last
        last = span.ends_at


@given(LINKS)
def test_whole_periods_have_their_full_length(links: list[Link]) -> None:
    by_id = {each.id: each for each in links}
    for span in run(links, PARIS):
        each = by_id[span.id]
        days = (span.ends_at.astimezone(PARIS).date() - span.starts_at.astimezone(PARIS).date()).days
        least, most = (
            (each.length, each.length) if each.unit == DAYS else (each.length * 28, each.length * 31)
        )
        if span.whole:
            assert least <= days <= most
        else:
            assert days <= most and (span.used_up or each.taken_back_at == span.ends_at)


@given(LINKS)
def test_one_that_was_never_there_and_one_that_was_taken_back_at_once_are_the_same(links: list[Link]) -> None:
    gone = Link(9999, 3, MONTHS, None, datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))
    assert run([*links, gone], PARIS) == run(links, PARIS)


# Uses


def used(*texts: str) -> tuple[datetime, ...]:
    return tuple(paris(text) for text in texts)


def test_a_pass_is_over_with_its_last_use_and_the_next_one_begins() -> None:
    start = paris("2027-01-10 10:00")
    first = link(1, start, uses=2, used_at=used("2027-01-11 18:00", "2027-01-13 18:00"))
    spans = run([first, link(2, start, uses=2)], PARIS)
    assert shown(spans) == [
        ("2027-01-10 10:00", "2027-01-13 18:00"),
        ("2027-01-13 18:00", "2027-02-13 18:00"),
    ]
    assert [(span.uses_left, span.used_up) for span in spans] == [(0, True), (2, False)]


def test_what_renews_runs_on_without_uses_until_its_period_ends() -> None:
    start = paris("2027-01-10 10:00")
    first = link(1, start, uses=1, used_at=used("2027-01-11 18:00"), ends_used_up=False)
    spans = run([first, link(2, start, uses=1, ends_used_up=False)], PARIS)
    assert [(span.uses_left, span.whole, span.used_up) for span in spans] == [
        (0, True, False),
        (1, True, False),
    ]
    assert shown(spans)[1] == ("2027-02-10 10:00", "2027-03-10 10:00")


def test_a_use_at_its_last_moment_counts() -> None:
    start = paris("2027-01-10 10:00")
    (span,) = run([link(1, start, uses=1, used_at=used("2027-02-10 10:00"))], PARIS)
    assert (span.uses_left, span.used_up, shown([span])[0][1]) == (0, True, "2027-02-10 10:00")


@given(LINKS)
def test_uses_are_never_more_than_there_are(links: list[Link]) -> None:
    by_id = {each.id: each for each in links}
    for span in run(links, PARIS):
        each = by_id[span.id]
        assert (span.uses_left is None) == (each.uses is None)
        assert span.uses_left is None or each.uses is None or 0 <= span.uses_left <= each.uses
        assert not span.used_up or (span.uses_left == 0 and each.ends_used_up)
