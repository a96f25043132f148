"""What we listen to in Oscar. Nothing here may break a page, a checkout or a job of the shop.

Each receiver that writes has a savepoint of its own, catches everything and logs it by order number; the sweep repairs
what was missed. Receivers of changes to an order only make the engine look again, after the commit.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from django.apps import apps
from django.contrib.auth.signals import user_logged_in
from django.db import DEFAULT_DB_ALIAS, IntegrityError, connections, transaction
from django.db.models import F
from django.db.models.signals import post_save
from django.utils import timezone
from oscar.apps.basket.signals import basket_addition, voucher_addition, voucher_removal
from oscar.apps.checkout.signals import pre_payment, start_checkout
from oscar.apps.customer.signals import user_registered
from oscar.apps.order.signals import order_placed, order_status_changed
from oscar.core.loading import get_model

from oscar_integration import basket as baskets
from oscar_integration import conf, order_hooks, vouchers
from oscar_integration.attribution import attribute, is_nobodys
from oscar_integration.capture import capture_for_order
from oscar_integration.checkout import extend
from oscar_integration.nobody import give_empty_basket
from oscar_integration.refunds import return_credit_of_cancelled
from oscar_integration.repair import (
    attribute_missed,
    capture_missed,
    note_missed,
    note_who_sent,
    return_missed,
)
from oscar_integration.steps import on_entering_view
from wagtail_referrals import people, rewards
from wagtail_referrals.referrals import referrals_of, register_friend
from wagtail_referrals.referrals.models import Purchase
from wagtail_referrals.signals import drawing_for_nobody, entering_view, sweeping

logger = logging.getLogger("oscar_integration")


def _guarded(what: str, work: Callable[[], None]) -> None:
    """Run ``work`` in a savepoint; what goes wrong is rolled back to it and logged."""
    try:
        with transaction.atomic():
            work()
    except Exception:
        logger.exception("%s failed", what)


# The shopper's steps


def on_basket_addition(sender: Any, request: Any, **kwargs: Any) -> None:
    if baskets.is_concerned(request):
        _guarded("Tying an invitation to a basket", lambda: baskets.after_addition(request))


def on_voucher_addition(sender: Any, **kwargs: Any) -> None:
    """Oscar's view sends it in the middle of its own work: tie the basket, leave its vouchers alone."""
    request = getattr(sender, "request", None)
    if request is not None and baskets.has_trace(request):
        _guarded("Tying an invitation to a basket", lambda: baskets.commit(request) and None)


def on_voucher_removal(sender: Any, voucher: Any, **kwargs: Any) -> None:
    request = getattr(sender, "request", None)
    if request is not None and vouchers.is_ours(voucher.code):
        _guarded("Noting that a shopper took a discount out", lambda: baskets.after_removal(request, voucher))


def on_login(sender: Any, request: Any, user: Any, **kwargs: Any) -> None:
    """One query for a customer without an invitation; none where a visitor without a basket signs in to an admin."""
    if request is None or not hasattr(request, "basket") or not hasattr(request, "session"):
        return
    _guarded("Tying an invitation to a customer at login", lambda: baskets.at_login(request, user))


def on_registration(sender: Any, request: Any, user: Any, **kwargs: Any) -> None:
    def work() -> None:
        people.adopt_guest(user)
        claim = baskets.commit(request, user=user)
        adopt_order_of_session(request, user)
        register_friend(user, claim=claim)

    _guarded("Tying an invitation to a new customer", work)


def adopt_order_of_session(request: Any, user: Any) -> None:
    """The guest who ordered in this very session opens an account, maybe with another address: the referral is theirs.

    Oscar keeps the order's key in the session for its thank-you page. An address alone proves nothing.
    """
    order_id = request.session.get("checkout_order_id") if hasattr(request, "session") else None
    if not order_id:
        return
    Order = get_model("order", "Order")
    number = Order._default_manager.filter(pk=order_id, user=None).values_list("number", flat=True).first()
    if number is None:
        return
    purchase = (
        Purchase.objects.filter(reference=number, referral__friend=None).select_related("referral").first()
    )
    if purchase is None or any(
        referral.program_key == purchase.referral.program_key and referral.friend_id == user.pk
        for referral in referrals_of(user, "")
    ):
        return
    now = timezone.now()
    type(purchase.referral).objects.filter(pk=purchase.referral_id, friend=None).update(
        friend=user, registered_at=now, next_check_at=now, revision=F("revision") + 1
    )


