"""The overview: each figure is the number of the rows that it leads to."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from bs4 import Tag
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from oscar_integration.memberships.admin.figures import overview
from oscar_integration.memberships.models import Membership, Period, Plan, Renewal
from tests.memberships.rows import NOW, give, make_plan, make_user
from tests.memberships.staff import (
    OVERVIEW,
    administrator,
    main_of,
    make_renewal,
    reader,
    rows_of,
    soup_of,
    words_of,
)
from tests.memberships.test_admin_members import fill, friend_of_camille
from wagtail_referrals.referrals.models import Referral

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture
def admin() -> Client:
    return administrator()


def page_with(client: Client, **query: Any) -> Tag:
    return main_of(client.get(reverse(OVERVIEW), query))


def figure(page: Tag, label: str) -> tuple[list[str], str]:
    """The lines under a label, and where they lead."""
    for found in page.select(".referral-figure"):
        if words_of(found.select_one("dt")) == label:
            link = found.find("a")
            lines = [words_of(line) for line in found.select(".referral-figure__value span")]
            return lines, str(link["href"]) if isinstance(link, Tag) else ""
    raise AssertionError(f"no figure is called {label}")


def tables(page: Tag) -> list[dict[str, list[str]]]:
    """Header of the row -> its cells; by plan, and by month."""
    return [
        {
            words_of(row.find("th")): [words_of(cell) for cell in row.find_all("td")]
            for row in table.select("tbody tr")
        }
        for table in page.select("table.membership-table")
    ]


def links_of(page: Tag) -> list[tuple[str, str]]:
    """Number and address of every cell that leads somewhere."""
    return [(words_of(link), str(link["href"])) for link in page.select("table.membership-table td a")]


def member(name: str, plan: Plan, moment: datetime, **values: Any) -> Membership:
    """A membership as it would have been settled."""
    row = give(make_user(f"{name}@example.com", name.title()), plan, now=moment)
    Membership.objects.filter(pk=row.pk).update(**values)
    row.refresh_from_db()
    return row


MONTH = timedelta(days=30)


@pytest.fixture
def lived(plan: Plan) -> dict[str, Membership]:
    """Half a year of a small studio, seen on 10 March 2026."""
    Plan.objects.update(renews=True)
    plan.refresh_from_db()
    ten = make_plan("ten", uses=10)
    january, february = datetime(2026, 1, 15, 12, tzinfo=UTC), datetime(2026, 2, 20, 12, tzinfo=UTC)
    rows = {
        "lea": member("lea", plan, january, renews=True, ends_at=NOW + MONTH, access_until=NOW + MONTH),
        "noe": member("noe", plan, january, renews=True, state="past_due", access_until=NOW + MONTH / 10),
        "ana": member("ana", plan, february, renews=False, access_until=NOW + MONTH / 2),
        "hugo": member("hugo", ten, february, state="active", access_until=NOW + 3 * MONTH),
        "jade": member("jade", ten, january, state="ended", ended_reason="ran_out", access_until=february),
        "max": member(
            "max", plan, january - 2 * MONTH, state="ended", ended_reason="not_paid", access_until=january
        ),
    }
    friend_of_camille(rows["lea"].user)
    friend_of_camille(rows["hugo"].user, state=Referral.State.REFUSED)
    paid = {"currency": "EUR", "total": Decimal("30.00"), "order_number": None}
    make_renewal(
        rows["lea"],
        "done",
        ended_at=february,
        due_at=february,
        credit=Decimal("20.00"),
        charge=Decimal("10.00"),
        **paid,
    )
    make_renewal(
        rows["max"],
        "done",
        ended_at=january,
        due_at=january,
        credit=Decimal("0.00"),
        charge=Decimal("30.00"),
        **paid,
    )
    make_renewal(rows["lea"], currency="EUR", announced_total=Decimal("30.00"), due_at=NOW + MONTH)
    make_renewal(rows["ana"], due_at=NOW + MONTH / 2)
    make_renewal(rows["noe"], "past_due", due_at=NOW - timedelta(days=1))
    return rows


def test_members_by_plan_now(admin: Client, lived: dict[str, Membership]) -> None:
    by_plan, _by_month = tables(page_with(admin))
    assert by_plan == {"Monthly": ["3", "1", "1"], "Ten": ["1", "0", "0"]}


def test_growth_and_loss(admin: Client, lived: dict[str, Membership]) -> None:
    _by_plan, months = tables(page_with(admin))
    assert len(months) == 12
    assert next(iter(months)) == "March 2026"
    # Began, renewed, ended, net.
    assert months["February 2026"][:4] == ["2", "1", "1", "+1"]
    assert months["January 2026"][:4] == ["3", "1", "1", "+2"]
    assert months["November 2025"][:4] == ["1", "0", "0", "+1"]
    assert months["March 2026"][:4] == ["0", "0", "0", "0"]
    foot = page_with(admin).select_one("tfoot tr")
    assert words_of(foot) == "Together 6 2 2 4"


def test_the_bars_are_drawn_without_style(admin: Client, lived: dict[str, Membership]) -> None:
    page = page_with(admin)
    widths = [
        (
            bars.select_one(".membership-bars__began")["width"],
            bars.select_one(".membership-bars__ended")["width"],
        )  # type: ignore[index]
        for bars in page.select("svg.membership-bars")
    ]
    # March, February, January: the most of all is 3.
    assert widths[:3] == [("0", "0"), ("66", "33"), ("100", "33")]
    assert not page.find_all(style=True)


def test_who_came_as_a_friend(admin: Client, lived: dict[str, Membership]) -> None:
    assert figure(page_with(admin), "Members")[0] == ["4"]
    assert figure(page_with(admin), "Came as friends")[0] == ["1 (25%)"]


def test_money_is_never_added_across_currencies(admin: Client, lived: dict[str, Membership]) -> None:
    dollars = {
        "currency": "USD",
        "total": Decimal("25.00"),
        "credit": Decimal("5.00"),
        "charge": Decimal("20.00"),
    }
    make_renewal(lived["hugo"], "past_due", **dollars)
    make_renewal(lived["jade"], "done", ended_at=NOW, order_number="7", **dollars)
    page = page_with(admin)
    assert figure(page, "Renewals to come")[0] == ["2", "€30.00", "1 not reckoned yet"]
    assert figure(page, "Renewals past due")[0] == ["2", "€30.00", "$25.00"]
    assert figure(page, "Credit that paid renewals")[0] == ["€20.00", "$5.00"]


def test_what_is_still_to_recover_is_noted(admin: Client, lived: dict[str, Membership]) -> None:
    assert figure(page_with(admin), "Still to recover")[0] == ["0"]
    Period.objects.filter(membership=lived["jade"]).update(
        shortfall_uses=2, taken_back_at=NOW, taken_back_reason="taken_back"
    )
    lines, url = figure(page_with(admin), "Still to recover")
    assert lines == ["1"]
    assert [row[0] for row in rows_of(admin.get(url))] == ["Jade"]


def test_each_number_leads_to_its_rows(admin: Client, lived: dict[str, Membership]) -> None:
    Period.objects.filter(membership=lived["jade"]).update(
        shortfall_uses=2, taken_back_at=NOW, taken_back_reason="taken_back"
    )
    for query in ({}, {"plan": lived["lea"].plan_id}, {"first": "2026-01", "last": "2026-02"}):
        page = page_with(admin, **query)
        cells = links_of(page)
        assert len(cells) >= 6
        for number, url in cells:
            assert len(rows_of(admin.get(url))) == int(number), url
        for label in (
            "Members",
            "Came as friends",
            "Renewals to come",
            "Renewals past due",
            "Still to recover",
        ):
            lines, url = figure(page, label)
            assert len(rows_of(admin.get(url))) == int(lines[0].split()[0]), label
        _lines, url = figure(page, "Credit that paid renewals")
        assert len(rows_of(admin.get(url))) >= 1


def test_other_months_and_one_plan(admin: Client, lived: dict[str, Membership]) -> None:
    page = page_with(admin, first="2026-01", last="2026-02", plan=lived["hugo"].plan_id)
    by_plan, months = tables(page)
    assert by_plan == {"Ten": ["1", "0", "0"]}
    assert {month: cells[:4] for month, cells in months.items()} == {
        "February 2026": ["1", "0", "1", "0"],
        "January 2026": ["1", "0", "0", "+1"],
    }
    assert figure(page, "Members")[0] == ["1"]
    assert figure(page, "Credit that paid renewals")[0] == ["–"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"first": "2026-02", "last": "2026-01"}, "The period ends before it begins."),
        ({"last": "2026-04"}, "That month has not begun yet."),
        ({"first": "soon"}, "Give a month, like 2026-01."),
        ({"first": "1900-01"}, "Choose a later month."),
        ({"first": "2020-01"}, "Choose at most 60 months."),
        ({"plan": "999"}, "Select a valid choice."),
    ],
)
def test_what_makes_no_sense_shows_no_figures(admin: Client, query: dict[str, str], words: str) -> None:
    page = page_with(admin, **query)
    assert words in words_of(page)
    assert not page.select(".referral-figure") and not page.find("table")


def test_months_are_the_sites(plan: Plan) -> None:
    """In Paris it is March already, in Greenwich and at the reader's it is February."""
    moment = datetime(2026, 2, 28, 23, 30, tzinfo=UTC)
    member("lea", plan, moment, access_until=NOW + MONTH)
    with timezone.override("America/New_York"):
        found = overview(date(2026, 2, 1), date(2026, 3, 1), now=NOW)
    assert [(row.first.month, row.began) for row in found.months] == [(2, 0), (3, 1)]


