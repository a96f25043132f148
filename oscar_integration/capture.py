"""From credit that was set aside to a payment source of the order.

Works from the database only: a shopper may return from the bank to another process, or a webhook may place the order.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.utils import translation
from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from wagtail_referrals import credit

logger = logging.getLogger("oscar_integration")

# Code of the payment.SourceType under which Oscar lists what was paid with credit.
SOURCE_CODE: Final = "referral-credit"

# The order number that a view of ours is placing without credit, if it is.
_without_credit: ContextVar[str | None] = ContextVar("referral_credit_not_used", default=None)


@contextmanager
def paid_without_credit(order_number: str) -> Iterator[None]:
    """While this order is placed, leave alone what an earlier attempt to pay it may have set aside."""
    token = _without_credit.set(order_number)
    try:
        yield
    finally:
        _without_credit.reset(token)


def capture_for_order(order: Any) -> None:
    """Spend the credit that was set aside for this order and list it among the order's payment sources.

    For receivers of ``order_placed`` and for repairs: called again, it changes nothing. Never raises; what goes wrong
    is rolled back to a savepoint and logged. No query for guests, nor where our view places an order without credit.
    """
    if order.user_id is None or _without_credit.get() == str(order.number):
        return
    try:
        with transaction.atomic():
            reservation = credit.capture(order_number=str(order.number))
            if reservation is not None:
                record_source(order, reservation.amount)
    except Exception:
        logger.exception("Order #%s: referral credit could not be captured", order.number)


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
    source = Source(
        order=order,
        source_type=kind or make_source_type(),
        currency=order.currency,
        amount_allocated=amount,
        amount_debited=amount,
    )
    source.create_deferred_transaction(get_model("payment", "Transaction").DEBIT, amount)
    source.save()
    return source


def make_source_type() -> Any:
    """The ``payment.SourceType`` of referral credit, named in the site's default language when it is made."""
    with translation.override(settings.LANGUAGE_CODE):
        kind, _created = get_model("payment", "SourceType").objects.get_or_create(
            code=SOURCE_CODE, defaults={"name": _("Referral credit")}
        )
    return kind
