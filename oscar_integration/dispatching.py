"""Our messages by Oscar's Dispatcher, where the shop wants that: one place for all mails of the shop.

What a shop has made of its Dispatcher (another sender, a copy to an archive, a service of its own) then holds for our
messages, too, and customers find them in Oscar's "E-mail history". Its own mails are left alone either way.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection
from oscar.core.loading import get_class

from oscar_integration import conf
from wagtail_referrals.messages import EmailChannel, channels
from wagtail_referrals.messages.models import Message

# Oscar's Dispatcher writes into its log whom it mails. Of our messages no log names anybody.
_silent = logging.getLogger("oscar_integration.dispatching.silent")
_silent.disabled = True


class _AsItIs:
    """The connection that Oscar sends by: the mail keeps our headers and, where the site has one, our sender."""

    def __init__(self, mail: EmailMultiAlternatives, sender: str | None) -> None:
        self.mail = mail
        self.sender = sender

    def send_messages(self, mails: Sequence[EmailMessage]) -> int:
        for mail in mails:
            mail.extra_headers = {**self.mail.extra_headers, **mail.extra_headers}
            mail.from_email = self.sender or mail.from_email
        return int(get_connection().send_messages(list(mails)) or 0)


class DispatchedEmails(EmailChannel):
    """E-mail as before, or by Oscar with ``MESSAGES_BY_OSCAR``. To whom has no account nothing is kept by Oscar."""

    def hand_over(self, message: Message, mail: EmailMultiAlternatives) -> None:
        if not conf.get("MESSAGES_BY_OSCAR"):
            super().hand_over(message, mail)
            return
        html = next((str(part[0]) for part in mail.alternatives), "")
        parts: dict[str, Any] = {"subject": mail.subject, "body": mail.body, "html": html, "sms": ""}
        dispatcher = get_class("communication.utils", "Dispatcher")(
            logger=_silent, mail_connection=_AsItIs(mail, _own_sender(mail))
        )
        if message.user is not None:
            dispatcher.dispatch_user_messages(message.user, parts)
        else:
            dispatcher.dispatch_anonymous_messages(mail.to[0], parts)


def _own_sender(mail: EmailMultiAlternatives) -> str | None:
    """The sender that the site's settings name; ``None`` where Oscar's own is to be used."""
    return mail.from_email if mail.from_email != settings.DEFAULT_FROM_EMAIL else None


def route_messages() -> None:
    """Called from ``AppConfig.ready()``."""
    channels.unregister(EmailChannel.key)
    channels.register(DispatchedEmails())
