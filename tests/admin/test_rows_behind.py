"""The rows behind the figures: visits, links shared, invitations and orders, by the same days."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from wagtail.models import Page

from tests.admin.conftest import signed_in, staff
from tests.admin.rows import NOW, make_advocate, make_discount, make_purchase, make_referral, make_user
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.tracking.models import Share, Visit

pytestmark = pytest.mark.django_db

LISTINGS = ("shares", "visits", "claims", "orders")


def rows(client: Client, listing: str, **query: Any) -> list[list[str]]:
    response = client.get(reverse(f"wagtail_referrals_{listing}:index"), query)
    assert response.status_code == 200
    table = BeautifulSoup(response.content, "html.parser").select_one("table.listing")
    if table is None:
        return []
    return [[cell.get_text(" ", strip=True) for cell in row.select("td")] for row in table.select("tbody tr")]


@pytest.fixture
def history(terms: Terms) -> Any:
    camille = make_advocate()
    referral = make_referral(terms, camille, make_user("lea@example.com", "Léa"))
    order = make_purchase(referral, "100", "50.00", observed={"refunded": "20.00"})
    make_discount(referral, order, "5.00")
    make_purchase(referral, "101", "40.00", moment=NOW + timedelta(hours=1), was_customer=True)
    Visit.objects.create(
        advocate=camille, terms=None, channel="qr", language="fr", page=Page.objects.last(), created_at=NOW
    )
    Visit.objects.create(advocate=camille, terms=terms, page_id=987654, created_at=NOW)
    Share.objects.create(advocate=camille, terms=terms, channel="whatsapp", created_at=NOW)
    return referral


def test_each_row_says_what_there_is_to_say(admin: Client, history: Any) -> None:
    program = history.terms.data["name"]
    assert [row[:5] for row in rows(admin, "shares")] == [["Camille", program, "WhatsApp", "", "11/10/2026"]]
    assert [row[:6] for row in rows(admin, "visits")] == [
        ["Camille", program, "", "", "", ""],
        ["Camille", "No program was open", "QR code", "Français", Page.objects.last().title, ""],
        ["Camille", program, "", "", "", "yes"],
    ]
    assert [row[:4] for row in rows(admin, "claims")] == [["Camille", program, "link", ""]]
    assert [row[:6] for row in rows(admin, "orders")] == [
        ["101", "Léa", program, "€40.00", "", "yes"],
        ["100", "Léa", program, "€50.00", "€20.00", ""],
    ]


@pytest.mark.parametrize(
    ("listing", "query", "count"),
    [
        ("visits", {"channel": "qr"}, 1),
        ("visits", {"channel": "-"}, 2),
        ("visits", {"created_at_from": "2026-11-10", "created_at_to": "2026-11-10"}, 3),
        ("visits", {"created_at_from": "2026-11-11"}, 0),
        ("visits", {"channel": "bogus"}, 0),
        ("shares", {"channel": "copy"}, 0),
        ("claims", {"source": "code"}, 0),
        ("claims", {"source": "link", "state": "open", "channel": "-"}, 1),
        ("orders", {"saved": "true"}, 1),
        ("orders", {"saved": "false"}, 1),
        ("orders", {"refunded": "true"}, 1),
        ("orders", {"refunded": "false"}, 1),
        ("orders", {"was_customer": "true"}, 1),
        ("orders", {"placed_at_to": "2026-11-09"}, 0),
        ("orders", {"q": "101"}, 1),
    ],
)
def test_they_are_found_by_their_filters(
    admin: Client, history: Any, listing: str, query: dict[str, str], count: int
) -> None:
    assert len(rows(admin, listing, **query)) == count


@pytest.mark.parametrize("listing", LISTINGS)
def test_a_listing_costs_the_same_for_many(admin: Client, history: Any, listing: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as caught:
            rows(admin, listing)
        return len(caught)

    rows(admin, listing)
    before = queries()
    for number in range(5):
        friend = make_user(f"friend{number}@example.com")
        advocate = make_advocate(f"more{number}@example.com")
        referral = make_referral(history.terms, advocate, friend)
        make_purchase(referral, f"2{number}")
        Share.objects.create(advocate=advocate, terms=history.terms, channel="copy", created_at=NOW)
    assert queries() == before <= 30


@pytest.mark.parametrize("listing", LISTINGS)
def test_they_come_as_a_file(admin: Client, history: Any, listing: str) -> None:
    response = admin.get(reverse(f"wagtail_referrals_{listing}:index"), {"export": "csv"})
    assert response.status_code == 200
    assert b"Camille" in response.getvalue() or listing == "orders"


def test_nothing_leads_where_one_may_not_go(history: Any) -> None:
    client = signed_in(staff("reader@example.com", "view_visit", "view_purchase"))
    for listing in ("visits", "orders"):
        html = client.get(reverse(f"wagtail_referrals_{listing}:index")).content.decode()
        assert "/referrals/referrers/" not in html
        assert reverse("wagtail_referrals_referrals:inspect", args=[history.pk]) not in html
