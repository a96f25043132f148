"""Our receivers never break a page or an order, cost what they may, and see every change of an order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.db.models.signals import post_save
from django.test.utils import CaptureQueriesContext
from django.urls import resolve
from django.utils import timezone
from oscar.apps.basket.signals import basket_addition
from oscar.apps.checkout.signals import pre_payment
from oscar.apps.order.signals import order_placed, order_status_changed
from oscar.core.loading import get_class, get_model

from example_site.backoffice import orders
from example_site.card.gateway import ACCEPTED
from oscar_integration import attach_claim, attribution, receivers
from oscar_integration.basket import ReferralCodeMixin
from oscar_integration.capture import _leave_for_good
from tests.oscar_integration.shopping import Friend, create_order, fill_basket, shop_voucher
from wagtail_referrals import credit, rewards
from wagtail_referrals.people import code_of
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.models import DiscountGrant
from wagtail_referrals.tracking.models import Claim

D = Decimal


@contextmanager
def unheard() -> Iterator[None]:
    """Oscar's signals without our receivers."""
    signals = (basket_addition, order_placed, post_save, pre_payment)
    before = [signal.receivers for signal in signals]
    for signal in signals:
        signal.receivers = [
            each for each in signal.receivers if not str(each[0][0]).startswith("oscar_integration")
        ]
        signal.sender_receivers_cache.clear()
    try:
        yield
    finally:
        for signal, receivers_before in zip(signals, before, strict=True):
            signal.receivers = receivers_before
            signal.sender_receivers_cache.clear()


def queries(work: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)


def place(friend: Friend) -> int:
    """Number of queries of the click on "place order"."""
    friend.deliver()
    friend.client.post(friend.url("checkout/preview/"), friend.card(ACCEPTED))
    with CaptureQueriesContext(connection) as captured:
        response = friend.client.post(
            friend.url("checkout/preview/"), {"action": "place_order", **friend.card(ACCEPTED)}
        )
    assert response.url == "/en/checkout/thank-you/"
    return len(captured)


def customer(make_customer: Any, email: str) -> Friend:
    make_customer(email)
    friend = Friend()
    friend.log_in(email)
    return friend


@pytest.fixture
def warm(db: None, france: Any, mat: Any) -> None:
    """What is read once in a process has been read."""
    friend = Friend()
    friend.add("MAT")
    friend.as_guest("warm@example.com")
    place(friend)


# What it costs


@pytest.mark.usefixtures("warm")
def test_an_order_without_an_invitation_costs_little(
    make_customer: Any, django_capture_on_commit_callbacks: Any
) -> None:
    def ordering(email: str, *, signed_in: bool) -> Friend:
        friend = customer(make_customer, email) if signed_in else Friend()
        friend.add("MAT")
        friend.begin_checkout() if signed_in else friend.as_guest(email)
        return friend

    for signed_in in (False, True):
        with unheard():
            before = place(ordering(f"a{signed_in}@example.com", signed_in=signed_in))
        friend = ordering(f"b{signed_in}@example.com", signed_in=signed_in)
        with django_capture_on_commit_callbacks() as callbacks:
            assert place(friend) - before <= 6
        # Not for the payment that is noted with the order; once to see to it that no credit is spent on it later.
        assert [getattr(each, "func", each) for each in callbacks] == [_leave_for_good] * signed_in


@pytest.mark.usefixtures("warm")
def test_an_order_with_an_invitation_costs_little_more_than_one_with_a_voucher(
    advocate: Any, terms: Any, make_customer: Any
) -> None:
    """Oscar's own work for a voucher in the basket is the same for the shop's and for ours."""
    shop_voucher("SPRING", "10")
    friend = customer(make_customer, "a@example.com")
    friend.add("MAT")
    friend.type_code("SPRING")
    friend.begin_checkout()
    with unheard():
        before = place(friend)
    friend = customer(make_customer, "b@example.com")
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.begin_checkout()
    after = place(friend)
    assert Purchase.objects.get().referral.advocate == advocate
    assert after - before <= 15


@pytest.mark.usefixtures("warm")
def test_a_basket_without_an_invitation_costs_nothing() -> None:
    def adding(friend: Friend) -> int:
        friend.add("MAT")
        return queries(lambda: friend.add("MAT"))

    with unheard():
        before = adding(Friend())
    friend = Friend()
    assert adding(friend) == before
    assert set(friend.client.cookies) <= {"oscar_open_basket", "messages", "sessionid", "oscar_history"}


