"""Tables of reports: every row and column says what it counts, and leads to what is behind it.

{% include "wagtail_referrals/admin/_report_table.html" with table=table only %}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from wagtail_referrals import credit


@dataclass(frozen=True)
class Heading:
    """``words`` say what is counted, where the label alone does not."""

    label: Any
    words: Any = ""


@dataclass(frozen=True)
class ReportRow:
    """A cell is a text, or several, one below the other; an empty one is shown as a dash.

    ``url``: where the rows behind it are listed, "" for who may not see them.
    """

    label: Any
    cells: Sequence[str | Sequence[str]]
    words: Any = ""
    url: str = ""

    @property
    def lines(self) -> list[list[str]]:
        return [[cell] if isinstance(cell, str) and cell else list(cell) for cell in self.cells]


@dataclass(frozen=True)
class ReportTable:
    """``key`` is unique on the page. ``head`` is above the labels of the rows; ``empty`` is said without rows."""

    key: str
    title: Any
    head: Any
    columns: Sequence[Heading]
    rows: Sequence[ReportRow]
    words: Any = ""
    empty: Any = ""
    notes: Sequence[Any] = ()

    @property
    def has_definitions(self) -> bool:
        return any(column.words for column in self.columns)


def amounts(money: dict[str, Decimal]) -> list[str]:
    """In words, a line for each currency."""
    return [credit.format_money(amount, code) for code, amount in sorted(money.items()) if amount]
