"""System checks of the ledger: what the database has to do so that the books can be trusted.

They need the database: Django runs them in ``migrate`` and in ``check --database default``. One that cannot be reached
is left to Django, which says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.db import Error as DatabaseError
from django.db import connections, router

from wagtail_referrals.credit import triggers
from wagtail_referrals.credit.models import Entry


def check_triggers(
    app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """referrals.E001: entries could be changed or deleted."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        try:
            names = triggers.missing(alias)
        except DatabaseError:
            continue
        if names:
            found.append(
                Error(
                    f'Entries of the credit ledger in the database "{alias}" can be changed: '
                    f"the trigger {' and the trigger '.join(names)} is missing.",
                    hint='Run "python manage.py migrate --skip-checks": it installs them after the migrations.',
                    id="referrals.E001",
                )
            )
    return found


def check_sqlite(
    app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """referrals.W001: SQLite would answer "database is locked" to customers who act at the same time."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        connection = connections[alias]
        if connection.vendor != "sqlite" or connection.is_in_memory_db():  # type: ignore[attr-defined]
            continue
        wrong = []
        options = connection.settings_dict.get("OPTIONS", {})
        if str(options.get("transaction_mode") or "").upper() not in ("IMMEDIATE", "EXCLUSIVE"):
            wrong.append('"transaction_mode" is not "IMMEDIATE"')
        try:
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA journal_mode")
                if str(cursor.fetchone()[0]).lower() != "wal":
                    wrong.append("the journal mode is not WAL")
        except DatabaseError:
            continue
        if connection.settings_dict.get("ATOMIC_REQUESTS"):
            wrong.append("ATOMIC_REQUESTS makes every page wait for the one writer")
        if wrong:
            found.append(
                Warning(
                    f'The SQLite database "{alias}" will refuse orders with "database is locked" when customers act '
                    f"at the same time: {'; '.join(wrong)}.",
                    hint=(
                        'Set OPTIONS = {"transaction_mode": "IMMEDIATE", "timeout": 20, '
                        '"init_command": "PRAGMA journal_mode=WAL"} and no ATOMIC_REQUESTS, or use PostgreSQL.'
                    ),
                    id="referrals.W001",
                )
            )
    return found


def check_vendor(
    app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """referrals.E019: a database that does not hold what it should hold itself. No query."""
    return [
        Error(
            f'The database "{alias}" is {connections[alias].display_name}, which does not make the constraints that '
            "keep a purchase from being paid for twice, and lacks the locks under which rewards are settled.",
            hint="Use PostgreSQL, or SQLite for a small shop. No other database is supported.",
            id="referrals.E019",
        )
        for alias in databases or ()
        if connections[alias].vendor not in ("postgresql", "sqlite")
        and router.allow_migrate_model(alias, Entry)
    ]
