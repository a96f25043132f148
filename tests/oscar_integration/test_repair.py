"""The sweep makes up for an order that could not be attributed when it was placed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from oscar.core.loading import get_model

from example_site.card.gateway import ACCEPTED
from oscar_integration import repair
from tests.credit.audit import assert_books_agree
from tests.oscar_integration.paying import Customer, available, give, sources
from tests.oscar_integration.shopping import Friend, create_order, fill_basket
from wagtail_referrals import credit, rewards
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.tracking.models import Claim

pytestmark = pytest.mark.django_db

D = Decimal
SOON = timedelta(minutes=10)


def _broken(*args: Any, **kwargs: Any) -> None:
    raise RuntimeError("a deadlock, say")


def missed(friend: Friend, monkeypatch: pytest.MonkeyPatch, email: str = "lea@example.com") -> Any:
    friend.add("MAT")
    friend.as_guest(email)
    with monkeypatch.context() as patch:
        patch.setattr(rewards, "order_placed", _broken)
        order = friend.buy()
    assert not Purchase.objects.exists()
    return order


def test_a_missed_order_is_attributed_by_the_sweep(
    friend: Friend, advocate: Any, terms: Any, mat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    friend.click(advocate, terms)
    missed(friend, monkeypatch)
    rewards.sweep(now=timezone.now())
    assert not Purchase.objects.exists(), "the checkout may still be at it"
    for _again in range(2):
        rewards.sweep(now=timezone.now() + SOON)
    purchase = Purchase.objects.get()
    assert (purchase.eligible, purchase.referral.advocate) == (D("90.00"), advocate)
    assert repair.missed_orders(timezone.now() + SOON) == []


def test_one_that_fails_again_keeps_neither_the_others_nor_the_sweep(
    friend: Friend, advocate: Any, terms: Any, mat: Any, monkeypatch: pytest.MonkeyPatch, france: Any
) -> None:
    friend.click(advocate, terms)
    first = missed(friend, monkeypatch)
    other = Friend()
    other.click(advocate, terms)
    second = missed(other, monkeypatch, "tom@example.com")
    real = rewards.order_placed

    def only_the_second(snapshot: Any, **values: Any) -> Any:
        return real(snapshot, **values) if snapshot.reference == second.number else _broken()

    monkeypatch.setattr(rewards, "order_placed", only_the_second)
    run = rewards.sweep(now=timezone.now() + SOON)
    assert run.finished_at is not None
    assert list(Purchase.objects.values_list("reference", flat=True)) == [second.number]
    assert [order.number for order in repair.missed_orders(timezone.now() + SOON)] == [first.number]


def test_an_order_before_the_invitation_stays_nobodys(
    friend: Friend, advocate: Any, terms: Any, mat: Any, make_customer: Any
) -> None:
    lea = make_customer("lea@example.com")
    order = create_order(fill_basket(mat, user=lea), user=lea)
    get_model("order", "Order").objects.filter(pk=order.pk).update(
        date_placed=timezone.now() - timedelta(hours=1)
    )
    friend.client.force_login(lea, backend="django.contrib.auth.backends.ModelBackend")
    friend.click(advocate, terms)
    friend.add("MAT")
    assert Claim.objects.exists()
    # Even where a basket is tied afterwards.
    Claim.objects.get().baskets.update(basket_reference=str(order.basket_id))
    rewards.sweep(now=timezone.now() + SOON)
    assert not Purchase.objects.exists() and not Referral.objects.exists()


@pytest.fixture
def lea(make_customer: Any) -> Any:
    user = make_customer("lea@example.com", first_name="Léa")
    give(user, "15")
    return user


def paid_in_part(lea: Any, monkeypatch: pytest.MonkeyPatch | None = None) -> Any:
    """An order of 100.00, of which 15.00 with credit; with ``monkeypatch`` that could not be captured."""
    customer = Customer(lea)
    customer.go_to_payment()
    customer.use("15")
    if monkeypatch is None:
        customer.place(ACCEPTED)
    else:
        with monkeypatch.context() as patch:
            patch.setattr(credit, "capture", _broken)
            customer.place(ACCEPTED)
    return get_model("order", "Order").objects.get()


@pytest.mark.parametrize("minutes", [10, 90])
def test_credit_that_could_not_be_spent_is_spent_by_the_sweep(
    lea: Any, france: Any, mat: Any, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    """Also where it has expired since."""
    order = paid_in_part(lea, monkeypatch)
    assert sources(order) == {"card": "85.00"}
    if minutes == 90:
        credit.expire_reservations(now=timezone.now() + timedelta(minutes=80))
        assert available(lea) == "15.00"
    for _again in range(2):
        rewards.sweep(now=timezone.now() + timedelta(minutes=minutes))
    assert sources(order) == {"card": "85.00", "referral-credit": "15.00"}
    assert available(lea) == "0.00"
    assert_books_agree()


def test_credit_set_aside_for_an_order_that_the_card_paid_is_left_alone(
    lea: Any, france: Any, mat: Any
) -> None:
    """Another browser of the customer had set it aside, and was closed."""
    customer = Customer(lea)
    customer.go_to_payment()
    basket = get_model("basket", "Basket").objects.get()
    credit.reserve(
        user=lea,
        currency="EUR",
        amount=D(15),
        order_number=str(100000 + basket.pk),
        expires_at=timezone.now() + timedelta(hours=1),
    )
    customer.place(ACCEPTED)
    order = get_model("order", "Order").objects.get()
    rewards.sweep(now=timezone.now() + SOON)
    assert sources(order) == {"card": "100.00"}
    rewards.sweep(now=timezone.now() + timedelta(hours=2))
    assert available(lea) == "15.00"


def test_credit_of_an_order_cancelled_without_a_signal_goes_back(lea: Any, france: Any, mat: Any) -> None:
    order = paid_in_part(lea)
    get_model("order", "Order").objects.filter(pk=order.pk).update(status="Cancelled")
    assert available(lea) == "0.00"
    for _again in range(2):
        rewards.sweep(now=timezone.now() + SOON)
    assert available(lea) == "15.00"
    assert_books_agree()


def test_a_later_order_makes_nobody_a_customer_before(
    friend: Friend, advocate: Any, terms: Any, mat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    friend.click(advocate, terms)
    missed(friend, monkeypatch)
    other = Friend()
    other.add("MAT")
    other.as_guest("lea@example.com")
    other.buy()
    rewards.sweep(now=timezone.now() + SOON)
    assert not Purchase.objects.get().was_customer
    assert Referral.objects.get().state == "waiting_payment"
