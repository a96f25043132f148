"""Colours that an editor gives to pictures and printed cards: how they are written, and which text can be read."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

# What the WCAG ask of text of a usual size (level AA).
LEAST_CONTRAST: Final = 4.5

check_colour = RegexValidator(
    r"^#[0-9a-fA-F]{6}\Z", _("Write the colour as # and six digits, like #1d4d4f."), code="colour"
)


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours "#rrggbb", from 1 (the same) to 21 (black on white).

    Raises ``ValueError`` for what is no such colour.
    """
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def check_contrast(ground: str, ink: str, field: str) -> None:
    """Raises ``ValidationError``, at ``field``, for a text that nobody can read on this ground.

    Not where one of the colours is missing, or is none, which its own field says.
    """
    try:
        found = contrast(ground, ink)
    except ValueError:
        return
    if found < LEAST_CONTRAST:
        message = gettext(
            "Nobody can read this text on this ground: the contrast is %(found).1f, and at least %(least)s is "
            "needed. Choose a darker or a lighter colour."
        ) % {"found": found, "least": LEAST_CONTRAST}
        raise ValidationError({field: message})


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[start : start + 2], 16) / 255) for start in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)