def test_a_thousand_members_cost_no_more_than_three(admin: Client, plan: Plan) -> None:
    path = reverse(OVERVIEW)

    def cost() -> int:
        admin.get(path)
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(path).status_code == 200
        return len(queries)

    fill(plan, range(3))
    few = cost()
    fill(plan, range(3, 1000))
    Renewal.objects.bulk_create(
        Renewal(membership=row, number=1, due_at=NOW, created_at=NOW) for row in Membership.objects.all()
    )
    make_plan("ten")
    assert cost() == few
    with CaptureQueriesContext(connection) as queries:
        overview(date(2025, 4, 1), date(2026, 3, 1), now=NOW)
    assert len(queries) == 10


def test_who_sees_the_overview_only_has_no_links(lived: dict[str, Membership]) -> None:
    page = page_with(reader("view_overview"))
    assert figure(page, "Members") == (["4"], "")
    assert links_of(page) == []


def test_before_there_is_anything(admin: Client) -> None:
    page = page_with(admin)
    assert "There is no plan yet." in words_of(page)
    assert figure(page, "Came as friends")[0] == ["0"]
    assert figure(page, "Credit that paid renewals")[0] == ["–"]
    assert words_of(soup_of(admin.get(reverse(OVERVIEW))).select_one("tfoot tr")) == "Together 0 0 0 0"
