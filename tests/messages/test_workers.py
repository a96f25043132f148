"""Two real workers of django-tasks-db on PostgreSQL, and a mail server that they send to."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from tests.admin.rows import make_user
from tests.environment import ROOT
from tests.killing import database_name
from tests.mail_server import Mailbox, mail_server
from wagtail_referrals.messages.models import Message

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor != "postgresql",
        reason="Workers of several processes are for PostgreSQL: TEST_DATABASE=postgres.",
    ),
]

State = Message.State
SECONDS = 300

_MAIN = """
import sys
import django
django.setup()
from tests import databases
from wagtail_referrals.messages import holding
databases.use(sys.argv[1])
holding._limits.clear()
"""
_COMMAND = _MAIN + "from django.core.management import call_command; call_command(*sys.argv[2:])"
# One transaction for each batch, as checkouts have them: each is a task.
_PLAN = (
    _MAIN
    + """
from django.contrib.auth import get_user_model
from django.db import transaction
from wagtail_referrals.messages.planning import planned, write_all
users = list(get_user_model().objects.order_by("pk"))
size = int(sys.argv[2])
for start in range(0, len(users), size):
    with transaction.atomic():
        details = {"side": "advocate", "amount": "15.00", "currency": "EUR"}
        write_all([
            planned("reward_given", key=f"m{user.pk}", user=user, data=details)
            for user in users[start:start + size]
        ])
"""
)


class Shop:
    """Processes of a shop with workers, on this test's database."""

    def __init__(self, port: int) -> None:
        self.database = database_name()
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.messages.workers_settings",
            "WORKERS_EMAIL_PORT": str(port),
        }
        self.workers: list[subprocess.Popen[bytes]] = []

    def start(self, code: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", code, self.database, *arguments]
        return subprocess.Popen(command, cwd=ROOT, env=self.environment)

    def manage(self, *arguments: str) -> None:
        assert self.start(_COMMAND, *arguments).wait(SECONDS) == 0

    def plan(self, size: int) -> None:
        assert self.start(_PLAN, str(size)).wait(SECONDS) == 0

    def work(self) -> subprocess.Popen[bytes]:
        """A worker that goes when there is nothing left to do."""
        arguments = ("db_worker", "--batch", "--no-startup-delay", "--interval", "0.1", "--verbosity", "0")
        worker = self.start(_COMMAND, *arguments)
        self.workers.append(worker)
        return worker

    def worked(self) -> int:
        """How many workers have taken a task."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(DISTINCT worker_ids->>0) FROM django_tasks_database_dbtaskresult "
                "WHERE jsonb_array_length(worker_ids) > 0"
            )
            return int(cursor.fetchone()[0])


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as box:
        yield box


@pytest.fixture
def shop(mailbox: Mailbox) -> Iterator[Shop]:
    shop = Shop(mailbox.port)
    shop.manage("migrate", "django_tasks_database", "--verbosity", "0")
    yield shop
    for worker in shop.workers:
        if worker.poll() is None:
            worker.kill()
            worker.wait(SECONDS)


def test_two_workers_send_each_message_once(shop: Shop, mailbox: Mailbox) -> None:
    for number in range(40):
        make_user(f"reader{number}@example.com", "Camille")
    two_at_it = asyncio.Event()
    busy = 0

    async def wait_for_the_other(server: Any, envelope: Any) -> None:
        nonlocal busy
        busy += 1
        if busy >= 2:
            two_at_it.set()
        await asyncio.wait_for(two_at_it.wait(), SECONDS)

    mailbox.at_data = wait_for_the_other
    shop.plan(size=2)
    assert not mailbox.envelopes, "nothing is sent by whoever plans it"
    assert Message.objects.filter(state=State.PENDING).count() == 40
    workers = [shop.work(), shop.work()]
    assert [worker.wait(SECONDS) for worker in workers] == [0, 0]
    assert shop.worked() == 2
    assert Counter(mailbox.recipients) == Counter(f"reader{number}@example.com" for number in range(40))
    assert Message.objects.filter(state=State.SENT, attempts=1).count() == 40


def test_a_worker_that_is_killed_while_it_hands_over(shop: Shop, mailbox: Mailbox) -> None:
    for number in range(6):
        make_user(f"reader{number}@example.com", "Camille")
    has_one = threading.Event()
    first: list[str] = []

    async def keep_the_first(server: Any, envelope: Any) -> None:
        if not first:
            first.extend(envelope.rcpt_tos)
            has_one.set()
            await asyncio.sleep(3600)

    mailbox.at_data = keep_the_first
    shop.plan(size=6)
    worker = shop.work()
    assert has_one.wait(SECONDS)
    sending = Message.objects.get(state=State.SENDING)
    assert [sending.user.email] == first
    worker.send_signal(signal.SIGKILL)
    worker.wait(SECONDS)
    # A sweep that comes at once leaves the others to the worker, which may be alive for all it knows.
    shop.manage("referrals_sweep")
    shop.work().wait(SECONDS)
    assert not mailbox.envelopes
    # Later.
    past = timezone.now() - timedelta(seconds=1)
    Message.objects.exclude(claimed_until=None).update(claimed_until=past)
    shop.manage("referrals_sweep")
    shop.work().wait(SECONDS)
    assert Counter(Message.objects.values_list("state", flat=True)) == {State.SENT: 5, State.UNSURE: 1}
    assert sorted([*mailbox.recipients, *first]) == [f"reader{number}@example.com" for number in range(6)]
    sending.refresh_from_db()
    assert sending.state == State.UNSURE
