"""What a shop adds to the page "Refer a friend"."""

from __future__ import annotations

import logging
from decimal import Decimal

import pytest
from bs4 import BeautifulSoup
from django.db import connection

from wagtail_referrals import credit
from wagtail_referrals.site import elsewhere

URL = "/en/account/refer-a-friend/rewards/"


@pytest.fixture
def shown(client, camille, monkeypatch):
    """The page with what these answer instead of what the shop's apps do."""
    client.force_login(camille)

    def get(gifts=(), uses=()):
        monkeypatch.setattr(elsewhere, "_gifts", list(gifts))
        monkeypatch.setattr(elsewhere, "_credit_uses", list(uses))
        response = client.get(URL)
        assert response.status_code == 200
        return BeautifulSoup(response.content, "html.parser")

    return get


def test_a_reward_that_is_used_elsewhere_leads_there(shown, camille):
    asked = []

    def gifts(user):
        asked.append(user)
        return [elsewhere.Gift("one free class", "until 28 December", "/somewhere/", "See your pass")]

    (row,) = shown([gifts]).select("#rewards + ul > li")
    assert [part.get_text(strip=True) for part in row.select("div")] == [
        "one free class",
        "until 28 December",
        "See your pass",
    ]
    assert row.a["href"] == "/somewhere/" and asked == [camille]


def test_without_one_there_is_no_such_section(shown):
    assert shown([lambda user: []]).select("#rewards") == []


def test_the_balance_says_what_it_pays_by_itself(shown, camille):
    def uses(user, currency):
        return f"{user.first_name} pays in {currency}."

    assert "pays in EUR" not in shown(uses=[uses]).text
    credit.grant(user=camille, currency="EUR", amount=Decimal(15), key="test")
    section = shown(uses=[uses, lambda user, currency: ""]).select_one("section[aria-labelledby=balance]")
    assert [line.text for line in section.select("p")] == ["€15.00", "Camille pays in EUR."]


def test_an_answer_that_fails_is_left_out(shown, camille, caplog):
    def fail(*arguments):
        # PostgreSQL refuses whatever comes after this in the same transaction.
        connection.cursor().execute("SELECT a FROM no_table")

    credit.grant(user=camille, currency="EUR", amount=Decimal(15), key="test")
    with caplog.at_level(logging.ERROR, logger="wagtail_referrals"):
        soup = shown([fail, lambda user: [elsewhere.Gift("a class", "", "/", "See")]], [fail])
    assert "a class" in soup.text and "€15.00" in soup.text
    assert caplog.text.count("without an answer of the shop's") == 2
