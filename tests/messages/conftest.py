from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.mail_server import Mailbox, mail_server
from tests.messages.made import kinds_of_ours


@pytest.fixture
def own_kinds() -> Iterator[None]:
    with kinds_of_ours():
        yield


@pytest.fixture
def mailbox(settings: Any) -> Iterator[Mailbox]:
    """A real mail server, which this process sends to."""
    with mail_server() as box:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST = "127.0.0.1"
        settings.EMAIL_PORT = box.port
        settings.EMAIL_TIMEOUT = 20
        yield box
