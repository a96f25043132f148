"""What the doctor says: a verdict, the reason, and the mend. Never a name, an e-mail address or a code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from wagtail_referrals.kinds import Registry

if TYPE_CHECKING:
    from wagtail_referrals.doctor.trial import Trial


class Verdict(StrEnum):
    FINE = "fine"
    # Works, and somebody should look whether it is meant so.
    LOOK = "look"
    BROKEN = "broken"
    # Switched off by the shop: not examined.
    OFF = "off"
    # Something before it did not work.
    NOT_TRIED = "not_tried"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's, in the current language. ``mend`` says what to do about it; "" where nothing is."""

    verdict: Verdict
    words: str
    mend: str = ""


def fine(words: str) -> Finding:
    return Finding(Verdict.FINE, words)


def look(words: str, mend: str = "") -> Finding:
    return Finding(Verdict.LOOK, words, mend)


def broken(words: str, mend: str = "") -> Finding:
    return Finding(Verdict.BROKEN, words, mend)


def off(words: str) -> Finding:
    return Finding(Verdict.OFF, words)


def not_tried(words: str) -> Finding:
    return Finding(Verdict.NOT_TRIED, words)


class NotTried(Exception):
    """An examination cannot go on, and the cause was said already. Its text is the sentence for the reader."""


@dataclass(frozen=True)
class Examination:
    """A part of the doctor's round. ``run`` yields findings; what it writes is rolled back after the whole round.

    What it raises is a finding too, and rolls back what this examination wrote, nothing else.
    """

    key: str
    label: Any
    run: Callable[[Trial], Iterator[Finding]]


examinations: Registry[Examination] = Registry("examination")
