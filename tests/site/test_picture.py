"""The picture of a share preview."""

from __future__ import annotations

import random
from contextlib import suppress
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.test import Client
from PIL import Image, ImageChops
from wagtail.images import get_image_model
from wagtail.models import Site

from wagtail_referrals import people
from wagtail_referrals.site.look import OURS, Look, look_of
from wagtail_referrals.site.models import LandingPage
from wagtail_referrals.site.picture import (
    PHOTO_WIDTH,
    _Block,
    _break,
    _font,
    _set,
    _shorten,
    draw_picture,
    drawable,
    share_picture,
)
from wagtail_referrals.tracking.models import Visit


def test_it_is_a_png_of_the_size_that_messengers_want(link, terms):
    response = Client(headers={"user-agent": "WhatsApp/2.23.20.0"}).get(f"{link}picture.png")
    assert response.headers["Content-Type"] == "image/png"
    with Image.open(BytesIO(response.content)) as image:
        assert image.size == (1200, 630)
    assert len(response.content) < 100_000 and not Visit.objects.exists()


def test_nobodys_picture_is_not_found(db):
    assert Client().get("/r/ZZZZZZZZ/picture.png").status_code == 404


def test_it_is_personal():
    assert draw_picture("Camille invites you", "10% off") != draw_picture("Paul invites you", "10% off")
    assert draw_picture("Camille invites you", "10% off") != draw_picture("Camille invites you", "20% off")


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("Zoé, Łukasz – “5 €”", "Zoé, Łukasz – “5 €”"),
        ("Παναγιώτα", "Παναγιώτα"),
        ("Αὐτοκράτωρ", "Αὐτοκράτωρ"),
        ("Олександра Ґудзь, 500 ₴", "Олександра Ґудзь, 500 ₴"),
        ("Nguyễn Thị Ánh", "Nguyễn Thị Ánh"),
        # As some keyboards and systems write it: a letter, then its accent.
        ("Zoe\u0301", "Zoé"),
        ("10\u202f% off", "10\u202f% off"),
        (" two\n lines ", "two lines"),
        ("小明 invites you", ""),
        ("さくら", ""),
        ("ليلى", ""),
        ("שלום", ""),
        # A letter with an accent that has no place on it in the font: another letter would be another name.
        ("Ad\u0301e", ""),
        ("a\x00b", ""),
        ("Ana 🎁", "Ana"),
        ("Jo👩🏽‍🚀sé 1️⃣", "José 1"),
        ("🇫🇷🎉", ""),
    ],
)
def test_what_the_font_lacks_is_left_out_rather_than_drawn_as_boxes(text, drawn):
    assert drawable(text) == drawn


def test_the_two_weights_of_the_font_have_the_same_letters():
    missing = {weight: _font(weight, 24).getmask("\uffff") for weight in ("Regular", "Bold")}
    assert bytes(missing["Regular"])  # a box: what is missing would be seen

    def has(weight: str, letter: str) -> bool:
        mask = _font(weight, 24).getmask(letter)
        return (mask.size, bytes(mask)) != (missing[weight].size, bytes(missing[weight]))

    numbers = (*range(0x21, 0x530), *range(0x1E00, 0x2190))
    letters = [chr(number) for number in numbers if chr(number).isprintable()]
    assert [letter for letter in letters if has("Regular", letter) != has("Bold", letter)] == []
    for first, last in ((0x21, 0x7E), (0xA1, 0x17F), (0x391, 0x3A1), (0x3A3, 0x3CE), (0x400, 0x45F)):
        assert all(has("Bold", chr(number)) for number in range(first, last + 1) if number != 0xAD)


@pytest.mark.parametrize(
    "text", ["", "a" * 500, "word " * 200, "\n", "小", "W" * 40 + " invites", "a-" * 300]
)
def test_any_text_can_be_drawn(text):
    with Image.open(BytesIO(draw_picture(text, text))) as image:
        assert image.size == (1200, 630)


@pytest.mark.parametrize(
    ("invites", "gift"),
    [
        ("Camille invites you", "10% off one order"),
        ("Maximiliane-Charlotte Wolkenstein-Rodeneg invites you", "free delivery " * 12),
        ("W" * 40 + " invites you", "x" * 400),
    ],
)
def test_texts_stay_clear_of_the_edges_and_of_the_photo(invites, gift):
    white = BytesIO()
    Image.new("RGB", (46, 63), "#ffffff").save(white, "PNG")
    look = Look(ground="#ffffff", ink="#000000", accent="#ffffff")
    with Image.open(BytesIO(draw_picture(invites, gift, look, white))) as image:
        left, top, right, bottom = ImageChops.invert(image.convert("L")).getbbox()
    assert left >= 90 and top >= 40 and right <= 1200 - PHOTO_WIDTH - 40 and bottom <= 630 - 40


def test_what_does_not_fit_says_so():
    font = _font("Regular", 28)
    lines, is_whole = _break("word " * 200, font, 500)
    assert is_whole and all(font.getlength(line) <= 500 for line in lines)
    short = _shorten(_Block(lines, font, "#000000", True), 3, 500)
    assert len(short.lines) == 3 and short.lines[-1].endswith("…") and font.getlength(short.lines[-1]) <= 500


def test_a_long_word_is_set_smaller_rather_than_cut():
    (block,) = _set("Papadimitropoulos", "", OURS, 594)
    assert block.lines == ["Papadimitropoulos"] and block.is_whole and block.font.size < 78


def test_a_line_ends_at_a_hyphen_and_never_at_a_no_break_space():
    font = _font("Bold", 60)
    assert _break("Maximiliane-Charlotte", font, 450) == (["Maximiliane-", "Charlotte"], True)
    assert _break("de 10\u00a0%", font, 180) == (["de", "10\u00a0%"], True)


