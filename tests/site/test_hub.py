"""The public page about the program."""

from __future__ import annotations

import html

import pytest
from django.test import Client
from wagtail.models import Site

from tests.site.conftest import publish
from wagtail_referrals import people
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.site.models import HubPage


@pytest.fixture
def hub(db) -> HubPage:
    page = HubPage(title="Refer a friend", slug="refer", introduction="<p>Bring somebody.</p>")
    Site.objects.get(is_default_site=True).root_page.add_child(instance=page)
    page.save_revision().publish()
    return page


def text_of(response) -> str:
    return html.unescape(response.content.decode())


def test_the_offers_in_words_from_the_terms(hub):
    publish(cap_count=10)
    text = text_of(Client().get(hub.url))
    for words in (
        "10% off one order",
        "€15.00 of referral credit",
        "once your friend has placed a first order",
        "Your reward comes 14 days after your friend's order was delivered.",
        "At most 10 rewards a year.",
        "Bring somebody.",
        "/en/account/refer-a-friend/",
    ):
        assert words in text
    assert not Advocate.objects.exists()


def test_without_a_program_it_says_so(hub):
    text = text_of(Client().get(hub.url))
    assert "There is no offer at the moment." in text and "Get your link" not in text


def test_a_customer_who_shares_already_finds_the_link(hub, terms, advocate, camille, client):
    client.force_login(camille)
    assert people.code_of(advocate) in text_of(client.get(hub.url))
    Advocate.objects.update(name_confirmed_at=None)
    text = text_of(client.get(hub.url))
    assert people.code_of(advocate) not in text and "Get your link" in text


def test_looking_at_it_makes_nobody_a_referrer(hub, terms, make_user, client):
    client.force_login(make_user("lea"))
    client.get(hub.url)
    assert not Advocate.objects.exists()


def test_the_preview(hub, terms):
    response = hub.make_preview_request()
    assert response.status_code == 200 and "10% off one order" in text_of(response)


def test_of_several_programs_only_the_one_that_a_link_brings(hub):
    publish(cap_count=10, precedence=1)
    publish(cap_count=33, precedence=2)
    text = text_of(Client().get(hub.url))
    assert "At most 10 rewards a year." in text and "At most 33" not in text


def test_what_each_side_gets_is_said_once(hub, terms):
    def times(**value) -> int:
        hub.body = [("referral_share", value)] if value else []
        hub.save_revision().publish()
        return text_of(Client().get(hub.url)).count("Your friend gets")

    assert times() == 1
    assert times(shows_offer=True) == 1
    assert times(shows_offer=False) == 1
    assert "Terms of the offer" in text_of(Client().get(hub.url))