@pytest.mark.django_db
def test_a_change_to_an_order_that_is_not_ours_costs_two_queries_after_the_commit(
    mat: Any, strap: Any, django_capture_on_commit_callbacks: Any
) -> None:
    """One of the engine, and one of memberships: is it an order of ours?"""
    order = create_order(fill_basket(mat, strap), email="zoe@example.com")
    with django_capture_on_commit_callbacks() as callbacks:
        with unheard():
            before = queries(lambda: order.set_status("Paid"))
        type(order).objects.filter(pk=order.pk).update(status="Pending")
        order.refresh_from_db()
        order.lines.update(status="Pending")
        assert queries(lambda: order.set_status("Paid")) == before
        order.lines.first().save()
    assert len(callbacks) > 1
    assert queries(lambda: [callback() for callback in callbacks]) == 2


# Every change is seen


@pytest.fixture
def attributed(db: None, friend: Friend, advocate: Any, terms: Any, mat: Any) -> Any:
    """An order of a friend whose referral nothing has to be done about now."""
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("lea@example.com")
    order = friend.buy()
    Referral.objects.update(next_check_at=None)
    return order


def _event(name: str, model: str, order: Any) -> Any:
    kind, _created = get_model("order", f"{model}Type").objects.get_or_create(name=name)
    values = {"amount": D("1.00")} if model == "PaymentEvent" else {}
    return get_model("order", model).objects.create(order=order, event_type=kind, **values)


def _refund(order: Any) -> None:
    order.sources.get().refund(D("1.00"))


def _line(order: Any) -> None:
    line = order.lines.get()
    line.set_status("Cancelled")


def _direct(order: Any) -> None:
    order.status = "Complete"
    order.save()


