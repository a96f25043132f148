"""Downloads of listings: what is on the screen, for who may see it, at a cost that does not grow with the rows."""

from __future__ import annotations

import csv
import gc
import io
import tracemalloc
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from openpyxl import load_workbook

from tests.admin.conftest import signed_in, staff
from tests.admin.rows import (
    NOW,
    make_advocate,
    make_lead,
    make_purchase,
    make_referral,
    make_reward,
    make_user,
)
from tests.admin.test_listings import fill, rows_of
from wagtail_referrals import credit, people
from wagtail_referrals.credit.models import Account
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals.models import Referral

pytestmark = pytest.mark.django_db

RECORDS = [
    "referrals:index",
    "advocates:index",
    "rewards:index",
    "accounts:index",
    "entries:index",
    "terms:index",
]
SNIPPETS = ["programs:list", "audiences:list", "badges:list", "wall:list"]
OTHERS = ["requests:index"]


def url(name: str) -> str:
    return reverse(f"wagtail_referrals_{name}")


def csv_of(response: Any) -> list[list[str]]:
    assert response.status_code == 200
    assert response["Content-Type"] == "text/csv; charset=utf-8", response["Content-Type"]
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def download(client: Client, name: str, **query: Any) -> list[list[str]]:
    return csv_of(client.get(url(name), {**query, "export": "csv"}))


def headings_on_screen(client: Client, name: str, **query: Any) -> list[str]:
    soup = BeautifulSoup(client.get(url(name), query).content, "html.parser")
    return [cell.get_text(" ", strip=True) for cell in soup.select("table.listing thead th")]


@pytest.mark.parametrize("name", [*RECORDS, *SNIPPETS, *OTHERS])
def test_every_listing_is_downloaded_in_both_formats(admin: Client, terms: Terms, name: str) -> None:
    fill(terms, range(3))
    soup = BeautifulSoup(admin.get(url(name)).content, "html.parser")
    links = [link["href"] for link in soup.select("a[href*='export=']")]
    assert sorted(parse_qs(urlsplit(str(link)).query)["export"][0] for link in links) == ["csv", "xlsx"]
    rows = csv_of(admin.get(next(str(link) for link in links if "csv" in str(link))))
    book = admin.get(next(str(link) for link in links if "xlsx" in str(link)))
    sheet = load_workbook(io.BytesIO(b"".join(book.streaming_content))).active
    assert [cell.value for cell in sheet[1]] == rows[0]
    assert sheet.max_row == len(rows) == 1 + len(rows_of(admin.get(url(name))))
    # Of a picture, and of a handle to drag, there is nothing to write.
    shown = {text for text in headings_on_screen(admin, name) if text} - {"Picture", "Order"}
    assert shown <= {heading.removesuffix(" (EUR)") for heading in rows[0]}


@pytest.mark.parametrize("name", [*RECORDS, "programs:list"])
def test_a_download_costs_no_query_for_each_row(admin: Client, terms: Terms, name: str) -> None:
    def cost() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as queries:
            rows = download(admin, name)
        return len(queries), len(rows)

    fill(terms, range(3))
    download(admin, name)
    few, _rows = cost()
    fill(terms, range(3, 30))
    many, rows = cost()
    assert many == few
    assert rows > 25


