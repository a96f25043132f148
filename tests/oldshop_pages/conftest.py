"""The old shop as it was found, once for all tests that only look at it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests import postgres
from tests.oldshop_pages.shops import Shop, shop_as_found


@pytest.fixture(scope="session")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Migrated and filled, on the database that TEST_DATABASE names, and blind for the package."""
    host = postgres.start() if os.environ.get("TEST_DATABASE") == "postgres" else None
    with shop_as_found(tmp_path_factory.mktemp("found"), host) as shop:
        yield shop
