"""Reports beside the summary: top referrers, friends by month of arrival, credit, health."""

from __future__ import annotations

import csv
import io
import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tests.admin.conftest import signed_in, staff
from tests.admin.rows import (
    NOW,
    make_advocate,
    make_program,
    make_purchase,
    make_referral,
    make_reward,
    make_user,
)
from wagtail_referrals import credit
from wagtail_referrals.admin import health
from wagtail_referrals.messages.models import Message
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.recognition.standings import recount
from wagtail_referrals.referrals.models import AttributionRequest, Referral
from wagtail_referrals.rewards.models import Reward, SweepRun

pytestmark = pytest.mark.django_db

TOP, COHORTS = "wagtail_referrals_top", "wagtail_referrals_cohorts"
CREDIT, HEALTH = "wagtail_referrals_credit_report", "wagtail_referrals_health"
REPORTS = (TOP, COHORTS, CREDIT, HEALTH)


def look(client: Client, name: str, **query: str) -> BeautifulSoup:
    response = client.get(reverse(name), query)
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html.parser")


def table(page: BeautifulSoup, number: int = 0) -> dict[str, list[str]]:
    """Cells by what stands at the beginning of the row."""
    return {
        next(row.find("th").stripped_strings): [  # type: ignore[union-attr]
            cell.get_text(" ", strip=True) for cell in row.select("td")
        ]
        for row in page.select(".referral-scroll > table")[number].select("tbody tr")
    }


def file_of(client: Client, name: str, **query: str) -> list[list[str]]:
    response: Any = client.get(reverse(name), {**query, "export": "csv"})
    assert response.status_code == 200
    return list(csv.reader(io.StringIO(response.getvalue().decode("utf-8-sig"))))


def grant(user: Any, currency: str, amount: str, **values: Any) -> None:
    credit.grant(user=user, currency=currency, amount=Decimal(amount), **values)


@pytest.fixture
def camille(db: None) -> Advocate:
    return make_advocate()


@pytest.fixture
def brought(terms: Terms, camille: Advocate) -> list[Advocate]:
    """Camille brought two friends who count and one who does not, Robin one, each with an order."""
    robin = make_advocate("robin@example.com", "Robin")
    for number, (advocate, state) in enumerate(
        [
            (camille, Referral.State.REWARDED),
            (camille, Referral.State.WAITING_PERIOD),
            (camille, Referral.State.REFUSED),
            (robin, Referral.State.REWARDED),
        ]
    ):
        friend = make_user(f"friend{number}@example.com")
        referral = make_referral(terms, advocate, friend, state=state, qualified_at=NOW)
        make_purchase(
            referral,
            str(number),
            "80.00",
            observed={"paid_at": NOW.isoformat(), "cancelled": False, "refunded": "5.00"},
        )
        if state == Referral.State.REWARDED:
            make_reward(referral, "15.00", "15.00")
    recount([camille, robin])
    return [camille, robin]


# Permissions


@pytest.mark.parametrize("name", REPORTS)
def test_the_view_itself_asks_for_the_permission(name: str, outsider: Client) -> None:
    other = signed_in(staff("other@example.com", "view_referral", "view_advocate", "view_reward"))
    for client in (outsider, other, Client()):
        for query in ({}, {"export": "csv"}):
            assert client.get(reverse(name), query).status_code in (302, 403)


def test_each_is_reached_from_the_others() -> None:
    page = look(signed_in(staff("reader@example.com", "view_summary")), HEALTH)
    links = [str(link["href"]) for link in page.select(".referral-reports a")]
    assert links == [reverse(name) for name in ("wagtail_referrals_summary", *REPORTS)]


@pytest.mark.parametrize("name", REPORTS)
def test_it_costs_few_queries(name: str, admin: Client, brought: list[Advocate], camille: Advocate) -> None:
    grant(camille.user, "EUR", "20.00", key="one", expires_at=NOW + timedelta(days=40))
    look(admin, name)
    with CaptureQueriesContext(connection) as queries:
        look(admin, name)
    assert len(queries) <= 30


