"""A customer leaves: what was to be sent to them goes, and so do their preferences with the account."""

from __future__ import annotations

from typing import Any

from wagtail_referrals import people
from wagtail_referrals.messages.models import Message
from wagtail_referrals.messages.suppressing import forget_bounces


def forget_reader(user: Any) -> None:
    """What was sent stays, without a name. The hash of an address whose mail came back goes with it; that of an address
    whose owner asked for no mails stays, so that there are none if they come back.
    """
    waiting = [Message.State.PENDING, Message.State.CLAIMED]
    Message.objects.filter(user=user, state__in=waiting).delete()
    forget_bounces(people.email_of_account(user))
