"""The picture that a shared link shows in messengers: who invites, and to what."""

from __future__ import annotations

import hashlib
import logging
from io import BytesIO
from typing import IO, Any, Final

from django.core.cache import cache
from PIL import Image, ImageDraw, ImageFont, ImageOps

logger = logging.getLogger(__name__)

SIZE: Final = (1200, 630)
PHOTO_WIDTH: Final = 420
CACHE_SECONDS: Final = 60 * 60
GROUND: Final = (250, 244, 234)
INK: Final = (36, 53, 45)
ACCENT: Final = (179, 84, 52)

# What Pillow's own font can draw. A text with anything else is left out rather than drawn as boxes.
_DRAWABLE: Final = range(0x20, 0x180)
_EXTRA: Final = frozenset("–—‘’“”…€\u202f\u00a0")


def drawable(text: str) -> str:
    """The text, with narrow blanks made plain; "" when the font lacks one of its letters."""
    if not all(ord(letter) in _DRAWABLE or letter in _EXTRA for letter in text):
        return ""
    return text.replace("\u202f", " ").replace("\u00a0", " ")


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)


def _lines(draw: ImageDraw.ImageDraw, text: str, size: int, width: int, most: int) -> list[str]:
    """The text broken to ``width`` pixels; what does not fit ``most`` lines ends in "…"."""
    lines: list[str] = []
    font = _font(size)
    for word in text.split():
        if lines and draw.textlength(f"{lines[-1]} {word}", font=font) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    if len(lines) > most:
        lines = lines[:most]
        lines[-1] += "…"
    return lines


def share_picture(invites: str, gift: str, photo: Any = None) -> bytes:
    """The picture, kept for a while. ``photo`` is a Wagtail image, or ``None``."""
    words = hashlib.sha256(f"{invites}\n{gift}".encode()).hexdigest()
    key = f"wagtail_referrals.picture.{words}.{getattr(photo, 'file_hash', '')}"
    png: bytes | None = cache.get(key)
    if png is None:
        try:
            if photo is not None:
                with photo.open_file() as opened:
                    png = draw_picture(invites, gift, opened)
        except OSError:
            logger.warning("The photo of a share picture cannot be read", exc_info=True)
        png = png or draw_picture(invites, gift)
        cache.set(key, png, CACHE_SECONDS)
    return png


def draw_picture(invites: str, gift: str, photo: IO[bytes] | None = None) -> bytes:
    """PNG, 1200 x 630 pixels; the right part is cut from ``photo``, else it is a drawn present."""
    image = Image.new("RGB", SIZE, GROUND)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 24, SIZE[1]), fill=ACCENT)
    if photo is None:
        _draw_present(draw, left=920, top=250)
    else:
        with Image.open(photo) as opened:
            right = ImageOps.fit(ImageOps.exif_transpose(opened).convert("RGB"), (PHOTO_WIDTH, SIZE[1]))
        image.paste(right, (SIZE[0] - PHOTO_WIDTH, 0))
    width = SIZE[0] - PHOTO_WIDTH - 180
    texts = [(drawable(invites), 68, INK, 2), (drawable(gift), 42, ACCENT, 4)]
    blocks = [(_lines(draw, text, size, width, most), size, colour) for text, size, colour, most in texts]
    height = sum(round(len(lines) * size * 1.25) for lines, size, _colour in blocks) + 28
    top = (SIZE[1] - height) // 2
    for lines, size, colour in blocks:
        for line in lines:
            draw.text((100, top), line, font=_font(size), fill=colour)
            top += round(size * 1.25)
        top += 28
    out = BytesIO()
    image.quantize(128).save(out, "PNG", optimize=True)
    return out.getvalue()


def _draw_present(draw: ImageDraw.ImageDraw, *, left: int, top: int) -> None:
    """A box with a ribbon."""
    draw.ellipse((left + 20, top - 62, left + 100, top + 8), outline=ACCENT, width=16)
    draw.ellipse((left + 100, top - 62, left + 180, top + 8), outline=ACCENT, width=16)
    draw.rounded_rectangle((left - 10, top, left + 210, top + 60), radius=8, fill=INK)
    draw.rounded_rectangle((left, top + 68, left + 200, top + 220), radius=8, fill=INK)
    draw.rectangle((left + 84, top, left + 116, top + 220), fill=ACCENT)
