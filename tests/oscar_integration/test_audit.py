"""The audit of payments with credit and of vouchers, in Oscar's own tables."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from oscar.core.loading import get_model

from example_site.card.gateway import ACCEPTED
from oscar_integration import vouchers
from oscar_integration.refunds import refund_credit
from tests.audit.tampering import change, problems
from tests.books import assert_audit_clean, audited
from tests.oscar_integration.paying import Customer, give
from tests.oscar_integration.shopping import Friend
from wagtail_referrals import credit, rewards
from wagtail_referrals.credit import Reservation
from wagtail_referrals.rewards.models import DiscountGrant

pytestmark = pytest.mark.django_db

D = Decimal
Order = get_model("order", "Order")
Source = get_model("payment", "Source")
OrderDiscount = get_model("order", "OrderDiscount")
Voucher = get_model("voucher", "Voucher")
ConditionalOffer = get_model("offer", "ConditionalOffer")
PARTS = ("payments", "vouchers", "ledger")


def found(**later: Any) -> list[tuple[str, str, Any]]:
    return problems(now=timezone.now() + timedelta(**later), only=PARTS)


# Payments with credit


@pytest.fixture
def paid(make_customer: Any, france: Any, mat: Any) -> Any:
    """An order of 100.00 of which 15.00 are paid with credit; 4.00 of that went back."""
    lea = make_customer("lea@example.com")
    give(lea, "15")
    customer = Customer(lea)
    customer.go_to_payment()
    customer.use("15")
    customer.place(ACCEPTED)
    order = Order.objects.get()
    refund_credit(order, D(4), key="return-1")
    return order


@pytest.fixture
def source(paid: Any) -> Any:
    return paid.sources.get(source_type__code="referral-credit")


def test_an_order_that_is_paid_and_refunded_agrees(paid: Any) -> None:
    assert_audit_clean(now=timezone.now())


@pytest.mark.parametrize(
    ("field", "expected", "said"), [("amount_debited", "15.00", "15.01"), ("amount_refunded", "4.00", "4.01")]
)
def test_a_payment_that_says_something_else_than_the_account(
    paid: Any, source: Any, field: str, expected: str, said: str
) -> None:
    change(source, **{field: D(said)})
    (finding,) = audited(now=timezone.now(), only=PARTS)
    assert (finding.problem.key, finding.about, finding.number) == ("payment_source", "order", paid.number)
    assert (finding.expected, finding.found, finding.currency) == (expected, said, "EUR")


def test_a_payment_in_another_currency(paid: Any, source: Any) -> None:
    change(source, currency="CHF")
    assert found() == [("payment_source", "order", paid.number)]


def test_a_payment_that_is_missing_or_there_twice(paid: Any, source: Any) -> None:
    values = {"order": paid, "source_type": source.source_type, "currency": "EUR"}
    Source.objects.create(**values, amount_debited=D(15), amount_allocated=D(15))
    assert found() == [("payment_source", "order", paid.number)]
    Source.objects.filter(source_type=source.source_type).delete()
    assert found() == [("payment_source", "order", paid.number)]


def test_credit_that_was_given_back_past_the_shop(paid: Any) -> None:
    credit.refund(order_number=paid.number, amount=D(1), key="by hand")
    assert found() == [("payment_source", "order", paid.number)]


def test_a_payment_with_credit_that_no_account_knows(paid: Any, source: Any) -> None:
    other = Order.objects.get(pk=paid.pk)
    other.pk, other.number = None, "another"
    other.save()
    Source.objects.create(order=other, source_type=source.source_type, currency="EUR", amount_debited=D(3))
    assert found() == [("source_without_credit", "order", "another")]


def test_credit_that_was_spent_on_an_order_that_does_not_exist(paid: Any) -> None:
    number = paid.number
    paid.delete()
    assert found() == [("credit_without_order", "order", number)]
    credit.refund(order_number=number, amount=D(100), key="by hand")
    assert found() == [], "it went back"


def test_an_order_whose_credit_is_still_set_aside(paid: Any, source: Any) -> None:
    """As if it could not be spent when the order was placed: the sweep does it, and if it does not, it is said."""
    lea = paid.user
    give(lea, "20")
    number = "another"
    credit.reserve(
        user=lea,
        currency="EUR",
        amount=D(20),
        order_number=number,
        expires_at=timezone.now() + timedelta(days=9),
    )
    from oscar_integration.capture import paid_without_credit

    with paid_without_credit(number):
        other = Order.objects.get(pk=paid.pk)
        other.pk, other.number, other.total_incl_tax = None, number, D(100)
        other.date_placed = timezone.now()
        other.save()
    card = get_model("payment", "SourceType").objects.get(code="card")
    Source.objects.create(order=other, source_type=card, currency="EUR", amount_allocated=D(80))
    assert Reservation.objects.get(order_number=number).state == "active"
    assert found(hours=23) == []
    assert found(hours=25) == [("order_not_captured", "order", number)]


def test_a_cancelled_order_whose_credit_has_not_gone_back(paid: Any) -> None:
    Order.objects.filter(pk=paid.pk).update(status="Cancelled")
    assert found(hours=23) == []
    assert found(hours=25) == [("credit_not_returned", "order", paid.number)]
    rewards.sweep(now=timezone.now())
    assert found(hours=25) == []


# Discounts and vouchers


@pytest.fixture
def bought(friend: Friend, advocate: Any, terms: Any, mat: Any) -> Any:
    """A friend's order with the discount of the invitation."""
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("lea@example.com")
    return friend.buy()


