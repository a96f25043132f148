"""What the environment decides for every test project: where the repository is, and which database to use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parent.parent


def databases() -> dict[str, dict[str, Any]]:
    """Return DATABASES for the value of TEST_DATABASE; for ``postgres`` the server runs when this returns.

    Raises:
        ImproperlyConfigured: TEST_DATABASE is neither ``sqlite`` nor ``postgres``.
    """
    choice = os.environ.get("TEST_DATABASE", "sqlite")
    if choice == "postgres":
        from tests import postgres

        return {
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": "postgres",
                "USER": "postgres",
                "HOST": postgres.start(),
            }
        }
    if choice != "sqlite":
        raise ImproperlyConfigured(f"TEST_DATABASE is sqlite or postgres, not {choice!r}")
    folder = ROOT / ".cache" / "databases"
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(folder / "unused.sqlite3"),
            # The options that the documentation asks of a shop on SQLite. A test database need not survive a power cut.
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
            },
        }
    }
