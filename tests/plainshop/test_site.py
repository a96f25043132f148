"""The shopper's pages without Oscar, and in a site without languages in its addresses."""

from __future__ import annotations

import html

from django.test import Client
from django.utils import timezone

from wagtail_referrals import people
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.tracking.models import Visit


def test_a_share_link_invites_and_counts(advocate, make_program, django_assert_num_queries):
    make_program()
    link = people.share_path(people.code_of(advocate))
    Client().get(link)
    with django_assert_num_queries(1):
        response = Client().get(link)
    assert response.status_code == 200 and "Camille invites you" in html.unescape(response.content.decode())
    assert Visit.objects.count() == 2 and "referral" in response.cookies


def test_the_account_page_stands_alone(advocate, camille, make_program, client):
    make_program()
    Advocate.objects.update(name_confirmed_at=timezone.now())
    client.force_login(camille)
    response = client.get("/account/refer-a-friend/")
    text = html.unescape(response.content.decode())
    assert response.status_code == 200 and "<h1" in text and people.code_of(advocate) in text


def test_cards_are_printed(advocate, camille, make_program, client):
    make_program()
    Advocate.objects.update(name_confirmed_at=timezone.now())
    client.force_login(camille)
    response = client.get("/account/refer-a-friend/print/")
    assert response.status_code == 200 and people.code_of(advocate) in response.content.decode()
    assert client.get("/account/refer-a-friend/qr.png").content.startswith(b"\x89PNG")
