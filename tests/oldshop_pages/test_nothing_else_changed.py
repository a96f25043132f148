"""A shop that adopts the package by its guide answers as before, but for what differences.py names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests import postgres
from tests.adoption.guide import GUIDE, read_orders
from tests.oldshop_pages.comparing import complaints, name
from tests.oldshop_pages.differences import ADOPTED, ADOPTED_COSTS, WITH_PROGRAM, WITH_PROGRAM_COSTS
from tests.oldshop_pages.shops import Shop, copy_of, shop_as_found

pytestmark = [pytest.mark.packaging, pytest.mark.xdist_group("oldshop")]

WALKS = [["en", "shop.example"], ["fr", "boutique.example"]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with shop_as_found(tmp_path_factory.mktemp("found"), postgres.start()) as shop:
        yield shop


@pytest.fixture(scope="module")
def adopted(found: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The same shop, with the lines of the guide in its two files and its tables migrated."""
    with copy_of(found, tmp_path_factory.mktemp("adopted"), with_package=True) as shop:
        for order in read_orders(GUIDE.read_text(encoding="utf-8")):
            if order.file:
                with (shop.folder / order.file).open("a", encoding="utf-8") as file:
                    file.write(f"\n{order.text}")
        shop.manage("migrate", "--verbosity", "0")
        yield shop


@pytest.fixture(scope="module")
def with_program(adopted: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The adopted shop, before anybody walked through it, with a program and a customer who has credit."""
    with copy_of(adopted, tmp_path_factory.mktemp("program"), with_package=True) as shop:
        shop.inside("publish_program.py", customer="nadia.favre@bluemail.example", credit="20.00")
        yield shop


@pytest.fixture(scope="module")
def before(found: Shop, adopted: Shop, with_program: Shop) -> list[dict[str, Any]]:
    # After the copies were made: a walk leaves orders behind.
    return found.inside("visit.py", walks=WALKS)


def compare(before: list[dict[str, Any]], after: list[dict[str, Any]], pages: Any, costs: Any) -> list[str]:
    assert [name(answer) for answer in after] == [name(answer) for answer in before]
    return [
        line for old, new in zip(before, after, strict=True) for line in complaints(old, new, pages, costs)
    ]


def test_adopted(before: list[dict[str, Any]], adopted: Shop) -> None:
    after = adopted.inside("visit.py", walks=WALKS)
    found = compare(before, after, ADOPTED, ADOPTED_COSTS)
    assert not found, "\n".join(found[:200])


def test_with_a_program_and_credit(before: list[dict[str, Any]], with_program: Shop) -> None:
    after = with_program.inside("visit.py", walks=WALKS)
    found = compare(before, after, WITH_PROGRAM, WITH_PROGRAM_COSTS)
    assert not found, "\n".join(found[:200])
