"""Apps join what is done with orders by registering themselves, and can do no harm."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from oscar.core.loading import get_model

from oscar_integration import order_hooks
from oscar_integration.attribution import attribute, is_nobodys
from oscar_integration.shop import snapshot_of
from tests.oscar_integration.shopping import create_order, fill_basket, make_program
from tests.oscar_integration.test_attribution_robust import queries
from tests.oscar_integration.test_vouchers import claimed
from wagtail_referrals import rewards
from wagtail_referrals.referrals.models import Purchase, Referral

D = Decimal


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has registered but the test."""
    monkeypatch.setattr(order_hooks, "_followers", [])
    monkeypatch.setattr(order_hooks, "_describers", [])


@pytest.fixture
def order(france: Any, mat: Any, make_customer: Any) -> Any:
    """Nobody's friend's."""
    user = make_customer("lea@example.com")
    return create_order(fill_basket(mat, user=user), user=user)


@pytest.fixture
def followed() -> list[str]:
    numbers: list[str] = []
    order_hooks.follow_orders(lambda number, *, at_once: numbers.append(number))
    return numbers


def refund(order: Any, amount: str = "5") -> None:
    kind, _created = get_model("order", "PaymentEventType").objects.get_or_create(
        code="refund", name="Refund"
    )
    event = order.payment_events.create(event_type=kind, amount=D(amount))
    get_model("order", "PaymentEventQuantity").objects.create(event=event, line=order.lines.get(), quantity=1)


def _write_status(order: Any) -> None:
    order.status = "Paid"
    order.save()


@pytest.mark.parametrize(
    "change",
    [
        lambda order: order.set_status("Paid"),
        _write_status,
        lambda order: order.lines.get().set_status("Cancelled"),
        refund,
        lambda order: order.sources.create(
            source_type=get_model("payment", "SourceType").objects.create(name="Card"),
            amount_debited=D(100),
            amount_refunded=D(5),
        ),
        lambda order: order.shipping_events.create(
            event_type=get_model("order", "ShippingEventType").objects.create(name="Sent")
        ),
    ],
    ids=["status", "status directly", "line", "payment event", "source", "shipping event"],
)
def test_a_change_is_told_once_after_the_commit(
    order: Any, followed: list[str], change: Any, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        change(order)
        change(order) if change is refund else None
        assert followed == []
    assert followed == [order.number]


@pytest.mark.django_db(transaction=True)
def test_half_a_change_is_for_the_sweep(order: Any) -> None:
    """Outside of a transaction the status is there before the date of its change, and a refund before its lines."""
    told: list[bool] = []
    order_hooks.follow_orders(lambda number, *, at_once: told.append(at_once))
    order.set_status("Paid")
    assert not all(told) and told[-1] is True
    told.clear()
    refund(order)
    assert told == [False, True]
    told.clear()
    with transaction.atomic():
        order.payment_events.all().delete()
        refund(order)
    assert told == [True]


def test_what_was_rolled_back_is_not_told(
    order: Any, followed: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    def fail() -> None:
        with transaction.atomic():
            refund(order)
            raise ZeroDivisionError

    with django_capture_on_commit_callbacks(execute=True), pytest.raises(ZeroDivisionError):
        fail()
    assert followed == []


def test_an_order_that_is_nobodys_is_told_to_followers_and_not_to_the_engine(
    order: Any, followed: list[str], monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(rewards, "check_soon", lambda number, **kwargs: asked.append(number))
    assert attribute(order) is None and is_nobodys(order)
    with django_capture_on_commit_callbacks(execute=True):
        order.set_status("Paid")
    assert followed == [order.number]
    assert asked == []
    again = type(order).objects.get(pk=order.pk)
    with django_capture_on_commit_callbacks(execute=True):
        again.set_status("Shipped")
    assert followed == [order.number] * 2
    assert asked == [order.number]


def test_the_order_at_hand_may_save_the_call(order: Any, django_capture_on_commit_callbacks: Any) -> None:
    told: list[str] = []
    order_hooks.follow_orders(
        lambda number, *, at_once: told.append(number), concerns=lambda order: order.status != "Paid"
    )
    with django_capture_on_commit_callbacks(execute=True):
        order.status = "Paid"
        order.save()
    assert told == []
    with django_capture_on_commit_callbacks(execute=True):
        order.status = "Pending"
        order.save()
    assert told == [order.number]


def test_no_follower_no_query(order: Any, django_capture_on_commit_callbacks: Any) -> None:
    attribute(order)
    order.status = "Paid"

    def save() -> None:
        order.save()

    with django_capture_on_commit_callbacks() as callbacks:
        without = queries(save)
    assert callbacks == []
    order_hooks.follow_orders(lambda number, *, at_once: None)
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        assert queries(save) == without
    assert len(callbacks) == 1
    assert queries(callbacks[0]) == 0


def test_a_follower_that_fails_is_logged_and_keeps_nobody_from_looking(
    order: Any, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Any
) -> None:
    def fail(number: str, *, at_once: bool) -> None:
        raise RuntimeError("out of order")

    def fail_to_say(order: Any) -> bool:
        raise RuntimeError("out of order")

    told: list[str] = []
    order_hooks.follow_orders(fail)
    order_hooks.follow_orders(lambda number, *, at_once: told.append(number), concerns=fail_to_say)
    with caplog.at_level(logging.ERROR), django_capture_on_commit_callbacks(execute=True):
        order.set_status("Paid")
    assert told == [order.number]
    assert f"Order #{order.number}: a change could not be noted" in caplog.text


# What is frozen with the lines


def test_lines_are_described(order: Any) -> None:
    asked: list[Any] = []

    def describe(order: Any, user: Any) -> dict[int, dict[str, Any]]:
        asked.append((order, user))
        return {order.lines.get().pk: {"seats": 2, "amount": "0.01"}, -1: {"seats": 3}}

    order_hooks.describe_lines(describe)
    order_hooks.describe_lines(lambda order, user: {order.lines.get().pk: {"row": "B"}})
    order_hooks.describe_lines(describe, concerns=lambda lines: len(lines) > 1)
    (line,) = snapshot_of(order, user=order.user, email="").lines
    assert (line["seats"], line["row"]) == (2, "B")
    assert line["amount"] == "100.00", "what the shop says itself stands"
    assert asked == [(order, order.user)]


def _raise(order: Any, user: Any) -> dict[int, dict[str, Any]]:
    raise RuntimeError("out of order")


def _break_the_transaction(order: Any, user: Any) -> dict[int, dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nothing FROM nowhere")
    return {}


def _answer_wrongly(order: Any, user: Any) -> Any:
    return None


@pytest.mark.parametrize("describe", [_raise, _break_the_transaction, _answer_wrongly])
def test_one_that_fails_breaks_neither_order_nor_attribution(
    describe: Any, advocate: Any, mat: Any, france: Any, make_customer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    order_hooks.describe_lines(describe)
    order_hooks.describe_lines(lambda order, user: {order.lines.get().pk: {"seats": 2}})
    user = make_customer("lea@example.com")
    with caplog.at_level(logging.ERROR):
        order = create_order(claimed(advocate, make_program(), mat, user=user), user=user)
    (line,) = Purchase.objects.get(reference=order.number).lines
    assert line["seats"] == 2
    assert Referral.objects.get().friend == user
    assert f"Order #{order.number}: its lines could not be described" in caplog.text
