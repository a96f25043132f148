"""French is good French: its typography, the sentences that are put together from parts, and no English left over."""

from __future__ import annotations

import ast
import html
import itertools
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.template.base import Lexer, TokenType
from django.utils.encoding import force_str
from django.utils.translation import override

from tools import messages
from wagtail_referrals import programs
from wagtail_referrals.kinds import Rule, Side, reward_kinds, triggers
from wagtail_referrals.messages.kinds import message_kinds
from wagtail_referrals.programs import TermsData
from wagtail_referrals.referrals.models import Referral, TimelineEvent
from wagtail_referrals.referrals.reasons import REASONS
from wagtail_referrals.referrals.timeline import CHECKS, SOURCES, WORDS, event_words
from wagtail_referrals.rewards.models import Reward

PACKAGES = ["wagtail_referrals", "oscar_integration"]
OUR_APPS = ["wagtail_referrals", "wagtail_referrals_credit", "oscar_integration"]
NBSP = "\u00a0"
NARROW = "\u202f"

# The same word in both languages.
SAME = {
    "%(delay)s %(moment)s",
    "E-mail",
    "{greeting}",
    "%(figure)s (%(currency)s)",
    "%(label)s (%(number)s)",
    "%(number)s (%(series)s)",
    "%(number)s (%(share)s)",
    "%(rank)s. %(name)s",
    "Conversion",
    "Invitations",
    "Messages",
    "Place",
    "page",
    "workflow",
    "%(customer)s, %(plan)s",
    "%(gift)s.",
    "%(number)s × %(reward)s",
    "%(reward)s, %(once)s.",
    "Invitation",
    "Message",
    "Page",
    "Situation",
    "note",
    "question",
    "questions",
    "situations",
    "%(number)s %(name)s",
    "%(period)s, %(uses)s",
    "Audiences",
    "Badge",
    "Badges",
    "Camille",
    "Code",
    "Codes",
    "Conditions",
    "Date",
    "Introduction",
    "Marketing",
    "Pages",
    "Points",
    "QR code",
    "Total",
    "Version %(number)s",
    "Version %(number)s (%(date)s)",
    "audience",
    "audiences",
    "badge",
    "badges",
    "budget",
    "budgets",
    "code",
    "codes",
    "date",
    "e-mail",
    "introduction",
    "invitation",
    "invitations",
    "lots",
    "message",
    "messages",
    "site",
    "total",
    "version",
}

# Each says what is wrong with the text it finds.
WRONG = {
    "a straight apostrophe": re.compile(r"\w'\w"),
    "a space that breaks the line, or none, before a colon": re.compile(rf"[^{NBSP}]:(?=\s|$)"),
    "a space that breaks the line, or none, before ; ! ?": re.compile(rf"[^{NARROW}{NBSP}][;!?]"),
    "a space that breaks the line before % or €": re.compile(r" (?:%(?![(%])|€)"),
    "guillemets without their spaces": re.compile(rf"«(?!{NBSP})|(?<!{NBSP})»"),
    "English quotation marks": re.compile('[“”"]'),
    "three dots": re.compile(r"\.\.\."),
    "two spaces": re.compile(r"[ \u00a0]{2}"),
    "an article that did not melt": re.compile(r"\b(?:à|de) les?\b", re.IGNORECASE),
    "an elision that was left out": re.compile(
        r"\b(?:que|de|le|la|jusque|ce) (?=(?:il|elle|un|une|au|est)\b)", re.IGNORECASE
    ),
}


# What a developer is to write into a file is quoted as it is written there.
CODE = re.compile(
    r"\{%.*?%\}|path\(\"\", .*?\)\)|include\(\"[^\"]*\"\)|[A-Z_]+\[\"[^\"]*\"\]|from \S+ import .*?\)\."
)
# Words that Oscar has too stay as Oscar has them: see test_words_of_the_shop.py.
OSCARS = {"Envoi..."}


def faults(text: str) -> list[str]:
    """What is wrong with a French text, in words; markup and code are left out."""
    plain = CODE.sub("code", re.sub(r"<[^>]*>", "", text))
    if text in OSCARS:
        return []
    return [fault for fault, pattern in WRONG.items() if pattern.search(plain)]


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (f"Reste à récupérer{NBSP}: 15,00{NBSP}€", True),
        ("Reste à récupérer : 15,00\u00a0€", False),
        ("C'est votre lien", False),
        (f"Un proche{NARROW}?", True),
        ("Un proche ?", False),
        (f"«{NBSP}Un proche{NBSP}»", True),
        ("« Un proche »", False),
        ("Récompense donnée à le filleul", False),
        ("dès que il a commandé", False),
        ("10 % de la commande", False),
    ],
)
def test_faults_are_seen(text: str, good: bool) -> None:
    assert (faults(text) == []) is good