def on_start_checkout(sender: Any, request: Any, email: str = "", **kwargs: Any) -> None:
    if request is not None and baskets.has_trace(request):
        _guarded("Looking at an invitation at checkout", lambda: baskets.at_checkout(request, email or ""))


def on_pre_payment(sender: Any, view: Any, **kwargs: Any) -> None:
    """The total is agreed: tie the basket, so that its order is found, and change nothing in it."""
    request = getattr(view, "request", None)
    if request is not None and baskets.has_trace(request) and not baskets.is_tied(request):
        _guarded("Tying an invitation to a basket that is paid for", lambda: baskets.commit(request) and None)


# The order


def _capture(order: Any) -> None:
    """Spend what was set aside for the order.

    Where credit was switched off meanwhile, it cannot be known now whether the card was charged without it: the sweep
    spends what lacks, once the order's payments are there.
    """
    if conf.credit_at_checkout():
        capture_for_order(order)


def _note(order: Any, *, savepoint: bool) -> None:
    """Whose friend placed it; and from now on a guest's address is a customer's."""
    people.remember_order(str(order.number), order.guest_email)
    attribute(order, savepoint=savepoint)


def on_order_placed(sender: Any, order: Any, user: Any = None, **kwargs: Any) -> None:
    """Oscar sends it once the order is there, and would show the customer an error for anything raised here."""
    # Also for an order that was there before it was placed, or whose credit could not be spent when it was made.
    _capture(order)
    try:
        if user is not None and user.pk is not None and user.pk == order.user_id:
            # Oscar has them at hand, and asks the database for them again later.
            order.user = user
        try:
            with transaction.atomic():
                _note(order, savepoint=False)
        except IntegrityError:
            # Another process was faster, and what it wrote is there to be read now.
            with transaction.atomic():
                _note(order, savepoint=True)
    except Exception:
        logger.exception("Order #%s: could not be attributed to an invitation", order.number)
        # It went with what failed, and the guest has ordered all the same.
        _guarded(
            f"Order #{order.number}: noting that its guest is a customer",
            lambda: people.remember_order(str(order.number), order.guest_email),
        )
    if conf.asks_who_sent():
        _guarded(
            f"Order #{order.number}: noting who was said to have sent it",
            lambda: note_who_sent(order),
        )


# Changes to an order


class _Look:
    """Makes the engine, and the apps that follow orders, look at an order again.

    Called after the commit; once for all that changed in a transaction.
    """

    def __init__(
        self,
        order_id: int,
        number: str | None,
        at_once: bool,
        tell: Sequence[order_hooks.Follow],
        done: set[tuple[int, Any]],
    ) -> None:
        self.order_id = order_id
        self.number = number
        self.at_once = at_once
        self.tell = tell
        # Shared by all that wait for the same commit.
        self.done = done

    def __call__(self) -> None:
        waiting = [each for each in self.tell if (self.order_id, each) not in self.done]
        self.done.update((self.order_id, each) for each in waiting)
        try:
            if waiting and self.number is None:
                orders = get_model("order", "Order")._default_manager.filter(pk=self.order_id)
                self.number = orders.values_list("number", flat=True).first()
        except Exception:
            logger.exception("Order %s: a change could not be noted; the sweep will see it", self.order_id)
        if self.number is None:
            return
        for each in waiting:
            try:
                each(self.number, at_once=self.at_once)
            except Exception:
                logger.exception("Order #%s: a change could not be noted; the sweep will see it", self.number)


def _check_soon(number: str, *, at_once: bool) -> None:
    rewards.check_soon(number, at_once=at_once)


class _GiveBack:
    """Gives back the credit that paid for an order that was cancelled. Called after the commit."""

    def __init__(self, order: Any) -> None:
        self.order = order

    def __call__(self) -> None:
        try:
            return_credit_of_cancelled(self.order)
        except Exception:
            logger.exception(
                "Order #%s: the credit of a cancelled order could not be given back", self.order.number
            )


def look_soon(order_id: int, order: Any = None, *, whole: bool = False) -> None:
    """Look at an order after the commit. No query before it; after it one, where the order is none of ours.

    Outside a transaction a change is seen while its other half is missing: Oscar writes the status before the date of
    its change, and an event before its lines. Unless it is ``whole``, it is left to the sweep then.
    """
    tell = order_hooks.followers_of(order)
    if order is None or not is_nobodys(order):
        tell.insert(0, _check_soon)
    if not tell:
        return
    connection = connections[DEFAULT_DB_ALIAS]
    done: set[tuple[int, Any]] = set()
    # Each change waits by itself, so that a savepoint that is rolled back takes along its own only.
    for entry in reversed(getattr(connection, "run_on_commit", ())):
        if isinstance(entry[1], _Look) and not any(known == order_id for known, _who in entry[1].done):
            done = entry[1].done
            break
    number = str(order.number) if order is not None else None
    look = _Look(order_id, number, whole or connection.in_atomic_block, tell, done)
    transaction.on_commit(look, robust=True)


