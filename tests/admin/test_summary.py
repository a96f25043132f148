"""The summary's page: what it says of a period, beside the one before, and where it leads."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.admin.conftest import signed_in, staff
from tests.admin.rows import (
    NOW,
    make_advocate,
    make_discount,
    make_program,
    make_purchase,
    make_referral,
    make_reward,
    make_user,
)
from tests.audiences import NEVER_BOUGHT, make_audience
from wagtail_referrals.admin.behind import ROWS
from wagtail_referrals.admin.figures import MEANINGS
from wagtail_referrals.insights import refresh_days
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.tracking.models import Share, Visit

pytestmark = pytest.mark.django_db

BEFORE = NOW - timedelta(days=31)


@pytest.fixture
def history(terms: Terms) -> Terms:
    """In this month two friends, of whom one ordered; in the one before, one."""
    camille = make_advocate()
    referral = make_referral(
        terms, camille, make_user("lea@example.com"), qualified_at=NOW, registered_at=NOW, state="rewarded"
    )
    order = make_purchase(referral, "1", "1234.50", moment=NOW, observed={"refunded": "34.50"})
    make_discount(referral, order, "10.00")
    make_reward(referral, "15.00", "15.00", moment=NOW)
    make_referral(terms, camille, make_user("noa@example.com"))
    make_referral(terms, camille, make_user("max@example.com"), moment=BEFORE)
    for channel in ("whatsapp", "whatsapp", "copy"):
        Share.objects.create(advocate=camille, terms=terms, channel=channel, created_at=NOW)
    return terms


def page(client: Client, **query: Any) -> BeautifulSoup:
    response = client.get(reverse("wagtail_referrals_summary"), {"period": "month", **query})
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html.parser")


def headlines(soup: BeautifulSoup) -> dict[str, str]:
    return {
        box.select("dt")[0].get_text(strip=True): " ".join(
            value.get_text(strip=True) for value in box.select(".referral-reading__now")
        )
        for box in soup.select(".referral-headline")
    }


def table(soup: BeautifulSoup, title: str) -> list[list[str]]:
    [found] = soup.select(f'[aria-label="{title}"] table')
    return [
        [
            " ".join(
                part.get_text(" ", strip=True) for part in (cell.select(".referral-reading__now") or [cell])
            )
            for cell in row.select("th, td")
        ]
        for row in found.select("tr")
    ]


def test_the_figures_of_a_month_beside_those_of_the_month_before(admin: Client, history: Terms) -> None:
    soup = page(admin)
    assert headlines(soup) == {
        "Friends": "2",
        "New customers": "1",
        "Revenue": "€1,234.50",
        "Cost": "€25.00",
        "Cost per new customer": "€25.00",
        "Friends per referrer": "2.0",
    }
    friends = soup.select(".referral-headline")[0].get_text(" ", strip=True)
    assert "100% more" in friends
    assert "1 before" in friends
    # The eleventh of November: compared with what October had come to by then.
    assert "Compared with Oct. 1, 2026 to Oct. 11, 2026" in soup.get_text()


def test_the_funnel_and_the_account(admin: Client, history: Terms) -> None:
    soup = page(admin)
    funnel = {row[0].split()[0]: row[1:] for row in table(soup, "How far they got") if len(row) == 4}
    assert funnel["Friends"][0] == "2"
    assert funnel["Shared"][0] == "1"
    assert funnel["Registered"][0] == "1"
    assert funnel["Qualified"][0] == funnel["Rewarded"][0] == "1"
    assert funnel["Shared"][2].startswith("100% Share rate")
    assert funnel["New"][2].startswith("50% Conversion")
    assert funnel["Visits"][2].startswith("0.7 Click-through")
    account = dict(row for row in (r[:2] for r in table(soup, "What it brought and cost")[1:]))
    assert list(account.values()) == ["1", "€1,234.50", "€34.50", "€10.00", "€15.00", "–", "–"]
    assert [rect["width"] for rect in soup.select(".referral-bar rect")][:2] == ["100%", "100%"]


def test_every_figure_is_defined(admin: Client, history: Terms) -> None:
    soup = page(admin)
    for box in soup.select(".referral-headline"):
        assert box.select(".referral-help")[0].get_text(strip=True)
    for row in soup.select(".referral-funnel th[scope=row], .referral-account th[scope=row]"):
        assert row.select(".referral-help")[0].get_text(strip=True)
    assert set(ROWS) <= set(MEANINGS)


def test_periods_and_programs(admin: Client, history: Terms) -> None:
    assert headlines(page(admin, period="last_month"))["Friends"] == "1"
    assert headlines(page(admin, period="last_7"))["Friends"] == "2"
    own = {"period": "custom", "first": "2026-11-10", "last": "2026-11-10"}
    assert headlines(page(admin, **own))["Friends"] == "2"
    assert headlines(page(admin, **own | {"first": "2026-11-11", "last": "2026-11-30"}))["Friends"] == "0"
    other = make_program("percentage_back")
    assert headlines(page(admin, program=str(other.key)))["Friends"] == "0"
    assert headlines(page(admin, program=str(history.program_key)))["Friends"] == "2"


def test_nothing_at_all_is_said_plainly(admin: Client) -> None:
    soup = page(admin)
    assert headlines(soup)["Friends"] == "0"
    assert headlines(soup)["Revenue"] == "–"
    assert "Nothing in this period." in soup.select(".referral-chart")[0].get_text()
    assert soup.select(".referral-headline a, .referral-funnel a, .referral-account a") == []


def test_currencies_stand_beside_each_other_and_are_never_added(admin: Client, history: Terms) -> None:
    camille = Visit.objects.all()[0].advocate
    for code, amount in (("USD", "40.00"), ("GBP", "30.00")):
        referral = make_referral(history, camille, make_user(f"{code}@example.com"))
        make_purchase(referral, code, amount, currency=code)
        make_reward(referral, "4.00", "4.00", currency=code)
    found = headlines(page(admin))
    assert found["Revenue"] == "€1,234.50 £30.00 $40.00" or found["Revenue"].split() == [
        "€1,234.50",
        "£30.00",
        "US$40.00",
    ]
    # In each currency by those who ordered in it.
    assert found["Cost per new customer"].split()[:2] == ["€25.00", "£4.00"]


def test_the_breakdowns(admin: Client, history: Terms) -> None:
    members = make_program(
        "percentage_back", name="Members", audience=make_audience(NEVER_BOUGHT, name="New")
    )
    terms = Terms.objects.get(program_key=members.key)
    camille = Visit.objects.all()[0].advocate
    visit = Visit.objects.create(
        advocate=camille, terms=terms, channel="qr", language="fr", page_id=987654, created_at=NOW
    )
    assert visit.pk
    soup = page(admin)
    name = history.data["name"]
    head, *rows = table(soup, "By program")
    assert head[1:] == ["Times shared", "Visits", "Friends", "New customers", "Conversion", "Revenue", "Cost"]
    assert rows == [
        [name, "3", "2", "2", "1", "50%", "€1,234.50", "€25.00"],
        ["Members", "0", "1", "0", "0", "0%", "–", "–"],
    ]
    assert [row[:4] for row in table(soup, "By the way a link was shared")[1:]] == [
        ["A link that names no way", "0", "2", "2"],
        ["QR code", "–", "1", "0"],
        ["Copied link", "1", "0", "0"],
        ["WhatsApp", "2", "0", "0"],
    ]
    assert [row[:3] for row in table(soup, "By audience")[1:]] == [["Everybody", "3", "2"], ["New", "0", "1"]]
    assert [row[:2] for row in table(soup, "By language")[1:]] == [["Not known", "2"], ["Français", "1"]]
    assert [row[0] for row in table(soup, "By landing page")[1:]][-1] == "Deleted page 987654"


def test_many_rows_are_shown_when_asked_for(admin: Client, history: Terms) -> None:
    camille = Visit.objects.all()[0].advocate
    Visit.objects.bulk_create(
        Visit(advocate=camille, terms=history, page_id=number, created_at=NOW) for number in range(9000, 9030)
    )
    soup = page(admin)
    assert len(table(soup, "By landing page")) == 1 + 10
    [more] = [link for link in soup.select("a") if link.get_text(strip=True) == "Show 21 more"]
    address = reverse("wagtail_referrals_summary") + str(more["href"])
    opened = BeautifulSoup(admin.get(address).content, "html.parser")
    assert len(table(opened, "By landing page")) == 1 + 31


WRONG = [
    {"period": "bogus"},
    {"period": "custom"},
    {"period": "custom", "first": "2026-11-10"},
    {"period": "custom", "first": "2026-11-10", "last": "2026-11-09"},
    {"period": "custom", "first": "soon", "last": "later"},
    {"program": "bogus"},
    {"program": "00000000-0000-0000-0000-000000000000"},
]


@pytest.mark.parametrize("query", WRONG)
def test_a_question_that_makes_no_sense_shows_no_figures(
    admin: Client, history: Terms, query: dict[str, str]
) -> None:
    soup = page(admin, **query)
    assert headlines(soup) == {}
    assert soup.select(".error-message")
    refused = admin.get(reverse("wagtail_referrals_summary"), {**query, "export": "csv"})
    assert refused.status_code == 400


def test_figures_lead_to_as_many_rows(admin: Client, history: Terms) -> None:
    """Every link opens, and those of counts find just what was counted."""
    soup = page(admin)
    found = 0
    for cell in soup.select(".referral-funnel tr, .referral-account tr"):
        for link in cell.select("th[scope=row] a"):
            [shown] = cell.select(".referral-reading__now")
            response = admin.get(str(link["href"]))
            assert response.status_code == 200
            if shown.get_text().isdecimal() and "shares" not in str(link["href"]):
                assert response.context["paginator"].count == int(shown.get_text()), link["href"]
            else:
                assert response.context["paginator"].count, link["href"]
            found += 1
    assert found >= 12


def test_rows_of_a_breakdown_lead_to_their_friends(admin: Client, history: Terms) -> None:
    rows = page(admin).select('[aria-label="By program"] tbody tr')
    rows += page(admin).select('[aria-label="By the way a link was shared"] tbody tr')
    assert len(rows) == 4
    for row in rows:
        [link] = row.select("th a")
        friends = row.select("td")[2].get_text(strip=True)
        assert admin.get(str(link["href"])).context["paginator"].count == int(friends)


def test_nothing_leads_where_one_may_not_go(history: Terms) -> None:
    soup = page(signed_in(staff("reports@example.com", "view_summary")))
    assert headlines(soup)["Friends"] == "2"
    assert soup.select(".referral-headline a, table a") == []


def test_the_file_has_what_the_page_has(admin: Client, history: Terms) -> None:
    response = admin.get(reverse("wagtail_referrals_summary"), {"period": "month", "export": "csv"})
    lines = response.getvalue().decode("utf-8-sig").splitlines()
    assert lines[0] == "Table,Row,Figure,Currency,Value,Before"
    assert "Summary,,Friends,,2,1" in lines
    assert "Summary,,Revenue,EUR,1234.50,0.00" in lines
    assert "Friends by day,2026-11-10,Friends,,2," in lines
    assert any(line.startswith("By language,Not known,Visits,,2") for line in lines)


def test_the_page_costs_few_queries(admin: Client, history: Terms) -> None:
    """In all, with what Wagtail and Oscar ask on every page; also where nothing was counted yet."""

    def queries(**query: str) -> int:
        with CaptureQueriesContext(connection) as caught:
            page(admin, **query)
        return len(caught)

    page(admin)
    assert queries(period="last_90") <= 30
    refresh_days()
    assert queries(period="last_90") <= 30
    assert queries(period="month", program=str(history.program_key)) <= 30
