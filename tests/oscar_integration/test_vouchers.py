"""The friend's discount in Oscar's basket: who gets it, how much, what goes beside it, and how it leaves."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from oscar.core.loading import get_class, get_model

from example_site.card.gateway import ASKS_THE_BANK
from oscar_integration import OscarShop, attach_claim, vouchers
from oscar_integration.basket import ReferralBasketMixin
from tests.oscar_integration.shopping import (
    Friend,
    create_order,
    fill_basket,
    make_product,
    make_program,
    shop_voucher,
    site_offer,
)
from wagtail_referrals import rewards, tracking
from wagtail_referrals.kinds import DiscountRequest
from wagtail_referrals.people import advocate_for, code_of
from wagtail_referrals.referrals.models import Purchase, TimelineEvent
from wagtail_referrals.rewards.models import DiscountGrant
from wagtail_referrals.tracking.models import Claim, Visit

pytestmark = pytest.mark.django_db

D = Decimal
Voucher = get_model("voucher", "Voucher")
ConditionalOffer = get_model("offer", "ConditionalOffer")


def request(reference: str = "discount:1", **values: Any) -> DiscountRequest:
    fields = {
        "kind": "discount_percent",
        "percent": D("10"),
        "amounts": {},
        "minimum_spend": {},
        "expires_at": None,
    } | values
    return DiscountRequest(reference=reference, **fields)


def friend_rule(**values: Any) -> list[dict[str, Any]]:
    return [{"side": "friend", "trigger": "arrives"} | values]


def has(basket: Any, total: str) -> bool:
    basket.reset_offer_applications()
    get_class("offer.applicator", "Applicator")().apply(basket, basket.owner or AnonymousUser())
    assert basket.total_incl_tax == D(total)
    return True


def claimed(advocate: Any, terms: Any, *products: Any, user: Any = None) -> Any:
    """A basket of these products with a claim of this advocate's friend."""
    visit = Visit.objects.create(advocate=advocate, terms=terms, created_at=timezone.now())
    basket = fill_basket(*products, user=user)
    assert attach_claim(basket, tracking.token_for(visit)) is not None
    return basket


# Issuing


def test_one_offer_for_many_vouchers() -> None:
    codes = {OscarShop().issue_discount(request(f"discount:{number}")) for number in range(5)}
    assert len(codes) == Voucher.objects.count() == 5
    assert ConditionalOffer.objects.count() == 1
    offer = ConditionalOffer.objects.get()
    assert (offer.offer_type, offer.max_basket_applications, offer.exclusive) == ("Voucher", 1, True)
    assert set(Voucher.objects.values_list("usage", flat=True)) == {Voucher.SINGLE_USE}
    assert not get_model("voucher", "VoucherSet").objects.exists()


def test_the_same_reference_is_the_same_voucher() -> None:
    shop = OscarShop()
    assert shop.issue_discount(request("discount:1")) == shop.issue_discount(request("discount:1"))
    assert Voucher.objects.count() == 1


def test_another_kind_value_minimum_or_currency_is_another_offer() -> None:
    for number, values in enumerate(
        [
            {},
            {"percent": D("10.00")},
            {"percent": D("15")},
            {"minimum_spend": {"EUR": D("50.00")}},
            {"kind": "discount_fixed", "percent": None, "amounts": {"EUR": D("10.00")}},
            {"kind": "discount_fixed", "percent": None, "amounts": {"EUR": D("10.00"), "USD": D("12.00")}},
            {"kind": "free_shipping", "percent": None},
        ]
    ):
        OscarShop().issue_discount(request(f"discount:{number}", **values))
    assert ConditionalOffer.objects.count() == 6


def test_offer_and_voucher_are_named_in_the_language_of_the_shopper() -> None:
    OscarShop().issue_discount(request("discount:1", kind="discount_fixed", amounts={"EUR": D("15.00")}))
    with translation.override("fr"):
        OscarShop().issue_discount(request("discount:2", kind="discount_fixed", amounts={"EUR": D("15.00")}))
    assert ["€15.00" in name for name in Voucher.objects.order_by("pk").values_list("name", flat=True)] == [
        True,
        False,
    ]
    assert ConditionalOffer.objects.count() == 2


