"""Text for spreadsheets, whoever typed it."""

from __future__ import annotations

import re
from typing import Final

# What a spreadsheet would take for a formula; the wide ones where full-width letters are typed.
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")

# Where a comma is written in numbers, a spreadsheet divides the lines of the file at semicolons: what stands behind
# one begins a cell there.
_CELL: Final = re.compile(f';(?="*[{re.escape("".join(FORMULA))}])')


def plain_cell(text: str) -> str:
    """The text as no spreadsheet runs it, on one line."""
    text = _CELL.sub(";'", " ".join(text.splitlines()))
    return f"'{text}" if text.startswith(FORMULA) else text
