"""The summary's page: period, program, definitions."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse

from tests.admin.rows import NOW, make_advocate, make_program, make_purchase, make_referral, make_reward
from wagtail_referrals.admin.summary import DEFINITIONS
from wagtail_referrals.programs.models import Terms

pytestmark = pytest.mark.django_db


@pytest.fixture
def history(terms: Terms) -> Terms:
    referral = make_referral(terms, make_advocate(), moment=NOW)
    make_purchase(referral, "1", "1234.50", moment=NOW)
    make_reward(referral, "15.00", "15.00", moment=NOW)
    return terms


def figures(client: Client, **query: Any) -> dict[str, str]:
    response = client.get(reverse("wagtail_referrals_summary"), query)
    assert response.status_code == 200
    soup = BeautifulSoup(response.content, "html.parser")
    return {
        box.find("dt").get_text(strip=True): box.find("dd").get_text(" ", strip=True)
        for box in soup.select(".referral-figure")
    }


def test_every_number_is_defined(admin: Client, history: Terms) -> None:
    soup = BeautifulSoup(admin.get(reverse("wagtail_referrals_summary")).content, "html.parser")
    boxes = soup.select(".referral-figure")
    assert len(boxes) == len(DEFINITIONS) == 10
    assert all(box.select_one(".referral-figure__definition").get_text(strip=True) for box in boxes)


def test_this_month_is_shown_first(admin: Client, history: Terms) -> None:
    shown = figures(admin)
    assert (shown["Visits"], shown["Referrals"], shown["Orders"]) == ("1", "1", "1")
    assert (shown["Revenue"], shown["Rewards given"], shown["Rewards due"]) == ("€1,234.50", "€15.00", "–")


def test_periods_and_programs(admin: Client, history: Terms) -> None:
    assert figures(admin, period="last_month")["Visits"] == "0"
    assert figures(admin, period="custom", first="2026-11-10", last="2026-11-10")["Visits"] == "1"
    assert figures(admin, period="custom", first="2026-11-11", last="2026-11-30")["Visits"] == "0"
    other = make_program("percentage_back")
    assert figures(admin, program=str(other.key))["Visits"] == "0"
    assert figures(admin, program=str(history.program_key))["Visits"] == "1"


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
    assert figures(admin, **query) == {}
    assert b"error-message" in admin.get(reverse("wagtail_referrals_summary"), query).content


def test_figures_lead_to_their_rows(admin: Client, history: Terms) -> None:
    soup = BeautifulSoup(admin.get(reverse("wagtail_referrals_summary")).content, "html.parser")
    links = [link["href"] for link in soup.select(".referral-figure__link a")]
    assert len(links) == 2
    for link in links:
        assert admin.get(link).status_code == 200
    assert b"guest" in admin.get(links[0]).content or b"deleted customer" in admin.get(links[0]).content
