"""Which payment views credit can stand on: written as shops write them, the good ones and those that charge twice."""

from __future__ import annotations

import functools
import linecache
from decimal import Decimal as D
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import transaction
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from oscar.apps.checkout import mixins, views
from oscar.apps.payment.exceptions import RedirectRequired, UnableToTakePayment

from example_site.checkout.views import PaymentDetailsView as ExampleView
from oscar_integration.reading import payment_view_problems, places_orders_by_itself, unreadable_methods

# What shops call; nothing here runs.
gateway: Any = SimpleNamespace()
stripe: Any = SimpleNamespace()
logger: Any = SimpleNamespace()
messages: Any = SimpleNamespace()
Source: Any = SimpleNamespace


# Views that work with credit


class ChargesTheTotal(views.PaymentDetailsView):
    """As in Oscar's documentation."""

    def handle_payment(self, order_number, total, **kwargs):
        reference = gateway.pre_auth(order_number, total.incl_tax, kwargs["bankcard"])
        source = Source(currency=total.currency, amount_allocated=total.incl_tax, reference=reference)
        self.add_payment_source(source)
        self.add_payment_event("pre-auth", total.incl_tax, reference=reference)


class HandsThePriceOn(views.PaymentDetailsView):
    def handle_payment(self, order_number, total, **kwargs):
        gateway.charge(order_number, total, card=self.request.POST["token"])


class OldName(views.PaymentDetailsView):
    def handle_payment(self, order_number, total_incl_tax, **kwargs):
        gateway.charge(order_number, total_incl_tax)


class InCents(views.PaymentDetailsView):
    def handle_payment(self, order_number, total, **kwargs):
        amount = int(100 * float(total.incl_tax))
        if amount <= 0:
            return
        body = {"amount": amount, "currency": "USD"}
        gateway.send(body)


class CallsSuperFirst(views.PaymentDetailsView):
    def handle_payment(self, order_number, total, **kwargs):
        super(CallsSuperFirst, self).handle_payment(order_number, total, **kwargs)  # noqa: UP008
        gateway.charge(order_number, total.incl_tax)


class SuperByAnotherName(ChargesTheTotal):
    def handle_payment(self, order_number, total, **kwargs):
        stock = super()
        stock.handle_payment(order_number, total, **kwargs)


class TheClassByItsName(ChargesTheTotal):
    def handle_payment(self, order_number, total, **kwargs):
        ChargesTheTotal.handle_payment(self, order_number, total, **kwargs)

    def submit(self, *args, **kwargs):
        return views.PaymentDetailsView.submit(self, *args, **kwargs)


class PassesEverythingOn(ChargesTheTotal):
    def handle_payment(self, *args, **kwargs):
        return super().handle_payment(*args, **kwargs)


class Decorated(views.PaymentDetailsView):
    @transaction.atomic
    def handle_payment(self, order_number, total, **kwargs):
        gateway.charge(order_number, total.incl_tax)

    @method_decorator(never_cache)
    def dispatch(self, *args, **kwargs):
        return super().dispatch(*args, **kwargs)


class Invoice(views.PaymentDetailsView):
    """Nothing is charged, so nothing is charged twice."""

    def handle_payment(self, order_number, total, **kwargs):
        logger.info("Order %s is paid by invoice", order_number)


class InvoiceByPass(views.PaymentDetailsView):
    def handle_payment(self, order_number, total, **kwargs):
        pass


class CashOnDelivery(views.PaymentDetailsView):
    preview = True
    pre_conditions = ()

    def handle_payment(self, order_number, total, **kwargs):
        self.add_payment_source(Source(amount_allocated=total.incl_tax, amount_debited=0))


class Redirects(views.PaymentDetailsView):
    def handle_payment(self, order_number, total, **kwargs):
        url = gateway.begin(order_number, total.incl_tax)
        raise RedirectRequired(url)


class CallsByName(views.PaymentDetailsView):
    def submit(self, basket, order_total, **kwargs):
        options = {"order_number": 1, "total": order_total}
        if kwargs:
            return self.handle_payment(**options)
        return self.handle_payment(
            order_number=self.generate_order_number(basket), total=order_total, card=None
        )

    def handle_payment(self, order_number, total, card=None, **kwargs):
        gateway.charge(order_number, total.incl_tax, card)


class HandsMore(views.PaymentDetailsView):
    """With more arguments behind those of Oscar's: they are handed on."""

    def submit(self, user, basket, order_total, payment_kwargs=None, *, surcharges=None, **kwargs):
        self.handle_payment(
            self.generate_order_number(basket), order_total, basket.lines, user, **payment_kwargs
        )

    def handle_payment(self, order_number, order_total, lines, user, **kwargs):
        gateway.charge(order_number, order_total.incl_tax, [line.title for line in lines], user.email)


