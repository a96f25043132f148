"""The picture that a shared link shows in messengers: who invites, and to what."""

from __future__ import annotations

import hashlib
import logging
import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Final, Literal

from django.core.cache import cache
from PIL import Image, ImageDraw, ImageFont, ImageOps

from wagtail_referrals.site.look import OURS, Look

logger = logging.getLogger(__name__)

SIZE: Final = (1200, 630)
PHOTO_WIDTH: Final = 460
PRESENT_WIDTH: Final = 290
# Some messengers leave out a picture that is larger.
MOST_BYTES: Final = 290_000
# More than has room; what is drawn of a longer text ends in "…" all the same.
MOST_LETTERS: Final = 400
CACHE_SECONDS: Final = 60 * 60
# Part of the key under which pictures are kept: to be raised with every change of how they are drawn.
DRAWING: Final = 2
LEFT: Final = 96
MARGIN: Final = 50
# Between the two texts, and from one line to the next in parts of the letters' size.
GAP: Final = 34
LINE: Final = 1.28
FONTS: Final = Path(__file__).parent / "fonts"
# Emojis, and what joins and varies them: no letters, and nobody's loss where the font lacks them.
_SIGNS: Final = ("So", "Sk", "Cf", "Me", "Cn", "Co")
_VARIATIONS: Final = range(0xFE00, 0xFE10)

Weight = Literal["Regular", "Bold"]


@lru_cache(maxsize=64)
def _font(weight: Weight, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONTS / f"NotoSans-{weight}.ttf", size)


@lru_cache(maxsize=1)
def _missing() -> tuple[tuple[int, int], bytes]:
    """What the font draws for a letter that it lacks."""
    mask = _font("Regular", 24).getmask("\uffff")
    return mask.size, bytes(mask)


@lru_cache(maxsize=4096)
def _has(letter: str) -> bool:
    mask = _font("Regular", 24).getmask(letter)
    return (mask.size, bytes(mask)) != _missing()


def drawable(text: str) -> str:
    """The text as the font can draw it, on one line; "" when it lacks one of its letters.

    Emojis and other signs that are no letters are left out. So nothing is drawn as a box.
    """
    kept = []
    for letter in unicodedata.normalize("NFC", " ".join(_words(text))):
        category = unicodedata.category(letter)
        if ord(letter) in _VARIATIONS:
            continue
        if (letter.isprintable() or category == "Zs") and _has(letter):
            kept.append(letter)
        elif category not in _SIGNS:
            return ""
    return " ".join(_words("".join(kept)))


def _words(text: str) -> list[str]:
    """Where a line may be broken: never at a no-break space."""
    return [word for word in re.split(r"[ \t\r\n]+", text) if word]


@dataclass(frozen=True)
class _Block:
    """A text as it is drawn: its lines, one size, one colour. ``is_whole``: no word is cut."""

    lines: list[str]
    font: ImageFont.FreeTypeFont
    colour: str
    is_whole: bool

    @property
    def height(self) -> int:
        return round(len(self.lines) * self.font.size * LINE)


def _fitting(text: str, font: ImageFont.FreeTypeFont, width: int) -> int:
    """How many letters of the text go into ``width`` pixels; at least one."""
    ends = range(1, len(text) + 1)
    return max(1, bisect_right(ends, float(width), key=lambda end: font.getlength(text[:end])))


def _break(text: str, font: ImageFont.FreeTypeFont, width: int) -> tuple[list[str], bool]:
    """The text in lines of at most ``width`` pixels, and whether that went without cutting a word.

    A line may end at a hyphen. A word that is wider than the line is cut where the line ends.
    """
    lines = [""]
    is_whole = True
    for word in _words(text):
        for number, piece in enumerate(re.findall(r"[^-]*-|[^-]+", word)):
            joined = f"{lines[-1]} {piece}" if number == 0 and lines[-1] else f"{lines[-1]}{piece}"
            if font.getlength(joined) <= width:
                lines[-1] = joined
                continue
            rest = piece
            if lines[-1]:
                lines.append("")
            while font.getlength(rest) > width:
                is_whole = False
                end = _fitting(rest, font, width)
                lines[-1:] = [rest[:end], ""]
                rest = rest[end:]
            lines[-1] = rest
    return lines, is_whole


def _shorten(block: _Block, most: int, width: int) -> _Block:
    """The first ``most`` lines, the last of which then ends in "…"."""
    if len(block.lines) <= most:
        return block
    last = block.lines[most - 1]
    while last and block.font.getlength(f"{last}…") > width:
        last = last[:-1]
    return replace(block, lines=[*block.lines[: most - 1], f"{last.rstrip()}…"])


def _height(blocks: list[_Block]) -> int:
    return sum(block.height for block in blocks) + GAP * (len(blocks) - 1)


