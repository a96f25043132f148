"""Words in braces, and what stands in their place for one reader."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.urls import NoReverseMatch, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.models import Site

from wagtail_referrals import people
from wagtail_referrals.messages.kinds import MessageKind, Reader, greeting

IN_BRACES: Final = re.compile(r"\{([a-z_]+)\}")
_ANYTHING: Final = re.compile(r"\{([^{}<>]*)\}")
# What goes where there is nothing to say: the blank before it, and a comma before that.
_BEFORE: Final = r"(?:,?[ \u00a0\u202f]+)?"
_TAGS: Final = r"((?:<[^<>/]+>)*)"

# What each message can say, whatever it is about; the kind has more.
FOR_EVERYBODY: Final[dict[str, Any]] = {
    "greeting": _("“Hello Camille,”, or “Hello,” where the name is not known"),
    "name": _("The reader's first name; may be empty"),
    "site": _("The name of the site"),
}
FOR_CUSTOMERS: Final[dict[str, Any]] = {
    "link": _("The personal link that the reader shares"),
    "friend_gets": _("What a friend gets; may be empty"),
    "you_get": _("What the reader gets for a friend; may be empty"),
    "progress": _("How far the reader is to the next milestone; may be empty"),
}


def placeholders_of(kind: MessageKind) -> dict[str, Any]:
    """Name and meaning of all that stands in braces in messages of this kind."""
    common = FOR_EVERYBODY if kind.reader == Reader.VISITOR else FOR_EVERYBODY | FOR_CUSTOMERS
    return {**common, **kind.placeholders}


def refuse_unknown(kind: MessageKind, text: str) -> None:
    """Raises ``ValidationError`` where braces hold something that nothing is put in place of."""
    known = placeholders_of(kind)
    unknown = [name for name in _ANYTHING.findall(text) if name not in known]
    if unknown:
        raise ValidationError(
            gettext("Nothing is put in place of %(unknown)s. What is replaced in this message: %(known)s.")
            % {"unknown": _braced(unknown), "known": _braced(known)},
            code="placeholder",
        )


def _braced(names: Iterable[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)


class Values(Mapping[str, str]):
    """What stands for each name. Worked out when it is asked for: some cost a query."""

    def __init__(self, known: Mapping[str, Any], asked: Mapping[str, Callable[[], str]]) -> None:
        self._known = {name: str(value) for name, value in known.items() if isinstance(value, str | int)}
        self._asked = asked

    def __getitem__(self, name: str) -> str:
        if name not in self._known:
            self._known[name] = self._asked[name]()
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._asked, **self._known})

    def __len__(self) -> int:
        return len({**self._asked, **self._known})


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text for one reader. Where a name is empty, the blank before it goes; what begins with a name begins with a
    capital letter.
    """
    filled = IN_BRACES.sub(lambda match: values.get(match[1], ""), without_empty(text, values))
    return capfirst(filled.strip()) if text.lstrip().startswith("{") else filled.strip()


def without_empty(text: str, values: Mapping[str, str]) -> str:
    """The text, or the HTML, without the names that are empty: "Hello {name}," becomes "Hello,"."""
    for name in set(IN_BRACES.findall(text)):
        if not values.get(name, ""):
            text = re.sub(rf"{_BEFORE}{_TAGS}\{{{name}\}}", r"\1", text)
    return re.sub(r"^((?:<[^<>]+>)*)[,;:.!] +", r"\1", text)


def first_name(reader: Any) -> str:
    return str(getattr(reader, "first_name", "") or "").strip()


def share_link(reader: Any, root: str) -> str:
    """The customer's own link; "" for who has none yet."""
    advocate = people.find_advocate(reader) if hasattr(reader, "is_authenticated") and reader.pk else None
    if advocate is None:
        return ""
    return root + people.share_path(people.code_of(advocate))


def page_url(name: str, root: str) -> str:
    try:
        return root + reverse(name)
    except NoReverseMatch:
        return root


def site_name(site: Site | None) -> str:
    if site is None:
        return ""
    return site.site_name or site.hostname


def hello(reader: Any) -> str:
    return greeting(first_name(reader))
