"""Requests about orders in the admin: what the listing and the page say, and who decides."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from oscar.test import factories

from tests.admin.conftest import signed_in, staff
from tests.admin.rows import NOW, make_advocate, make_user
from tests.oscar_integration.shopping import create_order, fill_basket, make_product
from wagtail_referrals import credit
from wagtail_referrals.people import code_of
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals import match_requests, name_friend, note_order, report_order
from wagtail_referrals.referrals.models import AttributionRequest, Referral
from wagtail_referrals.tracking.models import Visit

pytestmark = pytest.mark.django_db

SAID_AT = NOW + timedelta(hours=23)


def address(name: str, request: AttributionRequest | None = None) -> str:
    return reverse(f"wagtail_referrals_requests:{name}", args=[request.pk] if request else None)


def text_of(client: Client, request: AttributionRequest) -> str:
    response = client.get(address("inspect", request))
    assert response.status_code == 200
    soup = BeautifulSoup(response.content, "html.parser")
    return " ".join(soup.find("div", class_="referral-record").get_text(" ", strip=True).split())


def decide(client: Client, request: AttributionRequest, outcome: str = "confirm", **values: Any) -> str:
    """What the page says then."""
    response = client.post(address("decide", request), {"outcome": outcome, **values}, follow=True)
    assert response.status_code == 200
    request.refresh_from_db()
    return " ".join(str(message) for message in response.context["messages"])


def make_order(user: Any = None, email: str = "") -> Any:
    return create_order(fill_basket(make_product("MAT", "100.00"), user=user), user=user, email=email)


@pytest.fixture
def order(terms: Terms) -> Any:
    return make_order(make_user("lea@example.com", "Léa", "Lang"))


@pytest.fixture
def advocate(terms: Terms) -> Advocate:
    return make_advocate()


@pytest.fixture
def reported(order: Any, advocate: Advocate) -> AttributionRequest:
    return report_order(advocate, order.number)


@pytest.fixture
def named(order: Any, advocate: Advocate) -> AttributionRequest:
    """Two customers have this name: nobody is asked."""
    for user in (advocate.user, make_user("other@example.com")):
        user.first_name, user.last_name = "Camille", "Martin"
        user.save()
        country = factories.CountryFactory(iso_3166_1_a2="FR")
        factories.UserAddressFactory(user=user, line4="Lyon", country=country)
    name_friend(
        basket_reference=str(order.basket_id),
        name="Camille Martin",
        town="Lyon",
        user=order.user,
        now=SAID_AT,
    )
    note_order(order.number, basket_reference=str(order.basket_id), user=order.user)
    match_requests()
    return AttributionRequest.objects.get()


# The listing


def rows(client: Client, **query: Any) -> list[str]:
    response = client.get(address("index"), query)
    assert response.status_code == 200
    soup = BeautifulSoup(response.content, "html.parser")
    return [" ".join(row.get_text(" ", strip=True).split()) for row in soup.select("table.listing tbody tr")]


def test_what_waits_comes_first(admin: Client, advocate: Advocate, terms: Terms) -> None:
    for number in ("1", "2", "3"):
        report_order(advocate, number, now=SAID_AT + timedelta(minutes=int(number)))
    decide(admin, AttributionRequest.objects.get(reference="3"), "refuse", note="nonsense")
    asked = AttributionRequest.objects.create(
        kind="named", advocate=advocate, reference="4", basket_reference="4", created_at=NOW, matched_at=NOW
    )
    found = rows(admin)
    assert [row.split()[0] for row in found] == ["2", "1", "4", "3"]
    assert "The referrer is asked" in found[2]
    asked.delete()
    found = rows(admin)
    assert "You are asked" in found[0]
    assert "It could not be found that the order came by this referrer" in found[2]
    assert len(rows(admin, state="waiting")) == 2
    assert len(rows(admin, kind="named")) == 0
    assert rows(admin, state="bogus") == []
    assert len(rows(admin, q="#2")) == len(rows(admin, q="2")) == 1
    assert len(rows(admin, q="Camille")) == 3


def test_what_was_said_with_a_basket_is_not_listed(admin: Client, db: None) -> None:
    name_friend(basket_reference="1", name="Camille Martin", town="Lyon")
    assert rows(admin) == []
    request = AttributionRequest.objects.get()
    assert admin.get(address("inspect", request), follow=True).status_code == 404
    admin.post(address("decide", request), {"outcome": "refuse", "note": "x"})
    request.refresh_from_db()
    assert request.state == "waiting"


def test_the_listing_asks_the_same_however_long(admin: Client, advocate: Advocate, terms: Terms) -> None:
    counts = []
    for number in range(4):
        report_order(advocate, str(number))
        rows(admin)
        with CaptureQueriesContext(connection) as captured:
            assert len(rows(admin)) == number + 1
        counts.append(len(captured))
    assert len(set(counts[1:])) == 1


# The page


def test_the_page_says_what_there_is_to_know(
    admin: Client, reported: AttributionRequest, order: Any, advocate: Advocate, terms: Terms
) -> None:
    text = text_of(admin, reported)
    for part in (
        f"Order {order.number}",
        "Camille says that a friend of theirs placed this order. You are asked.",
        "by Léa Lang",
        "€100.00, of which €100.00 counts",
        "The first order of this customer",
        "Nobody came by their link in the 30 days before the order.",
        "To be decided by Dec. 11, 2026",
    ):
        assert part in text
    assert "lea@example.com" not in text
    Visit.objects.create(advocate=advocate, terms=terms, created_at=NOW)
    assert "Somebody came by their link on Nov. 10, 2026, before the order." in text_of(admin, reported)


def test_what_cannot_be_confirmed_is_said_beforehand(
    admin: Client, order: Any, advocate: Advocate, reported: AttributionRequest
) -> None:
    order.status = "Cancelled"
    order.save()
    text = text_of(admin, reported)
    assert "It cannot be confirmed as it is: the order was cancelled." in text
    assert "The order was cancelled" in text
    page = admin.get(address("inspect", reported)).content.decode()
    assert 'value="confirm"' not in page
    assert 'value="refuse"' in page
    unknown = report_order(advocate, "no-such-order")
    assert "There is no order with this number." in text_of(admin, unknown)
    assert "the shop knows no such order" in decide(admin, unknown)


def test_a_name_and_who_may_be_meant(admin: Client, named: AttributionRequest, advocate: Advocate) -> None:
    text = text_of(admin, named)
    assert "Who ordered says that they were sent by Camille Martin, Lyon. You are asked." in text
    assert "Who may be meant" in text
    assert "Say who referred" in decide(admin, named)
    assert "was approved" not in decide(admin, named, advocate=advocate.pk)
    assert (named.state, named.advocate, named.given_name) == ("confirmed", advocate, "")
    text = text_of(admin, named)
    assert "Who ordered said who sent them." in text
    assert "Martin, Lyon" not in text
    assert "What became of it" in text


@pytest.mark.parametrize("how", ["code", "email", "name"])
def test_somebody_else_is_found(admin: Client, named: AttributionRequest, terms: Terms, how: str) -> None:
    zoe = make_advocate("zoe@example.com", "Zoé")
    text = {"code": code_of(zoe).lower(), "email": "zoe@example.com", "name": "Zoé"}[how]
    decide(admin, named, other=text)
    assert Referral.objects.get().advocate == zoe


def test_nobody_is_guessed(admin: Client, named: AttributionRequest, terms: Terms) -> None:
    for email in ("zoe1@example.com", "zoe2@example.com"):
        make_advocate(email, "Zoé")
    assert "No referrer is found under “Nobody”." in decide(admin, named, other="Nobody")
    assert "“Zoé” means several referrers: give the code." in decide(admin, named, other="Zoé")
    assert "Say who referred" in decide(admin, named, advocate=10**9)
    assert "Choose to confirm or to refuse." in decide(admin, named, "bogus")
    assert "Choose to confirm or to refuse." in decide(admin, named, advocate="x")
    assert not Referral.objects.exists()


# Deciding


def test_confirming_makes_a_referral_that_is_judged(
    admin: Client, reported: AttributionRequest, order: Any, advocate: Advocate
) -> None:
    said = decide(admin, reported, note="Léa rang us")
    assert "judged like any other" in said
    referral = Referral.objects.get()
    assert (referral.advocate, referral.friend, referral.reason) == (advocate, order.user, "payment")
    text = text_of(admin, reported)
    assert "Alix" in text
    assert "Léa rang us" in text
    assert "decided in the meantime" in decide(admin, reported, "refuse", note="no")
    assert Referral.objects.count() == 1
    assert credit.available(advocate.user, "EUR") == 0
    page = admin.get(reverse("wagtail_referrals_referrals:inspect", args=[referral.pk])).content.decode()
    assert "what the referrer reported" in page
    assert f"It was confirmed that order {order.number} came by the referrer." in page


def test_refusing_needs_a_reason(admin: Client, reported: AttributionRequest) -> None:
    assert "Say why" in decide(admin, reported, "refuse")
    assert reported.state == "waiting"
    assert "was refused" in decide(admin, reported, "refuse", note="Somebody else’s friend")
    assert (reported.state, reported.note) == ("refused", "Somebody else’s friend")
    assert not Referral.objects.exists()


def test_two_editors_at_once(admin: Client, reported: AttributionRequest) -> None:
    other = signed_in(make_user("second@example.com", is_superuser=True, is_staff=True))
    decide(admin, reported)
    assert "decided in the meantime" in decide(other, reported)
    assert Referral.objects.count() == 1


def test_who_may_only_look_does_not_decide(reported: AttributionRequest) -> None:
    reader = signed_in(staff("reader@example.com", "view_attributionrequest"))
    assert "Your decision" not in text_of(reader, reported)
    reader.post(address("decide", reported), {"outcome": "confirm"})
    reported.refresh_from_db()
    assert reported.state == "waiting"
    reviewer = signed_in(staff("reviewer@example.com", "view_attributionrequest", "review_referral"))
    decide(reviewer, reported)
    assert reported.state == "confirmed"
    assert 'href="/admin/referrals/referrals/' not in text_of(reviewer, reported)
