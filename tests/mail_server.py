"""A real mail server in this process: what it was sent, as it came, and whatever answers a test wants of it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

Answer = Callable[[SMTP, Envelope], Any]


class Mailbox:
    """``at_rcpt`` and ``at_data`` may answer otherwise: with a line, or with ``hang_up``. They may be coroutines."""

    def __init__(self) -> None:
        self.port = 0
        self.envelopes: list[Envelope] = []
        self.at_rcpt: Answer | None = None
        self.at_data: Answer | None = None

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = await _asked(self.at_rcpt, server, envelope)
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = await _asked(self.at_data, server, envelope)
        if answer is None:
            self.envelopes.append(envelope)
        return answer or "250 OK"

    @property
    def recipients(self) -> list[str]:
        return [address for envelope in self.envelopes for address in envelope.rcpt_tos]

    def mails(self) -> list[EmailMessage]:
        return [
            message_from_bytes(envelope.content, policy=policy.default)  # type: ignore[arg-type,misc]
            for envelope in self.envelopes
        ]


async def _asked(ask: Answer | None, server: SMTP, envelope: Envelope) -> Any:
    found = ask(server, envelope) if ask is not None else None
    return await found if hasattr(found, "__await__") else found


def hang_up(server: SMTP, envelope: Envelope) -> str:
    """As a server that dies: no answer reaches anybody."""
    server.transport.abort()
    return "421 Gone"


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    mailbox = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        mailbox.port = free.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()
