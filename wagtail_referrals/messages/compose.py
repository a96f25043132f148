"""Putting a message together: the words are filled in for one reader and laid out, as HTML and as plain text.

Standard words and those of editors go the same way. Names in braces are replaced in texts only, never in templates.
Templates that a shop can replace: mail/base.html for the whole, mail/blocks/ for the parts, mail/details/ for the
facts. In the plain text a paragraph is one line: each mail program breaks it where its own window ends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import css_inline
from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext
from wagtail.models import Site
from wagtail.rich_text import RichText, expand_db_html

from wagtail_referrals import programs
from wagtail_referrals.messages import kinds, links
from wagtail_referrals.messages.content import Content
from wagtail_referrals.messages.filling import (
    IN_BRACES,
    Values,
    fill,
    first_name,
    hello,
    page_url,
    share_link,
    site_name,
    without_empty,
)
from wagtail_referrals.messages.kinds import TOPICS, MessageKind, Reader, message_kinds
from wagtail_referrals.messages.models import Message
from wagtail_referrals.messages.preferring import preferences_path, unsubscribe_path
from wagtail_referrals.messages.surroundings import (
    Progress,
    closing_of,
    hub_url,
    look_of,
    progress_of,
    sender_of,
    site_of,
)
from wagtail_referrals.messages.words import Part, Words, words_for
from wagtail_referrals.programs import TermsData

FOLDER: Final = "wagtail_referrals/mail"
# What is said twice, for the phone and for dark mode, stays as it is: see base.html.
_inliner: Final = css_inline.CSSInliner(load_remote_stylesheets=False)
_ADDRESS: Final = re.compile(r"https?://\S+\Z")


def compose(message: Message, recipient: Any) -> Content:
    """What this customer, or ``Lead``, is sent, in their language. Raises ``LookupError`` where there are no words."""
    return compose_with(words_for(message, recipient), message, recipient)


def values_for(message: Message, reader: Any) -> Mapping[str, str]:
    """What stands in place of each name in braces, in the current language."""
    return _Composer(message, reader).values


@dataclass(frozen=True)
class _Drawn:
    """A part of the message, twice."""

    html: str
    text: str


class _Composer:
    """Draws one message; its language is the current one."""

    def __init__(self, message: Message, reader: Any) -> None:
        self.message = message
        self.reader = reader
        self.site: Site | None = site_of(message)
        self.root: str = self.site.root_url if self.site is not None else ""
        self.kind: MessageKind | None = (
            message_kinds.get(message.kind) if message.kind in message_kinds else None
        )
        self.context: dict[str, Any] = kinds.context_of(message) if self.kind is not None else {}
        self.account_url: str = self.context.get("account_url") or page_url("referrals:account", self.root)
        self.values = Values(
            self.context,
            {
                "greeting": lambda: hello(reader),
                "name": lambda: first_name(reader),
                "site": lambda: site_name(self.site),
                "link": self.link,
                "friend_gets": lambda: programs.friend_gets(self.terms) if self.terms is not None else "",
                "you_get": lambda: programs.advocate_gets(self.terms) if self.terms is not None else "",
                "progress": lambda: self.progress.words if self.progress is not None else "",
            },
        )
        self.everything: dict[str, Any] = {
            "name": first_name(reader),
            "site_name": site_name(self.site),
            "root_url": self.root,
            "account_url": self.account_url,
            "language": translation.get_language(),
            **self.context,
        }

    # What the words ask for

    @cached_property
    def share_link(self) -> str:
        return share_link(self.reader, self.root)

    def link(self) -> str:
        """The personal link; else where the reader gets one."""
        return self.share_link or self.account_url

    @cached_property
    def terms(self) -> TermsData | None:
        """Those that the message speaks of, else what this customer can offer now."""
        if self.message.referral is not None:
            return programs.parse(self.message.referral.terms)
        if self.message.lead is not None:
            return programs.parse(self.message.lead.claim.terms)
        offer = programs.pick_terms(
            site_id=self.site.pk if self.site is not None else None,
            user_id=getattr(self.message.user, "pk", None),
        )
        return offer.data if offer is not None else None

    @cached_property
    def progress(self) -> Progress | None:
        is_known = self.message.user is not None or self.message.pk is None
        if self.terms is None or not is_known:
            return None
        return progress_of(self.message, self.message.user, self.terms)

    def target(self, value: Mapping[str, Any]) -> str:
        """Where a button leads; "" for nowhere."""
        match value["target"]:
            case "about":
                return str(self.context.get("about_url", self.account_url))
            case "hub":
                return hub_url(self.site) or self.account_url
            case "link":
                return self.link()
            case "shop":
                return f"{self.root}/"
            case "page":
                page = value["page"]
                return (page.full_url or "") if page is not None and page.live else ""
        return self.account_url

    # The parts

    def draw(self, part: Part) -> _Drawn | None:
        """``None`` for a part that has nothing to say to this reader."""
        name, value = part
        known: dict[str, Any] | None = {}
        match name:
            case "heading":
                known = {"heading": fill(str(value), self.values)}
            case "paragraph":
                return self.paragraph(value)
            case "details":
                return self.details()
            case "offer":
                known = self.offer()
            case "progress":
                known = {"progress": self.progress} if self.progress is not None else None
            case "button":
                label, url = fill(str(value["label"]), self.values), self.target(value)
                known = {"label": label, "url": url} if label and url else None
        return self.render(f"blocks/{name}", known) if known is not None else None

    def render(self, name: str, context: Mapping[str, Any]) -> _Drawn | None:
        html = render_to_string(f"{FOLDER}/{name}.html", dict(context)).strip()
        text = render_to_string(f"{FOLDER}/{name}.txt", dict(context))
        return _Drawn(html, tidy(text)) if html or text.strip() else None

    def details(self) -> _Drawn | None:
        if self.kind is None or not self.kind.details:
            return None
        facts = self.render(f"details/{self.kind.details}", self.everything)
        if facts is None:
            return None
        html = render_to_string(f"{FOLDER}/blocks/details.html", {"details": mark_safe(facts.html)})
        return _Drawn(html.strip(), facts.text)

    def offer(self) -> dict[str, Any] | None:
        if self.terms is None:
            return None
        for_friend = self.kind is not None and self.kind.reader in (Reader.FRIEND, Reader.VISITOR)
        friend, advocate = programs.friend_gets(self.terms), programs.advocate_gets(self.terms)
        return (
            {"for_friend": for_friend, "friend": friend, "advocate": advocate} if friend or advocate else None
        )

    def paragraph(self, value: Any) -> _Drawn | None:
        source = value.source if isinstance(value, RichText) else str(value)
        soup = BeautifulSoup(without_empty(expand_db_html(source), self.values), "html.parser")
        for node in list(soup.find_all(string=IN_BRACES)):
            node.replace_with(*self._filled(node))
        for element in soup.find_all("a", href=True):
            if str(element["href"]).startswith("/"):
                element["href"] = self.root + str(element["href"])
        for element in soup.find_all(["p", "li"]):
            if not element.get_text(strip=True):
                element.decompose()
        text = text_of(soup)
        return _Drawn(str(soup), text) if text else None

    def _filled(self, node: NavigableString) -> list[Any]:
        """The text with its names replaced; an address becomes a link, unless it stands in one."""
        found: list[Any] = []
        for index, piece in enumerate(IN_BRACES.split(str(node))):
            value = self.values.get(piece, "") if index % 2 else piece
            if index % 2 and _ADDRESS.match(value) and node.find_parent("a") is None:
                link = Tag(name="a", attrs={"href": value})
                link.string = without_scheme(value)
                found.append(link)
            else:
                found.append(NavigableString(value))
        return found

    # The whole

    def footer(self) -> dict[str, Any]:
        reader = self.message.user if self.message.user is not None else self.message.lead
        is_sample = reader is None and not self.message.pk
        is_for_customer = self.kind is None or self.kind.reader != Reader.VISITOR
        topic = TOPICS[self.kind.topic] if self.kind is not None else ""
        refused = is_sample and self.kind is not None and self.kind.can_be_refused
        preferences = self._absolute(preferences_path(self.message))
        unsubscribe = self._absolute(unsubscribe_path(self.message))
        return {
            "why": gettext("You get this as a customer of %(site)s (%(topic)s).")
            % {"site": site_name(self.site), "topic": topic}
            if is_for_customer
            else "",
            # What is only looked at belongs to nobody: its links lead to the site.
            "preferences_url": preferences or (f"{self.root}/" if is_sample and is_for_customer else ""),
            "unsubscribe_url": unsubscribe or (f"{self.root}/" if refused and is_for_customer else ""),
        }

    def _absolute(self, path: str) -> str:
        return f"{self.root}{path}" if path else ""

    def headers(self) -> dict[str, str]:
        """What can be refused can be from the list of mails too, by one click (RFC 8058)."""
        url = self.context.get("remove_url") or self._absolute(unsubscribe_path(self.message))
        if not url or self.message.pk is None:
            return {}
        return {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}

    def tracked(self, html: str) -> SafeString:
        """With the links that are ours going by ``links``, but for the one that is passed on, and for the way out."""
        soup = BeautifulSoup(html, "html.parser")
        # Not asked for here: where nothing speaks of it, it stands nowhere.
        plain = {self.context.get("remove_url"), self.__dict__.get("share_link")}
        for element in soup.find_all("a", href=True):
            url = str(element["href"])
            if url not in plain:
                element["href"] = links.tracked(self.message, self.root, url)
        return mark_safe(str(soup))


def compose_with(words: Words, message: Message, reader: Any) -> Content:
    """As ``compose``, with these words."""
    with translation.override(words.language):
        composer = _Composer(message, reader)
        subject = one_line(fill(words.subject, composer.values))
        preheader = one_line(fill(words.preheader, composer.values))
        drawn = [found for part in words.parts if (found := composer.draw(part)) is not None]
        closing = composer.context.get("closing") or closing_of(message)
        if closing is not None:
            known = {"words": closing.words, "url": closing.url, "label": closing.label}
            ending = composer.render("blocks/closing", known)
            drawn += [ending] if ending is not None else []
        footer = composer.footer()
        body = composer.tracked("\n".join(part.html for part in drawn))
        is_bidi = translation.get_language_bidi()
        html = render_to_string(
            f"{FOLDER}/base.html",
            {
                **composer.everything,
                **footer,
                "body": body,
                "subject": subject,
                "preheader": preheader,
                "look": look_of(composer.site),
                "dir": "rtl" if is_bidi else "ltr",
                "start": "right" if is_bidi else "left",
            },
        )
        text = tidy(
            "\n\n".join(
                [
                    # A heading that says what the subject says is read twice as it is.
                    *(part.text for part in drawn if part.text != subject),
                    render_to_string(f"{FOLDER}/base.txt", {**composer.everything, **footer}),
                ]
            )
        )
        return Content(
            subject=subject,
            preheader=preheader,
            text=text,
            html=_inliner.inline(html),
            sender=sender_of(composer.site),
            headers=composer.headers(),
        )


def one_line(text: str) -> str:
    # str.split would also break non-breaking spaces.
    return re.sub(r"[ \t\r\n]+", " ", text).strip()


def tidy(text: str) -> str:
    """Without blanks at the ends of lines, and with one empty line between paragraphs at most."""
    lines = [line.strip(" \t") for line in text.replace("\r", "").split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def without_scheme(url: str) -> str:
    return url.partition("://")[2].rstrip("/")


# Rich text as plain text


def text_of(soup: Tag) -> str:
    """Paragraphs and lists, with an empty line between them."""
    blocks = []
    for child in soup.children:
        if isinstance(child, Tag) and child.name in ("ul", "ol"):
            blocks.append(_list(child))
        else:
            blocks.append(_inline(child))
    return "\n\n".join(block for block in blocks if block)


def _list(element: Tag) -> str:
    lines = []
    for number, item in enumerate(element.find_all("li", recursive=False), start=1):
        mark = f"{number}." if element.name == "ol" else "-"
        lines.append(f"{mark} {_inline(item)}")
    return "\n".join(lines)


def _inline(node: Any) -> str:
    """One line, unless there are breaks in it; a link is followed by its address."""
    return "\n".join(re.sub(r"[ \t\r\n\f]+", " ", line).strip(" ") for line in _words(node).split("\0"))


def _words(node: Any) -> str:
    if isinstance(node, NavigableString):
        return str(node)
    if node.name == "br":
        return "\0"
    words = "".join(_words(child) for child in node.children)
    href = str(node.get("href", "")) if node.name == "a" else ""
    if not href or href == words:
        return words
    if words in (without_scheme(href), href.removeprefix("mailto:"), href.removeprefix("tel:")):
        return href.removeprefix("mailto:").removeprefix("tel:")
    return f"{words} ({href.removeprefix('mailto:').removeprefix('tel:')})"
