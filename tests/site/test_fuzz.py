"""Nothing that a visitor sends makes an error: code, ``to``, ``via``, cookie, headers, page numbers."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.site.conftest import BROWSER
from wagtail_referrals import people, tracking
from wagtail_referrals.tracking.models import Visit

calm = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

anything = st.text(max_size=300) | st.text(
    alphabet="/\\:.%?#@ \t\r\n\x00'\"<>{}&=;,-_éß漢🎁ABCDEFGH23456789", max_size=60
)
# What a header can carry at all.
header = st.text(
    alphabet=st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=300
)


@pytest.fixture
def visitor(alone):
    """The landing page alone, which is where our own code is."""
    return Client(headers={"user-agent": BROWSER})


def answered(response) -> bool:
    return response.status_code in (200, 301, 302, 404)


@calm
@given(code=anything)
def test_any_code(code, visitor, terms):
    response = visitor.get(f"/r/{quote(code, safe='')}/")
    assert response.status_code == 200 or code.endswith("/picture.png"), response.status_code
    assert not Visit.objects.exists()


@calm
@given(path=st.binary(max_size=80))
def test_any_bytes_in_the_path(path, visitor, terms):
    assert answered(visitor.get(f"/r/{quote(path, safe='')}/"))


@calm
@given(to=anything, via=anything)
def test_any_target_and_channel(to, via, visitor, terms, advocate):
    link = people.share_path(people.code_of(advocate))
    response = visitor.get(link, {"to": to, "via": via})
    assert response.status_code in (200, 302)
    if response.status_code == 302:
        assert response.url.startswith("/") and not response.url.startswith(("//", "/\\"))


@calm
@given(query=anything)
def test_any_query_string(query, visitor, terms, advocate):
    link = people.share_path(people.code_of(advocate))
    assert answered(visitor.get(f"{link}?{quote(query, safe='=&%+')}"))


@calm
@given(cookie=header)
def test_any_cookie(cookie, terms, advocate, visitor):
    link = people.share_path(people.code_of(advocate))
    client = Client(headers={"user-agent": BROWSER})
    response = client.get(link, headers={"cookie": f"referral={cookie}"})
    assert response.status_code == 200 and "referral" in response.cookies


@calm
@given(
    numbers=st.lists(st.integers(min_value=0, max_value=2**80), min_size=0, max_size=8),
    spoil=st.sampled_from(["", "x", "-", ":"]),
)
def test_any_number_that_this_site_might_have_signed(numbers, spoil, terms, advocate, visitor):
    from django.core import signing
    from django.utils.http import int_to_base36

    from wagtail_referrals.tracking.cookie import SALT

    value = signing.Signer(salt=SALT).sign("-".join(int_to_base36(number) for number in numbers)) + spoil
    client = Client(headers={"user-agent": BROWSER})
    client.cookies["referral"] = value
    assert client.get(people.share_path(people.code_of(advocate))).status_code == 200
    found = tracking.visit_from_token(value)
    assert found is None or found.pk == numbers[0]


@calm
@given(
    language=header,
    agent=header,
    purpose=header,
    host=st.sampled_from(["testserver", "a.example.com:99999", "[::1]"]),
)
def test_any_header(language, agent, purpose, host, terms, advocate, visitor):
    response = visitor.get(
        people.share_path(people.code_of(advocate)),
        headers={"accept-language": language, "user-agent": agent, "sec-purpose": purpose, "host": host},
    )
    assert response.status_code == 200


@calm
@given(name=anything, page=anything)
def test_any_name_and_page_number(name, page, terms, camille):
    client = Client()
    client.force_login(camille)
    url = "/en/account/refer-a-friend/"
    assert client.post(url, {"public_name": name}).status_code in (200, 302)
    assert client.get(url, {"page": page, "movements-EUR": page}).status_code == 200
