"""Paying with credit at Oscar's checkout, by the pages that a customer sees. The books are checked after every test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from django.db.models.signals import post_save
from django.test import Client
from django.utils import timezone
from oscar.apps.checkout import views
from oscar.apps.checkout.exceptions import FailedPreCondition
from oscar.apps.order.signals import order_placed
from oscar.apps.payment.exceptions import UnableToTakePayment
from oscar.core.loading import get_model

from example_site.card.forms import CardForm
from example_site.card.gateway import ACCEPTED, ASKS_THE_BANK, DECLINED
from example_site.card.models import DemoCharge
from example_site.checkout.views import PaymentDetailsView
from oscar_integration import checkout
from oscar_integration.capture import capture_for_order
from oscar_integration.reading import places_orders_by_itself
from tests.credit.audit import assert_books_agree
from tests.oscar_integration.paying import (
    Customer,
    available,
    balance,
    charges,
    give,
    sources,
    states,
)
from tests.oscar_integration.shopping import create_order, fill_basket
from wagtail_referrals import credit

D = Decimal
Basket = get_model("basket", "Basket")
Order = get_model("order", "Order")


@pytest.fixture(autouse=True)
def _books(db: None) -> Iterator[None]:
    yield
    assert_books_agree()


@pytest.fixture
def lea(make_customer: Any) -> Any:
    user = make_customer("lea@example.com", first_name="Léa")
    give(user, "15")
    return user


@pytest.fixture
def customer(lea: Any, france: Any, mat: Any, strap: Any) -> Customer:
    return Customer(lea)


def assert_thanked(response: Any) -> Any:
    assert response.status_code == 302, response.content.decode()[:3000]
    assert response.url.endswith("/checkout/thank-you/")
    return Order.objects.latest("pk")


# In part


def test_credit_pays_a_part_and_the_card_the_rest(customer: Customer, lea: Any) -> None:
    page = customer.go_to_payment().content.decode()
    assert "Use my €15.00" in page
    assert 'value="15.00"' in page
    assert customer.use("15.00").url == "/en/checkout/payment-details/"
    assert available(lea) == "15.00"

    preview = customer.preview(ACCEPTED).content.decode()
    assert "−€15.00" in preview and "€85.00" in preview
    order = assert_thanked(customer.place_order(ACCEPTED))

    assert charges() == [("85.00", "authorised")]
    assert sources(order) == {"card": "85.00", "referral-credit": "15.00"}
    source = order.sources.get(source_type__code="referral-credit")
    assert (source.amount_debited, source.amount_refunded) == (D("15.00"), D("0.00"))
    assert [(txn.txn_type, txn.amount) for txn in source.transactions.all()] == [("Debit", D("15.00"))]
    assert (balance(lea), available(lea), states()) == ("0.00", "0.00", ["captured"])


def test_totals_and_taxes_are_those_without_credit(customer: Customer, lea: Any, make_customer: Any) -> None:
    other = Customer(make_customer("paul@example.com"))
    other.go_to_payment("STRAP", 3)
    plain = assert_thanked(other.place(ACCEPTED))
    customer.go_to_payment("STRAP", 3)
    customer.use("15")
    paid = assert_thanked(customer.place(ACCEPTED))
    for name in (
        "total_incl_tax",
        "total_excl_tax",
        "shipping_incl_tax",
        "total_tax",
        "total_discount_incl_tax",
    ):
        assert getattr(paid, name) == getattr(plain, name), name
    prices = [
        [
            (line.line_price_incl_tax, line.line_price_excl_tax, line.unit_price_incl_tax)
            for line in order.lines.all()
        ]
        for order in (plain, paid)
    ]
    assert prices[0] == prices[1]
    assert paid.total_incl_tax > paid.total_excl_tax


def test_the_card_is_handed_the_same_proportion_of_tax() -> None:
    from oscar.core.prices import Price

    from oscar_integration.checkout import order_price

    rest = order_price(Price("EUR", excl_tax=D(100), incl_tax=D(120), tax_code="A"), D(90))
    assert (rest.incl_tax, rest.excl_tax, rest.tax, rest.tax_code) == (D(90), D("75.00"), D("15.00"), "A")


def test_the_amount_can_be_changed_and_taken_out(customer: Customer, lea: Any) -> None:
    customer.go_to_payment()
    customer.use("4,50")
    panel = customer.panel()
    assert (panel.split.credit, panel.split.card) == (D("4.50"), D("95.50"))
    customer.use("10")
    assert customer.panel().split.credit == D("10.00")
    customer.remove()
    assert not customer.panel().is_used
    customer.use("7")
    # Without JavaScript: the tick taken away and the form sent.
    customer.use("7", use="")
    assert not customer.panel().is_used
    assert_thanked(customer.place(ACCEPTED))
    assert charges() == [("100.00", "authorised")]
    assert (available(lea), states()) == ("15.00", [])


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"amount": "15.01"}, "You have €15.00 of credit."),
        ({"amount": "-1"}, "Please enter an amount above zero."),
        ({"amount": "0"}, "Please enter an amount above zero."),
        ({"amount": ""}, "Please enter an amount above zero."),
        ({"amount": "NaN"}, "Enter a number."),
        ({"amount": "1e400"}, "digits"),
        ({"amount": "much"}, "Enter a number."),
        ({"amount": "5", "use": ""}, "Tick the box to use your credit."),
    ],
)
def test_what_cannot_be_meant_is_said_in_the_form(
    customer: Customer, sent: dict[str, str], words: str
) -> None:
    customer.go_to_payment()
    response = customer.use(**sent)
    assert response.status_code == 200
    assert words in response.content.decode()
    assert not customer.panel().is_used


def test_in_french_amounts_have_a_comma(lea: Any, france: Any, mat: Any) -> None:
    customer = Customer(lea, "fr")
    page = customer.go_to_payment().content.decode()
    assert 'value="15,00"' in page
    assert customer.use("12,50").status_code == 302
    assert customer.panel().split.credit == D("12.50")


# Entirely


def test_credit_that_pays_all_skips_the_card(
    customer: Customer, lea: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not even to be asked for zero.
    monkeypatch.setattr(PaymentDetailsView, "handle_payment", lambda *args, **kwargs: 1 / 0)
    give(lea, "85")
    customer.go_to_payment()
    assert customer.use("100").url == "/en/checkout/preview/"
    preview = customer.client.get(customer.url("checkout/preview/"))
    page = preview.content.decode()
    assert preview.status_code == 200
    assert "€0.00" in page and page.count('value="place_order"') == 1
    assert "card-number" not in page
    for step in ("payment-method", "payment-details"):
        response = customer.client.get(customer.url(f"checkout/{step}/"))
        assert response.url in ("/en/checkout/preview/", "/en/checkout/payment-details/")
    assert customer.client.get(customer.url("checkout/payment-details/")).url == "/en/checkout/preview/"
    # The way back to the form stays open.
    assert customer.client.get(customer.url("checkout/payment-details/?change-credit")).status_code == 200

    order = assert_thanked(customer.place_order())
    assert charges() == []
    assert sources(order) == {"referral-credit": "100.00"}
    assert (order.total_incl_tax, balance(lea)) == (D("100.00"), "0.00")


def test_a_shop_that_wants_a_card_before_the_preview_gets_none(
    customer: Customer, lea: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wants_card(view: Any, request: Any) -> None:
        if "card-number" not in request.POST:
            raise FailedPreCondition(url="/en/card-please/")

    monkeypatch.setattr(PaymentDetailsView, "check_payment_data_is_captured", wants_card)
    give(lea, "85")
    customer.go_to_payment()
    customer.use("15")
    assert customer.client.get(customer.url("checkout/preview/")).url == "/en/card-please/"
    customer.use("100")
    assert customer.client.get(customer.url("checkout/preview/")).status_code == 200
    assert_thanked(customer.place_order())


def test_a_shop_that_places_orders_in_its_own_post_asks_for_no_card_either(
    customer: Customer, lea: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As shops wrote it before Oscar had a method for it, and many do still."""

    def post(view: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        form = CardForm(request.POST)
        if not form.is_valid():
            return view.render_payment_details(request, card_form=form)
        if request.POST.get("action") != "place_order":
            return view.render_preview(request, card_form=form)
        submission = view.build_submission()
        submission["payment_kwargs"]["card_form"] = form
        return view.submit(**submission)

    monkeypatch.setattr(PaymentDetailsView, "post", post)
    monkeypatch.setattr(checkout, "places_orders_by_itself", places_orders_by_itself.__wrapped__)
    give(lea, "85")
    customer.go_to_payment()
    customer.use("15")
    assert customer.place_order().status_code == 200 and not Order.objects.exists()
    customer.use("100")
    order = assert_thanked(customer.place_order())
    assert (charges(), sources(order)) == ([], {"referral-credit": "100.00"})


def own_submit(*arguments: Callable[[Any, Any], Any]) -> Any:
    """A shop's own submit(), which hands to handle_payment() what these give for the total and the basket."""

    def submit(view: Any, user: Any, basket: Any, **submission: Any) -> Any:
        total, number = submission["order_total"], view.generate_order_number(basket)
        payment_kwargs, order_kwargs = submission.pop("payment_kwargs"), submission.pop("order_kwargs")
        view.freeze_basket(basket)
        view.checkout_session.set_submitted_basket(basket)
        try:
            view.handle_payment(number, *(each(total, basket) for each in arguments), **payment_kwargs)
        except UnableToTakePayment as error:
            view.restore_frozen_basket()
            return view.render_payment_details(view.request, error=str(error))
        return view.handle_order_placement(number, user, basket, **submission, **order_kwargs)

    return submit


def test_what_a_submit_hands_on_beside_the_total_reaches_the_shop(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Any] = []
    submit = own_submit(lambda total, basket: total, lambda total, basket: basket.num_lines)
    monkeypatch.setattr(PaymentDetailsView, "submit", submit)
    monkeypatch.setattr(
        PaymentDetailsView,
        "handle_payment",
        lambda view, number, total, lines, **kwargs: taken.append((total.incl_tax, lines)),
    )
    customer.go_to_payment()
    customer.use("15")
    order = assert_thanked(customer.place_order(ACCEPTED))
    assert taken == [(D("85.00"), 1)]
    assert sources(order) == {"referral-credit": "15.00"}


def test_a_submit_that_hands_on_an_amount_places_orders_without_credit(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check says so where it can read it. Who was promised credit is told, before anything is charged."""
    taken: list[Any] = []
    monkeypatch.setattr(PaymentDetailsView, "submit", own_submit(lambda total, basket: total.incl_tax))
    monkeypatch.setattr(
        PaymentDetailsView, "handle_payment", lambda view, number, total, **kwargs: taken.append(total)
    )
    customer.go_to_payment()
    customer.use("15")
    response = customer.place_order(ACCEPTED)
    assert "Your credit could not be used just now" in response.content.decode()
    assert (taken, Order.objects.exists(), states()) == ([], False, [])
    assert_thanked(customer.place_order(ACCEPTED))
    assert taken == [D("100.00")]


def test_credit_that_pays_all_can_be_taken_out_at_the_preview(customer: Customer, lea: Any) -> None:
    give(lea, "85")
    customer.go_to_payment()
    customer.use("100")
    assert customer.remove().url == "/en/checkout/payment-details/"
    assert customer.client.get(customer.url("checkout/payment-details/")).status_code == 200
    assert_thanked(customer.place(ACCEPTED))
    assert (charges(), available(lea)) == ([("100.00", "authorised")], "100.00")


def test_a_basket_that_grew_needs_a_card_again(customer: Customer, lea: Any) -> None:
    give(lea, "85")
    customer.go_to_payment()
    customer.use("100")
    customer.add("STRAP")
    response = customer.place_order()
    assert response.status_code == 200
    assert not Order.objects.exists()
    order = assert_thanked(customer.place(ACCEPTED))
    assert sources(order) == {"card": "20.00", "referral-credit": "100.00"}


# The least that a card can be charged


def test_too_small_a_rest_is_paid_with_credit(customer: Customer, lea: Any) -> None:
    give(lea, "100")
    customer.go_to_payment()
    assert customer.use("99.60").url == "/en/checkout/preview/"
    page = customer.client.get(customer.url("checkout/preview/")).content.decode()
    assert "The rest would be less than €0.50" in page
    assert sources(assert_thanked(customer.place_order())) == {"referral-credit": "100.00"}


def test_too_small_a_rest_is_raised_to_the_minimum(customer: Customer, lea: Any) -> None:
    give(lea, "84.80")
    page = customer.go_to_payment().content.decode()
    assert 'value="99.50"' in page
    customer.use("99.80")
    page = customer.client.get(customer.url("checkout/payment-details/")).content.decode()
    assert "so a little less of your credit is used" in page
    order = assert_thanked(customer.place(ACCEPTED))
    assert sources(order) == {"card": "0.50", "referral-credit": "99.50"}
    assert balance(lea) == "0.30"


# What goes wrong


def test_a_declined_card_frees_the_credit_at_once(customer: Customer, lea: Any) -> None:
    customer.go_to_payment()
    customer.use("15")
    response = customer.place(DECLINED)
    assert response.status_code == 200
    assert "Your bank declined this card" in response.content.decode()
    assert (available(lea), states()) == ("15.00", ["released"])
    # The choice is still there, and the page still shows it.
    assert response.context["referral_credit"].split.credit == D("15.00")
    order = assert_thanked(customer.place(ACCEPTED))
    assert sources(order) == {"card": "85.00", "referral-credit": "15.00"}
    assert states() == ["released", "captured"]


def test_credit_that_is_gone_is_refused_before_any_payment(customer: Customer, lea: Any) -> None:
    customer.go_to_payment()
    customer.use("15")
    customer.preview(ACCEPTED)
    credit.adjust(user=lea, currency="EUR", amount=D(-7), key="spent-elsewhere")
    response = customer.place_order(ACCEPTED)
    page = response.content.decode()
    assert "You no longer have that much credit: €8.00 is left. Nothing was charged." in page
    assert "Use my €8.00" in page
    assert 'id="card_form"' in page
    assert not DemoCharge.objects.exists() and not Order.objects.exists()
    assert Basket.objects.get().status == "Open"
    customer.use("8")
    assert sources(assert_thanked(customer.place(ACCEPTED))) == {"card": "92.00", "referral-credit": "8.00"}


def test_credit_that_is_gone_is_not_promised_by_the_preview(customer: Customer, lea: Any) -> None:
    customer.go_to_payment()
    customer.use("15")
    credit.adjust(user=lea, currency="EUR", amount=D(-15), key="spent-elsewhere")
    response = customer.client.post(customer.url("checkout/preview/"), customer.card(ACCEPTED), follow=True)
    assert response.redirect_chain[0][0] == "/en/checkout/payment-details/"
    assert "nothing is left, and nothing was charged" in response.content.decode()
    assert_thanked(customer.place(ACCEPTED))
    assert charges() == [("100.00", "authorised")]


def test_a_ledger_that_fails_is_refused_before_any_payment(
    customer: Customer, lea: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer.go_to_payment()
    customer.use("15")
    with monkeypatch.context() as patch:
        patch.setattr(credit, "reserve", lambda **kwargs: 1 / 0)
        response = customer.place(ACCEPTED)
    assert "Your credit could not be used just now" in response.content.decode()
    assert not DemoCharge.objects.exists()
    assert_thanked(customer.place(ACCEPTED))
    assert charges() == [("100.00", "authorised")]


def test_a_ledger_that_fails_leaves_the_card_step_alone(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credit, "accounts_of", lambda *args, **kwargs: 1 / 0)
    assert customer.go_to_payment().status_code == 200
    assert_thanked(customer.place(ACCEPTED))


def test_an_order_that_cannot_be_placed_frees_the_credit(
    customer: Customer, lea: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oscar.apps.order.utils import OrderCreator

    customer.go_to_payment()
    customer.use("15")
    with monkeypatch.context() as patch:
        patch.setattr(OrderCreator, "place_order", lambda self, **kwargs: 1 / 0)
        assert customer.place(ACCEPTED).status_code == 200
    assert (available(lea), states()) == ("15.00", ["released"])
    assert_thanked(customer.place(ACCEPTED))
    assert charges() == [("85.00", "authorised")]
    assert balance(lea) == "0.00"


@pytest.fixture
def breaking_receiver() -> Iterator[Any]:
    """A receiver of the shop that fails, before ours or after."""
    connected = []

    def connect(first: bool) -> None:
        def fails(**kwargs: Any) -> None:
            raise RuntimeError("the shop's own receiver")

        order_placed.connect(fails, weak=False, dispatch_uid="fails")
        if first:
            order_placed.receivers.insert(0, order_placed.receivers.pop())
            order_placed.sender_receivers_cache.clear()
        connected.append(fails)

    yield connect
    order_placed.disconnect(dispatch_uid="fails")


@pytest.mark.parametrize("first", [True, False])
def test_a_receiver_that_fails_leaves_the_order_paid_once(
    customer: Customer, lea: Any, breaking_receiver: Any, first: bool
) -> None:
    customer.go_to_payment()
    customer.use("15")
    breaking_receiver(first)
    customer.place(ACCEPTED)
    order = Order.objects.get()
    assert (balance(lea), states()) == ("0.00", ["captured"])
    assert sources(order)["referral-credit"] == "15.00"
    assert charges() == [("85.00", "authorised")]


@pytest.mark.parametrize("shop", ["example", "oscar"])
def test_the_second_click_pays_nothing_more(
    customer: Customer, lea: Any, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shop == "oscar":
        # Without the example shop's own care.
        monkeypatch.setattr(PaymentDetailsView, "submit", views.PaymentDetailsView.submit)
    give(lea, "40")
    customer.go_to_payment()
    customer.use("15")
    customer.preview(ACCEPTED)
    cookies = customer.client.cookies.copy()
    session_before = dict(customer.client.session)
    assert_thanked(customer.place_order(ACCEPTED))
    # The second request had read session and basket before the first one was through.
    customer.client.cookies = cookies
    session = customer.client.session
    session.update(session_before)
    session.save()
    Basket.objects.update(status="Open")
    again = customer.place_order(ACCEPTED)
    assert again.url.endswith("/checkout/thank-you/")
    assert customer.client.session["checkout_order_id"] == Order.objects.get().pk
    assert shop == "example" or Order.objects.get().basket.status == "Submitted"
    assert states() == ["captured"]
    assert charges() == [("85.00", "authorised")]
    assert (balance(lea), available(lea)) == ("40.00", "40.00")


# By way of the bank


def leave_for_the_bank(customer: Customer) -> DemoCharge:
    response = customer.place(ASKS_THE_BANK)
    assert response.status_code == 302 and "/bank/" in response.url
    return DemoCharge.objects.get()


def test_the_bank_says_yes(customer: Customer, lea: Any) -> None:
    customer.go_to_payment()
    customer.use("15")
    charge = leave_for_the_bank(customer)
    assert charge.amount == D("85.00")
    assert (available(lea), states()) == ("0.00", ["active"])
    DemoCharge.objects.update(status="authorised")
    order = assert_thanked(customer.client.get(customer.url("checkout/card-return/")))
    assert sources(order) == {"card": "85.00", "referral-credit": "15.00"}
    assert (balance(lea), states()) == ("0.00", ["captured"])


def test_left_at_the_bank_and_paid_again(customer: Customer, lea: Any) -> None:
    customer.go_to_payment()
    customer.use("15")
    leave_for_the_bank(customer)
    # Back in the shop: what this checkout has set aside still counts as theirs.
    panel = customer.panel()
    assert (panel.available, panel.split.credit) == (D("15.00"), D("15.00"))
    order = assert_thanked(customer.place(ACCEPTED))
    assert sources(order) == {"card": "85.00", "referral-credit": "15.00"}
    assert (balance(lea), states()) == ("0.00", ["captured"])
    assert charges() == [("85.00", "authorised")]


def test_left_at_the_bank_and_paid_with_less_credit(customer: Customer, lea: Any) -> None:
    customer.go_to_payment()
    customer.use("15")
    leave_for_the_bank(customer)
    customer.use("10")
    order = assert_thanked(customer.place(ACCEPTED))
    assert sources(order) == {"card": "90.00", "referral-credit": "10.00"}
    assert balance(lea) == "5.00"


@pytest.mark.parametrize("expired", [False, True])
def test_left_at_the_bank_and_paid_without_credit(customer: Customer, lea: Any, expired: bool) -> None:
    customer.go_to_payment()
    customer.use("15")
    leave_for_the_bank(customer)
    if expired:
        credit.expire_reservations(now=timezone.now() + timedelta(days=1))
    customer.panel()
    customer.remove()
    order = assert_thanked(customer.place(ACCEPTED))
    # Nor does a repair that knows nothing of the checkout.
    capture_for_order(order)
    assert sources(order) == {"card": "100.00"}
    assert (balance(lea), available(lea)) == ("15.00", "15.00")


def test_left_at_the_bank_and_then_not_payable_with_credit(customer: Customer, lea: Any) -> None:
    """The choice still stands, but the basket is in another currency by now: what was set aside is not spent."""
    customer.go_to_payment()
    customer.use("15")
    leave_for_the_bank(customer)
    get_model("partner", "StockRecord").objects.filter(product__upc="MAT").update(price_currency="CHF")
    order = assert_thanked(customer.place(ACCEPTED))
    assert list(sources(order)) == ["card"]
    assert (balance(lea), available(lea), states()) == ("15.00", "15.00", ["withdrawn"])


def test_left_at_the_bank_for_good(customer: Customer, lea: Any) -> None:
    customer.go_to_payment()
    customer.use("15")
    leave_for_the_bank(customer)
    now = timezone.now()
    assert credit.expire_reservations(now=now + timedelta(minutes=59)) == 0
    assert credit.expire_reservations(now=now + timedelta(minutes=61)) == 1
    assert available(lea) == "15.00"


def test_back_from_the_bank_after_the_credit_was_freed(customer: Customer, lea: Any) -> None:
    customer.go_to_payment()
    customer.use("15")
    leave_for_the_bank(customer)
    credit.expire_reservations(now=timezone.now() + timedelta(days=1))
    credit.adjust(user=lea, currency="EUR", amount=D(-10), key="spent-elsewhere")
    DemoCharge.objects.update(status="authorised")
    order = assert_thanked(customer.client.get(customer.url("checkout/card-return/")))
    assert sources(order) == {"card": "85.00", "referral-credit": "15.00"}
    account = credit.account_of(lea, "EUR")
    assert (account.balance, account.shortfall) == (D("0.00"), D("10.00"))


def test_the_bank_says_no(customer: Customer, lea: Any) -> None:
    customer.go_to_payment()
    customer.use("15")
    leave_for_the_bank(customer)
    DemoCharge.objects.update(status="declined")
    customer.client.get(customer.url("checkout/card-return/"))
    order = assert_thanked(customer.place(ACCEPTED))
    assert sources(order) == {"card": "85.00", "referral-credit": "15.00"}
    assert balance(lea) == "0.00"


def test_another_basket_leaves_nothing_set_aside(customer: Customer, lea: Any) -> None:
    customer.go_to_payment()
    customer.use("15")
    leave_for_the_bank(customer)
    session = customer.client.session
    del session["example_pending_charge"]
    session.save()
    customer.go_to_payment("STRAP", 4)
    assert customer.panel().available == D("15.00")
    order = assert_thanked(customer.place(ACCEPTED))
    assert sources(order)["referral-credit"] == "15.00"
    assert states() == ["released", "captured"]


# Who and in which currency


def test_a_guest_sees_no_credit(lea: Any, france: Any, mat: Any) -> None:
    from tests.oscar_integration.shopping import Friend

    guest = Friend(Client())
    guest.add("MAT")
    guest.as_guest("zoe@example.com")
    guest.deliver()
    page = guest.client.get("/en/checkout/payment-details/")
    assert "referral-credit" not in page.content.decode()
    sent = guest.client.post(
        "/en/checkout/payment-details/", {"action": "referral-credit", "use": "on", "amount": "5"}
    )
    assert sent.status_code == 302
    assert sources(assert_thanked(guest.place(ACCEPTED))) == {"card": "100.00"}


def test_a_customer_without_credit_sees_none(make_customer: Any, france: Any, mat: Any) -> None:
    other = Customer(make_customer("paul@example.com"))
    page = other.go_to_payment().content.decode()
    assert "referral-credit" not in page and 'id="card_form"' in page


def test_credit_in_another_currency_says_so(make_customer: Any, france: Any, mat: Any) -> None:
    user = make_customer("paul@example.com")
    give(user, "20", "CHF")
    other = Customer(user)
    page = other.go_to_payment().content.decode()
    assert "Your credit is in CHF: it cannot pay for a basket in EUR." in page
    assert 'name="use"' not in page
    other.use("5")
    assert sources(assert_thanked(other.place(ACCEPTED))) == {"card": "100.00"}


def test_a_basket_that_mixes_currencies_cannot_use_credit(customer: Customer, lea: Any) -> None:
    customer.go_to_payment()
    customer.use("15")
    # The basket's own currency, from its first line, stays EUR.
    get_model("partner", "StockRecord").objects.filter(product__upc="MAT").update(price_currency="CHF")
    assert Basket.objects.get().currency == "EUR"
    assert customer.panel().other_currencies == ("EUR",)
    order = assert_thanked(customer.place(ACCEPTED))
    assert "referral-credit" not in sources(order)
    assert available(lea) == "15.00"


# Without a request


def test_an_order_placed_by_a_job_spends_what_was_set_aside(lea: Any, mat: Any) -> None:
    basket = fill_basket(mat, user=lea)
    number = str(100000 + basket.pk)
    credit.reserve(
        user=lea,
        currency="EUR",
        amount=D(15),
        order_number=number,
        expires_at=timezone.now() + timedelta(hours=1),
    )
    order = create_order(basket, user=lea)
    assert sources(order) == {"referral-credit": "15.00"}
    order_placed.send(sender=None, order=order, user=lea)
    assert order.sources.count() == 1
    assert order.sources.get().transactions.count() == 1
    assert balance(lea) == "0.00"


# Where it is shown


def test_it_is_shown_wherever_the_order_is(customer: Customer, lea: Any, settings: Any) -> None:
    customer.go_to_payment()
    customer.use("15")
    thanks = customer.client.get(customer.place(ACCEPTED).url).content.decode()
    order = Order.objects.get()
    assert "Referral credit" in thanks and "15.00" in thanks
    (sent,) = [message for message in mail.outbox if order.number in message.body]
    html = sent.alternatives[0][0]
    for part in (sent.body, html):
        assert "Referral credit" in part and "€15.00" in part and "€85.00" in part
        # Right below the total.
        assert part.index("Order Total") < part.index("Referral credit") < part.index("Shipping address")
    page = customer.client.get(customer.url(f"accounts/orders/{order.number}/"))
    assert page.status_code == 200
    assert "Referral credit" in page.content.decode()
    staff = get_model("auth", "User").objects.create_superuser("boss", "boss@example.com", "x")
    back = Client()
    back.force_login(staff, backend="django.contrib.auth.backends.ModelBackend")
    page = back.get(customer.url(f"dashboard/orders/{order.number}/")).content.decode()
    assert "Referral credit" in page


def test_oscars_own_order_page_shows_it(customer: Customer, lea: Any, settings: Any) -> None:
    """A shop that did not write its own: our rows stand below Oscar's total."""
    customer.go_to_payment()
    customer.use("15")
    order = assert_thanked(customer.place(ACCEPTED))
    from copy import deepcopy

    templates = deepcopy(settings.TEMPLATES)
    templates[0]["DIRS"] = []
    settings.TEMPLATES = templates
    page = customer.client.get(customer.url(f"accounts/orders/{order.number}/")).content.decode()
    total, ours = page.index("Order total"), page.index('<tr class="referral-credit">')
    assert total < ours
    assert "−€15.00" in page and "€85.00" in page


# Giving back


def test_a_refund_goes_back_to_the_credit_once(customer: Customer, lea: Any) -> None:
    from oscar_integration import refund_credit

    customer.go_to_payment()
    customer.use("15")
    order = assert_thanked(customer.place(ACCEPTED))
    assert refund_credit(order, D("4.00"), "r1") == D("4.00")
    assert refund_credit(order, D("4.00"), "r1") == D("0.00")
    assert available(lea) == "4.00"
    assert refund_credit(order, D("40.00"), "r2") == D("11.00")
    assert refund_credit(order, D("1.00"), "r3") == D("0.00")
    source = order.sources.get(source_type__code="referral-credit")
    assert source.amount_refunded == D("15.00")
    assert sorted(str(txn.amount) for txn in source.transactions.filter(txn_type="Refund")) == [
        "11.00",
        "4.00",
    ]
    assert available(lea) == "15.00"


@pytest.mark.parametrize("given_before", [False, True])
def test_a_cancelled_order_gives_its_credit_back_once(
    customer: Customer, lea: Any, given_before: bool, django_capture_on_commit_callbacks: Any
) -> None:
    from oscar_integration import refund_credit
    from oscar_integration.refunds import return_credit_of_cancelled

    customer.go_to_payment()
    customer.use("15")
    order = assert_thanked(customer.place(ACCEPTED))
    if given_before:
        refund_credit(order, D("15.00"), "by hand")
    with django_capture_on_commit_callbacks(execute=True):
        order.set_status("Cancelled")
    assert available(lea) == "15.00"
    assert return_credit_of_cancelled(order) == D("0.00")
    assert available(lea) == "15.00"


def test_an_order_without_credit_has_nothing_to_give_back(customer: Customer, lea: Any) -> None:
    from oscar_integration import refund_credit
    from oscar_integration.refunds import return_credit_of_cancelled

    customer.go_to_payment()
    order = assert_thanked(customer.place(ACCEPTED))
    assert refund_credit(order, D(10), "r1") == return_credit_of_cancelled(order) == D("0.00")
    assert sources(order) == {"card": "100.00"}


def test_the_back_office_refunds_card_first_then_credit(customer: Customer, lea: Any) -> None:
    from example_site.backoffice import orders

    customer.go_to_payment()
    customer.use("15")
    order = assert_thanked(customer.place(ACCEPTED))
    orders.mark_paid(order)
    order.refresh_from_db()
    assert orders.refund(order, amount=D("90.00")) == D("90.00")
    assert available(lea) == "5.00"
    assert DemoCharge.objects.get().refunded == D("85.00")


# Cost


def test_the_kind_of_payment_source_is_made_when_it_is_needed(customer: Customer, lea: Any) -> None:
    """Also where somebody deleted it in the meantime. Whoever listens to a source being saved can ask for its kind."""
    Source, SourceType = get_model("payment", "Source"), get_model("payment", "SourceType")
    heard: list[tuple[str, str]] = []

    def hear(instance: Any, created: bool, **kwargs: Any) -> None:
        heard.append((instance.source_type.code, str(instance.amount_debited)))

    give(lea, "5")
    post_save.connect(hear, sender=Source)
    try:
        for _again in range(2):
            assert not SourceType.objects.filter(code="referral-credit").exists()
            customer.go_to_payment()
            customer.use("10.00")
            customer.preview(ACCEPTED)
            order = assert_thanked(customer.place_order(ACCEPTED))
            assert sources(order)["referral-credit"] == "10.00"
            assert ("referral-credit", "10.00") in heard
            heard.clear()
            SourceType.objects.filter(code="referral-credit").delete()
    finally:
        post_save.disconnect(hear, sender=Source)
    assert available(lea) == "0.00"


# Points


def test_points_are_no_money_at_the_checkout(customer: Customer, lea: Any, make_customer: Any) -> None:
    credit.grant(user=lea, currency="LEAF", amount=D(500), key="leaves")
    page = customer.go_to_payment().content.decode()
    assert "Use my €15.00" in page and "LEAF" not in page
    paul = make_customer("paul@example.com")
    credit.grant(user=paul, currency="LEAF", amount=D(500), key="more leaves")
    assert "referral-credit" not in Customer(paul).go_to_payment().content.decode()