class TakesAndRecords(views.PaymentDetailsView):
    def handle_payment(self, order_number, total, **kwargs):
        intent = stripe.PaymentIntent.create(amount=int(total.incl_tax * 100), metadata=order_number)
        intent.confirm()
        self.add_payment_source(Source(amount_allocated=total.incl_tax, reference=intent.id))


class OwnMixin:
    def handle_payment(self, order_number, total, **kwargs):
        self.pay_by_card(order_number, total)

    def pay_by_card(self, order_number, total):
        gateway.charge(order_number, total.incl_tax)


class WithAMixinBetween(OwnMixin, views.PaymentDetailsView):
    pass


class OwnSubmit(views.PaymentDetailsView):
    def submit(self, user, basket, shipping_address, order_total, **kwargs):
        order_number = self.generate_order_number(basket)
        self.freeze_basket(basket)
        self.take(order_number, order_total, kwargs)
        return self.handle_order_placement(order_number, user, basket, order_total, **kwargs)

    def take(self, order_number, order_total, kwargs):
        try:
            self.handle_payment(order_number, order_total, **kwargs)
        except UnableToTakePayment:
            self.restore_frozen_basket()

    def handle_payment(self, order_number, total, **kwargs):
        gateway.charge(order_number, total.incl_tax)


class ComparesAndShows(views.PaymentDetailsView):
    """The whole amount is compared, told and shown, not charged."""

    def handle_payment(self, order_number, total, **kwargs):
        if total.incl_tax < self.request.basket.total_incl_tax:
            logger.info("Less than %s", self.request.basket.total_incl_tax)
        gateway.charge(order_number, total.incl_tax)

    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        context["cents"] = context["order_total"].incl_tax * 100
        return context

    def handle_successful_order(self, order):
        gateway.announce(order.total_incl_tax)
        return super().handle_successful_order(order)


class Texts(views.PaymentDetailsView):
    def handle_payment(self, order_number, total, **kwargs):
        gateway.charge(
            order_number,
            total.incl_tax,
            """Text that begins
at the margin""",
        )


WORK = [
    views.PaymentDetailsView,
    ExampleView,
    ChargesTheTotal,
    HandsThePriceOn,
    OldName,
    InCents,
    CallsSuperFirst,
    SuperByAnotherName,
    TheClassByItsName,
    PassesEverythingOn,
    Decorated,
    Invoice,
    InvoiceByPass,
    CashOnDelivery,
    Redirects,
    CallsByName,
    HandsMore,
    TakesAndRecords,
    WithAMixinBetween,
    OwnSubmit,
    ComparesAndShows,
    Texts,
]


@pytest.mark.parametrize("view", WORK, ids=lambda view: view.__qualname__)
def test_a_view_that_charges_what_it_is_handed_is_fine(view: type) -> None:
    assert payment_view_problems(view) == []
    assert unreadable_methods(view) == []


# Views that would charge the whole order beside the credit


class WhatTheBankKnows(views.PaymentDetailsView):
    """As PayPal's Express Checkout: the amount was agreed on before."""

    def handle_payment(self, order_number, total, **kwargs):
        confirmed = gateway.confirm(kwargs["token"], kwargs["txn"].amount, kwargs["txn"].currency)
        self.add_payment_event("Settled", confirmed.amount)


class ConfirmsAnIntent(views.PaymentDetailsView):
    """Made for the basket at the payment step; the total is only looked at."""

    def handle_payment(self, order_number, total, **kwargs):
        amount = total.incl_tax
        if amount <= D("0.00"):
            return
        logger.info("Order %s: %s", order_number, amount)
        stripe.PaymentIntent.confirm(kwargs["intent"])


class ConfirmsAndRecords(views.PaymentDetailsView):
    """What was taken is what the payment step agreed on, whatever is written down."""

    def handle_payment(self, order_number, total, **kwargs):
        intent = stripe.PaymentIntent.confirm(kwargs["intent"])
        amount = total.incl_tax
        self.add_payment_source(Source(currency=total.currency, amount_debited=amount, reference=intent.id))
        self.add_payment_event("Paid", amount)


class WantsTheRequest(views.PaymentDetailsView):
    def handle_place_order_submission(self, request):
        return self.submit(request, **self.build_submission())

    def submit(self, request, user, basket, **submission):
        return super().submit(user, basket, **submission)


class OnlyItsCurrency(views.PaymentDetailsView):
    def handle_payment(self, order_number, total, **kwargs):
        gateway.charge(self.checkout_session.amount(), total.currency)


class RefusesWithIt(views.PaymentDetailsView):
    def handle_payment(self, order_number, total, **kwargs):
        if not gateway.capture(self.request.session["payment"]):
            raise UnableToTakePayment(f"{total.incl_tax} could not be taken")


