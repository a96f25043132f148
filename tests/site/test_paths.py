"""``?to=`` leads to a page of this host, or nowhere."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from tests.site.conftest import BROWSER
from wagtail_referrals.site.paths import safe_path
from wagtail_referrals.tracking.models import Visit

GOOD = {
    "/": "/",
    "/en/basket/": "/en/basket/",
    "/fr/catalogue/tapis_1/?a=1&b=2#x": "/fr/catalogue/tapis_1/?a=1&b=2#x",
    "/fr/été/": "/fr/%C3%A9t%C3%A9/",
    "/a/?next=https://example.com/": "/a/?next=https://example.com/",
    "/rooms/": "/rooms/",
}
BAD = [
    "", "basket", "//evil.example.com", "///evil.example.com", "/\\evil.example.com", "\\\\evil",
    "https://evil.example.com/",
    "http://testserver/", "javascript:alert(1)", "/\t/evil", "/\n/evil.example.com", "/a\r\nSet-Cookie: x=1",
    " //evil", "/./\\evil", "/.//evil.example.com", "/..//evil.example.com", "/a/../b/", "/a//b",
    "/r/ABCDEFGH/", "/r/ABCDEFGH/?to=/", "/" + "a" * 3000, "/" + "é" * 700, "/\x00", "//[", "/\u2028x",
    "data:text/html,x",
]  # fmt: skip


@pytest.mark.parametrize(("text", "uri"), GOOD.items())
def test_good(text, uri):
    assert safe_path(text) == uri


@pytest.mark.parametrize("text", [*BAD, None])
def test_bad(text):
    assert safe_path(text) == ""


@given(st.text() | st.from_regex(r"[/\\]{1,3}[a-z.:@/\\%?# \t\r\n]*", fullmatch=True))
def test_whatever_is_given_it_stays_on_the_host(text):
    uri = safe_path(text)
    if uri:
        assert (
            uri.startswith("/") and not uri.startswith(("//", "/\\")) and uri.isascii() and uri.isprintable()
        )
        assert urlsplit(uri).netloc == "" and urlsplit(uri).scheme == ""


@pytest.mark.parametrize(
    "text", ["//evil.example.com", "https://evil.example.com/", "/\\evil.example.com", "/a\r\nX: y"]
)
def test_a_bad_path_shows_the_landing_page(text, link, terms):
    response = Client(headers={"user-agent": BROWSER}).get(link, {"to": text})
    assert response.status_code == 200 and "referral" in response.cookies


def test_a_redirect_sets_the_cookie_and_counts(link, terms):
    response = Client(headers={"user-agent": BROWSER}).get(link, {"to": "/en/basket/"})
    assert response.status_code == 302 and response.url == "/en/basket/" and "referral" in response.cookies
    assert Visit.objects.count() == 1


def test_an_unknown_code_leads_there_too(browser_client, db):
    response = browser_client.get("/r/ZZZZZZZZ/", {"to": "/en/basket/"})
    assert (
        response.status_code == 302 and response.url == "/en/basket/" and "referral" not in response.cookies
    )
