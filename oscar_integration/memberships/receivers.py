"""What memberships listen to. Nothing here may break a page, a checkout or a job of the shop.

Each receiver that writes has a savepoint of its own, catches everything and logs it by order number; the sweep repairs
what was missed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.db.models.signals import post_delete, post_save, pre_delete
from django.utils import timezone
from oscar.apps.customer.signals import user_registered
from oscar.apps.order.signals import order_placed
from oscar.core.loading import get_model

from oscar_integration import order_hooks
from oscar_integration.memberships.groups import sync_all
from oscar_integration.memberships.models import Membership, Period, Plan
from oscar_integration.memberships.opening import (
    adopt,
    kinds_of,
    lines_with_plans,
    open_for_order,
    open_missed,
)
from oscar_integration.memberships.renewals import renew_due
from oscar_integration.memberships.selling import forget_sold_products, products_of, sells_membership
from oscar_integration.memberships.settle import settle, settle_due
from wagtail_referrals import conf, people
from wagtail_referrals.credit.models import Account
from wagtail_referrals.signals import sweeping

logger = logging.getLogger("oscar_integration")

# Set on an order that was just placed and sells no membership: what is saved with it need not be looked at.
_SELLS_NONE: Final = "_referrals_sells_no_membership"


def _guarded(what: str, work: Callable[[], Any]) -> None:
    """Run ``work`` in a savepoint; what goes wrong is rolled back to it and logged."""
    try:
        with transaction.atomic():
            work()
    except Exception:
        logger.exception("%s failed", what)


# Orders


def on_order_placed(sender: Any, order: Any, **kwargs: Any) -> None:
    """Open what it sells. No query for an order without a membership where its basket is at hand."""
    try:
        if not sells_membership(products_of(order)):
            setattr(order, _SELLS_NONE, True)
            return
    except Exception:
        logger.exception("Order #%s: whether it sells a membership could not be asked", order.number)
        return
    _guarded(f"Order #{order.number}: opening its membership", lambda: open_for_order(order))


def is_concerned(order: Any) -> bool:
    """Whether a change of this order may be one of a membership. No query."""
    return not getattr(order, _SELLS_NONE, False)


def on_order_changed(number: str, *, at_once: bool) -> None:
    """Settle the memberships of an order, or leave them to the sweep. 1 query for an order without one."""
    found = Membership.objects.filter(periods__order_number=number).order_by("pk").distinct()
    rows = list(found.values_list("pk", "user"))
    if not rows:
        return
    now = timezone.now()
    if not at_once:
        Membership.objects.filter(pk__in=[pk for pk, _user_id in rows]).update(next_check_at=now)
        return
    if any(user_id is None for _pk, user_id in rows):
        _adopt_of_account(number, now)
    for pk, _user_id in rows:
        try:
            settle(pk, now=now)
        except Exception:
            logger.exception(
                "Order #%s: membership %s could not be settled; the sweep will do it", number, pk
            )
            Membership.objects.filter(pk=pk).update(next_check_at=now)


def _adopt_of_account(number: str, now: datetime) -> None:
    """The shop may have given a guest's order to an account meanwhile."""
    order = get_model("order", "Order")._default_manager.filter(number=number, user__isnull=False)
    found = order.select_related("user").first()
    if found is not None:
        adopt(found.user, number, now=now)


def describe(order: Any, user: Any) -> dict[int, dict[str, Any]]:
    """For the engine's rules: {line: {"membership": {"plan": primary key, "kind": of ``Period.Kind``}}}.

    Beside it "trial": true for a plan that is for trying out.
    """
    sold = list(lines_with_plans(order))
    kinds = kinds_of(order, sold, now=timezone.now())
    return {
        line.pk: {
            "membership": {"plan": plan.pk, "kind": kinds[line.pk]}
            | ({"trial": True} if plan.is_trial else {})
        }
        for line, plan in sold
    }


def has_membership_lines(lines: Sequence[Any]) -> bool:
    return sells_membership(line.product_id for line in lines)


# Customers


def on_registration(sender: Any, request: Any, user: Any, **kwargs: Any) -> None:
    """The guest who ordered in this very session opens an account, maybe with another address."""
    _guarded("Giving a new customer what they bought as a guest", lambda: _adopt_of_session(request, user))
    _adopt_by_address(user)


