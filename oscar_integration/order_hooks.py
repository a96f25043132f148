"""Where an optional app joins what is done with orders here: it registers itself, and is imported by nothing.

Whatever a callback does wrong is logged by the order's number, and changes nothing for the order.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from django.db import transaction

logger = logging.getLogger("oscar_integration")


class Follow(Protocol):
    def __call__(self, number: str, *, at_once: bool) -> None: ...


Describe = Callable[[Any, Any], Mapping[int, Mapping[str, Any]]]


class Follower(NamedTuple):
    callback: Follow
    concerns: Callable[[Any], bool] | None


class _Describer(NamedTuple):
    callback: Describe
    concerns: Callable[[Sequence[Any]], bool] | None


_followers: list[Follower] = []
_describers: list[_Describer] = []


def follow_orders(callback: Follow, *, concerns: Callable[[Any], bool] | None = None) -> None:
    """Call ``callback`` with an order's number after each commit that changed it: once, whatever changed with it.

    ``at_once`` is ``False`` where the other half of the change is about to follow, or never will: the sweep should
    look then. That the order was placed is no change; ``order_placed`` says so. Some changes are seen by nobody.
    ``concerns`` is asked before, with the order, where that is at hand: ``False`` saves the call. It makes no query.
    """
    _followers.append(Follower(callback, concerns))


def describe_lines(callback: Describe, *, concerns: Callable[[Sequence[Any]], bool] | None = None) -> None:
    """Ask ``callback`` what to freeze with the lines of a friend's order that was placed, for a trigger to read.

    It is called with the order and its customer's account (``None`` for a guest), before the engine writes or locks
    anything, and answers by the primary keys of lines with JSON values; it writes and locks nothing. ``concerns`` is
    asked before, with the lines: ``False`` saves the call and a savepoint.
    """
    _describers.append(_Describer(callback, concerns))


def followers_of(order: Any | None) -> list[Follow]:
    """Who wants to know about changes of this order; of one that is not at hand, everybody. No query."""
    return [each.callback for each in _followers if order is None or _is_concerned(each.concerns, order)]


def described(order: Any, user: Any, lines: Sequence[Any]) -> dict[int, dict[str, Any]]:
    """What apps have to say about the lines, by their primary keys."""
    found: dict[int, dict[str, Any]] = {}
    for each in _describers:
        if not _is_concerned(each.concerns, lines):
            continue
        try:
            with transaction.atomic():
                for line_id, values in each.callback(order, user).items():
                    found.setdefault(line_id, {}).update(values)
        except Exception:
            logger.exception("Order #%s: its lines could not be described", order.number)
    return found


def _is_concerned(concerns: Callable[[Any], bool] | None, subject: Any) -> bool:
    if concerns is None:
        return True
    try:
        return concerns(subject)
    except Exception:
        logger.exception("Whether an app is concerned by an order could not be asked")
        return True
