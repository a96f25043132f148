"""Work in processes of its own that are killed at a chosen step.

A step is a statement or a commit that the database has done. Forking is for a process without threads: a test starts
one with :func:`in_a_process`, and that one forks with :func:`die_after`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from tests.environment import ROOT


@contextmanager
def _each_step(tell: Callable[[], None]) -> Iterator[None]:
    """Call ``tell`` after each statement and each commit of this thread's connection."""

    def execute_and_tell(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        tell()
        return result

    commit = connection._commit

    def commit_and_tell() -> None:
        commit()
        tell()

    # Commits pass by the wrappers of statements.
    connection._commit = commit_and_tell
    try:
        with connection.execute_wrapper(execute_and_tell):
            yield
    finally:
        del connection._commit


def count_steps(work: Callable[[], Any]) -> int:
    """Do ``work`` here, to its end; how many steps it took."""
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    with _each_step(count):
        work()
    return steps


def die_after(number: int, work: Callable[[], Any]) -> bool:
    """Do ``work`` in a child that is killed right after its step of this number, counted from 1; whether it was.

    False: it came to its end before. Raises ``RuntimeError`` if the work itself failed.
    """
    connection.close()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            steps = 0

            def count() -> None:
                nonlocal steps
                steps += 1
                if steps == number:
                    os.kill(os.getpid(), signal.SIGKILL)

            with _each_step(count):
                work()
            code = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            # Not the way out of a parent, which would end what it shares with this child.
            sys.stderr.flush()
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return True
    if status:
        raise RuntimeError(f"The work that was to die at step {number} failed by itself.")
    return False


def spread(total: int, count: int) -> list[int]:
    """``count`` different steps from the first to the last of ``total``, evenly; all of them if there are fewer."""
    if total <= count:
        return list(range(1, total + 1))
    return sorted({1 + round(index * (total - 1) / (count - 1)) for index in range(count)})


def database_name() -> str:
    """The database of this test, as ``tests.databases.use`` wants it."""
    return os.path.basename(str(connection.settings_dict["NAME"])).removesuffix(".sqlite3")


def in_a_process(module: str, **values: Any) -> Any:
    """Run ``module`` in a process of its own, on this test's database; what it printed last, read as JSON.

    The values are the keyword arguments of its function ``die``.
    """
    name = database_name()
    connection.close()
    done = subprocess.run(
        [sys.executable, "-c", _MAIN, module, name],
        cwd=ROOT,
        input=json.dumps(values),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=500,
    )
    return json.loads(done.stdout.splitlines()[-1])


_MAIN = """
import importlib, json, sys
import django
django.setup()
from tests import databases
from wagtail_referrals.messages import holding
databases.use(sys.argv[2])
# As for the other tests: at any hour of the day.
holding._limits.clear()
print(json.dumps(importlib.import_module(sys.argv[1]).die(**json.load(sys.stdin))))
"""