def _set(invites: str, gift: str, look: Look, width: int) -> list[_Block]:
    """Both texts as large as they go into the picture, without cutting a word where that can be."""
    parts: list[tuple[str, Weight, int, str]] = [
        (drawable(invites)[:MOST_LETTERS], "Bold", 78, look.ink),
        (drawable(gift)[:MOST_LETTERS], "Regular", 46, look.accent_ink),
    ]
    blocks: list[_Block] = []
    for scale in (1, 0.9, 0.8, 0.7, 0.62):
        blocks = []
        for text, weight, size, colour in parts:
            if text:
                font = _font(weight, round(size * scale))
                lines, is_whole = _break(text, font, width)
                blocks.append(_Block(lines, font, colour, is_whole))
        if _height(blocks) <= SIZE[1] - 2 * MARGIN and all(block.is_whole for block in blocks):
            return blocks
    return [_shorten(block, most, width) for block, most in zip(blocks, (3, 7), strict=False)]


def share_picture(invites: str, gift: str, look: Look = OURS, photo: Any = None) -> bytes:
    """The picture, kept for a while. ``photo`` is a Wagtail image, or ``None``."""
    drawn = f"{DRAWING}\n{invites}\n{gift}\n{look}\n{_photo_key(photo)}"
    key = f"wagtail_referrals.picture.{hashlib.sha256(drawn.encode()).hexdigest()}"
    png: bytes | None = cache.get(key)
    if png is None:
        try:
            if photo is not None:
                with photo.open_file() as opened:
                    png = draw_picture(invites, gift, look, opened, _centre(photo))
        except (OSError, Image.DecompressionBombError):
            logger.warning("The photo of a share picture cannot be read", exc_info=True)
        png = png or draw_picture(invites, gift, look)
        cache.set(key, png, CACHE_SECONDS)
    return png


def _photo_key(photo: Any) -> str:
    return "" if photo is None else f"{photo.pk} {photo.file_hash} {_centre(photo)}"


def _centre(photo: Any) -> tuple[float, float]:
    """What has to stay in the picture where the photo is cut: its focal point, each from 0 to 1."""
    if photo.focal_point_x is None or not photo.width or not photo.height:
        return 0.5, 0.5
    return min(photo.focal_point_x / photo.width, 1.0), min(photo.focal_point_y / photo.height, 1.0)


def draw_picture(
    invites: str,
    gift: str,
    look: Look = OURS,
    photo: IO[bytes] | None = None,
    centre: tuple[float, float] = (0.5, 0.5),
) -> bytes:
    """PNG, 1200 x 630 pixels; the right part is cut from ``photo`` around ``centre``, else it is a drawn present.

    A text that the font cannot draw is left out.
    """
    image = Image.new("RGB", SIZE, look.ground)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 24, SIZE[1]), fill=look.accent)
    right = SIZE[0] - (PHOTO_WIDTH if photo else PRESENT_WIDTH)
    blocks = _set(invites, gift, look, right - LEFT - MARGIN)
    if photo is None:
        _draw_present(draw, look, left=right if blocks else (SIZE[0] - 200) // 2, top=250)
    else:
        with Image.open(photo) as opened:
            # A large JPEG is read no larger than needed.
            opened.draft("RGB", (PHOTO_WIDTH * 2, SIZE[1] * 2))
            upright = ImageOps.exif_transpose(opened).convert("RGBA")
            cut = ImageOps.fit(upright, (SIZE[0] - right, SIZE[1]), centering=centre)
        image.paste(cut, (right, 0), cut)
    top = (SIZE[1] - _height(blocks)) // 2
    for block in blocks:
        for number, line in enumerate(block.lines):
            y = top + round(number * block.font.size * LINE)
            draw.text((LEFT, y), line, font=block.font, fill=block.colour)
        top += block.height + GAP
    return _png(image)


def _png(image: Image.Image) -> bytes:
    """In as many colours as the size allows: what no photo stands in needs few."""
    for colours in (256, 128, 64, 32):
        out = BytesIO()
        image.quantize(colours).save(out, "PNG", optimize=True)
        if out.tell() <= MOST_BYTES:
            break
    return out.getvalue()


def _draw_present(draw: ImageDraw.ImageDraw, look: Look, *, left: int, top: int) -> None:
    """A box with a ribbon."""
    draw.ellipse((left + 20, top - 62, left + 100, top + 8), outline=look.accent, width=16)
    draw.ellipse((left + 100, top - 62, left + 180, top + 8), outline=look.accent, width=16)
    draw.rounded_rectangle((left - 10, top, left + 210, top + 60), radius=8, fill=look.ink)
    draw.rounded_rectangle((left, top + 68, left + 200, top + 220), radius=8, fill=look.ink)
    draw.rectangle((left + 84, top, left + 116, top + 220), fill=look.accent)
