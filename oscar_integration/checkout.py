"""Paying with referral credit at Oscar's checkout, on top of whatever views the shop has.

Credit is a payment source, never a discount: totals and taxes are those of an order without it, and the payment view
that the shop wrote is handed the remainder. The order of things, for one attempt to pay:

1. ``handle_payment`` sets the credit aside under the order number, before anything is charged.
2. The shop's ``handle_payment`` charges the rest. What it raises frees the credit again, but for ``RedirectRequired``.
3. The order that is created spends it (``oscar_integration.capture``); what is never placed expires.

The shopper's choice and the number it was set aside for live in Oscar's checkout session, next to the number of the
submitted basket: whatever loses one loses the other, so no order is placed under a number whose credit was forgotten.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template import Template
from django.template.loader import select_template
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import localize_input
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from oscar.core.loading import get_class, get_classes, get_model
from oscar.core.prices import Price

from oscar_integration import conf
from oscar_integration.capture import capture_for_order, paid_without_credit
from oscar_integration.forms import CreditForm
from oscar_integration.mails import dispatcher
from oscar_integration.paid import OrderCredit
from oscar_integration.reading import payment_view_problems, places_orders_by_itself
from oscar_integration.split import Adjustment, Split, split
from wagtail_referrals import conf as engine_conf
from wagtail_referrals import credit
from wagtail_referrals.credit import format_money

if TYPE_CHECKING:
    from oscar.apps.checkout.views import PaymentDetailsView as _PaymentDetailsView
    from oscar.apps.checkout.views import PaymentMethodView as _PaymentMethodView
else:
    _PaymentDetailsView = _PaymentMethodView = object

RedirectRequired, UnableToTakePayment = get_classes(
    "payment.exceptions", ["RedirectRequired", "UnableToTakePayment"]
)
FailedPreCondition, PassedSkipCondition = get_classes(
    "checkout.exceptions", ["FailedPreCondition", "PassedSkipCondition"]
)

logger = logging.getLogger("oscar_integration")

NOTHING = Decimal("0.00")

# Value of "action" in what our form posts to checkout:payment-details, where Oscar itself takes no posts.
ACTION = "referral-credit"
# In the address of the payment step: show it although credit pays for everything, to change that.
CHANGE = "change-credit"

# In the shop's form of the preview: how the shopper was told that the order is paid.
SHOWN = "referral_credit_shown"

_NAMESPACE = "referral_credit"


def order_price(total: Price, card: Decimal) -> Price:
    """What is left of ``total`` for the card, tax included ``card``, with tax in the same proportion."""
    excl_tax = credit.quantize(total.excl_tax * card / total.incl_tax, total.currency)
    return Price(currency=total.currency, excl_tax=excl_tax, incl_tax=card, tax_code=total.tax_code)


def payment_key(found: Split, currency: str) -> str:
    """How an order is paid, to be compared with how it was said to be: "20.00/76.00 EUR", credit and card."""
    return f"{credit.quantize(found.credit, currency)}/{credit.quantize(found.card, currency)} {currency}"


class PaymentChanged(UnableToTakePayment):  # type: ignore[misc, valid-type]
    """What would be charged now is not what the preview said. Nothing was charged."""


@dataclass
class CreditPanel:
    """What the pages of the checkout show of a shopper's credit. Amounts in ``currency``, tax included."""

    currency: str
    total: Decimal
    available: Decimal
    split: Split
    form: CreditForm
    # Set when the credit is in another currency than the basket.
    other_currencies: tuple[str, ...] = ()
    # Set by the template tags, so that a shop's own template and ours do not both show it.
    form_shown: bool = False
    totals_shown: bool = False

    @property
    def is_used(self) -> bool:
        return self.split.credit > 0

    @property
    def pays_all(self) -> bool:
        return self.is_used and self.split.card == 0

    @property
    def available_text(self) -> str:
        return format_money(self.available, self.currency)

    @property
    def used_text(self) -> str:
        return format_money(self.split.credit, self.currency)

    @property
    def card_text(self) -> str:
        return format_money(self.split.card, self.currency)

    @property
    def total_text(self) -> str:
        return format_money(self.total, self.currency)

    @property
    def shown(self) -> str:
        """What the preview sends along, so that nothing else is charged than what it says."""
        return payment_key(self.split, self.currency)

    @property
    def applied(self) -> str:
        """What the field for the amount says where it says what is used already; "" when none is."""
        return str(localize_input(self.split.credit)) if self.is_used else ""

    @property
    def note(self) -> str:
        """Why the amount is not what was asked for; "" when it is."""
        return adjustment_words(self.split.adjustment, self.currency)


