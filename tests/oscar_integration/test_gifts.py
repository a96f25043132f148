"""A product for free: how it comes into the basket and leaves it, what it costs, and what it does beside others."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.utils import translation
from oscar.core.loading import get_model
from oscar.test import factories

from example_site.card.gateway import ASKS_THE_BANK
from oscar_integration.gifts import FreeProductKind, GiftProductField, gift_words
from tests.oscar_integration.shopping import (
    Friend,
    create_order,
    fill_basket,
    make_product,
    make_program,
    shop_voucher,
    site_offer,
)
from tests.oscar_integration.test_vouchers import claimed, has
from wagtail_referrals.people import code_of
from wagtail_referrals.programs.models import ProgramRule
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.models import DiscountGrant
from wagtail_referrals.rewards.settle import settle

pytestmark = pytest.mark.django_db

D = Decimal
Voucher = get_model("voucher", "Voucher")
ConditionalOffer = get_model("offer", "ConditionalOffer")
StockRecord = get_model("partner", "StockRecord")


@pytest.fixture
def bolster(db: None) -> Any:
    """What is given: 12.00 with tax."""
    return make_product("BOLSTER", "12.00")


def gift_rule(product: Any, **values: Any) -> dict[str, Any]:
    return {
        "side": "friend",
        "trigger": "arrives",
        "kind": "free_product",
        "options": FreeProductKind().freeze_options({"gift_product": product}),
    } | values


def gift_terms(
    product: Any, *others: dict[str, Any], program: dict[str, Any] | None = None, **values: Any
) -> Any:
    return make_program([gift_rule(product, **values), *others], **(program or {}))


def contents(friend: Friend) -> dict[str, tuple[int, Decimal]]:
    """By UPC: how many, and what they cost together."""
    basket = friend.basket()
    return {
        line.product.upc: (line.quantity, line.line_price_incl_tax_incl_discounts)
        for line in basket.all_lines()
    }


def change(friend: Friend, ajax: bool = False, **quantities: int) -> Any:
    """Send the form of the basket page with these quantities by UPC; 0 deletes."""
    lines = list(friend.basket().all_lines())
    form = {
        "form-TOTAL_FORMS": str(len(lines)),
        "form-INITIAL_FORMS": str(len(lines)),
        "form-MAX_NUM_FORMS": "",
    }
    for index, line in enumerate(lines):
        quantity = quantities.get(line.product.upc, line.quantity)
        form |= {f"form-{index}-id": str(line.pk), f"form-{index}-quantity": str(quantity)}
        if not quantity:
            form[f"form-{index}-DELETE"] = "on"
    headers = {"HTTP_X_REQUESTED_WITH": "XMLHttpRequest"} if ajax else {}
    return friend.client.post(friend.url("basket/"), form, **headers)


# How it comes into the basket, and leaves it


def test_it_comes_with_the_first_thing(friend: Friend, advocate: Any, mat: Any, bolster: Any) -> None:
    friend.click(advocate, gift_terms(bolster))
    friend.add("MAT")
    assert any(
        "Invited by Camille: a free “Bolster” is in the basket. The total is €100.00." in text
        for text in friend.messages()
    )
    assert contents(friend) == {"MAT": (1, D("100.00")), "BOLSTER": (1, D("0.00"))}
    friend.add("MAT")
    assert contents(friend)["BOLSTER"] == (1, D("0.00")), "not added twice"
    friend.as_guest("lea@example.com")
    order = friend.buy()
    assert order.total_incl_tax == D("200.00")
    grant = DiscountGrant.objects.get()
    assert (grant.state, grant.used_reference, grant.used_amount) == ("used", order.number, D("12.00"))
    friend.add("MAT")
    assert contents(friend) == {"MAT": (1, D("100.00"))}, "once"


def test_an_order_of_its_own_product_is_not_touched_afterwards(
    friend: Friend, advocate: Any, mat: Any, bolster: Any
) -> None:
    friend.click(advocate, gift_terms(bolster))
    friend.add("MAT")
    friend.as_guest("lea@example.com")
    friend.buy()
    friend.add("BOLSTER")
    friend.add("MAT")
    assert contents(friend) == {"MAT": (1, D("100.00")), "BOLSTER": (1, D("12.00"))}


def test_one_that_is_there_already_becomes_free(
    friend: Friend, advocate: Any, mat: Any, bolster: Any
) -> None:
    friend.add("BOLSTER")
    friend.messages()
    friend.click(advocate, gift_terms(bolster))
    assert friend.messages() == [
        "Invited by Camille: one “Bolster” in your basket costs nothing. The total is €0.00."
    ]
    assert contents(friend) == {"BOLSTER": (1, D("0.00"))}


def test_the_second_piece_is_paid(friend: Friend, advocate: Any, mat: Any, bolster: Any) -> None:
    friend.click(advocate, gift_terms(bolster))
    friend.add("MAT")
    change(friend, BOLSTER=3)
    assert contents(friend)["BOLSTER"] == (3, D("24.00"))
    friend.as_guest("lea@example.com")
    order = friend.buy()
    line = order.lines.get(upc="BOLSTER")
    assert (line.quantity, line.line_price_incl_tax, order.total_incl_tax) == (3, D("24.00"), D("124.00"))


@pytest.mark.parametrize("ajax", [False, True])
def test_taking_the_product_out_takes_the_voucher_out(
    friend: Friend, advocate: Any, mat: Any, bolster: Any, ajax: bool
) -> None:
    friend.click(advocate, gift_terms(bolster))
    friend.add("MAT")
    friend.messages()
    response = change(friend, ajax=ajax, BOLSTER=0)
    said = str(response.json()["messages"]) if ajax else " ".join(friend.messages())
    assert "You have taken the free “Bolster” out" in said
    assert code_of(advocate) in said
    basket = friend.basket()
    assert not basket.vouchers.exists()
    friend.add("MAT")
    assert contents(friend) == {"MAT": (2, D("200.00"))}, "it does not come back by itself"
    friend.type_code(code_of(advocate))
    assert contents(friend)["BOLSTER"] == (1, D("0.00"))


def test_what_oscars_script_writes_into_the_page_is_escaped(
    friend: Friend, advocate: Any, mat: Any, bolster: Any
) -> None:
    type(bolster).objects.filter(pk=bolster.pk).update(title="<b>Bold</b>")
    friend.click(advocate, gift_terms(bolster))
    friend.add("MAT")
    friend.messages()
    said = str(change(friend, ajax=True, BOLSTER=0).json()["messages"])
    assert "&lt;b&gt;Bold&lt;/b&gt;" in said
    assert "<b>" not in said


def test_taking_the_voucher_out_takes_the_product_out(
    friend: Friend, advocate: Any, mat: Any, bolster: Any
) -> None:
    friend.click(advocate, gift_terms(bolster))
    friend.add("MAT")
    friend.messages()
    friend.client.post(friend.url(f"basket/vouchers/{Voucher.objects.get().pk}/remove/"))
    said = " ".join(friend.messages())
    assert "“Bolster” was taken out too. Your invitation stays saved" in said
    assert contents(friend) == {"MAT": (1, D("100.00"))}


def test_the_shoppers_own_piece_stays_when_the_voucher_goes(
    friend: Friend, advocate: Any, mat: Any, bolster: Any
) -> None:
    friend.add("BOLSTER")
    friend.click(advocate, gift_terms(bolster))
    friend.basket()
    friend.client.post(friend.url(f"basket/vouchers/{Voucher.objects.get().pk}/remove/"))
    assert contents(friend) == {"BOLSTER": (1, D("12.00"))}


def test_an_emptied_basket_is_begun_anew(friend: Friend, advocate: Any, mat: Any, bolster: Any) -> None:
    friend.click(advocate, gift_terms(bolster))
    friend.add("MAT")
    change(friend, MAT=0, BOLSTER=0)
    friend.basket()
    friend.add("MAT")
    assert contents(friend)["BOLSTER"] == (1, D("0.00"))


def test_an_empty_basket_waits_for_something(friend: Friend, advocate: Any, mat: Any, bolster: Any) -> None:
    friend.click(advocate, gift_terms(bolster))
    friend.register("lea@example.com")
    assert any(
        "comes into the basket with the first thing that you add" in text for text in friend.messages()
    )
    assert contents(friend) == {}
    friend.add("MAT")
    assert contents(friend)["BOLSTER"] == (1, D("0.00"))


def test_it_goes_with_the_person(
    friend: Friend, advocate: Any, mat: Any, bolster: Any, make_customer: Any
) -> None:
    make_customer("lea@example.com")
    friend.click(advocate, gift_terms(bolster))
    friend.add("MAT")
    friend.log_in("lea@example.com")
    assert contents(friend) == {"MAT": (1, D("100.00")), "BOLSTER": (1, D("0.00"))}
    change(friend, BOLSTER=0)
    assert contents(friend) == {"MAT": (1, D("100.00"))}


def test_what_is_withdrawn_leaves_before_the_total_is_shown(
    friend: Friend, advocate: Any, mat: Any, strap: Any, bolster: Any
) -> None:
    create_order(fill_basket(strap), email="lea@example.com")
    friend.click(advocate, gift_terms(bolster))
    friend.add("MAT")
    friend.as_guest("lea@example.com")
    page = friend.client.get(friend.url("checkout/shipping-address/")).content.decode()
    assert "This offer is for new customers" in page
    assert "The free “Bolster” has left the basket. The total is €100.00." in page
    order = friend.buy()
    assert [line.upc for line in order.lines.all()] == ["MAT"]
    assert order.total_incl_tax == D("100.00")


# What it counts for


def test_the_piece_counts_for_no_minimum(friend: Friend, advocate: Any, strap: Any, bolster: Any) -> None:
    friend.click(advocate, gift_terms(bolster, minimum_spend={"EUR": "30.00"}))
    friend.add("STRAP")
    assert any("comes with other goods for €30.00 or more. It is saved" in text for text in friend.messages())
    assert contents(friend) == {"STRAP": (1, D("20.00"))}
    friend.add("BOLSTER")
    assert friend.basket().total_incl_tax == D("32.00"), "with the bolster itself it is still 20"
    friend.add("STRAP")
    assert contents(friend) == {"STRAP": (2, D("40.00")), "BOLSTER": (1, D("0.00"))}


@pytest.mark.parametrize("ajax", [False, True])
def test_below_the_minimum_it_leaves_and_above_it_comes_back(
    friend: Friend, advocate: Any, strap: Any, bolster: Any, ajax: bool
) -> None:
    friend.click(advocate, gift_terms(bolster, minimum_spend={"EUR": "30.00"}))
    friend.add("STRAP", 2)
    assert contents(friend)["BOLSTER"] == (1, D("0.00"))
    response = change(friend, ajax=ajax, STRAP=1)
    if ajax:
        assert "comes with other goods" in str(response.json()["messages"])
        assert "Bolster" not in response.json()["content_html"]
    assert contents(friend) == {"STRAP": (1, D("20.00"))}, "never charged by surprise"
    change(friend, STRAP=3)
    assert contents(friend) == {"STRAP": (3, D("60.00")), "BOLSTER": (1, D("0.00"))}


def test_it_counts_for_nothing_that_the_advocate_gets(
    friend: Friend, advocate: Any, strap: Any, bolster: Any
) -> None:
    credit = {"side": "advocate", "trigger": "first_purchase", "kind": "credit_percent", "percent": D(10)}
    friend.click(advocate, gift_terms(bolster, credit))
    friend.add("STRAP")
    friend.as_guest("lea@example.com")
    friend.buy()
    purchase = Purchase.objects.get()
    assert purchase.eligible == D("20.00")
    assert settle(purchase.referral_id) is not None
    assert Referral.objects.get().rewards.get().amount == D("2.00")


def test_the_gift_alone_is_an_order_but_no_first_one(friend: Friend, advocate: Any, bolster: Any) -> None:
    friend.click(advocate, gift_terms(bolster))
    friend.add("BOLSTER")
    friend.as_guest("lea@example.com")
    order = friend.buy()
    assert order.basket_total_incl_tax == D("0.00")
    verdict = settle(Purchase.objects.get(reference=order.number).referral_id)
    assert verdict is not None and verdict.waits_for_order


# What it costs


@pytest.mark.parametrize("incl_tax", [True, False])
@pytest.mark.parametrize("price", ["12.00", "9.99", "0.01", "33.33"])
def test_one_piece_costs_nothing_with_and_without_tax(
    advocate: Any, mat: Any, settings: Any, incl_tax: bool, price: str
) -> None:
    settings.OSCAR_OFFERS_INCL_TAX = incl_tax
    gift = make_product("GIFT", price)
    basket = claimed(advocate, gift_terms(gift), mat)
    assert has(basket, "100.00")
    basket.add_product(gift, 1)
    assert has(basket, str(D("100.00") + D(price)))
    order = create_order(basket, email="lea@example.com")
    line = order.lines.get(upc="GIFT")
    assert (line.quantity, line.line_price_incl_tax) == (2, D(price))
    assert abs(line.line_price_excl_tax * D("1.2") - D(price)) <= D("0.01")
    assert order.basket_total_incl_tax == D("100.00") + D(price)
    assert abs(DiscountGrant.objects.get().used_amount - D(price)) <= D("0.01")


def test_it_counts_in_the_budget_when_it_is_used(
    friend: Friend, advocate: Any, mat: Any, bolster: Any
) -> None:
    terms = gift_terms(bolster, program={"budget_amounts": {"EUR": "100.00"}})
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("lea@example.com")
    friend.buy()
    settle(Referral.objects.get().pk)
    assert Referral.objects.get().spent == {"EUR": "12.00"}


# What stands in its way


@pytest.mark.parametrize("how", ["sold out", "no longer sold", "deleted", "another currency"])
def test_what_cannot_be_had_is_said_and_not_lost(
    friend: Friend, advocate: Any, mat: Any, bolster: Any, how: str
) -> None:
    terms = gift_terms(bolster)
    if how == "sold out":
        bolster.product_class.track_stock = True
        bolster.product_class.save()
        StockRecord.objects.filter(product=bolster).update(num_in_stock=0)
    elif how == "no longer sold":
        type(bolster).objects.filter(pk=bolster.pk).update(is_public=False)
    elif how == "another currency":
        StockRecord.objects.filter(product=bolster).update(price_currency="USD")
    else:
        bolster.delete()
    friend.click(advocate, terms)
    friend.add("MAT")
    said = [text for text in friend.messages() if "cannot be had at the moment" in text]
    assert len(said) == 1 and "It is saved for you until" in said[0]
    friend.add("MAT")
    assert not any("cannot be had" in text for text in friend.messages()), "said once"
    friend.as_guest("lea@example.com")
    assert friend.buy().total_incl_tax == D("200.00")
    assert DiscountGrant.objects.get().state == "issued"
    assert Voucher.objects.get().num_orders == 0


def test_what_sells_out_in_the_basket_does_not_stop_the_checkout(
    friend: Friend, advocate: Any, mat: Any, bolster: Any
) -> None:
    friend.click(advocate, gift_terms(bolster))
    friend.add("MAT")
    friend.messages()
    bolster.product_class.track_stock = True
    bolster.product_class.save()
    StockRecord.objects.filter(product=bolster).update(num_in_stock=0)
    assert any("“Bolster” cannot be had at the moment" in text for text in friend.messages())
    friend.as_guest("lea@example.com")
    assert [line.upc for line in friend.buy().lines.all()] == ["MAT"]


def test_beside_an_offer_on_everything(friend: Friend, advocate: Any, mat: Any, bolster: Any) -> None:
    site_offer("Spring sale", "50")
    friend.click(advocate, gift_terms(bolster))
    friend.add("MAT")
    assert contents(friend) == {"MAT": (1, D("50.00")), "BOLSTER": (1, D("0.00"))}
    change(friend, BOLSTER=2)
    assert contents(friend)["BOLSTER"] == (2, D("6.00")), "the second piece is in the sale"


def test_beside_a_voucher_and_a_discount_of_the_same_invitation(
    friend: Friend, advocate: Any, mat: Any, bolster: Any
) -> None:
    shop_voucher("SPRING", "20")
    percent = {"side": "friend", "trigger": "arrives", "kind": "discount_percent", "percent": D(10)}
    friend.click(advocate, gift_terms(bolster, percent))
    friend.add("MAT")
    assert contents(friend) == {"MAT": (1, D("90.00")), "BOLSTER": (1, D("0.00"))}
    friend.type_code("SPRING")
    assert contents(friend) == {"MAT": (1, D("80.00")), "BOLSTER": (1, D("0.00"))}


def test_two_gifts_of_the_same_product_are_one_for_each_order(
    friend: Friend, advocate: Any, mat: Any, bolster: Any
) -> None:
    friend.click(advocate, gift_terms(bolster, gift_rule(bolster)))
    friend.add("MAT")
    friend.add("BOLSTER")
    assert contents(friend) == {"MAT": (1, D("100.00")), "BOLSTER": (2, D("12.00"))}
    friend.as_guest("lea@example.com")
    friend.buy()
    assert sorted(DiscountGrant.objects.values_list("state", flat=True)) == ["issued", "used"]


def test_the_bank_asks_and_the_gift_is_in_the_order(
    friend: Friend, advocate: Any, mat: Any, bolster: Any
) -> None:
    friend.click(advocate, gift_terms(bolster))
    friend.add("MAT")
    friend.as_guest("lea@example.com")
    friend.deliver()
    bank = friend.place(ASKS_THE_BANK)
    friend.client.post(bank.url, {"answer": "confirm"}, follow=True)
    order = get_model("order", "Order").objects.get()
    assert {line.upc: line.line_price_incl_tax for line in order.lines.all()} == {
        "MAT": D(100),
        "BOLSTER": D(0),
    }


def test_after_an_order_that_never_happened_it_is_given_again(
    friend: Friend, advocate: Any, mat: Any, bolster: Any
) -> None:
    friend.click(advocate, gift_terms(bolster))
    friend.add("MAT")
    friend.register("lea@example.com")
    order = friend.buy()
    order.set_status("Cancelled")
    settle(Purchase.objects.get().referral_id)
    friend.add("MAT")
    assert contents(friend) == {"MAT": (1, D("100.00")), "BOLSTER": (1, D("0.00"))}
    again = friend.buy()
    assert DiscountGrant.objects.get(issue=1).used_reference == again.number


def test_headless(advocate: Any, mat: Any, bolster: Any) -> None:
    basket = claimed(advocate, gift_terms(bolster), mat)
    assert {line.product.upc for line in basket.all_lines()} == {"MAT", "BOLSTER"}
    assert has(basket, "100.00")


# What the editor chooses


def test_the_terms_keep_title_and_product(bolster: Any) -> None:
    options = FreeProductKind().freeze_options({"gift_product": bolster})
    assert options == {"gift_product": bolster.pk, "gift_titles": {"en": "Bolster", "fr": "Bolster"}}
    bolster.delete()
    assert gift_words(options) == "a free “Bolster”"
    with translation.override("fr"):
        assert "Bolster" in gift_words({"gift_titles": {"fr": "Bolster"}})


@pytest.mark.parametrize("how", ["options", "price", "parent"])
def test_what_a_basket_cannot_take_cannot_be_chosen(bolster: Any, how: str) -> None:
    field = GiftProductField()
    assert field.clean(str(bolster.pk)) == bolster
    if how == "options":
        bolster.product_options.add(factories.OptionFactory(code="colour", required=True))
    elif how == "price":
        StockRecord.objects.filter(product=bolster).update(price=None)
    else:
        type(bolster).objects.filter(pk=bolster.pk).update(structure="parent")
    with pytest.raises(Exception, match=r"wishes|no price|valid choice"):
        GiftProductField().clean(str(bolster.pk))


def test_a_rule_needs_a_product() -> None:
    assert set(FreeProductKind().option_problems({})) == {"gift_product"}
    assert "free_product" in dict(ProgramRule._meta.get_field("kind").choices)
