"""What a release wrote, today's code goes on with: its dump is restored, migrated, and the shop goes on.

The same is done with a dump of today's shop: once as it is, and once with a migration that is still to be written. So
the way is proved before there is a release, too.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from example_site.backoffice import orders as backoffice
from example_site.seed.visitor import Visitor
from tests.books import assert_audit_clean
from tests.credit.audit import assert_books_agree
from tests.databases import use
from tests.example_site.story import LONGEST, NOW
from tests.upgrades import dumps
from wagtail_referrals import people, rewards
from wagtail_referrals.credit import triggers
from wagtail_referrals.credit.models import Entry
from wagtail_referrals.referrals.models import Purchase
from wagtail_referrals.rewards.models import Reward, SweepRun

pytestmark = [pytest.mark.xdist_group("history"), pytest.mark.django_db(transaction=True)]

OURS = ("wagtail_referrals_credit", "wagtail_referrals", "referral_memberships")
Restore = Callable[[bytes], None]


@pytest.fixture
def restore(_database: Any, transactional_db: None) -> Restore:
    """Put a dump in the place of this process's database; the next test finds its own again."""

    def restore(dump: bytes) -> None:
        connections.close_all()
        _database.store.create(_database.name)
        if connection.vendor == "sqlite":
            dumps.restore_sqlite(dump, Path(_database.store.location(_database.name)))
        else:
            dumps.restore_postgres(dump, settings.DATABASES["default"]["HOST"], _database.name)
        use(_database.name)

    return restore


@pytest.fixture
def new_schema(_database: Any, transactional_db: None) -> dict[str, Any]:
    """The schema of a database that today's migrations made from nothing."""
    use(_database.clean)
    found = schema()
    use(_database.name)
    return found


@pytest.fixture
def todays(story: Any, _database: Any) -> bytes:
    """A dump of the example shop, as `make dump` would make one today."""
    name = story[0]
    if connection.vendor == "sqlite":
        return dumps.dump_sqlite(Path(_database.store.location(name)))
    return dumps.dump_postgres(settings.DATABASES["default"]["HOST"], name)


@pytest.fixture
def later_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The ledger's migrations with one more, which makes a column wider: SQLite makes the table anew for it."""
    folder = tmp_path / "later_migrations"
    folder.mkdir()
    (folder / "__init__.py").touch()
    module = MigrationExecutor(connection).loader.disk_migrations[(OURS[0], "0001_initial")].__module__
    (folder / "0001_initial.py").write_text(Path(str(sys.modules[module].__file__)).read_text())
    (folder / "0002_wider.py").write_text(WIDER)
    monkeypatch.syspath_prepend(tmp_path)
    modules = {**getattr(settings, "MIGRATION_MODULES", {}), OURS[0]: folder.name}
    monkeypatch.setattr(settings, "MIGRATION_MODULES", modules, raising=False)
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == folder.name]:
        del sys.modules[name]


WIDER = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("wagtail_referrals_credit", "0001_initial")]
    operations = [migrations.AlterField("entry", "key", models.CharField(max_length=300))]
"""


def migrated() -> list[tuple[str, str]]:
    """Migrate to today's code; which migrations of ours that took."""
    before = MigrationRecorder(connection).applied_migrations()
    call_command("migrate", verbosity=0, interactive=False)
    executor = MigrationExecutor(connection)
    assert executor.migration_plan(executor.loader.graph.leaf_nodes()) == []
    # What a database remembers must still be there: none is ever renamed, and a squashed one says what it replaces.
    known = set(executor.loader.disk_migrations)
    for migration in executor.loader.disk_migrations.values():
        known |= set(migration.replaces)
    assert {key for key in before if key[0] in OURS} <= known
    return sorted(key for key in executor.loader.applied_migrations if key[0] in OURS and key not in before)


def schema() -> dict[str, Any]:
    """Columns, constraints and indexes of our tables, as the database tells them."""
    found: dict[str, Any] = {}
    with connection.cursor() as cursor:
        for label in OURS:
            for model in apps.get_app_config(label).get_models(include_auto_created=True):
                table = model._meta.db_table
                columns = connection.introspection.get_table_description(cursor, table)
                constraints = connection.introspection.get_constraints(cursor, table)
                found[table] = {
                    "columns": {
                        # How long a text may be, SQLite tells as the one size, and PostgreSQL as the other.
                        column.name: (
                            column.type_code,
                            column.internal_size,
                            column.display_size,
                            column.null_ok,
                        )
                        for column in columns
                    },
                    "constraints": Counter(
                        (
                            "" if name.startswith("__") else name,
                            tuple(sorted(each["columns"] or ())),
                            *(
                                each[kind]
                                for kind in ("primary_key", "unique", "foreign_key", "check", "index")
                            ),
                        )
                        for name, each in constraints.items()
                    ),
                }
    return found


def assert_shop_goes_on(moment: datetime) -> None:
    """Triggers hold, books agree, and a link from before leads to an order, a reward and its refund."""
    assert triggers.missing() == []
    assert Entry.objects.count() > 50, "a dump without a history proves nothing"
    assert_audit_clean(now=moment)
    assert_books_agree()

    noe = get_user_model().objects.get(email="noe@example.com")
    friend = Visitor("fr")
    friend.follow(people.code_of(people.advocate_for(noe)))
    friend.add("MAT-ROOT")
    friend.as_guest("gwenn.later@example.com")
    friend.deliver(
        {
            "first_name": "Gwenn",
            "last_name": "Later",
            "line1": "4 rue Haute",
            "line4": "Rennes",
            "postcode": "35000",
        }
    )
    order = friend.pay()
    backoffice.mark_paid(order)
    backoffice.mark_shipped(order)
    with time_machine.travel(moment + timedelta(days=60)):
        rewards.sweep()
        reward = Reward.objects.get(
            referral=Purchase.objects.get(reference=order.number).referral, side="advocate"
        )
        assert reward.posted > 0
        backoffice.refund(order, order.total_incl_tax)
        rewards.sweep()
        reward.refresh_from_db()
        assert reward.posted == Decimal(0)
        assert_audit_clean(now=moment + timedelta(days=60))
    assert_books_agree()


@pytest.mark.parametrize("dump", dumps.of_releases(connection.vendor), ids=lambda path: path.parent.name)
def test_dump_of_a_release_becomes_todays(dump: Path, restore: Restore, new_schema: dict[str, Any]) -> None:
    restore(dump.read_bytes())
    migrated()
    assert schema() == new_schema
    moment = SweepRun.objects.latest("started_at").started_at
    with time_machine.travel(moment):
        assert_shop_goes_on(moment)


def test_dump_of_today_is_today(todays: bytes, restore: Restore, new_schema: dict[str, Any]) -> None:
    assert len(todays) < 1_000_000, "too large to keep one for each release"
    restore(todays)
    assert migrated() == []
    assert schema() == new_schema
    with time_machine.travel(NOW + LONGEST):
        assert_shop_goes_on(NOW + LONGEST)


def test_dump_meets_a_later_migration(
    todays: bytes, restore: Restore, later_migration: None, new_schema: dict[str, Any]
) -> None:
    restore(todays)
    assert migrated() == [(OURS[0], "0002_wider")]
    table = Entry._meta.db_table
    assert schema() != new_schema
    assert {name for name, found in schema().items() if found != new_schema[name]} <= {table}
    with time_machine.travel(NOW + LONGEST):
        assert_shop_goes_on(NOW + LONGEST)
