"""The pytest plugin that is shipped, in a small project of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SETTINGS = """
SECRET_KEY = "tests"
USE_TZ = True
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "wagtail_referrals.credit"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
"""
TESTS = """
from decimal import Decimal
import pytest
from django.db import DatabaseError
from wagtail_referrals import credit

@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round", [1, 2])
def test_commits(django_user_model, round):
    assert not credit.Entry.objects.exists()
    user = django_user_model.objects.create(username="a")
    entry = credit.grant(user=user, currency="EUR", amount=Decimal(1), key="k")
    with pytest.raises(DatabaseError, match="append only"):
        entry.delete()
    with pytest.raises(DatabaseError, match="append only"):
        entry.save()
"""


@pytest.mark.parametrize("plugin", [True, False])
def test_a_shop_can_flush_its_test_database_with_the_plugin_only(tmp_path: Path, plugin: bool):
    (tmp_path / "shop_settings.py").write_text(SETTINGS)
    (tmp_path / "test_shop.py").write_text(TESTS)
    if plugin:
        (tmp_path / "conftest.py").write_text('pytest_plugins = ["wagtail_referrals.credit.testing"]\n')
    root = Path(__file__).resolve().parents[2]
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "TEST_"))
    }
    environment |= {"PYTHONPATH": f"{tmp_path}{os.pathsep}{root}", "DJANGO_SETTINGS_MODULE": "shop_settings"}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--rootdir={tmp_path}",
            str(tmp_path),
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if plugin:
        assert "2 passed" in done.stdout, done.stdout + done.stderr
        assert done.returncode == 0
    else:
        assert "append only" in done.stdout, done.stdout + done.stderr
        assert done.returncode == 1
