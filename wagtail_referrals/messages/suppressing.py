"""Addresses to which nothing is sent any more. What is kept is the keyed hash of the very address.

Where django-anymail is installed, its tracking signal says which they are: mail that came back, and mail that was
reported as unwanted.
"""

from __future__ import annotations

import logging
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from wagtail_referrals import people
from wagtail_referrals.messages.models import Suppression

logger = logging.getLogger("wagtail_referrals")

Reason = Suppression.Reason

# By what the mail service says of the address. Of its other reasons, such as a server that is full or that blocks the
# sender, the address is not to blame.
_REJECTED: Final = {
    "invalid": Reason.BOUNCED,
    "bounced": Reason.BOUNCED,
    "spam": Reason.COMPLAINED,
    "unsubscribed": Reason.REFUSED,
}
_NOT_ITS_FAULT: Final = ("blocked", "timed_out")


@sensitive_variables()
def suppress(email: str, reason: Suppression.Reason, *, now: datetime | None = None) -> None:
    """Nothing more to this address. The first reason is kept, unless its owner has spoken since."""
    key = people.exact_email_key(email)
    if not key:
        return
    moment = now or timezone.now()
    row, created = Suppression.objects.get_or_create(
        email_key=key, defaults={"reason": reason, "created_at": moment}
    )
    if not created and row.reason == Reason.BOUNCED != reason:
        Suppression.objects.filter(pk=row.pk).update(reason=reason)


@sensitive_variables()
def is_suppressed(email: str) -> bool:
    """One query."""
    key = people.exact_email_key(email)
    return bool(key) and Suppression.objects.filter(email_key=key).exists()


@sensitive_variables()
def forget_bounces(email: str) -> None:
    """The account with this address is gone. Who asked for no mails still gets none."""
    key = people.exact_email_key(email)
    Suppression.objects.filter(email_key=key, reason=Reason.BOUNCED).delete()


def _reason(event: Any) -> Suppression.Reason | None:
    rejected = str(getattr(event, "reject_reason", None) or "")
    match event.event_type:
        case "complained":
            return Reason.COMPLAINED
        case "bounced":
            return None if rejected in _NOT_ITS_FAULT else _REJECTED.get(rejected, Reason.BOUNCED)
        case "rejected":
            return _REJECTED.get(rejected)
    return None


@sensitive_variables()
def mail_was_tracked(sender: Any, event: Any, **kwargs: Any) -> None:
    """A receiver of anymail's ``tracking``. The mail service's call never fails for our sake."""
    try:
        reason = _reason(event)
        if reason is not None and event.recipient:
            with transaction.atomic():
                suppress(event.recipient, reason)
    except Exception as error:
        # Neither the event nor the words of the error: both may hold the address.
        logger.warning("What became of a mail could not be noted (%s).", type(error).__name__)


def connect() -> None:
    """Called when Django is ready."""
    if find_spec("anymail") is not None:
        import_module("anymail.signals").tracking.connect(
            mail_was_tracked, dispatch_uid="wagtail_referrals.suppressing"
        )
