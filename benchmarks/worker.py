"""One round in one process: prints a JSON object of seconds (the median of each kind of work)."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from statistics import median
from typing import Any

import django

BROWSER = {"HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


def timed(work: Callable[[int], Any], times: int, prepare: Callable[[int], Any] = lambda n: n) -> float:
    """Seconds of one ``work``: the median; the first tenth only warms up. ``prepare`` is not timed."""
    found = []
    for number in range(times + times // 10):
        argument = prepare(number)
        started = time.perf_counter()
        work(argument)
        found.append(time.perf_counter() - started)
    return median(found[times // 10 :])


def main() -> None:
    times = int(sys.argv[1])
    django.setup()
    from tests.databases import TestDatabase

    database = TestDatabase(lambda text: print(text, file=sys.stderr, flush=True))
    try:
        print(json.dumps(rounds(times)))
    finally:
        database.drop()


def rounds(times: int) -> dict[str, float]:
    from django.apps import apps
    from django.test import Client
    from oscar.test.factories import create_product

    products = [create_product(title=f"Mat {n}", price=Decimal(50), num_in_stock=100000) for n in range(2)]
    found: dict[str, float] = {}

    def get(path: str, status: int) -> Callable[[int], None]:
        def work(number: int) -> None:
            response = Client(**BROWSER).get(path)
            assert response.status_code == status, (path, response.status_code)

        return work

    found["page"] = timed(get("/en/catalogue/", 200), times)
    found["floor"] = timed(get("/floor/", 302), times)
    if apps.is_installed("wagtail_referrals"):
        from benchmarks import friends

        code = friends.publish()
        found["share"] = timed(get(f"/r/{code}/?to=/en/catalogue/", 302), times)
        found["landing"] = timed(get(f"/r/{code}/", 200), times)
        found["friend_order"] = timed(place, times, lambda n: friends.basket(products, n))
    found["order"] = timed(place, times, lambda n: stranger(products, n))
    return found


def stranger(products: list[Any], number: int) -> tuple[Any, Any, str]:
    from django.contrib.auth import get_user_model

    user = get_user_model().objects.create_user(f"stranger{number}", f"stranger{number}@example.com", "x")
    return filled_basket(products, user), user, f"S{number}"


def filled_basket(products: list[Any], user: Any) -> Any:
    from oscar.core.loading import get_class
    from oscar.test.factories import create_basket

    basket = create_basket(empty=True)
    basket.owner = user
    basket.save()
    basket.strategy = get_class("partner.strategy", "Selector")().strategy()
    for product in products:
        basket.add_product(product)
    get_class("offer.applicator", "Applicator")().apply(basket, user)
    return basket


def place(prepared: tuple[Any, Any, str]) -> None:
    """As a checkout without a browser does it: the order in one transaction, then its signal."""
    from oscar.core.loading import get_class

    basket, user, number = prepared
    method = get_class("shipping.repository", "Repository")().get_default_shipping_method(basket)
    charge = method.calculate(basket)
    basket.freeze()
    get_class("order.utils", "OrderCreator")().place_order(
        basket=basket,
        total=get_class("checkout.calculators", "OrderTotalCalculator")().calculate(basket, charge),
        shipping_method=method,
        shipping_charge=charge,
        user=user,
        order_number=number,
    )


if __name__ == "__main__":
    main()