@pytest.mark.parametrize("name", [TOP, COHORTS])
@pytest.mark.parametrize(
    "query", [{"period": "bogus"}, {"program": "x"}, {"period": "custom", "first": "2026-11-02", "last": ""}]
)
def test_nonsense_shows_nothing_and_has_no_file(
    name: str, query: dict[str, str], admin: Client, brought: list[Advocate]
) -> None:
    assert not look(admin, name, **query).select(".referral-report")
    assert admin.get(reverse(name), {**query, "export": "csv"}).status_code == 400


# Top referrers


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"period": "ever"},
        {"period": "month"},
        {"period": "last_7"},
        {"period": "custom", "first": "2026-11-10", "last": "2026-11-10"},
    ],
)
def test_who_brought_most(query: dict[str, str], admin: Client, brought: list[Advocate]) -> None:
    page = look(admin, TOP, **query)
    assert table(page) == {
        "1. Camille": ["2", "3", "€150.00", "€15.00"],
        "2. Robin": ["1", "1", "€75.00", "€15.00"],
    }
    (link, _other) = page.select("tbody th a")
    assert link["href"] == reverse("wagtail_referrals_advocates:inspect", args=[brought[0].pk])


def test_equals_share_a_place(admin: Client, terms: Terms, camille: Advocate) -> None:
    others = [make_advocate(f"{name}@example.com", name) for name in ("Robin", "Sam")]
    for hour, advocate in enumerate([camille, *others, others[1]]):
        make_referral(
            terms, advocate, state=Referral.State.REWARDED, qualified_at=NOW + timedelta(hours=hour)
        )
    recount([camille, *others])
    assert list(table(look(admin, TOP))) == ["1. Sam", "2. Camille", "2. Robin"]


def test_other_days_and_other_programs_have_nobody(admin: Client, brought: list[Advocate]) -> None:
    make_program(name="Another")
    another = str(Terms.objects.latest("pk").program_key)
    for query in ({"period": "last_month"}, {"program": another}, {"period": "ever", "program": another}):
        assert "Nobody brought a friend" in look(admin, TOP, **query).get_text()


def test_who_may_not_look_at_referrers_reads_no_names(brought: list[Advocate]) -> None:
    client = signed_in(staff("reader@example.com", "view_summary"))
    page = look(client, TOP)
    assert list(table(page)) == [
        f"1. referrer {brought[0].pk}",
        f"2. referrer {brought[1].pk}",
    ]
    assert not page.select("tbody a")
    assert not any("Camille" in cell for row in file_of(client, TOP) for cell in row)


def test_the_file_says_what_the_screen_says(admin: Client, brought: list[Advocate]) -> None:
    assert file_of(admin, TOP, period="ever") == [
        [
            "Place",
            "Referrer",
            "Friends who count",
            "New friends",
            "Revenue (EUR)",
            "Rewards given (EUR)",
        ],
        ["1", "Camille", "2", "3", "150.00", "15.00"],
        ["2", "Robin", "1", "1", "75.00", "15.00"],
    ]


def test_the_file_has_only_currencies_that_there_are(admin: Client, brought: list[Advocate]) -> None:
    """Nobody ordered in francs."""
    Reward.objects.filter(advocate=brought[1]).update(currency="CHF")
    headings, *rows = file_of(admin, TOP, period="ever")
    assert headings[4:] == ["Rewards given (CHF)", "Revenue (EUR)", "Rewards given (EUR)"]
    assert [row[4:] for row in rows] == [["0.00", "150.00", "15.00"], ["15.00", "75.00", "0.00"]]


def test_all_time_of_a_shop_without_referrals(admin: Client) -> None:
    assert "Nobody brought a friend" in look(admin, TOP, period="ever").get_text()


# Friends by month of arrival


@pytest.fixture
def arrived(terms: Terms, camille: Advocate) -> None:
    """Two friends in September, of whom one orders at once and twice in November; one in November."""
    september = datetime(2026, 9, 30, 21, 30, tzinfo=UTC)
    first, second = (
        make_referral(terms, camille, make_user(f"{n}@example.com"), moment=september) for n in range(2)
    )
    make_purchase(first, "1", "10.00", moment=september)
    make_purchase(first, "2", "20.00", moment=NOW)
    make_purchase(first, "3", "30.00", moment=NOW)
    make_purchase(second, "4", "40.00", moment=NOW, currency="CHF")
    make_referral(terms, camille, make_user("last@example.com"))


