"""In which template the shopper's pages stand: the site's own, whatever it calls its blocks."""

from __future__ import annotations

import copy
import logging

import pytest
from bs4 import BeautifulSoup
from django.conf import settings as django_settings

from wagtail_referrals.site.layout import base_template_problem

LANDING = "/r/UNKNOWN2/"
ACCOUNT = "/en/account/refer-a-friend/"
SHOP = """<!DOCTYPE html><html><head><title>{% block head_title %}Wool{% endblock %}</title>
<link rel="icon" href="/ball.svg">{% block head %}<meta name="theme-color" content="#123456">{% endblock %}</head>
<body><header>The shop's header</header>{% block main %}Nothing here yet{% endblock %}</body></html>"""


@pytest.fixture
def site(settings, tmp_path):
    """Write templates that come before all others, and name the base template."""

    def write(base="shop.html", **templates):
        for name, source in templates.items():
            path = tmp_path / f"{name.replace('__', '/')}.html"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)
        engines = copy.deepcopy(django_settings.TEMPLATES)
        engines[0]["DIRS"] = [tmp_path, *engines[0]["DIRS"]]
        settings.TEMPLATES = engines
        settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "BASE_TEMPLATE": base}

    return write


@pytest.fixture
def page(client, terms):
    def get(url=LANDING):
        response = client.get(url)
        assert response.status_code == 200
        return BeautifulSoup(response.content, "html.parser")

    return get


def test_a_page_fills_the_blocks_of_the_shops_template_by_whatever_name(site, page):
    site(shop=SHOP)
    soup = page()
    assert "The shop's header" in soup.body.header.text
    assert soup.body.select_one(".referrals-landing h1")
    assert "Nothing here yet" not in soup.text
    assert soup.title.string and soup.title.string != "Wool"
    # In the head, beside what the shop has there.
    assert soup.head.select_one('link[href*="referrals.css"]') and soup.head.select_one(
        'meta[name="theme-color"]'
    )
    assert soup.head.select_one('meta[property="og:title"]')
    assert base_template_problem() is None


def test_a_template_with_our_names_is_used_as_it_is(site, page):
    site(
        shop="<head>{% block extrahead %}{% endblock %}</head><main>{% block content %}{% endblock %}</main>"
    )
    soup = page()
    assert soup.main.select_one(".referrals-landing") and soup.head.select_one('link[href*="referrals.css"]')


def test_the_outer_of_two_blocks_is_not_taken(site, page):
    site(
        shop="<head>{% block head %}{% endblock %}</head>"
        "<body>{% block body %}<nav>Menu</nav>{% block content %}{% endblock %}{% endblock %}</body>"
    )
    assert page().nav.text == "Menu"


def test_a_template_without_a_head_for_us_still_has_our_style(site, page):
    site(shop="<head></head><main>{% block content %}{% endblock %}</main>")
    assert page().main.select_one('link[href*="referrals.css"]')
    assert "no block in its <head>" in base_template_problem()


@pytest.mark.parametrize(
    ("base", "why"),
    [
        ("shop.html", "none of the blocks content"),
        ("missing.html", 'The template "missing.html" does not exist'),
        ("child.html", 'The template "gone.html" does not exist'),
        ("broken.html", "cannot be used"),
    ],
)
def test_a_base_template_that_cannot_be_used_is_logged_and_the_page_is_there(site, page, caplog, base, why):
    site(base, shop="<main></main>", child='{% extends "gone.html" %}', broken="{% block content %}")
    with caplog.at_level(logging.ERROR):
        assert page().select_one(".referrals-landing h1")
    assert base in caplog.text
    assert why in base_template_problem()


def test_the_account_page_has_one_headline_wherever_it_stands(site, page, client, camille):
    client.force_login(camille)
    site(shop=SHOP)
    # The shop's account section comes first.
    soup = page(ACCOUNT)
    assert len(soup.select("h1")) == 1 and "The shop's header" not in soup.text

    site(shop=SHOP, wagtail_referrals__account_base="{% extends 'nothing.html' %}")
    soup = page(ACCOUNT)
    assert [h1.text for h1 in soup.select("h1")] == ["Refer a friend"] and "The shop's header" in soup.text


def test_oscars_layout_as_base_has_no_empty_headline(site, page):
    site(
        "oscar/layout.html",
        oscar__layout="{% block header %}<h1>{% block headertext %}{% endblock %}</h1>{% endblock %}"
        "{% block content %}{% endblock %}",
    )
    assert len(page().select("h1")) == 1


def test_nothing_is_wrong_without_the_setting(settings):
    assert base_template_problem() is None