def test_an_offer_that_the_shop_changed_is_left_alone() -> None:
    OscarShop().issue_discount(request("discount:1"))
    benefit = ConditionalOffer.objects.get().benefit
    benefit.value = D("50")
    benefit.save()
    OscarShop().issue_discount(request("discount:2"))
    newer = Voucher.objects.latest("pk").offers.get()
    assert newer.benefit.value == D("10")
    assert ConditionalOffer.objects.count() == 2


def test_codes_cannot_be_guessed(settings: Any) -> None:
    code = vouchers.code_for("discount:1")
    assert len(code) == 18 and vouchers.is_ours(code)
    settings.SECRET_KEY = "another"
    assert vouchers.code_for("discount:1") != code


def test_names_that_collide_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = iter(["REF-AAAA-AAAA-ZZZZ", "REF-BBBB-BBBB-ZZZZ"])
    monkeypatch.setattr(vouchers, "code_for", lambda reference: next(codes))
    OscarShop().issue_discount(request("discount:1"))
    OscarShop().issue_discount(request("discount:2"))
    assert Voucher.objects.count() == 2


# How much


def test_percent_of_the_goods(advocate: Any, terms: Any, mat: Any, strap: Any) -> None:
    assert has(claimed(advocate, terms, mat, strap, strap), "126.00")


def test_what_cannot_be_discounted_is_not(advocate: Any, terms: Any, mat: Any, strap: Any) -> None:
    mat.is_discountable = False
    mat.save()
    assert has(claimed(advocate, terms, mat, strap), "118.00")


@pytest.mark.parametrize("incl_tax", [True, False])
@pytest.mark.parametrize("amount", ["15.00", "14.99", "0.01", "99.99", "33.33"])
def test_a_fixed_amount_is_with_tax_whatever_the_setting(
    advocate: Any, mat: Any, strap: Any, settings: Any, incl_tax: bool, amount: str
) -> None:
    settings.OSCAR_OFFERS_INCL_TAX = incl_tax
    terms = make_program(friend_rule(kind="discount_fixed", amounts={"EUR": amount}))
    basket = claimed(advocate, terms, mat, strap, strap, make_product("ODD", "7.77"))
    assert has(basket, str(D("147.77") - D(amount)))
    order = create_order(basket, email="lea@example.com")
    assert order.lines.count() == 3
    assert sum(line.line_price_incl_tax for line in order.lines.all()) == D("147.77") - D(amount)
    net = sum(line.line_price_excl_tax for line in order.lines.all())
    assert abs(net * D("1.2") - (D("147.77") - D(amount))) < D("0.04")
    assert DiscountGrant.objects.get().used_amount == D(amount)


@pytest.mark.parametrize("incl_tax", [True, False])
def test_percent_is_the_same_with_and_without_tax(
    advocate: Any, terms: Any, mat: Any, settings: Any, incl_tax: bool
) -> None:
    settings.OSCAR_OFFERS_INCL_TAX = incl_tax
    basket = claimed(advocate, terms, mat)
    assert has(basket, "90.00")
    create_order(basket, email="lea@example.com")
    assert abs(DiscountGrant.objects.get().used_amount - D("10.00")) <= D("0.01")


def test_a_fixed_amount_never_exceeds_the_goods(advocate: Any, strap: Any) -> None:
    terms = make_program(friend_rule(kind="discount_fixed", amounts={"EUR": "50.00"}))
    assert has(claimed(advocate, terms, strap), "0.00")


def test_free_delivery(friend: Friend, advocate: Any, strap: Any) -> None:
    terms = make_program(friend_rule(kind="free_shipping"))
    friend.click(advocate, terms)
    friend.add("STRAP")
    assert any("delivery is free" in message for message in friend.messages())
    friend.as_guest("lea@example.com")
    order = friend.buy()
    assert (order.total_incl_tax, order.shipping_incl_tax) == (D("20.00"), D("0.00"))
    grant = DiscountGrant.objects.get()
    assert (grant.state, grant.used_amount) == ("used", D("4.90"))


def test_free_delivery_is_not_used_up_where_delivery_was_free(
    friend: Friend, advocate: Any, mat: Any
) -> None:
    terms = make_program(friend_rule(kind="free_shipping"))
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("lea@example.com")
    friend.buy()
    assert DiscountGrant.objects.get().state == "issued"
    assert Voucher.objects.get().is_available_to_user(AnonymousUser())[0]
    assert Voucher.objects.get().num_orders == 0


