"""Undo a payment that was left half-way at the bank."""

from typing import Any

from oscar.core.loading import get_class, get_model

from example_site.card import gateway
from example_site.card.models import DemoCharge

# Session key: the token of the charge that the customer was sent to the bank with.
PENDING_CHARGE = "example_pending_charge"
# Session key: the token of the card that the customer wants to keep for renewals.
KEPT_CARD = "example_kept_card"


class ReopenBasketMixin:
    """For checkout views: open the frozen basket again also when the visitor's new basket was never saved.

    Oscar merges the new basket into the frozen one, and a basket that is not in the database has no lines to ask for.
    """

    request: Any
    checkout_session: Any

    def restore_frozen_basket(self) -> None:
        if self.request.basket.id is not None:
            super().restore_frozen_basket()  # type: ignore[misc]
            return
        Basket = get_model("basket", "Basket")
        frozen = Basket.objects.filter(pk=self.checkout_session.get_submitted_basket_id()).first()
        if frozen is not None:
            frozen.thaw()
            frozen.strategy = self.request.strategy
            self.request.basket = frozen


def resume_basket(request: Any) -> None:
    """Mark the waiting charge as abandoned and open the frozen basket again, with its offers."""
    Applicator = get_class("offer.applicator", "Applicator")
    Basket = get_model("basket", "Basket")
    CheckoutSessionData = get_class("checkout.utils", "CheckoutSessionData")
    OrderPlacementMixin = get_class("checkout.mixins", "OrderPlacementMixin")

    charge = gateway.answer(request.session.pop(PENDING_CHARGE), DemoCharge.Status.ABANDONED)
    placement: Any = type("Placement", (ReopenBasketMixin, OrderPlacementMixin), {})()
    placement.request = request
    placement.checkout_session = CheckoutSessionData(request)
    frozen = Basket.objects.filter(pk=placement.checkout_session.get_submitted_basket_id()).first()
    if charge is None or frozen is None or frozen.status != Basket.FROZEN:
        return
    placement.restore_frozen_basket()
    request.basket.strategy = request.strategy
    request.basket.reset_offer_applications()
    Applicator().apply(request.basket, request.user, request)
