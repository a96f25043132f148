"""Each kind of message can be shown without anybody's data, and stands in the reference."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.template.loader import get_template
from django.utils.translation import override

from wagtail_referrals.messages.compose import compose
from wagtail_referrals.messages.filling import placeholders_of
from wagtail_referrals.messages.kinds import (
    TOPICS,
    MessageKind,
    Reader,
    Urgency,
    context_of,
    message_kinds,
    register_context,
)
from wagtail_referrals.messages.models import Message
from wagtail_referrals.referrals.timeline import message_name

pytestmark = pytest.mark.django_db

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "messages.md"
KEYS = [kind.key for kind in message_kinds]
# Its words are those of its step, which names a template.
WITHOUT_WORDS = {"sequence"}
URGENCIES = {Urgency.AT_ONCE: "at once", Urgency.ACCOUNT: "account", Urgency.EXTRA: "extra"}


def sample(kind: MessageKind, language: str = "en") -> Message:
    with override(language):
        data = kind.sample() if kind.sample is not None else {}
    return Message(kind=kind.key, data=data, language=language)


def reader() -> Any:
    return get_user_model()(email="camille@example.com", first_name="Camille")


@pytest.mark.parametrize("key", sorted(set(KEYS) - WITHOUT_WORDS))
@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_standard_words_say_something_without_anybodys_data(key: str, language: str) -> None:
    content = compose(sample(message_kinds.get(key), language), reader())
    assert content.subject and content.text.strip()
    for part in (content.subject, content.preheader, content.text):
        assert "None" not in part
        assert not re.search(r"[{}]|%\(|\(\)|“”|  | [,.](\s|$)|: ?\.", part), part
    assert "<!DOCTYPE html>" in content.html


@pytest.mark.parametrize("key", sorted(set(KEYS) - WITHOUT_WORDS))
def test_what_stands_in_braces_is_known(key: str) -> None:
    kind = message_kinds.get(key)
    standard = kind.standard
    assert standard is not None
    texts = [standard.subject, standard.preheader, standard.heading, *standard.paragraphs, standard.button]
    used = {name for text in texts for name in re.findall(r"{(\w+)}", str(text))}
    assert used <= set(placeholders_of(kind))
    # What the kind names of its own, it also gives.
    assert set(kind.placeholders) <= set(context_of(sample(kind)))


@pytest.mark.parametrize("kind", list(message_kinds), ids=KEYS)
def test_each_has_a_place_and_a_name(kind: MessageKind) -> None:
    assert kind.topic in TOPICS
    assert str(kind.label)[0].islower() or kind.label == message_name(kind.key)
    assert message_name(kind.key) == str(kind.label)
    assert str(kind.when).endswith(".")
    if kind.details:
        for end in ("html", "txt"):
            get_template(f"wagtail_referrals/mail/details/{kind.details}.{end}")


def test_a_kind_that_is_gone_is_called_by_its_key() -> None:
    assert message_name("of_an_app_that_was_removed") == "of_an_app_that_was_removed"


def test_an_app_adds_to_a_kind_and_what_it_cannot_is_left_out(monkeypatch: Any, caplog: Any) -> None:
    monkeypatch.setattr("wagtail_referrals.messages.kinds._contexts", [])

    def fail(message: Message) -> dict[str, Any]:
        raise RuntimeError("not today")

    register_context("reward_given", fail)
    register_context("reward_given", lambda message: {"use_words": "At the counter."})
    register_context("reward_taken_back", lambda message: {"use_words": "Nowhere."})
    found = context_of(sample(message_kinds.get("reward_given")))
    assert found["use_words"] == "At the counter." and found["amount"] == "€15.00"
    assert "goes without what an app would add" in caplog.text


# The reference


def rows() -> dict[str, list[str]]:
    """The tables of the page: what stands in each row, by the key."""
    found = {}
    for line in REFERENCE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 7:
            found[cells[0].strip("`")] = cells[1:]
    return found


def test_the_reference_names_every_kind_as_it_is() -> None:
    table = rows()
    assert sorted(table) == sorted(KEYS)
    for kind in message_kinds:
        when, to, topic, urgency, sent, braces = table[kind.key]
        assert when.rstrip(".") == str(kind.when).rstrip("."), kind.key
        assert to == {Reader.VISITOR: "visitor"}.get(kind.reader, kind.reader.value), kind.key
        assert topic == str(TOPICS[kind.topic]), kind.key
        assert urgency == URGENCIES[kind.urgency], kind.key
        assert sent == ("yes" if kind.is_on else "no") + ("" if kind.can_be_refused else ", always"), kind.key
        assert re.findall(r"{(\w+)}", braces) == list(kind.placeholders), kind.key
