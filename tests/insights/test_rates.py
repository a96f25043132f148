"""What figures say beside each other: plain arithmetic, each currency by itself."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from wagtail_referrals.insights import (
    DayFigures,
    ShopFigures,
    average_order,
    beside_others,
    change,
    cost,
    cost_per_new_customer,
    per,
    percent,
    repeat_rates,
)


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [(1, 0, None), (0, 5, D(0)), (1, 40, D("2.5")), (1, 3, D(33)), (5, 4, D(125))],
)
def test_percent(part: int, whole: int, expected: D | None) -> None:
    assert percent(part, whole) == expected


def test_changes() -> None:
    assert [change(12, 10), change(5, 10), change(7, 7), change(3, 0)] == [20, -50, 0, None]
    assert (per(7, 2), per(7, 0)) == (D("3.5"), None)


def test_cost_is_divided_by_who_ordered_in_its_currency() -> None:
    both = DayFigures(
        ordered=5,
        ordered_in={"EUR": 4, "USD": 1},
        given={"EUR": D("30.00"), "USD": D("9.00"), "LEAF": D("50")},
        discounts={"EUR": D("10.00"), "GBP": D("1.00")},
    )
    assert cost(both) == {"EUR": D("40.00"), "USD": D("9.00"), "LEAF": D(50), "GBP": D("1.00")}
    # Points by all; pounds by nobody.
    assert cost_per_new_customer(both) == {"EUR": D("10.00"), "USD": D("9.00"), "LEAF": D(10)}
    one = DayFigures(ordered=2, ordered_in={"EUR": 2}, given={"USD": D("5.00")})
    assert cost_per_new_customer(one) == {"USD": D("2.50")}
    assert cost_per_new_customer(DayFigures(given={"EUR": D("5.00")})) == {}


def test_friends_beside_all_others() -> None:
    friends = DayFigures(
        orders=4,
        repeat_orders=1,
        orders_in={"EUR": 3, "USD": 1},
        revenue={"EUR": D("90.00"), "USD": D("40.00")},
    )
    shop = {"EUR": ShopFigures(orders=13, repeat_orders=7, revenue=D("290.00"))}
    assert average_order(friends) == {"EUR": D("30.00"), "USD": D("40.00")}
    euro, dollar = beside_others(friends, shop)
    assert (euro.friends_average, euro.others_average, euro.part) == (D("30.00"), D("20.00"), D(31))
    assert (dollar.friends_average, dollar.others_average, dollar.part) == (D("40.00"), None, None)
    assert repeat_rates(friends, shop) == (D(25), D(67))
    assert repeat_rates(DayFigures(), {}) == (None, None)
