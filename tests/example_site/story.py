"""The three months of the example shop, lived through once a process. tests/conftest.py makes the fixtures known.

What uses them belongs to the group ``history``: in one process of several, or each would live the three months again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection, connections

from tests.databases import use

# Twenty past midnight in the shop, with a new year and a change to winter time within the three months.
NOW = datetime(2027, 1, 19, 23, 20, tzinfo=UTC)
# The clock goes on while the history is made.
LONGEST = timedelta(minutes=9)


@pytest.fixture(scope="session")
def story(
    django_db_setup: None, _database: Any, django_db_blocker: Any, tmp_path_factory: Any
) -> Iterator[tuple[str, str, list[str]]]:
    """The name of the database with the history, what the command printed, and the browsers that followed links."""
    # Not above: the tests without Oscar read this module, too.
    from django.test import override_settings

    from example_site.backoffice import checks
    from example_site.seed import pictures
    from example_site.seed.visitor import Visitor
    from tests.example_site.conftest import _small

    name = f"history_{os.getpid()}"
    agents: list[str] = []
    follow = Visitor.follow

    def counted(self: Visitor, *args: Any, **kwargs: Any) -> None:
        agents.append(self.client.defaults["HTTP_USER_AGENT"])
        follow(self, *args, **kwargs)

    patch = pytest.MonkeyPatch()
    patch.setattr(pictures.Canvas, "__init__", _small(pictures.Canvas.__init__))
    patch.setattr(Visitor, "follow", counted)
    out = StringIO()
    checks.register()
    media = override_settings(MEDIA_ROOT=tmp_path_factory.mktemp("media"))
    with django_db_blocker.unblock(), media, time_machine.travel(NOW):
        call_command("seed_shop", verbosity=0)
        call_command("seed_history", stdout=out)
        connection.close()
        _database.store.finish(_database.name)
        _database.store.copy(_database.name, name)
        _database.restore()
    patch.undo()
    checks.unregister()
    yield name, out.getvalue(), agents
    with django_db_blocker.unblock():
        connection.close()
        _database.store.drop(name)


@pytest.fixture
def lived(story: Any, _database: Any, transactional_db: None) -> Iterator[str]:
    """The shop after its three months, at the end of them; what the command printed."""
    from example_site.backoffice import checks

    name, printed, _agents = story
    connections.close_all()
    _database.store.copy(name, _database.name)
    use(_database.name)
    checks.register()
    with time_machine.travel(NOW + LONGEST):
        yield printed
    checks.unregister()
