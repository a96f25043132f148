"""Which messages are sent when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from tests.admin.rows import make_user
from wagtail_referrals.messages import deliver_pending, write

pytestmark = pytest.mark.django_db


def test_who_causes_a_message_waits_for_no_other(django_capture_on_commit_callbacks: Any) -> None:
    details = {"side": "advocate", "amount": "15.00", "currency": "EUR"}
    for email in ("camille@example.com", "noor@example.com"):
        write("reward_given", key=email, user=make_user(email, "Camille"), data=details)
    with django_capture_on_commit_callbacks(execute=True):
        write("reward_given", key="jonas", user=make_user("jonas@example.com", "Jonas"), data=details)
    assert [sent.to for sent in mail.outbox] == [["jonas@example.com"]]
    assert deliver_pending() == 2


def test_a_message_that_is_planned_for_later_is_not_sent_at_once(
    django_capture_on_commit_callbacks: Any,
) -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    with django_capture_on_commit_callbacks(execute=True):
        write(
            "reward_given",
            key="camille",
            user=make_user("camille@example.com", "Camille"),
            data={"side": "advocate", "amount": "15.00", "currency": "EUR"},
            now=tomorrow,
        )
    assert not mail.outbox
    assert deliver_pending(now=tomorrow) == 1
