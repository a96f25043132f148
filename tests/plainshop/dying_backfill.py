"""A backfill that dies at a step, each time at another: run by ``tests.killing.in_a_process``."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction

from tests.killing import count_steps, die_after, spread
from wagtail_referrals import people
from wagtail_referrals.people import bulk
from wagtail_referrals.referrals import backfill, customer_emails


def work() -> None:
    backfill()
    people.make_codes(get_user_model().objects.all())


def die(places: int) -> dict[str, Any]:
    """Count the steps of it all without keeping anything of it; then die at some of them, one after another."""
    customer_emails.BATCH = 3  # type: ignore[misc]
    bulk.BATCH = 3  # type: ignore[misc]

    class Undo(Exception):
        pass

    def counted() -> None:
        try:
            with transaction.atomic():
                work()
                raise Undo
        except Undo:
            pass

    steps = count_steps(counted)
    died = [number for number in spread(steps, places) if die_after(number, work)]
    return {"steps": steps, "died": died}
