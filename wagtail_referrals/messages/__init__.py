"""Messages to customers. Reads the engine's signals and the ledger; decides nothing about money."""

from wagtail_referrals.messages.connections import connect
from wagtail_referrals.messages.delivery import compose, deliver_pending
from wagtail_referrals.messages.expiring import announce_expiring
from wagtail_referrals.messages.planning import write

__all__ = ["announce_expiring", "compose", "connect", "deliver_pending", "write"]
