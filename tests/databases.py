"""Migrated databases for the tests, made once and copied.

All migrations of Wagtail and Oscar take most of a minute. They run once and leave two templates under ``.cache/``:
the *base* (everything that is not ours) and the *template* (ours on top); each is named by a hash of the migration
files that made it, so a changed migration makes a new one and nothing is ever stale. A test process copies the
template to its own database, and after a test that really commits it copies again: that is faster than a flush, keeps
what the migrations wrote (Wagtail's root page and locales), and asks nothing of the ledger's triggers, which refuse
every DELETE.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.core.management.sql import emit_pre_migrate_signal
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.models.signals import post_migrate

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".cache" / "databases"
KEEP = 4  # templates of each kind that stay on the disk
Report = Callable[[str], None]


class SQLiteFiles:
    """Databases as files in ``.cache/databases``."""

    def __init__(self) -> None:
        FOLDER.mkdir(parents=True, exist_ok=True)

    def location(self, name: str) -> str:
        """Return what settings.DATABASES wants as NAME."""
        return str(FOLDER / f"{name}.sqlite3")

    def exists(self, name: str) -> bool:
        return os.path.exists(self.location(name))

    def create(self, name: str) -> None:
        self.drop(name)

    def finish(self, name: str) -> None:
        """Fold the write-ahead log into the file, so that the file alone is the database."""
        with sqlite3.connect(self.location(name), isolation_level=None) as raw:
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        raw.close()

    def copy(self, source: str, target: str) -> None:
        """Put a copy in the place of ``target``; a connection left open keeps the old file, which nobody reads."""
        path = self.location(target)
        shutil.copyfile(self.location(source), path + ".new")
        self._remove_logs(path)
        os.replace(path + ".new", path)

    def rename(self, source: str, target: str) -> None:
        os.replace(self.location(source), self.location(target))
        self._remove_logs(self.location(source))

    def drop(self, name: str) -> None:
        path = Path(self.location(name))
        path.unlink(missing_ok=True)
        self._remove_logs(str(path))

    def names(self) -> list[str]:
        """Return all databases, the newest first."""
        found = sorted(FOLDER.glob("*.sqlite3"), key=lambda path: path.stat().st_mtime, reverse=True)
        return [path.stem for path in found]

    @staticmethod
    def _remove_logs(path: str) -> None:
        for suffix in ("-wal", "-shm", "-journal"):
            Path(path + suffix).unlink(missing_ok=True)


class PostgresDatabases:
    """Databases of the server in ``tests/postgres.py``."""

    def location(self, name: str) -> str:
        return name

    def _execute(self, statement: str, *args: object) -> list[tuple]:
        import psycopg

        conf = connections[DEFAULT_DB_ALIAS].settings_dict
        with psycopg.connect(
            host=conf["HOST"],
            port=conf["PORT"] or None,
            user=conf["USER"],
            dbname="postgres",
            autocommit=True,
        ) as raw:
            cursor = raw.execute(statement, args or None)
            return cursor.fetchall() if cursor.description else []

    def exists(self, name: str) -> bool:
        return bool(self._execute("SELECT 1 FROM pg_database WHERE datname = %s", name))

    def create(self, name: str) -> None:
        self.drop(name)
        self._execute(f'CREATE DATABASE "{name}"')

    def finish(self, name: str) -> None:
        self._execute(f"COMMENT ON DATABASE \"{name}\" IS '{time.time():.0f}'")

    def copy(self, source: str, target: str) -> None:
        """Put a copy in the place of ``target``, also where a thread of the last test left a connection open."""
        self.drop(target)
        self._execute(f'CREATE DATABASE "{target}" TEMPLATE "{source}" STRATEGY FILE_COPY')

    def rename(self, source: str, target: str) -> None:
        self._execute(f'ALTER DATABASE "{source}" RENAME TO "{target}"')

    def drop(self, name: str) -> None:
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def names(self) -> list[str]:
        """Return all databases, the newest first (by the comment that ``finish`` leaves)."""
        rows = self._execute(
            "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'"
            " ORDER BY shobj_description(oid, 'pg_database') DESC NULLS LAST"
        )
        return [row[0] for row in rows]


def backend() -> SQLiteFiles | PostgresDatabases:
    """Return the operations for the database that the settings name."""
    return PostgresDatabases() if connection.vendor == "postgresql" else SQLiteFiles()


def use(name: str) -> None:
    """Let the default connection, in this and in every new thread, speak to this database."""
    connection.close()
    location = backend().location(name)
    settings.DATABASES[DEFAULT_DB_ALIAS]["NAME"] = location
    connections.settings[DEFAULT_DB_ALIAS]["NAME"] = location
    connection.settings_dict["NAME"] = location


@contextmanager
def _locked() -> Iterator[None]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / f"{connection.vendor}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _is_ours(label: str) -> bool:
    path = Path(apps.get_app_config(label).path).resolve()
    return path.is_relative_to(ROOT) and "site-packages" not in path.parts


def _digest(loader: MigrationLoader, keys: set[tuple[str, str]]) -> str:
    """Hash the files of these migrations and what else shapes the result."""
    found = hashlib.sha256()
    for name in ("django", "wagtail", "django-oscar"):
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            version = "none"
        found.update(f"{name}={version};".encode())
    found.update(repr((sys.version_info[:2], settings.AUTH_USER_MODEL, settings.LANGUAGE_CODE)).encode())
    for key in sorted(keys):
        found.update(repr(key).encode())
        file = sys.modules[loader.disk_migrations[key].__module__].__file__
        found.update(Path(str(file)).read_bytes())
    return found.hexdigest()[:16]


def _plan() -> tuple[list[tuple[str, str]], str, str]:
    """Return the last migrations of everybody else, and the names of the base and of the template."""
    loader = MigrationLoader(None)
    leaves = loader.graph.leaf_nodes()
    targets = [key for key in leaves if not _is_ours(key[0])]

    def needed(keys: list[tuple[str, str]]) -> set[tuple[str, str]]:
        # Squashed migrations replace the originals in the graph: only what has a file counts.
        return {
            node for key in keys for node in loader.graph.forwards_plan(key) if node in loader.disk_migrations
        }

    return targets, f"base_{_digest(loader, needed(targets))}", f"template_{_digest(loader, needed(leaves))}"


def _migrate_others(targets: list[tuple[str, str]], report: Report) -> None:
    """Run the migrations of everybody else, saying every few seconds how far it is."""
    done, last = 0, time.monotonic()
    total = 0

    def progress(action: str, *_: object) -> None:
        nonlocal done, last
        if action == "apply_success":
            done += 1
            if time.monotonic() - last > 5:
                last = time.monotonic()
                report(f"  {done} of {total} migrations")

    executor = MigrationExecutor(connection, progress)
    plan = executor.migration_plan(targets)
    total = len(plan)
    state = executor._create_project_state(with_applied_migrations=True)
    emit_pre_migrate_signal(0, False, DEFAULT_DB_ALIAS, apps=state.apps, plan=plan)
    executor.migrate(targets, plan=plan)


def template(report: Report = lambda text: None) -> str:
    """Return the name of the migrated template, building what is missing of it.

    Args:
        report: called with a line of text before and during what takes long.
    """
    targets, base, name = _plan()
    store = backend()
    with _locked():
        if store.exists(name):
            return name
        started = time.monotonic()
        before = settings.DATABASES[DEFAULT_DB_ALIAS]["NAME"]
        part = f"part_{os.getpid()}"
        try:
            if not store.exists(base):
                report(
                    f"Migrating Wagtail's and the shop's tables on {connection.display_name}, once: about a minute."
                )
                store.create(part)
                use(part)
                _migrate_others(targets, report)
                connection.close()
                store.finish(part)
                store.rename(part, base)
            report(f"Migrating our own tables on {connection.display_name}.")
            store.copy(base, part)
            use(part)
            call_command("migrate", verbosity=0, interactive=False)
            connection.close()
            store.finish(part)
            store.rename(part, name)
        finally:
            connection.close()
            settings.DATABASES[DEFAULT_DB_ALIAS]["NAME"] = before
            connections.settings[DEFAULT_DB_ALIAS]["NAME"] = before
            store.drop(part)
        _prune(store, {base, name})
        report(f"The migrated template is ready after {time.monotonic() - started:.0f} s.")
    return name


def _prune(store: SQLiteFiles | PostgresDatabases, keep: set[str]) -> None:
    """Drop old templates, and the databases of processes that died."""
    names = store.names()
    for kind in ("base_", "template_"):
        for old in [name for name in names if name.startswith(kind)][KEEP:]:
            if old not in keep:
                store.drop(old)
    for name in names:
        kind, _, pid = name.partition("_")
        if kind in ("run", "clean", "part") and not psutil.pid_exists(int(pid)):
            store.drop(name)


class TestDatabase:
    """The database of one test process: a copy of the template that can be put back to its beginning."""

    __test__ = False

    def __init__(self, report: Report = lambda text: None) -> None:
        self.store = backend()
        self.clean = f"clean_{os.getpid()}"
        self.name = f"run_{os.getpid()}"
        source = template(report)
        # The hash covers migrations. What our apps do in post_migrate (the ledger's triggers) is code: run it anew.
        self.store.copy(source, self.clean)
        use(self.clean)
        for config in apps.get_app_configs():
            if _is_ours(config.label):
                post_migrate.send(
                    sender=config,
                    app_config=config,
                    verbosity=0,
                    interactive=False,
                    using=DEFAULT_DB_ALIAS,
                    stdout=None,
                    plan=[],
                    apps=apps,
                )
        connection.close()
        self.store.finish(self.clean)
        self.restore()

    def restore(self) -> None:
        """Throw away whatever was committed; connections that threads left open stop mattering."""
        connections.close_all()
        self.store.copy(self.clean, self.name)
        use(self.name)

    def drop(self) -> None:
        connections.close_all()
        self.store.drop(self.name)
        self.store.drop(self.clean)


if __name__ == "__main__":
    import django

    django.setup()
    template(lambda text: print(text, flush=True))
