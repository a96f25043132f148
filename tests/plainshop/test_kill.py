"""A process that dies at any step of settling leaves books that the next sweep completes, and pays nothing twice."""

import os
import subprocess
import sys
from decimal import Decimal

import pytest
from django.db import connection

from tests.environment import ROOT
from tests.plainshop.models import Order
from tests.plainshop.test_chain import DAY, friend_orders
from wagtail_referrals import credit, messages, rewards
from wagtail_referrals.credit.models import Entry, Lot
from wagtail_referrals.messages.models import Message
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import Reward

pytestmark = pytest.mark.django_db(transaction=True)

# Settles referral number n in a process of its own, which is killed right after its n-th statement.
DYING = """
import os, signal, sys
from datetime import datetime
import django
django.setup()
from django.db import connection
from tests import databases
from wagtail_referrals import rewards

databases.use(sys.argv[1])
died = 0
for number, pk in enumerate(sys.argv[3].split(","), 1):
    child = os.fork()
    if child == 0:
        statements = 0
        def count(execute, sql, params, many, context):
            global statements
            result = execute(sql, params, many, context)
            statements += 1
            if statements == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return result
        with connection.execute_wrapper(count):
            rewards.settle(int(pk), now=datetime.fromisoformat(sys.argv[2]))
        os._exit(0)
    died += os.WIFSIGNALED(os.waitpid(child, 0)[1])
print(died)
"""
STEPS = 50


def test_settling_killed_at_each_step_pays_everything_once(advocate, camille, make_program, basket, now):
    _, terms, _ = make_program()
    for number in range(STEPS):
        friend_orders(advocate, terms, basket, now, number=str(number), email=f"friend{number}@example.com")
    Order.objects.update(paid_at=now, shipped_at=now)
    later = now + 15 * DAY
    ids = list(Referral.objects.order_by("pk").values_list("pk", flat=True))
    name = os.path.basename(connection.settings_dict["NAME"]).removesuffix(".sqlite3")
    connection.close()
    done = subprocess.run(
        [sys.executable, "-c", DYING, name, later.isoformat(), ",".join(map(str, ids))],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.plainshop.settings"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
    )
    assert int(done.stdout) > 20, "settling takes that many statements: so many died in the middle"
    assert Reward.objects.filter(posted__gt=0).count() < STEPS

    rewards.sweep(now=later)
    messages.deliver_pending(now=later)
    assert list(Reward.objects.values_list("posted", "revision").distinct()) == [(Decimal("15.00"), 1)]
    account = credit.account_of(camille, "EUR")
    assert (account.balance, account.reserved, account.shortfall) == (STEPS * Decimal(15), 0, 0)
    assert sum(Entry.objects.values_list("amount", flat=True)) == account.balance
    assert sum(Lot.objects.values_list("remaining", flat=True)) == account.balance
    assert Message.objects.count() == STEPS
    assert not Message.objects.filter(state="pending").exists()
