"""One include for all addresses, in a site with languages in its addresses and in one without."""

from __future__ import annotations

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import include, path, resolve, reverse, translate_url
from django.utils.translation import override


class Plain:
    urlpatterns = [path("", include("wagtail_referrals.urls"))]


class DefaultWithoutPrefix:
    urlpatterns = [
        path("", include("wagtail_referrals.urls")),
        *i18n_patterns(path("page/", lambda request: HttpResponse("x")), prefix_default_language=False),
    ]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_share_link_has_no_language_and_the_account_has(language):
    with override(language):
        assert reverse("referrals:share", args=["ABCDEFGH"]) == "/r/ABCDEFGH/"
        assert reverse("referrals:account") == f"/{language}/account/refer-a-friend/"
        assert resolve(f"/{language}/account/refer-a-friend/").view_name == "referrals:account"


def test_the_language_switch_finds_the_account_in_the_other_language():
    with override("en"):
        assert translate_url("/en/account/refer-a-friend/", "fr") == "/fr/account/refer-a-friend/"


def test_a_site_without_languages_in_its_addresses():
    with override_settings(ROOT_URLCONF=Plain), override("fr"):
        assert reverse("referrals:account") == "/account/refer-a-friend/"
        assert resolve("/account/refer-a-friend/").view_name == "referrals:account"


def test_a_site_whose_default_language_has_no_prefix():
    with override_settings(ROOT_URLCONF=DefaultWithoutPrefix):
        for language, prefix in (("en", ""), ("fr", "/fr")):
            with override(language):
                assert reverse("referrals:account") == f"{prefix}/account/refer-a-friend/"
                assert resolve(f"{prefix}/account/refer-a-friend/").view_name == "referrals:account"


@pytest.mark.django_db
def test_an_address_without_language_is_sent_to_the_visitors(client):
    response = client.get("/account/refer-a-friend/", headers={"accept-language": "fr"})
    assert response.status_code == 302 and response.url == "/fr/account/refer-a-friend/"


@pytest.mark.django_db
def test_a_link_without_its_last_stroke_still_leads_there(link, terms):
    response = Client().get(link.rstrip("/") + "?via=copy")
    assert response.status_code == 301 and response.url == f"{link}?via=copy"