@pytest.mark.parametrize("package", [*PACKAGES, "example_site"])
def test_every_text_is_set_as_french_is(package: str) -> None:
    wrong = {}
    for path in messages.catalogs(messages.ROOT / package):
        for message in messages._read(path):
            if message.id:
                for text in messages._strings(message.string):
                    if found := faults(text):
                        wrong[text] = found
    assert wrong == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_text_was_only_copied(package: str) -> None:
    copied = {
        message.id
        for path in messages.catalogs(messages.ROOT / package)
        for message in messages._read(path)
        if message.id and message.string == message.id and re.search("[a-z]{3}", message.id.replace("%(", ""))
    }
    assert copied - SAME == set()


# Called so in every language.
NAMES = {"PNG", "SVG"}
# Attributes may hold ">".
TAG = re.compile(r"""<(?:[^>"']|"[^"]*"|'[^']*')*>""")


def untranslated(source: str) -> list[str]:
    """Words in a template that do not go through gettext: texts, and attributes that are read aloud or shown."""
    left = []
    inside = False
    for token in Lexer(source).tokenize():
        if token.token_type == TokenType.BLOCK:
            name = token.split_contents()[0] if token.contents else ""
            if name in ("blocktrans", "blocktranslate", "comment"):
                inside = True
            elif name in ("endblocktrans", "endblocktranslate", "endcomment"):
                inside = False
            left.append(" ")
        elif token.token_type == TokenType.TEXT and not inside:
            left.append(token.contents)
        elif token.token_type == TokenType.VAR:
            left.append("\x00")
    text = re.sub(r"<(script|style)\b.*?</\1>", "", "".join(left), flags=re.DOTALL)
    shown = re.findall(r'\b(?:title|alt|placeholder|aria-label|label)="([^"]*)"', text)
    shown.append(TAG.sub(" ", text))
    # French puts a space before these, so they belong into what is translated.
    words = (word for part in shown for word in re.findall(r"[^\W\d_]{2,}|[:;!?]", html.unescape(part)))
    return [word for word in words if word not in NAMES]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<p>{% translate 'Hello' %} {{ name }}</p>", []),
        ('<p class="big">{% blocktranslate %}Hello{% endblocktranslate %} {{ name }}</p>', []),
        ("<p>{% translate 'Hello' %}: {{ name }}</p>", [":"]),
        ("<p>Hello {{ name }}</p>", ["Hello"]),
        ('<a title="Close">×</a>', ["Close"]),
        ("{% comment %}Why{% endcomment %}", []),
    ],
)
def test_words_outside_gettext_are_seen(source: str, words: list[str]) -> None:
    assert untranslated(source) == words


@pytest.mark.parametrize("package", PACKAGES)
def test_templates_hold_no_words_of_their_own(package: str) -> None:
    found = {}
    for path in itertools.chain(*((messages.ROOT / package).rglob(f"*.{kind}") for kind in ("html", "txt"))):
        # A licence is in its own language.
        if path.parent.name == "fonts":
            continue
        if words := untranslated(path.read_text(encoding="utf-8")):
            found[path.relative_to(messages.ROOT).as_posix()] = words
    assert found == {}


def test_scripts_hold_no_words_of_their_own() -> None:
    """Their words come from the page, in attributes: a sentence in a script would need a catalog of its own."""
    for path in (messages.ROOT / "wagtail_referrals" / "static").rglob("*.js"):
        code = re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert re.findall(r"[\"'`][A-Z][a-z]+ [a-z]+ [^\"'`]*[\"'`]", code) == [], path.name


def _calls(path: Path) -> list[ast.Call]:
    return [
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
    ]


def test_labels_and_messages_in_code_are_translated() -> None:
    """Names of fields, headings and notes are never bare strings."""
    shown = {"label", "heading", "help_text", "verbose_name", "menu_label", "page_title", "empty_label"}
    bare = []
    for package in PACKAGES:
        for path in sorted((messages.ROOT / package).rglob("*.py")):
            if "migrations" in path.parts:
                continue
            for call in _calls(path):
                values = [word.value for word in call.keywords if word.arg in shown]
                if isinstance(call.func, ast.Attribute) and ast.unparse(call.func).startswith("messages."):
                    values += call.args[1:2]
                bare += [
                    f"{path.name}: {value.value!r}"
                    for value in values
                    if isinstance(value, ast.Constant)
                    and isinstance(value.value, str)
                    # A word in braces is replaced by what is said elsewhere.
                    and re.sub(r"\{\w+\}", "", value.value).strip()
                ]
    assert bare == []


