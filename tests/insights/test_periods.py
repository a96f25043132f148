"""Periods begin and end where the site's days do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone

from wagtail_referrals.insights import Period, custom_period, named_period

# In Paris it is the first of March already.
NOW = datetime(2026, 2, 28, 23, 30, tzinfo=UTC)

NAMED = [
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
