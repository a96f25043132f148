"""The customer's own pages without Oscar, standing alone: in every state, with few and with many friends."""

from __future__ import annotations

import html

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.plainshop.test_chain import DAY, deliver, friend_orders
from wagtail_referrals import credit, rewards
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.referrals.models import AttributionRequest, Referral

URL = "/account/refer-a-friend/"
PAGES = ["", "friends/", "rewards/", "settings/"]


@pytest.fixture
def page(client, camille, advocate):
    Advocate.objects.update(name_confirmed_at=timezone.now())
    client.force_login(camille)

    def get(name: str = "") -> str:
        response = client.get(f"{URL}{name}")
        assert response.status_code == 200
        return html.unescape(response.content.decode())

    return get


@pytest.mark.parametrize("state", Advocate.State.values)
@pytest.mark.parametrize("name", PAGES)
def test_every_page_in_every_state(page, make_program, state, name):
    make_program()
    Advocate.objects.update(state=state)
    text = page(name)
    assert text.count("<h1") == 1 and 'aria-label="Refer a friend"' in text
    assert "style=" not in text.replace('rel="stylesheet"', "") and "<script>" not in text


@pytest.mark.parametrize("name", PAGES)
def test_without_a_program(page, name):
    page(name)


def test_a_friend_moves_from_order_to_reward(page, make_program, basket, advocate, camille, now):
    _, terms, _ = make_program()
    order = friend_orders(advocate, terms, basket, now)
    rewards.sweep(now=now)
    text = page("friends/")
    assert "Ordered" in text and "Waiting for the payment of the order" in text
    deliver(order, now)
    rewards.sweep(now=now + DAY)
    text = page("friends/")
    assert "waiting until March" in text and "€15.00: waiting" in text
    rewards.sweep(now=now + 15 * DAY)
    text = page("friends/")
    assert 'data-state="rewarded"' in text and "€15.00: given" in text
    assert "+€15.00" in page("rewards/") and "for a friend" in page("rewards/")
    assert credit.available(camille, "EUR") == 15
    order.refunded = order.goods
    order.save()
    rewards.settle(Referral.objects.get().pk, now=now + 16 * DAY)
    text = page("friends/")
    assert 'data-state="taken_back"' in text and "The order was refunded" in text
    assert "€0.00" in page()


def test_what_the_page_says_is_seen_without_a_layout_of_the_shop(page, client, make_program):
    make_program()
    client.post(f"{URL}friends/report/", {"reference": "A-7"})
    assert AttributionRequest.objects.get().reference == "A-7"
    text = page("friends/")
    assert "Thank you. We look at it, and answer here." in text and "Order A-7" in text
    assert "Thank you. We look at it" not in page("friends/"), "once"


@pytest.mark.parametrize("name", PAGES)
def test_as_many_queries_for_thirty_friends_as_for_two(
    page, client, make_program, basket, advocate, now, name
):
    _, terms, _ = make_program()

    def queries(first: int, last: int) -> int:
        for number in range(first, last):
            friend_orders(
                advocate, terms, basket, now, number=str(number), email=f"friend{number}@example.com"
            )
        rewards.sweep(now=now)
        page(name)
        with CaptureQueriesContext(connection) as found:
            page(name)
        return len(found)

    assert queries(0, 2) == queries(2, 30)
