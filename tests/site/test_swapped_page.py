"""A site may put our pages on a base page of its own: Wagtail 8 lets it swap the one that all pages stand on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import wagtail

from tests.environment import ROOT


@pytest.mark.one_database
@pytest.mark.skipif(wagtail.VERSION < (8,), reason="Before 8.0 no site could swap the base page.")
def test_from_the_migrations_to_the_page_that_a_friend_sees(tmp_path: Path) -> None:
    environment = {**os.environ, "SWAPPED_DATABASE": str(tmp_path / "shop.sqlite3")}
    run = subprocess.run(
        [sys.executable, "-m", "tests.swapped_page.story"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "the pages stand on the site's own base page" in run.stdout
