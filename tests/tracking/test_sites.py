"""The site of a request, as Wagtail finds it, without its query."""

from __future__ import annotations

import pytest
from django.test import RequestFactory
from wagtail.models import Page, Site

from wagtail_referrals import tracking


@pytest.fixture
def sites(db):
    root = Page.get_first_root_node()
    Site.objects.all().delete()
    made = [
        Site(hostname="shop.example.com", port=80, is_default_site=True, root_page=root),
        Site(hostname="other.example.com", port=80, root_page=root),
        Site(hostname="other.example.com", port=8080, root_page=root),
        Site(hostname="third.example.com", port=443, root_page=root),
    ]
    for site in made:
        site.save()
    return made


@pytest.mark.parametrize(
    "host",
    [
        "shop.example.com",
        "shop.example.com:8000",
        "other.example.com",
        "other.example.com:8080",
        "other.example.com:9999",
        "third.example.com",
        "third.example.com:9999",
        "unknown.example.com",
        "THIRD.example.com",
    ],
)
def test_the_same_site_as_wagtail_finds(host, sites):
    port = host.partition(":")[2] or "80"
    request = RequestFactory().get("/", HTTP_HOST=host, SERVER_PORT=port)
    lower = RequestFactory().get("/", HTTP_HOST=host.lower(), SERVER_PORT=port)
    assert tracking.site_id_for(request) == Site.find_for_request(lower).pk


def test_it_is_read_once_and_again_after_a_change(sites, django_assert_num_queries):
    def ask():
        return tracking.site_id_for(RequestFactory().get("/", HTTP_HOST="third.example.com"))

    assert ask() == sites[3].pk
    with django_assert_num_queries(0):
        assert ask() == sites[3].pk
    sites[3].delete()
    assert ask() == sites[0].pk


def test_without_any_site_there_is_none(db):
    Site.objects.all().delete()
    assert tracking.site_id_for(RequestFactory().get("/")) is None


def test_a_host_that_is_refused_gets_the_default_site(sites, settings):
    settings.ALLOWED_HOSTS = ["shop.example.com"]
    assert tracking.site_id_for(RequestFactory().get("/", HTTP_HOST="evil.example.org")) == sites[0].pk