def _model_texts() -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for label in OUR_APPS:
        for model in apps.get_app_config(label).get_models():
            name = model._meta.label
            found += [(f"{name}", model._meta.verbose_name), (f"{name}s", model._meta.verbose_name_plural)]
            for field in model._meta.concrete_fields:
                # Others' fields (pages, drafts) are theirs to translate.
                if field.model is not model or field.name not in vars(model):
                    continue
                found += [(f"{name}.{field.name} choice", text) for _value, text in field.choices or ()]
                if field.help_text:
                    found.append((f"{name}.{field.name} help", field.help_text))
    return found


def test_models_are_named_in_french() -> None:
    english = []
    for where, text in _model_texts():
        with override("en"):
            before = force_str(text)
        with override("fr"):
            after = force_str(text)
        if (
            before == after
            and before not in SAME
            and re.search("[a-z]{3}", before)
            and "WhatsApp" not in before
        ):
            english.append(f"{where}: {before}")
    assert english == []


@pytest.mark.parametrize("name", ["Program", "ProgramRule", "ProgramText"])
def test_what_editors_fill_in_has_french_names(name: str) -> None:
    """Django makes a name of the field's own where none was given: that would be English."""
    model = apps.get_model("wagtail_referrals", name)
    inherited = {
        field.name
        for base in model.__mro__[1:]
        if hasattr(base, "_meta")
        for field in base._meta.get_fields()
    }
    with override("fr"):
        named_by_django = {
            field.name
            for field in model._meta.concrete_fields
            if field.editable and force_str(field.verbose_name) == field.name.replace("_", " ")
        }
    assert named_by_django - inherited - SAME - {"program"} == set()


# Sentences made of parts


# What an editor has chosen, for kinds whose words need it.
OPTIONS: dict[str, dict[str, Any]] = {
    "badge": {"badge": 1, "badge_names": {"en": "Ambassador", "fr": "Ambassadrice"}, "badge_icon": "star"},
    "points": {"points": 50, "points_unit": "LEAVES"},
    "free_product": {"gift_product": 1, "gift_titles": {"en": "Mat", "fr": "Tapis"}},
    "buys_from_range": {"bought_range": 1, "bought_range_names": {"en": "Workshops", "fr": "Ateliers"}},
    "buys_product_class": {"bought_class": 1, "bought_class_names": {"en": "Workshop", "fr": "Atelier"}},
    "membership": {"gift_plan": 1, "gift_plan_names": {"en": "Day pass", "fr": "Pass d’un jour"}},
    "buys_membership": {"bought_plans": [1], "bought_plans_names": [{"en": "Monthly", "fr": "Mensuel"}]},
}


def a_rule(side: str, trigger: str, kind: str, **values: Any) -> Rule:
    numbered = triggers.get(trigger).on == "tier"
    values.setdefault("options", OPTIONS.get(kind, {}) | OPTIONS.get(trigger, {}))
    return Rule(
        key=f"{side}-{trigger}-{kind}",
        side=side,
        trigger=trigger,
        kind=kind,
        refund_policy="keep",
        amounts={"EUR": Decimal(15)},
        percent=Decimal(10),
        occurrence=5 if numbered else None,
        **values,
    )


def terms_of(*rules: Rule, **values: Any) -> TermsData:
    with override("en"):
        data = programs.draft_data(programs.presets.get("give_percent_get_credit").build()).to_json()
    parsed = TermsData.from_json(data | values)
    return TermsData(**{**vars(parsed), "rules": rules})


def spaced(text: str) -> str:
    """With ordinary spaces, so that a test can be read."""
    return text.replace(NBSP, " ").replace(NARROW, " ")


@pytest.mark.parametrize(
    ("kind", "gets"),
    [
        ("credit", "15,00 € de crédit de parrainage"),
        ("credit_percent", "10 % de la commande en crédit de parrainage"),
        ("discount_percent", "10 % de réduction sur une commande"),
        ("discount_fixed", "15,00 € de réduction sur une commande"),
        ("free_shipping", "la livraison offerte pour une commande"),
    ],
)
@pytest.mark.parametrize(
    ("trigger", "once"),
    [
        ("registers", "a ouvert un compte"),
        ("first_purchase", "a passé une première commande"),
        ("every_purchase", "a passé une commande, à chaque fois"),
        ("nth_referral", "est le 5ᵉ à avoir commandé"),
    ],
)
def test_the_sentence_is_french(kind: str, gets: str, trigger: str, once: str) -> None:
    data = terms_of(a_rule("friend", "arrives", kind), a_rule("advocate", trigger, kind))
    with override("fr"):
        text = programs.sentence(data)
    cap = "" if trigger == "nth_referral" else ", au plus 10 fois par an"
    assert spaced(text) == (
        f"Quand votre client parraine un proche, le filleul obtient {gets}. "
        f"Dès que le filleul {once}, votre client obtient {gets}, 14 jours après la livraison{cap}."
    )
    assert faults(text) == []


