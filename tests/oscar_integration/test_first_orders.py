"""The newest first orders of accounts: what a program would give for orders like these."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from oscar_integration import OscarShop
from tests.admin.rows import make_program, make_user
from tests.oscar_integration.shopping import create_order, fill_basket
from wagtail_referrals.programs import draft_data

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def place(mat: Any, make_customer: Any) -> Any:
    """An order of one mat, 100.00."""

    def place(moment: datetime, user: Any) -> Any:
        return create_order(fill_basket(mat, user=user), user=user, date_placed=moment)

    return place


def test_the_newest_first_orders_of_accounts(place: Any, make_customer: Any) -> None:
    lea, robin = make_customer("lea@example.com"), make_customer("robin@example.com")
    first, other = place(NOON, lea), place(NOON + DAY, robin)
    place(NOON + 2 * DAY, lea)
    guest = place(NOON + 3 * DAY, make_customer("guest@example.com"))
    guest.user, guest.guest_email = None, "guest@example.com"
    guest.save()
    data = draft_data(make_program())
    with CaptureQueriesContext(connection) as queries:
        found = OscarShop().first_orders(10, data)
    assert [order.reference for order in found] == [other.number, first.number]
    assert [(order.placed_at, order.eligible, order.currency) for order in found] == [
        (NOON + DAY, Decimal("100.00"), "EUR"),
        (NOON, Decimal("100.00"), "EUR"),
    ]
    assert [line["amount"] for line in found[0].lines] == ["100.00"]
    assert len(queries) == 2
    assert [order.reference for order in OscarShop().first_orders(1, data)] == [other.number]


def test_an_editor_reads_what_they_would_have_brought(place: Any, make_customer: Any) -> None:
    program = make_program()
    client = Client()
    client.force_login(make_user("admin@example.com", is_superuser=True, is_staff=True))
    url = reverse("wagtail_referrals_programs:replay", args=[program.pk])
    assert "as if friends had placed them</option>" in client.get(url).content.decode()
    url += "?replay-friends-of=orders"
    assert "There is no such order yet." in client.get(url).content.decode()
    for number in range(3):
        place(NOON + number * DAY, make_customer(f"new{number}@example.com"))
    with CaptureQueriesContext(connection) as few:
        html = client.get(url).content.decode()
    assert "The 3 newest first orders of customers" in html
    assert "0 of these orders count until today." in html
    assert "3 more are not given yet (€45.00)" in html
    for number in range(3, 6):
        place(NOON + number * DAY, make_customer(f"new{number}@example.com"))
    with CaptureQueriesContext(connection) as many:
        client.get(url)
    assert len(few) == len(many) <= 30
