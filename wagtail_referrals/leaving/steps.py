"""A step of leaving, and the registry of all of them, in the order in which they are done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from django.db import connection

from wagtail_referrals.kinds import Registry
from wagtail_referrals.rewards.models import Reward

if TYPE_CHECKING:
    from wagtail_referrals.leaving.owed import Owed

# Told a sentence about what has just been done.
Say = Callable[[str], None]


class NotDone(Exception):
    """Raised by a step that has done what it could: going on would lose something. Says what, in whole sentences."""


class Step:
    """Something to do before leaving. Texts are whole sentences in the current language."""

    key: str
    label: Any
    # It reads or writes the engine's tables, which may have been dropped already.
    needs_tables: bool = True
    # Labels of apps that come with the package and leave with it: what of theirs refers to our tables is in no way.
    labels: Iterable[str] = ()

    def obstacles(self, *, payments_over: bool) -> list[str]:
        """Why nothing can be done yet, by any step. ``payments_over``: no payment that was begun can come any more."""
        return []

    def plan(self) -> list[str]:
        """What it would do now; empty when there is nothing left to do. Only reads."""
        return []

    def owed(self) -> Iterable[Owed]:
        """What customers are owed beside credit, discounts and rewards, in an order that stays. Only reads."""
        return ()

    def carry_out(self, say: Say) -> None:
        """Do it, in portions that are committed each, and say what was done. Twice is once. Raises ``NotDone``."""


steps: Registry[Step] = Registry("step of leaving")


def tables_are_there() -> bool:
    """Whether the engine's tables have not been dropped yet."""
    return Reward._meta.db_table in connection.introspection.table_names()
