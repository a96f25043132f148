"""The shop's pictures, drawn with Pillow: paper-cut still lifes and landscapes in the colours of the site.

All coordinates are in a square (or 1600 x 900 landscape) of thousandths; `Canvas` scales them, draws at twice the size
and shrinks at the end, so that edges are smooth.
"""

import math
import random
from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Point = tuple[float, float]

CREAM: Colour = (247, 240, 228)
SAND: Colour = (233, 219, 197)
SAGE: Colour = (158, 178, 152)
MOSS: Colour = (106, 134, 108)
FOREST: Colour = (45, 72, 60)
CLAY: Colour = (190, 99, 68)
BLUSH: Colour = (233, 195, 172)
OCHRE: Colour = (217, 168, 82)
DUSK: Colour = (96, 126, 142)
NIGHT: Colour = (48, 66, 84)
PAPER: Colour = (253, 250, 244)
CORK: Colour = (201, 160, 114)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Blend two colours; share 0 is the first, 1 the second."""
    return tuple(round(a + (b - a) * share) for a, b in zip(first, second, strict=True))  # type: ignore[return-value]


def light(colour: Colour, share: float = 0.25) -> Colour:
    return mix(colour, (255, 252, 245), share)


def dark(colour: Colour, share: float = 0.22) -> Colour:
    return mix(colour, (30, 38, 34), share)


class Canvas:
    """A picture of width x height units, `scale` pixels a unit while drawing."""

    def __init__(self, width: int, height: int, size: int, background: Colour) -> None:
        self.width, self.height = width, height
        self.out = (size, round(size * height / width))
        self.scale = 2 * size / width
        self.pixels = (self.out[0] * 2, self.out[1] * 2)
        self.image = Image.new("RGB", self.pixels, background)

    def _points(self, points: Sequence[Point]) -> list[Point]:
        return [(x * self.scale, y * self.scale) for x, y in points]

    def mask(self) -> tuple[Image.Image, ImageDraw.ImageDraw]:
        image = Image.new("L", self.pixels, 0)
        return image, ImageDraw.Draw(image)

    def paint(
        self, mask: Image.Image, colour: Colour, to: Colour | None = None, across: bool = False
    ) -> None:
        """Fill a mask with a colour, or with a gradient (downwards, or from left to right) inside the mask's box."""
        box = mask.getbbox()
        if box is None:
            return
        width, height = box[2] - box[0], box[3] - box[1]
        if to is None:
            fill = Image.new("RGB", (width, height), colour)
        else:
            ramp = Image.linear_gradient("L")
            if across:
                ramp = ramp.rotate(90)
            ramp = ramp.resize((width, height))
            fill = Image.composite(
                Image.new("RGB", (width, height), to), Image.new("RGB", (width, height), colour), ramp
            )
        self.image.paste(fill, box[:2], mask.crop(box))

    def sheen(self, mask: Image.Image, colour: Colour, strength: int = 70) -> None:
        """A soft band of light over a round body, brightest at a third of its height."""
        box = mask.getbbox()
        if box is None:
            return
        width, height = box[2] - box[0], box[3] - box[1]
        band = Image.new("L", (1, height))
        band.putdata(
            [
                max(0, round(strength * math.cos(min(abs(y / height - 0.3) * 3.4, math.pi / 2))))
                for y in range(height)
            ]
        )
        band = band.resize((width, height))
        self.image.paste(
            Image.new("RGB", (width, height), light(colour, 0.7)),
            box[:2],
            ImageChops.multiply(band, mask.crop(box)),
        )

    def polygon(
        self, points: Sequence[Point], colour: Colour, to: Colour | None = None, across: bool = False
    ) -> Image.Image:
        mask, draw = self.mask()
        draw.polygon(self._points(points), fill=255)
        self.paint(mask, colour, to, across)
        return mask

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, colour: Colour, to: Colour | None = None
    ) -> Image.Image:
        mask, draw = self.mask()
        s = self.scale
        draw.ellipse(((x - rx) * s, (y - ry) * s, (x + rx) * s, (y + ry) * s), fill=255)
        self.paint(mask, colour, to)
        return mask

    def ring(self, x: float, y: float, rx: float, ry: float, colour: Colour, width: float) -> None:
        s = self.scale
        ImageDraw.Draw(self.image).ellipse(
            ((x - rx) * s, (y - ry) * s, (x + rx) * s, (y + ry) * s),
            outline=colour,
            width=max(1, round(width * s)),
        )

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        radius: float,
        colour: Colour,
        to: Colour | None = None,
        across: bool = False,
        turn: float = 0.0,
    ) -> Image.Image:
        """A rounded rectangle, turned by some degrees around its middle."""
        mask, draw = self.mask()
        s = self.scale
        draw.rounded_rectangle((x * s, y * s, (x + width) * s, (y + height) * s), radius=radius * s, fill=255)
        if turn:
            mask = mask.rotate(
                turn, resample=Image.Resampling.BICUBIC, center=((x + width / 2) * s, (y + height / 2) * s)
            )
        self.paint(mask, colour, to, across)
        return mask

    def line(self, points: Sequence[Point], colour: Colour, width: float) -> None:
        draw = ImageDraw.Draw(self.image)
        pixels = self._points(points)
        thick = max(1, round(width * self.scale))
        draw.line(pixels, fill=colour, width=thick, joint="curve")
        for x, y in (pixels[0], pixels[-1]):
            draw.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=colour)

    def shadow(self, x: float, y: float, rx: float, ry: float, colour: Colour, strength: int = 95) -> None:
        """A soft shadow on the floor, blurred at a small size because blur is what costs."""
        small = (self.pixels[0] // 8, self.pixels[1] // 8)
        s = self.scale / 8
        mask = Image.new("L", small, 0)
        ImageDraw.Draw(mask).ellipse(((x - rx) * s, (y - ry) * s, (x + rx) * s, (y + ry) * s), fill=strength)
        mask = mask.filter(ImageFilter.GaussianBlur(ry * s * 0.5)).resize(
            self.pixels, Image.Resampling.BILINEAR
        )
        self.image.paste(Image.new("RGB", self.pixels, dark(colour, 0.55)), (0, 0), mask)

    def grain(self, seed: int) -> None:
        """Paper grain, so that flat areas do not look like plastic."""
        noise = _noise(self.pixels[0] // 4, self.pixels[1] // 4, seed % 3).resize(
            self.pixels, Image.Resampling.BILINEAR
        )
        self.image = ImageChops.overlay(self.image, Image.merge("RGB", (noise, noise, noise)))

    def jpeg(self) -> bytes:
        buffer = BytesIO()
        self.image.resize(self.out, Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=88)
        return buffer.getvalue()


@lru_cache(maxsize=8)
def _noise(width: int, height: int, seed: int) -> Image.Image:
    source = random.Random(seed)
    data = bytes(min(255, max(0, round(source.gauss(128, 7)))) for _ in range(width * height))
    return Image.frombytes("L", (width, height), data)


def _stage(
    back: Colour, sun: Colour | None = None, floor: Colour | None = None, sun_at: Point = (500, 430)
) -> Canvas:
    """The still life's background: a wall with a large disc of light, and a table."""
    canvas = Canvas(1000, 1000, 900, back)
    canvas.polygon([(0, 0), (1000, 0), (1000, 1000), (0, 1000)], light(back, 0.25), back)
    if sun is not None:
        canvas.ellipse(*sun_at, 330, 330, light(sun, 0.1), sun)
    table = floor or dark(back, 0.08)
    canvas.polygon([(0, 730), (1000, 730), (1000, 1000), (0, 1000)], table, light(table, 0.18))
    return canvas


def _sprig(
    canvas: Canvas, x: float, y: float, height: float, colour: Colour, lean: float = 0.0, leaves: int = 6
) -> None:
    """A stem with pairs of leaves."""
    tip = (x + lean, y - height)
    canvas.line([(x, y), (x + lean * 0.4, y - height * 0.5), tip], dark(colour, 0.15), 5)
    for index in range(leaves):
        share = 0.3 + 0.7 * index / leaves
        at_x, at_y = x + lean * share, y - height * share
        size = height * 0.2 * (1.15 - share * 0.6)
        for side in (-1, 1):
            end = (at_x + side * size, at_y - size * 0.75)
            bend = (at_x + side * size * 0.3, at_y - size * 0.75)
            under = (at_x + side * size * 0.75, at_y - size * 0.08)
            canvas.polygon([(at_x, at_y), bend, end, under], light(colour, 0.12) if side < 0 else colour)


def _vase(canvas: Canvas, x: float, y: float, colour: Colour) -> None:
    _sprig(canvas, x, y - 130, 250, MOSS, lean=-30)
    _sprig(canvas, x + 5, y - 130, 200, SAGE, lean=55)
    canvas.shadow(x + 12, y, 75, 18, dark(colour), 80)
    canvas.polygon(
        [
            (x - 22, y - 150),
            (x + 22, y - 150),
            (x + 26, y - 112),
            (x + 62, y - 60),
            (x + 50, y),
            (x - 50, y),
            (x - 62, y - 60),
            (x - 26, y - 112),
        ],
        light(colour, 0.15),
        dark(colour, 0.12),
        across=True,
    )


def mat(colour: Colour, back: Colour, band: Colour, sun: Colour, seed: int) -> bytes:
    """A rolled mat, with its strap."""
    c = _stage(back, sun)
    _vase(c, 800, 740, PAPER)
    c.shadow(500, 812, 380, 44, back, 120)
    body = c.box(160, 560, 600, 250, 60, light(colour, 0.12), dark(colour, 0.22))
    c.sheen(body, colour, 90)
    for x in (290, 560):
        strap = c.box(x, 557, 46, 256, 14, light(band, 0.1), dark(band, 0.18))
        c.sheen(strap, band, 60)
    c.ellipse(755, 685, 62, 127, dark(colour, 0.1), light(colour, 0.08))
    for index in range(7):
        share = 1 - index / 7.4
        c.ring(
            755 + index * 1.5,
            685 + index * 2,
            58 * share,
            121 * share,
            dark(colour, 0.34) if index % 2 else light(colour, 0.3),
            6,
        )
    c.grain(seed)
    return c.jpeg()


def folded_mat(colour: Colour, back: Colour, sun: Colour, seed: int) -> bytes:
    """A thin travel mat, folded in layers."""
    c = _stage(back, sun)
    _vase(c, 210, 742, CLAY)
    c.shadow(560, 815, 330, 40, back, 120)
    for index in range(5):
        y = 760 - index * 46
        shade = mix(colour, dark(colour, 0.3), 0.5 - index * 0.1)
        layer = c.box(310 - index * 3, y, 500, 50, 25, light(shade, 0.18), dark(shade, 0.12))
        c.sheen(layer, colour, 45)
    c.polygon([(330, 576), (790, 576), (806, 600), (312, 600)], light(colour, 0.28))
    c.line([(560, 585), (560, 800)], dark(colour, 0.35), 16)
    c.box(535, 655, 50, 62, 12, PAPER, SAND)
    c.grain(seed)
    return c.jpeg()


def bottle(colour: Colour, back: Colour, cap: Colour, sun: Colour, seed: int, glass: bool = False) -> bytes:
    """A drinking bottle."""
    c = _stage(back, sun)
    _vase(c, 745, 745, SAND)
    c.shadow(440, 830, 165, 34, back, 130)
    if glass:
        c.box(335, 330, 190, 500, 74, light(colour, 0.62), light(colour, 0.35), across=True)
        c.box(347, 500, 166, 318, 62, light(colour, 0.3), mix(colour, back, 0.1), across=True)
        c.ellipse(430, 502, 83, 14, light(colour, 0.5))
        for x, y, r in ((395, 590, 9), (452, 650, 7), (415, 720, 11), (470, 560, 6)):
            c.ring(x, y, r, r, light(colour, 0.75), 3)
        c.box(360, 370, 20, 410, 10, light(colour, 0.85))
        c.box(325, 560, 210, 150, 26, cap, dark(cap, 0.15), across=True)
    else:
        c.box(330, 330, 200, 500, 62, light(colour, 0.2), dark(colour, 0.25), across=True)
        c.box(362, 370, 24, 420, 12, light(colour, 0.45), light(colour, 0.28))
        c.ring(430, 600, 46, 46, light(colour, 0.75), 7)
        c.ring(430, 600, 26, 26, light(colour, 0.75), 5)
        c.line([(430, 556), (430, 524)], light(colour, 0.75), 5)
    c.box(372, 262, 116, 96, 20, light(cap, 0.12), dark(cap, 0.24), across=True)
    c.ring(430, 246, 40, 34, dark(cap, 0.1), 15)
    c.grain(seed)
    return c.jpeg()


def cup(colour: Colour, back: Colour, sun: Colour, seed: int) -> bytes:
    """A tea tin and a steaming bowl."""
    c = _stage(back, sun)
    c.shadow(360, 820, 150, 30, back, 110)
    c.box(240, 480, 230, 340, 20, light(colour, 0.2), dark(colour, 0.2), across=True)
    c.box(232, 448, 246, 70, 18, light(colour, 0.05), dark(colour, 0.35), across=True)
    c.box(262, 590, 186, 150, 14, PAPER, SAND)
    _sprig(c, 355, 722, 110, MOSS, leaves=5)
    c.shadow(680, 822, 150, 30, back, 120)
    mask, draw = c.mask()
    s = c.scale
    draw.pieslice((540 * s, 540 * s, 820 * s, 820 * s), 0, 180, fill=255)
    c.paint(mask, light(PAPER, 0.1), dark(SAND, 0.08), across=True)
    c.box(630, 800, 100, 22, 10, dark(SAND, 0.1))
    c.ellipse(680, 680, 140, 30, light(SAND, 0.3))
    c.ellipse(680, 683, 124, 23, mix(OCHRE, CLAY, 0.35), OCHRE)
    for offset in (-40, 10, 60):
        points = [(680 + offset + math.sin(t / 3) * 16, 630 - t * 13) for t in range(14)]
        c.line(points, light(back, 0.6), 7)
    c.grain(seed)
    return c.jpeg()


def blocks(colour: Colour, back: Colour, sun: Colour, seed: int, speckled: bool = False) -> bytes:
    """Two yoga blocks."""
    c = _stage(back, sun)
    source = random.Random(seed)

    def block(x: float, y: float, w: float, h: float, d: float, tone: Colour) -> None:
        front = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
        top = [(x, y), (x + d, y - d * 0.55), (x + w + d, y - d * 0.55), (x + w, y)]
        side = [(x + w, y), (x + w + d, y - d * 0.55), (x + w + d, y + h - d * 0.55), (x + w, y + h)]
        c.polygon(front, light(tone, 0.06), dark(tone, 0.1))
        c.polygon(top, light(tone, 0.3), light(tone, 0.15))
        c.polygon(side, dark(tone, 0.2), dark(tone, 0.34))
        if speckled:
            draw = ImageDraw.Draw(c.image)
            for _ in range(260):
                px, py = source.uniform(x + 4, x + w - 4), source.uniform(y + 4, y + h - 4)
                r = source.uniform(1.5, 5)
                shade = dark(tone, 0.32) if source.random() < 0.6 else light(tone, 0.28)
                s = c.scale
                draw.ellipse(((px - r) * s, (py - r * 0.7) * s, (px + r) * s, (py + r * 0.7) * s), fill=shade)
        else:
            c.ring(x + w / 2, y + h / 2, 30, 30, light(tone, 0.5), 5)

    _vase(c, 830, 742, PAPER)
    c.shadow(480, 826, 330, 36, back, 130)
    block(180, 650, 380, 170, 120, colour)
    block(330, 400, 170, 250, 90, mix(colour, dark(colour, 0.12), 0.4))
    c.grain(seed)
    return c.jpeg()


def strap(colour: Colour, back: Colour, sun: Colour, seed: int) -> bytes:
    """A cotton strap, coiled, with its two metal rings."""
    c = _stage(back, sun)
    c.shadow(480, 815, 300, 44, back, 120)
    c.box(480, 756, 420, 52, 10, light(colour, 0.08), dark(colour, 0.16))
    for x in range(500, 890, 26):
        c.line([(x, 764), (x + 10, 800)], light(colour, 0.25), 4)
    for index in range(7):
        r = 235 - index * 31
        c.ellipse(
            450,
            575,
            r,
            r,
            light(colour, 0.1) if index % 2 == 0 else dark(colour, 0.24),
            colour if index % 2 == 0 else dark(colour, 0.3),
        )
    c.ellipse(450, 575, 26, 26, light(sun, 0.05))
    for x in (862, 884):
        c.ring(x, 782, 30, 46, mix(SAND, DUSK, 0.45), 11)
    c.grain(seed)
    return c.jpeg()


def bolster(colour: Colour, back: Colour, stripe: Colour, sun: Colour, seed: int) -> bytes:
    """A long round cushion."""
    c = _stage(back, sun)
    _vase(c, 190, 744, CLAY if colour != CLAY else DUSK)
    c.shadow(510, 825, 400, 46, back, 120)
    body = c.box(150, 540, 700, 280, 130, light(colour, 0.16), dark(colour, 0.26))
    for x in (300, 360, 640, 700):
        c.box(x, 541, 26, 278, 8, light(stripe, 0.1), dark(stripe, 0.22))
    c.sheen(body, colour, 80)
    c.ellipse(800, 680, 58, 138, light(colour, 0.05), dark(colour, 0.18))
    for angle in range(0, 360, 30):
        rad = math.radians(angle)
        c.line([(800, 680), (800 + 46 * math.cos(rad), 680 + 112 * math.sin(rad))], dark(colour, 0.28), 3)
    c.ellipse(800, 680, 13, 22, stripe)
    c.grain(seed)
    return c.jpeg()


def cushion(colour: Colour, back: Colour, sun: Colour, seed: int) -> bytes:
    """A round meditation cushion with pleats."""
    c = _stage(back, sun)
    c.shadow(500, 822, 330, 44, back, 130)
    body = c.box(210, 590, 580, 232, 112, light(colour, 0.08), dark(colour, 0.3))
    for index in range(15):
        x = 236 + index * 38
        bend = (index - 7) * 4
        c.line([(x - bend * 0.5, 625), (x + bend, 705), (x - bend * 0.2, 802)], dark(colour, 0.3), 4)
    c.ellipse(500, 612, 286, 74, light(colour, 0.3), light(colour, 0.08))
    c.ellipse(500, 606, 18, 8, dark(colour, 0.2))
    c.sheen(body, colour, 40)
    c.line([(790, 690), (850, 720), (842, 780)], dark(colour, 0.25), 14)
    c.grain(seed)
    return c.jpeg()


def blanket(colour: Colour, back: Colour, stripe: Colour, sun: Colour, seed: int) -> bytes:
    """A folded wool blanket with fringes."""
    c = _stage(back, sun)
    _vase(c, 800, 742, PAPER)
    c.shadow(450, 826, 340, 38, back, 120)
    for index, y in enumerate((720, 630, 540)):
        c.box(150, y, 590, 104, 48, light(colour, 0.16 + 0.05 * index), dark(colour, 0.12))
        for x in (230, 262, 600):
            c.box(x, y + 1, 18, 102, 4, stripe, dark(stripe, 0.15))
        c.line([(180, y + 66), (720, y + 66)], dark(colour, 0.16), 3)
    for x in range(166, 736, 19):
        c.line([(x, 812), (x + (x % 3 - 1) * 3, 858)], light(colour, 0.22), 5)
    c.grain(seed)
    return c.jpeg()


def eye_pillow(colour: Colour, back: Colour, sun: Colour, seed: int) -> bytes:
    """A lavender pillow for the eyes."""
    c = _stage(back, sun)
    c.shadow(500, 805, 330, 46, back, 120)
    body = c.box(190, 610, 620, 190, 86, light(colour, 0.2), dark(colour, 0.2), turn=4)
    c.sheen(body, colour, 50)
    source = random.Random(seed)
    for _ in range(22):
        x, y = source.uniform(240, 760), source.uniform(640, 770)
        c.ellipse(x, y, 7, 7, light(colour, 0.55))
        c.ellipse(x, y, 3, 3, OCHRE)
    for offset in (-90, -30, 30, 90):
        x = 500 + offset
        c.line([(500 + offset * 0.25, 640), (x, 330)], MOSS, 6)
        for index in range(8):
            for side in (-1, 1):
                c.ellipse(
                    x - (x - 500) * index * 0.045 + side * 11,
                    320 + index * 21,
                    12,
                    15,
                    mix((128, 112, 160), PAPER, 0.12 * (index % 3)),
                )
    c.box(462, 560, 76, 34, 14, OCHRE, dark(OCHRE, 0.12))
    c.grain(seed)
    return c.jpeg()


def candle(colour: Colour, back: Colour, sun: Colour, seed: int) -> bytes:
    """A candle in a jar."""
    c = _stage(back, sun)
    c.shadow(500, 826, 220, 36, back, 130)
    c.box(330, 500, 340, 325, 40, light(colour, 0.3), dark(colour, 0.12), across=True)
    c.ellipse(500, 512, 160, 36, light(PAPER, 0.4), SAND)
    c.line([(500, 510), (500, 452)], NIGHT, 6)
    c.polygon([(500, 330), (536, 420), (524, 466), (500, 478), (476, 466), (464, 420)], OCHRE, CLAY)
    c.polygon([(500, 392), (518, 436), (500, 470), (482, 436)], light(OCHRE, 0.65), OCHRE)
    c.box(405, 600, 190, 140, 10, PAPER, SAND)
    c.ring(500, 652, 34, 34, FOREST, 4)
    c.line([(452, 706), (548, 706)], FOREST, 5)
    c.grain(seed)
    return c.jpeg()


def _hanger(c: Canvas) -> None:
    c.line([(500, 250), (500, 205), (520, 180), (505, 160), (480, 172)], mix(CORK, NIGHT, 0.35), 8)
    c.line([(330, 330), (500, 250), (670, 330)], mix(CORK, NIGHT, 0.2), 13)


def top(colour: Colour, back: Colour, sun: Colour, seed: int, sleeves: bool = False) -> bytes:
    """A tank top or a sweatshirt on a hanger."""
    c = _stage(back, sun, sun_at=(500, 500))
    _hanger(c)
    if sleeves:
        for side in (-1, 1):
            c.polygon(
                [
                    (500 + side * 150, 330),
                    (500 + side * 240, 400),
                    (500 + side * 300, 700),
                    (500 + side * 215, 716),
                    (500 + side * 165, 520),
                ],
                dark(colour, 0.08),
                dark(colour, 0.24),
            )
            c.polygon(
                [
                    (500 + side * 300, 690),
                    (500 + side * 305, 742),
                    (500 + side * 214, 752),
                    (500 + side * 213, 706),
                ],
                dark(colour, 0.3),
            )
        c.polygon(
            [(350, 330), (430, 300), (570, 300), (650, 330), (690, 420), (672, 790), (328, 790), (310, 420)],
            light(colour, 0.14),
            dark(colour, 0.12),
        )
        c.box(328, 770, 344, 46, 12, dark(colour, 0.22), dark(colour, 0.3))
        c.ellipse(500, 302, 76, 38, dark(colour, 0.3))
        c.ellipse(500, 292, 62, 28, light(sun, 0.05))
    else:
        c.polygon(
            [
                (372, 310),
                (410, 300),
                (432, 400),
                (470, 446),
                (530, 446),
                (568, 400),
                (590, 300),
                (628, 310),
                (640, 430),
                (672, 520),
                (690, 800),
                (310, 800),
                (328, 520),
                (360, 430),
            ],
            light(colour, 0.16),
            dark(colour, 0.16),
        )
        c.line(
            [(418, 330), (436, 404), (472, 446), (528, 446), (564, 404), (582, 330)], dark(colour, 0.28), 7
        )
        for x in (400, 500, 600):
            c.line([(x, 560), (x + (x - 500) * 0.12, 780)], dark(colour, 0.12), 4)
    c.ring(500, 560, 46, 46, light(colour, 0.6), 6)
    c.ring(500, 560, 26, 26, light(colour, 0.6), 4)
    c.grain(seed)
    return c.jpeg()


def leggings(colour: Colour, back: Colour, sun: Colour, seed: int) -> bytes:
    """Leggings laid out."""
    c = _stage(back, sun, floor=back, sun_at=(500, 500))
    c.shadow(510, 905, 230, 26, back, 90)
    for side in (-1, 1):
        c.polygon(
            [
                (500, 190),
                (500 + side * 140, 190),
                (500 + side * 172, 360),
                (500 + side * 150, 560),
                (500 + side * 128, 880),
                (500 + side * 62, 880),
                (500 + side * 40, 600),
                (500, 400),
            ],
            light(colour, 0.14) if side < 0 else colour,
            dark(colour, 0.1 if side < 0 else 0.22),
        )
        c.line(
            [
                (500 + side * 128, 250),
                (500 + side * 140, 420),
                (500 + side * 118, 640),
                (500 + side * 100, 860),
            ],
            light(colour, 0.32),
            5,
        )
        c.polygon(
            [
                (500 + side * 129, 858),
                (500 + side * 128, 884),
                (500 + side * 62, 884),
                (500 + side * 61, 858),
            ],
            dark(colour, 0.3),
        )
    c.box(352, 168, 296, 78, 20, light(colour, 0.05), dark(colour, 0.2))
    c.line([(500, 250), (500, 396)], dark(colour, 0.25), 4)
    c.grain(seed)
    return c.jpeg()


def socks(colour: Colour, back: Colour, sole: Colour, sun: Colour, seed: int) -> bytes:
    """A pair of socks with grips."""
    c = _stage(back, sun, floor=back, sun_at=(500, 500))
    for dx, dy, tone in ((-110, -20, dark(colour, 0.12)), (90, 40, colour)):
        x, y = 500 + dx, 300 + dy
        c.shadow(x + 50, y + 476, 190, 26, back, 70)
        c.polygon(
            [
                (x - 70, y),
                (x + 70, y),
                (x + 74, y + 270),
                (x + 190, y + 350),
                (x + 220, y + 410),
                (x + 190, y + 455),
                (x + 60, y + 462),
                (x - 50, y + 400),
                (x - 76, y + 300),
            ],
            light(tone, 0.18),
            dark(tone, 0.12),
        )
        c.box(x - 78, y - 24, 156, 64, 16, sole, dark(sole, 0.12))
        for row in range(3):
            for column in range(4):
                c.ellipse(x + 30 + column * 38 + row * 10, y + 372 + row * 28, 9, 8, sole)
    c.grain(seed)
    return c.jpeg()


def card(
    colour: Colour, back: Colour, accent: Colour, sun: Colour, seed: int, visits: int = 0, motif: str = "sun"
) -> bytes:
    """A class pass or a membership: a card, with a dot for each class."""
    c = _stage(back, sun, floor=back, sun_at=(560, 470))
    c.shadow(520, 760, 330, 70, back, 110)
    turn = -7.0
    c.box(180, 300, 640, 400, 40, dark(accent, 0.05), dark(accent, 0.2), turn=turn + 13)
    face = c.box(180, 300, 640, 400, 40, light(colour, 0.12), dark(colour, 0.1), turn=turn)
    art = Canvas(1000, 1000, 900, colour)
    art.image = c.image.copy()
    if motif == "sun":
        art.ellipse(660, 660, 190, 190, light(accent, 0.15), accent)
        for index in range(4):
            art.ring(660, 660, 225 + index * 34, 225 + index * 34, mix(colour, light(accent, 0.3), 0.55), 5)
    elif motif == "moon":
        art.ellipse(640, 470, 120, 120, light(accent, 0.3), accent)
        art.ellipse(692, 440, 104, 104, light(colour, 0.1))
        art.polygon([(150, 760), (330, 590), (480, 690), (640, 600), (860, 760)], dark(colour, 0.2))
    else:
        for index in range(5):
            points = [
                (160 + t * 14, 560 + index * 34 + 26 * math.sin(t / 5 + index * 0.9)) for t in range(52)
            ]
            art.line(points, mix(colour, accent, 0.35 + index * 0.13), 12)
        art.ellipse(650, 450, 70, 70, accent, light(accent, 0.2))
    c.image = Image.composite(art.image, c.image, face)
    if visits:
        columns = 5 if visits > 1 else 1
        for index in range(visits):
            x, y = 268 + (index % columns) * 44, 402 + (index // columns) * 44
            angle = math.radians(-turn)
            x, y = (
                500 + (x - 500) * math.cos(angle) - (y - 500) * math.sin(angle),
                500 + (x - 500) * math.sin(angle) + (y - 500) * math.cos(angle),
            )
            c.ring(x, y, 15, 15, light(colour, 0.75), 5)
            if index == 0:
                c.ellipse(x, y, 12, 12, light(colour, 0.75))
    c.grain(seed)
    return c.jpeg()


def workshop(
    sky: Colour,
    hills: Sequence[Colour],
    disc: Colour,
    seed: int,
    disc_at: Point = (500, 430),
    rings: bool = False,
) -> bytes:
    """A landscape for a workshop or a retreat."""
    c = Canvas(1000, 1000, 900, sky)
    _landscape(c, sky, hills, disc, disc_at, 150, seed, rings)
    c.grain(seed)
    return c.jpeg()


def gift_card(colour: Colour, back: Colour, ribbon: Colour, sun: Colour, seed: int) -> bytes:
    """A card that comes out of its envelope."""
    c = _stage(back, sun, floor=back)
    c.shadow(500, 815, 340, 50, back, 110)
    c.polygon(
        [(170, 520), (500, 300), (830, 520), (830, 800), (170, 800)], dark(colour, 0.26), dark(colour, 0.18)
    )
    c.box(230, 300, 540, 380, 22, PAPER, SAND)
    c.ellipse(500, 440, 74, 74, ribbon, light(ribbon, 0.3))
    _sprig(c, 420, 600, 210, MOSS, lean=-80)
    _sprig(c, 580, 600, 210, MOSS, lean=80)
    c.polygon([(170, 520), (500, 720), (170, 812)], light(colour, 0.08), colour)
    c.polygon([(830, 520), (500, 720), (830, 812)], colour, dark(colour, 0.06))
    c.polygon([(170, 812), (500, 612), (830, 812)], light(colour, 0.2), light(colour, 0.06))
    c.ellipse(500, 726, 40, 40, ribbon, dark(ribbon, 0.2))
    c.grain(seed)
    return c.jpeg()


def _landscape(
    c: Canvas,
    sky: Colour,
    hills: Sequence[Colour],
    disc: Colour,
    disc_at: Point,
    radius: float,
    seed: int,
    rings: bool = False,
) -> None:
    source = random.Random(seed)
    w, h = c.width, c.height
    c.polygon([(0, 0), (w, 0), (w, h), (0, h)], dark(sky, 0.05), light(sky, 0.45))
    if rings:
        for index in range(5, 0, -1):
            r = radius + index * radius * 0.42
            c.ellipse(*disc_at, r, r, mix(light(sky, 0.3), disc, 0.05 + 0.06 * (5 - index)))
    c.ellipse(*disc_at, radius, radius, light(disc, 0.25), disc)
    for index, tone in enumerate(hills):
        base = h * (0.56 + 0.36 * index / max(1, len(hills)))
        height, phase = h * (0.1 - 0.012 * index), source.uniform(0, 6)
        points = [
            (
                x,
                base
                - height * math.sin(x / w * (2.3 + index * 0.9) + phase)
                - height * 0.35 * math.sin(x / w * 7.1 + phase * 2),
            )
            for x in range(0, w + 20, 10)
        ]
        c.polygon([*points, (w, h), (0, h)], light(tone, 0.16), dark(tone, 0.08))
    for _ in range(7):
        x = source.uniform(0.02, 0.98) * w
        _sprig(
            c,
            x,
            h + 20,
            source.uniform(0.14, 0.3) * h,
            dark(hills[-1], 0.25),
            lean=source.uniform(-40, 40),
            leaves=7,
        )


def landscape(
    sky: Colour,
    hills: Sequence[Colour],
    disc: Colour,
    seed: int,
    disc_at: Point = (1120, 330),
    figure: bool = False,
) -> bytes:
    """A wide picture for the top of a page; with a person sitting in the light, if wanted."""
    c = Canvas(1600, 1000, 1600, sky)
    _landscape(c, sky, hills, disc, disc_at, 210, seed, rings=True)
    if figure:
        x, y, tone = disc_at[0], 742.0, FOREST
        c.shadow(x, y + 6, 190, 22, tone, 110)
        c.ellipse(x, y - 308, 42, 50, tone)
        c.ellipse(x, y - 362, 20, 18, tone)
        c.box(x - 17, y - 275, 34, 50, 12, tone)
        c.polygon(
            [
                (x - 70, y - 222),
                (x - 30, y - 240),
                (x + 30, y - 240),
                (x + 70, y - 222),
                (x + 50, y - 60),
                (x - 50, y - 60),
            ],
            tone,
        )
        for side in (-1, 1):
            c.line([(x + side * 60, y - 212), (x + side * 104, y - 120), (x + side * 138, y - 44)], tone, 30)
            c.line([(x + side * 40, y - 56), (x + side * 160, y - 30)], tone, 54)
            c.line([(x + side * 160, y - 26), (x - side * 60, y - 12)], dark(tone, 0.2), 40)
    c.grain(seed)
    return c.jpeg()


def room(wall: Colour, floor: Colour, disc: Colour, seed: int) -> bytes:
    """The studio: an arched window, mats on the floor, a plant."""
    c = Canvas(1600, 1000, 1400, wall)
    c.polygon([(0, 0), (1600, 0), (1600, 1000), (0, 1000)], light(wall, 0.2), wall)
    c.polygon([(0, 690), (1600, 690), (1600, 1000), (0, 1000)], light(floor, 0.1), dark(floor, 0.08))
    for x in (260, 690, 1120):
        c.box(x - 12, 128, 304, 520, 150, PAPER)
        c.box(x - 12, 400, 304, 250, 0, PAPER)
        c.box(x, 140, 280, 510, 140, light(DUSK, 0.55), light(disc, 0.35))
        c.box(x, 400, 280, 250, 0, mix(light(DUSK, 0.55), light(disc, 0.35), 0.51), light(disc, 0.3))
        c.ellipse(x + 140, 470, 62, 62, disc)
        c.polygon(
            [(x, 650), (x, 590), (x + 90, 545), (x + 200, 585), (x + 280, 560), (x + 280, 650)], SAGE, MOSS
        )
        c.line([(x + 140, 142), (x + 140, 650)], PAPER, 8)
    for index, tone in enumerate((CLAY, SAGE, DUSK, OCHRE)):
        x = 150 + index * 350
        c.polygon(
            [(x + 60, 760), (x + 230, 760), (x + 270, 950), (x, 950)], light(tone, 0.12), dark(tone, 0.05)
        )
    _vase(c, 1500, 720, CLAY)
    _vase(c, 90, 720, PAPER)
    c.grain(seed)
    return c.jpeg()


def portrait(back: Colour, skin: Colour, hair: Colour, cloth: Colour, seed: int, bun: bool = True) -> bytes:
    """A teacher, without a face: a paper-cut bust."""
    c = Canvas(1000, 1000, 800, back)
    c.polygon([(0, 0), (1000, 0), (1000, 1000), (0, 1000)], light(back, 0.25), back)
    c.ellipse(500, 520, 380, 380, light(back, 0.35), light(back, 0.1))
    if bun:
        c.ellipse(500, 205, 70, 66, hair)
    else:
        c.box(330, 330, 340, 330, 150, hair, dark(hair, 0.15))
    c.polygon(
        [(150, 1000), (190, 800), (350, 720), (650, 720), (810, 800), (850, 1000)],
        light(cloth, 0.1),
        dark(cloth, 0.1),
    )
    c.box(438, 570, 124, 190, 56, dark(skin, 0.12), dark(skin, 0.04))
    c.ellipse(500, 738, 84, 44, dark(skin, 0.03))
    c.ellipse(500, 430, 142, 180, light(skin, 0.12), skin)
    mask, draw = c.mask()
    s = c.scale
    draw.pieslice((350 * s, 236 * s, 650 * s, 560 * s), 180, 360, fill=255)
    c.paint(mask, hair, dark(hair, 0.1))
    c.ellipse(500, 432, 112, 90, light(skin, 0.1))
    for side in (-1, 1):
        c.line([(500 + side * 75, 462), (500 + side * 52, 472), (500 + side * 30, 462)], dark(skin, 0.5), 6)
    c.line([(466, 532), (500, 546), (534, 532)], dark(CLAY, 0.1), 7)
    c.grain(seed)
    return c.jpeg()
