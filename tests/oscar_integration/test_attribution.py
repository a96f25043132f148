"""Whose friend placed this order: every way that leads from a link or a code to an order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from oscar.core.loading import get_model

from example_site.card.gateway import ACCEPTED, ASKS_THE_BANK
from oscar_integration import attach_claim
from tests.oscar_integration.shopping import Friend, create_order, fill_basket, shop_voucher
from wagtail_referrals import people, tracking
from wagtail_referrals.people import code_of
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.models import DiscountGrant
from wagtail_referrals.tracking.models import Claim, Visit

pytestmark = pytest.mark.django_db

D = Decimal


def attributed(order: Any, advocate: Any, *, discount: str = "10.00") -> Referral:
    """The referral that the order belongs to; checks whose it is and what the discount took off."""
    purchase = Purchase.objects.get(reference=order.number)
    assert purchase.referral.advocate == advocate
    assert purchase.eligible == sum(line.line_price_incl_tax for line in order.lines.all())
    used = DiscountGrant.objects.filter(used_reference=order.number, state="used")
    assert sum(grant.used_amount for grant in used) == D(discount)
    return purchase.referral


def test_guest_checkout(friend: Friend, advocate: Any, terms: Any, mat: Any) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    assert friend.basket().total_incl_tax == D("90.00")
    friend.as_guest("lea@example.com")
    order = friend.buy()
    assert order.total_incl_tax == D("90.00")
    referral = attributed(order, advocate)
    assert (referral.friend, referral.friend_email_hash) == (None, people.email_key("lea@example.com"))
    assert not Purchase.objects.get().was_customer


def test_registration_before_the_order(friend: Friend, advocate: Any, terms: Any, mat: Any) -> None:
    friend.click(advocate, terms)
    friend.register("lea@example.com")
    friend.add("MAT")
    friend.begin_checkout()
    referral = attributed(friend.buy(), advocate)
    assert referral.friend == get_user_model().objects.get(email="lea@example.com")
    assert referral.registered_at is not None
    assert Claim.objects.count() == 1


@pytest.mark.parametrize("email", ["lea@example.com", "another@example.com"])
def test_registration_after_the_order(
    friend: Friend, advocate: Any, terms: Any, mat: Any, email: str
) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("lea@example.com")
    order = friend.buy()
    friend.register(email)
    referral = attributed(order, advocate)
    assert referral.friend == get_user_model().objects.get(email=email)
    assert Referral.objects.count() == 1


def test_a_stranger_who_registers_gets_nobodys_order(
    friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("lea@example.com")
    friend.buy()
    Friend().register("someone@example.com")
    assert Referral.objects.get().friend is None


def test_login_in_the_middle_of_checkout(
    friend: Friend, advocate: Any, terms: Any, mat: Any, strap: Any, make_customer: Any
) -> None:
    lea = make_customer("lea@example.com")
    saved = fill_basket(strap, user=lea)
    friend.click(advocate, terms)
    friend.add("MAT")
    response = friend.client.post(
        friend.url("checkout/"),
        {"username": "lea@example.com", "password": "a-long-password-7", "options": "existing"},
    )
    assert response.status_code == 302
    basket = friend.basket()
    assert (basket.pk, basket.num_items) == (saved.pk, 2)
    assert basket.total_incl_tax == D("108.00")
    referral = attributed(friend.buy(), advocate, discount="12.00")
    assert referral.friend == lea


def test_login_before_the_checkout_merges_baskets(
    friend: Friend, advocate: Any, terms: Any, mat: Any, strap: Any, make_customer: Any
) -> None:
    lea = make_customer("lea@example.com")
    fill_basket(strap, user=lea)
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.log_in("lea@example.com")
    assert friend.basket().total_incl_tax == D("108.00")
    friend.begin_checkout()
    assert attributed(friend.buy(), advocate, discount="12.00").friend == lea


def test_logout_and_return(friend: Friend, advocate: Any, terms: Any, mat: Any, make_customer: Any) -> None:
    lea = make_customer("lea@example.com")
    friend.click(advocate, terms)
    friend.log_in("lea@example.com")
    friend.log_out()
    friend.add("MAT")
    friend.log_in("lea@example.com")
    friend.begin_checkout()
    assert attributed(friend.buy(), advocate).friend == lea
    assert Claim.objects.count() == 1


def test_a_basket_filled_before_the_click(friend: Friend, advocate: Any, terms: Any, mat: Any) -> None:
    friend.add("MAT")
    friend.click(advocate, terms)
    friend.as_guest("lea@example.com")
    order = friend.buy()
    assert order.total_incl_tax == D("90.00")
    attributed(order, advocate)


def test_a_customers_basket_filled_before_the_click(
    friend: Friend, advocate: Any, terms: Any, mat: Any, make_customer: Any
) -> None:
    make_customer("lea@example.com")
    friend.log_in("lea@example.com")
    friend.add("MAT")
    friend.click(advocate, terms)
    friend.deliver()
    response = friend.client.get(friend.url("checkout/payment-details/"))
    assert response.context["basket"].total_incl_tax == D("90.00")
    order = friend.buy()
    assert order.total_incl_tax == D("90.00")
    attributed(order, advocate)


def test_another_device_by_typed_code(friend: Friend, advocate: Any, terms: Any, mat: Any) -> None:
    friend.add("MAT")
    code = code_of(advocate)
    friend.type_code(f" {code[:4].lower()} {code[4:]} ")
    assert friend.basket().total_incl_tax == D("90.00")
    friend.as_guest("lea@example.com")
    attributed(friend.buy(), advocate)
    assert Claim.objects.get().source == "code"


def test_a_customer_on_another_device(
    friend: Friend, advocate: Any, terms: Any, mat: Any, make_customer: Any
) -> None:
    make_customer("lea@example.com")
    phone = Friend()
    phone.click(advocate, terms)
    phone.log_in("lea@example.com")
    friend.log_in("lea@example.com")
    friend.add("MAT")
    friend.begin_checkout()
    attributed(friend.buy(), advocate)


def test_a_redirect_gateway(friend: Friend, advocate: Any, terms: Any, mat: Any) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("lea@example.com")
    friend.deliver()
    bank = friend.place(ASKS_THE_BANK)
    assert not Purchase.objects.exists()
    friend.client.post(bank.url, {"answer": "confirm"}, follow=True)
    order = get_model("order", "Order").objects.get()
    assert order.total_incl_tax == D("90.00")
    attributed(order, advocate)


def test_a_double_click_on_place_order(friend: Friend, advocate: Any, terms: Any, mat: Any) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("lea@example.com")
    order = friend.buy()
    friend.client.post(friend.url("checkout/preview/"), {"action": "place_order", **friend.card(ACCEPTED)})
    attributed(order, advocate)
    assert Purchase.objects.count() == Referral.objects.count() == 1


def test_order_creator_without_a_request(advocate: Any, terms: Any, mat: Any, make_customer: Any) -> None:
    lea = make_customer("lea@example.com")
    visit = Visit.objects.create(advocate=advocate, terms=terms, created_at=timezone.now())
    basket = fill_basket(mat, user=lea)
    assert attach_claim(basket, tracking.token_for(visit)) is not None
    assert attributed(create_order(basket, user=lea), advocate).friend == lea


def test_order_creator_finds_the_customers_invitation(
    friend: Friend, advocate: Any, terms: Any, mat: Any, make_customer: Any
) -> None:
    """An order that staff or a job enters: its basket was never in the friend's browser."""
    lea = make_customer("lea@example.com")
    friend.click(advocate, terms)
    friend.log_in("lea@example.com")
    order = create_order(fill_basket(mat, user=lea), user=lea)
    assert attributed(order, advocate, discount="0.00").friend == lea


