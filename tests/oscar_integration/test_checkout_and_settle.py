"""A checkout that is one transaction, against everything else that posts to the same accounts: no circle of locks.

Each meeting is made, not waited for: one of the two stops where it holds its locks, the other one goes on until it
waits for them or is done, and then both go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone
from oscar.core.loading import get_model

from example_site.card.gateway import ACCEPTED
from tests.books import assert_audit_clean
from tests.oscar_integration.paying import Customer, balance, sources
from tests.oscar_integration.shopping import create_order, fill_basket, make_program
from tests.oscar_integration.test_checkout_credit_races import at_once, atomic_requests  # noqa: F401
from tests.oscar_integration.test_vouchers import claimed
from wagtail_referrals import credit, rewards
from wagtail_referrals.people import advocate_for
from wagtail_referrals.referrals.models import Purchase, Referral

Order = get_model("order", "Order")
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="row locks are proved on PostgreSQL"),
]

D = Decimal
LATER = timedelta(hours=1)


class Stop:
    """Stops a job of another thread right after its first statement that contains all of ``words``."""

    def __init__(self, *words: str, before: bool = False) -> None:
        self.words, self.before = words, before
        self.there, self.go_on = threading.Event(), threading.Event()

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        stops = not self.there.is_set() and all(word in sql for word in self.words)
        if stops and self.before:
            self.wait()
        result = execute(sql, params, many, context)
        if stops and not self.before:
            self.wait()
        return result

    def wait(self) -> None:
        self.there.set()
        assert self.go_on.wait(60), "nobody let it go on"


class Job(threading.Thread):
    def __init__(self, work: Callable[[], Any], stop: Stop | None = None) -> None:
        super().__init__()
        self.work, self.stop = work, stop
        self.outcome: Any = None

    def run(self) -> None:
        try:
            if self.stop is None:
                self.outcome = self.work()
            else:
                with connection.execute_wrapper(self.stop):
                    self.outcome = self.work()
        except Exception as error:
            self.outcome = error
        finally:
            if self.stop is not None:
                self.stop.there.set()
            connections.close_all()


def meet(first: Callable[[], Any], stop: Stop, second: Callable[[], Any]) -> tuple[Any, Any]:
    """``first`` stops; ``second`` runs until it waits for a lock or is done; both go on. What they returned."""
    one, two = Job(first, stop), Job(second)
    one.start()
    assert stop.there.wait(60)
    assert one.is_alive(), f"it never came to its stop: {one.outcome!r}"
    two.start()
    with connection.cursor() as cursor:
        while two.is_alive():
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                break
    stop.go_on.set()
    for job in (one, two):
        job.join(60)
        assert not job.is_alive(), "it hangs"
        if isinstance(job.outcome, Exception):
            raise job.outcome
    return one.outcome, two.outcome


class World:
    """Léa is Camille's friend; both pay with credit, and get some for every order of Léa's."""

    def __init__(self, camille: Any, lea: Any, mat: Any) -> None:
        self.people = {"camille": camille, "lea": lea}
        self.mat = mat
        self.terms = make_program(
            [
                {"side": "friend", "trigger": "every_purchase", "kind": "credit", "amounts": {"EUR": "5.00"}},
                {
                    "side": "advocate",
                    "trigger": "every_purchase",
                    "kind": "credit",
                    "amounts": {"EUR": "15.00"},
                },
            ],
            hold_days=0,
            hold_anchor="paid",
        )
        for number, user in enumerate((camille, lea)):
            credit.grant(user=user, currency="EUR", amount=D(40), key=f"start:{number}")
            credit.grant(
                user=user,
                currency="EUR",
                amount=D(3),
                key=f"short:{number}",
                expires_at=timezone.now() + LATER / 2,
            )
        self.order = self.order_of_lea()
        self.referral = Referral.objects.get()

    def order_of_lea(self) -> Any:
        lea = self.people["lea"]
        basket = claimed(advocate_for(self.people["camille"]), self.terms, self.mat, user=lea)
        return create_order(basket, user=lea)

    def browser(self, who: str) -> Customer:
        """About to click on "place order", with 10.00 of credit."""
        customer = Customer(self.people[who])
        customer.go_to_payment()
        customer.use("10")
        customer.preview(ACCEPTED)
        return customer

    def pay(self, customer: Customer) -> Any:
        response = customer.place_order(ACCEPTED)
        assert (response.status_code, response.get("Location")) == (302, "/en/checkout/thank-you/")
        return Order.objects.get(
            user=customer.user, sources__source_type__code="referral-credit", status="Pending"
        )

    # What else happens

    def settle_to_pay(self) -> Callable[[], Any]:
        Order.objects.filter(pk=self.order.pk).update(status="Paid")
        return lambda: rewards.settle(self.referral.pk)

    def settle_to_take_back(self) -> Callable[[], Any]:
        self.settle_to_pay()()
        assert balance(self.people["camille"]) == "58.00"
        Order.objects.filter(pk=self.order.pk).update(status="Cancelled")
        return lambda: rewards.settle(self.referral.pk)

    def sweep(self) -> Callable[[], Any]:
        """It expires a lot of each, and pays too."""
        self.settle_to_pay()
        Referral.objects.update(next_check_at=timezone.now())
        return lambda: rewards.sweep(now=timezone.now() + LATER * 2 / 3)

    def cancel_an_order(self) -> Callable[[], Any]:
        """Another order that each of them paid with credit goes back, in one request of the back office."""
        for number, user in enumerate(self.people.values()):
            basket = fill_basket(self.mat, user=user)
            reference = f"before-{number}"
            credit.reserve(
                user=user,
                currency="EUR",
                amount=D(2),
                order_number=reference,
                expires_at=timezone.now() + LATER,
            )
            create_order(basket, user=user, order_number=reference)

        def cancel() -> None:
            with transaction.atomic():
                for order in Order.objects.filter(number__startswith="before-"):
                    order.set_status("Cancelled")

        return cancel


@pytest.fixture
def world(make_customer: Any, camille: Any, france: Any, mat: Any) -> Iterator[World]:
    yield World(camille, make_customer("lea@example.com", first_name="Léa"), mat)
    rewards.sweep(now=timezone.now())
    assert_audit_clean()


OTHERS = ["settle_to_pay", "settle_to_take_back", "sweep", "cancel_an_order"]
# Where the checkout stops: it holds the account from the first of them on.
PLACES = {
    "set aside": Stop('INSERT INTO "wagtail_referrals_credit_reservation"').words,
    "spent": ('UPDATE "wagtail_referrals_credit_reservation"',),
    "recorded": ('INSERT INTO "wagtail_referrals_purchase"',),
}


def look_at(world: World, order: Any) -> None:
    assert sources(order) == {"card": "90.00", "referral-credit": "10.00"}
    assert credit.captured_amount(order.number) == D(10)
    assert Purchase.objects.filter(reference=order.number).exists() == (order.user == world.people["lea"])


@pytest.mark.usefixtures("atomic_requests")
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize(
    ("who", "place"),
    [
        ("camille", "set aside"),
        ("camille", "spent"),
        ("lea", "set aside"),
        ("lea", "spent"),
        ("lea", "recorded"),
    ],
)
def test_a_checkout_is_met_by_what_posts_to_its_account(
    world: World, who: str, place: str, other: str
) -> None:
    work = getattr(world, other)()
    customer = world.browser(who)
    order, _ = meet(lambda: world.pay(customer), Stop(*PLACES[place]), work)
    look_at(world, order)


@pytest.mark.usefixtures("atomic_requests")
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("who", ["camille", "lea"])
def test_a_checkout_meets_what_is_about_to_lock_its_account(world: World, who: str, other: str) -> None:
    """The other one holds all that comes before the account in the order of locks."""
    work = getattr(world, other)()
    customer = world.browser(who)
    stop = Stop("wagtail_referrals_credit_account", "FOR NO KEY UPDATE", before=True)
    _, order = meet(work, stop, lambda: world.pay(customer))
    look_at(world, order)


@pytest.mark.usefixtures("atomic_requests")
def test_everything_at_once_again_and_again(world: World) -> None:
    for _round in range(4):
        world.order = world.order_of_lea()
        jobs = [world.sweep(), lambda: rewards.settle(world.referral.pk)]
        browsers = [world.browser(who) for who in world.people]
        results = at_once(*jobs, *[lambda each=each: each.place_order(ACCEPTED) for each in browsers])
        assert not [result for result in results if isinstance(result, Exception)], results
        assert [result.status_code for result in results[2:]] == [302, 302]
