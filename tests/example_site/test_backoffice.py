"""Paid, shipped, cancelled, refunded: by the functions, and by the manager's buttons."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from oscar.core.loading import get_model

from example_site.backoffice import orders
from example_site.card.gateway import ACCEPTED
from example_site.card.models import DemoCharge
from example_site.seed.plans import seed_plans
from oscar_integration.memberships.models import Membership
from tests.example_site.conftest import Shopper

D = Decimal
Order = get_model("order", "Order")


def test_marking_as_paid_takes_the_money_once(shopper: Shopper) -> None:
    shopper.place(ACCEPTED)
    order = Order.objects.get()
    orders.mark_paid(order)
    with pytest.raises(orders.NotPossible):
        orders.mark_paid(order)
    source = order.sources.get()
    assert (source.amount_debited, DemoCharge.objects.get().status) == (D("84.00"), "captured")
    assert order.payment_events.filter(event_type__name="Paid").count() == 1


@pytest.mark.parametrize(
    ("skus", "status"),
    [
        (("PASS-10",), "Paid"),
        (("MEMBER-MONTH", "PASS-1"), "Paid"),
        (("PASS-10", "STRAP"), "Pending"),
    ],
)
def test_what_is_not_sent_is_paid_at_the_checkout(
    catalogue: None, client: Any, skus: tuple[str, ...], status: str
) -> None:
    someone = Shopper(client)
    for sku in skus:
        someone.add(sku)
    someone.as_guest()
    if "STRAP" in skus:
        someone.deliver()
    client.get("/en/checkout/shipping-method/")
    someone.place(ACCEPTED)
    order, charge = Order.objects.get(), DemoCharge.objects.get()
    assert (order.status, charge.status) == (status, "captured" if status == "Paid" else "authorised")
    source = order.sources.get()
    assert source.amount_debited == (order.total_incl_tax if status == "Paid" else D("0.00"))
    assert order.payment_events.filter(event_type__name="Paid").exists() is (status == "Paid")


def test_a_guest_is_told_where_the_pass_waits_and_finds_it_there(catalogue: None, client: Any) -> None:
    seed_plans()
    someone = Shopper(client)
    someone.add("PASS-10")
    someone.as_guest("zoe@example.com")
    client.get("/en/checkout/shipping-method/")
    page = client.get(someone.place(ACCEPTED).url).content.decode()
    assert "open an account in this browser" in page
    client.post(
        "/en/accounts/login/",
        {
            "registration-email": "zoe@example.com",
            "registration-password1": "correct horse battery",
            "registration-password2": "correct horse battery",
            "registration_submit": "Register",
        },
    )
    found = Membership.objects.get()
    assert (found.user.email, found.state, found.uses_left) == ("zoe@example.com", "active", 10)
    # Who has an account is not told so.
    someone.add("PASS-1")
    client.get("/en/checkout/shipping-method/")
    assert "open an account in this browser" not in client.get(someone.place(ACCEPTED).url).content.decode()
    assert Membership.objects.count() == 2


def test_shipping_consumes_the_stock(paid_order: Any) -> None:
    orders.mark_shipped(paid_order)
    paid_order.refresh_from_db()
    assert paid_order.status == "Shipped"
    assert paid_order.shipping_events.get().event_type.code == "shipped"
    stock = paid_order.lines.get().stockrecord
    assert (stock.num_in_stock, stock.num_allocated) == (23, 0)


def test_a_refund_never_exceeds_what_was_paid(paid_order: Any) -> None:
    assert orders.refund(paid_order, amount=D("42.00")) == D("42.00")
    assert orders.refund(paid_order, amount=D("9999.00")) == D("42.00")
    with pytest.raises(orders.NotPossible):
        orders.refund(paid_order, amount=D("0.01"))
    source = paid_order.sources.get()
    assert (source.amount_refunded, DemoCharge.objects.get().refunded) == (D("84.00"), D("84.00"))
    amounts = paid_order.payment_events.filter(event_type__name="Refund").values_list("amount", flat=True)
    assert sum(amounts) == D("84.00")
    paid_order.refresh_from_db()
    assert paid_order.status == "Refunded"


def test_nothing_is_refunded_before_it_was_taken(shopper: Shopper) -> None:
    shopper.place(ACCEPTED)
    with pytest.raises(orders.NotPossible):
        orders.refund(Order.objects.get(), amount=D("10.00"))


def test_pieces_are_refunded_at_the_price_paid_and_once(catalogue: None, client: Any) -> None:
    someone = Shopper(client)
    someone.add("STRAP", 3)
    someone.as_guest()
    someone.deliver()
    someone.place(ACCEPTED)
    order = Order.objects.get()
    line = order.lines.get()
    orders.mark_paid(order)
    assert orders.refund(order, quantities={line.pk: 2}, with_shipping=True) == D("34.90")
    with pytest.raises(orders.NotPossible):
        orders.refund(order, quantities={line.pk: 2})
    assert orders.refund(order, quantities={line.pk: 1}) == D("15.00")
    with pytest.raises(orders.NotPossible):
        orders.refund(order, quantities={line.pk: -1})


@pytest.mark.parametrize("paid_first", [True, False])
def test_cancelling_lets_go_of_money_and_stock(shopper: Shopper, paid_first: bool) -> None:
    shopper.place(ACCEPTED)
    order = Order.objects.get()
    if paid_first:
        orders.mark_paid(order)
    assert orders.cancel(order) == (D("84.00") if paid_first else D("0.00"))
    charge = DemoCharge.objects.get()
    assert (charge.status, charge.refunded) == (
        ("captured", D("84.00")) if paid_first else ("void", D("0.00"))
    )
    assert order.lines.get().stockrecord.num_allocated == 0
    order.refresh_from_db()
    assert order.status == "Cancelled"


def test_the_manager_refunds_from_the_order_page(paid_order: Any, people: None, client: Any) -> None:
    client.login(username="manager@example.com", password="souffle")
    page = f"/en/dashboard/orders/{paid_order.number}/"
    assert b"Refund the amount" in client.get(page).content
    response = client.post(
        f"/en/manage/orders/{paid_order.number}/refund-amount/", {"amount": "20,50"}, follow=True
    )
    assert "€20.50 refunded." in response.content.decode()
    assert DemoCharge.objects.get().refunded == D("20.50")


@pytest.mark.parametrize("amount", ["", "abc", "NaN", "Infinity", "-5", "0", "1e400", "٣x"])
def test_strange_amounts_are_explained(paid_order: Any, people: None, client: Any, amount: str) -> None:
    client.login(username="manager@example.com", password="souffle")
    response = client.post(
        f"/en/manage/orders/{paid_order.number}/refund-amount/", {"amount": amount}, follow=True
    )
    assert response.status_code == 200
    assert DemoCharge.objects.get().refunded == D("0.00")


def test_only_staff_may_act(paid_order: Any, people: None, client: Any) -> None:
    client.login(username="camille@example.com", password="souffle")
    response = client.post(f"/en/manage/orders/{paid_order.number}/refund-amount/", {"amount": "10"})
    assert response.status_code == 302
    assert DemoCharge.objects.get().refunded == D("0.00")


def test_the_mail_folder_shows_what_was_sent(people: None, client: Any, settings: Any, tmp_path: Any) -> None:
    from django.core.mail import EmailMultiAlternatives, get_connection

    settings.EMAIL_FILE_PATH = tmp_path
    connection = get_connection("django.core.mail.backends.filebased.EmailBackend", file_path=str(tmp_path))
    mails = [
        EmailMultiAlternatives(f"Reçu {n}", f"Bonjour {n}", "a@example.com", ["b@example.com"])
        for n in (1, 2)
    ]
    mails[1].attach_alternative("<p>Bonjour <b>Zoé</b></p>", "text/html")
    with time_machine.travel(datetime(2026, 7, 14, 8, 30, tzinfo=UTC)):
        connection.send_messages(mails)
    client.login(username="manager@example.com", password="souffle")
    page = client.get("/en/mails/").content.decode()
    assert "Reçu 1" in page and "Reçu 2" in page
    assert "07/14/2026 10:30 a.m." in page, "when it was sent, in the shop's time zone"
    name = next(tmp_path.glob("*.log")).stem
    assert "Bonjour 1" in client.get(f"/en/mails/{name}/0/").content.decode()
    assert "&lt;b&gt;Zoé&lt;/b&gt;" in client.get(f"/en/mails/{name}/1/").content.decode()
    assert client.get(f"/en/mails/{name}/2/").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_the_mail_folder_fits_a_phone(
    people: None, client: Any, settings: Any, tmp_path: Any, new_page: Any, live_server: Any
) -> None:
    from django.core.mail import EmailMessage, get_connection

    settings.EMAIL_FILE_PATH = tmp_path
    connection = get_connection("django.core.mail.backends.filebased.EmailBackend", file_path=str(tmp_path))
    address = "marie-charlotte.delatour-beaumont@example.com"
    connection.send_messages([EmailMessage("Votre récompense", "Bonjour", "a@example.com", [address])])
    client.login(username="manager@example.com", password="souffle")
    page = new_page(viewport={"width": 360, "height": 800})
    session = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
    page.context.add_cookies([session])
    page.goto("/en/mails/")
    page.get_by_text(address).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_typed_amount_above_what_can_be_refunded_refunds_nothing(
    paid_order: Any, people: None, client: Any
) -> None:
    client.login(username="manager@example.com", password="souffle")
    response = client.post(
        f"/en/manage/orders/{paid_order.number}/refund-amount/", {"amount": "9999"}, follow=True
    )
    assert "At most €84.00 can be refunded." in response.content.decode()
    assert DemoCharge.objects.get().refunded == D("0.00")