class RedirectsWithoutIt(views.PaymentDetailsView):
    def handle_payment(self, order_number, total, **kwargs):
        raise RedirectRequired(gateway.page())


class TheBasketBeside(views.PaymentDetailsView):
    def handle_payment(self, order_number, total, **kwargs):
        gateway.charge(self.request.basket.total_incl_tax, total.currency)
        self.add_payment_event("charged", total.incl_tax)


class TheBasketUnderItsName(views.PaymentDetailsView):
    def handle_payment(self, order_number, total, **kwargs):
        total = self.request.basket.total_incl_tax
        gateway.charge(order_number, total)


class TheSubmissionAgain(views.PaymentDetailsView):
    def handle_payment(self, order_number, total, **kwargs):
        self.note(total)
        gateway.charge(order_number, self.build_submission()["order_total"].incl_tax)

    def note(self, total):
        pass


class InAHelper(views.PaymentDetailsView):
    def handle_payment(self, order_number, total, **kwargs):
        self.by_card(order_number, total)

    def by_card(self, order_number, total):
        basket = self.request.basket
        gateway.charge(order_number, basket.total_incl_tax)


class ForkedMixin(mixins.OrderPlacementMixin):
    """Of a forked checkout.mixins: it stands below Oscar's own view."""

    def handle_payment(self, order_number, total, **kwargs):
        self.add_payment_source(self.source)


class BelowOscars(views.PaymentDetailsView, ForkedMixin):
    pass


class NotByPosition(views.PaymentDetailsView):
    def handle_payment(self, **kwargs):
        gateway.charge(kwargs["total"])


def quiet(function):
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


class DecoratedWithoutAWord(views.PaymentDetailsView):
    @quiet
    def handle_payment(self, order_number, total, **kwargs):
        gateway.charge(self.request.basket.total_incl_tax)


class OtherArguments(views.PaymentDetailsView):
    def handle_payment(self, order_number, basket, order_total, **kwargs):
        gateway.begin(order_number, basket, order_total.excl_tax)


class CallsWithOthers(views.PaymentDetailsView):
    def submit(self, basket, order_total, **kwargs):
        self.handle_payment(self.generate_order_number(basket), basket, order_total)


class CallsByOtherNames(views.PaymentDetailsView):
    def submit(self, basket, order_total, **kwargs):
        self.handle_payment(self.generate_order_number(basket), amount=order_total)


class NeverAsks(views.PaymentDetailsView):
    def submit(self, user, basket, order_total, **kwargs):
        number = self.generate_order_number(basket)
        gateway.charge(number, order_total.incl_tax)
        return self.handle_order_placement(number, user, basket, order_total, **kwargs)


class HandsAnAmount(views.PaymentDetailsView):
    def submit(self, basket, order_total, **kwargs):
        self.handle_payment(self.generate_order_number(basket), order_total.incl_tax)

    def handle_payment(self, order_number, total, **kwargs):
        gateway.charge(order_number, total)


class ChargesBefore(views.PaymentDetailsView):
    def handle_place_order_submission(self, request):
        submission = self.build_submission()
        stripe.PaymentIntent.create(amount=submission["order_total"].incl_tax * 100)
        return self.submit(**submission)


class ChargesAfter(views.PaymentDetailsView):
    def handle_successful_order(self, order):
        gateway.capture(order.number, order.total_incl_tax)
        return super().handle_successful_order(order)


class Asynchronous(views.PaymentDetailsView):
    async def submit(self, basket, order_total, **kwargs):
        await self.handle_payment(self.generate_order_number(basket), order_total)

    async def handle_payment(self, order_number, total, **kwargs):
        await gateway.charge(order_number, total.incl_tax)


class AsynchronousSubmit(ChargesTheTotal):
    async def submit(self, basket, order_total, **kwargs):
        self.handle_payment(self.generate_order_number(basket), order_total)


class NoViewOfOscars:
    def get(self, request):
        return gateway.page()


