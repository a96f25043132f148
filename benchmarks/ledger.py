"""Setting credit aside and spending it, against the least that a debit could be and against django-hordak's.

Ratios within one run, on PostgreSQL; the milliseconds say more about the machine. Contenders take turns, so that a
machine that gets slower gets slower for all. One spender, whose account is debited by one process or by eight at once,
with no earlier movements or with a hundred thousand. Every contender checks what is there before it takes it, under a
lock on the account, and the balances are looked at in the end: a contender that is fast and wrong has not won.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from statistics import median
from typing import Any

CENT = Decimal("0.01")
FUNDS = Decimal("5000.00")
HISTORY = 100_000
PROCESSES = 8
GOAL = 2.0
Work = Callable[[str], None]


class Contender:
    """A way of debiting the spender's account by one cent, called with a name for the order."""

    name = ""
    # The steps of one order, in their order.
    steps: tuple[str, ...] = ()

    def fund(self, earlier: int) -> None:
        """Give the spender ``FUNDS``, after that many earlier movements. Called once for each history."""
        raise NotImplementedError

    def step(self, step: str, order: str) -> None:
        raise NotImplementedError

    def spent(self) -> Decimal:
        """What was taken since ``fund``, from the rows; fails if the books do not agree."""
        raise NotImplementedError


class Floor(Contender):
    name = "row lock, two INSERTs, one UPDATE in the ORM"
    steps = ("debit",)

    def fund(self, earlier: int) -> None:
        from benchmarks.floor.models import FloorAccount, FloorEntry

        self.owner = f"spender-{earlier}"
        self.account = FloorAccount.objects.create(owner=self.owner, balance=FUNDS)
        self.shop = FloorAccount.objects.create(owner=f"shop-{earlier}", balance=0)
        in_batches(
            FloorEntry, (FloorEntry(account=self.account, amount=0, created_at=now()) for _ in range(earlier))
        )
        FloorEntry.objects.create(account=self.account, amount=FUNDS, created_at=now())

    def step(self, step: str, order: str) -> None:
        from benchmarks.floor.models import debit

        debit(self.owner, CENT, self.shop, now())

    def spent(self) -> Decimal:
        from django.db.models import Sum

        self.account.refresh_from_db()
        assert self.account.floorentry_set.aggregate(sum=Sum("amount"))["sum"] == self.account.balance
        return FUNDS - self.account.balance


