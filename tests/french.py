"""Which of our texts were left in English on a page in French."""

from __future__ import annotations

import re
from functools import cache

from bs4 import BeautifulSoup
from bs4.element import Comment

from tools import messages

PACKAGES = ("wagtail_referrals", "oscar_integration")
READ = ("title", "alt", "placeholder", "aria-label")


@cache
def english() -> tuple[frozenset[str], re.Pattern[str]]:
    """Our texts in English where French says it otherwise: whole ones, and a pattern of those of several words."""
    texts = set()
    for package in PACKAGES:
        for path in messages.catalogs(messages.ROOT / package):
            for message in messages._read(path):
                if message.id and message.string != message.id:
                    texts.update(messages._strings(message.id))
    whole = frozenset(text.casefold() for text in texts if "%(" not in text)
    # Of texts with values in them, the longest part without.
    parts = {max(re.split(r"%\(\w+\)s|<[^>]*>", text), key=len).strip(" .,:“”") for text in texts}
    several = sorted((part for part in parts if part.count(" ") >= 2), key=len, reverse=True)
    return whole, re.compile(r"\b(?:" + "|".join(map(re.escape, several)) + r")\b", re.IGNORECASE)


def english_in(html: bytes) -> list[str]:
    """Texts of ours that were left in English on a page, also in what is read aloud."""
    whole, several = english()
    soup = BeautifulSoup(html, "html.parser")
    # What was typed is not ours. Templates hold rows that the form may add.
    for element in soup(["script", "style", "textarea"]):
        element.decompose()
    # Wagtail writes Python's "None" into a counter that it hides.
    for element in soup.select("[data-side-panel-toggle-counter][hidden]"):
        element.decompose()
    texts = [str(text) for text in soup.find_all(string=True) if not isinstance(text, Comment)]
    texts += [str(element[name]) for name in READ for element in soup.find_all(attrs={name: True})]
    found = []
    for text in (" ".join(text.split()) for text in texts):
        if text.rstrip(":").casefold() in whole or several.search(text):
            found.append(text)
    return found
