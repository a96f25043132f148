"""What an app adds to "Refer a friend": rewards on another page of the shop, what credit is for, a question."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from django.db import transaction

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gift:
    """A reward that the customer has, and uses on a page of the shop's. Texts are in the current language.

    ``words``: what it is. ``note``: what is left of it, until when. ``url`` leads to the page, which ``action`` names.
    """

    words: str
    note: str
    url: str
    action: str


@dataclass(frozen=True)
class Question:
    """What an app would like to ask the customer: ``words``, and a link that ``action`` names."""

    words: str
    url: str
    action: str


GiftsOf = Callable[[Any], Sequence[Gift]]
CreditUse = Callable[[Any, str], str]
QuestionFor = Callable[[Any, Any], Question | None]

_gifts: Final[list[GiftsOf]] = []
_credit_uses: Final[list[CreditUse]] = []
_questions: Final[list[QuestionFor]] = []
T = TypeVar("T")


def register_gifts(ask: GiftsOf) -> None:
    """``ask(user)`` answers the rewards to show. Called from ``AppConfig.ready()``."""
    if ask not in _gifts:
        _gifts.append(ask)


def register_credit_use(ask: CreditUse) -> None:
    """``ask(user, currency)`` answers what the credit in this currency pays by itself, as a sentence, or "".

    Called from ``AppConfig.ready()``.
    """
    if ask not in _credit_uses:
        _credit_uses.append(ask)


def register_question(ask: QuestionFor) -> None:
    """``ask(user, site)`` answers what to ask the customer on this site, or ``None``.

    Called from ``AppConfig.ready()``.
    """
    if ask not in _questions:
        _questions.append(ask)


def questions_for(user: Any, site: Any) -> list[Question]:
    return [question for question in _answers(_questions, user, site) if question is not None]


def gifts_of(user: Any) -> list[Gift]:
    return [gift for gifts in _answers(_gifts, user) for gift in gifts]


def credit_uses_of(user: Any, currency: str) -> list[str]:
    """What the customer's credit in ``currency`` pays by itself, a sentence each."""
    return [words for words in _answers(_credit_uses, user, currency) if words]


def _answers(asked: Sequence[Callable[..., T]], *arguments: Any) -> Iterator[T]:
    """An answer that fails is logged and left out: the page is shown."""
    for ask in asked:
        try:
            with transaction.atomic():
                answer = ask(*arguments)
        except Exception:
            logger.exception("“Refer a friend” is shown without an answer of the shop's")
        else:
            yield answer
