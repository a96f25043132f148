"""What a click on "place order" costs beyond the same order in a shop without us, counted on both databases.

Counted is every statement from the request to the response, pages and sessions included, of an order of one line by a
customer who is signed in, in the example shop. "Without us" is the same order with none of our receivers heard and no
credit used; with a voucher of the shop's own where ours is in the basket. What is read once in a process has been read.

Statements that open and close savepoints are counted apart: six where there is an invitation and credit. Outside of
``ATOMIC_REQUESTS`` they are three short transactions: what is set aside, what is spent, whose order it is. PostgreSQL
needs one more around what the condition of our discount reads, in a transaction only. Not counted is what comes after
the commit: one statement where a discount was used, which lets its voucher expire.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from oscar.core.loading import get_model

from example_site.card.gateway import ACCEPTED
from oscar_integration import vouchers
from tests.credit.audit import assert_books_agree
from tests.oscar_integration.paying import Customer, balance, give, sources
from tests.oscar_integration.shopping import shop_voucher
from tests.oscar_integration.test_attribution_robust import unheard
from wagtail_referrals.referrals.models import Purchase, TimelineEvent
from wagtail_referrals.rewards.models import DiscountGrant

# Around what the condition of our discount reads.
ASKING = 2 if connection.vendor == "postgresql" else 0


class Cost(NamedTuple):
    statements: int
    savepoints: int

    def beyond(self, other: Cost) -> tuple[int, int]:
        return self.statements - other.statements, self.savepoints - other.savepoints


class Shop:
    """Places one order for a new customer each time."""

    def __init__(self, make_customer: Any, invitation: tuple[Any, Any]) -> None:
        self.make_customer, self.invitation = make_customer, invitation
        self.numbers = count(1)

    def order(self, *, code: str = "", invited: bool = False, credit: str = "") -> Cost:
        user = self.make_customer(f"customer-{next(self.numbers)}@example.com")
        customer = Customer(user)
        if invited:
            customer.click(*self.invitation)
        give(user, "50")
        customer.add("MAT")
        if code:
            customer.type_code(code)
        customer.deliver()
        customer.client.get(customer.url("checkout/payment-details/"))
        if credit:
            customer.use(credit)
        customer.preview(ACCEPTED)
        with CaptureQueriesContext(connection) as captured:
            response = customer.place_order(ACCEPTED)
        assert response.status_code == 302
        assert response.url == "/en/checkout/thank-you/"
        savepoints = sum("SAVEPOINT" in query["sql"] for query in captured.captured_queries)
        self.check(user, invited=invited, credit=credit)
        return Cost(len(captured) - savepoints, savepoints)

    def check(self, user: Any, *, invited: bool, credit: str) -> None:
        """All that the click promises is there after it: nothing was put off."""
        order = get_model("order", "Order").objects.get(user=user)
        paid = sources(order)
        assert paid.get("referral-credit", "") == credit
        assert balance(user) == ("45.00" if credit else "50.00")
        purchases = Purchase.objects.filter(reference=order.number)
        assert purchases.count() == invited
        if invited:
            referral = purchases.get().referral
            assert (referral.friend, referral.claim.state) == (user, "used")
            assert (referral.state, referral.reason, referral.revision) == ("waiting_payment", "payment", 1)
            assert DiscountGrant.objects.get(claim=referral.claim).used_reference == order.number
            events = TimelineEvent.objects.filter(claim=referral.claim)
            assert {"discount_used", "purchase"} <= set(events.values_list("kind", flat=True))
        assert order.discounts.filter(voucher_code__startswith=vouchers.PREFIX).count() == invited


@pytest.fixture
def shop(france: Any, mat: Any, make_customer: Any, advocate: Any, terms: Any) -> Iterator[Shop]:
    shop_voucher("SPRING", "10")
    shop = Shop(make_customer, (advocate, terms))
    shop.order(invited=True, credit="5.00")
    yield shop
    assert_books_agree()


def test_neither_invitation_nor_credit(shop: Shop) -> None:
    """Is there a claim of the basket, or of the customer, or are they a friend already? Oscar saves one for it."""
    with unheard():
        before = shop.order()
    assert shop.order().beyond(before) == (2, 2)


def test_an_invitation(shop: Shop) -> None:
    """Two reads: the discount with claim, terms and what is known of friend and order; the lines of the order.

    Five writes: discount, referral, claim, purchase, timeline. The condition of our discount reads 1 where that of the
    shop's voucher reads 6 about its range; Oscar asks twice whether a voucher that is good once was used, and does not
    read the customer again: 4 less together.
    """
    with unheard():
        before = shop.order(code="SPRING")
    assert shop.order(invited=True).beyond(before) == (3, 2 + ASKING)


def test_credit(shop: Shop) -> None:
    """Set aside and spent with 5 each: one reads and locks; attempt, movement, lot and account are written.

    Then the payment source and its transaction. And the 2 of an order without an invitation.
    """
    with unheard():
        before = shop.order()
    assert shop.order(credit="5.00").beyond(before) == (12 + 2, 6)


def test_an_invitation_and_credit(shop: Shop) -> None:
    """As many as was promised: 15."""
    with unheard():
        before = shop.order(code="SPRING")
    assert shop.order(invited=True, credit="5.00").beyond(before) == (12 + 3, 6 + ASKING)
