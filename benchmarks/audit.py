"""How long the audit of a big shop takes, and how much memory: ``python -m benchmarks.audit``, on PostgreSQL.

One customer's story is lived through the shop's own code: a friend's order that is rewarded, an order paid with credit,
a refund, a failed payment, a correction; ten movements in all. Then the rows are copied, a hundred thousand times for a
million movements. What has to come out is that everything agrees: it says so, or it fails.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

MOVEMENTS = 10
STRIDE = 1000
SIZES = (10_000, 1_000_000)


def live() -> tuple[list[Any], dict[str, str]]:
    """The rows of one story, and what of their texts has to differ between the copies."""
    from django.contrib.auth import get_user_model
    from django.utils import timezone
    from oscar.core.loading import get_model
    from oscar.test.factories import create_product

    from benchmarks.worker import filled_basket, place
    from oscar_integration.refunds import refund_credit
    from wagtail_referrals import credit, rewards
    from wagtail_referrals.credit.models import Account, Entry, Lot, Reservation
    from wagtail_referrals.people import advocate_for, code_of
    from wagtail_referrals.people.models import Advocate
    from wagtail_referrals.programs import publish_terms
    from wagtail_referrals.programs.models import Program, ProgramRule
    from wagtail_referrals.referrals.models import Purchase, Referral
    from wagtail_referrals.rewards.models import DiscountGrant, Reward
    from wagtail_referrals.tracking.models import Claim
    from wagtail_referrals.trust.models import Decision

    def order(user: Any, number: str, status: str, **more: Any) -> Any:
        placed = filled_basket([product], user)
        if more:
            rewards.commit(basket_reference=str(placed.pk), user=user, **more)
        place((placed, user, number))
        made = get_model("order", "Order").objects.get(number=number)
        made.set_status("Paid")
        made.set_status(status)
        return made

    User = get_user_model()
    program = Program(name="Benchmark", live=True, hold_days=0)
    program.rules = [
        ProgramRule(side="friend", trigger="arrives", kind="discount_percent", percent=Decimal(10)),
        ProgramRule(side="advocate", trigger="first_purchase", kind="credit", amounts={"EUR": "15.00"}),
    ]
    program.save()
    publish_terms(program)
    product = create_product(title="Mat", price=Decimal(50), num_in_stock=100_000)
    advocate = User.objects.create_user("advocate", "advocate@example.com", "x", first_name="Camille")
    friend = User.objects.create_user("friend", "friend@example.com", "x")
    order(friend, "friends", "Shipped", code=code_of(advocate_for(advocate)))
    referral = Referral.objects.get()
    rewards.settle(referral.pk)
    who = {"user": advocate, "currency": "EUR"}
    credit.grant(**who, amount=Decimal(10), key="welcome", expires_at=timezone.now() + timedelta(days=900))
    later = timezone.now() + timedelta(hours=1)
    credit.reserve(**who, amount=Decimal(20), order_number="own", expires_at=later)
    own = order(advocate, "own", "Shipped")
    refund_credit(own, Decimal(3), key="own")
    credit.reserve(**who, amount=Decimal(2), order_number="left", expires_at=later)
    credit.release(order_number="left")
    credit.adjust(**who, amount=Decimal(1), key="correction")
    # What is looked at again every day is not, in a shop whose sweep runs.
    Referral.objects.update(next_check_at=timezone.now() + timedelta(hours=20))

    reward = Reward.objects.get()
    texts = {
        **{text: f"'{text}-' || g" for text in ("friends", "own", "left", "welcome", "correction")},
        f"reward:{reward.pk}": f"'reward:' || {reward.pk} + g * {STRIDE}",
        f"purchase:{reward.purchase_id}": f"'purchase:' || {reward.purchase_id} + g * {STRIDE}",
        "advocate": "'advocate-' || g",
    }
    Order, Line, Source, Change, OrderDiscount = (
        get_model(*name.split("."))
        for name in (
            "order.Order",
            "order.Line",
            "payment.Source",
            "order.OrderStatusChange",
            "order.OrderDiscount",
        )
    )
    models = (User, Advocate, Claim, DiscountGrant, Referral, Purchase, Decision, Reward, Account, Lot)
    models += (Reservation, Entry, Order, Line, Source, Change, OrderDiscount)
    rows = [row for model in models for row in model._default_manager.all()]
    assert Entry.objects.count() == MOVEMENTS, Entry.objects.count()
    return rows, texts


def copy(rows: list[Any], texts: dict[str, str], times: int) -> None:
    """Write these rows so many times more: other keys, the same references among them."""
    from django.db import connection, models

    known = {(type(row)._meta.db_table, row.pk) for row in rows}

    def expression(field: Any, row: Any) -> str:
        value = getattr(row, field.attname)
        column = f"t.{connection.ops.quote_name(field.column)}"
        if field.primary_key:
            return f"{column} + g * {STRIDE}"
        if isinstance(field, models.ForeignKey) and value is not None:
            related = field.related_model._meta.db_table
            return f"{column} + g * {STRIDE}" if (related, value) in known else column
        if isinstance(field, models.UUIDField) and field.unique:
            return "gen_random_uuid()"
        if isinstance(field, models.CharField) and value:
            if field.name in ("email_hash", "friend_email_hash", "voucher_code", "code"):
                return f"left({column}, 48) || g"
            for text, copied in texts.items():
                if field.name in _NAMED and text in value:
                    before, _, after = value.partition(text)
                    return f"'{before}' || ({copied}) || '{after}'"
            if field.unique:
                return f"{column} || g"
        return column

    with connection.cursor() as cursor:
        # The copies refer to each other as the originals do.
        cursor.execute("SET session_replication_role = replica")
        for row in rows:
            table = connection.ops.quote_name(type(row)._meta.db_table)
            fields = list(type(row)._meta.concrete_fields)
            columns = ", ".join(connection.ops.quote_name(field.column) for field in fields)
            values = ", ".join(expression(field, row) for field in fields)
            cursor.execute(
                f"INSERT INTO {table} ({columns}) SELECT {values} FROM {table} t, generate_series(1, %s) g "
                f"WHERE t.{connection.ops.quote_name(type(row)._meta.pk.column)} = %s",
                [times, row.pk],
            )
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("ANALYZE")


# Texts by which rows are told apart or found.
_NAMED = {
    "username",
    "email",
    "number",
    "order_number",
    "key",
    "reference",
    "used_reference",
    "source",
    "occasion",
}


def worker(movements: int) -> dict[str, Any]:
    import django

    django.setup()
    from tests.databases import TestDatabase

    database = TestDatabase(lambda text: print(text, file=sys.stderr, flush=True))
    try:
        rows, texts = live()
        copy(rows, texts, movements // MOVEMENTS - 1)
        from wagtail_referrals.audit import audit

        found: list[str] = []
        before = peak()
        started = time.perf_counter()
        run = audit(report=lambda finding: found.append(f"{finding.problem.key}: {finding.message}"))
        seconds = time.perf_counter() - started
        assert run.agrees, found[:20]
        return {"seconds": seconds, "before": before, "peak": peak(), "looked_at": run.looked_at}
    finally:
        database.drop()


def peak() -> float:
    """The most memory that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit", description=__doc__)
    parser.add_argument("--movements", type=int, nargs="*", default=SIZES)
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(worker(options.worker)))
        return
    environment = {**os.environ, "TEST_DATABASE": "postgres", "DJANGO_SETTINGS_MODULE": "benchmarks.settings"}
    print("\nThe audit, on postgres (goal: a million movements in under 60 s, in the same memory)")
    for movements in options.movements:
        print(f"audit of {movements} movements", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "benchmarks.audit", "--worker", str(movements)]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
        found = json.loads(done.stdout.strip().splitlines()[-1])
        rows = sum(found["looked_at"].values())
        print(
            f"  {movements:>9} movements, {rows:>9} rows: {found['seconds']:6.1f} s, peak {found['peak']:4.0f} MB"
        )


if __name__ == "__main__":
    main()