def noise(size: tuple[int, int]) -> bytes:
    out = BytesIO()
    Image.frombytes("RGB", size, random.Random(7).randbytes(size[0] * size[1] * 3)).save(out, "PNG")
    return out.getvalue()


class Photo:
    """As much of a Wagtail image as a picture reads."""

    pk = 1
    file_hash = "x"
    focal_point_x: int | None = None
    focal_point_y: int | None = None

    def __init__(self, content: bytes, **values: Any) -> None:
        self.content = content
        with suppress(OSError), Image.open(BytesIO(content)) as image:
            self.width, self.height = image.size
        vars(self).update(values)

    def open_file(self):
        return BytesIO(self.content)


def solid(colour: str, size: tuple[int, int] = (300, 900)) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def pixel(png: bytes, x: int, y: int) -> tuple[int, int, int]:
    with Image.open(BytesIO(png)) as image:
        return image.convert("RGB").getpixel((x, y))


def test_a_photo_takes_the_right_side():
    red, green, _blue = pixel(share_picture("Camille", "", photo=Photo(solid("#c80000"))), 1100, 300)
    assert red > 180 and green < 30


def test_the_focal_point_of_a_photo_stays_in_the_picture():
    halves = Image.new("RGB", (2000, 630), "#0000ff")
    halves.paste("#ff0000", (1000, 0, 2000, 630))
    out = BytesIO()
    halves.save(out, "PNG")
    left = Photo(out.getvalue(), file_hash="left", focal_point_x=100, focal_point_y=300)
    right = Photo(out.getvalue(), file_hash="left", focal_point_x=1900, focal_point_y=300)
    assert pixel(share_picture("Camille", "", photo=left), 970, 300) == (0, 0, 255)
    assert pixel(share_picture("Camille", "", photo=right), 970, 300) == (255, 0, 0)


def test_a_photo_with_an_alpha_channel_stands_on_the_ground():
    out = BytesIO()
    Image.new("RGBA", (460, 630), (0, 0, 0, 0)).save(out, "PNG")
    png = share_picture("Camille", "", Look(ground="#123456", ink="#ffffff"), Photo(out.getvalue()))
    assert pixel(png, 1100, 300) == (0x12, 0x34, 0x56)


def test_no_photo_makes_it_larger_than_messengers_take():
    # Noise cannot be compressed, and much text takes its part too.
    png = share_picture(
        "Camille invites you", "10% off, or more words " * 17, photo=Photo(noise((920, 1260)))
    )
    assert 200_000 < len(png) < 300_000


@pytest.mark.parametrize("content", [b"no picture", b""])
def test_a_photo_that_cannot_be_read_is_left_out(content):
    photo = Photo(content, width=10, height=10)
    assert share_picture("Camille", "", photo=photo) == draw_picture("Camille", "")


def test_it_is_drawn_once(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "wagtail_referrals.site.picture.draw_picture", lambda *given: drawn.append(given) or b"png"
    )
    for _ in range(3):
        assert share_picture("Camille invites you", "10% off, drawn once") == b"png"
    share_picture("Camille invites you", "10% off, drawn once", Look(ground="#000000", ink="#ffffff"))
    assert len(drawn) == 2


def test_a_name_that_cannot_be_drawn_is_left_out(link, terms, advocate):
    advocate.public_name = "Léa שלום 🧘"
    advocate.save()
    people.forget_code(advocate)
    response = Client(headers={"accept-language": "en"}).get(f"{link}picture.png")
    assert response.content == draw_picture("A friend invites you", "10% off one order")


def test_the_editor_chooses_colours_and_photo(db, link, terms, advocate):
    photo = get_image_model().objects.create(
        title="Dawn", file=ContentFile(solid("#00ff00"), "dawn.png"), width=300, height=900
    )
    page = LandingPage(
        title="Invited",
        share_picture=photo,
        colour_ground="#102A43",
        colour_ink="#ffffff",
        colour_accent="#f7c948",
    )
    Site.objects.get(is_default_site=True).root_page.add_child(instance=page)
    cache.clear()
    png = Client(headers={"accept-language": "en"}).get(f"{link}picture.png").content
    assert pixel(png, 60, 20) == (0x10, 0x2A, 0x43)
    assert pixel(png, 10, 300) == (0xF7, 0xC9, 0x48)
    assert pixel(png, 1100, 300) == (0, 255, 0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, Look("#faf4ea", "#24352d", "#8a3d22")),
        ({"colour_ground": "#000000"}, Look("#000000", "#ffffff", "#8a3d22")),
        ({"colour_ground": "", "colour_ink": "red", "colour_accent": None}, Look()),
    ],
)
def test_what_the_editor_leaves_open_can_be_read(values, expected):
    assert look_of(SimpleNamespace(**values)) == expected


def test_an_accent_that_cannot_be_read_on_the_ground_colours_no_text():
    assert Look("#ffffff", "#000000", "#ffee00").accent_ink == "#000000"
    assert Look("#ffffff", "#000000", "#8a3d22").accent_ink == "#8a3d22"
    assert (Look(accent="#ffee00").on_accent, Look(accent="#8a3d22").on_accent) == ("#24352d", "#ffffff")


def test_the_share_link_reads_page_and_photos_from_the_cache(db, link, terms, django_assert_num_queries):
    photo = get_image_model().objects.create(title="Dawn", file=ContentFile(solid("#00ff00"), "dawn.png"))
    page = LandingPage(title="Invited", share_picture=photo)
    Site.objects.get(is_default_site=True).root_page.add_child(instance=page)
    cache.clear()
    client = Client(headers={"accept-language": "en"})
    client.get(f"{link}picture.png")
    with django_assert_num_queries(0):
        client.get(f"{link}picture.png")
