"""django-oscar-api in a process of its own: its apps cannot be added to one that runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_a_headless_basket_by_attach_claim() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/headless/api.py", "-q", "-p", "no:cacheprovider"],
        cwd=ROOT,
        env=environment | {"DJANGO_SETTINGS_MODULE": "tests.headless.settings"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed" in run.stdout
