"""The seeded example shop, as ``make demo`` fills it: made once a process, then copied for each test."""

import os
from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from django.utils import timezone


@pytest.fixture(scope="session")
def _seeded(django_db_setup, _database, django_db_blocker):
    name = f"seeded_{os.getpid()}"
    with django_db_blocker.unblock():
        call_command("seed_shop", stdout=StringIO())
        connection.close()
        _database.store.finish(_database.name)
        _database.store.copy(_database.name, name)
        _database.restore()
    yield name
    with django_db_blocker.unblock():
        connection.close()
        _database.store.drop(name)


@pytest.fixture
def studio(_seeded, _database, transactional_db, live_server):
    """The seeded shop, served at this address."""
    from django.db import connections
    from wagtail.models import Site

    from tests.databases import use

    connections.close_all()
    _database.store.copy(_seeded, _database.name)
    use(_database.name)
    Site.objects.update(hostname="localhost", port=int(live_server.url.rsplit(":", 1)[1]))
    return live_server.url


@pytest.fixture
def later(settings):
    """So many days pass since the start, for the server and everybody: the sweep runs, and mails go out."""
    from wagtail_referrals import messages, rewards

    # Nobody has to sign in again when the clock moves on.
    settings.SESSION_COOKIE_AGE = 60 * 60 * 24 * 100
    start = timezone.now()
    travels = []

    def pass_days(days):
        travels.append(time_machine.travel(start + timedelta(days=days), tick=True))
        travels[-1].start()
        rewards.sweep()
        messages.deliver_pending()

    yield pass_days
    for travel in reversed(travels):
        travel.stop()
