"""A sweep settles many referrals in one transaction, as if each had been settled by itself."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from tests.books import assert_audit_clean
from tests.killing import in_a_process
from tests.plainshop.models import Order
from tests.plainshop.shop import PlainShop, place_order
from tests.plainshop.test_chain import DAY, friend_orders
from tests.plainshop.test_concurrency import at_once
from wagtail_referrals import credit, rewards, signals
from wagtail_referrals.credit.models import Account, Entry, Lot
from wagtail_referrals.messages.models import Message
from wagtail_referrals.people import advocate_for
from wagtail_referrals.programs.models import Budget
from wagtail_referrals.recognition.models import Standing
from wagtail_referrals.referrals.models import Referral, TimelineEvent
from wagtail_referrals.rewards import beforehand
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.trust import Check, checks, review

sweeping = importlib.import_module("wagtail_referrals.rewards.sweep")
settling = importlib.import_module("wagtail_referrals.rewards.settle")

pytestmark = pytest.mark.django_db

D = Decimal
BOTH_SIDES = [
    {"side": "advocate", "trigger": "first_purchase", "kind": "credit", "amounts": {"EUR": "10.00"}},
    {"side": "friend", "trigger": "first_purchase", "kind": "credit", "amounts": {"EUR": "5.00"}},
]


@pytest.fixture
def waiting(make_user: Any, basket: Any, now: datetime) -> Callable[..., list[Referral]]:
    """Referrals whose waiting period ends within 15 days: so many advocates, each with so many friends."""
    made = 0

    def wait(terms: Any, advocates: int, friends: int = 1) -> list[Referral]:
        nonlocal made
        known = set(Referral.objects.values_list("pk", flat=True))
        for _ in range(advocates):
            made += 1
            advocate = advocate_for(make_user(f"advocate{made}"))
            for place in range(friends):
                friend = make_user(f"friend{made}-{place}")
                number = f"{made}-{place}"
                friend_orders(advocate, terms, basket, now, user=friend, email=friend.email, number=number)
        Order.objects.update(paid_at=now, shipped_at=now)
        rewards.sweep(now=now + DAY)
        found = list(Referral.objects.exclude(pk__in=known).order_by("pk"))
        assert {"waiting_period"} <= {referral.state for referral in found} <= {"waiting_period", "complete"}
        return found

    return wait


@pytest.fixture
def transactions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many referrals each transaction settled."""
    sizes: list[int] = []
    inner = settling._settle

    def counting(ids: Any, attempt: Any, known: Any) -> Any:
        settled = inner(ids, attempt, known)
        sizes.append(len(settled))
        return settled

    monkeypatch.setattr(settling, "_settle", counting)
    return sizes


