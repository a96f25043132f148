"""By which way a message goes. E-mail is the one that ships; a shop registers a class for another."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterator
from http.client import RemoteDisconnected
from typing import TYPE_CHECKING, Any, Final, Protocol

import requests
from django.core.mail import EmailMultiAlternatives
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from wagtail_referrals.kinds import Registry
from wagtail_referrals.people import email_of_account
from wagtail_referrals.tracking.models import Lead

if TYPE_CHECKING:
    from wagtail_referrals.messages.content import Content
    from wagtail_referrals.messages.models import Message

EMAIL: Final = "email"


class Refused(Exception):
    """The address is refused for good: the message is not tried again. ``is_gone``: nobody has it, nothing more is sent
    there.
    """

    def __init__(self, *, is_gone: bool = False) -> None:
        super().__init__()
        self.is_gone = is_gone


class MaybeSent(Exception):
    """It was being handed over when the connection broke: nobody knows whether it went. It is not sent again."""


class Channel(Protocol):
    key: str
    # What people choose in their preferences.
    label: Any

    def address_of(self, recipient: Any) -> str:
        """Where this customer (or ``Lead``) is reached; "" when it cannot be by this way."""
        ...

    def send(self, message: Message, content: Content, address: str) -> None:
        """Hand it over. Whatever is raised, beside ``Refused`` and ``MaybeSent``, is a failure of the way: it is tried
        again later, at most ``ATTEMPTS`` times.
        """
        ...


channels: Final[Registry[Channel]] = Registry("way of sending")


class EmailChannel:
    """Through Django's e-mail API, whatever backend the shop has."""

    key = EMAIL
    label = _("E-mail")

    def address_of(self, recipient: Any) -> str:
        return recipient.email if isinstance(recipient, Lead) else email_of_account(recipient)

    @sensitive_variables()
    def send(self, message: Message, content: Content, address: str) -> None:
        mail = EmailMultiAlternatives(
            subject=content.subject,
            body=content.text,
            from_email=content.sender or None,
            to=[address],
            headers=content.headers,
        )
        if content.html:
            mail.attach_alternative(content.html, "text/html")
        try:
            self.hand_over(message, mail)
        except smtplib.SMTPRecipientsRefused as error:
            code, words = next(iter(error.recipients.values()), (0, b""))
            # A server that relays nothing for this sender (5.7) refuses everybody's address: that can be mended.
            if not 500 <= code < 600 or _status(words).startswith("5.7."):
                raise
            raise Refused(is_gone=_status(words) in _GONE) from None
        except Exception as error:
            if _may_have_gone(error):
                raise MaybeSent from None
            raise

    def hand_over(self, message: Message, mail: EmailMultiAlternatives) -> None:
        """For a shop whose mails go by something of its own."""
        mail.send()


# Of RFC 3463: no such mailbox, moved, takes no mail at all.
_GONE: Final = ("5.1.1", "5.1.6", "5.1.10")


def _status(words: bytes) -> str:
    """The enhanced status code that a server's answer begins with, like 5.1.1; "" without one."""
    found = re.match(rb"\s*([245]\.\d{1,3}\.\d{1,3})\b", words)
    return found[1].decode() if found else ""


def _may_have_gone(error: BaseException) -> bool:
    """Did the connection break while the whole message was on its way, without an answer?"""
    if isinstance(error, smtplib.SMTPServerDisconnected):
        # Before its text was sent, a mail cannot have gone.
        return any(code is smtplib.SMTP.data.__code__ for code in _passed(error))
    # The services behind anymail are reached by requests, which Wagtail brings.
    causes = list(_causes(error))
    if any(isinstance(cause, requests.ConnectTimeout) for cause in causes):
        return False
    lost = (requests.ReadTimeout, RemoteDisconnected, ConnectionResetError, BrokenPipeError)
    return any(isinstance(cause, lost) for cause in causes)


def _passed(error: BaseException) -> Iterator[Any]:
    """The code that it came through."""
    step = error.__traceback__
    while step is not None:
        yield step.tb_frame.f_code
        step = step.tb_next


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


channels.register(EmailChannel())
