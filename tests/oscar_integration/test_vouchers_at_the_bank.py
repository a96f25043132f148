"""A second basket while the first one is being paid for: one discount, and no order that was paid is lost.

And vouchers that were withdrawn, or whose counters are wrong: what is written here decides, not Oscar's rows.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from oscar.core.loading import get_class, get_model

from tests.oscar_integration.shopping import Friend, create_order, fill_basket
from tests.oscar_integration.test_vouchers import claimed
from wagtail_referrals.people import code_of
from wagtail_referrals.rewards.discounts import withdraw
from wagtail_referrals.rewards.models import DiscountGrant
from wagtail_referrals.tracking.models import Claim

pytestmark = pytest.mark.django_db

D = Decimal
Basket = get_model("basket", "Basket")
Voucher = get_model("voucher", "Voucher")
Order = get_model("order", "Order")


def at_the_bank(friend: Friend) -> Any:
    """The friend's basket is frozen, as a redirect to a bank leaves it; the browser begins another one."""
    basket = friend.basket()
    basket.freeze()
    return Basket.objects.get(pk=basket.pk)


def back_from_the_bank(basket: Any, commit: Any) -> Any:
    basket.strategy = fill_basket().strategy
    with commit(execute=True):
        return create_order(basket, email="lea@example.com")


@pytest.fixture
def commit(django_capture_on_commit_callbacks: Any) -> Any:
    return django_capture_on_commit_callbacks


# Two baskets


@pytest.mark.parametrize("came", ["by a link", "by a code"])
def test_a_second_basket_has_the_same_discount_until_the_first_one_uses_it(
    friend: Friend, advocate: Any, terms: Any, mat: Any, commit: Any, came: str
) -> None:
    if came == "by a link":
        friend.click(advocate, terms)
    friend.add("MAT")
    if came == "by a code":
        friend.type_code(code_of(advocate))
    first = at_the_bank(friend)
    friend.add("MAT")
    if came == "by a code":
        friend.type_code(code_of(advocate))
    assert friend.basket().total_incl_tax == D("90.00")
    assert (Claim.objects.count(), Voucher.objects.count()) == (1, 1)
    assert back_from_the_bank(first, commit).total_incl_tax == D("90.00")
    assert friend.basket().total_incl_tax == D("100.00")
    friend.as_guest("lea@example.com")
    assert friend.buy().total_incl_tax == D("100.00"), "Oscar would refuse it once it is paid"
    assert DiscountGrant.objects.get().used_reference == Order.objects.earliest("pk").number


def test_both_at_the_bank_at_once(friend: Friend, advocate: Any, terms: Any, mat: Any, commit: Any) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    first = at_the_bank(friend)
    friend.add("MAT")
    second = at_the_bank(friend)
    assert back_from_the_bank(first, commit).total_incl_tax == D("90.00")
    assert back_from_the_bank(second, commit).total_incl_tax == D("100.00")


def test_of_two_orders_at_the_same_moment_one_has_the_discount(advocate: Any, terms: Any, mat: Any) -> None:
    """Both have worked their discounts out; nothing is committed in between. Oscar's lock decides."""
    first = claimed(advocate, terms, mat)
    second = fill_basket(mat)
    second.vouchers.add(Voucher.objects.get())
    claim = Claim.objects.get()
    claim.baskets.create(basket_reference=str(second.pk), created_at=timezone.now())
    for basket in (first, second):
        basket.reset_offer_applications()
        get_class("offer.applicator", "Applicator")().apply(basket, AnonymousUser())
        assert basket.total_incl_tax == D("90.00")
    place(first, "1")
    with pytest.raises(ValueError, match="already been used"):
        place(second, "2")
    assert Order.objects.count() == 1


def place(basket: Any, number: str) -> Any:
    """Place the order of a basket whose discounts have been worked out."""
    method = get_class("shipping.repository", "Repository")().get_default_shipping_method(basket)
    charge = method.calculate(basket)
    return get_class("order.utils", "OrderCreator")().place_order(
        basket=basket,
        total=get_class("checkout.calculators", "OrderTotalCalculator")().calculate(basket, charge),
        shipping_method=method,
        shipping_charge=charge,
        user=AnonymousUser(),
        order_number=number,
        guest_email="lea@example.com",
    )


# Oscar's rows


def revoke() -> None:
    withdraw(DiscountGrant.objects.select_related("claim", "reward"), "revoked", now=timezone.now())


@pytest.mark.parametrize("frozen", [False, True])
def test_withdrawn_after_the_discounts_were_worked_out(
    advocate: Any, terms: Any, mat: Any, commit: Any, frozen: bool
) -> None:
    """Oscar then writes the voucher's whole row, with the end that it had before. The order has it; nobody else may."""
    basket = claimed(advocate, terms, mat)
    basket.reset_offer_applications()
    get_class("offer.applicator", "Applicator")().apply(basket, AnonymousUser())
    if frozen:
        basket.freeze()
    revoke()
    with commit(execute=True):
        order = place(basket, "1")
    assert order.total_incl_tax == D("90.00"), "what was shown"
    assert DiscountGrant.objects.get().used_reference == "1"
    assert not Voucher.objects.get().is_active()


def test_withdrawn_and_brought_back_by_oscar(advocate: Any, terms: Any, mat: Any, commit: Any) -> None:
    """Oscar's own row says that it is good; ours that it is not: it takes nothing off, and is put right."""
    basket = claimed(advocate, terms, mat)
    stale = Voucher.objects.get()
    revoke()
    stale.save()
    basket.vouchers.add(stale)
    with commit(execute=True):
        order = create_order(basket, email="lea@example.com")
    assert order.total_incl_tax == D("100.00")
    assert not Voucher.objects.get().is_active()
    assert DiscountGrant.objects.get().state == "void"


def test_the_counters_of_oscar_decide_nothing(advocate: Any, terms: Any, mat: Any, commit: Any) -> None:
    basket = claimed(advocate, terms, mat)
    Voucher.objects.update(num_orders=7, num_basket_additions=0, total_discount=D("999.00"))
    get_model("offer", "ConditionalOffer").objects.update(
        num_orders=99, num_applications=99, total_discount=D("999.00")
    )
    with commit(execute=True):
        assert create_order(basket, email="lea@example.com").total_incl_tax == D("90.00")
    Voucher.objects.update(num_orders=0, end_datetime=timezone.now() + timedelta(days=9))
    get_model("voucher", "VoucherApplication").objects.all().delete()
    again = fill_basket(mat)
    Claim.objects.get().baskets.create(basket_reference=str(again.pk), created_at=timezone.now())
    again.vouchers.add(Voucher.objects.get())
    assert create_order(again, email="lea@example.com").total_incl_tax == D("100.00"), "used here is used"