def adjustment_words(adjustment: Adjustment, currency: str) -> str:
    """Why less or more credit is used than the shopper asked for, in the current language."""
    if adjustment is Adjustment.NONE:
        return ""
    minimum = format_money(conf.minimum_charge(currency), currency)
    if adjustment is Adjustment.PAID_THE_REST:
        return _(
            "The rest would be less than %(minimum)s, the least a card can be charged: your credit pays it too."
        ) % {"minimum": minimum}
    if adjustment is Adjustment.LEFT_THE_MINIMUM:
        return _(
            "A card cannot be charged less than %(minimum)s, so a little less of your credit is used."
        ) % {"minimum": minimum}
    return _(
        "A card cannot be charged less than %(minimum)s, so this order cannot be paid in part with credit."
    ) % {"minimum": minimum}


class _CreditSessionMixin(_PaymentMethodView):
    """The shopper's choice, shared by the views of the checkout. Guests have no credit."""

    # The choice

    def chosen_credit(self, currency: str) -> Decimal:
        """Credit that the shopper wants to use, in ``currency``; 0 when none. No query."""
        if not self.request.user.is_authenticated:
            return NOTHING
        choice = self.checkout_session._get(_NAMESPACE, "choice")
        if not choice or choice.get("currency") != currency:
            return NOTHING
        try:
            return max(NOTHING, Decimal(choice["amount"]))
        except (InvalidOperation, KeyError, TypeError):
            return NOTHING

    def choose_credit(self, amount: Decimal, currency: str) -> None:
        """Remember that the shopper wants to use ``amount``; 0 forgets the choice."""
        if amount > 0:
            self.checkout_session._set(_NAMESPACE, "choice", {"amount": str(amount), "currency": currency})
        else:
            self.checkout_session._unset(_NAMESPACE, "choice")

    def credit_split(self, total: Price | None) -> Split | None:
        """How ``total`` is paid as the shopper chose; None without credit. No query."""
        if total is None or not total.is_tax_known or total.incl_tax <= 0:
            return None
        wanted = self.chosen_credit(total.currency)
        if wanted <= 0 or not self.basket_is_in(total.currency):
            return None
        found = split(total.incl_tax, wanted, conf.minimum_charge(total.currency))
        return found if found.credit > 0 else None

    def basket_is_in(self, currency: str) -> bool:
        """Whether every line of the basket is priced in ``currency`` now: the basket's own may be stale."""
        return all(line.purchase_info.price.currency == currency for line in self.request.basket.all_lines())

    # Skipping the card

    def credit_pays_all(self) -> bool:
        """Whether the chosen credit covers the present total, so that no card is needed."""
        if not self.request.user.is_authenticated or not self.checkout_session._get(_NAMESPACE, "choice"):
            return False
        found = self.credit_split(self.build_submission()["order_total"])
        return found is not None and found.card == 0

    def skip_unless_payment_is_required(self, request: HttpRequest) -> None:
        super().skip_unless_payment_is_required(request)
        if request.method == "POST" or CHANGE in request.GET:
            return
        if self.credit_pays_all():
            raise PassedSkipCondition(url=reverse("checkout:preview"))


class CreditPaymentMethodMixin(_CreditSessionMixin):
    """For the view where the payment method is chosen: nothing to choose when credit pays for everything."""


