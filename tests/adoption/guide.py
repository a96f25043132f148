"""What docs/how-to/add-to-an-existing-shop.md tells its reader to do, read from the page itself.

Two kinds of fenced blocks are orders: ``shell`` is run, and ``python`` whose first line names a file in a comment,
``# settings.py``, is appended to that file. Everything else on the page is for people only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
GUIDE = ROOT / "docs" / "how-to" / "add-to-an-existing-shop.md"

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\w+\.py)\n")


@dataclass(frozen=True)
class Order:
    """``file`` is what ``text`` is appended to; "" where it is run by a shell."""

    text: str
    file: str = ""

    @property
    def lines(self) -> list[str]:
        """Without empty ones and comments."""
        stripped = (line.strip() for line in self.text.splitlines())
        return [line for line in stripped if line and not line.startswith("#")]


def read_orders(page: str) -> list[Order]:
    """In the order of the page. Raises ``ValueError`` for a block that is neither kind."""
    orders = []
    for language, text in FENCE.findall(page):
        named = FILE.match(text)
        if language == "shell":
            orders.append(Order(text))
        elif language == "python" and named:
            orders.append(Order(text[named.end() :], named[1]))
        else:
            raise ValueError(f"not an order: {language}\n{text}")
    return orders
