"""What a message looks like to who gets it, whoever wrote the words."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils.translation import override
from wagtail.models import Page, Site

from tests.admin.rows import NOW, make_advocate, make_program, make_referral, make_user
from tests.audiences import BUYERS, NEVER_BOUGHT, make_audience
from wagtail_referrals.messages.compose import compose, compose_with
from wagtail_referrals.messages.content import Content
from wagtail_referrals.messages.filling import fill, placeholders_of, refuse_unknown
from wagtail_referrals.messages.kinds import MessageKind, Reader, Standard, Topic, Urgency, message_kinds
from wagtail_referrals.messages.models import Message, MessageTemplate, MessageText
from wagtail_referrals.messages.words import standard_words
from wagtail_referrals.people import code_of
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.site.colours import LEAST_CONTRAST, contrast
from wagtail_referrals.site.mail_look import mail_look
from wagtail_referrals.site.settings import ReferralSettings

pytestmark = pytest.mark.django_db

# Gmail cuts off what is longer, in bytes.
GMAIL = 102 * 1000
KIND = MessageKind(
    "test_news",
    "News",
    "Never",
    Reader.CUSTOMER,
    Topic.TIPS,
    Urgency.EXTRA,
    Standard(
        subject="{gift} for you",
        preheader="Only until {day}",
        heading="{gift} for you",
        paragraphs=("Hello {name},", "use it until {day}. Fish & chips < 5 €."),
        button="Open {site}",
        target="shop",
    ),
    placeholders={"gift": "What", "day": "When"},
    context=lambda message: {"gift": message.data.get("gift", "a mug"), "day": "Friday"},
    sample=dict,
)


@pytest.fixture(autouse=True)
def _kind() -> Iterator[None]:
    message_kinds.register(KIND)
    yield
    message_kinds.unregister(KIND.key)


@pytest.fixture
def camille() -> Any:
    return make_user("camille@example.com", "Camille")


def written(
    user: Any, *, kind: str = KIND.key, language: str = "en", saved: bool = True, **values: Any
) -> Content:
    message = Message(
        kind=kind,
        key="test:1",
        user=user,
        language=language,
        created_at="2026-11-10T12:00:00Z",
        data=values.pop("data", {}),
        **values,
    )
    if saved:
        message.save()
    with override("en"):
        return compose(message, user)


def text(language: str, body: list[tuple[str, Any]], *, subject: str = "News", **values: Any) -> MessageText:
    return MessageText(language=language, subject=subject, body=body, **values)


def template(*texts: MessageText, live: bool = True, **values: Any) -> MessageTemplate:
    found = MessageTemplate(**{"kind": KIND.key, "name": "Ours", "live": live} | values)
    found.texts = [*texts]
    found.save()
    return found


def soup_of(content: Content) -> Any:
    return BeautifulSoup(content.html, "html.parser")


PARAGRAPH = "<p>Come, <b>{name}</b>!</p>"


# Which words


# The links of the footer name the moment.
@time_machine.travel(NOW, tick=False)
def test_standard_words_and_an_editors_go_the_same_way(camille: Any) -> None:
    standard = written(camille, saved=False)
    words = standard_words(KIND, "en")
    template(text("en", list(words.parts), subject=words.subject, preheader=words.preheader))
    assert written(camille, saved=False) == standard
    assert standard.subject == "A mug for you"
    assert standard.preheader == "Only until Friday"


def test_what_is_not_published_is_not_sent(camille: Any) -> None:
    template(text("en", [("paragraph", PARAGRAPH)], subject="Draft"), live=False)
    assert written(camille).subject == "A mug for you"


def test_a_program_has_words_of_its_own(camille: Any) -> None:
    program = make_program()
    referral = make_referral(Terms.objects.get(), make_advocate("a@example.com"), camille)
    body = [("paragraph", PARAGRAPH)]
    template(text("en", body, subject="For this one"), program=program)
    template(text("en", body, subject="For another"), program=make_program(name="Another"))
    assert written(camille, saved=False).subject == "A mug for you"
    template(text("en", body, subject="For all"))
    assert written(camille, saved=False).subject == "For all"
    assert written(camille, saved=False, referral=referral).subject == "For this one"


@pytest.mark.parametrize(
    ("language", "subject"),
    [("fr", "fr"), ("fr-ca", "fr-ca"), ("fr-be", "fr"), ("de", "en"), ("", "en")],
)
def test_in_the_readers_language(camille: Any, language: str, subject: str) -> None:
    body = [("paragraph", PARAGRAPH)]
    template(*(text(name, body, subject=name) for name in ("es", "fr", "fr-ca", "en")))
    content = written(camille, language=language)
    assert content.subject == subject
    assert soup_of(content).html["lang"].split("-")[0] == subject.split("-")[0]


def test_in_any_language_rather_than_in_none(camille: Any) -> None:
    template(text("es", [("paragraph", PARAGRAPH)], subject="Noticias"))
    assert written(camille, language="fr").subject == "Noticias"


def test_for_the_audience_that_the_reader_is_in(camille: Any) -> None:
    body = [("paragraph", PARAGRAPH)]
    new = make_audience(NEVER_BOUGHT, name="New")
    template(
        text("en", body, subject="Buyers", audience=make_audience(BUYERS, name="Buyers")),
        text("en", body, subject="Everybody"),
        text("en", body, subject="New", audience=new),
    )
    assert written(camille).subject == "New"
    new.texts = []
    MessageText.objects.filter(audience=new).delete()
    assert written(camille, saved=False).subject == "Everybody"


def test_without_words_there_is_no_message(camille: Any) -> None:
    with pytest.raises(LookupError):
        written(camille, kind="sequence")


# Words in braces


@pytest.mark.parametrize(
    ("words", "name", "filled"),
    [
        ("Hello {name},", "Camille", "Hello Camille,"),
        ("Hello {name},", "", "Hello,"),
        ("Bonjour {name} !", "", "Bonjour !"),
        ("Thank you, {name}!", "", "Thank you!"),
        ("{name}, your friend bought", "", "your friend bought"),
        ("Hello {name}", "{site}", "Hello {site}"),
        ("{other}x", "", "X"),
    ],
)
def test_an_empty_name_leaves_no_trace(words: str, name: str, filled: str) -> None:
    expected = filled if not words.startswith("{") else filled[:1].upper() + filled[1:]
    assert fill(words, {"name": name}) == expected


def test_names_are_text_and_nothing_else() -> None:
    user = make_user("x@example.com", '<img src=x onerror="alert(1)">{site} & {gift}')
    template(text("en", [("heading", "Hi {name}"), ("paragraph", PARAGRAPH)], subject="Hi {name}"))
    content = written(user)
    assert "<img src=x" not in content.html
    assert soup_of(content).h1.get_text() == f"Hi {user.first_name}"
    assert f"Come, {user.first_name}!" in content.text
    assert content.subject == f"Hi {user.first_name}"


def test_a_subject_is_one_line(camille: Any) -> None:
    template(text("en", [("paragraph", PARAGRAPH)], subject="Hi {gift}"))
    assert written(camille, data={"gift": "a\r\nBcc: x@example.com"}).subject == "Hi a Bcc: x@example.com"


def test_what_is_mistyped_is_refused_in_words() -> None:
    refuse_unknown(KIND, "Hello {name}: {gift}")
    with pytest.raises(ValidationError, match=r"\{nmae\}"):
        refuse_unknown(KIND, "Hello {nmae}")
    assert "link" not in placeholders_of(message_kinds.get("invitation_kept"))


def test_every_standard_word_is_replaced() -> None:
    for kind in message_kinds:
        if kind.standard is None:
            continue
        standard = kind.standard
        texts = (
            standard.subject,
            standard.preheader,
            standard.heading,
            standard.button,
            *standard.paragraphs,
        )
        for language in ("en", "fr"):
            with override(language):
                for words in texts:
                    refuse_unknown(kind, str(words))


# The parts


def test_the_plain_text_is_complete(camille: Any) -> None:
    page = Page.objects.get(depth=2)
    template(
        text(
            "en",
            [
                ("heading", "Five things"),
                ("paragraph", "<p>First: <b>bold</b> &amp; <i>fine</i>.<br/>Then this.</p><p>Second</p>"),
                ("paragraph", "<ul><li>one</li><li>two &lt; three</li></ul><ol><li>a</li><li>b</li></ol>"),
                ("paragraph", '<p>See <a href="https://example.org/x?a=1&amp;b=2">the rules</a>.</p>'),
                ("paragraph", f'<p>Or <a linktype="page" id="{page.pk}">our page</a></p>'),
                ("divider", None),
                ("button", {"label": "Go", "target": "page", "page": page}),
            ],
        )
    )
    root = Site.objects.get(is_default_site=True).root_url
    body = written(camille, saved=False).text.partition("\n\n--")[0]
    assert body == "\n\n".join(
        [
            "Five things",
            "First: bold & fine.\nThen this.",
            "Second",
            "- one\n- two < three",
            "1. a\n2. b",
            "See the rules (https://example.org/x?a=1&b=2).",
            f"Or our page ({page.full_url})",
            "* * *",
            f"Go\n{page.full_url}",
        ]
    )
    assert page.full_url.startswith(root)


def test_all_addresses_are_absolute(camille: Any) -> None:
    page = Page.objects.get(depth=2)
    template(text("en", [("paragraph", f'<p><a linktype="page" id="{page.pk}">page</a></p>')]))
    for element in soup_of(written(camille)).find_all(href=True):
        assert urlsplit(element["href"]).scheme in ("http", "https")


def test_the_personal_link_is_shown_as_it_is_passed_on() -> None:
    advocate = make_advocate()
    template(
        text(
            "en",
            [
                ("paragraph", "<p>Share {link} today</p>"),
                ("button", {"label": "Share", "target": "link", "page": None}),
            ],
        )
    )
    content = written(advocate.user)
    link = f"{Site.objects.get(is_default_site=True).root_url}/r/{code_of(advocate)}/"
    assert f"Share {link} today" in content.text
    found = [element for element in soup_of(content).find_all("a") if element["href"] == link]
    assert [element.get_text() for element in found] == [link.partition("://")[2].rstrip("/"), "Share"]


def test_who_has_no_link_yet_is_led_to_where_they_get_one(camille: Any) -> None:
    template(text("en", [("button", {"label": "Share", "target": "link", "page": None})]))
    assert "account/refer-a-friend/" in written(camille).text


def test_the_offer_and_the_progress(camille: Any) -> None:
    make_program("milestones")
    template(text("en", [("offer", None), ("progress", None), ("paragraph", "<p>{progress}</p>")]))
    content = written(camille)
    assert "For your friend: " in content.text and "For you: " in content.text
    assert "For your friend" in content.html
    assert content.text.count("0 of 1 friend") == 2
    assert "more friend has ordered" in content.html


def test_what_there_is_nothing_to_say_of_is_left_out(camille: Any) -> None:
    body = [("offer", None), ("progress", None), ("paragraph", "<p>{progress}</p>"), ("details", None)]
    template(text("en", [*body, ("button", {"label": "Go", "target": "page", "page": None})]))
    assert written(camille).text.startswith("--")


# The frame


def test_it_can_be_refused(camille: Any) -> None:
    content = written(camille)
    url = content.headers["List-Unsubscribe"].strip("<>")
    assert content.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"Unsubscribe\n{url}" in content.text
    assert soup_of(content).find("a", href=url).get_text() == "Unsubscribe"
    assert "You get this as a customer of" in content.text


def test_the_preheader_is_not_seen_in_the_mail(camille: Any) -> None:
    hidden = soup_of(written(camille)).find(class_="preheader")
    assert "display: none" in hidden["style"].replace("display:none", "display: none")
    assert hidden.get_text().startswith("Only until Friday")


def test_styles_are_in_the_elements_and_dark_mode_is_kept(camille: Any) -> None:
    content = written(camille)
    soup = soup_of(content)
    assert soup.h1["style"] and soup.find(class_="card")["style"]
    (style,) = soup.find_all("style")
    assert "prefers-color-scheme: dark" in style.string and "max-width: 480px" in style.string
    assert "{{" not in content.html and "{%" not in content.html


def test_tables_are_for_the_layout(camille: Any) -> None:
    soup = soup_of(written(camille))
    assert soup.find_all("table")
    assert {table.get("role") for table in soup.find_all("table")} == {"presentation"}
    assert [image for image in soup.find_all("img") if not image.has_attr("alt")] == []


def test_a_language_from_right_to_left(camille: Any) -> None:
    template(text("ar", [("paragraph", PARAGRAPH)], subject="مرحبا"))
    soup = soup_of(written(camille, language="ar"))
    for element in (soup.html, soup.find(role="article")):
        assert (element["lang"], element["dir"]) == ("ar", "rtl")
    assert "right" in soup.find(class_="card")["style"] or soup.find(class_="card")["align"] == "right"


def test_gmail_shows_all_of_it(camille: Any) -> None:
    make_program("milestones")
    body = [("paragraph", f"<p>{'Long words, and many of them. ' * 20}</p>")] * 30
    template(text("en", [("heading", "x" * 150), *body, ("offer", None), ("progress", None)]))
    assert len(written(camille).html.encode()) < GMAIL


def test_nothing_hidden_names_anybody(camille: Any) -> None:
    content = written(camille)
    for secret in ("camille@example.com", f'"{camille.pk}"'):
        assert secret not in content.html and secret not in content.text


@pytest.mark.parametrize(
    ("ground", "ink", "accent"),
    [
        ("", "", ""),
        ("#ffffff", "#000000", "#ffff00"),
        ("#000000", "#ffffff", "#0000aa"),
        ("#101840", "#ffe9c0", "#e8368f"),
        ("#777777", "#000000", "#777777"),
        ("#f6c9d3", "#3b0a19", "#f6c9d3"),
    ],
)
def test_everybody_can_read_it_by_day_and_by_night(ground: str, ink: str, accent: str) -> None:
    site = Site.objects.get(is_default_site=True)
    ReferralSettings.objects.create(site=site, colour_ground=ground, colour_ink=ink, colour_accent=accent)
    look = mail_look(site.pk)
    for mode in (look.light, look.dark):
        pairs = [(mode.ink, on) for on in (mode.card, mode.box)]
        pairs += [(mode.muted, on) for on in (mode.card, mode.box, mode.ground)]
        pairs += [(mode.link, on) for on in (mode.card, mode.box)]
        pairs += [(mode.on_button, mode.button)]
        assert [pair for pair in pairs if contrast(*pair) < LEAST_CONTRAST] == []


# Links


def first_link(content: Content) -> str:
    return str(soup_of(content).find(class_="button").a["href"])


def test_a_link_notes_that_it_was_followed_and_leads_on(camille: Any, client: Client) -> None:
    url = first_link(written(camille))
    assert "/r/m/" in url and "@" not in url
    answer = client.get(urlsplit(url).path, headers={"user-agent": "Mozilla/5.0 Firefox/128.0"})
    assert answer.status_code == 302
    assert answer["Location"] == f"{Site.objects.get(is_default_site=True).root_url}/"
    message = Message.objects.get()
    first = message.opened_at
    assert first is not None
    client.get(urlsplit(url).path)
    message.refresh_from_db()
    assert message.opened_at == first


def test_only_looking_notes_nothing(camille: Any, client: Client) -> None:
    path = urlsplit(first_link(written(camille))).path
    assert client.head(path).status_code == 302
    assert client.get(path, headers={"user-agent": "Googlebot/2.1"}).status_code == 302
    assert Message.objects.get().opened_at is None
    assert client.post(path).status_code == 405


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "//evil.example/",
        "http://localhost@evil.example/",
        "http://localhost:1234@evil.example/",
        "javascript:alert(1)",
        "http://localhost\\@evil.example/",
        "http://localhost.evil.example/",
    ],
)
def test_a_link_leads_to_the_own_sites_only(camille: Any, client: Client, url: str) -> None:
    from wagtail_referrals.messages import links

    written(camille)
    message = Message.objects.get()
    assert links.tracked(message, "http://localhost", url) == url
    # Even one that was signed: a site may be gone.
    token = links._signer.sign_object([message.pk, url])
    assert client.get(f"/r/m/{token}/")["Location"] == "/"
    assert Message.objects.get().opened_at is None


@pytest.mark.parametrize("token", ["x", "a.b", "e30.x", "%00"])
def test_a_link_that_is_not_ours_leads_to_the_start(client: Client, token: str) -> None:
    assert client.get(f"/r/m/{token}/")["Location"] == "/"


def test_a_message_that_is_only_looked_at_has_plain_links(camille: Any) -> None:
    root = Site.objects.get(is_default_site=True).root_url
    assert first_link(written(camille, saved=False)) == f"{root}/"


def test_a_sample_needs_nobody() -> None:
    for kind in message_kinds:
        if kind.standard is None or kind.sample is None:
            continue
        for language in ("en", "fr"):
            with override(language):
                message = Message(kind=kind.key, language=language, data=kind.sample())
            content = compose_with(
                standard_words(kind, language), message, SimpleNamespace(first_name="Alex")
            )
            assert content.subject and content.text and content.html
            assert "{" not in content.text and "&" not in content.text.replace(" & ", "").partition("?")[0]