def test_how_many_of_a_month_order_in_the_next_ones(admin: Client, arrived: None) -> None:
    assert table(look(admin, COHORTS)) == {
        "September 2026": ["2", "2 (100%)", "50%", "0%", "100%"],
        "November 2026": ["1", "0 (0%)", "0%", "–", "–"],
    }


def test_their_orders_and_revenue(admin: Client, arrived: None) -> None:
    assert table(look(admin, COHORTS, measure="orders"))["September 2026"][2:] == ["1", "0", "3"]
    page = look(admin, COHORTS, measure="revenue")
    assert [title.get_text() for title in page.select(".referral-report h2")] == [
        "Revenue (CHF)",
        "Revenue (EUR)",
    ]
    francs = [credit.format_money(Decimal(amount), "CHF") for amount in ("0.00", "0.00", "40.00")]
    assert table(page, 0)["September 2026"][2:] == francs
    assert table(page, 1)["September 2026"][2:] == ["€10.00", "€0.00", "€50.00"]


def test_an_order_from_before_the_referral_is_of_its_month(
    admin: Client, terms: Terms, camille: Advocate
) -> None:
    reported = make_referral(terms, camille, make_user("late@example.com"))
    make_purchase(reported, "1", "10.00", moment=NOW - timedelta(days=20))
    make_purchase(reported, "2", "20.00")
    assert table(look(admin, COHORTS)) == {"November 2026": ["1", "1 (100%)", "100%"]}
    assert table(look(admin, COHORTS, measure="revenue")) == {"November 2026": ["1", "1 (100%)", "€30.00"]}


def test_a_month_is_one_of_the_site(admin: Client, arrived: None, settings: Any) -> None:
    # 21:30 in Greenwich is in October in Moscow.
    settings.TIME_ZONE = "Europe/Moscow"
    assert table(look(admin, COHORTS)) == {
        "October 2026": ["2", "2 (100%)", "50%", "100%"],
        "November 2026": ["1", "0 (0%)", "0%", "–"],
    }


def test_the_files_of_months(admin: Client, arrived: None) -> None:
    later = ["Same month", "1 month later", "2 months later"]
    assert file_of(admin, COHORTS) == [
        ["Became known", "Friends", "Ordered", *later],
        ["2026-09-01", "2", "2", "1", "0", "2"],
        ["2026-11-01", "1", "0", "0", "", ""],
    ]
    assert file_of(admin, COHORTS, measure="revenue") == [
        ["Became known", "Friends", "Ordered", "Currency", *later],
        ["2026-09-01", "2", "2", "CHF", "0.00", "0.00", "40.00"],
        ["2026-09-01", "2", "2", "EUR", "10.00", "0.00", "50.00"],
    ]


def test_a_measure_that_is_none(admin: Client, arrived: None) -> None:
    assert not look(admin, COHORTS, measure="bogus").select("table")
    assert admin.get(reverse(COHORTS), {"measure": "bogus", "export": "csv"}).status_code == 400


# Credit


@pytest.fixture
def owed(terms: Terms, camille: Advocate) -> None:
    now = timezone.now()
    grant(camille.user, "EUR", "20.00", key="a", expires_at=now + timedelta(days=10), now=now)
    grant(camille.user, "EUR", "7.00", key="b", expires_at=now + timedelta(days=55), now=now)
    grant(camille.user, "EUR", "5.00", key="c", now=now)
    # Over since yesterday, and not swept yet.
    grant(
        camille.user,
        "EUR",
        "3.00",
        key="d",
        expires_at=now - timedelta(days=1),
        now=now - timedelta(days=9),
    )
    credit.reserve(
        user=camille.user,
        currency="EUR",
        amount=Decimal("4.00"),
        order_number="1",
        expires_at=now + timedelta(hours=1),
        now=now,
    )
    gone = make_user("gone@example.com")
    grant(gone, "CHF", "9.00", key="e", now=now)
    gone.delete()
    referral = make_referral(terms, camille)
    make_reward(referral, "15.00")
    make_reward(referral, "10.00", state=Reward.State.TO_CHECK, occasion="purchase:1")


