"""`manage.py check` in whole projects: silent where all is right, and loud about what only a start brings about."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "how-to" / "add-to-an-existing-shop.md"
OURS = re.compile(r"\((?:referrals|oscar_integration)\.[EW]\d{3}\)")

pytestmark = pytest.mark.one_database


def check(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """The exit code and what was said. Run on the folder's manage.py, with the sources of the package."""
    done = subprocess.run(
        [sys.executable, "manage.py", "check", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{folder}:{ROOT}", **environment},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "settings",
    ["example_site.settings", "tests.settings", "tests.headless.settings", "tests.plainshop.settings"],
)
def test_nothing_is_said_of_our_own_projects(settings: str, tmp_path: Path) -> None:
    code, said = check(
        ROOT,
        f"--settings={settings}",
        "--deploy",
        "--database=default",
        EXAMPLE_DATABASE=str(tmp_path / "shop.sqlite3"),
    )
    assert code == 0 and "System check identified" in said, said
    assert OURS.findall(said) == [], said


def test_nothing_is_said_of_a_plain_oscar_shop() -> None:
    code, said = check(ROOT, "--settings=tests.checks.sandbox", "--deploy", "--database=default")
    assert code == 0 and "System check identified" in said, said
    assert OURS.findall(said) == [], said


def test_nothing_is_said_of_the_old_shop_after_its_adoption(tmp_path: Path) -> None:
    """The lines come from the page that a developer follows."""
    shop = tmp_path / "shop"
    shutil.copytree(
        ROOT / "tests" / "oldshop", shop, ignore=shutil.ignore_patterns("__pycache__", "*.sqlite3*")
    )
    blocks = re.findall(
        r"```python\n# (\S+\.py)\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL
    )
    assert {name for name, _lines in blocks} >= {"settings.py", "urls.py"}
    for name, lines in blocks:
        with (shop / name).open("a", encoding="utf-8") as handle:
            handle.write(f"\n{lines}")
    code, said = check(shop, "--deploy", DJANGO_SETTINGS_MODULE="settings")
    assert code == 0 and "System check identified" in said, said
    assert OURS.findall(said) == [], said


SANDBOX = "from tests.checks.sandbox import *\n"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            'INSTALLED_APPS = ["oscar_integration", *(app for app in INSTALLED_APPS if app != "oscar_integration")]',
            {"(oscar_integration.E001)"},
        ),
        (
            'INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "wagtail_referrals.credit"]',
            {"(referrals.E002)"},
        ),
        (
            'INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "oscar_integration"]',
            {"(referrals.E004)"},
        ),
        (
            'INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "oscar_integration"]\n'
            'WAGTAIL_REFERRALS = {"SHOP": "oscar_integration.OscarShop", "CURRENCIES": ["GBP"]}',
            {"(referrals.E007)"},
        ),
        # An app of the shop that asks for an address before ours is ready.
        (
            'INSTALLED_APPS.insert(INSTALLED_APPS.index("oscar_integration"), "hasty")',
            {"(oscar_integration.E002)"},
        ),
        ('WAGTAIL_REFERRALS = {"CURRENCIES": ["GBP"], "SHARE_PREFIX": 5}', {"(referrals.E012)"}),
        # Nothing is set: Oscar's own statuses and currency are others than our guesses.
        ("WAGTAIL_REFERRALS = {}", {"(oscar_integration.W006)"}),
        (
            'OSCAR_ORDER_STATUS_PIPELINE = {"Pending": ("Processed",), "Processed": ()}',
            {"(oscar_integration.W008)", "(oscar_integration.W011)"},
        ),
    ],
)
def test_what_a_start_brings_about_is_said(lines: str, expected: set[str], tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(f"{SANDBOX}{lines}\n", encoding="utf-8")
    hasty = tmp_path / "hasty"
    hasty.mkdir()
    (hasty / "__init__.py").write_text("", encoding="utf-8")
    (hasty / "apps.py").write_text(
        "from django.apps import AppConfig\nfrom django.urls import reverse\n\n\n"
        'class HastyConfig(AppConfig):\n    name = "hasty"\n\n'
        '    def ready(self):\n        reverse("basket:summary")\n',
        encoding="utf-8",
    )
    shutil.copy(ROOT / "manage.py", tmp_path / "manage.py")
    code, said = check(tmp_path, "--settings=wrong")
    assert set(OURS.findall(said)) == expected, said
    assert code == (1 if any(".E" in each for each in expected) else 0)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("WAGTAIL_REFERRALS = []", "WAGTAIL_REFERRALS is a dictionary, not []."),
        ('WAGTAIL_REFERRALS_OSCAR = "x"', "WAGTAIL_REFERRALS_OSCAR is a dictionary, not 'x'."),
        ('WAGTAIL_REFERRALS = {"POINTS": "x"}', 'WAGTAIL_REFERRALS["POINTS"] is {"unit": ..., "name": ...}'),
        (
            'INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "wagtail_referrals"]',
            "isn't in an application in INSTALLED_APPS",
        ),
    ],
)
def test_what_no_check_can_say_stops_the_start_with_its_name(lines: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(f"{SANDBOX}{lines}\n", encoding="utf-8")
    shutil.copy(ROOT / "manage.py", tmp_path / "manage.py")
    code, said = check(tmp_path, "--settings=wrong")
    assert code == 1
    assert words in said


def test_django_says_itself_that_the_addresses_are_included_twice(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(f'{SANDBOX}ROOT_URLCONF = "twice"\n', encoding="utf-8")
    (tmp_path / "twice.py").write_text(
        "from django.urls import include, path\nfrom tests.checks.sandbox_urls import urlpatterns as first\n"
        'urlpatterns = [*first, path("", include("wagtail_referrals.urls"))]\n',
        encoding="utf-8",
    )
    shutil.copy(ROOT / "manage.py", tmp_path / "manage.py")
    _code, said = check(tmp_path, "--settings=wrong")
    assert "(urls.W005) URL namespace 'referrals' isn't unique" in said
    assert OURS.findall(said) == []