def test_their_messages_are_written_and_given_away_together(
    make_program: Any,
    waiting: Any,
    now: datetime,
    transactions: list[int],
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    given: list[list[str]] = []
    monkeypatch.setattr("wagtail_referrals.messages.planning.deliver", lambda keys: given.append(list(keys)))
    _, terms, _ = make_program(rules=BOTH_SIDES)
    waiting(terms, 5)
    Message.objects.all().delete()
    transactions.clear()
    with CaptureQueriesContext(connection) as queries, django_capture_on_commit_callbacks(execute=True):
        rewards.sweep(now=now + 15 * DAY)
    assert transactions == [5]
    inserts = [
        query["sql"] for query in queries if query["sql"].startswith("INSERT") and "_message" in query["sql"]
    ]
    assert sum("reward_given" in sql for sql in inserts) == 1
    told = Message.objects.filter(kind="reward_given").values_list("key", flat=True)
    assert sorted(given[0]) == sorted(told) and len(told) == 10
    # What each planned by itself would be given away by itself.
    assert not any(key in told for keys in given[1:] for key in keys)


def balances() -> list[Decimal]:
    return list(Account.objects.order_by("pk").values_list("balance", flat=True))


def test_what_is_due_is_given_in_few_statements(
    make_program: Any, waiting: Any, now: datetime, transactions: list[int]
) -> None:
    """With those that the messages cost."""
    _, terms, _ = make_program(cap_count=10)

    def statements(count: int, later: datetime) -> list[str]:
        waiting(terms, count)
        transactions.clear()
        with CaptureQueriesContext(connection) as queries:
            assert rewards.sweep(now=later).settled >= count
        return [query["sql"] for query in queries]

    few = statements(5, now + 15 * DAY)
    assert transactions == [5]
    many = statements(20, now + 15 * DAY + timedelta(minutes=1))
    assert max(transactions) == 20
    assert set(balances()) == {D(15)} and len(balances()) == 25
    # One set of tables in each: nothing is asked once for each referral.
    assert len(many) <= len(few) + 2, "\n".join(many)
    assert_audit_clean(now=now + 16 * DAY)


def test_settled_by_itself_it_has_no_savepoints_and_asks_nothing_twice(
    make_program: Any, waiting: Any, now: datetime
) -> None:
    _, terms, _ = make_program(cap_count=10)
    first, second = waiting(terms, 2)
    rewards.settle(first.pk, now=now + 15 * DAY)
    with CaptureQueriesContext(connection) as queries:
        rewards.settle(second.pk, now=now + 15 * DAY)
    ours = [query["sql"] for query in queries if "_message" not in query["sql"]]
    # The one of a test's own transaction, and those of whoever delivers messages, come on top.
    assert len([sql for sql in ours if sql.startswith("SAVEPOINT")]) <= 1
    assert len([sql for sql in ours if "SAVEPOINT" not in sql]) <= 19, "\n".join(ours)


@pytest.fixture
def rows() -> Callable[[], dict[str, list[Any]]]:
    def read() -> dict[str, list[Any]]:
        return {
            "referrals": list(
                Referral.objects.order_by("pk").values_list(
                    "pk", "state", "reason", "qualified_at", "ordinal", "next_check_at", "revision", "spent"
                )
            ),
            "rewards": list(
                Reward.objects.order_by("referral", "rule_key", "occasion").values_list(
                    "referral", "state", "reason", "posted", "revision", "slot", "friend_slot", "given_at"
                )
            ),
            "accounts": list(
                Account.objects.order_by("user").values_list("user", "balance", "reserved", "shortfall")
            ),
            "entries": sorted(Entry.objects.values_list("kind", "amount", "shortfall_delta", "part")),
            "lots": sorted(Lot.objects.values_list("amount", "remaining")),
            "events": sorted(TimelineEvent.objects.values_list("referral", "kind", "key"), key=str),
            "messages": sorted(Message.objects.values_list("kind", "user", "referral")),
            "standings": sorted(Standing.objects.values_list("advocate", "period", "referrals")),
        }

    return read


def test_it_comes_to_the_same(
    make_program: Any,
    waiting: Any,
    now: datetime,
    rows: Any,
    monkeypatch: pytest.MonkeyPatch,
    transactions: list[int],
) -> None:
    """Caps, milestones, both sides, a shortfall, refunds and cancellations, settled one by one and together."""
    _, terms, _ = make_program(
        [
            *BOTH_SIDES,
            {
                "side": "advocate",
                "trigger": "nth_referral",
                "occurrence": 2,
                "kind": "credit",
                "amounts": {"EUR": "30.00"},
            },
        ],
        cap_count=2,
        clawback_days=60,
    )
    owing = waiting(terms, 6, friends=3)[0].advocate.user
    who: dict[str, Any] = {"user": owing, "currency": "EUR", "now": now}
    credit.grant(**who, amount=D(4), key="start", source="x")
    credit.reserve(**who, amount=D(4), order_number="s", expires_at=now + DAY)
    credit.capture(order_number="s", now=now)
    credit.claw_back(**who, amount=D(4), key="back", source="x")
    Order.objects.filter(number="2-0").update(cancelled=True)
    Order.objects.filter(number="3-1").update(refunded=D(100))

    def settled(together: int) -> dict[str, list[Any]]:
        monkeypatch.setattr(sweeping, "TOGETHER", together)
        transactions.clear()
        for days in (15, 16):
            rewards.sweep(now=now + days * DAY)
        Order.objects.filter(number="4-0").update(cancelled=True)
        for days in (17, 18):
            rewards.sweep(now=now + days * DAY)
        assert (max(transactions) > 1) == (together > 1)
        assert_audit_clean(now=now + 18 * DAY)
        return rows()

    with transaction.atomic():
        together = settled(25)
        transaction.set_rollback(True)
    by_itself = settled(1)
    assert ("recovery", D(-4)) in [(kind, amount) for kind, amount, *_ in together["entries"]]
    for name, values in by_itself.items():
        assert together[name] == values, name


def test_one_that_fails_keeps_no_other_waiting(
    make_program: Any,
    waiting: Any,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    transactions: list[int],
) -> None:
    _, terms, _ = make_program()
    found = waiting(terms, 5)
    broken = found[2].advocate.user
    add = credit.Grants.add
    grant = credit.grant

    def fails(user: Any) -> None:
        if user == broken:
            raise RuntimeError("not this one")

    def add_or_fail(self: Any, *, user: Any, **values: Any) -> bool:
        fails(user)
        return add(self, user=user, **values)

    def grant_or_fail(*, user: Any, **values: Any) -> Any:
        fails(user)
        return grant(user=user, **values)

    monkeypatch.setattr(credit.Grants, "add", add_or_fail)
    monkeypatch.setattr(credit, "grant", grant_or_fail)
    transactions.clear()
    run = rewards.sweep(now=now + 15 * DAY)
    # The reward failed, not the settling: that wrote down what happened.
    assert (run.settled, run.failed) == (5, 0)
    assert transactions == [1, 1, 1, 1, 1]
    assert sorted(Reward.objects.values_list("state", flat=True)) == ["failed", *["given"] * 4]
    assert Reward.objects.get(state="failed").referral == found[2]
    assert sorted(balances()) == [0, *[D(15)] * 4]
    monkeypatch.undo()
    rewards.sweep(now=now + 16 * DAY)
    assert balances() == [D(15)] * 5
    assert_audit_clean(now=now + 16 * DAY)


def test_a_shop_that_fails_with_one_keeps_no_other_waiting(
    make_program: Any, waiting: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the facts of all of them cannot be read at once."""
    _, terms, _ = make_program()
    found = waiting(terms, 4)
    facts = PlainShop.facts

    def broken(self: Any, references: Any) -> Any:
        if "2-0" in references:
            raise RuntimeError("order 2-0 is broken")
        return facts(self, references)

    monkeypatch.setattr(PlainShop, "facts", broken)
    run = rewards.sweep(now=now + 15 * DAY)
    assert (run.settled, run.failed) == (3, 1)
    assert sorted(balances()) == [D(15)] * 3
    assert Referral.objects.get(pk=found[1].pk).next_check_at == now + 15 * DAY + rewards.RETRY


@pytest.mark.parametrize("breaks", ["raises", "breaks the transaction", "gives it up"])
def test_a_reader_that_fails_takes_neither_rewards_nor_what_others_write(
    make_program: Any, waiting: Any, now: datetime, breaks: str
) -> None:
    _, terms, _ = make_program()
    waiting(terms, 3)
    carefully = []

    def bad(sender: Any, careful: bool, **kwargs: Any) -> None:
        carefully.append(careful)
        if breaks == "raises":
            raise RuntimeError("bad")
        if breaks == "gives it up":
            transaction.set_rollback(True)
            return
        try:
            Entry.objects.bulk_create([Entry(account_id=None, kind="grant", key="bad")])
        except IntegrityError:
            # Swallowed, and without a savepoint: the transaction is broken.
            pass

    signals.reward_changed.connect(bad, dispatch_uid="bad")
    try:
        run = rewards.sweep(now=now + 15 * DAY)
    finally:
        signals.reward_changed.disconnect(dispatch_uid="bad")
    assert (run.settled, run.failed) == (3, 0)
    # Once together and once each without care, then once each with it.
    assert carefully.count(True) == 3
    assert balances() == [D(15)] * 3
    if breaks == "raises":
        assert Message.objects.filter(kind="reward_given").count() == 3
    assert_audit_clean(now=now + 15 * DAY)


@pytest.mark.parametrize("cancelled", ["first", "second"])
def test_one_settling_gives_and_takes_of_one_account(
    make_program: Any, make_user: Any, basket: Any, now: datetime, cancelled: str
) -> None:
    """One order has been rewarded and is cancelled now, and the waiting period of the other is over."""
    every = [{"side": "advocate", "trigger": "every_purchase", "kind": "credit", "amounts": {"EUR": "15.00"}}]
    _, terms, _ = make_program(every, clawback_days=60)
    camille, lea = make_user("camille"), make_user("lea")
    friend_orders(advocate_for(camille), terms, basket, now, user=lea, email=lea.email, number="first")
    place_order(basket(lea), number="second", goods=D(50), email=lea.email, now=now + timedelta(hours=1))
    early, late = Order.objects.filter(number=cancelled), Order.objects.exclude(number=cancelled)
    early.update(paid_at=now, shipped_at=now)
    late.update(paid_at=now, shipped_at=now + 5 * DAY)
    rewards.sweep(now=now + 15 * DAY)
    assert balances() == [D(15)]
    credit.grant(user=camille, currency="EUR", amount=D(7), key="other", now=now)
    early.update(cancelled=True)
    rewards.settle(Referral.objects.get().pk, now=now + 20 * DAY)
    assert balances() == [D(22)]
    assert sorted(Reward.objects.values_list("posted", "revision")) == [(0, 2), (15, 1)]
    assert_audit_clean(now=now + 20 * DAY)


def test_two_of_one_advocate_are_not_settled_in_one_transaction(
    make_program: Any, waiting: Any, now: datetime, transactions: list[int]
) -> None:
    """The second is judged by what the first has come to: places under a cap, and numbers of friends."""
    _, terms, _ = make_program(cap_count=2)
    waiting(terms, 3, friends=4)
    transactions.clear()
    rewards.sweep(now=now + 15 * DAY)
    assert transactions == [3, 3, 3, 3]
    assert balances() == [D(30)] * 3


def due(pk: int, advocate: int) -> beforehand.DueReferral:
    moment = datetime.fromisoformat("2026-03-02T10:00+00:00")
    return beforehand.DueReferral(moment, pk, 0, advocate, 0, None, None, "")  # type: ignore[arg-type]


def test_the_older_ones_of_an_advocate_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "TOGETHER", 2)
    batch = [due(1, 1), due(2, 1), due(3, 2), due(4, 3), due(5, 1), due(6, 3)]
    found = [[each.pk for each in some] for some in sweeping._of_different_advocates(batch)]
    assert found == [[1, 3], [2, 4], [5, 6]]
    assert list(sweeping._of_different_advocates([])) == []


@pytest.mark.parametrize(
    ("rules", "values"),
    [
        (None, {"budget_count": 100}),
        (None, {"budget_amounts": {"EUR": "1000.00"}}),
        ([{"side": "advocate", "trigger": "first_purchase", "kind": "free_shipping"}], {}),
    ],
)
def test_what_visitors_wait_for_is_not_kept_under_many_locks(
    make_program: Any, waiting: Any, now: datetime, transactions: list[int], rules: Any, values: Any
) -> None:
    _, terms, _ = make_program(rules, **values)
    waiting(terms, 3)
    transactions.clear()
    rewards.sweep(now=now + 15 * DAY)
    assert transactions == [1, 1, 1]
    assert Reward.objects.filter(state="given").count() == 3
    if "budget_count" in values:
        assert Budget.objects.values_list("held", "spent").get() == (0, 3)


def test_what_is_taken_back_is_settled_by_itself(
    make_program: Any, waiting: Any, now: datetime, transactions: list[int]
) -> None:
    _, terms, _ = make_program()
    waiting(terms, 3)
    rewards.sweep(now=now + 15 * DAY)
    Order.objects.update(refunded=D(100))
    transactions.clear()
    rewards.sweep(now=now + 17 * DAY)
    assert transactions == [1, 1, 1]
    assert balances() == [0, 0, 0]


def test_checks_that_have_not_spoken_are_not_asked_under_many_locks(
    make_program: Any, waiting: Any, now: datetime, transactions: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, terms, _ = make_program()
    waiting(terms, 3)
    slow = Check("slow", lambda subject: checks.get("own_account").run(subject))
    monkeypatch.setattr(checks, "_items", {**checks._items, "slow": slow})
    transactions.clear()
    rewards.sweep(now=now + 15 * DAY)
    assert transactions == [1, 1, 1]
    assert balances() == [D(15)] * 3


def test_what_was_changed_after_it_was_read_is_read_again(
    make_program: Any, waiting: Any, basket: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the reading of many and the lock of one, a reviewer refuses and a friend orders again."""
    every = [{"side": "advocate", "trigger": "every_purchase", "kind": "credit", "amounts": {"EUR": "15.00"}}]
    _, terms, _ = make_program(every, hold_days=14)
    refused, again, plain = waiting(terms, 3)
    read = sweeping.read_beforehand

    def read_and_change(batch: Any) -> Any:
        found = read(batch)
        if {referral.pk for referral in batch} >= {refused.pk, again.pk}:
            review(refused.pk, "refuse", actor=None, now=now + 15 * DAY)
            order = place_order(
                basket(again.friend),
                number="more",
                goods=D(50),
                email=again.friend.email,
                now=now + 2 * DAY,
            )
            Order.objects.filter(pk=order.pk).update(paid_at=now, shipped_at=now)
        return found

    monkeypatch.setattr(sweeping, "read_beforehand", read_and_change)
    rewards.sweep(now=now + 15 * DAY)
    given = {
        referral.pk: sum(referral.rewards.values_list("posted", flat=True))
        for referral in (refused, again, plain)
    }
    assert given == {refused.pk: 0, again.pk: D(30), plain.pk: D(15)}
    assert_audit_clean(now=now + 15 * DAY)


@pytest.mark.django_db(transaction=True)
def test_sweeps_killed_at_each_step_of_a_transaction_of_many(
    make_program: Any, waiting: Any, now: datetime
) -> None:
    _, terms, _ = make_program(BOTH_SIDES)
    waiting(terms, 4)
    later = now + 15 * DAY
    done = in_a_process(
        "tests.plainshop.dying_together",
        referrals=list(Referral.objects.values_list("pk", flat=True)),
        now=later.isoformat(),
    )
    assert done["died"] == list(range(1, done["steps"] + 1))
    # Before the commit nothing is there, and after it everything.
    assert set(done["given"]) == {0, 8} and done["given"] == sorted(done["given"])
    rewards.sweep(now=later)
    assert_audit_clean(now=later)
    assert sorted(balances()) == [D(5)] * 4 + [D(10)] * 4
    assert Entry.objects.count() == Message.objects.filter(kind="reward_given").count() == 8


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="concurrency is proved on PostgreSQL")
def test_sweeps_checkouts_and_single_settlings_at_once_never_lock_each_other_out(
    make_program: Any, make_user: Any, basket: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody refers two others and is referred by two: each account is in several transactions at once."""
    monkeypatch.setattr(sweeping, "TOGETHER", 4)
    _, terms, _ = make_program(BOTH_SIDES, new_customers_only=False)
    people = [make_user(f"p{number}") for number in range(12)]
    for number, person in enumerate(people):
        other = people[(number + 5) % len(people)]
        friend_orders(
            advocate_for(person), terms, basket, now, user=other, email=other.email, number=f"o{number}"
        )
        credit.grant(user=person, currency="EUR", amount=D(50), key=f"start:{number}", now=now)
    Order.objects.update(paid_at=now, shipped_at=now)
    rewards.sweep(now=now + DAY)
    assert set(Referral.objects.values_list("state", flat=True)) == {"waiting_period"}
    later = now + 15 * DAY
    ids = list(Referral.objects.order_by("-pk").values_list("pk", flat=True))

    def spend(number: int) -> None:
        for turn in range(4):
            person, order = people[(number * 3 + turn) % len(people)], f"s{number}-{turn}"
            credit.reserve(
                user=person,
                currency="EUR",
                amount=D(2),
                order_number=order,
                expires_at=later + DAY,
                now=later,
            )
            credit.capture(order_number=order, now=later)

    at_once(
        *[lambda: rewards.sweep(now=later)] * 4,
        *[lambda pk=pk: rewards.settle(pk, now=later) for pk in ids[:4]],  # type: ignore[misc]
        *[lambda n=n: spend(n) for n in range(6)],  # type: ignore[misc]
    )
    rewards.sweep(now=later)
    assert sum(Reward.objects.values_list("posted", flat=True)) == 12 * D(15)
    assert sum(balances()) == 12 * D(50) + 12 * D(15) - 6 * 4 * D(2)
    assert Entry.objects.filter(key__startswith="reward:").count() == 24
    assert_audit_clean(now=later)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="concurrency is proved on PostgreSQL")
def test_what_another_worker_holds_is_left_to_it(
    make_program: Any, waiting: Any, now: datetime, transactions: list[int]
) -> None:
    _, terms, _ = make_program()
    found = waiting(terms, 3)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                Referral.objects.select_for_update(no_key=True).get(pk=found[1].pk)
                held.set()
                done.wait(timeout=60)
        finally:
            connections.close_all()

    other = threading.Thread(target=hold)
    other.start()
    assert held.wait(timeout=60)
    transactions.clear()
    assert rewards.sweep(now=now + 15 * DAY).settled == 2
    done.set()
    other.join(timeout=60)
    assert transactions == [2]
    assert rewards.sweep(now=now + 15 * DAY).settled == 1
    assert balances() == [D(15)] * 3