def _at_hand(instance: Any, name: str) -> Any | None:
    """A related object if it has been read already. No query."""
    return instance._state.fields_cache.get(name)


def _concerns_status(created: bool, update_fields: Any) -> bool:
    return not created and (update_fields is None or "status" in update_fields)


def on_order_saved(
    sender: Any, instance: Any, created: bool, raw: bool = False, update_fields: Any = None, **kwargs: Any
) -> None:
    """Shops also write the status directly, which sends no signal of Oscar's. A new order is paid with credit."""
    if created and not raw:
        _capture(instance)
    if raw or not _concerns_status(created, update_fields):
        return
    look_soon(instance.pk, instance)
    if instance.status in conf.cancelled_statuses() and instance.user_id is not None:
        transaction.on_commit(_GiveBack(instance), robust=True)


def on_status_changed(sender: Any, order: Any, **kwargs: Any) -> None:
    look_soon(order.pk, order)


def on_status_change_saved(sender: Any, instance: Any, raw: bool = False, **kwargs: Any) -> None:
    """Now the date of the change is there too: Oscar writes it last."""
    if not raw:
        look_soon(instance.order_id, _at_hand(instance, "order"), whole=True)


def on_line_saved(
    sender: Any, instance: Any, created: bool, raw: bool = False, update_fields: Any = None, **kwargs: Any
) -> None:
    if not raw and _concerns_status(created, update_fields):
        look_soon(instance.order_id, _at_hand(instance, "order"))


def on_event_saved(sender: Any, instance: Any, raw: bool = False, **kwargs: Any) -> None:
    if not raw:
        look_soon(instance.order_id, _at_hand(instance, "order"))


def on_event_quantity_saved(sender: Any, instance: Any, raw: bool = False, **kwargs: Any) -> None:
    """Oscar saves an event before the quantities of its lines."""
    if not raw:
        event = instance.event
        look_soon(event.order_id, _at_hand(event, "order"), whole=True)


def on_source_saved(sender: Any, instance: Any, created: bool, raw: bool = False, **kwargs: Any) -> None:
    """Only a refund concerns us."""
    if not raw and instance.amount_refunded:
        look_soon(instance.order_id, _at_hand(instance, "order"), whole=True)


def connect() -> None:
    """Called once, from the app's ``ready``."""

    def listen(signal: Any, receiver: Callable[..., Any], sender: Any = None) -> None:
        name = f"oscar_integration.{receiver.__name__}.{sender.__name__ if sender is not None else ''}"
        signal.connect(receiver, sender=sender, dispatch_uid=name)

    listen(basket_addition, on_basket_addition)
    listen(voucher_addition, on_voucher_addition)
    listen(voucher_removal, on_voucher_removal)
    listen(user_logged_in, on_login)
    listen(user_registered, on_registration)
    listen(start_checkout, on_start_checkout)
    listen(pre_payment, on_pre_payment)
    listen(entering_view, on_entering_view)
    listen(drawing_for_nobody, give_empty_basket)
    listen(order_placed, on_order_placed)
    for repair in (attribute_missed, note_missed, capture_missed, return_missed):
        listen(sweeping, repair)
    listen(order_status_changed, on_status_changed)
    listen(post_save, on_order_saved, get_model("order", "Order"))
    listen(post_save, on_line_saved, get_model("order", "Line"))
    listen(post_save, on_status_change_saved, get_model("order", "OrderStatusChange"))
    for name in ("ShippingEvent", "PaymentEvent"):
        listen(post_save, on_event_saved, get_model("order", name))
        listen(post_save, on_event_quantity_saved, get_model("order", f"{name}Quantity"))
    listen(post_save, on_source_saved, get_model("payment", "Source"))
    _extend_views()


def _extend_views() -> None:
    """The basket page and its voucher field, on top of whatever views the shop has."""
    for label, name, mixin in (
        ("basket", "summary_view", baskets.ReferralBasketMixin),
        ("basket", "add_voucher_view", baskets.ReferralCodeMixin),
    ):
        config = apps.get_app_config(label)
        view = getattr(config, name, None)
        if view is not None:
            setattr(config, name, extend(view, mixin))
