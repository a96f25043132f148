"""Messages to customers. Reads the engine's signals and the ledger; decides nothing about money."""

from wagtail_referrals.messages.connections import connect
from wagtail_referrals.messages.delivery import Special, compose, deliver_pending, site_of, specials
from wagtail_referrals.messages.expiring import announce_expiring, languages_of
from wagtail_referrals.messages.planning import write

__all__ = [
    "Special",
    "announce_expiring",
    "compose",
    "connect",
    "deliver_pending",
    "languages_of",
    "site_of",
    "specials",
    "write",
]
