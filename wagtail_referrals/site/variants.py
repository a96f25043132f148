"""Variants of a landing page, as they are stored: which one a preview shows, and what each is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.utils.translation import gettext

from wagtail_referrals.programs import audience_choices
from wagtail_referrals.tracking import CHANNELS

# The preview of one variant is a mode of its own: "variant-0" is the first.
VARIANT_MODE: Final = "variant-"
NO_VARIANT: Final = -1


def variant_mode(number: int) -> str:
    return f"{VARIANT_MODE}{number}"


def variant_of_mode(mode: str) -> int:
    """Which variant a mode of the preview shows; ``NO_VARIANT`` for every other mode."""
    number = mode.removeprefix(VARIANT_MODE)
    return int(number) if number != mode and number.isdecimal() else NO_VARIANT


def variant_titles(variants: Sequence[Mapping[str, Any]]) -> list[str]:
    """Whom each is for, in words. One query where some are for friends of an audience."""
    names = dict(audience_choices()) if any(variant.get("audience") for variant in variants) else {}
    titles = []
    for number, variant in enumerate(variants, start=1):
        words = [str(CHANNELS[key]) for key in variant.get("channels") or [] if key in CHANNELS]
        if variant.get("audience"):
            words.insert(0, names.get(str(variant["audience"]), gettext("an audience that is gone")))
        titles.append(
            gettext("Variant %(number)s: %(words)s") % {"number": number, "words": ", ".join(words)}
        )
    return titles
