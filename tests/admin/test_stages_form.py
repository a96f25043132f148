"""An editor in a shop that has not switched on everything."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse

from tests.admin.test_program_form import ADD, errors_of, publish, start
from tests.memberships.rows import make_plan
from tests.oscar_integration.shopping import site_offer
from wagtail_referrals.kinds import objection_to, reward_kinds
from wagtail_referrals.programs import ProgramState, parse, program_states, publish_terms
from wagtail_referrals.programs.models import Program, Terms

pytestmark = pytest.mark.django_db

NO_DISCOUNTS = "The shop gives no discounts and no gifts through referrals at present."
NOT_SPENT = "Referral credit can be earned, but orders cannot be paid with it at present."
LISTING = "wagtail_referrals_programs:list"


@pytest.fixture(autouse=True)
def _something_to_give(db: None) -> None:
    """Each kind has what it gives: only the stages speak against any."""
    make_plan()


@pytest.fixture
def no_vouchers(settings: Any) -> None:
    settings.WAGTAIL_REFERRALS_OSCAR = {"VOUCHERS": False}


def hints_of(page: bytes) -> str:
    return BeautifulSoup(page, "html.parser").select_one(".referral-sentence__hints").get_text(" ")


def test_with_all_stages_on_nothing_is_said_against_any_kind() -> None:
    assert [objection_to(kind) for kind in reward_kinds] == [None] * len(list(reward_kinds))


def test_discounts_cannot_be_chosen_while_the_shop_gives_none(admin: Client, no_vouchers: None) -> None:
    soup = BeautifulSoup(
        admin.get(reverse(ADD), {"preset": "give_percent_get_credit"}).content, "html.parser"
    )
    select = soup.select_one("select[name='rules-1-kind']")
    disabled = {option["value"] for option in select.find_all("option") if option.has_attr("disabled")}
    assert disabled == {"discount_percent", "discount_fixed", "free_shipping", "free_product"}
    assert "Free delivery (not at present)" in select.get_text()


def test_a_program_with_a_discount_cannot_be_published(admin: Client, no_vouchers: None) -> None:
    page = admin.get(reverse(ADD), {"preset": "give_percent_get_credit"}).content
    assert NO_DISCOUNTS in hints_of(page)
    assert NO_DISCOUNTS in errors_of(publish(admin, start(admin)))
    assert not Program.objects.filter(live=True).exists()
    # As a draft it can be kept until the stage is on.
    assert admin.post(reverse(ADD), start(admin)).status_code == 302
    assert Program.objects.count() == 1


def test_the_ready_made_programs_say_what_cannot_be_given(admin: Client, no_vouchers: None) -> None:
    soup = BeautifulSoup(admin.get(reverse(ADD)).content, "html.parser")
    said = {card.find("h3").text: NO_DISCOUNTS in card.text for card in soup.select(".referral-card")}
    assert said["Give 10%, get €15"] is True
    assert said["An empty program"] is False


def test_a_program_that_promises_a_discount_already_says_so_in_the_list(admin: Client, settings: Any) -> None:
    publish(admin, start(admin))
    program = Program.objects.get()
    assert NO_DISCOUNTS not in admin.get(reverse(LISTING)).content.decode()
    settings.WAGTAIL_REFERRALS_OSCAR = {"VOUCHERS": False}
    listing = admin.get(reverse(LISTING)).content.decode()
    assert NO_DISCOUNTS in listing
    # It goes on with the rest, and takes its own terms up again.
    assert program_states([program])[program.pk] == ProgramState.OPEN
    assert [rule.kind for rule in parse(publish_terms(program)).rules] == ["credit"]
    settings.WAGTAIL_REFERRALS_OSCAR = {}
    assert publish_terms(program) == Terms.objects.order_by("number").first()


def test_credit_that_cannot_be_spent_is_something_to_think_about(admin: Client, settings: Any) -> None:
    settings.WAGTAIL_REFERRALS_OSCAR = {"CREDIT_AT_CHECKOUT": False}
    page = admin.get(reverse(ADD), {"preset": "give_percent_get_credit"}).content
    assert hints_of(page).count(NOT_SPENT) == 1
    response = publish(admin, start(admin))
    assert response.status_code == 302, errors_of(response)


def test_how_the_friends_discount_combines_is_said_in_the_form(admin: Client) -> None:
    site_offer("Everything must go", "30")
    page = BeautifulSoup(
        admin.get(reverse(ADD), {"preset": "give_percent_get_credit"}).content, "html.parser"
    )
    notes = page.select_one(".referral-sentence__notes").get_text(" ")
    assert "your own offers and vouchers come first" in notes and "“Everything must go” runs now" in notes
    typed = admin.post(reverse("wagtail_referrals_programs:sentence"), start(admin)).json()
    assert any("“Everything must go” runs now" in note for note in typed["notes"])
    # Said where the friend's discount is written; not as a warning after each save, nor where there is none.
    kinds = {"rules-0-kind": "credit", "rules-0-trigger": "first_purchase", "rules-0-amounts_EUR": "5"}
    assert (
        admin.post(reverse("wagtail_referrals_programs:sentence"), start(admin) | kinds).json()["notes"] == []
    )
    saved = admin.post(reverse(ADD), start(admin), follow=True)
    assert not any("Everything must go" in str(message) for message in saved.context["messages"])
