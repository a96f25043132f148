"""The wheel, built once in a test run, and environments to install it into."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("wagtail_referrals", "oscar_integration")
SOURCES = (*PACKAGES, "pyproject.toml", "setup.cfg", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md")


def run(title: str, *command: str | Path, **options: Any) -> None:
    """Run a command whose output is shown; the test fails, without a traceback, where the command does."""
    print(f"\n--- {title}", flush=True)
    done = subprocess.run([str(part) for part in command], check=False, **options)
    if done.returncode:
        pytest.fail(f"{title}: exit code {done.returncode}, see its output", pytrace=False)


@functools.cache
def build_wheel() -> Path:
    """The wheel, built from a copy: an old build folder in the working tree would smuggle deleted files in."""
    folder = Path(tempfile.mkdtemp(prefix="wheel-"))
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    run("building the wheel", sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", folder, source)
    shutil.rmtree(source)
    (built,) = folder.glob("*.whl")
    return built


def make_environment(folder: Path) -> Path:
    """The Python of a new, empty environment. It has no pip: ``install`` brings the one that runs the tests."""
    run("making an empty environment", sys.executable, "-m", "venv", "--without-pip", folder)
    return folder / "bin" / "python"


def install(python: Path, *requirements: str | Path) -> None:
    pip = [sys.executable, "-m", "pip", "--python", python]
    names = ", ".join(Path(name).name for name in requirements)
    run(f"installing {names} (up to a minute)", *pip, "install", "-q", "--progress-bar", "off", *requirements)