def test_what_customers_have_and_are_still_to_get(admin: Client, owed: None) -> None:
    page = look(admin, CREDIT)
    found = table(page)
    heads = [cell.get_text() for cell in page.select("thead")[0].select("th")]
    euro = heads.index("EUR") - 1
    assert {label: cells[euro] for label, cells in found.items()} == {
        "To spend": "€28.00",
        "Set aside": "€4.00",
        "Expires within 30 days": "€16.00",
        "Promised, waiting": "€15.00",
        "Promised, to check": "€10.00",
        "Still to recover": "€0.00",
        "Without an owner": "€0.00",
        "Customers with credit": "1",
        "Customers to recover from": "0",
    }
    assert found["Without an owner"][1 - euro] == credit.format_money(Decimal("9.00"), "CHF")
    months = table(page, 1)
    assert months["November 2026"][euro] == "€16.00"
    assert months["January 2027"][euro] == "€7.00"
    assert months["December 2026"][euro] == "–"


def test_each_figure_leads_to_its_rows(admin: Client, owed: None) -> None:
    links = [str(link["href"]) for link in look(admin, CREDIT).select("tbody th a")]
    assert len(links) == 6
    for url in links:
        response = admin.get(url)
        assert response.status_code == 200
        assert "There are no" not in response.content.decode() or "shortfall" in url


def test_a_reader_finds_no_links_into_what_is_closed(owed: None) -> None:
    page = look(signed_in(staff("reader@example.com", "view_summary")), CREDIT)
    assert table(page)
    assert not page.select("tbody a")


def test_the_file_of_credit(admin: Client, owed: None) -> None:
    headings, *rows = file_of(admin, CREDIT)
    by_currency = {row[0]: dict(zip(headings, row, strict=True)) for row in rows}
    assert by_currency["EUR"]["To spend"] == "28.00"
    assert by_currency["EUR"]["Expires in January 2027"] == "7.00"
    assert by_currency["CHF"]["Without an owner"] == "9.00"


def test_a_shop_without_credit(admin: Client) -> None:
    assert "No customer has referral credit" in look(admin, CREDIT).get_text()


# Health


def states(page: BeautifulSoup) -> dict[str, str]:
    return {label: cells[0] for label, cells in table(page).items()}


def test_all_is_well(admin: Client) -> None:
    SweepRun.objects.create(started_at=timezone.now(), finished_at=timezone.now(), settled=3)
    assert set(states(look(admin, HEALTH)).values()) == {"Fine"}


@pytest.mark.parametrize(
    ("age", "state"), [(1, "Fine"), (2 * 60, "Look at this"), (25 * 60, "Broken"), (0, "Broken")]
)
def test_when_the_sweep_ran(age: int, state: str, admin: Client) -> None:
    if age:
        finished = timezone.now() - timedelta(minutes=age)
        SweepRun.objects.create(started_at=finished, finished_at=finished)
    else:
        SweepRun.objects.create(started_at=timezone.now())
    assert states(look(admin, HEALTH))["Last run"] == state


def test_what_waits_and_what_failed(admin: Client, terms: Terms, camille: Advocate) -> None:
    now = timezone.now()
    SweepRun.objects.create(started_at=now, finished_at=now, failed=2)
    old = make_referral(
        terms,
        camille,
        state=Referral.State.TO_CHECK,
        reason="review",
        moment=now - timedelta(days=8),
        next_check_at=now - timedelta(hours=2),
    )
    make_reward(old, "15.00", state=Reward.State.FAILED)
    AttributionRequest.objects.create(
        kind="reported", advocate=camille, reference="1", created_at=now - timedelta(days=1)
    )
    page = look(admin, HEALTH)
    found = table(page)
    assert {label for label, cells in found.items() if cells[0] == "Look at this"} == {
        "Failed in runs",
        "Overdue",
        "To check",
        "Failed rewards",
    }
    assert found["To check"][1].startswith("1 referral to check")
    assert found["Requests about orders"][0] == "Fine"
    links = [str(link["href"]) for link in page.select("tbody a")]
    assert len(links) == 3
    for url in links:
        assert admin.get(url).status_code == 200
    reader = look(signed_in(staff("reader@example.com", "view_summary")), HEALTH)
    assert not reader.select("tbody a")
    # The list of what is to be checked opens for who decides about it.
    finance = make_user("finance@example.com")
    finance.groups.add(Group.objects.get(name="Referral finance"))
    client = signed_in(finance)
    links = [str(link["href"]) for link in look(client, HEALTH).select("tbody a")]
    assert len(links) == 1
    assert client.get(links[0]).status_code == 200


