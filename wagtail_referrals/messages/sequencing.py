"""What sequences begin with, ask for and count from. The shop and the optional apps register their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext_lazy as _

from wagtail_referrals.kinds import Registry

if TYPE_CHECKING:
    from wagtail_referrals.messages.models import Enrollment


@dataclass(frozen=True)
class Start:
    """Something that happens to a person, and begins the sequences that wait for it: see ``enrolling.enroll``."""

    key: str
    # As the end of "begins when ...".
    label: Any
    # Is the person a visitor who left an address? Else a customer.
    for_visitors: bool = False
    # Keys of conditions that are so for everybody from the start, and of moments that all of them have: editors are
    # told of steps and aims that make no sense.
    implies: tuple[str, ...] = ()
    moments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Condition:
    """``holds`` is asked for many people at once: the keys (``pk``) of those enrollments for which it is so, in a
    number of queries that does not depend on how many there are.
    """

    key: str
    # As the end of "only if ...".
    label: Any
    holds: Callable[[Sequence[Enrollment], datetime], set[int]]


@dataclass(frozen=True)
class Moment:
    """What a step's delay is counted from. ``of`` gives the moment for each enrollment (by ``pk``) that has one yet;
    ``is_end`` where the step comes so long before it, not after.
    """

    key: str
    label: Any
    of: Callable[[Sequence[Enrollment], datetime], Mapping[int, datetime]]
    is_end: bool = False


starts: Final[Registry[Start]] = Registry("start of a sequence")
conditions: Final[Registry[Condition]] = Registry("condition")
moments: Final[Registry[Moment]] = Registry("moment")


# The three that the engine of sequences itself works out from an enrollment.
START: Final = "start"
PREVIOUS: Final = "previous"
GOAL: Final = "goal"


def _not_asked(enrollments: Sequence[Enrollment], now: datetime) -> Mapping[int, datetime]:
    return {}


moments.register(Moment(START, _("after it began"), _not_asked))
moments.register(Moment(PREVIOUS, _("after the step before"), _not_asked))
moments.register(Moment(GOAL, _("after its aim was reached"), _not_asked))
