"""Real threads on a real PostgreSQL: nothing is overspent, nobody waits for ever, every loser is told."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.books import LEDGER, assert_audit_clean
from tests.credit.audit import assert_books_agree
from wagtail_referrals import credit
from wagtail_referrals.credit import Account, Entry, Lot, Reservation

D = Decimal
THREADS = 16

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor != "postgresql",
        reason="SQLite has one writer at a time; row locks are proved with TEST_DATABASE=postgres.",
    ),
]


def at_once(work: Callable[[int], Any], threads: int = THREADS) -> list[Any]:
    """Call ``work(0)``, ``work(1)``... in threads that start together; their results, or what they raised."""
    together = threading.Barrier(threads)

    def run(number: int) -> Any:
        try:
            with connection.cursor() as cursor:
                # A deadlock is found by then, and a lock that nobody gives back fails the test instead of hanging it.
                cursor.execute("SET deadlock_timeout = '100ms'; SET lock_timeout = '30s'")
            together.wait(timeout=30)
            return work(number)
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


def no_errors(results: list[Any]) -> None:
    unexpected = [result for result in results if isinstance(result, Exception)]
    assert not unexpected, unexpected


@pytest.mark.parametrize("atomic_requests", [False, True])
def test_sixteen_checkouts_spend_one_account(customer, give, set_aside, now, atomic_requests):
    """100 in four lots, and 16 orders of 7: 14 are paid, 2 are told that 2 are left."""
    for days in (3, 5, 7, 9):
        give("25", days=days)

    def order(number: int) -> str:
        set_aside("7", f"order-{number}")
        return credit.capture(order_number=f"order-{number}", now=now).state

    def request(number: int) -> str:
        if not atomic_requests:
            return order(number)
        with transaction.atomic():
            return order(number)

    results = at_once(request)
    told = [result for result in results if isinstance(result, credit.InsufficientCredit)]
    assert (results.count("captured"), len(told)) == (14, 2), results
    assert {(refusal.available, refusal.currency) for refusal in told} == {(D(2), "EUR")}
    account = Account.objects.get()
    assert (account.balance, account.reserved, account.shortfall) == (D(2), D(0), D(0))


def test_the_same_key_from_sixteen_threads_is_one_grant(customer, give, now):
    """For a customer who has no account yet: that is made once too."""
    results = at_once(lambda number: give("5", key="reward:1:1").pk)
    no_errors(results)
    assert len(set(results)) == 1
    assert Account.objects.get().balance == D(5)


def test_the_same_key_from_sixteen_threads_is_one_of_each(customer, give, set_aside, now):
    give("100")
    set_aside("40")
    captured = at_once(lambda number: credit.capture(order_number="100001", now=now).pk)
    no_errors(captured)
    assert Entry.objects.filter(kind=Entry.Kind.CAPTURE).count() == 1

    def refund(number: int) -> int:
        return credit.refund(order_number="100001", amount=D(15), key="refund:1", now=now).pk

    def take(number: int) -> int:
        arguments = {"user": customer, "currency": "EUR", "now": now}
        if number % 2:
            return credit.adjust(amount=D(-3), key="adjust:1", **arguments).pk
        return credit.claw_back(amount=D(2), key="reward:1:2", **arguments).pk

    refunded, taken = at_once(refund), at_once(take)
    no_errors(refunded + taken)
    assert len(set(refunded)) == 1
    assert len(set(taken)) == 2
    assert Account.objects.get().balance == D(100 - 40 + 15 - 3 - 2)


def _once(operation: str, customer: Any, now: Any) -> Any:
    """A call of this operation; the same each time. What tells whether two calls came out the same."""
    who = {"user": customer, "currency": "EUR", "now": now}
    order = {"order_number": operation, "now": now}
    key, hour, later = f"key:{operation}", now + timedelta(hours=1), now + timedelta(days=40)
    calls: dict[str, Callable[[], Any]] = {
        "grant": lambda: credit.grant(**who, amount=D(5), key=key).pk,
        "claw_back": lambda: credit.claw_back(**who, amount=D(90), source="reward:1", key=key).pk,
        "adjust up": lambda: credit.adjust(**who, amount=D(5), key=key).pk,
        "adjust down": lambda: credit.adjust(**who, amount=D(-5), key=key).pk,
        "reserve": lambda: credit.reserve(**who, amount=D(30), order_number=operation, expires_at=hour).pk,
        "capture": lambda: credit.capture(**order).pk,
        "release": lambda: credit.release(**order).pk,
        "withdraw": lambda: credit.withdraw(**order).pk,
        "refund": lambda: credit.refund(**order, amount=D(7), key=key).pk,
        "expire_reservations": lambda: credit.expire_reservations(now=later) >= 0,
        "expire": lambda: credit.expire(now=later) >= 0,
    }
    return calls[operation]()


# (operation, movements that it writes, balance, set aside), each on a new account with 40 in a lot of which 10 have
# expired before. Where something is recovered, all that is free was taken before, and 5 more.
_EACH = [
    ("grant", {"grant": 1, "recovery": 1}, 0, 0),
    # 40 are taken, 10 had expired, 40 are to recover.
    ("claw_back", {"clawback": 2, "forgiven": 1}, 0, 0),
    ("adjust up", {"adjust": 1, "recovery": 1}, 0, 0),
    ("adjust down", {"adjust": 1}, 35, 0),
    ("reserve", {"reserve": 1}, 40, 30),
    ("capture", {"capture": 1}, 10, 0),
    ("release", {"release": 1, "recovery": 1}, 25, 0),
    ("withdraw", {"release": 1, "recovery": 1}, 25, 0),
    ("refund", {"refund": 1, "recovery": 1}, 2, 0),
    ("expire_reservations", {"release": 1, "recovery": 1}, 25, 0),
    ("expire", {"expire": 1}, 0, 0),
]


def test_every_operation_from_sixteen_threads_is_done_once(make_customer, give, set_aside, now):
    """One test for all, as each test that commits costs a new database."""
    for number, (operation, kinds, balance, reserved) in enumerate(_EACH):
        who = make_customer()
        give("10", user=who, key=f"before:{number}", source="reward:1", days=-1)
        credit.expire(now=now)
        give("40", user=who, key=f"there:{number}", source="reward:1", days=30)
        if operation in ("capture", "release", "withdraw", "refund", "expire_reservations"):
            set_aside("30", operation, user=who)
        if operation == "refund":
            credit.capture(order_number=operation, now=now)
        if "recovery" in kinds:
            free = credit.available(who, "EUR", now=now)
            credit.claw_back(user=who, currency="EUR", amount=free + 5, key=f"debt:{number}", now=now)
        account = Account.objects.get(user=who)
        before = account.entries.count()
        results = at_once(lambda _, operation=operation, who=who: _once(operation, who, now))
        no_errors(results)
        assert len(set(results)) == 1, operation
        written = account.entries.order_by("pk").values_list("kind", flat=True)[before:]
        assert dict(Counter(written)) == kinds, operation
        account.refresh_from_db()
        assert (account.balance, account.reserved) == (D(balance), D(reserved)), operation


def test_everything_at_once_leaves_books_that_agree(customer, give, set_aside, now):
    """Sixteen threads set aside, spend, give back, free, let expire and take back, each as the others go on."""
    for number in range(12):
        give("6", source=f"reward:{number % 4}", days=number % 3 or None)
    moments = [now + timedelta(hours=9 * turn) for turn in range(8)]

    def work(number: int) -> str:
        for turn, moment in enumerate(moments):
            order = f"order-{number % 8}"
            step = (number + turn) % 8
            try:
                if step in (0, 1):
                    later = moment + timedelta(hours=1)
                    set_aside(str(3 + number % 4), order, now=moment, expires_at=later)
                elif step == 2:
                    credit.capture(order_number=order, now=moment)
                elif step == 3:
                    key = f"refund:{number}:{turn}"
                    credit.refund(order_number=order, amount=D(2), key=key, now=moment)
                elif step == 4:
                    credit.expire(now=moment)
                    credit.expire_reservations(now=moment)
                elif step == 5:
                    who = {"user": customer, "currency": "EUR", "now": moment}
                    key, source = f"back:{number}:{turn}", f"reward:{number % 4}"
                    credit.claw_back(**who, amount=D(4), key=key, source=source)
                elif step == 6:
                    credit.release(order_number=order, now=moment)
                else:
                    give("5", key=f"more:{number}:{turn}", source=f"reward:{turn % 4}", days=1, now=moment)
            except (credit.InsufficientCredit, credit.NothingToRefund):
                # Told so, with what is left.
                continue
        return "done"

    assert at_once(work) == ["done"] * THREADS
    assert_books_agree()
    assert_audit_clean(only=("safeguards", *LEDGER))
    kinds = set(Entry.objects.values_list("kind", flat=True))
    assert kinds >= {"grant", "reserve", "clawback"}


def test_a_double_click_from_sixteen_threads_sets_aside_once(customer, give, set_aside):
    give("100")
    results = at_once(lambda number: set_aside("40").pk)
    no_errors(results)
    assert len(set(results)) == 1
    assert Account.objects.get().reserved == D(40)


def test_attempts_of_one_order_in_two_currencies_end_with_one(customer, give, set_aside):
    """Each attempt needs the lock of the account that holds the other: taken in one order, nobody deadlocks."""
    give("1000")
    give("1000", currency="JPY")

    def attempt(number: int) -> str:
        return set_aside(str(number + 1), currency=("EUR", "JPY")[number % 2]).state

    no_errors(at_once(attempt))
    active = Reservation.objects.get(state=Reservation.State.ACTIVE)
    assert Reservation.objects.count() == THREADS
    held = {account.currency: account.reserved for account in Account.objects.all()}
    assert held[active.account.currency] == active.amount
    assert sum(held.values()) == active.amount


def test_orders_grants_and_clawbacks_at_once(customer, give, set_aside, now):
    """What remains is what was given, without what was spent and taken back, whoever came first."""
    give("60", days=30)

    def work(number: int) -> str:
        kind = number % 4
        if kind == 0:
            give("5", key=f"reward:{number}:1", source=f"reward:{number}")
        elif kind == 1:
            credit.claw_back(user=customer, currency="EUR", amount=D(3), key=f"taken:{number}", now=now)
        elif kind == 2:
            set_aside("6", f"order-{number}")
            credit.capture(order_number=f"order-{number}", now=now)
        else:
            set_aside("6", f"order-{number}")
            credit.release(order_number=f"order-{number}", now=now)
        return "done"

    assert at_once(work) == ["done"] * THREADS
    account = Account.objects.get()
    assert (account.balance, account.reserved, account.shortfall) == (D(60 + 20 - 12 - 24), D(0), D(0))


def test_checkout_and_settle_under_atomic_requests(customer, make_customer, give, set_aside, now):
    """Settle holds many accounts in one transaction, checkouts hold one and insert rows: no deadlock, 10 times over."""
    people = [make_customer() for _ in range(THREADS)]
    for person in people:
        give("100", user=person)

    def work(number: int) -> str:
        for turn in range(10):
            with transaction.atomic():
                if number % 2:
                    set_aside("2", f"order-{number}-{turn}", user=people[number])
                    credit.capture(order_number=f"order-{number}-{turn}", now=now)
                else:
                    pair = [people[(number + turn) % THREADS], people[(number * 7 + turn * 3 + 1) % THREADS]]
                    credit.lock_accounts((person, "EUR") for person in pair)
                    for side, person in enumerate(pair):
                        give("1", user=person, key=f"reward:{number}:{turn}:{side}")
        return "done"

    assert at_once(work) == ["done"] * THREADS
    total = sum(account.balance for account in Account.objects.all())
    assert total == D(1600 + 8 * 10 * 2 - 8 * 10 * 2)


def test_two_transactions_that_post_to_the_same_two_accounts(customer, make_customer, give):
    """Each gives to one first and then to the other: without ``lock_accounts`` they wait for each other."""
    people = [customer, make_customer()]
    for person in people:
        give("1", user=person)
    halfway = [threading.Event(), threading.Event()]

    def settle(number: int) -> str:
        mine, theirs = people[number], people[1 - number]
        with transaction.atomic():
            credit.lock_accounts([(mine, "EUR"), (theirs, "EUR")])
            give("5", user=mine, key=f"reward:{number}:mine")
            halfway[number].set()
            # The other one is halfway too only if nothing keeps them apart; then both are stuck.
            halfway[1 - number].wait(timeout=0.5)
            give("5", user=theirs, key=f"reward:{number}:theirs")
        return "done"

    assert at_once(settle, 2) == ["done", "done"]
    assert [account.balance for account in Account.objects.all()] == [D(11), D(11)]


def test_the_locks_let_others_refer_to_the_rows(customer, give, set_aside, now):
    """A plain FOR UPDATE waits for every transaction that inserted a row with a foreign key to it, and blocks those."""
    give("10")
    with CaptureQueriesContext(connection) as queries:
        set_aside("5")
        credit.capture(order_number="100001", now=now)
        credit.refund(order_number="100001", amount=D(1), key="refund:1", now=now)
        credit.claw_back(user=customer, currency="EUR", amount=D(1), key="reward:1:2", now=now)
        set_aside("2", "100002")
        credit.release(order_number="100002", now=now)
        with transaction.atomic():
            credit.lock_accounts([(customer, "EUR")])
        set_aside("2", "100003")
        credit.expire_reservations(now=now + timedelta(days=1))
    locks = [
        query["sql"] for query in queries if " UPDATE OF " in query["sql"] or " UPDATE SKIP" in query["sql"]
    ]
    assert len(locks) >= 12
    assert all(" FOR NO KEY UPDATE" in sql for sql in locks)
    several = [
        sql.rpartition(" UPDATE OF ")[2].split(", ")
        for sql in locks
        if ", " in sql.rpartition(" UPDATE OF ")[2]
    ]
    assert several
    assert all("_account" in tables[0] for tables in several), "the account first, then what belongs to it"


def while_others_wait(
    first: Callable[[], Any], second: Callable[[], Any], meanwhile: Callable[[], Any]
) -> Any:
    """Run ``first`` in a transaction and, before it is committed, start ``second``, which has to wait for it.

    ``meanwhile`` is run in the first transaction once the other waits. What ``second`` returned.
    """
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(second())
        except Exception as error:
            outcome.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    with transaction.atomic(), connection.cursor() as cursor:
        first()
        thread.start()
        waiting = 0
        while not waiting and thread.is_alive():
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            (waiting,) = cursor.fetchone()
        assert waiting, "the other had to wait"
        meanwhile()
    thread.join(timeout=30)
    return outcome[0]


@pytest.mark.parametrize("operation", ["reserve", "capture"])
def test_whoever_waits_for_the_account_holds_none_of_its_lots(customer, give, set_aside, now, operation):
    """Account and lots are locked by one statement, in this order: nobody waits in a circle."""
    give("10")
    give("10")
    if operation == "capture":
        set_aside("15")

    def second() -> Any:
        return set_aside("15") if operation == "reserve" else credit.capture(order_number="100001", now=now)

    def meanwhile() -> None:
        list(Lot.objects.select_for_update(nowait=True))
        list(Reservation.objects.select_for_update(nowait=True))

    found = while_others_wait(lambda: credit.lock_accounts([(customer, "EUR")]), second, meanwhile)
    assert found.amount == D(15)


def test_credit_that_came_and_went_while_a_checkout_waited_counts(customer, give, set_aside):
    give("10")
    give("10")
    assert (
        while_others_wait(lambda: set_aside("15", "100002"), lambda: set_aside("5"), lambda: None).amount == 5
    )
    with pytest.raises(credit.InsufficientCredit):
        set_aside("0.01", "100003")
    assert while_others_wait(lambda: give("7"), lambda: set_aside("7", "100003"), lambda: None).amount == 7
    refused = while_others_wait(
        lambda: give("7") and set_aside("6", "100004"), lambda: set_aside("2", "100005"), lambda: None
    )
    assert isinstance(refused, credit.InsufficientCredit)
    assert refused.available == D(1)


@pytest.mark.parametrize("amount", ["5", "6"])
def test_a_second_click_that_waited_for_the_first(give, set_aside, amount):
    give("10")
    second = while_others_wait(lambda: set_aside("5"), lambda: set_aside(amount), lambda: None)
    assert (second.amount, second.state) == (D(amount), Reservation.State.ACTIVE)
    assert Account.objects.get().reserved == D(amount)


@pytest.mark.parametrize("change", ["release", "withdraw", "replace", "capture"])
def test_an_order_that_waited_for_a_change_of_its_credit(give, set_aside, now, change):
    """It spends what is true when it is its turn."""
    give("10")
    set_aside("5")

    def first() -> None:
        if change == "replace":
            set_aside("7")
        else:
            getattr(credit, change)(order_number="100001", now=now)

    done = while_others_wait(first, lambda: credit.capture(order_number="100001", now=now), lambda: None)
    balance = {"release": D(5), "withdraw": D(10), "replace": D(3), "capture": D(5)}[change]
    account = Account.objects.get()
    assert (account.balance, account.reserved, account.shortfall) == (balance, 0, 0)
    assert (done is None) == (change == "withdraw")
    if change != "withdraw":
        assert done.spent_now == (change != "capture")


def test_the_sweep_at_once_with_itself_and_with_orders(customer, give, set_aside, now):
    for number in range(8):
        give("5", days=1)
        set_aside("5", f"order-{number}")
    later = now + timedelta(days=1)

    def work(number: int) -> int:
        if number < 8:
            credit.capture(order_number=f"order-{number}", now=later)
            return 0
        return credit.expire_reservations(now=later) + credit.expire(now=later)

    no_errors(at_once(work))
    while credit.expire(now=later):
        pass
    # Whoever came first: what the sweep freed has expired, and the order it was for is still to recover.
    account = Account.objects.get()
    assert (account.balance, account.reserved) == (D(0), D(0))
    assert account.shortfall == -sum(entry.amount for entry in Entry.objects.filter(kind=Entry.Kind.EXPIRE))
    assert set(Reservation.objects.values_list("state", flat=True)) == {"captured"}


def test_a_customer_who_is_deleted_during_checkout(customer, give, set_aside, now):
    give("100")

    def work(number: int) -> str:
        if number == 0:
            customer._meta.model.objects.get(pk=customer.pk).delete()
            return "deleted"
        set_aside("2", f"order-{number}")
        return credit.capture(order_number=f"order-{number}", now=now).state

    results = at_once(work)
    # Who comes after the deletion finds no account: that is "no credit", not an error.
    refusals = [result for result in results if isinstance(result, Exception)]
    assert all(isinstance(refusal, credit.InsufficientCredit) for refusal in refusals), results
    account = Account.objects.get()
    assert account.user_id is None
    assert account.balance == D(100 - 2 * (THREADS - 1 - len(refusals)))
    assert Lot.objects.get().remaining == account.balance
    assert_books_agree()