CHARGE_TWICE = [
    (WhatTheBankKnows, "WhatTheBankKnows.handle_payment() does not use the total"),
    (ConfirmsAnIntent, "does not use the total it is handed"),
    (ConfirmsAndRecords, "but calls stripe.PaymentIntent.confirm() without it"),
    (WantsTheRequest, "WantsTheRequest.submit() wants request, which Oscar does not give it"),
    (OnlyItsCurrency, "does not use the total it is handed"),
    (RefusesWithIt, "does not use the total it is handed"),
    (RedirectsWithoutIt, "does not use the total it is handed"),
    (TheBasketBeside, "uses self.request.basket.total_incl_tax beside the total"),
    (TheBasketUnderItsName, "uses self.request.basket.total_incl_tax beside the total"),
    (TheSubmissionAgain, "uses self.build_submission()['order_total'] beside the total"),
    (InAHelper, "InAHelper.handle_payment() uses basket.total_incl_tax beside the total"),
    (BelowOscars, "ForkedMixin.handle_payment() does not use the total"),
    (NotByPosition, "NotByPosition.handle_payment() takes other arguments than Oscar's"),
    (OtherArguments, "OtherArguments.handle_payment() takes other arguments than Oscar's"),
    (CallsWithOthers, "CallsWithOthers.submit() calls handle_payment() with other arguments than Oscar does"),
    (CallsByOtherNames, "calls handle_payment() with other arguments than Oscar does"),
    (DecoratedWithoutAWord, "does not use the total it is handed"),
    (NeverAsks, "its submit() neither calls self.handle_payment() nor super().submit()"),
    (HandsAnAmount, "HandsAnAmount.submit() hands order_total.incl_tax to handle_payment()"),
    (ChargesBefore, "handle_place_order_submission() calls stripe.PaymentIntent.create()"),
    (ChargesAfter, "ChargesAfter.handle_successful_order() calls gateway.capture()"),
    (Asynchronous, "Asynchronous.handle_payment() is asynchronous"),
    (AsynchronousSubmit, "AsynchronousSubmit.submit() is asynchronous"),
    (NoViewOfOscars, "it is not one of Oscar's PaymentDetailsView"),
]


@pytest.mark.parametrize(
    ("view", "words"), CHARGE_TWICE, ids=lambda value: getattr(value, "__qualname__", "")
)
def test_a_view_that_would_charge_the_whole_order_is_found(view: type, words: str) -> None:
    problems = payment_view_problems(view)
    assert any(words in problem for problem in problems), problems


def test_what_runs_no_more_is_not_judged() -> None:
    """A provider's method that the shop replaces without super() charges nobody."""

    class Replaced(WhatTheBankKnows):
        def handle_payment(self, order_number, total, **kwargs):
            gateway.charge(order_number, total.incl_tax)

    class Extended(WhatTheBankKnows):
        def handle_payment(self, order_number, total, **kwargs):
            gateway.check(total)
            super().handle_payment(order_number, total, **kwargs)

    assert payment_view_problems(Replaced) == []
    assert len(payment_view_problems(Extended)) == 1


# Views that place an order in post()


class OldPost(views.PaymentDetailsView):
    def post(self, request, *args, **kwargs):
        if request.POST.get("action") == "place_order":
            return self.do_place_order(request)
        return self.render_preview(request)

    def do_place_order(self, request):
        return self.submit(**self.build_submission())


class LooksFirst(views.PaymentDetailsView):
    def post(self, request, *args, **kwargs):
        if "terms" not in request.POST:
            return self.render_preview(request, error="terms")
        return super().post(request, *args, **kwargs)


class Hands(OldPost):
    def do_place_order(self, request):
        return self.handle_place_order_submission(request)


@pytest.mark.parametrize(
    ("view", "by_itself"),
    [
        (OldPost, True),
        (LooksFirst, False),
        (Hands, False),
        (views.PaymentDetailsView, False),
        (ExampleView, False),
    ],
)
def test_whether_a_view_places_orders_by_itself(view: type, by_itself: bool) -> None:
    assert places_orders_by_itself(view) is by_itself


# Views whose source is not there


def made_elsewhere(code: str) -> Any:
    """A method as it comes out of a compiled module: without a source."""
    names: dict[str, Any] = {"gateway": gateway}
    exec(compile(code, "compiled.so", "exec"), names)
    assert linecache.getlines("compiled.so") == []
    return names["handle_payment"]


def methods_without_source() -> dict[str, Any]:
    def by_position(self: Any, extra: Any, order_number: Any, total: Any, **kwargs: Any) -> None:
        gateway.charge(extra)

    return {
        "compiled": made_elsewhere("def handle_payment(self, number, total, **kwargs): gateway.charge(1)"),
        "partial": functools.partialmethod(by_position, "eur"),
        "static": staticmethod(by_position),
        "callable": SimpleNamespace(),
    }


@pytest.mark.parametrize("kind", sorted(methods_without_source()))
def test_a_view_that_cannot_be_read_is_said_to_be_so(kind: str) -> None:
    view = type("Sealed", (views.PaymentDetailsView,), {"handle_payment": methods_without_source()[kind]})
    assert unreadable_methods(view) == ["Sealed.handle_payment"]
    if kind != "callable":
        assert payment_view_problems(view) == []


@pytest.mark.parametrize("odd", [None, 1, "view", len, lambda request: None, object, type, Exception])
def test_what_is_no_view_breaks_nothing(odd: Any) -> None:
    assert payment_view_problems(odd) == ["it is not one of Oscar's PaymentDetailsView"]
    assert unreadable_methods(odd) == []