class CreditPaymentMixin(_CreditSessionMixin, _PaymentDetailsView):
    """For the view of the payment step and the preview. Put it first among the bases.

    The app does that itself for the shop's own view. A view that subclasses ``PaymentDetailsView`` under an address of
    its own (a payment provider's, say) gets it by hand: ``class View(CreditPaymentMixin, ProvidersView)``.
    """

    _credit_panel: CreditPanel | None = None
    _credit_form: CreditForm | None = None
    # Set when a payment was stopped because it was not what the preview said.
    _back_to_preview: bool = False

    # What is there

    @cached_property
    def _credit_accounts(self) -> dict[str, Decimal]:
        """Available credit by currency, with what this very checkout has set aside already."""
        user = self.request.user
        if not user.is_authenticated:
            return {}
        found = {
            account.currency: account.available
            for account in credit.accounts_of(user)
            if credit.is_money(account.currency)
        }
        number = self.checkout_session._get(_NAMESPACE, "reserved")
        if number:
            reservation = credit.active_reservation(number)
            if reservation is not None and reservation.account.user_id == user.pk:
                found[reservation.account.currency] += reservation.amount
        return found

    # Choosing: our form is posted to the payment step, where Oscar takes no posts

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.POST.get("action") == ACTION:
            return self.handle_credit_submission(request)
        response: HttpResponse
        if (
            self.preview
            and request.POST.get("action") == "place_order"
            and places_orders_by_itself(type(self))  # type: ignore[arg-type]
            and self.credit_pays_all()
        ):
            # The shop would ask for its card form here.
            response = self.place_order_paid_by_credit(request)
        else:
            response = super().post(request, *args, **kwargs)
        return response

    def handle_credit_submission(self, request: HttpRequest) -> HttpResponse:
        """Remember how much credit to use, and lead to the next step that is needed."""
        total = self.build_submission()["order_total"]
        panel = self.make_credit_panel(total)
        if "remove" in request.POST or panel is None or panel.other_currencies:
            self.forget_credit()
            return HttpResponseRedirect(reverse("checkout:payment-details"))
        form = self.make_credit_form(
            panel.currency, panel.available, data=request.POST, is_used=panel.is_used
        )
        if not form.is_valid():
            self._credit_form = form
            response: HttpResponse = self.render_payment_details(request)
            return response
        found = split(
            panel.total, form.cleaned_data["amount"], conf.minimum_charge(panel.currency), panel.available
        )
        if found.credit <= 0:
            self.forget_credit()
        else:
            self.choose_credit(found.credit, panel.currency)
        if found.adjustment is not Adjustment.NONE:
            messages.info(request, adjustment_words(found.adjustment, panel.currency))
        return HttpResponseRedirect(
            reverse("checkout:preview" if found.card == 0 else "checkout:payment-details")
        )

    def forget_credit(self) -> None:
        """Use no credit, and free what an earlier attempt to pay may still hold."""
        self.choose_credit(NOTHING, "")
        self.free_credit(for_good=True)

    def make_credit_form(
        self, currency: str, available: Decimal, *, data: Any = None, initial: Any = None, is_used: bool
    ) -> CreditForm:
        return CreditForm(
            data, initial=initial, currency=currency, available=available, must_tick=not is_used
        )

    # Showing

    def make_credit_panel(self, total: Price | None) -> CreditPanel | None:
        """What to show; None for guests, without credit, or where tax is not known yet. 1 query for a customer."""
        if total is None or not total.is_tax_known or total.incl_tax <= 0:
            return None
        with_credit = {currency: amount for currency, amount in self._credit_accounts.items() if amount > 0}
        if not with_credit:
            return None
        currency, amount = total.currency, total.incl_tax
        available = with_credit.get(currency, NOTHING)
        if not self.basket_is_in(currency) or available <= 0:
            form = self.make_credit_form(currency, NOTHING, is_used=False)
            return CreditPanel(
                currency, amount, NOTHING, Split(NOTHING, amount), form, tuple(sorted(with_credit))
            )
        minimum = conf.minimum_charge(currency)
        chosen = self.credit_split(total) or Split(NOTHING, amount)
        sensible = split(amount, available, minimum, available)
        if sensible.credit <= 0:
            # So small an order can be paid neither with this much credit nor with a card for the rest.
            return None
        form = self._credit_form or self.make_credit_form(
            currency,
            available,
            initial={"use": chosen.credit > 0, "amount": chosen.credit or sensible.credit},
            is_used=chosen.credit > 0,
        )
        return CreditPanel(currency, amount, available, chosen, form)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        try:
            self._credit_panel = self.make_credit_panel(context.get("order_total"))
        except Exception:
            # The shopper can still pay by card.
            logger.exception("Referral credit could not be shown at checkout")
            self._credit_panel = None
        context["referral_credit"] = self._credit_panel
        if self._credit_panel is not None:
            parent = select_template(super().get_template_names())
            if isinstance(getattr(parent, "template", None), Template):
                context["credit_parent_template"] = parent
            else:
                # Not a Django template: it shows our context itself, or nothing.
                self._credit_panel = None
        return context

    def get_template_names(self) -> list[str]:
        if self._credit_panel is None:
            names: list[str] = super().get_template_names()
            return names
        page = "preview" if self.preview else "payment_details"
        return [f"oscar_integration/checkout/{page}.html"]

    # The preview

    def get_pre_conditions(self, request: HttpRequest) -> list[str]:
        conditions: list[str] = super().get_pre_conditions(request)
        if self.preview and request.POST.get("action") != "place_order":
            return [*conditions, "check_credit_is_there"]
        return conditions

    def check_credit_is_there(self, request: HttpRequest) -> None:
        """Before the preview: the credit that it is going to promise must exist. No query when none was chosen."""
        if not request.user.is_authenticated or not self.checkout_session._get(_NAMESPACE, "choice"):
            return
        total = self.build_submission()["order_total"]
        found = self.credit_split(total)
        if found is not None and self._credit_accounts.get(total.currency, NOTHING) < found.credit:
            available = self._credit_accounts.get(total.currency, NOTHING)
            self.forget_credit()
            raise FailedPreCondition(
                url=reverse("checkout:payment-details"), message=no_longer_there(available, total.currency)
            )

    def check_payment_data_is_captured(self, request: HttpRequest) -> None:
        try:
            super().check_payment_data_is_captured(request)
        except FailedPreCondition:
            # The shop misses its card, which is not needed.
            if not self.credit_pays_all():
                raise

    def handle_payment_details_submission(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = (
            self.render_preview(request)
            if self.credit_pays_all()
            else super().handle_payment_details_submission(request)
        )
        return response

    def handle_place_order_submission(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = (
            self.place_order_paid_by_credit(request)
            if self.credit_pays_all()
            else super().handle_place_order_submission(request)
        )
        return response

    def place_order_paid_by_credit(self, request: HttpRequest) -> HttpResponse:
        """Place an order that credit pays for entirely: there is no card form to look at."""
        response: HttpResponse = self.submit(**self.build_submission())
        return response

    # Paying

    def handle_payment(self, order_number: Any, total: Any, *args: Any, **kwargs: Any) -> None:
        """Set credit aside, then let the shop charge the remainder of ``total``. What else it is handed goes on.

        Raises ``UnableToTakePayment``, before anything is charged, when the credit is no longer there, and
        ``PaymentChanged`` when the shopper confirmed something else.
        """
        number = str(order_number)
        if not hasattr(total, "is_tax_known"):
            # A shop's own submit() that hands on an amount, in which nothing can be told from tax.
            self.refuse_credit()
            super().handle_payment(order_number, total, *args, **kwargs)
            return
        before = self.checkout_session._get(_NAMESPACE, "reserved")
        found = self.credit_split(total)
        self.check_nothing_changed(total, found)
        if before and (found is None or before != number):
            # The shopper pays this number without credit now, or another basket than the one that was left at the bank.
            self.free_credit(for_good=before == number)
        elif found is None and self.checkout_session._get(_NAMESPACE, "freed") == number:
            # An earlier attempt with credit failed; this one charges everything.
            self.free_credit(for_good=True)
        if found is None:
            super().handle_payment(order_number, total, *args, **kwargs)
            return
        is_ours = self.reserve_credit(number, found.credit, total.currency) or before == number
        try:
            # Nothing left for the card: the shop's payment is not asked to charge zero.
            if found.card > 0:
                super().handle_payment(order_number, order_price(total, found.card), *args, **kwargs)
        except RedirectRequired:
            raise
        except Exception:
            # A second click that fails must not free what the first one is about to spend.
            if is_ours:
                self.free_credit()
            raise

    def refuse_credit(self) -> None:
        """Raise ``UnableToTakePayment`` for who was promised to pay with credit, where that cannot be."""
        if self.checkout_session._get(_NAMESPACE, "choice"):
            self.forget_credit()
            raise UnableToTakePayment(not_just_now())

    def check_nothing_changed(self, total: Any, found: Split | None) -> None:
        """Charge what the preview said, or nothing: another tab may have changed the credit or the basket. No query.

        Raises ``PaymentChanged``. A preview that does not say what it showed, or no preview, is not compared.
        """
        shown = self.request.POST.get(SHOWN)
        if not shown or total is None or not total.is_tax_known:
            return
        currency = total.currency
        present = found or Split(NOTHING, total.incl_tax)
        if shown == payment_key(present, currency):
            return
        # Credit was to pay for everything, so that no card was asked for: it is needed now.
        needs_card = present.card > 0 and f"/{credit.quantize(NOTHING, currency)} " in shown
        self._back_to_preview = not needs_card
        if found is None:
            raise PaymentChanged(
                _(
                    "What you pay has changed in the meantime: %(card)s by card, without credit. "
                    "Nothing was charged. Please check again."
                )
                % {"card": format_money(present.card, currency)}
            )
        raise PaymentChanged(
            _(
                "What you pay has changed in the meantime: %(credit)s with credit and %(card)s by card. "
                "Nothing was charged. Please check again."
            )
            % {
                "credit": format_money(present.credit, currency),
                "card": format_money(present.card, currency),
            }
        )

    def render_payment_details(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Where Oscar leads after a refused payment; to the preview if there is only something to confirm anew."""
        response: HttpResponse
        if self._back_to_preview:
            self._back_to_preview = False
            response = self.render_preview(request, **kwargs)
        else:
            response = super().render_payment_details(request, **kwargs)
        return response

    def reserve_credit(self, number: str, amount: Decimal, currency: str) -> bool:
        """Set ``amount`` aside for an order number; True if this call did it, False if it was so already.

        Raises ``UnableToTakePayment`` with the words for the shopper when that much is not there.
        """
        now = timezone.now()
        try:
            reservation = credit.reserve(
                user=self.request.user,
                currency=currency,
                amount=amount,
                order_number=number,
                expires_at=now + timedelta(minutes=engine_conf.get("RESERVATION_MINUTES")),
                now=now,
            )
        except credit.InsufficientCredit as error:
            self.forget_credit()
            self.__dict__.pop("_credit_accounts", None)
            raise UnableToTakePayment(no_longer_there(error.available, currency)) from error
        except Exception as error:
            logger.exception("Order #%s: referral credit could not be set aside", number)
            self.forget_credit()
            raise UnableToTakePayment(not_just_now()) from error
        if reservation.state == reservation.State.CAPTURED:
            self.show_placed_order(number)
        self.checkout_session._set(_NAMESPACE, "reserved", number)
        self.checkout_session._set(_NAMESPACE, "reserved_amount", str(amount))
        return bool(reservation.created_at == now)

    def show_placed_order(self, number: str) -> None:
        """A second click, after the order of the first was placed: lead to that order, and charge nothing more.

        Oscar froze its basket again a moment ago. Raises ``RedirectRequired``, the one way out that restores no basket.
        """
        order = get_model("order", "Order").objects.get(number=number, user_id=self.request.user.pk)
        get_model("basket", "Basket").objects.filter(pk=order.basket_id).update(
            status="Submitted", date_submitted=order.date_placed
        )
        self.request.session["checkout_order_id"] = order.pk
        raise RedirectRequired(self.get_success_url())

    def free_credit(self, *, for_good: bool = False) -> None:
        """Free what this checkout has set aside, if it has. Never raises: what stays set aside expires.

        ``for_good``: the order will be paid without it, so that it must not be spent when the order is placed.
        """
        number = self.checkout_session._get(_NAMESPACE, "reserved")
        if for_good:
            number = number or self.checkout_session._get(_NAMESPACE, "freed")
        if not number:
            return
        self.checkout_session._unset(_NAMESPACE, "reserved")
        if for_good:
            self.checkout_session._unset(_NAMESPACE, "freed")
        else:
            # What was freed is spent after all if its order is placed: to be withdrawn, should that be paid without it.
            self.checkout_session._set(_NAMESPACE, "freed", number)
        self.__dict__.pop("_credit_accounts", None)
        try:
            (credit.withdraw if for_good else credit.release)(order_number=number)
        except Exception:
            logger.exception("Order #%s: referral credit could not be freed", number)

    # Placing the order

    def handle_order_placement(self, order_number: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        number = str(order_number)
        response: HttpResponse
        if self.checkout_session._get(_NAMESPACE, "reserved") != number:
            with paid_without_credit(number):
                response = super().handle_order_placement(order_number, *args, **kwargs)
            return response
        try:
            response = super().handle_order_placement(order_number, *args, **kwargs)
        except Exception:
            self.settle_failed_placement(number)
            raise
        return response

    def place_order(self, order_number: Any, *args: Any, **kwargs: Any) -> Any:
        """Here too, below a shop's ``handle_order_placement`` that keeps the error to itself."""
        try:
            return super().place_order(order_number, *args, **kwargs)
        except Exception:
            self.settle_failed_placement(str(order_number))
            raise

    def settle_failed_placement(self, number: str) -> None:
        """After an error while the order was placed: it exists and is paid for, or the credit is free again."""
        if self.checkout_session._get(_NAMESPACE, "reserved") != number:
            return
        try:
            order = get_model("order", "Order").objects.filter(number=number).first()
        except Exception:
            logger.exception("Order #%s: not known whether it was placed; its credit stays set aside", number)
            return
        if order is None:
            self.free_credit()
        else:
            # A receiver before ours may have stopped the signal.
            capture_for_order(order)

    # The confirmation

    def get_message_context(self, order: Any) -> dict[str, Any]:
        """Adds ``referral_credit``: what was paid with credit, or None. For a shop's own e-mail templates."""
        context: dict[str, Any] = super().get_message_context(order)
        context["referral_credit"] = self._credit_spent(order)
        return context

    def send_order_placed_email(self, order: Any) -> None:
        """Send the shop's confirmation, with the credit that was spent; a shop that sends its own way does so."""
        stock = get_class("checkout.mixins", "OrderPlacementMixin").send_order_placed_email
        spent = self._credit_spent(order)
        if spent is None or getattr(super().send_order_placed_email, "__func__", None) is not stock:
            super().send_order_placed_email(order)
            return
        dispatcher(spent).send_order_placed_email_for_user(order, self.get_message_context(order))

    def _credit_spent(self, order: Any) -> OrderCredit | None:
        """What this checkout has set aside for an order that was just placed. No query."""
        if self.checkout_session._get(_NAMESPACE, "reserved") != str(order.number):
            return None
        amount = Decimal(self.checkout_session._get(_NAMESPACE, "reserved_amount"))
        return OrderCredit(order.currency, order.total_incl_tax, amount, NOTHING)


def not_just_now() -> str:
    """The refusal where something of ours failed, in the current language."""
    return _("Your credit could not be used just now. Nothing was charged: please try again, or pay by card.")


def no_longer_there(available: Decimal, currency: str) -> str:
    """The refusal, in the current language."""
    if available <= 0:
        return _(
            "You no longer have that much credit: nothing is left, and nothing was charged. Please pay by card."
        )
    return _("You no longer have that much credit: %(amount)s is left. Nothing was charged.") % {
        "amount": format_money(available, currency)
    }


def extend(base: type, mixin: type) -> type:
    """``base`` with ``mixin`` on top, under its own name; ``base`` itself if the shop did that already."""
    return (
        base
        if issubclass(base, mixin)
        else type(base.__name__, (mixin, base), {"__module__": base.__module__})
    )


def extend_checkout(config: Any) -> list[str]:
    """Put credit into the views of Oscar's CheckoutConfig; the names of those that were extended.

    A payment view that would charge the whole total beside the credit is left alone: a system check says why. One that
    has the mixin already is what the shop wanted.
    """
    views = {"payment_method_view": CreditPaymentMethodMixin, "payment_details_view": CreditPaymentMixin}
    if not conf.credit_at_checkout() or any(not hasattr(config, name) for name in views):
        return []
    view = config.payment_details_view
    by_hand = isinstance(view, type) and issubclass(view, CreditPaymentMixin)
    if not by_hand and payment_view_problems(view):
        return []
    for name, mixin in views.items():
        setattr(config, name, extend(getattr(config, name), mixin))
    return list(views)
