"""Entries are append only: the database itself refuses UPDATE and DELETE.

Installed after every ``migrate``, not by a migration: SQLite makes a table anew when a field is altered, and its
triggers go with the old one. PostgreSQL and SQLite only; elsewhere only the code keeps the promise.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, router
from django.db.backends.base.base import BaseDatabaseWrapper

UPDATE = "referrals_entry_no_update"
DELETE = "referrals_entry_no_delete"
FUNCTION = "referrals_entry_refuse"
MESSAGE = "Entries of the credit ledger are append only."


def install(using: str = DEFAULT_DB_ALIAS) -> None:
    """Create the triggers that are missing in this database."""
    connection = connections[using]
    for name in missing(using):
        operation = "UPDATE" if name == UPDATE else "DELETE"
        with connection.cursor() as cursor:
            for statement in _statements(connection, name, operation):
                cursor.execute(statement)


def missing(using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """The names of the triggers that should be in this database and are not, or are switched off."""
    connection = connections[using]
    if connection.vendor not in ("postgresql", "sqlite") or not _has_table(connection):
        return []
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [_table()]
            )
        else:
            cursor.execute(
                # 'D' is switched off, 'R' works in a replica only.
                "SELECT tgname FROM pg_trigger WHERE tgrelid = to_regclass(%s) AND tgenabled IN ('O', 'A')",
                [connection.ops.quote_name(_table())],
            )
        found = {row[0] for row in cursor.fetchall()}
    return [name for name in (UPDATE, DELETE) if name not in found]


@contextmanager
def deletion_allowed(using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Lift the refusal of DELETE on SQLite, for the tests' ``flush``. PostgreSQL truncates, which needs no lifting."""
    connection = connections[using]
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TRIGGER IF EXISTS {connection.ops.quote_name(DELETE)}")
    try:
        yield
    finally:
        install(using)


def install_after_migrate(*, using: str, **kwargs: Any) -> None:
    """Receiver of ``post_migrate``."""
    install(using)


def _table() -> str:
    from wagtail_referrals.credit.models import Entry

    return Entry._meta.db_table


def _has_table(connection: BaseDatabaseWrapper) -> bool:
    from wagtail_referrals.credit.models import Entry

    if not router.allow_migrate_model(connection.alias, Entry):
        return False
    with connection.cursor() as cursor:
        return _table() in connection.introspection.table_names(cursor)


def _statements(connection: BaseDatabaseWrapper, name: str, operation: str) -> list[str]:
    quote = connection.ops.quote_name
    before = f"BEFORE {operation} ON {quote(_table())} FOR EACH ROW"
    if connection.vendor == "sqlite":
        return [f"CREATE TRIGGER {quote(name)} {before} BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"]
    return [
        f"CREATE OR REPLACE FUNCTION {quote(FUNCTION)}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation'; END $$",
        # A trigger that was switched off is missing too.
        f"DROP TRIGGER IF EXISTS {quote(name)} ON {quote(_table())}",
        f"CREATE TRIGGER {quote(name)} {before} EXECUTE FUNCTION {quote(FUNCTION)}()",
    ]