def test_what_belongs_to_the_rows_is_looked_up_a_batch_at_a_time(
    admin: Client, terms: Terms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wagtail_referrals.admin.listing.BATCH", 2)
    fill(terms, range(5))
    code = {row[0]: row[1] for row in download(admin, "advocates:index")[1:]}
    assert code == {f"Ada{number}": people.code_of(advocate) for number, advocate in enumerate(_advocates())}


def _advocates() -> list[Advocate]:
    return list(Advocate.objects.order_by("pk"))


def test_a_file_has_the_rows_the_order_and_the_columns_of_the_screen(admin: Client, terms: Terms) -> None:
    camille = make_advocate()
    make_referral(terms, camille, make_user("lea@example.com", "Léa"), state="to_check")
    make_referral(
        terms, camille, make_user("zoe@example.com", "Zoé"), moment=NOW.replace(day=9), state="to_check"
    )
    make_referral(terms, camille, make_user("hugo@example.com", "Hugo"))
    query = {"state": "to_check", "q": "camille", "ordering": "created_at", "columns": ["friend", "state"]}
    assert download(admin, "referrals:index", **query) == [
        ["Friend", "State"],
        ["Zoé", "to check"],
        ["Léa", "to check"],
    ]


def test_amounts_are_numbers_with_their_currency(admin: Client, terms: Terms) -> None:
    referral = make_referral(terms, make_advocate())
    make_reward(referral, "15.00", "10.00")
    make_reward(referral, "1500", currency="JPY", occasion="arrival")
    assert download(admin, "rewards:index", columns=["user", "amount", "posted"]) == [
        ["Customer", "Worth", "Currency", "Given"],
        ["Camille", "1500", "JPY", "0"],
        ["Camille", "15.00", "EUR", "10.00"],
    ]
    book = admin.get(url("rewards:index"), {"columns": ["user", "amount", "created_at"], "export": "xlsx"})
    sheet = load_workbook(io.BytesIO(b"".join(book.streaming_content))).active
    assert [cell.number_format for cell in sheet[3]] == ["General", "#,##0.00", "General", "m/d/yy h:mm"]
    assert sheet[3][1].value == 15


def test_amounts_of_several_currencies_have_a_column_each(admin: Client, terms: Terms) -> None:
    advocate = make_advocate()
    make_advocate("noe@example.com", "Noé")
    for currency, amount in (("EUR", "15"), ("USD", "3")):
        credit.grant(user=advocate.user, currency=currency, amount=Decimal(amount), key=currency, now=NOW)
    assert download(admin, "advocates:index", columns=["name", "balance"]) == [
        ["Referrer", "Balance (EUR)", "Balance (USD)"],
        ["Noé", "", ""],
        ["Camille", "15.00", "3.00"],
    ]


def test_the_movements_of_an_account_add_up(admin: Client, terms: Terms) -> None:
    user = make_advocate().user
    credit.grant(user=user, currency="EUR", amount=Decimal(15), key="k1", now=NOW)
    credit.claw_back(user=user, currency="EUR", amount=Decimal(20), key="k2", now=NOW)
    head, *rows = download(admin, "entries:index")
    amount, shortfall = head.index("Balance"), head.index("Still to recover")
    assert head[amount + 1] == "Currency" and head.count("Currency") == 1
    account = Account.objects.get()
    assert sum(Decimal(row[amount]) for row in rows) == account.balance
    assert sum(Decimal(row[shortfall]) for row in rows) == account.shortfall == 5


def test_no_name_is_run_as_a_formula(admin: Client, terms: Terms) -> None:
    make_referral(terms, make_advocate(), make_user("evil@example.com", '=HYPERLINK("http://evil.example")'))
    assert download(admin, "referrals:index")[1][0] == '\'=HYPERLINK("http://evil.example")'


def test_the_file_is_named_after_the_listing_and_the_day(admin: Client, terms: Terms) -> None:
    response = admin.get(url("accounts:index"), {"export": "xlsx"})
    assert response["Content-Disposition"] == 'attachment; filename="credit-accounts-2026-11-11.xlsx"'


# What is refused


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"state": "bogus"}, "State: Select a valid choice. bogus is not one of the available choices."),
    ({"created_at_from": "soon"}, "Date: Enter a valid date."),
    ({"program": "bogus"}, "Program: Select a valid choice."),
    ({"q": "a\0"}, "The search has letters that no text has."),
    # A filter that is misspelt filters nothing.
    ({"sate": "to_check"}, "There is no filter “sate”."),
    ({"created_at": "2026-11-01"}, "There is no filter “created_at”."),
    ({"columns": ["friend", "email"]}, "There is no column “email”."),
]


@pytest.mark.parametrize(("query", "words"), WRONG)
@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_a_wrong_filter_gets_words_and_no_file(
    admin: Client, referral: Referral, format: str, query: dict[str, Any], words: str
) -> None:
    response = admin.get(url("referrals:index"), {**query, "export": format})
    assert response.status_code == 400
    assert response["Content-Type"].startswith("text/html")
    text = BeautifulSoup(response.content, "html.parser").select_one(".messages")
    assert text is not None and words in " ".join(text.get_text().split())


@pytest.mark.parametrize("query", [query for query, _words in WRONG[:4]])
def test_on_the_screen_a_wrong_filter_finds_nothing_and_says_why(
    admin: Client, referral: Referral, query: dict[str, Any]
) -> None:
    response = admin.get(url("referrals:index"), query)
    assert rows_of(response) == []
    words = next(words for wrong, words in WRONG if wrong == query)
    assert words in " ".join(BeautifulSoup(response.content, "html.parser").get_text().split())


@pytest.mark.parametrize("name", [*RECORDS, *SNIPPETS, *OTHERS])
def test_a_file_is_for_who_may_see_the_listing(outsider: Client, terms: Terms, name: str) -> None:
    for client in (outsider, Client()):
        response = client.get(url(name), {"export": "csv"})
        assert response.status_code == 302


