"""Before a shop leaves, what waits to be sent is sent, or never is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from tests.messages.made import make_message
from tests.messages.test_delivery import BROKEN, use_tasks
from wagtail_referrals import leaving
from wagtail_referrals.messages.models import Message

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_kinds")]


def test_what_waits_goes_or_never_does() -> None:
    now = timezone.now()
    make_message("a", now=now)
    make_message("b", now=now + timedelta(hours=9))
    make_message("c", now=now, claimed_until=now - timedelta(minutes=1))
    step = leaving.steps.get("messages")
    (plan,) = step.plan()
    assert plan.startswith("3 messages wait")
    said: list[str] = []
    # Without the workers, which may have been stopped.
    with use_tasks(BROKEN):
        step.carry_out(said.append)
    assert said == ["Messages sent: 2. Never sent: 1."]
    assert [sent.to for sent in mail.outbox] == [["a@example.com"], ["c@example.com"]]
    assert Message.objects.get(key="b").reason == "left"
    step.carry_out(said.append)
    assert step.plan() == [] and len(said) == 1


def test_it_comes_after_what_is_due_was_settled() -> None:
    keys: Any = [step.key for step in leaving.steps]
    assert keys.index("sweep") < keys.index("messages") < keys.index("addresses")
