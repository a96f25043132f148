"""What a big shop's backfill takes, and what looking for old customers costs then: ``python -m benchmarks.backfill``.

On PostgreSQL: 50,000 accounts and 120,000 orders, a third of them of guests. The addresses are written, everybody gets
a code, the links go to a file. Then variants of old addresses are looked for, as checkout does, before and after: the
answers have to be right, and no table of customers or orders may be gone through.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

CUSTOMERS = 50_000
ORDERS = 120_000
LOOKUPS = 200
# Tables that must not be gone through.
BIG = re.compile(r"Seq Scan on (\w*(?:order_order|auth_user|accounts?_user|customeremail)) .*?\(actual time")


def fill(customers: int, orders: int) -> None:
    """Accounts and orders as they came before the package: written past all signals."""
    from django.contrib.auth import get_user_model
    from django.contrib.sites.models import Site
    from django.utils import timezone
    from oscar.core.loading import get_model

    User, Order = get_user_model(), get_model("order", "Order")
    site, now = Site.objects.get_current(), timezone.now()
    for start in range(0, customers, 5000):
        User.objects.bulk_create(
            User(
                username=f"c{number}",
                email=f"Customer.{number}@mail{number % 500}.example",
                first_name=f"Name {number}",
            )
            for number in range(start, min(start + 5000, customers))
        )
    ids = list(User.objects.order_by("pk").values_list("pk", flat=True))
    for start in range(0, orders, 5000):
        Order.objects.bulk_create(
            Order(
                number=f"{100_000 + number}",
                site=site,
                currency="EUR",
                total_incl_tax=Decimal(50),
                total_excl_tax=Decimal(40),
                status="Complete",
                date_placed=now - timedelta(minutes=20 * number),
                user_id=None if number % 3 == 0 else ids[number * 7 % len(ids)],
                guest_email=f"Guest.{number}@mail{number % 500}.example" if number % 3 == 0 else "",
            )
            for number in range(start, min(start + 5000, orders))
        )
    analyze()


def analyze() -> None:
    """As autovacuum does within a minute."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found


def lookups(right: bool) -> dict[str, Any]:
    """What checkout's question costs, in ms: of this process, and at most of the database's; and what is gone through.

    Asked for variants of old customers' addresses, and for strangers.
    """
    from django.db import connection
    from oscar.core.loading import get_model

    from oscar_integration.shop import OscarShop, orders_of

    shop = OscarShop()
    answers = []
    started = time.process_time()
    for number in range(LOOKUPS):
        # Every third order is a guest's.
        email = (
            f"gue.st{number * 3}+again@mail{number * 3 % 500}.example"
            if number % 2
            else f"new{number}@mail1.example"
        )
        answers.append(shop.was_customer(user=None, email=email, excluding="0"))
    here = (time.process_time() - started) * 1000 / LOOKUPS
    if right:
        assert answers == [bool(number % 2) for number in range(LOOKUPS)]
    user = get_model("order", "Order").objects.filter(user__isnull=False).latest("pk").user
    through, there = set(), []
    for who, email in ((None, "gue.st3@mail3.example"), (None, "nobody@mail1.example"), (user, "")):
        plan = orders_of(who, email).explain(analyze=True)
        through |= set(BIG.findall(plan))
        there.append(sum(map(float, re.findall(r"^(?:Planning|Execution) Time: ([0-9.]+) ms", plan, re.M))))
        if right and os.environ.get("SHOW_PLANS"):
            print(plan, file=sys.stderr)
    assert connection.vendor == "postgresql"
    return {"here": here, "there": max(there), "through": sorted(through)}


def peak() -> float:
    """The most memory that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def worker(customers: int, orders: int) -> dict[str, Any]:
    import django

    django.setup()
    from django.core.management import call_command

    from tests.databases import TestDatabase
    from wagtail_referrals.people.models import Code, CustomerEmail

    database = TestDatabase(lambda text: print(text, file=sys.stderr, flush=True))
    try:
        # In a process of its own, as its memory is not what is measured.
        fill(customers, orders)
        before = lookups(right=False)
        memory = peak()
        found: dict[str, Any] = {"before": before}
        found["addresses"], _ = timed(lambda: call_command("referrals_backfill", stdout=sys.stderr))
        assert CustomerEmail.objects.count() == customers + (orders + 2) // 3
        found["again"], _ = timed(lambda: call_command("referrals_backfill", stdout=sys.stderr))
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "links.csv"
            found["codes"], _ = timed(
                lambda: call_command("referrals_backfill", codes="all", stdout=sys.stderr)
            )
            assert Code.objects.count() == customers
            found["links"], _ = timed(
                lambda: call_command("referrals_backfill", links=str(file), everybody=True, stdout=sys.stderr)
            )
            with file.open() as lines:
                assert sum(1 for _line in lines) == customers + 1
        found["memory"] = {"before": memory, "peak": peak()}
        analyze()
        found["after"] = lookups(right=True)
        assert not found["after"]["through"], found["after"]
        return found
    finally:
        database.drop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backfill", description=__doc__)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--orders", type=int, default=ORDERS)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(worker(options.customers, options.orders)))
        return
    environment = {**os.environ, "TEST_DATABASE": "postgres", "DJANGO_SETTINGS_MODULE": "benchmarks.settings"}
    print(
        "\nThe backfill, on postgres (goal: 50,000 customers and 120,000 orders in under 120 s, in the same memory)"
    )
    for share in (10, 1):
        customers, orders = options.customers // share, options.orders // share
        command = [sys.executable, "-m", "benchmarks.backfill", "--worker"]
        command += ["--customers", str(customers), "--orders", str(orders)]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
        found = json.loads(done.stdout.strip().splitlines()[-1])
        print(
            f"  {customers:>6} customers, {orders:>6} orders: addresses {found['addresses']:5.1f} s, again "
            f"{found['again']:5.1f} s, codes {found['codes']:5.1f} s, links {found['links']:5.1f} s, "
            f"{found['memory']['peak'] - found['memory']['before']:4.0f} MB more than before"
        )
        for when in ("before", "after"):
            asked = found[when]
            print(
                f"    looking for a customer {when}: {asked['here']:.2f} ms of the processor and "
                f"{asked['there']:.2f} ms of the database, going through {', '.join(asked['through']) or 'no table'}"
            )


if __name__ == "__main__":
    main()
