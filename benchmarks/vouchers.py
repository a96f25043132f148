"""Does a shop with a hundred thousand personal vouchers of ours have slower baskets?

The same friend, with the same discount in the basket, in two databases that differ in the vouchers of others only:
none, or a hundred thousand, in the rows that the package makes (claim, discount, voucher, its place on the shared
offer). The two take turns in one process, so that a machine that gets slower gets slower for both.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from statistics import median
from typing import Any

import django

MANY = 100_000
BATCH = 5_000
# Slower than this with all of them would be a growth; the rest is the noise of the machine.
GOAL = 1.1


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vouchers", description=__doc__)
    parser.add_argument("--vouchers", type=int, default=MANY)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--requests", type=int, default=15)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")
    django.setup()
    from django.db import connection

    print(
        f"{connection.vendor}: filling a shop with {options.vouchers} vouchers", file=sys.stderr, flush=True
    )
    with two_shops(options.vouchers) as (shops, browsers):
        found = compare(shops, browsers, options.rounds, options.requests)
    print(f"\n{connection.vendor}: {options.vouchers:,} vouchers of others against none")
    for what, (few, many) in found.items():
        ratio = f"{many * 1000:7.2f} ms / {few * 1000:7.2f} ms = {many / few:5.2f}"
        print(f"  {what:64} {ratio}   goal {GOAL}", flush=True)


@contextmanager
def two_shops(vouchers: int) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    """The names of two databases, without and with others' vouchers, and browsers that are known to both."""
    from django.db import connections

    from tests.databases import TestDatabase, use

    database = TestDatabase(lambda text: print(text, file=sys.stderr, flush=True))
    # Dropped by the tests' housekeeping, should this process die.
    many = f"part_{os.getpid()}"
    try:
        browsers = fill_basket()
        connections.close_all()
        database.store.copy(database.name, many)
        use(many)
        make_vouchers(vouchers)
        yield (database.name, many), browsers
    finally:
        connections.close_all()
        database.store.drop(many)
        database.drop()


def fill_basket() -> dict[str, Any]:
    """A friend who came by a code, with a discount in the basket; and a visitor who knows nobody."""
    from django.test import Client
    from oscar.test.factories import create_product

    from benchmarks import friends

    for number in range(2):
        create_product(title=f"Mat {number}", upc=f"M{number}", price=Decimal(50), num_in_stock=10**9)
    code = friends.publish()
    friend, visitor = Client(), Client()
    for browser in (friend, visitor):
        add(browser)
    assert friend.post("/en/basket/vouchers/add/", {"code": code}).status_code == 302
    browsers = {"friend": friend, "visitor": visitor}
    for browser in browsers.values():
        page(browser)
    assert has_discount(friend), "the workload is what it says"
    assert not has_discount(visitor)
    return browsers


def add(browser: Any) -> None:
    from oscar.core.loading import get_model

    product = get_model("catalogue", "Product").objects.get(upc="M0")
    response = browser.post(f"/en/basket/add/{product.pk}/", {"quantity": 1})
    assert response.status_code == 302, response.status_code


def page(browser: Any) -> Any:
    response = browser.get("/en/basket/")
    assert response.status_code == 200, response.status_code
    return response


def has_discount(browser: Any) -> bool:
    return "Your invitation: 10% off the goods" in page(browser).content.decode()


def make_vouchers(count: int) -> None:
    """Friends' discounts of so many others, in bulk."""
    from django.db import connection
    from django.utils import timezone
    from oscar.core.loading import get_model

    from oscar_integration.vouchers import code_for
    from wagtail_referrals.rewards.models import DiscountGrant
    from wagtail_referrals.tracking.models import Claim

    Voucher = get_model("voucher", "Voucher")
    mine = Voucher.objects.get()
    offer = mine.offers.get()
    grant = DiscountGrant.objects.select_related("claim").get()
    now = timezone.now()
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        claims = Claim.objects.bulk_create(
            Claim(
                advocate_id=grant.claim.advocate_id, terms_id=grant.terms_id, source="code", created_at=now,
                expires_at=now + timedelta(days=30),
            )
            for _number in numbers
        )  # fmt: skip
        tokens = [uuid.uuid4() for _number in numbers]
        codes = [code_for(f"discount:{token}") for token in tokens]
        DiscountGrant.objects.bulk_create(
            DiscountGrant(
                token=token, claim=claim, terms_id=grant.terms_id, rule_key=grant.rule_key, kind=grant.kind,
                code=code, state="issued", created_at=now, expires_at=claim.expires_at,
            )
            for token, claim, code in zip(tokens, claims, codes, strict=True)
        )  # fmt: skip
        vouchers = Voucher.objects.bulk_create(
            Voucher(
                name=f"{mine.name} {code}", code=code, usage=mine.usage, start_datetime=mine.start_datetime,
                end_datetime=mine.end_datetime,
            )
            for code in codes
        )  # fmt: skip
        link = Voucher.offers.through
        link.objects.bulk_create(
            link(voucher_id=voucher.pk, conditionaloffer_id=offer.pk) for voucher in vouchers
        )
    with connection.cursor() as cursor:
        # As the server does by itself, sooner or later.
        cursor.execute("ANALYZE")
    assert Voucher.objects.count() == offer.vouchers.count() == count + 1


def compare(
    shops: tuple[str, str], browsers: dict[str, Any], rounds: int, requests: int
) -> dict[str, tuple[float, float]]:
    """Seconds of one request, without and with the vouchers of others."""
    from django.db import connections

    from tests.databases import use

    works: dict[str, Callable[[], Any]] = {
        "the basket page with a friend's discount": lambda: page(browsers["friend"]),
        "adding to a basket with a friend's discount": lambda: add(browsers["friend"]),
        "the basket page without an invitation": lambda: page(browsers["visitor"]),
    }
    found: dict[str, tuple[list[float], list[float]]] = {what: ([], []) for what in works}
    for number in range(rounds + 1):
        for index, shop in enumerate(shops):
            connections.close_all()
            use(shop)
            for what, work in works.items():
                seconds = timed(work, requests)
                if number:  # the first round warms up
                    found[what][index].append(seconds)
            assert has_discount(browsers["friend"])
    return {what: (median(few), median(many)) for what, (few, many) in found.items()}


def timed(work: Callable[[], Any], times: int) -> float:
    """Seconds of one ``work``: the median."""
    found = []
    for _time in range(times):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return median(found)


if __name__ == "__main__":
    main()
