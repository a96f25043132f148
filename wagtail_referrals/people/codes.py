"""Personal codes: making them, reading them from what people type, finding whose they are."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from wagtail_referrals.people.models import Advocate, Code

logger = logging.getLogger("wagtail_referrals")

# Without 0 O, 1 I L: 31 characters, 8 of them are 8.5e11 codes. Random, so that they cannot be counted through.
ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
LENGTH: Final = 8
CACHE_SECONDS: Final = 300

_VALID = re.compile(f"[{ALPHABET}]{{{LENGTH}}}")


@dataclass(frozen=True)
class CodeHolder:
    """Whose code it is: all that a share link needs to know, so that it costs one cached read."""

    code: str
    advocate_id: int
    advocate_state: str
    public_name: str
    user_id: object
    language: str


def normalise_code(text: str) -> str:
    """What a person typed, as a code: upper case without blanks and dashes; "" when it cannot be one."""
    if len(text) > 4 * LENGTH:
        return ""
    code = re.sub(r"[\s\-–—.]", "", text).upper()
    return code if _VALID.fullmatch(code) else ""


def cache_key(code: str) -> str:
    """Under which it is cached whose code it is."""
    return f"wagtail_referrals.code.{code}"


def find_code(text: str) -> CodeHolder | None:
    """Whose code this is. ``None``, without a query, for what cannot be a code; unknown codes are cached too."""
    code = normalise_code(text)
    if not code:
        return None
    found = cache.get(cache_key(code))
    if found is None:
        row = (
            Code.objects.filter(text=code, is_active=True)
            .values_list(
                "advocate_id",
                "advocate__state",
                "advocate__public_name",
                "advocate__user_id",
                "advocate__language",
            )
            .first()
        )
        found = CodeHolder(code, *row) if row else False
        cache.set(cache_key(code), found, CACHE_SECONDS)
    return found or None


def forget_code(advocate: Advocate) -> None:
    """Drop what is cached about the advocate's codes, after a change of name, state or owner."""
    forget_texts(advocate.codes.values_list("text", flat=True))


def forget_texts(texts: Iterable[str]) -> None:
    """Drop what is cached about these codes."""
    cache.delete_many([cache_key(text) for text in texts])


_others: list[Callable[[Collection[str]], Collection[str]]] = []


def register_other_codes(ask: Callable[[Collection[str]], Collection[str]]) -> None:
    """Let an app answer which of some codes mean something else already, e.g. a voucher: nobody gets one of those.

    Called from ``AppConfig.ready()``.
    """
    if ask not in _others:
        _others.append(ask)


def new_codes(number: int) -> list[str]:
    """Codes drawn at random: nobody's, but for a chance of one in a million in a shop with as many customers.

    None that means something else in the shop. One query for each app that knows of such.
    """
    found: set[str] = set()
    while len(found) < number:
        drawn = {draw_code() for _ in range(number - len(found))} - found
        for ask in _others:
            try:
                with transaction.atomic():
                    drawn -= set(ask(drawn))
            except Exception:
                # A collision is next to impossible; a page without a link is not.
                logger.exception("Codes that mean something else could not be asked for")
        found |= drawn
    return list(found)


def draw_code() -> str:
    """A code at random. Whether somebody has it already is not asked."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def code_of(advocate: Advocate) -> str:
    """The advocate's code, made at the first call; of a customer who was deleted the last one, which is nobody's."""
    codes = Code.objects.filter(advocate=advocate)
    of_gone = Q(advocate__user=None, advocate__exact_email_hash="")
    text = (
        codes.filter(Q(is_active=True) | of_gone)
        .order_by("-is_active", "-pk")
        .values_list("text", flat=True)
        .first()
    )
    while text is None:
        try:
            with transaction.atomic():
                text = Code.objects.create(
                    advocate=advocate, text=new_codes(1)[0], created_at=timezone.now()
                ).text
        except IntegrityError:
            # Taken by somebody else, or made at this moment by another request of the same advocate.
            text = (
                Code.objects.filter(advocate=advocate, is_active=True).values_list("text", flat=True).first()
            )
        else:
            # A visitor may have tried the code before it existed.
            cache.delete(cache_key(text))
    return text


def share_path(code: str) -> str:
    """The share link without the host: /r/<code>/."""
    return reverse("referrals:share", args=[code])