def test_balances_are_for_who_may_see_accounts(terms: Terms) -> None:
    make_advocate()
    reader = signed_in(staff("reader@example.com", "view_advocate"))
    assert "Balance" not in headings_on_screen(reader, "advocates:index")
    assert "Balance" not in "".join(download(reader, "advocates:index")[0])
    keeper = signed_in(staff("keeper@example.com", "view_advocate", "view_account"))
    assert "Balance" in headings_on_screen(keeper, "advocates:index")


def test_addresses_that_visitors_left_are_not_handed_out(admin: Client, referral: Referral) -> None:
    make_lead(referral.claim)
    assert admin.get(url("leads:index"), {"export": "csv"})["Content-Type"].startswith("text/html")
    assert b"export=" not in admin.get(url("leads:index")).content


# Columns


def test_columns_are_chosen_and_remembered(admin: Client, referral: Referral) -> None:
    at_first = headings_on_screen(admin, "referrals:index")
    assert "Orders" not in at_first
    make_purchase(referral, "order-7")
    chosen = ["Friend", "Orders"]
    assert headings_on_screen(admin, "referrals:index", columns=["orders"]) == chosen
    assert headings_on_screen(admin, "referrals:index") == chosen
    assert [row[-1] for row in rows_of(admin.get(url("referrals:index")))] == ["order-7"]
    assert download(admin, "referrals:index") == [chosen, ["Léa", "order-7"]]
    # Of this listing alone, and of this person.
    assert "Orders" not in headings_on_screen(admin, "rewards:index")
    assert headings_on_screen(signed_in(_superuser()), "referrals:index") == at_first
    assert headings_on_screen(admin, "referrals:index", columns="") == at_first
    assert headings_on_screen(admin, "referrals:index") == at_first


def _superuser() -> Any:
    return make_user("other@example.com", "Robin", is_superuser=True, is_staff=True)


def test_a_column_that_is_no_longer_there_is_forgotten(admin: Client, referral: Referral) -> None:
    at_first = headings_on_screen(admin, "referrals:index")
    session = admin.session
    session["wagtail_referrals_columns"] = {"wagtail_referrals_referrals:index": ["gone"]}
    session.save()
    assert headings_on_screen(admin, "referrals:index") == at_first


def test_looking_at_a_listing_writes_nothing(admin: Client, referral: Referral) -> None:
    admin.get(url("referrals:index"), {"columns": ["orders"]})
    with CaptureQueriesContext(connection) as queries:
        admin.get(url("referrals:index"))
        admin.get(url("referrals:index"), {"columns": ["orders"]})
        download(admin, "referrals:index")
    assert not [query["sql"] for query in queries if not query["sql"].startswith(("SELECT", "DECLARE"))]


def test_the_choice_keeps_the_filters(admin: Client, referral: Referral) -> None:
    query = {"state": ["to_check", "waiting_order"], "q": "lea", "ordering": "created_at", "p": "1"}
    soup = BeautifulSoup(admin.get(url("referrals:index"), query).content, "html.parser")
    form = soup.select_one("form.referral-columns__form")
    assert form is not None and form["action"] == url("referrals:index")
    kept = [(field["name"], field["value"]) for field in form.select("input[type=hidden]")]
    assert kept == [
        ("state", "to_check"),
        ("state", "waiting_order"),
        ("q", "lea"),
        ("ordering", "created_at"),
        ("columns", "friend"),
    ]
    ticked = {str(box["value"]) for box in form.select("input[type=checkbox]") if box.has_attr("checked")}
    assert ticked == {"advocate", "program", "state", "waits_for", "created_at"}


# What it costs


def many_advocates(count: int) -> None:
    there = Advocate.objects.count()
    Advocate.objects.bulk_create(
        (Advocate(public_name=f"Ada {number}", created_at=NOW) for number in range(there, count)),
        batch_size=5000,
    )


def test_a_large_listing_takes_no_more_memory_than_a_small_one(admin: Client) -> None:
    def peak() -> int:
        gc.collect()
        tracemalloc.start()
        try:
            size = sum(map(len, admin.get(url("advocates:index"), {"export": "csv"}).streaming_content))
            assert size > 10_000
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    many_advocates(2_500)
    peak()
    small = peak()
    many_advocates(15_000)
    assert peak() < 1.25 * small


def test_the_first_byte_leaves_before_the_rows_are_read(admin: Client) -> None:
    many_advocates(3_000)
    response = admin.get(url("advocates:index"), {"export": "csv"})
    stream = iter(response.streaming_content)
    with CaptureQueriesContext(connection) as queries:
        assert next(stream).startswith(b"\xef\xbb\xbfReferrer")
        assert len(queries) == 0
        # The rows are read as they are sent: what was looked up for the first ones is all so far.
        next(stream)
        assert 0 < len(queries) <= 8
    response.close()
