"""``manage.py referrals_sweep``, as cron and as somebody who tries it out call it."""

from __future__ import annotations

import importlib
import time
from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command

from tests.plainshop.models import Order
from tests.plainshop.test_chain import deliver, friend_orders
from wagtail_referrals import credit
from wagtail_referrals.management.progress import Progress
from wagtail_referrals.rewards.models import SweepRun

pytestmark = pytest.mark.django_db


def sweep(**options) -> str:
    out = StringIO()
    call_command("referrals_sweep", stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def delivered(advocate, make_program, basket, now):
    """An order of today, paid and delivered; its waiting period is 14 days."""
    _, terms, _ = make_program()
    with time_machine.travel(now, tick=False):
        order = friend_orders(advocate, terms, basket, now)
        deliver(order, now)
    return order


def test_it_settles_what_is_due_and_sends_the_messages(delivered, camille, now, mailoutbox):
    with time_machine.travel(now + timedelta(days=13), tick=False):
        sweep()
    assert (credit.available(camille, "EUR"), len(mailoutbox)) == (0, 0)
    with time_machine.travel(now + timedelta(days=15), tick=False):
        assert "1 settled" in sweep()
        assert "0 settled" in sweep()
    assert (credit.available(camille, "EUR"), len(mailoutbox)) == (15, 1)


def test_it_says_how_far_it_is(advocate, make_program, basket, now, monkeypatch):
    """Settling, planning and sending: each may take long."""
    _, terms, _ = make_program()
    with time_machine.travel(now, tick=False):
        for number in range(3):
            friend_orders(
                advocate, terms, basket, now, email=f"friend{number}@example.com", number=f"1{number}"
            )
        Order.objects.update(paid_at=now, shipped_at=now)
    monkeypatch.setattr(importlib.import_module("wagtail_referrals.rewards.sweep"), "BATCH", 2)
    said = []
    monkeypatch.setattr(Progress, "show", lambda self, *words: said.append(words))
    with time_machine.travel(now + timedelta(days=1), tick=False):
        assert "3 settled" in sweep(stderr=StringIO())
    assert said[:2] == [("Referrals", 2, 3), ("Referrals", 3, 3)]
    assert {what for what, _done, _total in said} == {"Referrals", "Kinds of messages", "Messages"}
    sent = [words for words in said if words[0] == "Messages"]
    assert sent == [("Messages", number, len(sent)) for number in range(1, len(sent) + 1)] and sent
    said.clear()
    with time_machine.travel(now + timedelta(days=15), tick=False):
        assert "3 settled" in sweep(stderr=StringIO(), no_progress=True)
    assert said == []


def test_another_day_can_be_tried_out(delivered, camille, now, mailoutbox):
    day = (now + timedelta(days=14)).date()
    with time_machine.travel(now, tick=False):
        sweep(now=str(day - timedelta(days=1)))
        assert credit.available(camille, "EUR") == 0
        sweep(now=str(day))
    assert (credit.available(camille, "EUR"), len(mailoutbox)) == (15, 1)
    assert SweepRun.objects.latest("pk").started_at.date() == day


@pytest.mark.parametrize("text", ["tomorrow", "2030-13-45", "", "2030-01-01T99:00"])
def test_a_strange_date_is_refused(db, text):
    with pytest.raises(CommandError, match="--now"):
        sweep(now=text)
    assert not SweepRun.objects.exists()


def test_a_tried_out_day_is_not_repeated(db):
    with pytest.raises(CommandError, match="--every"):
        sweep(now="2030-12-31", every=15)


def test_it_goes_on_until_it_is_interrupted(db, monkeypatch):
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", pause)
    assert sweep(every=15) == ""
    assert pauses == [15, 15, 15]
    assert SweepRun.objects.count() == 3
