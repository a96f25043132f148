"""Points in the admin: the program's form, its budget, accounts and corrections."""

from __future__ import annotations

from decimal import Decimal

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse

from tests.admin.rows import make_user
from tests.admin.test_program_form import SENTENCE, errors_of, publish, start
from tests.points import leaves, no_points
from wagtail_referrals import credit
from wagtail_referrals.programs import parse
from wagtail_referrals.programs.models import Terms

pytestmark = pytest.mark.django_db
__all__ = ["leaves", "no_points"]

FIFTY = {"rules-1-kind": "points", "rules-1-option_points": "50"}


def test_an_editor_gives_points(admin: Client, leaves: str) -> None:
    values = start(admin, **FIFTY, budget_amounts_LEAF="400")
    answer = admin.post(reverse(SENTENCE), values).json()
    assert "your customer gets 50 leaves" in answer["sentence"]
    assert "The budget in leaves is used up by 8 friends." in answer["hints"]
    assert publish(admin, values).status_code == 302
    terms = parse(Terms.objects.get())
    assert terms.rules[1].options == {"points": 50, "points_unit": "LEAF"}
    assert terms.rules[1].amounts == {}
    assert terms.budget_amounts == {"LEAF": Decimal(400)}


@pytest.mark.parametrize(
    ("number", "words"), [("", "Say how many."), ("0", "greater than or equal to 1"), ("2.5", "whole number")]
)
def test_numbers_that_cannot_be_given(admin: Client, leaves: str, number: str, words: str) -> None:
    values = start(admin, **FIFTY | {"rules-1-option_points": number})
    assert words in errors_of(publish(admin, values))


def test_amounts_of_money_are_not_asked_in_points(admin: Client, leaves: str) -> None:
    values = start(admin)
    assert "rules-1-amounts_EUR" in values and "rules-1-amounts_LEAF" not in values


def test_without_the_setting_there_are_no_points(admin: Client, no_points: None) -> None:
    values = start(admin)
    assert "rules-1-option_points" not in values
    assert [name for name in values if name.startswith("budget_amounts")] == ["budget_amounts_EUR"]


def test_accounts_in_points_speak_of_points(admin: Client, leaves: str) -> None:
    camille = make_user("camille@example.com", "Camille")
    credit.grant(user=camille, currency=leaves, amount=Decimal(50), key="a")
    credit.grant(user=camille, currency="EUR", amount=Decimal(3), key="b")
    index = reverse("wagtail_referrals_accounts:index")
    text = BeautifulSoup(admin.get(index, {"currency": "LEAF"}).content, "html.parser").text
    assert "50 leaves" in text and "€3.00" not in text
    account = credit.account_of(camille, leaves)
    text = admin.get(reverse("wagtail_referrals_accounts:inspect", args=[account.pk])).content.decode()
    assert "50 leaves" in text and "Can be spent now" not in text
