"""Two browsers at once, and requests that are one transaction each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone
from oscar.core.loading import get_model

from example_site.card import gateway
from example_site.card.gateway import ACCEPTED, DECLINED
from oscar_integration.capture import capture_for_order
from tests.credit.audit import assert_books_agree
from tests.oscar_integration.paying import Customer, available, balance, charges, give, sources, states
from wagtail_referrals import credit

Order = get_model("order", "Order")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _books(transactional_db: None) -> Iterator[None]:
    yield
    assert_books_agree()


@pytest.fixture
def lea(transactional_db: None, make_customer: Any) -> Any:
    user = make_customer("lea@example.com", first_name="Léa")
    give(user, "15")
    return user


@pytest.fixture
def atomic_requests() -> Iterator[None]:
    """As Oscar's documentation recommends; a single writer's SQLite has no use for it."""
    if connection.vendor != "postgresql":
        pytest.skip("ATOMIC_REQUESTS is for PostgreSQL")
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    connections.settings["default"]["ATOMIC_REQUESTS"] = True
    yield
    connection.settings_dict["ATOMIC_REQUESTS"] = False
    connections.settings["default"]["ATOMIC_REQUESTS"] = False


def at_once(*jobs: Callable[[], Any]) -> list[Any]:
    start = threading.Barrier(len(jobs), timeout=30)
    results: list[Any] = [None] * len(jobs)

    def run(index: int, job: Callable[[], Any]) -> None:
        try:
            start.wait()
            results[index] = job()
        except Exception as error:
            results[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(index, job)) for index, job in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def ready_to_place(lea: Any, sku: str, amount: str) -> Customer:
    """A browser with a basket of its own, whose preview promises this much credit."""
    customer = Customer(lea)
    customer.go_to_payment(sku)
    customer.use(amount)
    customer.preview(ACCEPTED)
    return customer


def test_the_same_credit_in_two_browsers_is_spent_once(lea: Any, france: Any, mat: Any) -> None:
    """The second was promised 15.00 too, and is refused before anything is charged."""
    baskets = get_model("basket", "Basket").objects
    first = ready_to_place(lea, "MAT", "15")
    # Oscar gives a customer one open basket: put it away while the second browser fills its own.
    mine = baskets.get()
    baskets.update(status="Saved")
    second = ready_to_place(lea, "MAT", "15")
    other = baskets.exclude(pk=mine.pk).get()
    baskets.filter(pk=other.pk).update(status="Saved")
    baskets.filter(pk=mine.pk).update(status="Open")
    assert first.place_order(ACCEPTED).status_code == 302
    baskets.filter(pk=other.pk).update(status="Open")
    refused = second.place_order(ACCEPTED)
    assert "You no longer have that much credit" in refused.content.decode()
    assert charges() == [("85.00", "authorised")]
    assert (balance(lea), Order.objects.count()) == ("0.00", 1)


def test_the_same_credit_is_set_aside_once_by_threads(lea: Any) -> None:
    """Two order numbers, one account: whoever comes second gets no credit."""

    def reserve(number: str) -> str:
        try:
            credit.reserve(
                user=lea,
                currency="EUR",
                amount=Decimal(15),
                order_number=number,
                expires_at=timezone.now() + timedelta(hours=1),
            )
        except credit.InsufficientCredit:
            return "refused"
        return "reserved"

    assert sorted(at_once(lambda: reserve("a"), lambda: reserve("b"))) == ["refused", "reserved"]


def double_click(customer: Customer, number: str) -> list[Any]:
    """The same request twice at once, from one browser."""
    twin = Customer.__new__(Customer)
    twin.__dict__.update(customer.__dict__)
    twin.client = type(customer.client)()
    twin.client.cookies = customer.client.cookies.copy()
    return at_once(lambda: customer.place_order(number), lambda: twin.place_order(number))


def test_a_double_click_is_one_order_one_charge_one_capture(lea: Any, france: Any, mat: Any) -> None:
    give(lea, "40")
    customer = ready_to_place(lea, "MAT", "15")
    results = double_click(customer, ACCEPTED)
    assert not [result for result in results if isinstance(result, Exception)], results
    order = Order.objects.get()
    assert sources(order) == {"card": "85.00", "referral-credit": "15.00"}
    assert order.sources.count() == 2
    assert charges() == [("85.00", "authorised")]
    assert states().count("captured") == 1 and "active" not in states()
    assert (balance(lea), available(lea)) == ("40.00", "40.00")


@pytest.mark.usefixtures("atomic_requests")
def test_a_double_click_under_atomic_requests(lea: Any, france: Any, mat: Any) -> None:
    give(lea, "40")
    customer = ready_to_place(lea, "MAT", "15")
    double_click(customer, ACCEPTED)
    assert sources(Order.objects.get()) == {"card": "85.00", "referral-credit": "15.00"}
    assert charges() == [("85.00", "authorised")]
    assert (balance(lea), available(lea)) == ("40.00", "40.00")


@pytest.mark.usefixtures("atomic_requests")
def test_declined_then_paid_under_atomic_requests(lea: Any, france: Any, mat: Any) -> None:
    customer = Customer(lea)
    customer.go_to_payment()
    customer.use("15")
    assert "declined" in customer.place(DECLINED).content.decode()
    assert (available(lea), states()) == ("15.00", ["released"])
    assert customer.place(ACCEPTED).status_code == 302
    assert sources(Order.objects.get()) == {"card": "85.00", "referral-credit": "15.00"}
    assert states() == ["released", "captured"]


@pytest.mark.usefixtures("atomic_requests")
def test_a_capture_that_fails_in_the_database_loses_no_order(
    lea: Any, france: Any, mat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order was paid: a broken statement of ours is rolled back to our savepoint, and a repair captures later."""
    from oscar_integration import capture

    def broken(*args: Any, **kwargs: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM no_such_table")

    customer = Customer(lea)
    customer.go_to_payment()
    customer.use("15")
    with monkeypatch.context() as patch:
        patch.setattr(capture, "_add_source", broken)
        assert customer.place(ACCEPTED).url.endswith("/thank-you/")
    order = Order.objects.get()
    assert (sources(order), states()) == ({"card": "85.00"}, ["active"])
    capture.capture_for_order(order)
    assert sources(order)["referral-credit"] == "15.00"
    assert balance(lea) == "0.00"


def test_a_second_click_that_is_declined_leaves_the_first_ones_credit(
    lea: Any, france: Any, mat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the first request is at the card, the second one comes and is refused there."""
    give(lea, "40")
    customer = ready_to_place(lea, "MAT", "15")
    twin = Customer(lea)
    twin.client.cookies = customer.client.cookies.copy()
    authorise = gateway.authorise
    seen: list[Any] = []

    def authorise_slowly(number: str, amount: Any, currency: str, card: str) -> Any:
        if not seen:
            seen.append(states())
            # What the second request had read before the first one froze the basket.
            get_model("basket", "Basket").objects.update(status="Open")
            seen.append(twin.place_order(DECLINED))
            seen.append(states())
            get_model("basket", "Basket").objects.update(status="Frozen")
        return authorise(number, amount, currency, card)

    monkeypatch.setattr(gateway, "authorise", authorise_slowly)
    assert customer.place_order(ACCEPTED).status_code == 302
    assert seen[0] == seen[2] == ["active"]
    assert states() == ["captured"]
    assert sources(Order.objects.get())["referral-credit"] == "15.00"


@pytest.mark.parametrize("how", ["declined", "died"])
def test_left_on_one_device_and_paid_by_card_on_another(lea: Any, france: Any, mat: Any, how: str) -> None:
    """A late word from the bank about the first attempt spends nothing: the order is paid for."""
    telephone, laptop = Customer(lea), Customer(lea)
    telephone.go_to_payment()
    telephone.use("15")
    if how == "declined":
        telephone.place(DECLINED)
    else:
        # Set aside by a process that went no further.
        basket = get_model("basket", "Basket").objects.get(owner=lea)
        later = timezone.now() + timedelta(hours=1)
        number = str(100000 + basket.pk)
        credit.reserve(user=lea, currency="EUR", amount=Decimal(15), order_number=number, expires_at=later)
    laptop.deliver()
    laptop.place(ACCEPTED)
    order = Order.objects.get()
    assert sources(order) == {"card": "100.00"}
    assert states() == ["withdrawn"]
    capture_for_order(order)
    assert sources(order) == {"card": "100.00"}
    assert (balance(lea), available(lea)) == ("15.00", "15.00")
