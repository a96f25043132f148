"""Which words a message is sent with: the editor's in the reader's language, else the standard ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.db.models import F, Q
from django.utils import translation
from django.utils.html import escape

from wagtail_referrals import programs
from wagtail_referrals.messages.kinds import MessageKind, message_kinds
from wagtail_referrals.messages.models import Message, MessageTemplate, MessageText
from wagtail_referrals.messages.surroundings import program_of

# Its messages name their template themselves.
SEQUENCE: Final = "sequence"

# The name of a block of ``body.BodyBlock``, and its value.
Part = tuple[str, Any]


@dataclass(frozen=True)
class Words:
    """As they were written, with names in braces. ``language`` is the one they are written in."""

    language: str
    subject: str
    preheader: str
    parts: Sequence[Part]


def words_for(message: Message, reader: Any) -> Words:
    """Raises ``LookupError`` where there are none: for a kind that nobody has registered, or an empty step."""
    language = message.language or settings.LANGUAGE_CODE
    template = template_for(message)
    if template is not None:
        text = text_for(template.texts.all(), language, reader)
        if text is not None:
            return words_of(text)
    return standard_words(message_kinds.get(message.kind), language)


def template_for(message: Message) -> MessageTemplate | None:
    """The published words of an editor: those of the program that it speaks of, else those for all."""
    live = MessageTemplate.objects.filter(live=True).prefetch_related("texts__audience")
    if message.kind == SEQUENCE:
        return live.filter(pk=message.data.get("template")).first()
    found = live.filter(kind=message.kind).order_by(F("program").asc(nulls_last=True), "pk")
    program = program_of(message)
    return found.filter(Q(program=None) | Q(program=program) if program else Q(program=None)).first()


def text_for(texts: Iterable[MessageText], language: str, reader: Any) -> MessageText | None:
    """In the language, else in its main one, else in the site's, else in any; for an audience that the reader is in."""
    written = list(texts)
    wanted = [language, language.split("-")[0], settings.LANGUAGE_CODE, settings.LANGUAGE_CODE.split("-")[0]]
    for name in dict.fromkeys([*wanted, *(text.language for text in written)]):
        mine = [text for text in written if text.language == name]
        for text in mine:
            if text.audience is not None and _is_in(text.audience, reader):
                return text
        for text in mine:
            if text.audience is None:
                return text
    return None


def _is_in(audience: Any, reader: Any) -> bool:
    user_id = reader.pk if hasattr(reader, "is_authenticated") else None
    return programs.in_audience(programs.audience_data(audience), user_id)


def words_of(text: MessageText) -> Words:
    return Words(
        language=text.language,
        subject=text.subject,
        preheader=text.preheader,
        parts=[(part.block_type, part.value) for part in text.body],
    )


def standard_words(kind: MessageKind, language: str) -> Words:
    """Ours, as if an editor had written them. Raises ``LookupError`` for a kind that has none."""
    standard = kind.standard
    if standard is None:
        raise LookupError(f"No words for messages of the kind {kind.key!r}")
    with translation.override(language):
        parts: list[Part] = []
        if heading := str(standard.heading):
            parts.append(("heading", heading))
        parts += [("paragraph", f"<p>{escape(paragraph)}</p>") for paragraph in standard.paragraphs]
        if kind.details:
            parts.append(("details", None))
        if label := str(standard.button):
            parts.append(("button", {"label": label, "target": standard.target, "page": None}))
        return Words(language, str(standard.subject), str(standard.preheader), parts)
