from django import http
from django.urls import reverse_lazy
from django.views import generic
from oscar.apps.checkout import views
from oscar.apps.checkout.views import *  # noqa: F403
from oscar.apps.payment.forms import BankcardForm
from oscar.apps.payment.models import Source, SourceType
from oscar.core.loading import get_class

from cards import gateway
from forks.checkout.forms import GiftForm

CheckoutSessionMixin = get_class("checkout.session", "CheckoutSessionMixin")


class ShippingMethodView(views.ShippingMethodView):
    def get_success_response(self):
        return http.HttpResponseRedirect(reverse_lazy("checkout:gift"))


class GiftView(CheckoutSessionMixin, generic.FormView):
    """Our own step between delivery and payment: is it a gift, and what shall we write?"""

    template_name = "oscar/checkout/gift.html"
    form_class = GiftForm
    success_url = reverse_lazy("checkout:payment-method")
    pre_conditions = [
        "check_basket_is_not_empty",
        "check_basket_is_valid",
        "check_user_email_is_captured",
        "check_shipping_data_is_captured",
    ]

    def get_initial(self):
        return {"message": self.checkout_session.get_gift_message()}

    def form_valid(self, form):
        self.checkout_session.set_gift_message(form.cleaned_data["message"])
        return super().form_valid(form)


class PaymentDetailsView(views.PaymentDetailsView):
    """Payment by card. The numbers travel from the form through the hidden fields of the preview, never to disk."""

    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        context.setdefault("bankcard_form", BankcardForm())
        return context

    def post(self, request, *args, **kwargs):
        if request.POST.get("action") == "place_order":
            return self.do_place_order(request)
        form = BankcardForm(request.POST)
        if not form.is_valid():
            return self.render_payment_details(request, bankcard_form=form)
        return self.render_preview(request, bankcard_form=form)

    def do_place_order(self, request):
        submission = self.build_submission()
        if submission["order_total"].incl_tax > 0:
            form = BankcardForm(request.POST)
            if not form.is_valid():
                # Somebody played with the hidden fields, or came here without the card step.
                return self.render_payment_details(request, bankcard_form=form)
            submission["payment_kwargs"]["bankcard_form"] = form
        return self.submit(**submission)

    def handle_payment(self, order_number, total, **kwargs):
        if total.incl_tax <= 0:
            return
        bankcard = kwargs["bankcard_form"].bankcard
        charge = gateway.charge(order_number, total.incl_tax, total.currency, bankcard)
        source_type, __ = SourceType.objects.get_or_create(name="Card")
        self.add_payment_source(
            Source(
                source_type=source_type,
                currency=total.currency,
                amount_allocated=total.incl_tax,
                amount_debited=total.incl_tax,
                reference=charge.reference,
                label=f"**** {charge.last4}",
            )
        )
        self.add_payment_event("Paid", total.incl_tax, reference=charge.reference)

    def handle_successful_order(self, order):
        if order.sources.exists():
            order.set_status("Payment received")
        return super().handle_successful_order(order)
