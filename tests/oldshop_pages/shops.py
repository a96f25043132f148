"""The old shop, copied to a folder of its own with a database of its own, and run there in processes of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.environment import ROOT

SOURCE = ROOT / "tests" / "oldshop"
HERE = Path(__file__).resolve().parent
SIZES = ["--customers", "60", "--orders", "160", "--vouchers", "20", "--until", "2026-01-31"]
PATIENCE = 600  # seconds for one command, on a busy machine


@dataclass(frozen=True)
class Shop:
    """A copy of the project. ``database`` is the path of a SQLite file, or the name of a PostgreSQL database."""

    folder: Path
    database: str
    postgres_host: str | None = None
    with_package: bool = False

    @property
    def environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PG", "DJANGO_", "SHOP_")) and name != "PYTHONPATH"
        }
        if self.postgres_host:
            kept |= {"PGDATABASE": self.database, "PGHOST": self.postgres_host, "PGUSER": "postgres"}
        else:
            kept["SHOP_SQLITE"] = self.database
        if not self.with_package:
            # Whatever is installed beside it, this shop cannot see the package.
            kept["PYTHONPATH"] = str(HERE / "without_the_package")
        return kept | {
            "DJANGO_SETTINGS_MODULE": "settings",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
        }

    def run(self, *arguments: str, stdin: str = "") -> str:
        """Run Python in the folder of the project and return what it printed."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
        return done.stdout

    def manage(self, *arguments: str) -> str:
        return self.run("manage.py", *arguments)

    def inside(self, script: str, **wishes: Any) -> Any:
        """Run a script of this folder inside the project; what it is asked and what it answers is JSON."""
        return json.loads(self.run(str(HERE / script), stdin=json.dumps(wishes)))


@contextmanager
def shop_as_found(folder: Path, postgres_host: str | None) -> Iterator[Shop]:
    """A copy of the shop that is migrated and filled, with a small past; its database goes with it."""
    project = folder / "shop"
    shutil.copytree(
        SOURCE, project, ignore=shutil.ignore_patterns("__pycache__", "media", "collected", "*.sqlite3*")
    )
    database = f"oldshop_{os.getpid()}" if postgres_host else str(folder / "shop.sqlite3")
    shop = Shop(project, database, postgres_host)
    if postgres_host:
        execute(postgres_host, f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        execute(postgres_host, f'CREATE DATABASE "{database}"')
    try:
        shop.manage("migrate", "--verbosity", "0")
        shop.manage("fill_shop", *SIZES)
        yield shop
    finally:
        if postgres_host:
            execute(postgres_host, f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')


@contextmanager
def copy_of(shop: Shop, folder: Path, *, with_package: bool = False) -> Iterator[Shop]:
    """The same shop again, with the same rows."""
    project = folder / "shop"
    shutil.copytree(shop.folder, project)
    if not shop.postgres_host:
        database = str(folder / "shop.sqlite3")
        shutil.copyfile(shop.database, database)
        yield Shop(project, database, with_package=with_package)
        return
    database = f"{shop.database}_{folder.name}"
    execute(shop.postgres_host, f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
    execute(shop.postgres_host, f'CREATE DATABASE "{database}" TEMPLATE "{shop.database}" STRATEGY FILE_COPY')
    try:
        yield Shop(project, database, shop.postgres_host, with_package)
    finally:
        execute(shop.postgres_host, f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')


def execute(host: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(host=host, user="postgres", dbname="postgres", autocommit=True) as connection:
        connection.execute(statement)