class Ledger(Contender):
    name = "this ledger"
    steps = ("reserve", "capture")

    def fund(self, earlier: int) -> None:
        from django.contrib.auth import get_user_model

        from wagtail_referrals import credit

        self.user = get_user_model().objects.create_user(f"spender-{earlier}")
        # Three lots that are open, as somebody may have who refers a lot; the first one pays for everything here.
        for number in range(3):
            credit.grant(
                user=self.user,
                currency="EUR",
                amount=FUNDS,
                key=f"fund:{earlier}:{number}",
                source=f"reward:{earlier}{number}",
                expires_at=now() + timedelta(days=30 * (1 + number)),
            )
        self.account = credit.account_of(self.user, "EUR")
        self.earlier_orders(earlier // 3)

    def earlier_orders(self, count: int) -> None:
        """Rewards that were spent entirely: three movements each, a lot and a reservation."""
        from wagtail_referrals.credit.models import Entry, Lot, Reservation

        when = now()

        def lots() -> Any:
            for _ in range(count):
                yield Lot(account=self.account, amount=CENT, remaining=0, reserved=0, created_at=when)

        def reservations() -> Any:
            for number in range(count):
                order = f"earlier-{self.account.pk}-{number}"
                yield Reservation(
                    account=self.account,
                    order_number=order,
                    key=f"{order}:1",
                    amount=CENT,
                    state=Reservation.State.CAPTURED,
                    created_at=when,
                    expires_at=when,
                )

        def entries() -> Any:
            kinds = Entry.Kind
            for lot, reservation in zip(made, held, strict=True):
                common = {"account": self.account, "lot": lot, "created_at": when}
                yield Entry(kind=kinds.GRANT, key=f"earlier:{lot.pk}", amount=CENT, **common)
                common["reservation"] = reservation
                key = reservation.key
                yield Entry(kind=kinds.RESERVE, key=f"reserve:{key}", reserved_delta=CENT, **common)
                yield Entry(
                    kind=kinds.CAPTURE, key=f"capture:{key}", amount=-CENT, reserved_delta=-CENT, **common
                )

        made, held = in_batches(Lot, lots()), in_batches(Reservation, reservations())
        in_batches(Entry, entries())

    def step(self, step: str, order: str) -> None:
        from wagtail_referrals import credit

        if step == "reserve":
            credit.reserve(
                user=self.user,
                currency="EUR",
                amount=CENT,
                order_number=order,
                expires_at=now() + timedelta(hours=1),
            )
        else:
            reservation = credit.capture(order_number=order)
            assert reservation is not None
            assert reservation.spent_now

    def spent(self) -> Decimal:
        from tests.credit.audit import assert_books_agree

        assert_books_agree()
        self.account.refresh_from_db()
        assert (self.account.reserved, self.account.shortfall) == (0, 0)
        return 3 * FUNDS - self.account.balance


class Hordak(Contender):
    name = "django-hordak with a row lock"
    steps = ("transfer",)

    def fund(self, earlier: int) -> None:
        from hordak.models import Account, AccountType, Leg, Transaction
        from moneyed import Money

        self.spender = Account.objects.create(
            name=f"spender-{earlier}", type=AccountType.asset, currencies=["EUR"]
        )
        self.shop = Account.objects.create(name=f"shop-{earlier}", type=AccountType.asset, currencies=["EUR"])
        self.shop.transfer_to(self.spender, Money(FUNDS + CENT * earlier, "EUR"))
        transactions = in_batches(Transaction, (Transaction() for _ in range(earlier)))
        cent = Money(CENT, "EUR")
        in_batches(
            Leg,
            (
                leg
                for each in transactions
                for leg in (
                    Leg(transaction=each, account=self.spender, credit=cent),
                    Leg(transaction=each, account=self.shop, debit=cent),
                )
            ),
        )
        self.before = self.balance()

    def balance(self) -> Decimal:
        from hordak.models import Account

        found = Account.objects.with_balances().get(pk=self.spender.pk).balance
        amount: Decimal = found["EUR"].amount
        return amount

    def step(self, step: str, order: str) -> None:
        from django.db import transaction
        from hordak.models import Account
        from moneyed import Money

        with transaction.atomic():
            account = Account.objects.select_for_update(no_key=True).get(pk=self.spender.pk)
            # Asked under the lock: a balance that was read while waiting for it would be an old one.
            if self.balance() < CENT:
                raise ValueError("Not that much is there.")
            account.transfer_to(self.shop, Money(CENT, "EUR"), description=order)

    def spent(self) -> Decimal:
        assert self.before == FUNDS
        return self.before - self.balance()


def now() -> Any:
    from django.utils import timezone

    return timezone.now()


def in_batches(model: Any, rows: Any) -> list[Any]:
    return list(model.objects.bulk_create(rows, batch_size=5000))


def alone(contender: Contender, step: str, orders: list[str]) -> list[float]:
    """Seconds of each of ``orders``, in this process."""
    found = []
    for order in orders:
        started = time.perf_counter()
        contender.step(step, order)
        found.append(time.perf_counter() - started)
    return found


def together(contender: Contender, step: str, orders: list[str], processes: int) -> float:
    """Seconds for each of ``orders``, which several processes share: from the first to the last, divided."""
    from django.db import connections

    connections.close_all()
    context = multiprocessing.get_context("fork")
    barrier, errors = context.Barrier(processes + 1), context.SimpleQueue()

    def work(share: list[str]) -> None:
        try:
            # A connection of its own, made before the start.
            connections["default"].ensure_connection()
            barrier.wait(60)
            for order in share:
                contender.step(step, order)
        except BaseException as error:
            errors.put(repr(error))
        finally:
            os._exit(0)

    children = [
        context.Process(target=work, args=(orders[number::processes],)) for number in range(processes)
    ]
    for child in children:
        child.start()
    barrier.wait(60)
    started = time.perf_counter()
    for child in children:
        child.join()
    seconds = time.perf_counter() - started
    if not errors.empty():
        raise RuntimeError(errors.get())
    return seconds / len(orders)


def statements(contender: Contender, step: str, order: str) -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        contender.step(step, order)
    return len([query for query in captured if query["sql"] not in ("BEGIN", "COMMIT")])


def tidy() -> None:
    """What a server does by itself from time to time, at the same time for all."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def compare(earlier: int, rounds: int, orders: int) -> None:
    floor, ledger, hordak = Floor(), Ledger(), Hordak()
    contenders: list[Contender] = [floor, ledger, hordak]
    print(f"\na spender with {earlier} earlier movements", file=sys.stderr, flush=True)
    for contender in contenders:
        print(f"  the books of: {contender.name}", file=sys.stderr, flush=True)
        contender.fund(earlier)
    counts = {
        (contender, step): statements(contender, step, f"count-{earlier}")
        for contender in contenders
        for step in contender.steps
    }
    done = 1
    found: dict[tuple[int, Contender, str], list[float]] = {}
    for number in range(rounds + 1):
        print(f"  round {number} of {rounds}", file=sys.stderr, flush=True)
        for processes in (1, PROCESSES):
            tidy()
            names = [f"{earlier}-{number}-{processes}-{order}" for order in range(orders)]
            # Alone they take turns every few orders, so that whatever else this machine does is shared evenly.
            size = 5 if processes == 1 else orders
            for start in range(0, orders, size):
                for contender in contenders:
                    for step in contender.steps:
                        some = names[start : start + size]
                        if processes == 1:
                            seconds = alone(contender, step, some)
                        else:
                            seconds = [together(contender, step, some, processes)]
                        # The first round only warms up.
                        if number:
                            found.setdefault((processes, contender, step), []).extend(seconds)
            done += orders
    for contender in contenders:
        assert contender.spent() == done * CENT, (
            f"{contender.name} took {contender.spent()} for {done} orders"
        )
    for processes in (1, PROCESSES):
        base = median(found[processes, floor, "debit"])
        transfer = median(found[processes, hordak, "transfer"])
        who = "one process" if processes == 1 else f"{processes} processes at the one account"
        print(f"\n{earlier} earlier movements, {who}: median of {rounds} rounds of {orders}")
        print(f"  {'':52} statements        ms    floors  transfers")
        for contender in contenders:
            for step in contender.steps:
                seconds = median(found[processes, contender, step])
                line = (
                    f"  {contender.name + ': ' + step:52} {counts[contender, step]:10} {seconds * 1000:9.2f}"
                )
                line += f" {seconds / base:9.2f} {seconds / transfer:10.2f}"
                if contender is ledger:
                    line += f"   goal {GOAL} floors, {'met' if seconds / base < GOAL else 'MISSED'}"
                print(line)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--orders", type=int, default=100, help="in each round")
    parser.add_argument("--earlier", type=int, default=HISTORY, help="movements of a spender with a history")
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.ledger_settings"
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from tests import databases

    store, name = databases.PostgresDatabases(), f"run_{os.getpid()}"
    store.create(name)
    try:
        databases.use(name)
        call_command("migrate", verbosity=0, interactive=False, run_syncdb=True)
        for earlier in (0, options.earlier):
            compare(earlier, options.rounds, options.orders)
    finally:
        connection.close()
        store.drop(name)


if __name__ == "__main__":
    main()
