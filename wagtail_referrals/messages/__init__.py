"""Messages to customers. Reads the engine's signals; decides nothing about money."""

from wagtail_referrals.messages.delivery import compose, deliver_pending
from wagtail_referrals.messages.notices import connect, write

__all__ = ["compose", "connect", "deliver_pending", "write"]
