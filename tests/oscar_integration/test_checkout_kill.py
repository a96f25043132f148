"""A checkout whose process dies, at whatever step, leaves books that a sweep completes and a customer who can buy."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.utils import timezone
from oscar.core.loading import get_model

from example_site.card.gateway import ACCEPTED
from example_site.card.models import DemoCharge
from tests.books import LEDGER, assert_audit_clean
from tests.killing import in_a_process
from tests.oscar_integration.dying import open_browser
from tests.oscar_integration.paying import Customer, available, give, sources
from wagtail_referrals import credit, rewards
from wagtail_referrals.credit.models import Reservation
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.models import DiscountGrant

Order = get_model("order", "Order")
pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
STEPS = 50
# When the sweep comes: what was set aside has run out, and no checkout is still at it.
LATER = timedelta(hours=2)


def about_to_pay(user: Any, advocate: Any, terms: Any) -> dict[str, str]:
    """A friend with the discount in the basket and 15.00 of credit ticked; the cookies of that browser."""
    give(user, "15")
    customer = Customer(user)
    customer.click(advocate, terms)
    customer.go_to_payment()
    customer.use("15")
    return {name: cookie.value for name, cookie in customer.client.cookies.items()}


def come_back(cookies: dict[str, str], user: Any, *, swept: bool) -> None:
    """The customer whose page never came looks whether there is an order, and orders if there is none."""
    customer = open_browser(cookies)
    history = customer.client.get(customer.url("accounts/orders/"))
    orders = list(Order.objects.filter(user=user))
    assert list(history.context["orders"]) == orders
    if orders:
        return
    if not customer.basket().num_items:
        # Oscar froze the basket for the payment, and nobody is left to thaw it.
        customer.add("MAT")
    if swept:
        assert available(user) == "15.00", "what was set aside came back"
    customer.deliver()
    customer.client.get(customer.url("checkout/payment-details/"))
    if available(user) == "15.00":
        customer.use("15")
    elif not swept:
        # Still set aside for the order that never was: the card pays, once the customer was told.
        refused = customer.preview(ACCEPTED)
        assert refused.status_code == 302 and "no longer have that much credit" in customer.messages()[-1]
    response = customer.place(ACCEPTED)
    assert response.status_code == 302, response.content.decode()[:2000]


@pytest.mark.parametrize("atomic_requests", [False, True])
def test_a_checkout_killed_at_each_step(
    atomic_requests: bool, make_customer: Any, advocate: Any, terms: Any, france: Any, mat: Any
) -> None:
    if atomic_requests and connection.vendor != "postgresql":
        pytest.skip("ATOMIC_REQUESTS is for PostgreSQL")
    people = [make_customer(f"friend{number}@example.com") for number in range(STEPS + 2)]
    browsers = [about_to_pay(user, advocate, terms) for user in people]
    done = in_a_process("tests.oscar_integration.dying", browsers=browsers, atomic_requests=atomic_requests)
    assert len(done["died"]) == STEPS, "each died in the middle"
    assert done["steps"] > 2 * STEPS
    assert_audit_clean(only=LEDGER)
    ordered = Order.objects.count()
    assert 2 < ordered < STEPS

    for user, cookies in list(zip(people, browsers, strict=True))[::2]:
        come_back(cookies, user, swept=False)
    for _again in range(2):
        later = timezone.now() + LATER
        rewards.sweep(now=later)
        assert_audit_clean(now=later)
    # They come after that sweep, also where midnight was between: what it has counted is over.
    with time_machine.travel(later):
        for user, cookies in list(zip(people, browsers, strict=True))[1::2]:
            come_back(cookies, user, swept=True)
    latest = later + LATER
    rewards.sweep(now=latest)

    assert_audit_clean(now=latest)
    assert Order.objects.count() == len(people), "one order each"
    assert Referral.objects.filter(advocate=advocate).count() == len(people)
    assert not Reservation.objects.filter(state="active").exists()
    problems = [
        f"{user.email}: {problem}"
        for user in people
        for problem in problems_of(user, browsers[people.index(user)])
    ]
    assert problems == []


def problems_of(user: Any, cookies: dict[str, str]) -> list[str]:
    """What is wrong with this customer's one order."""
    order = Order.objects.get(user=user)
    found = []
    spent = credit.captured_amount(order.number)
    paid = sources(order)
    account = credit.account_of(user, "EUR")
    assert account is not None
    if order.total_incl_tax != D(90):
        found.append(f"the order is {order.total_incl_tax}")
    if D(paid.get("referral-credit", 0)) != spent:
        found.append(f"{spent} was spent, the order says {paid}")
    if (account.balance, account.reserved, account.shortfall) != (15 - spent, 0, 0):
        found.append(f"{account.balance} is left, {spent} was spent")
    charge = DemoCharge.objects.get(order_number=order.number)
    if charge.amount + spent != order.total_incl_tax:
        found.append(f"card {charge.amount} and credit {spent} are not {order.total_incl_tax}")
    if Purchase.objects.filter(reference=order.number).count() != 1:
        found.append("no purchase")
    grants = DiscountGrant.objects.filter(used_reference=order.number)
    if [grant.used_amount for grant in grants] != [D(10)]:
        found.append(f"discounts {list(grants.values_list('used_amount', 'state'))}")
    customer = open_browser(cookies)
    page = customer.client.get(customer.url(f"accounts/orders/{order.number}/"))
    shown = page.context["order"].number == order.number and "Referral credit" in page.content.decode()
    if shown != (spent > 0):
        found.append(f"the page of the order does not say that {spent} of credit was used")
    return found
