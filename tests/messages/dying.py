"""Deliveries that die at a step, each at another: run by ``tests.killing.in_a_process``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from tests.killing import count_steps, die_after
from tests.messages.made import kinds_of_ours
from wagtail_referrals.messages import deliver_pending
from wagtail_referrals.messages.channels import EMAIL, channels
from wagtail_referrals.messages.models import Message


class LineInAFile:
    """Writes the key of each message down where it stays, whoever dies."""

    key = EMAIL
    label = "A file"

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def address_of(self, recipient: Any) -> str:
        return "here"

    def send(self, message: Message, content: Any, address: str) -> None:
        with self.path.open("a") as file:
            file.write(f"{message.key}\n")


def die(path: str, now: str) -> dict[str, Any]:
    """Each message dies one step later than the one before, from the first step to the last."""
    moment = datetime.fromisoformat(now)
    channels.unregister(EMAIL)
    channels.register(LineInAFile(path))
    with kinds_of_ours():
        waiting = list(Message.objects.order_by("pk").values_list("pk", flat=True))
        Message.objects.exclude(pk=waiting[0]).update(next_attempt_at=None)
        # The first one fills what is remembered between deliveries.
        deliver_pending(now=moment)
        Message.objects.filter(pk=waiting[1]).update(next_attempt_at=moment)
        steps = count_steps(lambda: deliver_pending(now=moment))
        died = []
        for step, pk in enumerate(waiting[2:], start=1):
            Message.objects.filter(pk=pk).update(next_attempt_at=moment)
            if not die_after(step, lambda: deliver_pending(now=moment)):
                break
            died.append(step)
            # What this one left is looked at in the end.
            Message.objects.filter(pk=pk, state="pending").update(next_attempt_at=None)
    return {"steps": steps, "died": died}
