"""A friend who begins on one site and orders on another: what was promised is kept on each host."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from wagtail.models import Site

from tests.oscar_integration.shopping import Friend, make_program
from tests.oscar_integration.test_attribution import attributed

pytestmark = pytest.mark.django_db

SHOP, BOUTIQUE = "shop.example", "boutique.example"


@pytest.fixture
def boutiques(advocate: Any, mat: Any) -> Any:
    """The terms of a program that the boutique alone offers."""
    home = Site.objects.get(is_default_site=True).root_page
    Site.objects.update(hostname=SHOP)
    boutique = Site.objects.create(hostname=BOUTIQUE, port=80, root_page=home)
    return make_program(site=boutique)


def at(friend: Friend, host: str) -> None:
    friend.client.defaults["HTTP_HOST"] = host


def test_the_same_basket_on_another_host(friend: Friend, advocate: Any, boutiques: Any) -> None:
    """Hosts of one domain that share their cookies: see COOKIE_DOMAIN."""
    at(friend, BOUTIQUE)
    friend.click(advocate, boutiques)
    friend.add("MAT")
    at(friend, SHOP)
    assert friend.basket().total_incl_tax == Decimal("90.00")
    friend.as_guest("lea@example.com")
    attributed(friend.buy(), advocate)


def test_the_account_remembers_it_where_no_cookie_passes(
    friend: Friend, advocate: Any, boutiques: Any
) -> None:
    at(friend, BOUTIQUE)
    friend.click(advocate, boutiques)
    friend.register("lea@example.com")
    elsewhere = Friend()
    at(elsewhere, SHOP)
    elsewhere.log_in("lea@example.com")
    elsewhere.add("MAT")
    assert elsewhere.basket().total_incl_tax == Decimal("90.00")
    elsewhere.begin_checkout()
    referral = attributed(elsewhere.buy(), advocate)
    assert referral.friend == get_user_model().objects.get(email="lea@example.com")


def test_without_cookie_and_account_the_other_host_knows_nothing(
    friend: Friend, advocate: Any, boutiques: Any
) -> None:
    at(friend, BOUTIQUE)
    friend.click(advocate, boutiques)
    friend.add("MAT")
    elsewhere = Friend()
    at(elsewhere, SHOP)
    elsewhere.add("MAT")
    assert elsewhere.basket().total_incl_tax == Decimal("100.00")