def test_free_delivery_of_what_needs_none(friend: Friend, advocate: Any) -> None:
    make_product("PASS", "30.00", sent=False)
    friend.click(advocate, make_program(friend_rule(kind="free_shipping")))
    friend.add("PASS")
    assert any("takes nothing off this basket" in message for message in friend.messages())


def test_a_minimum(friend: Friend, advocate: Any, strap: Any, mat: Any) -> None:
    terms = make_program(friend_rule(kind="discount_percent", percent=D(10), minimum_spend={"EUR": "50.00"}))
    friend.click(advocate, terms)
    friend.add("STRAP")
    page = " ".join(friend.messages())
    assert "counts from a basket of €50.00 on" in page
    assert friend.basket().total_incl_tax == D("20.00")
    friend.add("MAT")
    assert friend.basket().total_incl_tax == D("108.00")


def test_another_currency_gets_nothing(advocate: Any) -> None:
    terms = make_program(friend_rule(kind="discount_fixed", amounts={"EUR": "5.00"}))
    assert has(claimed(advocate, terms, make_product("DOLLAR", "20.00", currency="USD")), "20.00")


def test_attaching_makes_oscar_work_out_everything_anew(
    advocate: Any, terms: Any, mat: Any, strap: Any
) -> None:
    site_offer("Strap week", "50", strap)
    basket = fill_basket(mat, strap)
    assert has(basket, "110.00")
    visit = Visit.objects.create(advocate=advocate, terms=terms, created_at=timezone.now())
    attach_claim(basket, tracking.token_for(visit))
    get_class("offer.applicator", "Applicator")().apply(basket, AnonymousUser())
    assert basket.total_incl_tax == D("100.00")
    assert len(basket.offer_applications) == 2


# Who


def test_a_stranger_gets_nothing(
    friend: Friend, advocate: Any, terms: Any, mat: Any, make_customer: Any
) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    code = Voucher.objects.get().code
    stranger = Friend()
    stranger.add("MAT")
    stranger.type_code(code)
    assert any("does not qualify" in message for message in stranger.messages())
    make_customer("zoe@example.com")
    stranger.log_in("zoe@example.com")
    stranger.type_code(code)
    assert stranger.basket().total_incl_tax == D("100.00")


def test_it_goes_with_the_person(friend: Friend, advocate: Any, terms: Any, mat: Any) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.register("lea@example.com")
    assert friend.basket().total_incl_tax == D("90.00")
    grant = DiscountGrant.objects.get()
    assert grant.user.email == "lea@example.com"
    elsewhere = fill_basket(mat, user=grant.user)
    elsewhere.vouchers.add(Voucher.objects.get())
    assert has(elsewhere, "90.00")


def test_it_is_used_once(friend: Friend, advocate: Any, terms: Any, mat: Any) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("lea@example.com")
    friend.buy()
    friend.add("MAT")
    assert friend.basket().total_incl_tax == D("100.00")


def test_withdrawn_stays_withdrawn(friend: Friend, advocate: Any, terms: Any, mat: Any) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    voucher = Voucher.objects.get()
    DiscountGrant.objects.update(state="void", reason="revoked")
    assert friend.basket().total_incl_tax == D("100.00"), "the engine's word, not the voucher's row"
    assert voucher.is_active()


def test_voiding_takes_it_out_of_open_baskets(advocate: Any, terms: Any, mat: Any) -> None:
    open_basket, paying = claimed(advocate, terms, mat), claimed(advocate, terms, mat)
    paying.freeze()
    for basket in (open_basket, paying):
        OscarShop().void_discount(basket.vouchers.get().code)
        OscarShop().void_discount(Claim.objects.get(baskets__basket_reference=basket.pk).discounts.get().code)
    assert not open_basket.vouchers.exists()
    assert paying.vouchers.get().is_active()
    assert not Voucher.objects.exclude(basket=paying).get().is_active()
    OscarShop().void_discount("nobody's")


# Existing customers


def test_a_guest_whose_address_is_a_customers(
    friend: Friend, advocate: Any, terms: Any, mat: Any, strap: Any
) -> None:
    create_order(fill_basket(strap), email="Lea@example.com")
    friend.click(advocate, terms)
    friend.add("MAT")
    assert friend.basket().total_incl_tax == D("90.00")
    friend.as_guest("lea@EXAMPLE.com")
    page = friend.client.get(friend.url("checkout/shipping-address/")).content.decode()
    assert "This offer is for new customers" in page
    assert "€100.00" in page
    order = friend.buy()
    assert order.total_incl_tax == D("100.00")
    assert DiscountGrant.objects.get().reason == "existing_customer"
    assert Purchase.objects.get().was_customer


