"""The picture of a share preview."""

from __future__ import annotations

from io import BytesIO

import pytest
from django.test import Client
from PIL import Image

from wagtail_referrals import people
from wagtail_referrals.site.picture import draw_picture, drawable, share_picture
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
        ("10\u202f% off", "10 % off"),
        ("小明 invites you", ""),
        ("Ana 🎁", ""),
    ],
)
def test_letters_that_the_font_lacks_are_left_out_rather_than_drawn_as_boxes(text, drawn):
    assert drawable(text) == drawn


@pytest.mark.parametrize("text", ["", "a" * 500, "word " * 200, "\n", "小"])
def test_any_text_can_be_drawn(text):
    with Image.open(BytesIO(draw_picture(text, text))) as image:
        assert image.size == (1200, 630)


class Photo:
    file_hash = "x"

    def __init__(self, content: bytes) -> None:
        self.content = content

    def open_file(self):
        return BytesIO(self.content)


def test_a_photo_takes_the_right_side():
    red = BytesIO()
    Image.new("RGB", (300, 900), (200, 0, 0)).save(red, "PNG")
    with Image.open(BytesIO(share_picture("Camille", "", Photo(red.getvalue())))) as image:
        pixel = image.convert("RGB").getpixel((1100, 300))
    assert pixel[0] > 180 and pixel[1] < 30


def test_a_photo_that_cannot_be_read_is_left_out():
    assert share_picture("Camille", "", Photo(b"no picture")) == draw_picture("Camille", "")


def test_a_name_that_cannot_be_drawn_is_left_out(link, terms, advocate):
    advocate.public_name = "Léa שלום 🧘"
    advocate.save()
    people.forget_code(advocate)
    response = Client(headers={"accept-language": "en"}).get(f"{link}picture.png")
    assert response.content == draw_picture("A friend invites you", "10% off one order")
