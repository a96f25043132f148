"""The one place where ``settings.WAGTAIL_REFERRALS_OSCAR`` is read.

Every key is optional. A value is read at each use, so that tests can override settings. The statuses have no
standard names in Oscar: the defaults are usual ones, and a system check compares them with the shop's pipeline.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from wagtail_referrals import credit

DEFAULTS: Final[dict[str, Any]] = {
    # Names of order statuses, as in OSCAR_ORDER_STATUS_PIPELINE. An order counts as paid, shipped, cancelled or
    # refunded while it is in one of them.
    "PAID_STATUSES": ("Paid", "Shipped", "Complete"),
    "SHIPPED_STATUSES": ("Shipped", "Complete"),
    "CANCELLED_STATUSES": ("Cancelled",),
    "REFUNDED_STATUSES": ("Refunded",),
    # Codes of the payment event types that record money given back.
    "REFUND_EVENTS": ("refund", "refunded"),
    # Does the shop give discounts and gifts: the friend's, and rewards that are one? False: none is issued. What was
    # issued before stays good, and what was promised waits.
    "VOUCHERS": True,
    # May customers pay with their credit at Oscar's checkout? False: no view of the checkout is touched.
    "CREDIT_AT_CHECKOUT": True,
    # Is the share panel on the page after an order? False: only where the shop's own template has the tag, and Oscar's
    # view is not touched.
    "SHARE_AFTER_ORDER": True,
    # Is a shopper without an invitation asked at the payment step whether a friend sent them? False: nobody is.
    "ASK_WHO_SENT": False,
    # Are our messages handed over by Oscar's Dispatcher, as its own mails are, and kept among the customer's mails?
    "MESSAGES_BY_OSCAR": False,
    # Currency -> the smallest amount that the card may be charged beside credit, as text ("0.50").
    "MINIMUM_CHARGE": {"EUR": "0.50"},
    # Dotted path of the class that charges customers' cards for renewals of memberships. None: a renewal that credit
    # does not pay wholly is refused.
    "RENEWAL_CARDS": None,
}


def get(name: str) -> Any:
    """The value of one setting. Raises ``KeyError`` for a name that is not in ``DEFAULTS``.

    Raises ``ImproperlyConfigured`` where the settings are no dictionary.
    """
    given = getattr(settings, "WAGTAIL_REFERRALS_OSCAR", {})
    if not isinstance(given, Mapping):
        raise ImproperlyConfigured(f"WAGTAIL_REFERRALS_OSCAR is a dictionary, not {given!r}.")
    return given.get(name, DEFAULTS[name])


def _statuses(name: str) -> frozenset[str]:
    value: Collection[str] = get(name)
    return frozenset(value)


def paid_statuses() -> frozenset[str]:
    """Order statuses that mean "the shop has the money"."""
    return _statuses("PAID_STATUSES")


def shipped_statuses() -> frozenset[str]:
    """Order statuses that mean "it left the shop"."""
    return _statuses("SHIPPED_STATUSES")


def cancelled_statuses() -> frozenset[str]:
    """Order statuses that mean "this order does not take place"."""
    return _statuses("CANCELLED_STATUSES")


def refunded_statuses() -> frozenset[str]:
    """Order statuses that mean "everything was given back"."""
    return _statuses("REFUNDED_STATUSES")


def refund_event_codes() -> frozenset[str]:
    """Codes of ``PaymentEventType`` that mean "money was given back"."""
    return _statuses("REFUND_EVENTS")


def gives_vouchers() -> bool:
    """Whether friends' discounts, and rewards that are discounts or gifts, are issued."""
    return bool(get("VOUCHERS"))


def credit_at_checkout() -> bool:
    """Whether customers may pay with their credit at Oscar's checkout."""
    return bool(get("CREDIT_AT_CHECKOUT"))


def shares_after_order() -> bool:
    """Whether the page after an order invites to share, without an edit of the shop's template."""
    return bool(get("SHARE_AFTER_ORDER"))


def asks_who_sent() -> bool:
    """Whether shoppers without an invitation are asked at the payment step who sent them."""
    return bool(get("ASK_WHO_SENT"))


def minimum_charge(currency: str) -> Decimal:
    """The least that the card may be charged beside credit, in ``currency``; 0 where none is set."""
    return credit.quantize(Decimal(get("MINIMUM_CHARGE").get(currency, "0")), currency)
