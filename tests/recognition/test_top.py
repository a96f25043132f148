"""Who brought most friends: counters and referrals give the same answer."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.admin.rows import make_program, make_purchase, make_referral
from wagtail_referrals.people import advocate_for
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.recognition import top, top_referrers
from wagtail_referrals.recognition.standings import recount
from wagtail_referrals.recognition.top import whole_periods
from wagtail_referrals.referrals.models import Referral

pytestmark = pytest.mark.django_db

Found = list[tuple[int, int, dict[str, Decimal]]]


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [
        (date(2026, 11, 1), date(2026, 11, 30), ["2026-11"]),
        (date(2026, 1, 1), date(2026, 12, 31), ["2026"]),
        (date(2025, 11, 1), date(2026, 12, 31), ["2025-11", "2025-12", "2026"]),
        (date(2026, 10, 1), date(2027, 2, 28), ["2026-10", "2026-11", "2026-12", "2027-01", "2027-02"]),
        (date(2026, 11, 2), date(2026, 11, 30), None),
        (date(2026, 11, 1), date(2026, 11, 29), None),
    ],
)
def test_days_that_are_whole_months(first: date, last: date, found: list[str] | None) -> None:
    assert whole_periods(first, last) == found


def read(*args: Any, **options: Any) -> Found:
    return [(row.advocate_id, row.referrals, row.revenue) for row in top_referrers(*args, **options)]


def counted(first: date, last: date, program_key: Any = None, size: int = 100) -> Found:
    rows = top._from_referrals(first, last, program_key, size)
    return [(row.advocate_id, row.referrals, row.revenue) for row in rows]


def random_history(seed: int) -> list[Any]:
    """Friends of seven customers in two programs over 14 months; the keys of the programs."""
    rng = random.Random(seed)
    make_program(name="One")
    make_program(name="Two")
    versions = list(Terms.objects.order_by("pk"))
    users = get_user_model().objects
    advocates = [
        advocate_for(users.create_user(f"a{number}", f"a{number}@example.com")) for number in range(7)
    ]
    for number in range(40):
        terms = rng.choice(versions)
        moment = datetime(2025, 10, 31, 20, tzinfo=UTC) + timedelta(hours=rng.randrange(24 * 420))
        referral = make_referral(
            terms,
            rng.choice(advocates),
            users.create_user(f"f{number}"),
            state=rng.choice(
                [Referral.State.REWARDED] * 4 + [Referral.State.REFUSED, Referral.State.TO_CHECK]
            ),
            qualified_at=moment if rng.random() < 0.9 else None,
            moment=moment - timedelta(days=3),
        )
        for order in range(rng.randrange(3)):
            make_purchase(
                referral,
                f"{number}-{order}",
                f"{rng.randrange(1, 9000) / 100:.2f}",
                currency=rng.choice(["EUR", "CHF"]),
                observed={
                    "paid_at": rng.choice([moment.isoformat(), moment.isoformat(), None]),
                    "cancelled": rng.random() < 0.2,
                    "refunded": rng.choice(["0", "3.10"]),
                },
            )
    get_user_model().objects.get(username="a0").delete()
    recount(list(Advocate.objects.all()))
    return [terms.program_key for terms in versions]


@pytest.mark.parametrize("seed", range(4))
def test_counters_say_what_the_referrals_say(seed: int) -> None:
    programs = random_history(seed)
    for days in (
        (date(2025, 11, 1), date(2025, 11, 30)),
        (date(2026, 1, 1), date(2026, 12, 31)),
        (date(2025, 12, 1), date(2026, 3, 31)),
    ):
        for program_key in (None, *programs):
            for size in (100, 2):
                found = read(days, program_key=program_key, size=size)
                assert found == counted(*days, program_key, size)
                assert found or program_key
    assert read(None) == counted(date(2025, 1, 1), date(2027, 12, 31))
    assert sum(number for _pk, number, _revenue in read(None)) > 15


def test_days_in_a_month_are_counted(settings: Any) -> None:
    settings.TIME_ZONE = "Pacific/Auckland"
    make_program()
    terms = Terms.objects.get()
    advocate = advocate_for(get_user_model().objects.create_user("a"))
    moment = datetime(2026, 11, 10, 12, tzinfo=UTC)  # the 11th in Auckland
    make_referral(terms, advocate, state=Referral.State.REWARDED, qualified_at=moment)
    assert not read((date(2026, 11, 2), date(2026, 11, 10)))
    assert read((date(2026, 11, 11), date(2026, 11, 11))) == [(advocate.pk, 1, {})]


def test_two_queries_whatever_is_asked() -> None:
    (program, _other) = random_history(0)
    for days in (None, (date(2026, 1, 1), date(2026, 1, 31)), (date(2026, 1, 2), date(2026, 5, 3))):
        for program_key in (None, program):
            with CaptureQueriesContext(
                connection,
            ) as queries:
                top_referrers(days, program_key=program_key)
            assert len(queries) == 2
