"""The database, the browser and the housekeeping of every test.

What a test module can ask for:

``db``, ``transactional_db``, ``django_db``  as in pytest-django; a test that commits gets its database back from the
                                           template afterwards, and ``live_server`` works on both databases.
``page``, ``new_page``, ``browser_problems``  a real browser, see ``tests/browser_fixtures.py``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import hypothesis
import pytest
from pytest_django.plugin import blocking_manager_key

from tests import databases
from tests.browser_fixtures import (  # noqa: F401  (pytest finds these by their names)
    browser,
    browser_problems,
    live_server,
    new_page,
    page,
    pytest_runtest_makereport,
)
from tests.example_site.story import lived, story  # noqa: F401

# Invented input is the same in every run, so that a red run is red for everybody. HYPOTHESIS_PROFILE=search invents
# anew each time, and more of it: for a look from time to time.
hypothesis.settings.register_profile("suite", derandomize=True, deadline=None, print_blob=True)
hypothesis.settings.register_profile("search", deadline=None, print_blob=True, max_examples=1000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


def _plainshop() -> bool:
    return os.environ.get("DJANGO_SETTINGS_MODULE", "").startswith("tests.plainshop")


def pytest_ignore_collect(collection_path, config: pytest.Config) -> bool | None:
    """Keep the two test projects apart: plainshop's tests run with its own settings only, the others never do."""
    here = (
        str(collection_path.relative_to(config.rootpath))
        if collection_path.is_relative_to(config.rootpath)
        else ""
    )
    inside = here == "tests/plainshop" or here.startswith("tests/plainshop/")
    if inside:
        return None if _plainshop() else True
    if _plainshop() and here.startswith("tests/") and here != "tests":
        return True
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a browser, and run it last: Playwright's event loop stays in the thread once it was started."""
    for item in items:
        if {"browser", "page", "new_page"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("browser")
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


def pytest_collection_finish(session: pytest.Session) -> None:
    """In a worker: that pytest and pytest-xdist understand each other about groups. Where they do not, nothing fails,
    but each process makes for itself what a group shares.
    """
    if not getattr(session.config.option, "loadgroup", False):
        return
    for item in session.items:
        if item.get_closest_marker("xdist_group") and "@" not in item.nodeid:
            raise pytest.UsageError(f"pytest-xdist does not keep the group of {item.nodeid} together.")


def _report(config: pytest.Config):
    """Return a function that prints a line past pytest's capturing, so that a long step is seen while it runs."""
    capture = config.pluginmanager.getplugin("capturemanager")
    reporter = config.pluginmanager.getplugin("terminalreporter")

    def report(text: str) -> None:
        if reporter is None:  # a worker: the controller has built what is long before
            return
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(text)
            reporter.flush()

    return report


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """With workers, build the template before they start: they have no terminal to report to, and would all wait."""
    config = session.config
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        with config.stash[blocking_manager_key].unblock():
            databases.template(_report(config))


@pytest.fixture(scope="session")
def _database(request: pytest.FixtureRequest, django_db_blocker) -> Iterator[databases.TestDatabase]:
    with django_db_blocker.unblock():
        database = databases.TestDatabase(_report(request.config))
    yield database
    with django_db_blocker.unblock():
        database.drop()


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment, _database) -> Iterator[None]:
    """Give this process its copy of the migrated template, in place of running migrations into a test database."""
    from django.test import TransactionTestCase

    def restore(self) -> None:
        _database.restore()

    patch = pytest.MonkeyPatch()
    # TestCase has its own, the rollback; this one is of the tests that commit.
    patch.setattr(TransactionTestCase, "_fixture_teardown", restore)
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def _fresh_process_state() -> Iterator[None]:
    """Nothing that one test leaves in this process's memory reaches the next: caches, language, time zone."""
    from django.apps import apps
    from django.core.cache import caches
    from django.utils import timezone, translation

    def clear() -> None:
        for cache in caches.all():
            cache.clear()
        if apps.is_installed("django.contrib.sites"):
            apps.get_model("sites", "Site").objects.clear_cache()
        translation.deactivate()
        timezone.deactivate()

    clear()
    yield
    clear()


@pytest.fixture(autouse=True)
def _at_any_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on the hour of the day: messages are held back by nothing, but where a test is about that."""
    from wagtail_referrals.messages import holding

    monkeypatch.setattr(holding, "_limits", [])


@pytest.fixture(scope="session", autouse=True)
def _media_folder() -> Iterator[None]:
    """Uploads of the tests go to a folder of this process, which goes with it."""
    from django.conf import settings

    yield
    shutil.rmtree(settings.MEDIA_ROOT, ignore_errors=True)
