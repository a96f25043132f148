"""The figures of days against a history that one can count by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.admin.rows import (
    make_advocate,
    make_discount,
    make_program,
    make_purchase,
    make_referral,
    make_reward,
    make_user,
)
from wagtail_referrals.insights import DayFigures, figures, read_figures
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals import timeline
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.tracking.models import Claim, Share, Visit

pytestmark = pytest.mark.django_db

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)
START = datetime(2026, 11, 1, tzinfo=UTC)
END = datetime(2026, 12, 1, tzinfo=UTC)
INSIDE = datetime(2026, 11, 10, 12, tzinfo=UTC)
BEFORE = START - timedelta(seconds=1)


@pytest.fixture(autouse=True)
def zone(settings: Any) -> None:
    settings.TIME_ZONE = "UTC"


def terms_of(preset: str, name: str) -> Terms:
    return Terms.objects.get(program=make_program(preset, name=name))


def take_back(referral: Any, kind: str, amount: str, moment: datetime, currency: str = "EUR") -> None:
    data = {"side": "advocate", "reason": "refunded", "amount": amount, "currency": currency}
    timeline.record(kind, referral=referral, data=data, now=moment)


@pytest.fixture
def history(db: None, zone: None) -> tuple[Terms, Terms]:
    """Two programs. In the first, three friends within November and one before; in the second, one, with dollars."""
    first, second = terms_of("give_percent_get_credit", "First"), terms_of("percentage_back", "Second")
    camille = make_advocate()
    # Visits that came to nothing: one with a program, one when none was open.
    Visit.objects.create(
        advocate=camille, terms=first, channel="email", language="fr", page_id=7, created_at=INSIDE
    )
    Visit.objects.create(advocate=camille, terms=None, created_at=INSIDE)
    Share.objects.create(advocate=camille, terms=first, channel="email", language="fr", created_at=INSIDE)

    given = make_referral(
        first,
        camille,
        make_user("a@example.com"),
        moment=START,
        state="rewarded",
        qualified_at=INSIDE,
        registered_at=INSIDE,
    )
    order = make_purchase(
        given, "1", "100.00", moment=START, observed={"cancelled": False, "refunded": "30.00"}
    )
    make_discount(given, order, "10.00")
    make_reward(given, "12.50", "12.50", moment=INSIDE, state=Reward.State.REDUCED)
    take_back(given, "reward_reduced", "2.50", INSIDE)
    make_purchase(given, "1b", "20.00", moment=INSIDE, was_customer=True)

    waiting = make_referral(first, camille, make_user("b@example.com"), moment=INSIDE)
    cancelled = make_purchase(
        waiting, "2", "50.50", moment=INSIDE, observed={"cancelled": True, "refunded": "0"}
    )
    make_discount(waiting, cancelled, "5.05")
    make_reward(waiting, "15.00", moment=INSIDE)

    gone = make_referral(first, camille, make_user("c@example.com"), moment=INSIDE, qualified_at=INSIDE)
    make_reward(gone, "0", moment=INSIDE, state=Reward.State.TAKEN_BACK)
    take_back(gone, "reward_taken_back", "15.00", INSIDE)

    early = make_referral(
        first, camille, make_user("d@example.com"), moment=BEFORE, state="rewarded", qualified_at=BEFORE
    )
    late_order = make_purchase(early, "3", "999.00", moment=END, observed={"refunded": "1200.00"})
    make_discount(early, late_order, "99.90")
    make_reward(early, "15.00", "15.00", moment=BEFORE)
    take_back(early, "reward_taken_back", "7.00", END)

    dollars = make_referral(second, camille, make_user("e@example.com"), moment=INSIDE)
    make_purchase(dollars, "4", "40.00", moment=INSIDE, currency="USD")
    make_reward(dollars, "4.00", "4.00", moment=INSIDE, currency="USD")
    # A thing without an amount counts 1 in its row; that is no euro.
    make_reward(dollars, "1", "1", moment=INSIDE, kind="free_shipping", occasion="purchase:4")
    # Who typed the code came by no link.
    Claim.objects.create(
        advocate=camille,
        terms=second,
        source=Claim.Source.CODE,
        language="de",
        created_at=INSIDE,
        expires_at=END,
    )
    return first, second


def test_the_figures_of_one_program(history: tuple[Terms, Terms]) -> None:
    first, _second = history
    expected = DayFigures(
        shares=1,
        visits=4,
        claims=3,
        referrals=3,
        registered=1,
        ordered=2,
        qualified=2,
        rewarded=1,
        orders=3,
        repeat_orders=1,
        orders_in={"EUR": 3},
        ordered_in={"EUR": 2},
        revenue={"EUR": Decimal("170.50")},
        refunded={"EUR": Decimal("80.50")},
        discounts={"EUR": Decimal("10.00")},
        given={"EUR": Decimal("12.50")},
        due={"EUR": Decimal("15.00")},
        taken_back={"EUR": Decimal("17.50")},
    )
    assert figures(FIRST, LAST, program=first.program_key) == {"": expected}
    assert figures(FIRST, LAST, program=str(first.program_key)) == {"": expected}
    assert figures(FIRST, LAST, by="program")[str(first.program_key)] == expected


def test_currencies_are_never_added(history: tuple[Terms, Terms]) -> None:
    found = figures(FIRST, LAST)[""]
    assert found.given == {"EUR": Decimal("12.50"), "USD": Decimal("4.00")}
    assert found.revenue == {"EUR": Decimal("170.50"), "USD": Decimal("40.00")}
    assert (found.orders, found.orders_in) == (4, {"EUR": 3, "USD": 1})


def test_the_parts_are_the_whole(history: tuple[Terms, Terms]) -> None:
    read = read_figures(FIRST, LAST)
    whole = read.by()[""]
    assert (whole.visits, whole.claims) == (6, 5)
    for dimension in ("program", "channel", "page", "language", "day", "month"):
        total = DayFigures()
        for part in read.by(dimension).values():
            total.add(part)
        assert total == whole, dimension


def test_where_a_friend_came_from(history: tuple[Terms, Terms]) -> None:
    read = read_figures(FIRST, LAST)
    assert read.by("channel")["email"] == DayFigures(shares=1, visits=1)
    assert read.by("channel")["code"] == DayFigures(claims=1)
    assert read.by("page")["7"] == DayFigures(visits=1)
    assert read.by("language")["fr"] == DayFigures(shares=1, visits=1)
    assert read.by("language")["de"] == DayFigures(claims=1)
    assert read.by("program")[""] == DayFigures(visits=1)
    assert list(read.by("month")) == ["2026-11"]
    assert set(read.by("day")) == {"2026-11-01", "2026-11-10"}
    with pytest.raises(LookupError):
        read.by("advocate")


def test_the_ends_of_the_days(history: tuple[Terms, Terms]) -> None:
    after = date(2026, 12, 1)
    assert figures(after, after)[""] == DayFigures(
        orders=1,
        ordered=1,
        orders_in={"EUR": 1},
        ordered_in={"EUR": 1},
        revenue={"EUR": Decimal("999.00")},
        # Never more than it cost.
        refunded={"EUR": Decimal("999.00")},
        discounts={"EUR": Decimal("99.90")},
        taken_back={"EUR": Decimal("7.00")},
    )
    before = figures(date(2026, 10, 31), date(2026, 10, 31))[""]
    assert (before.referrals, before.rewarded, before.given) == (1, 1, {"EUR": Decimal("15.00")})


def test_days_are_those_of_the_site(history: tuple[Terms, Terms], settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Paris"
    # A second before midnight in London it is the first already.
    assert figures(FIRST, FIRST)[""].referrals == 2
    assert figures(date(2026, 10, 31), date(2026, 10, 31))[""].referrals == 0


def test_of_a_program_that_is_not_there(history: tuple[Terms, Terms]) -> None:
    assert figures(FIRST, LAST, program=uuid4()) == {"": DayFigures()}
    assert figures(FIRST, LAST, program=uuid4(), by="channel") == {}


def test_the_cost_does_not_grow(history: tuple[Terms, Terms]) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            read_figures(FIRST, LAST).by()
        return len(queries)

    before = cost()
    for number in range(10):
        terms = terms_of("give_percent_get_credit", f"More {number}")
        referral = make_referral(terms, make_advocate(f"m{number}@example.com"), moment=INSIDE)
        make_purchase(referral, f"m{number}", moment=INSIDE)
        make_reward(referral, "15.00", "15.00", moment=INSIDE)
    assert cost() == before
    # Those that were kept, those that are counted now, and those that are read.
    assert before <= 3
