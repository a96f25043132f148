"""What protects the shop's own pages: no form of another site is taken, no page stands in a frame of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from wagtail_referrals import messages, people

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

PACKAGES: Final = ("wagtail_referrals", "oscar_integration")
# Mail programs send these for their reader (RFC 8058), and bring no token: who knows the address may.
# A share is counted for a guest, too, who has no session: a signed value says whose it is, and all it does is count.
WITHOUT_TOKEN: Final = {"referrals:unsubscribe", "referrals:kept_remove", "referrals:shared"}


def patterns() -> Iterator[tuple[str, URLPattern]]:
    """Every route of ours outside the admins."""

    def walk(resolver: Any, namespaces: tuple[str, ...]) -> Iterator[tuple[str, URLPattern]]:
        for pattern in resolver.url_patterns:
            if isinstance(pattern, URLResolver):
                if str(pattern.pattern) != "admin/":
                    inner = (*namespaces, pattern.namespace) if pattern.namespace else namespaces
                    yield from walk(pattern, inner)
            elif pattern.callback.__module__.split(".")[0] in PACKAGES:
                yield ":".join([*namespaces, pattern.name or ""]), pattern

    yield from walk(get_resolver(), ())


BY_TEXT: Final = ("referrals:mails", "referrals:unsubscribe", "referrals:mail_link")
# Pages of the shop whose forms are in part ours.
SHOP: Final = (
    "basket:summary",
    "basket:vouchers-add",
    "checkout:payment-details",
    "checkout:payment-method",
    "checkout:preview",
)


@pytest.fixture
def addresses(terms: Any, camille: Any, advocate: Any) -> dict[str, str]:
    """By the name of the route. Of those that are for one mail, the customer's own."""
    found = {name: reverse(name) for name in SHOP}
    for name, pattern in patterns():
        wanted = {*pattern.pattern.regex.groupindex, *getattr(pattern.pattern, "converters", {})}
        values = {
            "code": people.code_of(advocate),
            "token": messages.token_for(camille, messages.Topic.REWARDS)
            if name in BY_TEXT
            else "00000000-0000-0000-0000-000000000000",
            "pk": 1,
            "choice": "name",
            "channel": "copy",
        }
        if name == "referrals:print_colours":
            found[name] = reverse(name, args=["000000", "ffffff", "336699"])
            continue
        assert wanted <= set(values), f"{name} asks for more than this test knows"
        found[name] = reverse(name, kwargs={key: values[key] for key in wanted})
    return found


def clients(camille: Any, **values: Any) -> Iterator[Client]:
    """A guest, and a customer who is signed in."""
    yield Client(**values)
    client = Client(**values)
    client.force_login(camille)
    yield client


def test_all_addresses_are_walked(addresses: dict[str, str]) -> None:
    assert {"referrals:choose", "referrals:report", "referrals:keep", "memberships:renewal"} <= set(addresses)
    assert set(addresses) >= WITHOUT_TOKEN
    assert len(addresses) > 25


def test_no_form_of_another_site_is_taken(addresses: dict[str, str], camille: Any) -> None:
    for client in clients(camille, enforce_csrf_checks=True):
        taken = {name for name, path in addresses.items() if client.post(path).status_code != 403}
        assert taken == WITHOUT_TOKEN


def test_no_page_stands_in_the_frame_of_another_site(addresses: dict[str, str], camille: Any) -> None:
    pages = set()
    for client in clients(camille):
        for name, path in addresses.items():
            for response in (client.get(path), client.post(path)):
                assert response.status_code < 500, name
                assert response.get("X-Frame-Options") == "DENY", (name, response.status_code)
                if response.status_code == 200:
                    pages.add(name)
    assert {"referrals:share", "referrals:account", "referrals:mails", "memberships:list"} <= pages
