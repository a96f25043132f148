"""QR codes, and the page of cards and posters: what is on them, who may have them, and that nothing is cut off."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pypdfium2
import pytest
import zxingcpp
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.test import Client
from django.utils import translation
from PIL import Image
from wagtail.images import get_image_model
from wagtail.models import Locale, Site

from tests.site.conftest import publish
from tests.site.test_browser import strict
from wagtail_referrals import people
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.site.models import LandingPage
from wagtail_referrals.site.offline import (
    CARDS_ON_A_PAGE,
    SAMPLE_CODE,
    Card,
    _fit,
    card_of,
    qr_code,
    qr_file,
    qr_inline,
)
from wagtail_referrals.tracking.models import Visit

ACCOUNT = "/en/account/refer-a-friend/"
PRINT = f"{ACCOUNT}print/"
A4 = (595, 842)  # in points


def read_codes(image: Image.Image) -> list[str]:
    return [found.text for found in zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormat.QRCode)]


def opened(png: bytes) -> Image.Image:
    return Image.open(BytesIO(png)).convert("RGB")


@pytest.fixture
def member(client, camille) -> Client:
    client.force_login(camille)
    return client


def make_page(language: str = "en", **values: Any) -> LandingPage:
    page = LandingPage(
        title="Invited", locale=Locale.objects.get_or_create(language_code=language)[0], **values
    )
    Site.objects.get(is_default_site=True).root_page.add_child(instance=page)
    cache.clear()
    return page


def photo() -> Any:
    out = BytesIO()
    Image.new("RGB", (1600, 1000), "#4d7a66").save(out, "PNG")
    return get_image_model().objects.create(
        title="Dawn", file=ContentFile(out.getvalue(), "dawn.png"), width=1600, height=1000
    )


# --- the code as a file


def test_a_telephone_reads_the_code(member, advocate, terms):
    response = member.get(f"{ACCOUNT}qr.png")
    assert response.headers["Content-Type"] == "image/png"
    image = opened(response.content)
    code = people.code_of(advocate)
    assert image.width == image.height and 1000 <= image.width < 1050
    assert read_codes(image) == [f"http://testserver/r/{code}/?via=qr"]
    assert response.headers["Content-Disposition"] == f'inline; filename="qr-{code}.png"'
    assert "no-store" in response.headers["Cache-Control"] and response.headers["X-Robots-Tag"] == "noindex"


def test_the_friend_who_scans_it_is_counted_as_one(member, advocate, terms, browser_client):
    (url,) = read_codes(opened(member.get(f"{ACCOUNT}qr.png").content))
    browser_client.get(url.removeprefix("http://testserver"))
    assert Visit.objects.get().channel == "qr"


def test_there_is_light_around_the_code():
    url = "https://shop.example/r/ABCD2345/?via=qr"
    modules = qr_code(url).symbol_size(border=0)[0]
    image = opened(qr_file(url, format="png"))
    module = image.width // (modules + 8)
    assert image.getpixel((4 * module, 4 * module)) == (0, 0, 0)
    assert image.crop((0, 0, image.width, 4 * module)).getcolors() == [(image.width * 4 * module, (255,) * 3)]


@pytest.mark.parametrize("host", ["s.example", "a-rather-long-name-of-a-shop.boutique.example.org"])
def test_the_code_stays_coarse_enough_for_a_small_card(host):
    # 26 mm on a card: 0.5 mm a module and more.
    code = qr_code(f"https://{host}/r/ABCD2345/?via=print")
    assert 26 / code.symbol_size(border=4)[0] >= 0.5 and code.error in "MQH"


def test_the_drawing_holds_the_same_code(member, advocate, terms, page):
    response = member.get(f"{ACCOUNT}qr.svg")
    assert response.headers["Content-Type"] == "image/svg+xml" and response.content.startswith(b"<?xml")
    page.set_content(response.content.decode().partition("?>")[2])
    image = opened(page.screenshot(full_page=True))
    assert read_codes(image) == [f"http://testserver/r/{people.code_of(advocate)}/?via=qr"]


# --- who may have it

PATHS = [f"{ACCOUNT}qr.svg", f"{ACCOUNT}qr.png", PRINT, f"{PRINT}?layout=poster"]


@pytest.mark.parametrize("path", PATHS)
def test_only_who_is_logged_in(path, db):
    response = Client().get(path)
    assert response.status_code == 302 and "login" in response.headers["Location"]


@pytest.mark.parametrize("path", PATHS)
def test_who_has_not_seen_what_friends_see_is_led_to_the_account(path, member, terms):
    assert member.get(path).headers["Location"] == ACCOUNT  # no referrer yet
    advocate = people.advocate_for(member.get(ACCOUNT).wsgi_request.user)
    assert advocate.name_confirmed_at is None
    assert member.get(path).headers["Location"] == ACCOUNT


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("state", [Advocate.State.LEFT, Advocate.State.PAUSED, Advocate.State.BLOCKED])
def test_who_may_not_share_hands_nothing_out(path, state, member, terms, advocate):
    Advocate.objects.update(state=state)
    assert member.get(path).headers["Location"] == ACCOUNT


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_promised_on_paper_while_no_program_is_open(path, member, advocate):
    assert member.get(path).headers["Location"] == ACCOUNT


# --- what is printed


@pytest.fixture
def printed(member, advocate, terms) -> Any:
    def get(query: str = "", language: str = "en") -> str:
        response = member.get(PRINT.replace("/en/", f"/{language}/") + query)
        assert response.status_code == 200
        assert "no-store" in response.headers["Cache-Control"]
        return response.content.decode()

    return get


@pytest.mark.parametrize("query", ["", "?layout=cards", "?layout=", "?layout=x", "?layout=poster"])
def test_name_offer_code_and_address(query, printed, advocate):
    text = printed(query)
    number = 1 if query == "?layout=poster" else CARDS_ON_A_PAGE
    assert text.count("Camille invites you") == text.count("<svg") == number
    assert text.count("Your present: 10% off one order") == number
    assert text.count(f"<strong>{people.code_of(advocate)}</strong>") == number
    assert text.count("Scan it, or type the code in the basket at testserver.") == number
    # Who listens hears one of them.
    assert text.count('aria-hidden="true"') == number - 1
    assert text.count("For new customers only. For an order within 30 days") == number


def test_in_the_language_of_the_account(printed):
    text = printed("?layout=poster", "fr")
    assert '<html lang="fr">' in text and "Camille vous invite" in text


def test_without_a_name(printed, advocate):
    Advocate.objects.update(public_name="")
    assert "A friend invites you" in printed()


def test_a_name_is_not_filled_in(printed, advocate):
    Advocate.objects.update(public_name="{gift}")
    make_page(card_heading="{name} brings {gift}")
    assert "{gift} brings 10% off one order" in printed()


def test_a_name_is_text(printed, advocate):
    Advocate.objects.update(public_name="<b>Cam</b>&")
    assert "&lt;b&gt;Cam&lt;/b&gt;&amp; invites you" in printed()


@pytest.mark.parametrize(
    ("values", "eyebrow", "heading", "gift", "text"),
    [
        ({}, "", "Zoé invites you", "Your present: 10% off one order", ""),
        ({"card_heading": "A box of light"}, "Zoé invites you", "A box of light", "Your present: 10%", ""),
        ({"card_heading": "{name} & you: {gift}"}, "", "Zoé & you: 10% off one order", "", ""),
        (
            {"card_text": "{name} waits.\n{gift}!"},
            "",
            "Zoé invites you",
            "Your present",
            "Zoé waits.\n10% off one order!",
        ),
    ],
)
def test_in_the_words_of_the_editor(terms, values, eyebrow, heading, gift, text):
    from wagtail_referrals.programs import parse

    with translation.override("en"):
        card = card_of(
            name="Zoé",
            code="ABCD2345",
            url="https://shop.example/r/ABCD2345/",
            data=parse(terms),
            page=LandingPage(**values),
            layout="cards",
        )
    assert (card.eyebrow, card.heading, card.text) == (eyebrow, heading, text)
    assert card.gift.startswith(gift) and bool(card.gift) == bool(gift)
    assert card.qr == qr_inline("https://shop.example/r/ABCD2345/?via=print")
    assert card.address == "shop.example/r/ABCD2345/" and card.how.endswith("at shop.example.")


def test_the_page_is_the_one_of_the_program_and_costs_no_query_of_its_own(
    printed, member, django_assert_max_num_queries
):
    make_page(
        card_heading="A box of light", share_picture=photo(), colour_ground="#102a43", colour_ink="#ffffff"
    )
    text = printed("?layout=poster")
    assert "A box of light" in text and "/print/102a43-ffffff-8a3d22.css" in text
    assert "referrals-poster-photo" in text
    printed("?layout=poster")
    # The session and its user; referrer, code; the rendition of the photo.
    with django_assert_max_num_queries(6):
        member.get(f"{PRINT}?layout=poster")


def fitted(layout: Any = "cards", **values: Any) -> Card:
    texts = dict.fromkeys(
        ("eyebrow", "heading", "gift", "text", "conditions", "how", "address", "code", "qr"), ""
    )
    return _fit(Card(**{**texts, **values}), layout)


def test_the_words_are_those_of_the_programs_own_page(member, advocate):
    make_page(card_heading="The first page of the site")
    publish(landing_page=make_page(card_heading="The program's page"))
    text = member.get(PRINT).content.decode()
    assert "The program&#x27;s page" in text and "The first page" not in text


def test_more_text_is_set_smaller():
    sizes = [fitted(heading="Heading", gift="word " * words).size for words in (2, 12, 20, 30, 45)]
    assert sizes == sorted(sizes) and sizes[0] == 1 and sizes[-1] == 5
    # Scripts with wide letters earlier.
    assert fitted(gift="光" * 90).size > fitted(gift="l" * 90).size


@pytest.mark.parametrize("layout", ["cards", "poster"])
def test_text_that_has_no_room_even_so_ends_early(layout):
    card = fitted(layout, heading="Heading", text="Word, " * 400)
    assert card.size == 5 and card.text.endswith("Word…") and len(card.text) > 200
    assert fitted(layout, heading="Heading " * 300, text="Word, " * 3).text == ""
    assert fitted(layout, heading="Heading", text="Word, word.").text == "Word, word."


def test_colours_are_a_style_sheet_that_everybody_may_keep(db, client):
    response = client.get(f"{PRINT}102a43-ffffff-f7c948.css")
    assert response.headers["Content-Type"] == "text/css"
    assert {"public", "immutable"} <= set(response.headers["Cache-Control"].split(", "))
    assert "Set-Cookie" not in response.headers
    assert response.content.decode() == (
        ":root{--referrals-card-ground:#102a43;--referrals-card-ink:#ffffff;"
        "--referrals-card-accent:#f7c948;--referrals-card-accent-ink:#f7c948;--referrals-card-on-accent:#24352d;}\n"
    )


@pytest.mark.parametrize(
    "name", ["102a43-ffffff.css", "102a43-ffffff-f7c94}.css", "102A43-ffffff-f7c948.css"]
)
def test_nothing_else_comes_into_the_style_sheet(db, client, name):
    assert client.get(f"{PRINT}{name}").status_code == 404


# --- as the editor sees it


@pytest.mark.parametrize("mode", ["picture", "cards", "poster"])
def test_the_editor_sees_what_is_handed_out(mode, terms):
    page = make_page(
        "fr", colour_ground="#102a43", colour_ink="#ffffff", card_heading="Une lumière pour vous"
    )
    assert mode in dict(page.preview_modes)
    response = page.make_preview_request(preview_mode=mode)
    assert response.status_code == 200
    if mode == "picture":
        assert opened(response.content).getpixel((60, 20)) == (0x10, 0x2A, 0x43)
    else:
        text = response.content.decode()
        assert "Camille vous invite" in text and "Une lumière pour vous" in text
        assert f"<strong>{SAMPLE_CODE}</strong>" in text and "referrals-print-tools" not in text
    assert not Visit.objects.exists() and not response.cookies


@pytest.mark.parametrize("mode", ["picture", "cards", "poster"])
def test_the_editor_sees_it_before_there_is_a_program(mode, db):
    assert make_page().make_preview_request(preview_mode=mode).status_code == 200


def test_the_code_of_the_sample_is_nobodys():
    assert people.normalise_code(SAMPLE_CODE) == ""


# --- in a browser

# Texts as long as they get, in scripts of every kind.
LONG_NAME = "Maximiliane-Charlotte Wolkenstein-Rodene"
NAMES = [
    "Camille",
    LONG_NAME,
    "W" * 40,
    "Παναγιώτα",
    "Олександра",
    "さくら" * 13,
    "ليلى عبد الرحمن",
    "Ana 🎁",
]
LONG = {
    "card_heading": "A box of light for {name}, from the workshop on the hill above the old harbour",
    "card_text": "Every candle is poured by hand from beeswax of our own hives. " * 4
    + "Come and see how it is done.",
}
FIND_PROBLEMS = """() => {
    const problems = new Set();
    const name = (element) => element.className || element.tagName;
    const common = (one, other, start, end) => Math.min(one[end], other[end]) - Math.max(one[start], other[start]);
    const sheet = document.querySelector(".referrals-sheet").getBoundingClientRect();
    for (const card of document.querySelectorAll(".referrals-card, .referrals-poster")) {
        const frame = card.getBoundingClientRect();
        if (card.scrollHeight > card.clientHeight) problems.add("card overflows");
        if (frame.bottom > sheet.bottom + 1 || frame.right > sheet.right + 1) problems.add("card leaves the sheet");
        const parts = [...card.querySelectorAll("p, svg, img")].map((part) => [part, part.getBoundingClientRect()]);
        for (const [part, box] of parts) {
            if (box.bottom > frame.bottom - 2 || box.top < frame.top) problems.add(`${name(part)} is too high`);
            if (box.right > frame.right || box.left < frame.left) problems.add(`${name(part)} is too wide`);
            if (part.scrollWidth > part.clientWidth + 1) problems.add(`${name(part)} is wider than its place`);
            for (const [other, next] of parts) {
                if (part === other || common(box, next, "left", "right") < 1) continue;
                if (common(box, next, "top", "bottom") > 1) problems.add(`${name(part)} lies on ${name(other)}`);
            }
        }
    }
    return [...problems];
}"""


@pytest.fixture
def shop(transactional_db, settings):
    settings.MIDDLEWARE = ["tests.site.test_browser.strict", *settings.MIDDLEWARE]
    assert strict
    return publish()


@pytest.fixture
def open_print(shop, advocate, new_page, live_server, client, camille):
    def open_it(query: str = "", language: str = "en", name: str = "Camille", **options: Any) -> Any:
        Advocate.objects.update(public_name=name)
        page = new_page(**options)
        client.force_login(camille)
        page.context.add_cookies(
            [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
        )
        page.goto(f"{PRINT.replace('/en/', f'/{language}/')}{query}")
        return page

    return open_it


def printed_pdf(page: Any) -> tuple[pypdfium2.PdfDocument, Image.Image]:
    """What a click on "Print" makes of the page; its first page at 200 dots an inch."""
    document = pypdfium2.PdfDocument(page.pdf(prefer_css_page_size=True))
    return document, document[0].render(scale=200 / 72).to_pil().convert("RGB")


@pytest.mark.parametrize("layout", ["cards", "poster"])
@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("words", [{}, LONG], ids=["ours", "long"])
def test_one_page_of_paper_with_codes_that_can_be_read(
    words, language, layout, open_print, advocate, live_server, browser_problems
):
    if words:
        make_page(language, **words, share_picture=photo(), colour_ground="#102a43", colour_ink="#ffffff")
    page = open_print(f"?layout={layout}", language, LONG_NAME)
    document, image = printed_pdf(page)
    assert len(document) == 1
    assert [round(each) for each in document[0].get_size()] == pytest.approx(A4, abs=1)
    link = f"{live_server.url}/r/{people.code_of(advocate)}/?via=print"
    assert read_codes(image) == [link] * (CARDS_ON_A_PAGE if layout == "cards" else 1)
    text = document[0].get_textpage().get_text_bounded()
    assert people.code_of(advocate) in text and "Ctrl" not in text
    browser_problems.assert_none()


@pytest.mark.parametrize("layout", ["cards", "poster"])
def test_nothing_is_cut_off_whatever_the_name(layout, open_print, browser_problems):
    page = open_print(f"?layout={layout}")
    for words in ({}, LONG, {**LONG, "card_heading": "{gift}, {gift}, {gift}"}):
        LandingPage.objects.all().delete()
        if words:
            make_page(**words, picture=photo())
        for name in NAMES:
            Advocate.objects.update(public_name=name)
            page.reload()
            for media in ("screen", "print"):
                page.emulate_media(media=media)
                assert page.evaluate(FIND_PROBLEMS) == [], (words, name, media)
    browser_problems.assert_none()


def test_one_tap_prints(open_print, browser_problems):
    page = open_print()
    page.evaluate("() => { window.printed = 0; window.print = () => { window.printed += 1; }; }")
    assert not page.get_by_text("in the menu of your browser").is_visible()
    page.get_by_role("button", name="Print").click()
    assert page.evaluate("window.printed") == 1
    page.get_by_role("link", name="Poster").click()
    page.locator(".referrals-poster").wait_for()
    assert page.get_by_role("link", name="Poster").get_attribute("aria-current") == "page"
    browser_problems.assert_none()


def test_without_javascript_the_page_says_how(open_print):
    page = open_print(java_script_enabled=False)
    assert page.get_by_text("in the menu of your browser").is_visible()
    assert page.get_by_role("button", name="Print").count() == 0
    assert page.get_by_text("Camille invites you").first.is_visible()


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("layout", ["cards", "poster"])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_barrier_and_nothing_that_sticks_out(language, layout, width, open_print):
    page = open_print(
        f"?layout={layout}", language, viewport={"width": width, "height": 800}, bypass_csp=True
    )
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    sheet = page.locator(".referrals-sheet").bounding_box()
    assert sheet["height"] / sheet["width"] == pytest.approx(297 / 210, rel=0.01)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