def test_a_login_of_a_customer(
    friend: Friend, advocate: Any, terms: Any, mat: Any, strap: Any, make_customer: Any
) -> None:
    lea = make_customer("lea@example.com")
    create_order(fill_basket(strap, user=lea), user=lea)
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.log_in("lea@example.com")
    messages = friend.messages()
    assert (
        len([text for text in messages if "This offer is for new customers" in text and "€100.00" in text])
        == 1
    )
    assert friend.basket().total_incl_tax == D("100.00")
    friend.add("MAT")
    assert not any("new customers" in text for text in friend.messages()), "said once"


def test_the_referrer_themselves(friend: Friend, advocate: Any, terms: Any, mat: Any) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("ca.mille+x@example.com")
    page = friend.client.get(friend.url("checkout/shipping-address/")).content.decode()
    assert "your own invitation" in page
    assert friend.buy().total_incl_tax == D("100.00")


def test_a_guest_corrects_the_address(
    friend: Friend, advocate: Any, terms: Any, mat: Any, strap: Any
) -> None:
    create_order(fill_basket(strap), email="old@example.com")
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.messages()
    first = Voucher.objects.get()
    for wrong, why in [
        ("ca.mille+x@example.com", "This is your own invitation"),
        ("old@example.com", "This offer is for new customers"),
    ]:
        friend.as_guest(wrong)
        text = " ".join(friend.messages())
        assert why in text and "the total is €100.00" in text
        friend.as_guest("lea@example.com")
        assert friend.messages() == [
            "Invited by Camille: your discount is in the basket. The new total is €90.00."
        ]
    order = friend.buy()
    assert order.total_incl_tax == D("90.00")
    grant = DiscountGrant.objects.get()
    assert (grant.state, grant.used_reference) == ("used", order.number)
    assert grant.code != first.code
    first.refresh_from_db()
    assert not first.is_active()
    kinds = list(TimelineEvent.objects.filter(claim=grant.claim).values_list("kind", flat=True))
    assert (kinds.count("discount_withdrawn"), kinds.count("discount_reopened")) == (2, 2)