def on_login(sender: Any, request: Any, user: Any, **kwargs: Any) -> None:
    """Where the shop verifies addresses, it may have done so since; else nothing can be new, and costs no query."""
    _adopt_by_address(user)


def _adopt_of_session(request: Any, user: Any) -> None:
    """Oscar keeps the order's key in the session for its thank-you page. An address alone proves nothing."""
    order_id = request.session.get("checkout_order_id") if hasattr(request, "session") else None
    if order_id:
        orders = get_model("order", "Order")._default_manager.filter(pk=order_id, user=None)
        for number in orders.values_list("number", flat=True):
            adopt(user, number, now=timezone.now())


def _adopt_by_address(user: Any) -> None:
    try:
        if user is not None and conf.get("EMAIL_IS_VERIFIED") is not None:
            with transaction.atomic():
                for number in _guest_orders(user):
                    adopt(user, number, now=timezone.now())
    except Exception:
        logger.exception("What was bought with the address of account %s could not be given to it", user.pk)


def _guest_orders(user: Any) -> list[str]:
    """Guests' orders with this very address that wait for an account, if the shop says that it is the account's."""
    key = people.exact_email_key(people.email_of_account(user))
    if not key:
        return []
    numbers: set[str | None] = set()
    for rows in people.email_rows_of(None, people.email_of_account(user)):
        numbers.update(rows.filter(order_reference__isnull=False).values_list("order_reference", flat=True))
    waiting = Period.objects.filter(order_number__in=numbers, membership__user=None).values("order_number")
    orders = get_model("order", "Order")._default_manager.filter(user=None, number__in=waiting)
    found = [
        str(number)
        for number, email in orders.order_by("pk").values_list("number", "guest_email")
        if people.exact_email_key(email) == key
    ]
    return found if found and people.email_is_theirs(user) else []


def on_user_deletion(sender: Any, instance: Any, **kwargs: Any) -> None:
    """What the person has ends once they are gone; what they had not begun waits for nobody any more.

    Not guarded: a half-removed person is worse than a deletion that says why.
    """
    now = timezone.now()
    mine = Membership.objects.filter(user=instance).exclude(state=Membership.State.ENDED)
    ids = list(mine.order_by("pk").values_list("pk", flat=True))
    if not ids:
        return
    _let_orders_finish(instance)
    mine.update(next_check_at=now)
    Period.objects.filter(membership__in=ids, counts_from=None, taken_back_at=None).update(
        taken_back_at=now, taken_back_reason=Membership.Reason.DELETED
    )
    transaction.on_commit(partial(_settle_all, ids), robust=True)


def _let_orders_finish(user: Any) -> None:
    """Lock what an order that is being placed holds when it comes to memberships, in its order.

    The deletion would come to it after them: each would wait for the other.
    """
    for rows in (
        get_model("basket", "Basket")._default_manager.filter(owner=user),
        Account.objects.filter(user=user),
    ):
        list(rows.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))


def _settle_all(ids: Sequence[int]) -> None:
    for pk in ids:
        _guarded(f"Settling membership {pk}", partial(settle, pk))


# The sweep


def on_sweep(sender: Any, now: datetime, **kwargs: Any) -> None:
    """What is due. A step that fails keeps nobody from the others.

    What is renewed goes on, so that comes before the end of anything is noted.
    """
    for step in (open_missed, renew_due, settle_due, sync_all):
        try:
            step(now)
        except Exception:
            logger.exception("A step of the sweep failed: memberships.%s.", step.__name__)


def connect() -> None:
    """Called once, from the app's ``ready``."""

    def listen(signal: Any, receiver: Callable[..., Any], sender: Any = None) -> None:
        name = f"oscar_integration.memberships.{receiver.__name__}"
        signal.connect(receiver, sender=sender, dispatch_uid=name)

    order_hooks.follow_orders(on_order_changed, concerns=is_concerned)
    order_hooks.describe_lines(describe, concerns=has_membership_lines)
    listen(order_placed, on_order_placed)
    listen(user_registered, on_registration)
    listen(user_logged_in, on_login)
    listen(pre_delete, on_user_deletion, get_user_model())
    listen(sweeping, on_sweep)
    listen(post_save, forget_sold_products, Plan)
    listen(post_delete, forget_sold_products, Plan)
