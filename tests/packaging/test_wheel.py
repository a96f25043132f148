"""The wheel, as a stranger gets it: built from the sources, installed alone, asked for a page."""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("wagtail_referrals", "oscar_integration")
SOURCES = (*PACKAGES, "pyproject.toml", "setup.cfg", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md")

pytestmark = pytest.mark.packaging


def _run(title: str, *command: str | Path, **options: object) -> None:
    print(f"\n--- {title}", flush=True)
    done = subprocess.run([str(part) for part in command], **options)
    if done.returncode:
        pytest.fail(f"{title}: exit code {done.returncode}, see its output", pytrace=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from a copy: an old build folder in the working tree would smuggle deleted files in."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    _run("building the wheel", sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", folder, source)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The Python of an empty environment with the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("environment")
    _run("making an empty environment", sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python]
    _run("installing the wheel into it (about a minute)", *pip, "install", "--progress-bar", "off", wheel)
    return python


def test_wheel_holds_every_file_of_both_packages_and_no_other(wheel):
    expected = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == expected


@pytest.mark.parametrize(
    "pattern",
    [
        "wagtail_referrals/py.typed",
        "oscar_integration/py.typed",
        "wagtail_referrals/templates/*.html",
        "oscar_integration/templates/*.html",
        "wagtail_referrals/static/*.css",
        "wagtail_referrals/locale/fr/LC_MESSAGES/django.mo",
        "oscar_integration/locale/fr/LC_MESSAGES/django.mo",
        "wagtail_referrals/migrations/0001_initial.py",
        "wagtail_referrals/credit/migrations/0001_initial.py",
    ],
)
def test_wheel_carries_what_is_not_code(wheel, pattern):
    with zipfile.ZipFile(wheel) as archive:
        assert fnmatch.filter(archive.namelist(), pattern), f"nothing like {pattern} in the wheel"


def test_wheel_renders_a_page_in_an_empty_environment(installed, tmp_path):
    script = tmp_path / "project.py"
    shutil.copy(Path(__file__).with_name("minimal_project.py"), script)
    environment = {"PATH": os.defpath, "HOME": str(tmp_path), "PYTHONUTF8": "1"}
    # From another folder and in isolated mode: what is found is what is installed.
    _run("rendering a page", installed, "-I", script, cwd=tmp_path, env=environment)