def _announced(order: Any) -> None:
    type(order).objects.filter(pk=order.pk).update(status="Complete")
    order_status_changed.send(sender=None, order=order, old_status="Pending", new_status="Complete")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda order: order.set_status("Paid"), id="status"),
        pytest.param(_direct, id="status written directly"),
        pytest.param(_line, id="status of a line"),
        pytest.param(_announced, id="status written by a query and announced"),
        pytest.param(lambda order: _event("Shipped", "ShippingEvent", order), id="shipping event"),
        pytest.param(lambda order: _event("Refund", "PaymentEvent", order), id="payment event"),
        pytest.param(_refund, id="refund of a source"),
    ],
)
def test_a_change_makes_the_engine_look(
    attributed: Any,
    change: Callable[[Any], Any],
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    looked: list[str] = []
    monkeypatch.setattr(rewards, "check_soon", lambda number, **how: looked.append(number))
    with django_capture_on_commit_callbacks(execute=True):
        change(get_model("order", "Order").objects.get())
    assert looked == [attributed.number]


def test_an_event_is_looked_at_again_when_its_lines_are_known(
    attributed: Any, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    """Oscar saves them one after the other; without a transaction each is a commit of its own."""
    looked: list[str] = []
    monkeypatch.setattr(rewards, "check_soon", lambda number, **how: looked.append(number))
    with django_capture_on_commit_callbacks(execute=True):
        event = _event("Refund", "PaymentEvent", attributed)
    with django_capture_on_commit_callbacks(execute=True):
        event.line_quantities.create(line=attributed.lines.get(), quantity=1)
    assert looked == [attributed.number] * 2


def test_outside_a_transaction_nothing_is_settled_before_all_is_written(
    transactional_db: None, france: Any, advocate: Any, camille: Any, terms: Any, mat: Any, time_machine: Any
) -> None:
    """Oscar writes "Shipped" first and when it came to that afterwards: in between the days would seem to be over."""
    start = timezone.now()
    friend = Friend()
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("lea@example.com")
    order = friend.buy()
    order.set_status("Paid")
    time_machine.move_to(start + timedelta(days=20))
    order.set_status("Shipped")
    referral = Referral.objects.get()
    assert referral.state == "waiting_period"
    assert referral.hold_until >= start + timedelta(days=34)
    assert credit.account_of(camille, "EUR") is None, "not even for a moment"


def test_what_does_not_concern_us_is_not_looked_at(
    attributed: Any, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        attributed.analytics_tracked = True
        attributed.save(update_fields=["analytics_tracked"])
        attributed.sources.get().debit(D("1.00"))
    assert not callbacks


def test_what_was_rolled_back_is_not_looked_at(
    attributed: Any, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks() as callbacks, suppress(RuntimeError), transaction.atomic():
        attributed.set_status("Paid")
        raise RuntimeError
    assert not callbacks


def test_from_the_order_to_the_reward(
    attributed: Any, camille: Any, django_capture_on_commit_callbacks: Any, time_machine: Any
) -> None:
    start = timezone.now()
    with django_capture_on_commit_callbacks(execute=True):
        orders.mark_paid(attributed)
        orders.mark_shipped(attributed)
    referral = Referral.objects.get()
    assert referral.state == "waiting_period"
    time_machine.move_to(start + timedelta(days=15))
    rewards.sweep()
    assert credit.available(camille, "EUR") == D("15.00")
    attributed.refresh_from_db()
    with django_capture_on_commit_callbacks(execute=True):
        orders.refund(attributed, attributed.total_incl_tax)
    assert credit.available(camille, "EUR") == 0


def test_the_discount_comes_back_when_the_order_was_cancelled_before_delivery(
    attributed: Any, friend: Friend, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        orders.cancel(attributed)
    assert Referral.objects.get().state == "waiting_order"
    assert DiscountGrant.objects.filter(state="issued", issue=1).count() == 1
    friend.add("MAT")
    assert friend.basket().total_incl_tax == D("90.00")


# Nothing of ours breaks an order


def _broken(*args: Any, **kwargs: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nothing FROM nowhere")


@pytest.fixture
def atomic_requests(transactional_db: None) -> Iterator[None]:
    """As Oscar's documentation recommends."""
    before = connection.settings_dict["ATOMIC_REQUESTS"]
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    yield
    connection.settings_dict["ATOMIC_REQUESTS"] = before


@pytest.mark.usefixtures("atomic_requests")
def test_attribution_under_atomic_requests(france: Any, advocate: Any, terms: Any, mat: Any) -> None:
    friend = Friend()
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("lea@example.com")
    order = friend.buy()
    assert Purchase.objects.get().reference == order.number
    assert DiscountGrant.objects.get().used_reference == order.number


@pytest.mark.usefixtures("atomic_requests")
@pytest.mark.parametrize(
    "name", ["order_placed", "discount_by_code", "check_soon", "commit", "active_discounts"]
)
def test_an_error_of_the_database_loses_no_order(
    france: Any,
    advocate: Any,
    terms: Any,
    mat: Any,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    friend = Friend()
    friend.click(advocate, terms)
    friend.add("MAT")
    monkeypatch.setattr(rewards, name, _broken)
    friend.add("MAT")
    friend.type_code(code_of(advocate))
    friend.as_guest("lea@example.com")
    with caplog.at_level(logging.ERROR):
        order = friend.buy()
    assert (
        get_model("order", "Order")
        .objects.filter(number=order.number, guest_email="lea@example.com")
        .exists()
    )
    assert get_model("basket", "Basket").objects.get().status == "Submitted"
    assert "lea@example.com" not in caplog.text
    if name == "order_placed":
        assert f"Order #{order.number}" in caplog.text


@pytest.mark.django_db
def test_an_order_that_was_missed_is_attributed_by_a_second_call(
    friend: Friend, advocate: Any, terms: Any, mat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("lea@example.com")
    with monkeypatch.context() as patch:
        patch.setattr(rewards, "order_placed", _broken)
        order = friend.buy()
    assert not Purchase.objects.exists()
    for _again in range(2):
        attribution.attribute(get_model("order", "Order").objects.get(pk=order.pk))
    assert Purchase.objects.get().eligible == D("90.00")
    assert DiscountGrant.objects.get().used_amount == D("10.00")


@pytest.mark.django_db
def test_an_order_is_attributed_where_another_process_was_faster(
    friend: Friend,
    advocate: Any,
    terms: Any,
    mat: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Between what this order has read and what it writes, the friend becomes one by another order."""
    snapshot_of = attribution.snapshot_of
    others: list[Any] = []

    def slowly(order: Any, **values: Any) -> Any:
        snapshot = snapshot_of(order, **values)
        if not others:
            other = replace(snapshot, reference="other")
            person = {name: values[name] for name in ("user", "email")}
            others.append(rewards.order_placed(other, basket_reference=str(order.basket_id), **person))
        return snapshot

    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("lea@example.com")
    monkeypatch.setattr(attribution, "snapshot_of", slowly)
    with caplog.at_level(logging.ERROR):
        order = friend.buy()
    assert others[0].reference == "other"
    assert Purchase.objects.filter(reference=order.number, referral=Referral.objects.get()).exists()
    assert DiscountGrant.objects.get().used_reference == order.number
    assert not caplog.records


@pytest.mark.django_db
def test_forged_cookies_and_tokens_are_ignored(friend: Friend, mat: Any, terms: Any) -> None:
    for value in ("", "x" * 5000, "1:2:3", "\x00", "é"):
        friend.client.cookies["referral"] = value
        friend.client.cookies["oscar_open_basket"] = value
        friend.add("MAT")
        friend.log_out()
        assert attach_claim(fill_basket(mat), value) is None
    assert attach_claim(fill_basket(mat), None) is None  # type: ignore[arg-type]
    assert not Claim.objects.exists()


@pytest.mark.django_db
def test_our_views_are_on_top_of_the_shops(settings: Any) -> None:
    assert issubclass(resolve("/en/basket/vouchers/add/").func.view_class, ReferralCodeMixin)
    before = apps.get_app_config("basket").add_voucher_view
    count = len(order_placed.receivers)
    receivers.connect()
    assert apps.get_app_config("basket").add_voucher_view is before
    assert len(order_placed.receivers) == count
    assert issubclass(before, get_class("basket.views", "VoucherAddView"))
