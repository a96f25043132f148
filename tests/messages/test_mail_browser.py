"""Mails as a program that can do all of HTML shows them: no barrier, by day and by night, and nothing sticks out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils.translation import override

from tests.admin.rows import make_program
from wagtail_referrals.messages.content import Content
from wagtail_referrals.messages.kinds import message_kinds
from wagtail_referrals.messages.models import Message
from wagtail_referrals.messages.previewing import compose_sample
from wagtail_referrals.messages.words import Part, Words, standard_words

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.django_db(transaction=True)

# A mail is an article in the page of a mail program, which has the landmarks.
OPTIONS = {"rules": {name: {"enabled": False} for name in ("region", "landmark-one-main")}}
# As an editor may write: each part there is, and a word that no line can hold.
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
EVERYTHING: list[Part] = [
    ("heading", f"{{name}}, {LONG}"),
    (
        "paragraph",
        f"<p>{{greeting}}</p><p>{LONG} <a href='https://www.example.com/{LONG}'>{LONG}</a> {{link}}</p>",
    ),
    ("paragraph", "<ul><li>One</li><li>Two, with <b>bold</b></li></ul><ol><li>First</li></ol>"),
    ("offer", None),
    ("progress", None),
    ("divider", None),
    ("button", {"label": LONG[:60], "target": "shop", "page": None}),
]


def mails(language: str) -> dict[str, Content]:
    """Each standard mail, as its sample, and one with all that an editor can put into it."""
    found = {
        kind.key: compose_sample(standard_words(kind, language), kind.key)
        for kind in message_kinds
        if kind.standard is not None
    }
    with override(language):
        words = Words(language, LONG, LONG, EVERYTHING)
        found["everything"] = compose_sample(words, "reward_given")
    return found


def barriers(page: Page) -> list[str]:
    found = Axe().run(page, options=OPTIONS).response
    assert found["passes"], "axe has looked at nothing"
    return [f"{each['id']} {node['html'][:120]}" for each in found["violations"] for node in each["nodes"]]


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_barrier_and_nothing_that_sticks_out(language: str, width: int, new_page: Any) -> None:
    make_program("milestones")
    written = mails(language)
    assert len(written) > 20
    page = new_page(viewport={"width": width, "height": 800})
    faults = []
    for key, content in written.items():
        assert Message.objects.count() == 0, "a sample is nobody's"
        page.emulate_media(color_scheme="light")
        page.set_content(content.html)
        wider = page.evaluate("document.documentElement.scrollWidth") - width
        faults += [f"{key}: {wider} px too wide"] if wider > 0 else []
        faults += [f"{key}: {fault}" for fault in barriers(page)]
        page.emulate_media(color_scheme="dark")
        faults += [f"{key}, in the dark: {fault}" for fault in barriers(page)]
    assert not faults, "\n".join(faults)


def test_the_dark_reaches_every_part(new_page: Any) -> None:
    """What stays light in a mail program that has gone dark dazzles, or cannot be read."""
    make_program("milestones")
    page = new_page(viewport={"width": 360, "height": 800}, color_scheme="dark")
    page.set_content(mails("en")["everything"].html)
    light = page.evaluate(
        """() => {
            const bright = (colour) => {
                const [red, green, blue, alpha = 1] = colour.match(/[\\d.]+/g).map(Number);
                return alpha && (red * 299 + green * 587 + blue * 114) / 1000 > 128;
            };
            const grounds = [...document.body.querySelectorAll("*"), document.body];
            return grounds
                .filter((each) => bright(getComputedStyle(each).backgroundColor))
                .map((each) => each.className || each.parentElement.closest("[class]").className);
        }"""
    )
    # They shine: the accent's colour, with dark words on it.
    assert set(light) <= {"accent", "button", "done"}, light
