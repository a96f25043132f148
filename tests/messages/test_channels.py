"""After which failures a mail may have gone."""

from __future__ import annotations

import smtplib
import socket
from http.client import RemoteDisconnected

import pytest
import requests

from wagtail_referrals.messages.channels import _may_have_gone, _status


def caused(error: Exception, cause: Exception) -> Exception:
    """As anymail's backends raise it."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "may"),
    [
        (requests.ReadTimeout(), True),
        (caused(RuntimeError(), requests.ReadTimeout()), True),
        (caused(RuntimeError(), caused(requests.ConnectionError(), RemoteDisconnected())), True),
        (caused(requests.ConnectTimeout(), TimeoutError()), False),
        (caused(requests.ConnectionError(), socket.gaierror()), False),
        (caused(requests.ConnectionError(), ConnectionRefusedError()), False),
        (smtplib.SMTPDataError(451, b"later"), False),
        (smtplib.SMTPConnectError(421, b"busy"), False),
        (smtplib.SMTPServerDisconnected(), False),
        (ConnectionRefusedError(), False),
        (ValueError(), False),
    ],
)
def test_after_which_failures_a_mail_may_have_gone(error: Exception, may: bool) -> None:
    assert _may_have_gone(error) is may


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (b"5.1.1 unknown", "5.1.1"),
        (b" 4.3.0 later", "4.3.0"),
        (b"no such user 5.1.1", ""),
        (b"", ""),
        (b"5.1", ""),
    ],
)
def test_the_status_of_an_answer(words: bytes, status: str) -> None:
    assert _status(words) == status
