"""Referrals, the orders that belong to them, the timeline, and the port to the shop."""

from wagtail_referrals.referrals import customers  # noqa: F401  (registers what audiences ask)
from wagtail_referrals.referrals.attribution import (
    email_verified,
    is_friend,
    is_recorded,
    mark_due,
    record_purchase,
    referrals_of,
    register_friend,
)
from wagtail_referrals.referrals.customer_emails import backfill, catch_up, customer_accounts, not_written
from wagtail_referrals.referrals.reasons import REASONS, reason_for_advocate, reason_words
from wagtail_referrals.referrals.shop import (
    CustomerOrders,
    Facts,
    GuestOrders,
    PurchaseSnapshot,
    Shop,
    get_shop,
    shop_register_url,
    shop_renews,
)
from wagtail_referrals.referrals.timeline import event_words, events_of, record

__all__ = [
    "REASONS",
    "CustomerOrders",
    "Facts",
    "GuestOrders",
    "PurchaseSnapshot",
    "Shop",
    "backfill",
    "catch_up",
    "customer_accounts",
    "email_verified",
    "event_words",
    "events_of",
    "get_shop",
    "is_friend",
    "is_recorded",
    "mark_due",
    "not_written",
    "reason_for_advocate",
    "reason_words",
    "record",
    "record_purchase",
    "referrals_of",
    "register_friend",
    "shop_register_url",
    "shop_renews",
]