def test_a_code_typed_after_a_refused_address_says_why_and_brings_nothing_back(
    friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("ca.mille+x@example.com")
    friend.messages()
    friend.type_code(code_of(advocate))
    assert any("cannot be used" in text for text in friend.messages())
    assert friend.basket().total_incl_tax == D("100.00")
    friend.as_guest("lea@example.com")
    assert friend.basket().total_incl_tax == D("90.00")


def test_no_second_code_while_an_order_with_the_first_is_being_paid_for(
    advocate: Any, terms: Any, mat: Any
) -> None:
    basket = claimed(advocate, terms, mat)
    claim = Claim.objects.get(baskets__basket_reference=basket.pk)
    basket.freeze()
    for email in ("ca.mille+x@example.com", "lea@example.com"):
        rewards.bind_person(claim, email=email)
    assert DiscountGrant.objects.get().state == "void"
    assert Voucher.objects.get().basket_set.get() == basket, "left to the order that may come"
    basket.thaw()
    rewards.bind_person(claim, email="lea@example.com")
    assert DiscountGrant.objects.get().state == "issued"
    assert Voucher.objects.count() == 2 and not basket.vouchers.exists()


def test_what_goes_between_preview_and_order_is_said_before_paying(
    friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("lea@example.com")
    friend.deliver()
    card = friend.card("4242424242424242")
    friend.client.post(friend.url("checkout/preview/"), card)
    rewards.discounts.withdraw(DiscountGrant.objects.select_related("claim"), "revoked", now=timezone.now())
    response = friend.client.post(
        friend.url("checkout/preview/"), {"action": "place_order", **card}, follow=True
    )
    assert response.redirect_chain[-1][0] == "/en/checkout/payment-details/"
    assert "can no longer be used. The new total is €100.00" in response.content.decode()
    assert not get_model("order", "Order").objects.exists()
    assert friend.place("4242424242424242").url == "/en/checkout/thank-you/"


def test_what_goes_while_the_bank_asks_is_kept(friend: Friend, advocate: Any, terms: Any, mat: Any) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("lea@example.com")
    friend.deliver()
    bank = friend.place(ASKS_THE_BANK)
    rewards.discounts.withdraw(DiscountGrant.objects.select_related("claim"), "revoked", now=timezone.now())
    friend.client.post(bank.url, {"answer": "confirm"}, follow=True)
    order = get_model("order", "Order").objects.get()
    assert order.total_incl_tax == order.sources.get().amount_allocated == D("90.00")
    assert DiscountGrant.objects.get().state == "used"


# Beside other offers and vouchers


def test_beside_an_offer_on_everything(friend: Friend, advocate: Any, terms: Any, mat: Any) -> None:
    site_offer("Spring sale", "5")
    friend.click(advocate, terms)
    friend.add("MAT")
    text = " ".join(friend.messages())
    assert "cannot be combined with “Spring sale”" in text
    assert friend.basket().total_incl_tax == D("95.00")
    friend.as_guest("lea@example.com")
    order = friend.buy()
    assert order.total_incl_tax == D("95.00")
    assert DiscountGrant.objects.get().state == "issued", "saved for another order"
    assert Voucher.objects.get().is_available_to_user(AnonymousUser())[0]
    assert Purchase.objects.get(reference=order.number)


def test_beside_an_offer_on_one_product(
    friend: Friend, advocate: Any, terms: Any, mat: Any, strap: Any
) -> None:
    site_offer("Strap week", "50", strap)
    friend.click(advocate, terms)
    friend.add("STRAP")
    friend.add("MAT")
    assert friend.basket().total_incl_tax == D("100.00")


def test_a_voucher_of_the_shop_takes_precedence_and_that_is_said(
    friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    shop_voucher("SPRING", "20")
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.messages()
    friend.type_code("spring")
    text = " ".join(friend.messages())
    assert "cannot be combined with “Voucher SPRING”" in text and "€80.00" in text
    basket = friend.basket()
    assert basket.total_incl_tax == D("80.00")
    friend.client.post(friend.url(f"basket/vouchers/{Voucher.objects.get(code='SPRING').pk}/remove/"))
    assert friend.basket().total_incl_tax == D("90.00"), "it comes back"


def test_a_voucher_that_may_be_combined_is_taken_as_if_ours_were_not_there(
    friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    """Oscar would refuse it: our offer, which is exclusive, holds the goods already in this request."""
    voucher = shop_voucher("SPRING", "20")
    voucher.offers.update(exclusive=False)
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.type_code("SPRING")
    assert friend.basket().total_incl_tax == D("80.00")


def test_a_discount_taken_out_stays_out_until_the_code_is_typed(
    friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    voucher = Voucher.objects.get()
    friend.client.post(friend.url(f"basket/vouchers/{voucher.pk}/remove/"))
    friend.add("MAT")
    assert friend.basket().total_incl_tax == D("200.00")
    friend.type_code(code_of(advocate))
    assert friend.basket().total_incl_tax == D("180.00")


def test_what_was_taken_out_is_said_to_be_saved(friend: Friend, advocate: Any, terms: Any, mat: Any) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.messages()
    friend.client.post(friend.url(f"basket/vouchers/{Voucher.objects.get().pk}/remove/"))
    told = friend.messages()
    assert [text for text in told if "stays saved until" in text and code_of(advocate) in text]
    assert friend.basket().total_incl_tax == D("100.00"), "the basket page does not put it back"
    friend.type_code(code_of(advocate))
    assert friend.messages() == [
        "Invited by Camille: your discount is in the basket. The new total is €90.00."
    ]


def test_a_voucher_of_the_shop_taken_out_says_nothing_of_ours(friend: Friend, terms: Any, mat: Any) -> None:
    voucher = shop_voucher("SPRING", "20")
    friend.add("MAT")
    friend.type_code("SPRING")
    friend.messages()
    friend.client.post(friend.url(f"basket/vouchers/{voucher.pk}/remove/"))
    assert not any("invitation" in text for text in friend.messages())


# The basket page


def test_the_page_of_a_basket_filled_before_the_link_was_opened(
    friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    friend.add("MAT")
    friend.messages()
    friend.click(advocate, terms)
    page = friend.client.get(friend.url("basket/"))
    assert page.context["basket"].total_incl_tax == D("90.00")
    assert "your discount is in the basket. The new total is €90.00" in page.content.decode()
    assert Claim.objects.get().baskets.count() == 1
    assert friend.messages() == [], "said once"


def test_the_page_of_an_empty_basket_makes_no_commitment(friend: Friend, advocate: Any, terms: Any) -> None:
    friend.click(advocate, terms)
    friend.basket()
    assert not Claim.objects.exists()


def test_the_basket_page_costs_nothing_without_an_invitation(
    friend: Friend, mat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opening() -> int:
        with CaptureQueriesContext(connection) as captured:
            friend.basket()
        return len(captured)

    friend.add("MAT")
    friend.messages()
    opening()
    with_us = opening()
    monkeypatch.delattr(ReferralBasketMixin, "dispatch")
    assert with_us == opening()


def test_the_basket_page_is_shown_whatever_fails(
    friend: Friend, advocate: Any, terms: Any, mat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    friend.add("MAT")
    friend.click(advocate, terms)
    monkeypatch.setattr("oscar_integration.basket.commit", lambda *args, **kwargs: 1 / 0)
    assert friend.basket().total_incl_tax == D("100.00")


# The voucher field


def test_a_voucher_of_that_name_wins(friend: Friend, advocate: Any, terms: Any, mat: Any) -> None:
    shop_voucher(code_of(advocate), "20")
    friend.add("MAT")
    friend.type_code(code_of(advocate))
    assert friend.basket().total_incl_tax == D("80.00")
    assert not Claim.objects.exists()


def test_the_own_code_and_an_unknown_one(friend: Friend, advocate: Any, terms: Any, mat: Any) -> None:
    friend.add("MAT")
    friend.type_code("ABCD2345")
    assert any("found with code" in text for text in friend.messages())
    friend.log_in("camille@example.com")
    friend.type_code(code_of(advocate))
    assert any("your own code" in text for text in friend.messages())
    assert friend.basket().total_incl_tax == D("100.00")


def test_a_code_gives_one_message_also_when_it_takes_the_place_of_another(
    friend: Friend, advocate: Any, terms: Any, mat: Any, make_customer: Any
) -> None:
    other = advocate_for(make_customer("nora@example.com", first_name="Nora"))
    friend.add("MAT")
    friend.messages()
    friend.type_code(code_of(other))
    assert friend.messages() == ["Invited by Nora: your discount is in the basket. The new total is €90.00."]
    friend.type_code(code_of(other))
    assert [text.partition(":")[0] for text in friend.messages()] == ["Invitation saved"]
    friend.type_code(code_of(advocate))
    assert friend.messages() == [
        "Invited by Camille: your discount is in the basket. The new total is €90.00. "
        "It takes the place of the invitation that you had before."
    ]


def test_an_existing_customer_types_a_code(
    friend: Friend, advocate: Any, terms: Any, mat: Any, strap: Any, make_customer: Any
) -> None:
    lea = make_customer("lea@example.com")
    create_order(fill_basket(strap, user=lea), user=lea)
    friend.log_in("lea@example.com")
    friend.add("MAT")
    friend.type_code(code_of(advocate))
    assert any("new customers" in text for text in friend.messages())
    assert friend.basket().total_incl_tax == D("100.00")


@hypothesis_settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    text=st.one_of(st.text(max_size=300), st.text(alphabet="23456789ABCDEFGHJKMNPQRSTUVWXYZ -", max_size=12))
)
def test_whatever_is_typed_is_no_error(friend: Friend, terms: Any, mat: Any, text: str) -> None:
    if not get_model("basket", "Basket").objects.exists():
        friend.add("MAT")
    assert friend.type_code(text).status_code in (200, 302)


def test_broken_rewards_break_no_page(
    friend: Friend, advocate: Any, terms: Any, mat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("broken")

    friend.click(advocate, terms)
    for name in (
        "commit",
        "typed_code",
        "active_discounts",
        "discount_by_code",
        "order_placed",
        "check_soon",
    ):
        monkeypatch.setattr(rewards, name, broken)
    friend.add("MAT")
    friend.type_code(code_of(advocate))
    assert friend.basket().total_incl_tax == D("100.00")
    friend.register("lea@example.com")
    friend.log_out()
    friend.log_in("lea@example.com")
    friend.begin_checkout()
    order = friend.buy()
    assert order.user == get_user_model().objects.get(email="lea@example.com")
    order.set_status("Paid")
