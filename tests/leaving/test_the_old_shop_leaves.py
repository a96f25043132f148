"""docs/how-to/add-to-an-existing-shop.md, a life, docs/how-to/leave.md: the old shop is then as it was.

On PostgreSQL, in an environment of its own where the package is the installed wheel, and later is not there at all.
"""

from __future__ import annotations

import ast
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.adoption.adopted import OldShop, old_shop
from tests.adoption.guide import GUIDE, ROOT, read_orders

pytestmark = pytest.mark.packaging

LEAVE = ROOT / "docs" / "how-to" / "leave.md"
HERE = Path(__file__).resolve().parent
SIZES = ("--customers 20", "--orders 40", "--vouchers 5", "--until 2026-01-31")
NAMES = ("wagtail_referrals", "WAGTAIL_REFERRALS", "oscar_integration")


def take_out(shop: OldShop) -> None:
    """What step 5 of the page lists: statements of the settings that name us, the line of the addresses."""
    settings = shop.folder / "settings.py"
    source = settings.read_text()
    lines = source.splitlines(keepends=True)
    for statement in reversed(ast.parse(source).body):
        if any(name in (ast.get_source_segment(source, statement) or "") for name in NAMES):
            del lines[statement.lineno - 1 : statement.end_lineno]
    settings.write_text("".join(lines))
    urls = shop.folder / "urls.py"
    kept = [line for line in urls.read_text().splitlines(keepends=True) if NAMES[0] not in line]
    urls.write_text("".join(kept))


# Each state of the shop has its test, so that the watchdog, which knows tests only, sees that it gets on.


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OldShop]:
    with old_shop(tmp_path_factory.mktemp("leaving"), *SIZES) as shop:
        yield shop


@pytest.fixture(scope="module")
def adopted(found: OldShop) -> OldShop:
    for order in read_orders(GUIDE.read_text()):
        found.obey(order)
    return found


@pytest.fixture(scope="module")
def lived(adopted: OldShop) -> dict[str, Any]:
    adopted.shell(f"python {HERE / 'living.py'}")
    known: dict[str, Any] = json.loads((adopted.folder / "known.json").read_text())
    return known


@pytest.fixture(scope="module")
def left(adopted: OldShop, lived: dict[str, Any]) -> str:
    """What the commands of the page said."""
    said = ""
    for order in read_orders(LEAVE.read_text()):
        if "makemigrations --check" in order.text:
            # Step 5 has a list for people before its commands.
            take_out(adopted)
        said += adopted.obey(order)
    return said


def test_the_shop_as_found_knows_nothing_of_us(found: OldShop) -> None:
    assert not any(name in (found.folder / "settings.py").read_text() for name in NAMES)


def test_the_shop_adopts_the_package(adopted: OldShop) -> None:
    assert NAMES[0] in (adopted.folder / "settings.py").read_text()


def test_the_shop_lives_with_it(lived: dict[str, Any]) -> None:
    assert lived["issued"] == 2


def test_the_page_says_all_that_is_to_be_done(adopted: OldShop, lived: dict[str, Any], left: str) -> None:
    assert "CHF5.00 on 1 account." in left
    assert "Nothing has been changed. Say --yes to do it." in left
    assert "System check identified no issues" in left
    assert "No changes detected" in left
    with (adopted.folder / "owed.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert (line["customer"], line["amount"], line["currency"]) == (lived["customer"], "5.00", "CHF")


def test_the_shop_is_as_it_was(adopted: OldShop, left: str) -> None:
    assert adopted.shell(f"python {HERE / 'left.py'}").endswith("left\n")