def test_the_sentence_is_french_with_everything_in_it() -> None:
    minimum = {"minimum_spend": {"EUR": Decimal(50)}}
    data = terms_of(
        a_rule("friend", "registers", "credit"),
        a_rule("friend", "first_purchase", "free_shipping", **minimum),
        a_rule("advocate", "first_purchase", "credit", **minimum),
        hold_days=1,
        hold_anchor="paid",
        cap_count=1,
        cap_period="month",
    )
    with override("fr"):
        text = programs.sentence(data)
    assert spaced(text) == (
        "Quand votre client parraine un proche, le filleul obtient 15,00 € de crédit de parrainage dès qu’il a "
        "ouvert un compte. Dès que le filleul a passé une première commande (à partir de 50,00 €), il obtient la "
        "livraison offerte pour une commande. Dès que le filleul a passé une première commande (à partir de 50,00 €), "
        "votre client obtient 15,00 € de crédit de parrainage, 1 jour après le paiement, au plus 1 fois par mois."
    )


def test_every_kind_and_trigger_that_is_registered_has_french_words() -> None:
    """Also those that a package of ours registers beside the engine's."""
    for kind, trigger in itertools.product(reward_kinds, triggers):
        for side in Side.values:
            if side not in kind.sides or side not in trigger.sides:
                continue
            rule = a_rule(side, trigger.key, kind.key)
            with override("en"):
                english = (kind.words(rule, "EUR"), trigger.words(rule), str(kind.label), str(trigger.label))
            with override("fr"):
                french = (kind.words(rule, "EUR"), trigger.words(rule), str(kind.label), str(trigger.label))
            pairs = zip(english, french, strict=True)
            assert all(before != after or before in SAME for before, after in pairs), english
            assert [text for text in french if faults(text)] == []


def _events() -> list[TimelineEvent]:
    rule = a_rule("friend", "arrives", "free_shipping")
    variants: dict[str, list[Any]] = {
        "side": ["friend", "advocate"],
        "reason": list(REASONS),
        "source": list(SOURCES),
        "check": list(CHECKS),
        "state": [*Referral.State.values],
        "message": [kind.key for kind in message_kinds],
    }
    common = {
        "amount": "15.00",
        "currency": "EUR",
        "gift": programs.kept_gift(rule, "EUR"),
        "reference": "100012",
        "note": "",
        "until": "2026-12-24T12:00:00+00:00",
    }
    first = {name: values[0] for name, values in variants.items()}
    events = []
    for kind, words in WORDS.items():
        with override("en"):
            names = set(re.findall(r"%\((\w+)\)s", str(words)))
        names = {"side" if name.endswith("_side") else name.removesuffix("_name") for name in names}
        for name in names & set(variants) or {"side"}:
            events += [
                TimelineEvent(kind=kind, data={**common, **first, name: value}) for value in variants[name]
            ]
    return events


def test_the_timeline_is_french() -> None:
    texts = set()
    for event in _events():
        with override("en"):
            english = event_words(event)
        with override("fr"):
            french = event_words(event)
        assert french != english
        assert faults(french) == [], french
        texts.add(spaced(french))
    assert "Récompense donnée au parrain : 15,00 €." in texts
    assert "Récompense du filleul reprise (15,00 €) : la commande a été annulée." in texts
    assert "Nouvel état : délai de validation, jusqu’au 24 décembre 2026." in texts
    assert (
        "La réduction du filleul a été mise dans le panier : la livraison offerte pour une commande." in texts
    )


def test_what_was_given_is_read_in_the_readers_language() -> None:
    """It happened while somebody who reads English was served."""
    with override("en"):
        kept = programs.kept_gift(a_rule("friend", "arrives", "discount_percent"), "EUR")
    with override("fr"):
        assert spaced(programs.kept_gift_words(kept)) == "10 % de réduction sur une commande"


def test_states_agree_with_what_they_are_said_of() -> None:
    with override("fr"):
        assert Referral.State.REFUSED.label == "refusé"  # un parrainage
        assert Reward.State.REFUSED.label == "refusée"  # une récompense
        assert Reward.State.GIVEN.label == "donnée"
        assert Referral.State.REWARDED.label == "récompensé"
