"""A pytest plugin for shops whose tests run on SQLite.

The ledger's entries are append only: a trigger refuses DELETE. Tests that commit (``transaction=True``,
``live_server``) end with a ``flush``, which deletes on SQLite and would fail. In the root ``conftest.py``::

    pytest_plugins = ["wagtail_referrals.credit.testing"]

From then on the trigger is lifted around each of these flushes and put back after it; within a test it is always
there. There is nothing to ask for. On PostgreSQL, which truncates, nothing changes. Needs pytest-django. Test runners
other than pytest: wrap the flush in ``wagtail_referrals.credit.triggers.deletion_allowed``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest


@pytest.fixture(scope="session", autouse=True)
def referrals_ledger_can_be_flushed(django_test_environment: None) -> Iterator[None]:
    """Lift the refusal to delete entries around the flush that ends a test which commits."""
    from django.test import TransactionTestCase

    from wagtail_referrals.credit.triggers import deletion_allowed

    flush: Any = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def teardown(case: Any) -> None:
        with ExitStack() as lifted:
            for alias in case._databases_names(include_mirrors=False):
                lifted.enter_context(deletion_allowed(alias))
            flush(case)

    with pytest.MonkeyPatch.context() as patch:
        # The tests that roll back override this one.
        patch.setattr(TransactionTestCase, "_fixture_teardown", teardown)
        yield
