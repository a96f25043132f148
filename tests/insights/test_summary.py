"""The figures of the summary against a history that one can count by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
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
from wagtail_referrals.insights import Figures, Summary, summary
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals import timeline
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.tracking.models import Visit

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 1, tzinfo=UTC)
END = datetime(2026, 12, 1, tzinfo=UTC)
INSIDE = datetime(2026, 11, 10, 12, tzinfo=UTC)
BEFORE = START - timedelta(seconds=1)


def terms_of(preset: str, name: str) -> Terms:
    return Terms.objects.get(program=make_program(preset, name=name))


def take_back(referral: Any, kind: str, amount: str, moment: datetime, currency: str = "EUR") -> None:
    data = {"side": "advocate", "reason": "refunded", "amount": amount, "currency": currency}
    timeline.record(kind, referral=referral, data=data, now=moment)


@pytest.fixture
def history(db: None) -> tuple[Terms, Terms]:
    """Two programs. In the first, three friends within the period and one before; in the second, one, with dollars."""
    first, second = terms_of("give_percent_get_credit", "First"), terms_of("percentage_back", "Second")
    camille = make_advocate()
    # Visits that came to nothing: one with a program, one when none was open.
    Visit.objects.create(advocate=camille, terms=first, created_at=INSIDE)
    Visit.objects.create(advocate=camille, terms=None, created_at=INSIDE)

    given = make_referral(
        first, camille, make_user("a@example.com"), moment=START, state="rewarded", qualified_at=INSIDE
    )
    order = make_purchase(given, "1", "100.00", moment=START)
    make_discount(given, order, "10.00")
    make_reward(given, "12.50", "12.50", moment=INSIDE, state=Reward.State.REDUCED)
    take_back(given, "reward_reduced", "2.50", INSIDE)

    waiting = make_referral(first, camille, make_user("b@example.com"), moment=INSIDE)
    make_purchase(waiting, "2", "50.50", moment=INSIDE)
    make_reward(waiting, "15.00", moment=INSIDE)

    gone = make_referral(first, camille, make_user("c@example.com"), moment=INSIDE)
    make_reward(gone, "0", moment=INSIDE, state=Reward.State.TAKEN_BACK)
    take_back(gone, "reward_taken_back", "15.00", INSIDE)

    early = make_referral(
        first, camille, make_user("d@example.com"), moment=BEFORE, state="rewarded", qualified_at=BEFORE
    )
    late_order = make_purchase(early, "3", "999.00", moment=END)
    make_discount(early, late_order, "99.90")
    make_reward(early, "15.00", "15.00", moment=BEFORE)
    take_back(early, "reward_taken_back", "7.00", END)

    dollars = make_referral(second, camille, make_user("e@example.com"), moment=INSIDE)
    make_purchase(dollars, "4", "40.00", moment=INSIDE, currency="USD")
    make_reward(dollars, "4.00", "4.00", moment=INSIDE, currency="USD")
    # A thing without an amount counts 1 in its row; that is no euro.
    make_reward(dollars, "1", "1", moment=INSIDE, kind="free_shipping", occasion="purchase:4")
    return first, second


def figures_of(found: Summary, name: str) -> Figures:
    return next(item.figures for item in found.programs if item.name == name)


def test_the_figures_of_one_program(history: tuple[Terms, Terms]) -> None:
    figures = figures_of(summary(START, END), "First")
    assert figures == Figures(
        visits=4,
        claims=3,
        referrals=3,
        orders=2,
        rewarded=1,
        revenue={"EUR": Decimal("150.50")},
        given={"EUR": Decimal("12.50")},
        due={"EUR": Decimal("15.00")},
        taken_back={"EUR": Decimal("17.50")},
        discounts={"EUR": Decimal("10.00")},
    )


def test_currencies_are_never_added(history: tuple[Terms, Terms]) -> None:
    found = summary(START, END)
    assert figures_of(found, "Second").given == {"USD": Decimal("4.00")}
    assert found.total.given == {"EUR": Decimal("12.50"), "USD": Decimal("4.00")}
    assert found.total.revenue == {"EUR": Decimal("150.50"), "USD": Decimal("40.00")}


def test_the_total_is_the_sum_and_counts_visits_without_a_program(history: tuple[Terms, Terms]) -> None:
    found = summary(START, END)
    assert [item.name for item in found.programs] == ["First", "Second", ""]
    assert found.programs[-1].figures == Figures(visits=1)
    assert (found.total.visits, found.total.referrals, found.total.orders) == (6, 4, 3)


def test_the_ends_of_the_period(history: tuple[Terms, Terms]) -> None:
    later = figures_of(summary(END, END + timedelta(days=1)), "First")
    assert later == Figures(
        orders=1,
        revenue={"EUR": Decimal("999.00")},
        discounts={"EUR": Decimal("99.90")},
        taken_back={"EUR": Decimal("7.00")},
    )
    earlier = figures_of(summary(BEFORE, START), "First")
    assert (earlier.referrals, earlier.rewarded, earlier.given) == (1, 1, {"EUR": Decimal("15.00")})


def test_one_program_only(history: tuple[Terms, Terms]) -> None:
    first, second = history
    whole = summary(START, END)
    for terms, name in ((first, "First"), (second, "Second")):
        found = summary(START, END, terms.program_key)
        assert [item.name for item in found.programs] == [name]
        assert found.total == figures_of(whole, name)
        assert summary(START, END, str(terms.program_key)) == found
    assert summary(START, END, uuid4()) == Summary(Figures(), [])


def test_a_deleted_program_keeps_its_name(history: tuple[Terms, Terms]) -> None:
    assert history[0].program is not None
    history[0].program.delete()
    assert [item.name for item in summary(START, END).programs] == ["First", "Second", ""]


def test_the_cost_does_not_grow(history: tuple[Terms, Terms]) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            summary(START, END)
        return len(queries)

    before = cost()
    for number in range(10):
        terms = terms_of("give_percent_get_credit", f"More {number}")
        referral = make_referral(terms, make_advocate(f"m{number}@example.com"), moment=INSIDE)
        make_purchase(referral, f"m{number}", moment=INSIDE)
        make_reward(referral, "15.00", "15.00", moment=INSIDE)
    assert cost() == before
    assert before <= 12


def test_without_anything(db: None) -> None:
    assert summary(START, END) == Summary(Figures(), [])
