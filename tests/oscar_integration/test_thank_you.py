"""The share panel on the page after an order, without an edit of the shop's templates."""

from __future__ import annotations

import copy
import logging

import pytest
from bs4 import BeautifulSoup
from django.conf import settings as django_settings
from django.core.cache import cache
from django.utils import timezone
from oscar.core.loading import get_class

from oscar_integration.thank_you import ThankYouMixin, extend_thank_you
from tests.oscar_integration.shopping import create_order, fill_basket
from wagtail_referrals import people
from wagtail_referrals.people.models import Advocate

ThankYouView = get_class("checkout.views", "ThankYouView")
URL = "/en/checkout/thank-you/"
TAG = "<b id='own'>{% referral_thank_you order_email=order.guest_email %}</b>"
BASE = '{% extends "oscar/checkout/layout.html" %}{% load referrals %}'
ACTIONS = "<i id='before'></i>{% block order_actions %}<i id='actions'></i>{% endblock %}"
TEMPLATES = {
    "Oscar's blocks": f"{BASE}{{% block content %}}{ACTIONS}{{% endblock %}}",
    "a content only": f"{BASE}{{% block content %}}<i id='before'></i>{{% endblock %}}",
    "the tag itself": f"{BASE}{{% block content %}}{TAG}{ACTIONS}{{% endblock %}}",
    "the tag at the end": f"{BASE}{{% block content %}}<i id='before'></i>{TAG}{{% endblock %}}",
}


@pytest.fixture
def template(settings, tmp_path):
    """Write the shop's own page after an order."""

    def write(source):
        path = tmp_path / "oscar/checkout/thank_you.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        engines = copy.deepcopy(django_settings.TEMPLATES)
        engines[0]["DIRS"] = [tmp_path, *engines[0]["DIRS"]]
        settings.TEMPLATES = engines

    write(TEMPLATES["Oscar's blocks"])
    cache.clear()
    return write


@pytest.fixture
def guests_order(mat, template):
    return create_order(fill_basket(mat), user=None, guest_email="nina@example.com")


@pytest.fixture
def look(client):
    """The page after this order, as the shopper sees it who has just ordered."""

    def get(order, query=""):
        session = client.session
        session["checkout_order_id"] = order.pk
        session.save()
        response = client.get(URL + query)
        assert response.status_code == 200
        return BeautifulSoup(response.content, "html.parser")

    return get


def panels(soup):
    return soup.select("[aria-labelledby=referrals-thank-you]")


@pytest.mark.parametrize("shop", TEMPLATES)
def test_the_panel_is_there_once_whatever_template_the_shop_has(shop, terms, guests_order, template, look):
    template(TEMPLATES[shop])
    soup = look(guests_order)
    (panel,) = panels(soup)
    assert people.code_of(Advocate.objects.get()) in str(panel)
    # Where the shop put it, else before the buttons at the end, else at the end.
    assert bool(soup.select_one("#own")) == bool(panel.find_parent(id="own"))
    if soup.select_one("#actions"):
        assert panel.find_next(id="actions")
    elif soup.select_one("#before"):
        assert panel.find_previous(id="before")
    assert len(soup.select('link[href*="referrals.css"]')) == 1


def test_without_an_open_program_the_page_is_the_shops_to_the_letter(guests_order, look, client, settings):
    assert not panels(look(guests_order)) and not Advocate.objects.exists()
    ours = client.get(URL)
    assert ours.template_name != "oscar_integration/checkout/thank_you.html"


def test_a_customer_gets_their_own_link(terms, mat, template, camille, client, look):
    order = create_order(fill_basket(mat, user=camille), user=camille)
    client.force_login(camille)
    (panel,) = panels(look(order))
    assert "Get your link" in panel.text and panel.select_one('a[href="/en/account/refer-a-friend/"]')
    Advocate.objects.update(name_confirmed_at=timezone.now())
    (panel,) = panels(look(order))
    assert people.code_of(Advocate.objects.get()) in str(panel)


def test_staff_who_look_at_somebodys_page_get_nobodys_link(
    terms, mat, template, camille, make_customer, client, look, guests_order
):
    order = create_order(fill_basket(mat, user=camille), user=camille)
    client.force_login(make_customer("staff@example.com", is_staff=True, is_superuser=True))
    assert not panels(look(order))
    assert not panels(look(order, f"?order_number={order.number}"))
    assert not panels(look(order, f"?order_number={guests_order.number}"))
    assert not Advocate.objects.exists()


def test_the_page_is_shown_where_the_panel_fails(terms, guests_order, look, monkeypatch, caplog):
    monkeypatch.setattr("oscar_integration.thank_you.programs.pick_terms", lambda **kwargs: 1 / 0)
    with caplog.at_level(logging.ERROR, logger="oscar_integration"):
        soup = look(guests_order)
    assert soup.select_one("#actions") and not panels(soup)
    assert "without the share panel" in caplog.text and "nina" not in caplog.text


def test_a_view_is_extended_once_and_what_is_no_view_is_left():
    class Config:
        thankyou_view = None

    extend_thank_you(Config)
    assert Config.thankyou_view is None
    Config.thankyou_view = ThankYouView
    extend_thank_you(Config)
    extended = Config.thankyou_view
    extend_thank_you(Config)
    assert issubclass(extended, ThankYouMixin) and Config.thankyou_view is extended


def test_switched_off_the_view_is_the_shops_own(settings):
    class Config:
        thankyou_view = ThankYouView

    settings.WAGTAIL_REFERRALS_OSCAR = {"SHARE_AFTER_ORDER": False}
    extend_thank_you(Config)
    assert Config.thankyou_view is ThankYouView
