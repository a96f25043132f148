"""The colours and the photo that an editor chose for what is shared and printed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from wagtail_referrals.site.colours import LEAST_CONTRAST, contrast

GROUND: Final = "#faf4ea"
INK: Final = "#24352d"
PAPER: Final = "#ffffff"
BLACK: Final = "#000000"
ACCENT: Final = "#8a3d22"


@dataclass(frozen=True)
class Look:
    """Colours, each "#rrggbb"."""

    ground: str = GROUND
    ink: str = INK
    accent: str = ACCENT

    @property
    def accent_ink(self) -> str:
        """The accent where it can be read on the ground, else the colour of the text."""
        return self.accent if contrast(self.accent, self.ground) >= LEAST_CONTRAST else self.ink

    @property
    def on_accent(self) -> str:
        """For text on the accent."""
        return readable_on(self.accent)


OURS: Final = Look()


def readable_on(ground: str) -> str:
    """Our dark ink or white, whichever is read better on this colour; black where neither is read well."""
    best = max(INK, PAPER, key=lambda ink: contrast(ink, ground))
    return best if contrast(best, ground) >= LEAST_CONTRAST else BLACK


def look_of(page: Any, site: Any = None, *, ground: str = GROUND) -> Look:
    """The colours of a landing page, which may be ``None``, else those of the ``ReferralSettings`` of the site;
    ``ground`` and ours where the editor chose none.
    """
    # On a ground of the page's own the site's colour of the text may be one that nobody can read.
    ink = _colour(page, "colour_ink") or (
        "" if _colour(page, "colour_ground") else _colour(site, "colour_ink")
    )
    ground = _colour(page, "colour_ground") or _colour(site, "colour_ground") or ground
    return Look(
        ground=ground,
        ink=ink or readable_on(ground),
        accent=_colour(page, "colour_accent") or _colour(site, "colour_accent") or ACCENT,
    )


def _colour(page: Any, name: str) -> str:
    value = str(getattr(page, name, "") or "")
    return value.lower() if re.fullmatch(r"#[0-9a-fA-F]{6}", value) else ""


def photo_of(page: Any) -> Any:
    """The Wagtail image that goes with what is shared; ``None`` where the editor chose none."""
    return getattr(page, "share_picture", None) or getattr(page, "picture", None)
