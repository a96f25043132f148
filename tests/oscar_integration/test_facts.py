"""What the engine is told of an order: the present state, however it came about."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from oscar.core.loading import get_class, get_model

from oscar_integration import OscarShop
from tests.oscar_integration.shopping import create_order, fill_basket, make_product

pytestmark = pytest.mark.django_db

D = Decimal
DAY = timedelta(days=1)
PLACED = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
shop = OscarShop()


@pytest.fixture
def order(mat: Any, strap: Any, make_customer: Any) -> Any:
    """Two lines, 100.00 and 2 pieces of 20.00; delivery for 4.90 more."""
    basket = fill_basket(mat, strap, strap, user=make_customer("lea@example.com"))
    made = create_order(basket, user=basket.owner, date_placed=PLACED)
    made.shipping_incl_tax, made.shipping_code = D("4.90"), "home-delivery"
    made.total_incl_tax += D("4.90")
    made.save()
    return made


def facts(order: Any) -> Any:
    return shop.facts([order.number])[order.number]


def reach(order: Any, status: str, moment: datetime | None = None) -> None:
    order.set_status(status)
    if moment is not None:
        order.status_changes.filter(new_status=status).update(date_created=moment)


def pay_back(order: Any, amount: str, pieces: dict[str, int] | None = None, name: str = "Refund") -> None:
    kind, _created = get_model("order", "PaymentEventType").objects.get_or_create(name=name)
    lines = list(order.lines.filter(upc__in=pieces or {}))
    get_class("order.processing", "EventHandler")().create_payment_event(
        order, kind, D(amount), lines, [(pieces or {})[line.upc] for line in lines]
    )


def source(order: Any, refunded: str) -> None:
    kind, _created = get_model("payment", "SourceType").objects.get_or_create(name="Card", code="card")
    get_model("payment", "Source").objects.create(
        order=order,
        source_type=kind,
        amount_debited=order.total_incl_tax,
        amount_refunded=D(refunded),
    )


def ship(order: Any, moment: datetime, *upcs: str, name: str = "Shipped") -> Any:
    kind, _created = get_model("order", "ShippingEventType").objects.get_or_create(name=name)
    event = get_model("order", "ShippingEvent").objects.create(order=order, event_type=kind)
    for line in order.lines.filter(upc__in=upcs):
        event.line_quantities.create(line=line, quantity=line.quantity)
    type(event).objects.filter(pk=event.pk).update(date_created=moment)
    return event


def test_a_new_order_is_neither_paid_nor_shipped(order: Any) -> None:
    found = facts(order)
    assert (found.paid_at, found.shipped_at, found.cancelled, found.refunded) == (
        None,
        None,
        False,
        D("0.00"),
    )


def test_unknown_orders_are_left_out(order: Any) -> None:
    assert set(shop.facts(["nobody's", order.number, ""])) == {order.number}
    assert shop.facts([]) == {}


def test_paid_by_change_of_status(order: Any) -> None:
    reach(order, "Paid", PLACED + DAY)
    assert facts(order).paid_at == PLACED + DAY
    reach(order, "Shipped", PLACED + 3 * DAY)
    found = facts(order)
    assert (found.paid_at, found.shipped_at) == (PLACED + DAY, PLACED + 3 * DAY)


def test_a_status_that_was_written_directly_counts_from_the_placing(order: Any) -> None:
    type(order).objects.filter(pk=order.pk).update(status="Complete")
    found = facts(order)
    assert (found.paid_at, found.shipped_at) == (PLACED, PLACED)


def test_a_status_that_was_written_directly_counts_from_the_payment_event(order: Any) -> None:
    pay_back(order, "144.90", name="Paid")
    order.payment_events.update(date_created=PLACED + DAY)
    type(order).objects.filter(pk=order.pk).update(status="Paid")
    assert facts(order).paid_at == PLACED + DAY
    assert facts(order).refunded == 0


def test_shipped_when_every_line_has_left(order: Any) -> None:
    reach(order, "Paid", PLACED)
    ship(order, PLACED + DAY, "MAT")
    assert facts(order).shipped_at is None
    ship(order, PLACED + 4 * DAY, "STRAP")
    reach(order, "Shipped", PLACED + 5 * DAY)
    assert facts(order).shipped_at == PLACED + 4 * DAY
    ship(order, PLACED + 20 * DAY, "MAT", name="Returned")
    assert facts(order).shipped_at == PLACED + 4 * DAY, "a return does not move the waiting period"


def test_an_event_without_lines_counts_too(order: Any) -> None:
    ship(order, PLACED + 2 * DAY)
    type(order).objects.filter(pk=order.pk).update(status="Shipped")
    assert facts(order).shipped_at == PLACED + 2 * DAY


def test_nothing_to_deliver_is_shipped_when_paid(order: Any) -> None:
    order.shipping_code = "no-shipping-required"
    order.save()
    assert facts(order).shipped_at is None
    reach(order, "Paid", PLACED + DAY)
    assert facts(order).shipped_at == PLACED + DAY


def test_statuses_are_settings(order: Any, settings: Any) -> None:
    settings.WAGTAIL_REFERRALS_OSCAR = {
        "PAID_STATUSES": ["Réglée"],
        "SHIPPED_STATUSES": ["Partie"],
        "CANCELLED_STATUSES": ["Annulée"],
        "REFUNDED_STATUSES": ["Rendue"],
        "REFUND_EVENTS": ["remboursement"],
    }
    for status, expected in {
        "Paid": (False, False, False, D(0)),
        "Réglée": (True, False, False, D(0)),
        "Partie": (True, True, False, D(0)),
        "Annulée": (False, False, True, D(0)),
        "Rendue": (True, False, False, D(140)),
    }.items():
        type(order).objects.filter(pk=order.pk).update(status=status)
        found = facts(order)
        assert (bool(found.paid_at), bool(found.shipped_at), found.cancelled, found.refunded) == expected, (
            status
        )
    pay_back(order, "10.00", name="Remboursement")
    type(order).objects.filter(pk=order.pk).update(status="Réglée")
    assert facts(order).refunded == D("10.00")


def test_cancelled_before_and_after_delivery(order: Any) -> None:
    reach(order, "Paid")
    order.set_status("Cancelled")
    found = facts(order)
    assert (found.cancelled, found.shipped_at) == (True, None)
    order.status_changes.create(old_status="Paid", new_status="Shipped")
    assert facts(order).shipped_at is not None
    order.status_changes.filter(new_status="Shipped").delete()
    ship(order, PLACED + DAY, "MAT", "STRAP")
    assert facts(order).shipped_at == PLACED + DAY


def test_an_order_whose_lines_are_all_cancelled_is_cancelled(order: Any) -> None:
    order.lines.filter(upc="MAT").update(status="Cancelled")
    found = facts(order)
    assert (found.cancelled, found.refunded) == (False, D("100.00"))
    order.lines.update(status="Cancelled")
    found = facts(order)
    assert (found.cancelled, found.refunded) == (True, D("140.00"))


@pytest.mark.parametrize(
    ("refund", "goods"),
    [
        pytest.param(lambda o: pay_back(o, "20.00", {"STRAP": 1}), "20.00", id="a piece"),
        pytest.param(lambda o: pay_back(o, "24.90", {"STRAP": 1}), "20.00", id="a piece and the delivery"),
        pytest.param(lambda o: pay_back(o, "5.00", {"MAT": 1}), "5.00", id="a piece, for less than it cost"),
        pytest.param(lambda o: pay_back(o, "50.00"), "50.00", id="an amount"),
        pytest.param(lambda o: pay_back(o, "4.90"), "0.00", id="the delivery"),
        pytest.param(lambda o: pay_back(o, "144.90"), "140.00", id="everything"),
        pytest.param(lambda o: pay_back(o, "9999.00"), "140.00", id="more than there was"),
        pytest.param(lambda o: source(o, "30.00"), "30.00", id="by the source"),
        pytest.param(lambda o: source(o, "4.90"), "0.00", id="the delivery, by the source"),
        pytest.param(
            lambda o: (source(o, "30.00"), pay_back(o, "30.00")), "30.00", id="both records, one refund"
        ),
        pytest.param(lambda o: (source(o, "30.00"), pay_back(o, "45.00")), "45.00", id="the event says more"),
        pytest.param(
            lambda o: (source(o, "60.00"), pay_back(o, "45.00")), "60.00", id="the source says more"
        ),
        pytest.param(
            lambda o: (source(o, "24.90"), pay_back(o, "20.00", {"STRAP": 1})),
            "20.00",
            id="delivery in the source",
        ),
        pytest.param(
            lambda o: (o.lines.filter(upc="MAT").update(status="Cancelled"), pay_back(o, "100.00")),
            "100.00",
            id="a cancelled line that was paid back",
        ),
        pytest.param(
            lambda o: (o.lines.filter(upc="MAT").update(status="Cancelled"), pay_back(o, "120.00")),
            "120.00",
            id="a cancelled line and something more",
        ),
        pytest.param(lambda o: pay_back(o, "50.00", name="Failed"), "0.00", id="no refund at all"),
    ],
)
def test_refunds_count_for_the_goods(order: Any, refund: Callable[[Any], Any], goods: str) -> None:
    refund(order)
    assert facts(order).refunded == D(goods)


@pytest.mark.parametrize(
    ("refund", "lines"),
    [
        pytest.param(lambda o: pay_back(o, "20.00", {"STRAP": 1}), {"STRAP": "20.00"}, id="a piece"),
        pytest.param(
            lambda o: pay_back(o, "124.90", {"STRAP": 1, "MAT": 1}),
            {"STRAP": "20.00", "MAT": "100.00"},
            id="two lines and the delivery",
        ),
        pytest.param(
            lambda o: pay_back(o, "60.00", {"STRAP": 1, "MAT": 1}),
            {"STRAP": "10.00", "MAT": "50.00"},
            id="two lines, for half of what they cost",
        ),
        pytest.param(
            lambda o: (pay_back(o, "5.00", {"STRAP": 1}), pay_back(o, "30.00")),
            {"STRAP": "5.00"},
            id="money without a line is no line's",
        ),
        pytest.param(
            lambda o: [pay_back(o, "20.00", {"STRAP": 1}) for _ in range(3)],
            {"STRAP": "40.00"},
            id="no more than it cost",
        ),
        pytest.param(lambda o: pay_back(o, "20.00", {"STRAP": 9}), {"STRAP": "20.00"}, id="too many pieces"),
        pytest.param(
            lambda o: (
                o.lines.filter(upc="MAT").update(status="Cancelled"),
                pay_back(o, "30.00", {"MAT": 1}),
            ),
            {"MAT": "100.00"},
            id="a cancelled line",
        ),
        pytest.param(lambda o: source(o, "70.00"), {}, id="a source names no line"),
        pytest.param(
            lambda o: type(o).objects.filter(pk=o.pk).update(status="Refunded"),
            {"STRAP": "40.00", "MAT": "100.00"},
            id="everything",
        ),
    ],
)
def test_refunds_by_line(order: Any, refund: Callable[[Any], Any], lines: dict[str, str]) -> None:
    refund(order)
    upcs = {str(pk): upc for pk, upc in order.lines.values_list("pk", "upc")}
    found = facts(order)
    assert {upcs[line]: str(amount) for line, amount in found.refunded_lines.items()} == lines
    assert found.refunded >= sum(found.refunded_lines.values())


def test_no_cent_is_lost_between_lines(order: Any) -> None:
    for amount in ("0.01", "0.02", "33.33", "99.99"):
        order.payment_events.all().delete()
        pay_back(order, amount, {"STRAP": 1, "MAT": 1})
        assert sum(facts(order).refunded_lines.values()) == D(amount)


def test_the_delivery_is_not_counted_beside_a_piece_taken_back_for_less(order: Any) -> None:
    pay_back(order, "5.00", {"STRAP": 1})
    pay_back(order, "4.90")
    assert facts(order).refunded == D("5.00")


def test_refunds_count_whatever_their_order_and_number(order: Any) -> None:
    steps = [
        lambda: pay_back(order, "20.00", {"STRAP": 1}),
        lambda: pay_back(order, "30.00"),
        lambda: source(order, "40.00"),
    ]
    found = set()
    for way in itertools.permutations(steps):
        order.payment_events.all().delete()
        order.sources.all().delete()
        for step in way:
            step()
        found.add(facts(order).refunded)
    order.payment_events.all().delete()
    order.sources.all().delete()
    for amount in ("10.00", "15.00", "5.00", "20.00"):
        pay_back(order, amount)
    found.add(facts(order).refunded)
    assert found == {D("50.00")}


def test_the_number_of_queries_does_not_grow(order: Any, django_assert_num_queries: Any) -> None:
    numbers = [order.number]
    for index in range(30):
        basket = fill_basket(*order_products())
        made = create_order(basket, email=f"guest{index}@example.com")
        pay_back(made, "20.00", {"STRAP": 1})
        ship(made, PLACED, "MAT", "STRAP")
        made.set_status("Paid")
        numbers.append(made.number)
    with django_assert_num_queries(7):
        found = shop.facts(numbers)
    assert len(found) == 31


def order_products() -> list[Any]:
    return list(get_model("catalogue", "Product").objects.all())


# Who is a customer already


def ordered(product: Any, *, user: Any = None, email: str = "", status: str = "Pending") -> Any:
    made = create_order(fill_basket(product, user=user), user=user, email=email)
    type(made).objects.filter(pk=made.pk).update(status=status)
    made.refresh_from_db()
    return made


def test_a_customer_by_account_and_by_guest_address(strap: Any, make_customer: Any) -> None:
    lea, zoe = make_customer("Lea@example.com"), make_customer("zoe@example.com")

    def known(user: Any, email: str, excluding: str | None = None) -> bool:
        return shop.was_customer(user=user, email=email, excluding=excluding)

    assert not known(lea, "") and not known(None, "lea@example.com") and not known(None, "")
    own = ordered(strap, user=lea)
    assert known(lea, "")
    assert known(None, "LEA@example.com"), "a guest with the address of an account that has ordered"
    assert not known(lea, "", excluding=own.number)
    assert not known(zoe, "zoe@example.com")
    guest = ordered(strap, email="ZOE@example.com")
    assert known(zoe, ""), "an account whose address has ordered as a guest"
    assert known(None, "zoe@EXAMPLE.com")
    assert not known(None, "zoe@example.com", excluding=guest.number)


def test_an_order_that_never_happened_makes_no_customer(strap: Any) -> None:
    made = ordered(strap, email="lea@example.com", status="Cancelled")
    assert not shop.was_customer(user=None, email="lea@example.com", excluding=None)
    ship(made, PLACED, "STRAP")
    assert shop.was_customer(user=None, email="lea@example.com", excluding=None)
    made.shipping_events.all().delete()
    made.status_changes.create(old_status="Paid", new_status="Shipped")
    assert shop.was_customer(user=None, email="lea@example.com", excluding=None)


def test_asking_for_a_customer_is_one_query(
    strap: Any, make_customer: Any, django_assert_num_queries: Any
) -> None:
    lea = make_customer("lea@example.com")
    ordered(strap, user=lea)
    with django_assert_num_queries(1):
        assert shop.was_customer(user=lea, email="other@example.com", excluding="1")


# Where it goes


def address(model: str, **values: Any) -> Any:
    fields = {"line1": "12, rue de l’Été", "line2": "", "line4": "Nantes", "postcode": "44 000"} | values
    return get_model(*model.split(".")).objects.create(**fields)


@pytest.mark.parametrize(
    ("values", "same"),
    [
        ({"line1": "12 RUE DE L'ETE", "postcode": "44000"}, True),
        ({"line1": "12 rue", "line2": "de l'été"}, True),
        ({"line1": "14 rue de l'été"}, False),
        ({"postcode": "44100"}, False),
    ],
)
def test_the_delivery_address(
    strap: Any, camille: Any, france: Any, values: dict[str, str], same: bool
) -> None:
    address("address.UserAddress", user=camille, country=france)
    made = ordered(strap, email="lea@example.com")
    assert not shop.same_delivery_address(made.number, camille), "nothing was sent"
    made.shipping_address = address("order.ShippingAddress", country=france, **values)
    made.save()
    assert shop.same_delivery_address(made.number, camille) is same
    assert not shop.same_delivery_address(made.number, None)


def test_the_address_of_an_order_of_their_own(strap: Any, camille: Any, france: Any) -> None:
    own = ordered(strap, user=camille)
    made = ordered(strap, email="lea@example.com")
    for each in (own, made):
        each.shipping_address = address("order.ShippingAddress", country=france)
        each.save()
    assert shop.same_delivery_address(made.number, camille)
    own.shipping_address = address("order.ShippingAddress", country=france, line1="elsewhere")
    own.save()
    assert not shop.same_delivery_address(made.number, camille)


def test_pages(rf: Any, order: Any) -> None:
    assert shop.start_url(rf.get("/")) == "/en/catalogue/"
    assert shop.order_url(order.number) == f"/en/dashboard/orders/{order.number}/"
    assert order.date_placed < timezone.now()
    assert make_product("NEW", "1.00").upc == "NEW"
