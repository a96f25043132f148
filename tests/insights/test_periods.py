"""Periods begin and end where the site's days do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone

from wagtail_referrals.insights import Period, custom_period, named_period, period_before

# In Paris it is the first of March already.
NOW = datetime(2026, 2, 28, 23, 30, tzinfo=UTC)

NAMED = [
    ("last_7", date(2026, 2, 23), date(2026, 3, 1)),
    ("last_30", date(2026, 1, 31), date(2026, 3, 1)),
    ("last_90", date(2025, 12, 2), date(2026, 3, 1)),
    ("month", date(2026, 3, 1), date(2026, 3, 31)),
    ("last_month", date(2026, 2, 1), date(2026, 2, 28)),
    ("quarter", date(2026, 1, 1), date(2026, 3, 31)),
    ("last_quarter", date(2025, 10, 1), date(2025, 12, 31)),
    ("year", date(2026, 1, 1), date(2026, 12, 31)),
    ("last_year", date(2025, 1, 1), date(2025, 12, 31)),
]


@pytest.mark.parametrize(("name", "first", "last"), NAMED)
def test_named_periods(name: str, first: date, last: date) -> None:
    # A reader in another part of the world sees the same figures.
    with timezone.override("Pacific/Auckland"):
        assert named_period(name, now=NOW) == Period(first, last)


def test_a_month_in_which_the_clocks_change() -> None:
    period = named_period("month", now=NOW)
    assert period.start == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert period.end == datetime(2026, 3, 31, 22, tzinfo=UTC)


def test_one_day() -> None:
    period = custom_period(date(2026, 3, 1), date(2026, 3, 1))
    assert period.end - period.start == timedelta(days=1)


def test_what_is_no_period() -> None:
    with pytest.raises(LookupError):
        named_period("fortnight", now=NOW)
    with pytest.raises(ValueError, match="before it begins"):
        custom_period(date(2026, 3, 2), date(2026, 3, 1))


LATER = datetime(2026, 12, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "last", "before"),
    [
        # Whole months, however long.
        (date(2026, 3, 1), date(2026, 3, 31), (date(2026, 2, 1), date(2026, 2, 28))),
        (date(2026, 1, 1), date(2026, 3, 31), (date(2025, 10, 1), date(2025, 12, 31))),
        (date(2025, 1, 1), date(2025, 12, 31), (date(2024, 1, 1), date(2024, 12, 31))),
        # Other days.
        (date(2026, 3, 1), date(2026, 3, 30), (date(2026, 1, 30), date(2026, 2, 28))),
        (date(2026, 3, 5), date(2026, 3, 5), (date(2026, 3, 4), date(2026, 3, 4))),
        (date(2026, 2, 23), date(2026, 3, 1), (date(2026, 2, 16), date(2026, 2, 22))),
    ],
)
def test_the_period_before(first: date, last: date, before: tuple[date, date]) -> None:
    assert period_before(Period(first, last), now=LATER) == Period(*before)


def test_a_period_that_is_not_over_is_compared_as_far_as_it_has_come() -> None:
    eleventh = datetime(2026, 11, 11, 12, tzinfo=UTC)
    november = named_period("month", now=eleventh)
    assert period_before(november, now=eleventh) == Period(date(2026, 10, 1), date(2026, 10, 11))
    # March has more days than February has.
    march = datetime(2026, 3, 30, 12, tzinfo=UTC)
    assert period_before(named_period("month", now=march), now=march) == Period(
        date(2026, 2, 1), date(2026, 2, 28)
    )
    week = named_period("last_7", now=eleventh)
    assert period_before(week, now=eleventh) == Period(date(2026, 10, 29), date(2026, 11, 4))
    # Nothing of it has come yet.
    december = Period(date(2026, 12, 1), date(2026, 12, 31))
    assert period_before(december, now=eleventh) == Period(date(2026, 11, 1), date(2026, 11, 30))
