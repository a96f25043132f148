"""Addresses that visitors left: staff look one up, and delete it for who asks. Nothing else can be done with them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse
from wagtail.models import ModelLogEntry

from tests.admin.conftest import signed_in, staff
from tests.admin.rows import NOW, make_lead
from wagtail_referrals.messages.models import Message
from wagtail_referrals.tracking.models import Claim, Lead

pytestmark = pytest.mark.django_db

INDEX = "wagtail_referrals_leads:index"


@pytest.fixture
def keeper(db: None) -> Client:
    return signed_in(staff("keeper@example.com", "view_lead", "delete_lead"))


@pytest.fixture
def lead(referral: Any) -> Lead:
    found = make_lead(referral.claim, opened_at=NOW + timedelta(hours=2), wants_reminders=True)
    Message.objects.create(key="a", kind="invitation_kept", lead=found, created_at=NOW, sent_at=NOW)
    return found


def page(client: Client, path: str, **query: str) -> str:
    response = client.get(path, query)
    assert response.status_code == 200
    return " ".join(BeautifulSoup(response.content, "html.parser").get_text(" ").split())


def test_the_listing_says_how_many_whose_and_until_when(keeper: Client, lead: Lead) -> None:
    text = page(keeper, reverse(INDEX))
    assert "1 address is kept." in text and "robin@friends.example" in text and "Camille" in text
    make_lead(lead.claim, "else@friends.example")
    text = page(keeper, reverse(INDEX))
    assert "2 addresses are kept." in text


def test_an_address_is_found_and_what_was_agreed_to_is_shown(keeper: Client, lead: Lead) -> None:
    make_lead(lead.claim, "else@friends.example")
    text = page(keeper, reverse(INDEX), q="ROBIN@")
    assert "robin@friends.example" in text and "else@friends.example" not in text
    text = page(keeper, reverse("wagtail_referrals_leads:inspect", args=[lead.pk]))
    assert "Yes, send me one e-mail." in text and "robin@friends.example" in text


def test_it_is_deleted_and_no_trace_names_it(keeper: Client, lead: Lead) -> None:
    path = reverse("wagtail_referrals_leads:delete", args=[lead.pk])
    assert "The invitation stays good." in page(keeper, path) and Lead.objects.exists()
    assert keeper.post(path).url == reverse(INDEX)
    assert not Lead.objects.exists() and Claim.objects.get(pk=lead.claim_id).state == lead.claim.state
    assert Message.objects.get().lead is None
    logged = [f"{entry.label} {entry.data}" for entry in ModelLogEntry.objects.all()]
    assert logged and not any("robin" in each for each in logged)


def test_who_may_look_may_not_delete(lead: Lead) -> None:
    client = signed_in(staff("reader@example.com", "view_lead"))
    path = reverse("wagtail_referrals_leads:delete", args=[lead.pk])
    assert "robin@friends.example" in page(client, reverse(INDEX))
    assert path not in client.get(reverse(INDEX)).content.decode()
    assert client.post(path).status_code in (302, 403) and Lead.objects.exists()


def test_there_is_no_export(keeper: Client, lead: Lead) -> None:
    for kind in ("csv", "xlsx"):
        response = keeper.get(reverse(INDEX), {"export": kind})
        assert response.headers["Content-Type"].startswith("text/html")
    assert "export=" not in keeper.get(reverse(INDEX)).content.decode()


def test_the_queries_do_not_grow(keeper: Client, lead: Lead, django_assert_max_num_queries: Any) -> None:
    keeper.get(reverse(INDEX))
    for number in range(20):
        make_lead(lead.claim, f"a{number}@friends.example")
    with django_assert_max_num_queries(16):
        keeper.get(reverse(INDEX))
