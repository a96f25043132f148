"""Keep the database of a release for the tests of upgrades: ``make dump``, a step of every release.

Fills the example shop with its three months on SQLite and on PostgreSQL, and writes both to a folder of the version in
tests/upgrades/dumps. A dump that is there is never made again: it is what that release wrote.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg

from tests import postgres
from tests.upgrades import dumps
from wagtail_referrals import __version__

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "release-dump"
NAME = "release_dump"


def fill(**environment: str) -> None:
    """Run the three commands that make the example shop, in the database that the environment names."""
    for command in ("migrate", "seed_shop", "seed_history"):
        print(f"  {command} …", flush=True)
        subprocess.run(
            [sys.executable, "manage.py", command, "--verbosity=0"],
            cwd=ROOT,
            env={**os.environ, **environment},
            check=True,
        )


def sqlite() -> bytes:
    CACHE.mkdir(parents=True, exist_ok=True)
    database = CACHE / f"{NAME}.sqlite3"
    for left in CACHE.glob(f"{database.name}*"):
        left.unlink()
    fill(EXAMPLE_DATABASE=str(database))
    return dumps.dump_sqlite(database)


def postgresql() -> bytes:
    host = postgres.start()
    with psycopg.connect(host=host, user="postgres", dbname="postgres", autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS {NAME}")
        server.execute(f"CREATE DATABASE {NAME}")
        try:
            fill(EXAMPLE_POSTGRES=f"host={host} user=postgres dbname={NAME}")
            return dumps.dump_postgres(host, NAME)
        finally:
            server.execute(f"DROP DATABASE {NAME} WITH (FORCE)")


def main() -> int:
    folder = dumps.FOLDER / __version__
    if folder.exists():
        print(f"{folder.relative_to(ROOT)} is there already: what a release wrote does not change.")
        return 1
    made = {}
    for vendor, make in (("sqlite", sqlite), ("postgresql", postgresql)):
        print(f"The example shop on {vendor}, 2 to 3 minutes", flush=True)
        made[vendor] = make()
    folder.mkdir()
    for vendor, dump in made.items():
        (folder / f"{vendor}.xz").write_bytes(dump)
        print(f"{folder.relative_to(ROOT)}/{vendor}.xz: {len(dump) / 1024:.0f} KB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
