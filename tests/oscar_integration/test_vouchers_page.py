"""What the shop's pages show of a voucher, and that others' vouchers cost them nothing."""

from __future__ import annotations

import html
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from oscar.core.loading import get_model

from oscar_integration import OscarShop
from oscar_integration.gifts import FreeProductKind
from oscar_integration.vouchers import ShownVoucher
from tests.oscar_integration.shopping import Friend, make_product, make_program
from tests.oscar_integration.test_vouchers import request

pytestmark = pytest.mark.django_db

D = Decimal
Voucher = get_model("voucher", "Voucher")


def page(friend: Friend) -> str:
    return html.unescape(friend.client.get(friend.url("basket/")).content.decode())


@pytest.mark.parametrize(
    ("rule", "shown"),
    [
        ({"kind": "discount_percent", "percent": D(10)}, "Your invitation: 10% off the goods (REF-"),
        (
            {"kind": "discount_fixed", "amounts": {"EUR": "5.00"}},
            "Your invitation: €5.00 off the goods (REF-",
        ),
        ({"kind": "free_product"}, "Your invitation: a free “Bolster” (REF-"),
    ],
)
def test_a_voucher_has_a_name_for_shoppers(
    friend: Friend, advocate: Any, mat: Any, rule: dict[str, Any], shown: str
) -> None:
    bolster = make_product("BOLSTER", "12.00")
    if rule["kind"] == "free_product":
        rule = rule | {"options": FreeProductKind().freeze_options({"gift_product": bolster})}
    friend.click(advocate, make_program([{"side": "friend", "trigger": "arrives"} | rule]))
    friend.add("MAT")
    assert shown in page(friend)
    friend.as_guest("lea@example.com")
    friend.deliver()
    preview = friend.client.post(friend.url("checkout/preview/"), friend.card("4242424242424242"))
    assert shown in html.unescape(preview.content.decode())
    friend.place("4242424242424242")
    order = get_model("order", "Order").objects.get()
    voucher = Voucher.objects.get()
    discount = order.discounts.get()
    assert (discount.voucher, discount.voucher_code) == (voucher, voucher.code)
    assert "Your invitation" not in voucher.name, "what is stored is unique, and stays as it was"
    assert voucher.num_orders == 1
    assert voucher.total_discount == discount.amount


def test_the_name_is_in_the_language_of_the_page(friend: Friend, advocate: Any, terms: Any, mat: Any) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.language = "fr"
    shown = page(friend).partition("(REF-")[0][-80:]
    assert "10\u202f%" in shown or "10\xa0%" in shown
    assert "off the goods" not in shown


def test_a_shown_voucher_is_the_voucher() -> None:
    OscarShop().issue_discount(request())
    voucher = Voucher.objects.get()
    shown = ShownVoucher(voucher, "A name")
    assert shown == voucher
    assert voucher == shown
    assert shown in [voucher]
    assert shown == ShownVoucher(voucher, "Another name")
    assert hash(shown) == hash(voucher)
    assert (shown.name, str(shown), shown.code, shown.pk) == ("A name", "A name", voucher.code, voucher.pk)
    shown.save()
    assert Voucher.objects.get().name != "A name"
    with pytest.raises(AttributeError):
        shown.nothing_of_the_kind


def test_as_many_queries_with_three_vouchers_as_with_three_hundred(
    friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    def counted() -> tuple[int, int, int]:
        counts = []
        for step in (lambda: friend.add("MAT"), friend.basket, friend.messages):
            with CaptureQueriesContext(connection) as captured:
                step()
            counts.append(len(captured))
        return counts[0], counts[1], counts[2]

    def others(*numbers: int) -> None:
        """Of other people, on the same offer."""
        mine = Voucher.objects.latest("pk")
        values = {name: getattr(mine, name) for name in ("usage", "start_datetime", "end_datetime")}
        made = Voucher.objects.bulk_create(
            Voucher(name=f"Another {number}", code=f"REF-{number}", **values) for number in numbers
        )
        mine.offers.get().vouchers.add(*made)

    friend.click(advocate, terms)
    friend.add("MAT")
    others(1, 2)
    counted()
    few = counted()
    others(*range(3, 300))
    assert Voucher.objects.count() == 300
    assert get_model("offer", "ConditionalOffer").objects.count() == 1
    assert counted() == few
