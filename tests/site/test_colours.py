import pytest

from wagtail_referrals.site.colours import contrast
from wagtail_referrals.site.models import LandingPage

# Making a page asks for its content type.
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#FFFFFF", "#ffffff", 1.0),
        # The grey that is just dark enough on white, as every list of colours has it.
        ("#767676", "#ffffff", 4.54),
        ("#ffffff", "#777777", 4.48),
    ],
)
def test_the_contrast_is_the_one_of_the_wcag(one, other, ratio):
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)


def problems_of(**colours):
    page = LandingPage(title="Invitation", **colours)
    try:
        page.clean_fields(exclude={field.name for field in page._meta.fields} - set(colours))
        page.clean()
    except Exception as error:
        return error.message_dict
    return {}


def test_text_that_nobody_can_read_on_its_ground_is_refused_in_words():
    [message] = problems_of(colour_ground="#ffffff", colour_ink="#777777")["colour_ink"]
    assert "4.5" in message


@pytest.mark.parametrize(
    "colours",
    [
        {"colour_ground": "#ffffff", "colour_ink": "#767676"},
        {"colour_ground": "#ffffff", "colour_ink": ""},
        {"colour_ground": "", "colour_ink": "#ffffff", "colour_accent": "#ffffff"},
    ],
)
def test_readable_colours_and_missing_ones_are_taken(colours):
    assert problems_of(**colours) == {}


@pytest.mark.parametrize("text", ["red", "#fff", "#12345g", "#123456\n", "1234567"])
def test_what_is_no_colour_is_refused(text):
    assert set(problems_of(colour_accent=text)) == {"colour_accent"}
    assert set(problems_of(colour_ground=text, colour_ink="#000000")) == {"colour_ground"}
