"""Nothing that stands in an address makes an error: parameters and keys that nobody would type, on every page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.test import Client
from django.urls import NoReverseMatch, reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.admin.addresses import Address, make_addresses, patterns
from tests.admin.conftest import signed_in
from tests.admin.rows import make_user
from tests.admin.test_every_url import answer, text_of
from wagtail_referrals.admin.groups import ROLES

pytestmark = pytest.mark.django_db

# No page tells of these by itself, so they are asked everywhere.
HIDDEN: Final = (
    "all",
    "columns",
    "done",
    "ended",
    "export",
    "from",
    "id",
    "kind",
    "multiple",
    "next",
    "ordering",
    "p",
    "plan",
    "position",
    "preset",
    "program",
    "q",
    "to",
    "when",
)
ODD: Final = (
    b"",
    b"0",
    b"-1",
    b"9" * 19,
    b"9" * 40,
    # More digits than Python turns into a number.
    b"9" * 5000,
    b"1e999",
    b"NaN",
    "٣".encode(),
    "²".encode(),
    b"\0",
    b"a\0b",
    b"\xff\xfe\x80",
    b"\xed\xa0\x80",
    "🎁".encode() * 300,
    b"a " * 1500,
    b"2026-13-45",
    b"0001-01-01",
    b"9999-12-31",
    b"2026-11-10T25:61",
    b"' OR 1=1 --",
    b'"); DROP TABLE auth_user; --',
    b"<script>alert(1)</script>",
    b"{{ 7|add:7 }} %s %(x)s {x}",
    b"../../../etc/passwd",
    b"//example.com/",
    b"00000000-0000-0000-0000-000000000000",
    b"all",
    b"csv",
    b"xlsx",
    b"-pk",
    b"password",
    b"user__password",
)
EXAMPLES: Final = 300
odd = st.sampled_from(ODD) | st.binary(max_size=40) | st.text(max_size=40).map(str.encode)


def asked_by(html: str) -> Iterator[str]:
    """The parameters that a page has in its forms and its links."""
    page = BeautifulSoup(html, "html.parser")
    for form in page.find_all("form"):
        if str(form.get("method", "get")).lower() == "get":
            for field in form.find_all(["input", "select"]):
                if field.get("name"):
                    yield str(field["name"])
    for link in page.find_all("a", href=True):
        yield from (name for name, _value in parse_qsl(urlsplit(str(link["href"])).query))


@pytest.fixture
def addresses(db: None) -> list[Address]:
    return make_addresses()


@pytest.fixture
def parameters(addresses: list[Address], admin: Client) -> dict[str, list[str]]:
    """What can be asked at each address, by its path."""
    found = {}
    for address in addresses:
        response = answer(admin, "get", address.path)
        if response.status_code == 405:
            continue
        html = text_of(response) if "html" in response.get("Content-Type", "") else ""
        found[address.path] = sorted({*HIDDEN, *asked_by(html)})
    return found


def query_of(asked: list[tuple[str, bytes]]) -> str:
    return "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in asked)


def look(client: Client, path: str, query: str) -> None:
    response = answer(client, "get", f"{path}{'&' if '?' in path else '?'}{query}")
    assert response.status_code < 500, (path, query)
    text = text_of(response)
    assert "<script>alert(1)</script>" not in text, (path, query)


def test_the_pages_say_what_can_be_asked(parameters: dict[str, list[str]]) -> None:
    asked = parameters[reverse("wagtail_referrals_referrals:index")]
    assert {"state", "program", "created_at_from", "advocate"} <= set(asked)
    assert {"period", "first", "last", "program"} <= set(parameters[reverse("wagtail_referrals_summary")])


def test_any_parameter_on_any_page_as_any_role(parameters: dict[str, list[str]], admin: Client) -> None:
    clients = {"": admin}
    for role in (*ROLES, "Editors", "Moderators"):
        user = make_user(f"staff{len(clients)}@example.com")
        user.groups.add(Group.objects.get(name=role))
        clients[role] = signed_in(user)
    # Most pages open to a superuser only.
    roles = st.just("") | st.sampled_from(sorted(clients))

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(data=st.data())
    def any_parameter(data: Any) -> None:
        path = data.draw(st.sampled_from(sorted(parameters)))
        names = st.sampled_from(parameters[path])
        # The same name may come again.
        asked = data.draw(st.lists(st.tuples(names, odd), min_size=1, max_size=4))
        look(clients[data.draw(roles)], path, query_of(asked))

    any_parameter()


def test_every_odd_value_in_every_parameter_at_once(parameters: dict[str, list[str]], admin: Client) -> None:
    """As a scanner asks; the file of it, too."""
    for number, path in enumerate(sorted(parameters)):
        names = parameters[path]
        asked = [(name, ODD[(number + place) % len(ODD)]) for place, name in enumerate(names)]
        look(admin, path, query_of(asked))
        look(admin, path, query_of([("export", b"csv"), *asked]))


@pytest.mark.parametrize("odd_key", ["abc", "-1", "0", "9" * 30, "\0", "_00", "é", "1'--", "²"])
def test_a_key_that_is_none_is_not_found(odd_key: str, admin: Client) -> None:
    """Also where Wagtail takes any text for one."""
    make_addresses()
    cache.clear()
    asked = 0
    for name, pattern in patterns():
        wanted = {*pattern.pattern.regex.groupindex, *getattr(pattern.pattern, "converters", {})}
        if not wanted:
            continue
        try:
            path = reverse(name, kwargs=dict.fromkeys(wanted, odd_key))
        except NoReverseMatch:
            continue
        asked += 1
        for method in ("get", "post"):
            response = answer(admin, method, path)
            assert response.status_code < 500, (name, method)
            assert response.status_code != 200, (name, method)
    assert asked


def test_a_program_with_more_digits_than_a_number_can_have(admin: Client) -> None:
    many = "9" * 5000
    path = reverse("wagtail_referrals_templates:add")
    assert admin.get(path, {"kind": "reward_given", "program": many}).status_code == 200
    path = reverse("wagtail_referrals_messages_switch", args=["reward_given"])
    assert admin.post(path, {"program": many, "is_on": "1"}).status_code == 400
