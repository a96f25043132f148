"""Keeping an invitation, and a page for a shared cache, in a site without Oscar and without languages in addresses."""

from __future__ import annotations

import pytest
from django.core import mail
from django.test import Client
from wagtail.models import Site

from wagtail_referrals import people
from wagtail_referrals.site.models import LandingPage
from wagtail_referrals.tracking.models import Claim, Lead, Visit

BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


@pytest.fixture
def link(advocate, make_program):
    make_program()
    page = LandingPage(title="Invitation", slug="invitation", keep_by_email=True)
    Site.objects.get(is_default_site=True).root_page.add_child(instance=page)
    page.save_revision().publish()
    return people.share_path(people.code_of(advocate))


def test_an_invitation_is_kept_and_brought_back(link, camille):
    client = Client(headers=BROWSER)
    client.get(link)
    known = {"email": camille.email, "mail": "on"}
    new = {"email": "robin@friends.example", "mail": "on"}
    assert client.post(f"{link}keep/", known).url == client.post(f"{link}keep/", new).url
    assert [sent.to for sent in mail.outbox] == [["robin@friends.example"]] and Claim.objects.count() == 1
    elsewhere = Client(headers=BROWSER)
    assert elsewhere.get(f"/r/kept/{Lead.objects.get().token}/").url == link
    assert "referral" in elsewhere.cookies and Visit.objects.count() == 1


def test_a_shared_cache_may_keep_the_page(link, settings):
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "SHARED_CACHE_SECONDS": 60}
    settings.MIDDLEWARE = ["wagtail_referrals.tracking.SharedCacheMiddleware", *settings.MIDDLEWARE]
    client = Client(headers=BROWSER)
    response = client.get(link)
    assert response.headers["Cache-Control"] == "public, max-age=60" and not response.cookies
    assert "Cookie" not in response.headers.get("Vary", "") and not Visit.objects.exists()
    assert client.get(f"{link}seen.gif").cookies["referral"].value and Visit.objects.count() == 1