def test_messages_that_were_given_up(admin: Client) -> None:
    """And those of which nobody knows whether they went."""
    now = timezone.now()
    labels = ("Messages given up", "Messages maybe sent")
    found = table(look(admin, HEALTH))
    assert [found[label][:2] for label in labels] == [["Fine", "None"]] * 2
    for number, (state, days) in enumerate(
        (
            ("failed", 0),
            ("failed", 29),
            ("failed", 31),
            ("unsure", 1),
            ("unsure", 31),
            ("sent", 0),
            ("pending", 0),
        )
    ):
        Message.objects.create(
            key=f"test:{number}", kind="reward_given", state=state, created_at=now - timedelta(days=days)
        )
    page = look(admin, HEALTH)
    found = table(page)
    assert [found[label][0] for label in labels] == ["Look at this"] * 2
    failed, unsure = (found[label][1] for label in labels)
    assert failed.startswith("2 messages of the last 30 days were not sent, and are not tried again")
    assert unsure.startswith("1 message of the last 30 days may have been sent or not")
    assert "is not sent again" in unsure
    links = {str(link["href"]) for link in page.select("tbody a")}
    assert len(links) == 2
    for url in links:
        rows = BeautifulSoup(admin.get(url).content, "html.parser").select("table.listing tbody tr")
        assert len(rows) == (3 if "failed" in url else 2)
    # The way is shown to who may follow it.
    assert not look(signed_in(staff("reader@example.com", "view_summary")), HEALTH).select("tbody a")
    reader = signed_in(staff("mails@example.com", "view_summary", "view_message"))
    assert {str(link["href"]) for link in look(reader, HEALTH).select("tbody a")} == links


def test_messages_that_workers_have_left(admin: Client) -> None:
    now = timezone.now()
    label = "Messages left behind"
    for number, (state, minutes) in enumerate(
        (("claimed", 61), ("sending", 61), ("claimed", 59), ("sending", -30), ("unsure", 90))
    ):
        Message.objects.create(
            key=f"test:{number}",
            kind="reward_given",
            state=state,
            created_at=now - timedelta(hours=3),
            claimed_until=now - timedelta(minutes=minutes),
        )
        if number == 0:
            words = table(look(admin, HEALTH))[label][1]
            assert words.startswith("1 message was being prepared or sent when its worker stopped")
    state, words = table(look(admin, HEALTH))[label]
    assert state == "Look at this"
    assert words.startswith("2 messages were being prepared or sent when their workers stopped")
    assert "is not sent again" in words
    Message.objects.update(claimed_until=now)
    assert table(look(admin, HEALTH))[label][:2] == ["Fine", "None"]


def test_what_cannot_be_read_is_left_out(
    admin: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def _broken(*args: Any) -> Any:
        Referral.objects.get(pk="x")
        yield

    monkeypatch.setattr(health, "LOOKS", [_broken, *health.LOOKS])
    with caplog.at_level(logging.ERROR, logger="wagtail_referrals"):
        assert len(table(look(admin, HEALTH))) == 11
    assert "_broken" in caplog.text


def test_the_file_of_health(admin: Client) -> None:
    headings, *rows = file_of(admin, HEALTH)
    assert headings == ["What was looked at", "State", "Found", "What to do"]
    assert rows[0][:3] == ["Last run", "broken", "Never: nothing is given by itself."]
