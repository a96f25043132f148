"""The order is placed as the checkout places it, without its payment: nothing is charged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import DatabaseError, transaction
from django.urls import NoReverseMatch, resolve, reverse
from django.utils.translation import gettext as _
from oscar.core.loading import get_class, get_model

from oscar_integration import conf
from oscar_integration.capture import find_source
from oscar_integration.doctor.basket import priced
from oscar_integration.receivers import on_order_placed
from wagtail_referrals import conf as engine_conf
from wagtail_referrals import credit, rewards
from wagtail_referrals.credit import format_money
from wagtail_referrals.doctor import Finding, Trial, broken, crash, fine, look
from wagtail_referrals.referrals.models import Purchase


def examine_order(trial: Trial) -> Iterator[Finding]:
    basket = trial.need("basket")
    trial.need("method")
    number = str(get_class("order.utils", "OrderNumberGenerator")().order_number(basket))
    reserved = _set_aside(number, basket, trial)
    error = None
    try:
        with transaction.atomic():
            try:
                _place(number, trial)
            except DatabaseError:
                raise
            except Exception as raised:
                error = raised
    except DatabaseError as raised:
        yield _not_placed(raised)
        return
    order = get_model("order", "Order")._default_manager.filter(number=number).first()
    if order is None:
        yield (
            _not_placed(error)
            if error is not None
            else broken(_("The order was placed, and is not found by its number."))
        )
        return
    if error is not None:
        # Oscar sends order_placed when the order is there.
        yield crash(
            error,
            _("The order is there, and a receiver of order_placed fails: the customer sees an error"),
            _("A receiver of order_placed must never raise: catch, log, and do the work after the commit."),
        )
        on_order_placed(sender=None, order=order, user=order.user)
    trial.kept["order"] = order
    yield from _attributed(order)
    yield from _paid_with_credit(order, reserved)


def _not_placed(error: Exception) -> Finding:
    return crash(
        error,
        _("No order could be placed"),
        _("Does the shop's place_order want something that only its own payment step leaves behind?"),
    )


def _set_aside(number: str, basket: Any, trial: Trial) -> Decimal:
    """Half of the order is paid with credit, as the payment step would set it aside."""
    if not conf.credit_at_checkout() or basket.currency not in engine_conf.currencies():
        return Decimal(0)
    if credit.available(trial.friend, basket.currency) <= 0:
        return Decimal(0)
    amount = credit.quantize(basket.total_incl_tax / 2, basket.currency)
    if amount <= 0:
        return Decimal(0)
    credit.reserve(
        user=trial.friend,
        currency=basket.currency,
        amount=amount,
        order_number=number,
        expires_at=trial.now + timedelta(hours=1),
        now=trial.now,
    )
    return amount


def _place(number: str, trial: Trial) -> None:
    """By the shop's own ``place_order``, which calls its OrderCreator; its ``handle_payment`` is never called."""
    user, browser = trial.friend, trial.need("browser")
    basket = priced(trial.need("basket"), user)
    basket.freeze()
    try:
        view_class = getattr(resolve(reverse("checkout:preview")).func, "view_class", None)
    except NoReverseMatch:
        view_class = None
    # One that has gone through the shop's middleware: its checkout may ask for what that puts on it.
    request = browser.request
    request.user, request.session = user, browser.client.session
    request.basket, request.strategy = basket, basket.strategy
    if view_class is None:
        _create(number, basket, request, trial)
        return
    view = view_class()
    view.setup(request)
    view.checkout_session = get_class("checkout.utils", "CheckoutSessionData")(request)
    submission = view.build_submission(basket=basket, user=user)
    names = (
        "user",
        "basket",
        "shipping_address",
        "shipping_method",
        "shipping_charge",
        "billing_address",
        "order_total",
        "surcharges",
    )
    values = {name: submission[name] for name in names if name in submission}
    view.place_order(number, **values, **submission.get("order_kwargs", {}))


def _create(number: str, basket: Any, request: Any, trial: Trial) -> None:
    """In a shop without Oscar's checkout pages."""
    method = trial.need("method")
    charge = method.calculate(basket)
    get_class("order.utils", "OrderCreator")().place_order(
        basket,
        get_class("checkout.calculators", "OrderTotalCalculator")().calculate(basket, charge),
        shipping_method=method,
        shipping_charge=charge,
        user=trial.friend,
        order_number=number,
        request=request,
    )


def _attributed(order: Any) -> Iterator[Finding]:
    purchase = Purchase.objects.filter(reference=str(order.number)).select_related("referral").first()
    if purchase is None:
        yield broken(
            _("The order is nobody's: the person who sent the friend would get nothing."),
            _("Does the shop place orders without the signal order_placed, or with another basket?"),
        )
        return
    verdict = rewards.settle(purchase.referral_id)
    purchase.referral.refresh_from_db()
    state = purchase.referral.get_state_display()
    if verdict is None or purchase.referral.state == purchase.referral.State.REFUSED:
        yield look(
            _("The order is the friend's, and the referral is refused."),
            _("The checks of the program refused it: see its timeline with a real order."),
        )
        return
    yield fine(_("The order belongs to the invitation. The referral: %(state)s.") % {"state": state})


def _paid_with_credit(order: Any, reserved: Decimal) -> Iterator[Finding]:
    if not reserved:
        return
    source = find_source(order)
    if source is None or source.amount_debited != reserved:
        yield broken(
            _("The credit that was set aside for the order was not spent on it."),
            _(
                "Does the shop make orders with bulk_create, or without saving them? The sweep spends it later."
            ),
        )
        return
    yield fine(
        _("Half of it is paid with credit: %(amount)s, among the order's payment sources.")
        % {"amount": format_money(reserved, order.currency)}
    )
