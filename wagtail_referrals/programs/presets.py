"""Ready-made programs to start from. A shop registers its own in ``presets``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from babel.numbers import format_currency, is_currency
from django.utils.functional import lazy
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _

from wagtail_referrals import conf, credit
from wagtail_referrals.credit.money import babel_locale
from wagtail_referrals.kinds import Registry, Side
from wagtail_referrals.programs.amounts import local_amount
from wagtail_referrals.programs.models import Program, ProgramRule, ProgramText, language_choices

# In a currency with cents: see ``local_amount``.
TEN: Final = Decimal(10)
FIFTEEN: Final = Decimal(15)


@dataclass(frozen=True)
class Preset:
    """``build`` makes an unsaved program with rules and texts, its texts in each content language."""

    key: str
    label: Any
    description: Any
    icon: str
    build: Callable[[], Program]


presets: Registry[Preset] = Registry("ready-made program")


def everywhere(amount: Decimal) -> dict[str, str]:
    """The amount in each of the shop's currencies."""
    return {code: str(credit.quantize(local_amount(amount, code), code)) for code in conf.currencies()}


def amount_label(amount: Decimal) -> str:
    """ "€15": the amount in the shop's first currency, without cents, for a heading."""
    code = conf.currencies()[0]
    if not is_currency(code):
        return credit.format_money(local_amount(amount, code), code)
    locale = babel_locale()
    whole = locale.currency_formats["standard"].pattern.replace(".00", "")
    return str(
        format_currency(local_amount(amount, code), code, format=whole, locale=locale, currency_digits=False)
    )


def texts(words: dict[str, Any]) -> list[ProgramText]:
    """One row for each content language, in it. ``words``: lazily translated, by field."""
    rows = []
    for code, _name in language_choices():
        with override(code):
            rows.append(ProgramText(language=code, **{field: str(text) for field, text in words.items()}))
    return rows


def unsaved_program(name: str, rules: Sequence[ProgramRule], words: dict[str, Any], **fields: Any) -> Program:
    program = Program(name=name, **fields)
    for position, rule in enumerate(rules):
        rule.sort_order = position
    program.rules = list(rules)
    program.texts = texts(words)
    return program


def _discount(percent: Decimal) -> ProgramRule:
    return ProgramRule(side=Side.FRIEND, trigger="arrives", kind="discount_percent", percent=percent)


DISCOUNT_WORDS: Final = {
    "headline": _("A present for your first order"),
    "introduction": _(
        "Somebody who knows us well thought of you. Have a look around: your discount is in the basket already."
    ),
    "share_message": _(
        "I like this shop and thought of you. With my link you pay less for your first order:"
    ),
    "small_print": _("Cannot be paid out in cash."),
}
CREDIT_WORDS: Final = {
    "headline": _("A present for both of us"),
    "introduction": _(
        "Somebody who knows us well thought of you. Open an account, and your credit waits for you there."
    ),
    "share_message": _("I like this shop and thought of you. With my link we both get credit:"),
    "small_print": _("Credit is used at checkout and cannot be paid out in cash."),
}


def _give_percent_get_credit() -> Program:
    return unsaved_program(
        gettext("Give %(gift)s, get %(reward)s")
        % {"gift": credit.format_percent(TEN), "reward": amount_label(FIFTEEN)},
        [
            _discount(TEN),
            ProgramRule(
                side=Side.ADVOCATE, trigger="first_purchase", kind="credit", amounts=everywhere(FIFTEEN)
            ),
        ],
        DISCOUNT_WORDS,
        cap_count=10,
    )


def _credit_for_both() -> Program:
    return unsaved_program(
        gettext("Give and get referral credit"),
        [
            ProgramRule(side=Side.FRIEND, trigger="registers", kind="credit", amounts=everywhere(TEN)),
            ProgramRule(side=Side.ADVOCATE, trigger="first_purchase", kind="credit", amounts=everywhere(TEN)),
        ],
        CREDIT_WORDS,
        cap_count=10,
    )


def _percentage_back() -> Program:
    return unsaved_program(
        gettext("%(gift)s off, %(reward)s back as credit")
        % {"gift": credit.format_percent(FIFTEEN), "reward": credit.format_percent(TEN)},
        [
            _discount(FIFTEEN),
            ProgramRule(side=Side.ADVOCATE, trigger="first_purchase", kind="credit_percent", percent=TEN),
        ],
        DISCOUNT_WORDS,
        cap_count=10,
    )


def _empty() -> Program:
    return unsaved_program("", [], {})


_amount_label_lazy = lazy(amount_label, str)
_percent_lazy = lazy(credit.format_percent, str)


def _filled(template: Any, **parts: Any) -> Any:
    """A label that is put together when it is read, in the reader's language."""
    return lazy(lambda: str(template) % {name: str(part) for name, part in parts.items()}, str)()


for _preset in (
    Preset(
        "give_percent_get_credit",
        _filled(
            _("Give %(gift)s, get %(reward)s"), gift=_percent_lazy(TEN), reward=_amount_label_lazy(FIFTEEN)
        ),
        _("The classic one: the friend pays less for the first order, your customer gets credit for it."),
        "tag",
        _give_percent_get_credit,
    ),
    Preset(
        "credit_for_both",
        _("Give and get referral credit"),
        _(
            "Both get the same: the friend on opening an account, your customer after the friend's first order."
        ),
        "group",
        _credit_for_both,
    ),
    Preset(
        "percentage_back",
        _filled(
            _("%(gift)s off, %(reward)s back as credit"),
            gift=_percent_lazy(FIFTEEN),
            reward=_percent_lazy(TEN),
        ),
        _("What your customer gets grows with the friend's order, and shrinks with a refund."),
        "rotate",
        _percentage_back,
    ),
    Preset("empty", _("An empty program"), _("Write every line yourself."), "doc-empty", _empty),
):
    presets.register(_preset)
