"""What an audit says: a kind of problem, and one finding of it. Never a name or an e-mail address: numbers only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from wagtail_referrals import credit
from wagtail_referrals.kinds import Registry

# What the sweep has not done for so long is a finding; before that it is only waited for.
PATIENCE: Final = timedelta(days=1)


@dataclass(frozen=True)
class Problem:
    """One way in which the books can be wrong. ``title`` and ``advice`` are for a shop owner, translatable.

    ``overdue``: nothing is wrong, but the sweep should have been there.
    """

    key: str
    title: Any
    advice: Any
    overdue: bool = False


@dataclass(frozen=True)
class Finding:
    """One thing that does not agree.

    ``about`` and ``number`` name the row ("account", 12) or, for orders, the number of the order. ``message`` is a
    sentence in the current language. ``expected`` and ``found`` are what was computed and what is written there, as
    text; amounts are in ``currency``.
    """

    problem: Problem
    about: str
    number: int | str
    message: str
    expected: str = ""
    found: str = ""
    currency: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "problem": self.problem.key,
            "overdue": self.problem.overdue,
            "about": self.about,
            "number": self.number,
            "expected": self.expected,
            "found": self.found,
            "currency": self.currency,
            "message": self.message,
        }


@dataclass
class Run:
    """One audit while it runs: its moment, what it has looked at, and what waits for the next sweep."""

    now: datetime
    looked_at: dict[str, int] = field(default_factory=dict)
    waiting: int = 0
    found: dict[str, int] = field(default_factory=dict)
    progress: Callable[[int], None] = lambda rows: None

    @property
    def agrees(self) -> bool:
        return not self.found

    @property
    def long_ago(self) -> datetime:
        """What was due before that should have been done."""
        return self.now - PATIENCE

    def look_at(self, what: str, rows: int = 1) -> None:
        """Count rows of a kind that were looked at."""
        self.looked_at[what] = self.looked_at.get(what, 0) + rows
        self.progress(rows)

    def is_late(self, since: datetime) -> bool:
        """Something has been due since then: is it a finding? If not, it is counted as waiting for the sweep."""
        if since < self.long_ago:
            return True
        self.waiting += 1
        return False


@dataclass(frozen=True)
class Check:
    """A part of the audit. ``run`` yields what does not agree and only reads; its memory does not grow with the rows.

    ``rows`` says how many rows it is going to look at, for the progress bar.
    """

    key: str
    label: Any
    run: Callable[[Run], Iterator[Finding]]
    rows: Callable[[], int] = lambda: 0


checks: Registry[Check] = Registry("audit check")


def amount_finding(
    problem: Problem,
    about: str,
    number: int | str,
    message: Any,
    *,
    expected: Decimal,
    found: Decimal,
    currency: str,
    **words: Any,
) -> Finding:
    """A finding about an amount. ``message`` may use %(expected)s, %(found)s and %(difference)s, besides ``words``."""
    text = str(message) % {
        "number": number,
        "expected": credit.format_money(expected, currency),
        "found": credit.format_money(found, currency),
        "difference": credit.format_money(abs(found - expected), currency),
        **words,
    }
    return Finding(problem, about, number, text, plain(expected), plain(found), currency)


def plain(amount: Decimal) -> str:
    """An amount for machines, with two decimals: "15.00"."""
    return str(amount.quantize(Decimal("0.01")))
