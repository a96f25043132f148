"""The way to "Refer a friend" from the pages of Oscar's account section, without an edit of the shop's templates."""

from __future__ import annotations

import copy
import logging
from datetime import timedelta
from decimal import Decimal

import pytest
from bs4 import BeautifulSoup
from django.apps import apps
from django.conf import settings as django_settings
from django.core.cache import cache
from django.db import connection
from django.utils import timezone
from django.views.generic import RedirectView, TemplateView

from oscar_integration import account
from oscar_integration.account import AccountTabMixin, Tab, extend_account
from oscar_integration.capture import capture_for_order
from tests.oscar_integration.shopping import create_order, fill_basket
from tests.site.test_account import refer
from wagtail_referrals import credit, people
from wagtail_referrals.programs.models import Program

PROFILE = "/en/accounts/profile/"
ORDERS = "/en/accounts/orders/"
REFER = "/en/account/refer-a-friend/"


@pytest.fixture
def stock_tabs(settings, tmp_path):
    """Oscar's own tabs: the example shop has put the link among its own."""
    tabs = tmp_path / "oscar/customer/partials/standard_tabs.html"
    tabs.parent.mkdir(parents=True)
    tabs.write_text("<li>{{ active_tab }}</li>")
    engines = copy.deepcopy(django_settings.TEMPLATES)
    engines[0]["DIRS"] = [tmp_path, *engines[0]["DIRS"]]
    settings.TEMPLATES = engines
    cache.clear()


@pytest.fixture
def links(client, camille):
    client.force_login(camille)

    def get(url=PROFILE):
        response = client.get(url)
        assert response.status_code == 200
        return BeautifulSoup(response.content, "html.parser").select(f'a.nav-link[href="{REFER}"]')

    return get


def test_nothing_is_shown_until_a_program_is_published(stock_tabs, links):
    assert links() == []


@pytest.mark.parametrize("url", [PROFILE, ORDERS, "/en/accounts/addresses/", "/en/accounts/wishlists/"])
def test_every_page_of_the_account_leads_there_while_a_program_is_open(stock_tabs, terms, links, url):
    (link,) = links(url)
    assert link.text == "Refer a friend" and "active" not in link["class"]


def test_on_the_page_itself_the_tab_is_the_active_one(stock_tabs, terms, links):
    (link,) = links(REFER)
    assert "active" in link["class"]


def test_an_order_that_credit_paid_has_both(stock_tabs, terms, links, client, camille, mat):
    order = create_order(fill_basket(mat, user=camille), user=camille)
    credit.grant(user=camille, currency="EUR", amount=Decimal(20), key="test")
    credit.reserve(
        user=camille,
        currency="EUR",
        amount=Decimal(20),
        order_number=order.number,
        expires_at=timezone.now() + timedelta(hours=1),
    )
    capture_for_order(order)
    url = f"/en/accounts/orders/{order.number}/"
    assert len(links(url)) == 1
    assert "Referral credit" in client.get(url).content.decode()


def test_a_shop_that_has_the_link_keeps_its_one(terms, links):
    assert len(links()) == 1
    assert len(links(REFER)) == 1


def test_who_has_referred_finds_back_when_no_program_is_open(stock_tabs, terms, links, advocate):
    Program.objects.update(live=False)
    cache.clear()
    assert len(links()) == 1


def test_a_friend_with_credit_finds_it_when_no_program_is_open(stock_tabs, links, camille):
    credit.grant(user=camille, currency="EUR", amount=Decimal(5), key="test")
    assert len(links()) == 1


def test_who_was_invited_finds_who_reads_their_name_when_no_program_is_open(
    stock_tabs, terms, advocate, client, make_customer
):
    lea = make_customer("lea@example.com")
    refer(advocate, terms, lea)
    Program.objects.update(live=False)
    cache.clear()
    for user, found in ((lea, 1), (make_customer("zoe@example.com"), 0)):
        client.force_login(user)
        soup = BeautifulSoup(client.get(PROFILE).content, "html.parser")
        assert len(soup.select(f'a.nav-link[href="{REFER}"]')) == found


def test_every_page_of_ours_keeps_the_tab_active(stock_tabs, terms, links):
    for page in ("friends/", "rewards/", "settings/"):
        (link,) = links(f"{REFER}{page}")
        assert "active" in link["class"]


def test_the_page_is_shown_when_the_tab_fails(stock_tabs, terms, links, monkeypatch, caplog):
    def fail(**kwargs):
        # PostgreSQL refuses whatever comes after this in the same transaction.
        connection.cursor().execute("SELECT a FROM no_table")

    monkeypatch.setattr("oscar_integration.account.programs.pick_terms", fail)
    with caplog.at_level(logging.ERROR, logger="oscar_integration"):
        assert links() == []
    assert "without the ways to our pages" in caplog.text


def test_only_pages_are_extended_and_only_once():
    class Config:
        pass

    config = Config()
    config.own_view, config.leaving_view, config.name = TemplateView, RedirectView, "customer"
    extend_account(config)
    extended = config.own_view
    extend_account(config)
    assert config.own_view is extended and issubclass(extended, AccountTabMixin)
    assert config.leaving_view is RedirectView
    assert issubclass(apps.get_app_config("customer").profile_view, AccountTabMixin)


def test_another_app_adds_a_tab_behind_ours(stock_tabs, terms, client, camille, monkeypatch):
    shown_to = []
    other = Tab(
        "others", "basket:summary", "Another page", lambda request: shown_to.append(request.user) or True
    )
    hidden = Tab("hidden", "basket:vouchers-add", "Not for you", lambda request: False)
    monkeypatch.setattr("oscar_integration.account._tabs", [*account._tabs, other, hidden])
    client.force_login(camille)
    soup = BeautifulSoup(client.get(PROFILE).content, "html.parser")
    assert [link.text for link in soup.select("a.nav-link")][-2:] == ["Refer a friend", "Another page"]
    assert "Not for you" not in soup.text and shown_to == [camille]


def test_who_is_not_logged_in_sees_the_login_as_it_was(stock_tabs, terms, client):
    soup = BeautifulSoup(client.get("/en/accounts/login/").content, "html.parser")
    assert soup.select("form") and not soup.select(f'a.nav-link[href="{REFER}"]')


def test_the_code_of_the_advocate_is_not_made_by_looking(stock_tabs, terms, links, camille):
    links()
    assert not people.models.Advocate.objects.filter(user=camille).exists()
