"""From credit that was set aside to a payment source of the order.

Works from the database only: a shopper may return from the bank to another process, or a webhook may place the order.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from functools import partial
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import OuterRef, Subquery
from django.utils import translation
from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from wagtail_referrals import credit
from wagtail_referrals.credit.models import Reservation

State = Reservation.State
logger = logging.getLogger("oscar_integration")

# Code of the payment.SourceType under which Oscar lists what was paid with credit.
SOURCE_CODE: Final = "referral-credit"

# Set on an order that was asked already: nothing is set aside for it any more.
_ASKED: Final = "_referral_credit_asked"
# The order number that a view of ours is placing without credit, if it is.
_without_credit: ContextVar[str | None] = ContextVar("referral_credit_not_used", default=None)


@contextmanager
def paid_without_credit(order_number: str) -> Iterator[None]:
    """While this order is placed, leave alone what another attempt to pay it may have set aside, on another device
    say; and see to it that nobody spends that on this order later: a late word from the bank, or a repair.
    """
    token = _without_credit.set(order_number)
    try:
        yield
    finally:
        _without_credit.reset(token)


def capture_for_order(order: Any) -> None:
    """Spend the credit that was set aside for this order and list it among the order's payment sources.

    For repairs, and for receivers of an order that is being made: in its own transaction, so that there is no order
    without its credit, whatever dies in between. Called again, it changes nothing, with no query for an order that has
    just been asked. Never raises; what goes wrong is rolled back to a savepoint and logged. No query for guests; where
    our view places an order without credit, one after the commit.
    """
    if order.user_id is None or getattr(order, _ASKED, False):
        return
    if _without_credit.get() == str(order.number):
        setattr(order, _ASKED, True)
        # Once the order is there for good, and where an error cannot take it along.
        transaction.on_commit(partial(_leave_for_good, str(order.number)), robust=True)
        return
    try:
        try:
            _capture(order)
        except IntegrityError:
            # The first order that is paid with credit: its kind of payment source is not there yet.
            _capture(order, prepare=make_source_type)
        setattr(order, _ASKED, True)
    except Exception:
        logger.exception("Order #%s: referral credit could not be captured", order.number)


def _leave_for_good(order_number: str) -> None:
    """Withdraw what is set aside for an order that was paid without it, or was and has run out. 1 query if nothing."""
    spendable = (State.ACTIVE, State.RELEASED, State.EXPIRED)
    try:
        if Reservation.objects.filter(order_number=order_number, state__in=spendable).exists():
            credit.withdraw(order_number=order_number)
    except Exception:
        logger.exception("Order #%s: what was set aside for it could not be freed for good", order_number)


def _capture(order: Any, prepare: Callable[[], Any] | None = None) -> None:
    with transaction.atomic():
        if prepare is not None:
            prepare()
        reservation = credit.capture(order_number=str(order.number), savepoint=False)
        if reservation is None:
            return
        if reservation.spent_now:
            # The source is written in the transaction that spends the credit: there is none yet.
            _add_source(order, source_type_of_credit(), reservation.amount)
        else:
            record_source(order, reservation.amount)


def find_source(order: Any) -> Any | None:
    """The order's payment source of referral credit, or None."""
    return (
        get_model("payment", "Source")
        .objects.filter(order_id=order.pk, source_type__code=SOURCE_CODE)
        .first()
    )


def record_source(order: Any, amount: Decimal) -> Any:
    """The order's payment source of referral credit; made now, with ``amount`` debited, if there is none.

    ``amount`` is in the order's currency. Call it under the lock of the credit account, that is after a ledger
    operation in the same transaction: there is one source for an order.
    """
    Source, SourceType = get_model("payment", "Source"), get_model("payment", "SourceType")
    existing = Source.objects.filter(order_id=order.pk, source_type=OuterRef("pk")).values("pk")[:1]
    kind = SourceType.objects.filter(code=SOURCE_CODE).annotate(existing=Subquery(existing)).first()
    if kind is not None and kind.existing is not None:
        return Source.objects.get(pk=kind.existing)
    return _add_source(order, (kind or make_source_type()).pk, amount)


def _add_source(order: Any, source_type_id: Any, amount: Decimal) -> Any:
    source = get_model("payment", "Source")(
        order=order,
        source_type_id=source_type_id,
        currency=order.currency,
        amount_allocated=amount,
        amount_debited=amount,
    )
    source.create_deferred_transaction(get_model("payment", "Transaction").DEBIT, amount)
    source.save()
    return source


def source_type_of_credit() -> Subquery:
    """The key of the ``payment.SourceType`` of referral credit, to be looked up by the INSERT that uses it.

    Where it is not there the database refuses the row at once: ``IntegrityError``. A key that was remembered could
    be refused at the commit only, and take the order with it.
    """
    return Subquery(get_model("payment", "SourceType").objects.filter(code=SOURCE_CODE).values("pk")[:1])


def make_source_type() -> Any:
    """The ``payment.SourceType`` of referral credit, named in the site's default language when it is made."""
    with translation.override(settings.LANGUAGE_CODE):
        kind, _created = get_model("payment", "SourceType").objects.get_or_create(
            code=SOURCE_CODE, defaults={"name": _("Referral credit")}
        )
    return kind
