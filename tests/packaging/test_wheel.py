"""The wheel, as a stranger gets it: built from the sources, installed alone, asked for a page."""

from __future__ import annotations

import fnmatch
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.packaging.building import PACKAGES, ROOT, build_wheel, install, make_environment, run

pytestmark = pytest.mark.packaging


@pytest.fixture(scope="module")
def wheel() -> Path:
    return build_wheel()


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an empty environment with the wheel and what it asks for."""
    python = make_environment(tmp_path_factory.mktemp("environment"))
    install(python, wheel)
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
        "wagtail_referrals/site/fonts/NotoSans-Regular.ttf",
        "wagtail_referrals/site/fonts/NotoSans-Bold.ttf",
        "wagtail_referrals/site/fonts/OFL.txt",
        "wagtail_referrals/locale/fr/LC_MESSAGES/django.mo",
        "oscar_integration/locale/fr/LC_MESSAGES/django.mo",
        "wagtail_referrals/migrations/0001_initial.py",
        "wagtail_referrals/credit/migrations/0001_initial.py",
        "oscar_integration/memberships/migrations/0001_initial.py",
        "oscar_integration/memberships/templates/oscar_integration/memberships/*.html",
        "oscar_integration/memberships/templates/wagtail_referrals/mail/details/membership_*.txt",
        "oscar_integration/memberships/static/*.css",
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
    run("rendering a page", installed, "-I", script, cwd=tmp_path, env=environment)