@pytest.fixture
def grant(bought: Any) -> DiscountGrant:
    return DiscountGrant.objects.get(used_reference=bought.number)


def test_a_discount_that_was_used_agrees(bought: Any, grant: DiscountGrant) -> None:
    assert_audit_clean(now=timezone.now())


def test_a_discount_that_was_withdrawn_and_can_be_used(
    friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    grant = DiscountGrant.objects.get()
    rewards.discounts.withdraw([grant], "revoked", now=timezone.now())
    voucher = Voucher.objects.get(code=grant.code)
    # Oscar saves the whole row over: it is in date again, but its offer asks us, who refuse.
    change(voucher, end_datetime=timezone.now() + timedelta(days=9))
    assert found() == []
    # The shop's own offer asks nobody.
    ours = voucher.offers.get()
    condition = get_model("offer", "Condition").objects.create(type="Count", value=1)
    theirs = ConditionalOffer.objects.create(
        name="Ten off", offer_type="Voucher", condition=condition, benefit=ours.benefit
    )
    voucher.offers.add(theirs)
    assert found() == [("void_discount_usable", "discount", grant.pk)]
    change(voucher, end_datetime=timezone.now())
    assert found() == []


def test_a_discount_that_was_used_in_no_order(bought: Any, grant: DiscountGrant) -> None:
    OrderDiscount.objects.filter(voucher_code=grant.code).delete()
    assert found() == [("discount_in_no_order", "discount", grant.pk)]
    # An order that the shop has deleted proves nothing.
    bought.delete()
    assert found() == []


def test_a_discount_that_an_order_used_and_nobody_noted(bought: Any, grant: DiscountGrant) -> None:
    change(grant, state=DiscountGrant.State.ISSUED, used_reference="")
    assert found(hours=23) == []
    assert found(hours=25) == [("discount_unnoted", "order", bought.number)]


def test_a_discount_that_two_orders_used(bought: Any, grant: DiscountGrant) -> None:
    used = OrderDiscount.objects.get(voucher_code=grant.code)
    bought.pk, bought.number = None, "another"
    bought.save()
    used.pk, used.order = None, bought
    used.save()
    assert found() == [("discount_twice", "voucher", grant.code)]
    assert vouchers.is_ours(grant.code)
