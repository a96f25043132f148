"""The old shop in a folder, an environment and a database of its own, before and after it adopts the package."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from tests import postgres
from tests.adoption.guide import ROOT, Order
from tests.packaging.building import build_wheel, install, make_environment

SOURCE = ROOT / "tests" / "oldshop"
# What the shop itself is made of, see its README, and the pip that its owner types.
REQUIREMENTS = ["django-oscar>=4.2,<5", "sorl-thumbnail", "psycopg[binary]", "pip"]


@dataclass
class OldShop:
    folder: Path
    python: Path
    environment: dict[str, str]
    # Command -> seconds.
    times: dict[str, float] = field(default_factory=dict)
    # What the commands of the guide printed; "" before they were run.
    printed: str = ""

    def shell(self, script: str) -> str:
        """Run what stands in a ``shell`` block, in the folder of the project, and return what it printed."""
        print(f"\n$ {script.strip()}", flush=True)
        started = time.monotonic()
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - started
        self.times[script.strip().splitlines()[0]] = seconds
        print(f"{done.stdout[-300:]}({seconds:.1f} s)", flush=True)
        if done.returncode:
            pytest.fail(
                f"exit code {done.returncode}: {script.strip()}\n{done.stdout[-8000:]}", pytrace=False
            )
        return done.stdout

    def manage(self, *arguments: str) -> str:
        return self.shell(" ".join(["python manage.py", *arguments]))

    def obey(self, order: Order) -> str:
        """Do what the guide says; what a command printed."""
        if not order.file:
            return self.shell(order.text)
        with (self.folder / order.file).open("a") as file:
            file.write(f"\n{order.text}")
        return ""

    @contextmanager
    def served(self) -> Iterator[str]:
        """The address of the shop while it is served by a process of its own."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = subprocess.Popen(
            [self.python, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"],
            cwd=self.folder,
            env={**self.environment, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said: list[str] = []
        listens = threading.Event()

        def listen() -> None:
            assert server.stdout is not None
            for line in server.stdout:
                said.append(line)
                if "Starting development server" in line:
                    listens.set()
            # It ended: nobody need wait any longer.
            listens.set()

        reader = threading.Thread(target=listen, daemon=True)
        reader.start()
        try:
            assert listens.wait(60), "the server did not listen after a minute"
            assert server.poll() is None, "the server ended"
            yield f"http://127.0.0.1:{port}"
        except BaseException:
            print(f"\n--- what the server said last\n{''.join(said)[-6000:]}", flush=True)
            raise
        finally:
            server.terminate()
            server.wait(30)
            reader.join(10)


@contextmanager
def old_shop(folder: Path, *sizes: str) -> Iterator[OldShop]:
    """The shop as one finds it, on PostgreSQL, with what it needs and nothing of ours."""
    project = folder / "shop"
    unwanted = shutil.ignore_patterns("__pycache__", "media", "collected", "*.sqlite3*")
    shutil.copytree(SOURCE, project, ignore=unwanted)
    python = make_environment(folder / "environment")
    install(python, *REQUIREMENTS)
    # The guide says `pip install wagtail-referrals`; what it gets is what is built from these sources.
    constraints = folder / "constraints.txt"
    constraints.write_text(f"wagtail-referrals @ {build_wheel().as_uri()}\n")
    host, database = postgres.start(), f"adoption_{os.getpid()}"
    strange = ("PG", "DJANGO_", "SHOP_", "PYTHONPATH", "VIRTUAL_ENV", "COVERAGE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(strange)} | {
        "PATH": f"{python.parent}{os.pathsep}{os.defpath}",
        "PGHOST": host,
        "PGUSER": "postgres",
        "PGDATABASE": database,
        "PIP_CONSTRAINT": str(constraints),
        "PIP_PROGRESS_BAR": "off",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    _execute(host, f"DROP DATABASE IF EXISTS {database} WITH (FORCE)", f"CREATE DATABASE {database}")
    try:
        shop = OldShop(project, python, environment)
        shop.manage("migrate --verbosity 0")
        shop.manage("fill_shop", *sizes)
        yield shop
    finally:
        _execute(host, f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


def _execute(host: str, *statements: str) -> None:
    with psycopg.connect(host=host, user="postgres", dbname="postgres", autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
