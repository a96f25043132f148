"""One field takes vouchers and the codes of friends: what is meant, what wins, what is said of it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_integration.combining import notes_on
from tests.oscar_integration.shopping import Friend, fill_basket, make_program, shop_voucher, site_offer
from tests.oscar_integration.test_gifts import contents
from tests.oscar_integration.test_rewards_to_use import gift
from wagtail_referrals import people
from wagtail_referrals.kinds import reward_kinds
from wagtail_referrals.people import codes
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.tracking.models import Claim

pytestmark = pytest.mark.django_db

Voucher = get_model("voucher", "Voucher")


def total(friend: Friend) -> str:
    return str(friend.basket().total_incl_tax)


# What is meant


@pytest.mark.parametrize(
    "change", [str.lower, lambda text: f"{text[:4]}-{text[4:]}", lambda text: f" {text[:4]} {text[4:]} "]
)
def test_a_code_is_known_however_it_is_written(
    friend: Friend, advocate: Any, terms: Any, mat: Any, change: Any
) -> None:
    friend.add("MAT")
    friend.type_code(change(people.code_of(advocate)))
    assert total(friend) == "90.00"


def test_a_voucher_of_the_shop_is_known_as_before(
    friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    shop_voucher("SPRING-20", "20")
    friend.add("MAT")
    friend.type_code(" spring-20 ")
    assert total(friend) == "80.00"
    assert not Claim.objects.exists()


def test_neither_the_one_nor_the_other_gets_oscars_own_answer(friend: Friend, terms: Any, mat: Any) -> None:
    friend.add("MAT")
    for text in ("SPRING", "ABCD2345"):
        friend.type_code(text)
        assert any("found with code" in said for said in friend.messages())


def test_the_code_of_somebody_who_is_blocked_says_no_more_than_that_it_is_not_open(
    friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    code = people.code_of(advocate)
    Advocate.objects.update(state=Advocate.State.BLOCKED)
    friend.add("MAT")
    friend.type_code(code)
    (said,) = [text for text in friend.messages() if "invitation" in text.lower()]
    assert said == "This invitation is not open any more."
    assert total(friend) == "100.00" and not Claim.objects.exists()


# The same code twice


def test_a_voucher_made_first_is_never_given_to_a_customer(
    camille: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop_voucher("ABCD2345", "20")
    drawn = iter(["ABCD2345", "ABCD2345", "EFGH6789"])
    monkeypatch.setattr(codes, "draw_code", lambda: next(drawn))
    assert people.code_of(people.advocate_for(camille)) == "EFGH6789"


def test_codes_for_a_mailing_are_no_vouchers_either(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    shop_voucher("ABCD2345", "20")
    drawn = iter(["ABCD2345", "EFGH6789", "JKMN2345"])
    monkeypatch.setattr(codes, "draw_code", lambda: next(drawn))
    assert sorted(codes.new_codes(2)) == ["EFGH6789", "JKMN2345"]


def test_a_shop_whose_vouchers_cannot_be_asked_gives_codes_all_the_same(
    camille: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_codes: Any) -> list[str]:
        raise DatabaseError("down")

    monkeypatch.setattr(codes, "_others", [broken])
    assert people.normalise_code(people.code_of(people.advocate_for(camille)))


def test_a_voucher_made_later_wins_while_it_runs(friend: Friend, advocate: Any, terms: Any, mat: Any) -> None:
    code = people.code_of(advocate)
    voucher = shop_voucher(code, "20")
    friend.add("MAT")
    friend.type_code(code)
    assert total(friend) == "80.00"
    assert not Claim.objects.exists()
    # It is over: the invitation is what is meant again.
    Voucher.objects.filter(pk=voucher.pk).update(end_datetime=timezone.now() - timedelta(hours=1))
    other = Friend(Client())
    other.add("MAT")
    other.type_code(code)
    assert total(other) == "90.00"


@pytest.mark.parametrize("view", ["voucher-create", "voucher-update"])
def test_the_dashboard_warns_of_a_code_that_a_customer_has(
    admin_client: Any, advocate: Any, view: str
) -> None:
    from django.urls import reverse

    code = people.code_of(advocate)
    voucher = shop_voucher("SPRING", "20")
    offer = voucher.offers.get()
    arguments = [voucher.pk] if view == "voucher-update" else []
    path = reverse(f"dashboard:{view}", args=arguments)

    def save(code: str) -> list[str]:
        values = {
            "name": f"Voucher {code}",
            "code": code,
            "usage": "Single use",
            "offers": [offer.pk],
            "start_datetime": "2026-01-01 00:00:00",
            "end_datetime": "2036-01-01 00:00:00",
        }
        response = admin_client.post(path, values, follow=True)
        assert response.status_code == 200 and Voucher.objects.filter(code=code).exists()
        return [str(message) for message in response.context["messages"]]

    assert not any("A customer has the code" in said for said in save("SUMMER"))
    assert any(f"A customer has the code {code}" in said for said in save(code))


# One beside the other


def test_a_voucher_then_a_code_says_why_the_discount_takes_nothing_off(
    friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    shop_voucher("SPRING", "20")
    friend.add("MAT")
    friend.type_code("SPRING")
    friend.messages()
    friend.type_code(people.code_of(advocate))
    (said,) = friend.messages()
    assert (
        "cannot be combined with “Voucher SPRING” and takes nothing off this basket. It is saved until"
        in said
    )
    assert total(friend) == "80.00"
    assert Claim.objects.get().state == "open"


def test_a_code_then_a_voucher_says_what_gave_way_and_how_to_have_it_back(
    friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    shop_voucher("SPRING", "20")
    friend.add("MAT")
    friend.type_code(people.code_of(advocate))
    friend.messages()
    friend.type_code("SPRING")
    assert any(
        "Remove the other one to have it back. The new total is €80.00." in said for said in friend.messages()
    )


def test_a_code_for_some_goods_beside_an_offer_for_others(
    friend: Friend, advocate: Any, terms: Any, mat: Any, strap: Any
) -> None:
    """10 % off the strap of 20.00; the mat is cheaper by the offer."""
    site_offer("Mats", "50", mat)
    friend.add("MAT")
    friend.add("STRAP")
    friend.messages()
    friend.type_code(people.code_of(advocate))
    assert any(
        "It does not count for what “Mats” makes cheaper already." in said for said in friend.messages()
    )
    assert total(friend) == "68.00"


def test_a_free_product_beside_a_voucher_is_free_all_the_same(
    friend: Friend, advocate: Any, mat: Any, strap: Any
) -> None:
    make_program([{"side": "friend", "trigger": "arrives"} | gift(strap)])
    shop_voucher("SPRING", "20")
    friend.add("MAT")
    friend.type_code("SPRING")
    friend.type_code(people.code_of(advocate))
    assert sorted(contents(friend)) == ["MAT", "STRAP"]
    assert total(friend) == "80.00"


# What editors are told


def test_without_offers_the_form_says_how_it_combines(db: None) -> None:
    (note,) = notes_on(reward_kinds.get("discount_percent"))
    assert "your own offers and vouchers come first" in note
    assert notes_on(reward_kinds.get("credit")) == []
    assert "comes first" in notes_on(reward_kinds.get("free_product"))[0]


def test_live_offers_are_named_with_what_the_friend_gets_then(mat: Any, advocate: Any) -> None:
    """What the note says is what a basket does."""
    site_offer("Everything must go", "30", priority=1)
    mats = site_offer("Mats", "50", mat)
    over = site_offer("Last year", "50", end_datetime=timezone.now() - timedelta(days=1))
    shop_voucher("SPRING", "20")
    said = notes_on(reward_kinds.get("discount_fixed"))
    assert said[1] == (
        "“Everything must go” runs now, for everything: where it counts, the friend gets it instead of the discount."
    )
    assert said[2].startswith(f"“{mats.name}” runs now, for some goods: for those the friend gets it instead")
    assert said[3].startswith("1 voucher of the shop can be used now")
    assert not any(over.name in note for note in said)


def test_our_own_vouchers_are_not_counted_as_the_shops(
    friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    assert Voucher.objects.exists()
    assert len(notes_on(reward_kinds.get("discount_percent"))) == 1


def test_many_offers_are_not_all_named(db: None) -> None:
    for number in range(8):
        site_offer(f"Offer number {number}", "10")
    said = notes_on(reward_kinds.get("discount_percent"))
    assert len(said) == 1 + 5 + 1
    assert said[-1] == "More offers run now; the same goes for them."


def test_nothing_is_said_while_the_shop_gives_no_vouchers(settings: Any) -> None:
    settings.WAGTAIL_REFERRALS_OSCAR = {"VOUCHERS": False}
    assert notes_on(reward_kinds.get("discount_percent")) == []


def test_a_headless_basket_is_as_the_note_says(mat: Any, advocate: Any, terms: Any) -> None:
    from oscar.core.loading import get_class

    from tests.oscar_integration.test_vouchers import claimed

    site_offer("Everything must go", "30")
    basket = claimed(advocate, terms, mat)
    basket.reset_offer_applications()
    get_class("offer.applicator", "Applicator")().apply(basket)
    assert basket.total_incl_tax == Decimal("70.00")
    assert fill_basket(mat).total_incl_tax == Decimal("100.00")
