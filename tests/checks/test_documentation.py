"""docs/reference/checks.md lists the checks that there are, each id once."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "reference" / "checks.md").read_text(encoding="utf-8")
ID = r"(?:referrals|oscar_integration)\.[EW]\d{3}"


def ids_in_code() -> set[str]:
    return {
        found
        for package in ("wagtail_referrals", "oscar_integration")
        for path in (ROOT / package).rglob("*.py")
        for found in re.findall(rf'["\']({ID})["\']', path.read_text(encoding="utf-8"))
    }


def test_the_page_lists_exactly_the_ids_of_the_code() -> None:
    rows = re.findall(rf"^\| `({ID})` \|", PAGE, flags=re.MULTILINE)
    assert len(ids_in_code()) > 40
    assert set(rows) == ids_in_code()
    assert max(Counter(rows).values()) == 1


def test_each_row_says_what_why_and_how() -> None:
    for row in re.findall(rf"^\| `{ID}` \|.*$", PAGE, flags=re.MULTILINE):
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert len(cells) == 4 and all(cells), row


def test_each_id_is_tried_by_a_test() -> None:
    tests = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "tests").rglob("test_*.py")
        if path.name != Path(__file__).name
    )
    assert {each for each in ids_in_code() if f'"{each}"' not in tests} == set()


def test_the_numbers_have_no_gaps_where_an_id_could_be_used_anew() -> None:
    """An id that goes stays here, so that it is not given to something else."""
    retired = {
        "oscar_integration.W001",
        "oscar_integration.W003",
        "oscar_integration.W004",
        # An error since: E019.
        "referrals.W009",
    }
    for prefix in ("referrals.E", "referrals.W", "oscar_integration.E", "oscar_integration.W"):
        numbers = {int(each[-3:]) for each in ids_in_code() | retired if each.startswith(prefix)}
        assert numbers == set(range(1, len(numbers) + 1)), prefix