def test_the_second_order_of_a_friend_belongs_to_the_same_referral(
    friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("lea@example.com")
    first = attributed(friend.buy(), advocate)
    later = Friend()
    later.add("MAT")
    later.as_guest("LEA@example.com")
    order = later.buy()
    assert attributed(order, advocate, discount="0.00") == first
    assert Purchase.objects.get(reference=order.number).was_customer


def test_nobodys_order_is_nobodys(friend: Friend, advocate: Any, terms: Any, mat: Any) -> None:
    friend.add("MAT")
    friend.as_guest("zoe@example.com")
    order = friend.buy()
    assert order.total_incl_tax == D("100.00")
    assert not Purchase.objects.exists() and not Claim.objects.exists()


def test_the_last_link_counts(
    friend: Friend, advocate: Any, terms: Any, mat: Any, make_customer: Any
) -> None:
    other = people.advocate_for(make_customer("nora@example.com"))
    friend.click(other, terms)
    friend.add("MAT")
    friend.click(advocate, terms)
    friend.add("MAT")
    assert friend.basket().total_incl_tax == D("180.00")
    friend.as_guest("lea@example.com")
    attributed(friend.buy(), advocate, discount="20.00")


def test_a_click_between_the_preview_and_the_order(
    friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    """The order counts; what was shown as its total stays."""
    friend.add("MAT")
    friend.as_guest("lea@example.com")
    friend.deliver()
    friend.client.post(friend.url("checkout/preview/"), friend.card(ACCEPTED))
    friend.click(advocate, terms)
    friend.client.post(friend.url("checkout/preview/"), {"action": "place_order", **friend.card(ACCEPTED)})
    order = get_model("order", "Order").objects.get()
    assert order.total_incl_tax == D("100.00")
    attributed(order, advocate, discount="0.00")


def test_a_shops_voucher_ties_the_basket_too(friend: Friend, advocate: Any, terms: Any, mat: Any) -> None:
    friend.add("MAT")
    friend.click(advocate, terms)
    shop_voucher("SPRING", "20")
    friend.type_code("SPRING")
    assert Claim.objects.get().baskets.count() == 1
    assert friend.basket().total_incl_tax == D("80.00")
