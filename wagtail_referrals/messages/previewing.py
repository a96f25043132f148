"""Messages to look at: with the facts of a sample, for a reader whom nobody knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

from django.conf import settings
from django.http import HttpResponse
from django.utils import translation
from django.utils.html import format_html
from django.utils.translation import get_language, gettext

from wagtail_referrals.messages.compose import compose_with, values_for
from wagtail_referrals.messages.content import Content
from wagtail_referrals.messages.kinds import MessageKind, message_kinds
from wagtail_referrals.messages.models import Message, MessageTemplate, MessageText
from wagtail_referrals.messages.words import Words, standard_words, text_for, words_of
from wagtail_referrals.programs.models import language_choices

# As somebody may be called whom all languages can read.
NAME: Final = "Camille"
KNOWN: Final = "known"
UNKNOWN: Final = "unknown"
PLAIN: Final = "plain"
# So many kB of a mail's HTML Gmail shows; the rest only to who asks for it.
SHOWN_KB: Final = 102
# What stands for sentences of the standard words that are not the same in every case.
STANDARD_NAMES: Final = ("headline", "news", "button")


@dataclass(frozen=True)
class SampleReader:
    first_name: str = NAME


def sample_message(kind: str, language: str) -> Message:
    """A message that is never saved, and goes to nobody."""
    found = message_kinds.get(kind) if kind in message_kinds else None
    with translation.override(language):
        data = found.sample() if found is not None and found.sample is not None else {}
    return Message(kind=kind, language=language, data=data)


def compose_sample(words: Words, kind: str, *, name: str = NAME) -> Content:
    return compose_with(words, sample_message(kind, words.language), SampleReader(name))


def standard_examples(kind: MessageKind) -> list[tuple[str, str]]:
    """The names of sentences of the standard words in this kind, with what they are in a sample, for who reads this."""
    names = [name for name in STANDARD_NAMES if name in kind.placeholders]
    if not names:
        return []
    values = values_for(sample_message(kind.key, get_language() or ""), SampleReader())
    return [(name, values.get(name, "")) for name in names]


def size_warnings(template: MessageTemplate, texts: Iterable[MessageText] | None = None) -> list[str]:
    """A sentence for each text of which Gmail would show a part only, as a sample: real mails are a little longer."""
    known = dict(language_choices())
    found = []
    for text in template.texts.all() if texts is None else texts:
        if not text.language:
            continue
        size = len(compose_sample(words_of(text), template.kind).html.encode()) / 1024
        if size > SHOWN_KB:
            which = known.get(text.language, text.language)
            if text.audience is not None:
                words = {"language": which, "audience": text.audience.name}
                which = gettext("%(language)s, for “%(audience)s”") % words
            found.append(
                gettext(
                    "The mail (%(which)s) has %(size)s kB. Gmail shows the first %(shown)s kB, and the rest, with the "
                    "way to unsubscribe, only to readers who ask for it. Make it shorter."
                )
                % {"which": which, "size": ceil(size), "shown": SHOWN_KB}
            )
    return found


def modes_of(template: MessageTemplate) -> list[tuple[str, str]]:
    """Each language with a name and without one, and as plain text; and each text for an audience."""
    found = []
    for language, label in _languages(template):
        found += [
            (f"{language}:{KNOWN}", str(label)),
            (f"{language}:{UNKNOWN}", gettext("%(language)s, without a name") % {"language": label}),
            (f"{language}:{PLAIN}", gettext("%(language)s, as plain text") % {"language": label}),
        ]
    known = dict(language_choices())
    for text in template.texts.all():
        if text.audience is not None and text.language:
            label = known.get(text.language, text.language)
            words = {"language": label, "audience": text.audience.name}
            found.append(
                (f"{text.language}:{text.audience.pk}", gettext("%(language)s, for “%(audience)s”") % words)
            )
    return found


def _languages(template: MessageTemplate) -> list[tuple[str, Any]]:
    """Those that it is written in; before anything is written, those of the site's content."""
    known = dict(language_choices())
    written = dict.fromkeys(text.language for text in template.texts.all() if text.language)
    return [(code, known.get(code, code)) for code in written or known]


def chosen_text(template: MessageTemplate, language: str, audience: str = "") -> MessageText | None:
    """The text in this language for an audience, by its key; else for everybody else in it."""
    texts = list(template.texts.all())
    for text in texts:
        if text.language == language and audience and str(text.audience_id) == audience:
            return text
    for_all = [text for text in texts if text.audience_id is None]
    return text_for(for_all, language, SampleReader())


def draw(template: MessageTemplate, mode: str) -> HttpResponse:
    """The message as in this mode of ``modes_of``."""
    language, _colon, variant = (mode or f"{settings.LANGUAGE_CODE}:{KNOWN}").partition(":")
    text = chosen_text(template, language, variant)
    try:
        words = (
            words_of(text) if text is not None else standard_words(message_kinds.get(template.kind), language)
        )
    except LookupError:
        return HttpResponse(format_html("<p>{}</p>", gettext("There are no words yet.")))
    content = compose_sample(words, template.kind, name="" if variant == UNKNOWN else NAME)
    if variant != PLAIN:
        return HttpResponse(content.html)
    return HttpResponse(
        format_html(
            '<!DOCTYPE html><html lang="{}"><head><meta charset="utf-8"><title>{}</title></head>'
            '<body><pre style="white-space: pre-wrap; font: 15px/1.5 monospace">{}\n\n{}</pre></body></html>',
            words.language,
            content.subject,
            content.subject,
            content.text,
        )
    )
