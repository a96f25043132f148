"""Our migrations ask little of other apps: they apply beside forks, own users, and every supported Wagtail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from tools.migrations import LOWEST, loosened

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = {"wagtail_referrals_credit", "wagtail_referrals", "referral_memberships"}
# What the migrations of others are called up to which ours may ask for them: those of the oldest supported versions.
MAY_NEED = {
    **LOWEST,
    "auth": "0012_alter_user_first_name_max_length",
    "contenttypes": "0002_remove_content_type_name",
}


def asked_too_much(label: str, name: str, loader: MigrationLoader) -> bool:
    """Whether a dependency of one of our migrations could be missing in a shop."""
    if label in OURS or label == "__setting__" or name == "__first__":
        return False
    if label in MAY_NEED:
        return name > MAY_NEED[label]
    # Every other app: a fork has a first migration, and nobody knows which others.
    return (label, name) not in loader.graph.root_nodes(label)


def test_our_migrations_ask_for_no_more_than_the_first_of_a_shops_app() -> None:
    loader = MigrationLoader(None)
    ours = {key: migration for key, migration in loader.disk_migrations.items() if key[0] in OURS}
    assert {label for label, _name in ours} == OURS
    offending = [
        (key, dependency)
        for key, migration in ours.items()
        for dependency in migration.dependencies
        if asked_too_much(dependency[0], dependency[1], loader)
    ]
    assert not offending, "run `make migrations`"


def test_later_migrations_of_other_apps_are_seen() -> None:
    loader = MigrationLoader(None)
    order = apps.get_app_config("order").label
    (last,) = loader.graph.leaf_nodes(order)
    assert asked_too_much(*last, loader)
    assert not asked_too_much(order, "0001_initial", loader)
    assert not asked_too_much(order, "__first__", loader)
    assert asked_too_much("wagtailcore", "0098_apitoken", loader)


def test_what_only_wagtail_8_has_is_taken_out() -> None:
    written = """
        ('wagtailcore', '0098_apitoken'),
        ('wagtailimages', '0025_alter_image_file_alter_rendition_file'),
        migrations.swappable_dependency(settings.WAGTAIL_PAGE_MODEL),
    """
    read = loosened(written)
    assert "0098" not in read and LOWEST["wagtailcore"] in read
    assert "0025_alter_image_file_alter_rendition_file" in read, (
        "an older one is asked for: that is all right"
    )
    assert "settings.WAGTAIL_PAGE_MODEL" not in read
    assert loosened(read) == read


@pytest.mark.django_db(transaction=True)
def test_migrations_apply_where_users_have_a_uuid(_database: Any) -> None:  # noqa: PT019
    name = f"uuid_users_{os.getpid()}"
    _database.store.create(name)
    environment = {**os.environ, "UUID_USERS_DATABASE": _database.store.location(name)}
    environment["TEST_DATABASE"] = "postgres" if connection.vendor == "postgresql" else "sqlite"
    try:
        command = [sys.executable, "-m", "tests.upgrades.uuid_users"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    finally:
        _database.store.drop(name)
