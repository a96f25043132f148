"""The payment step, written as Oscar intends: `handle_payment` charges the total that it is given."""

import logging
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from oscar.apps.checkout import views
from oscar.apps.checkout.exceptions import FailedPreCondition
from oscar.apps.order.exceptions import UnableToPlaceOrder
from oscar.apps.payment.exceptions import RedirectRequired, UnableToTakePayment
from oscar.core.loading import get_class, get_model

from example_site.backoffice import orders
from example_site.card import gateway, kept
from example_site.card.forms import DEMONSTRATION_CARDS, CardForm
from example_site.card.models import DemoCharge
from example_site.checkout.resume import KEPT_CARD, PENDING_CHARGE, ReopenBasketMixin

Applicator = get_class("offer.applicator", "Applicator")
Basket = get_model("basket", "Basket")
Order = get_model("order", "Order")
Source = get_model("payment", "Source")
SourceType = get_model("payment", "SourceType")
Transaction = get_model("payment", "Transaction")

logger = logging.getLogger("oscar.checkout")

CARD_SOURCE_CODE = "card"


class PaymentDetailsView(ReopenBasketMixin, views.PaymentDetailsView):
    """Card form, preview, order; and, with `card_return`, the way back from the bank's page."""

    card_return = False

    # The three addresses that this view serves

    def get_pre_conditions(self, request: HttpRequest) -> list[str]:
        return [] if self.card_return else super().get_pre_conditions(request)

    def get_skip_conditions(self, request: HttpRequest) -> list[str]:
        return [] if self.card_return else super().get_skip_conditions(request)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.card_return:
            return self.return_from_bank(request)
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.card_return:
            return self.return_from_bank(request)
        return super().post(request, *args, **kwargs)

    def check_basket_is_not_empty(self, request: HttpRequest) -> None:
        """The second click on "place order" finds an empty basket: show the order that the first one placed."""
        is_second_click = request.method == "POST" and request.POST.get("action") == "place_order"
        if is_second_click and request.basket.is_empty and "checkout_order_id" in request.session:
            raise FailedPreCondition(url=reverse("checkout:thank-you"))
        super().check_basket_is_not_empty(request)

    # The card form: shown on the payment step, carried through the preview in hidden fields, never stored

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        context.setdefault("card_form", None)
        if context["card_form"] is None:
            context["card_form"] = self.card_form()
        context["demonstration_cards"] = DEMONSTRATION_CARDS
        return context

    def card_form(self, data: Any = None) -> CardForm:
        basket = self.request.basket
        return CardForm(data, may_keep=kept.may_be_kept(basket, self.request.user))

    def handle_payment_details_submission(self, request: HttpRequest) -> HttpResponse:
        form = self.card_form(request.POST)
        if form.is_valid():
            return self.render_preview(request, card_form=form)
        return self.render_payment_details(request, card_form=form)

    def handle_place_order_submission(self, request: HttpRequest) -> HttpResponse:
        """Whether a card is needed is known in `handle_payment`, which is told what remains to be paid."""
        if "card-number" not in request.POST:
            return self.submit(**self.build_submission())
        form = self.card_form(request.POST)
        if not form.is_valid():
            return self.render_payment_details(request, card_form=form)
        submission = self.build_submission()
        submission["payment_kwargs"]["card_form"] = form
        return self.submit(**submission)

    # Payment

    def submit(self, user: Any, basket: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        placed = Order.objects.filter(number=str(self.generate_order_number(basket)), basket=basket).first()
        if placed is not None:
            return self.show_order(placed)
        return super().submit(user, basket, *args, **kwargs)

    def handle_payment(self, order_number: Any, total: Any, **kwargs: Any) -> None:
        """Charge `total` to the card, in its currency with tax.

        Raises UnableToTakePayment for a missing or declined card and RedirectRequired when the bank wants to ask.
        """
        super().handle_payment(order_number, total, **kwargs)
        self.request.session.pop(KEPT_CARD, None)
        if total.incl_tax <= 0:
            return
        form = kwargs.get("card_form")
        if form is None or not form.is_valid():
            raise UnableToTakePayment(_("Please enter your card."))
        number = form.cleaned_data["number"]
        charge = gateway.authorise(order_number, total.incl_tax, total.currency, number)
        if form.cleaned_data.get("keep"):
            # A token, for when the order is there: perhaps after a visit to the bank.
            self.request.session[KEPT_CARD] = gateway.keep(number)
        if charge.status == DemoCharge.Status.AT_BANK:
            self.request.session[PENDING_CHARGE] = charge.token
            raise RedirectRequired(reverse("example_card:bank-page", args=[get_language(), charge.token]))
        if charge.status == DemoCharge.Status.DECLINED:
            raise gateway.refusal(charge)
        self.record_card(charge)

    def record_card(self, charge: DemoCharge) -> None:
        """Note the charge, to be saved with the order: authorised now, taken when the shop marks the order paid."""
        source_type, _created = SourceType.objects.get_or_create(
            code=CARD_SOURCE_CODE, defaults={"name": "Bank card"}
        )
        source = Source(
            source_type=source_type,
            currency=charge.currency,
            amount_allocated=charge.amount,
            reference=charge.token[:8],
            label=charge.label,
        )
        source.create_deferred_transaction(Transaction.AUTHORISE, charge.amount, reference=charge.token[:8])
        self.add_payment_source(source)
        self.add_payment_event("Authorised", charge.amount, reference=charge.token[:8])

    def handle_order_placement(
        self, order_number: Any, user: Any, basket: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """Two clicks at once: the one that comes second shows the order of the first, and leaves its basket alone."""
        try:
            return super().handle_order_placement(order_number, user, basket, *args, **kwargs)
        except Exception:
            placed = Order.objects.filter(number=str(order_number), basket=basket).first()
            if placed is None:
                raise
            logger.exception("Order #%s: error after the order was placed", order_number)
            return self.show_order(placed)

    def handle_successful_order(self, order: Any) -> HttpResponse:
        """Keep the card, and take the money at once for what is not sent: a membership runs from now on."""
        self.keep_card(order)
        if not any(line.product.is_shipping_required for line in order.lines.select_related("product")):
            orders.mark_paid(order)
            order.refresh_from_db()
        return super().handle_successful_order(order)

    def keep_card(self, order: Any) -> None:
        token = self.request.session.pop(KEPT_CARD, "")
        if token and order.user is not None:
            kept.keep_card(order.user, token)

    # The way back from the bank

    def return_from_bank(self, request: HttpRequest) -> HttpResponse:
        """Place the order of the frozen basket if the bank said yes, else open the basket again and say why."""
        charge = DemoCharge.objects.filter(token=request.session.get(PENDING_CHARGE, "")).first()
        if charge is None:
            if "checkout_order_id" in request.session:
                return redirect("checkout:thank-you")
            messages.info(request, _("This payment is no longer open."))
            return redirect("basket:summary")
        if charge.status == DemoCharge.Status.AT_BANK:
            return redirect(reverse("example_card:bank-page", args=[get_language(), charge.token]))
        del request.session[PENDING_CHARGE]

        basket = Basket.objects.filter(pk=self.checkout_session.get_submitted_basket_id()).first()
        placed = Order.objects.filter(number=charge.order_number).first()
        if placed is not None and basket is not None and placed.basket_id == basket.pk:
            return self.show_order(placed)
        if basket is None or basket.status != Basket.FROZEN:
            gateway.void(charge.order_number)
            messages.info(request, _("This payment is no longer open."))
            return redirect("basket:summary")
        if charge.status != DemoCharge.Status.AUTHORISED:
            self.restore_frozen_basket()
            messages.error(request, str(gateway.refusal(charge)))
            return redirect("checkout:payment-details")
        return self.place_frozen_order(request, basket, charge)

    def place_frozen_order(self, request: HttpRequest, basket: Any, charge: DemoCharge) -> HttpResponse:
        basket.strategy = request.strategy
        Applicator().apply(basket, request.user, request)
        request.basket = basket
        submission = self.build_submission(basket=basket)
        submission.pop("payment_kwargs")
        order_kwargs = submission.pop("order_kwargs")
        self.record_card(charge)
        try:
            return self.handle_order_placement(charge.order_number, **submission, **order_kwargs)
        except UnableToPlaceOrder as error:
            message = str(error)
            logger.error("Order #%s: unable to place the order after the bank's page", charge.order_number)
        except Exception:
            message = _("A problem occurred while placing this order: nothing was taken. Please try again.")
            logger.exception(
                "Order #%s: error while placing the order after the bank's page", charge.order_number
            )
        gateway.void(charge.order_number)
        self.restore_frozen_basket()
        messages.error(request, message)
        return redirect("checkout:payment-details")

    def show_order(self, order: Any) -> HttpResponse:
        """Lead to the thank-you page of an order that this customer placed a moment ago."""
        self.request.session["checkout_order_id"] = order.pk
        return redirect("checkout:thank-you")
