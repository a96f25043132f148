"""Undo a payment that was left half-way at the bank."""

from typing import Any

from oscar.core.loading import get_class

from example_site.card import gateway
from example_site.card.models import DemoCharge

# Session key: the token of the charge that the customer was sent to the bank with.
PENDING_CHARGE = "example_pending_charge"


def resume_basket(request: Any) -> None:
    """Mark the waiting charge as abandoned and open the frozen basket again, with its offers."""
    OrderPlacementMixin = get_class("checkout.mixins", "OrderPlacementMixin")
    CheckoutSessionData = get_class("checkout.utils", "CheckoutSessionData")
    Applicator = get_class("offer.applicator", "Applicator")

    charge = gateway.answer(request.session.pop(PENDING_CHARGE), DemoCharge.Status.ABANDONED)
    placement = OrderPlacementMixin()
    placement.request = request
    placement.checkout_session = CheckoutSessionData(request)
    basket_id = placement.checkout_session.get_submitted_basket_id()
    if charge is None or not basket_id or placement.get_submitted_basket().status != "Frozen":
        return
    placement.restore_frozen_basket()
    if request.basket.id:
        request.basket.strategy = request.strategy
        request.basket.reset_offer_applications()
        Applicator().apply(request.basket, request.user, request)
