"""What differs between two versions of the terms, in words that an editor understands: field by field, rule by rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.utils.text import capfirst
from django.utils.translation import get_language_info, gettext, ngettext, pgettext

from wagtail_referrals import conf, credit
from wagtail_referrals.kinds import RefundPolicy, Rule, Side, option_owners, reward_kinds, triggers
from wagtail_referrals.programs.models import Program, ProgramRule, ProgramText
from wagtail_referrals.programs.terms import TermsData
from wagtail_referrals.programs.words import cap_words, hold_words, minimum_words, rule_gets
from wagtail_referrals.wagtail_versions import BASE_PAGE_MODEL_NAME

if TYPE_CHECKING:
    from wagtail.models import Page


@dataclass(frozen=True)
class Change:
    """One thing that differs, in the current language.

    ``before`` or ``after`` is "" where there was or is nothing; both are where only the fact can be told. ``about``
    names the rule it belongs to, where ``what`` does not. ``is_text``: the texts are long, and best compared word by
    word.
    """

    what: str
    before: str
    after: str
    about: str = ""
    is_text: bool = False

    @property
    def words(self) -> str:
        """In one line: "The friend gets: 10% off one order → 15% off one order"."""
        what = f"{self.what} ({self.about})" if self.about else self.what
        sides = " → ".join(part for part in (self.before, self.after) if part)
        # Translators: what has changed, and how, like "Waiting period: 14 days → 30 days".
        return gettext("%(what)s: %(change)s") % {"what": what, "change": sides} if sides else what


@dataclass(frozen=True)
class Section:
    title: str
    changes: tuple[Change, ...]


def differences(before: TermsData, after: TermsData) -> list[Section]:
    """What changed from one version to another, in sections that are not empty. At most one query."""
    sections = [
        Section(gettext("Rewards"), tuple(_rules(before, after))),
        Section(gettext("Conditions"), tuple(_conditions(before, after))),
        *_texts(before, after),
    ]
    return [section for section in sections if section.changes]


def count_differences(before: TermsData, after: TermsData) -> int:
    return sum(len(section.changes) for section in differences(before, after))


# --- rules


def _rules(before: TermsData, after: TermsData) -> Iterator[Change]:
    earlier = {rule.key: rule for rule in before.rules}
    later = {rule.key: rule for rule in after.rules}
    for key, rule in earlier.items():
        if key in later:
            yield from _rule(rule, later[key])
    for key, rule in later.items():
        if key not in earlier:
            yield Change(gettext("Reward added"), "", rule_sentence(rule))
    for key, rule in earlier.items():
        if key not in later:
            yield Change(gettext("Reward removed"), rule_sentence(rule), "")
    kept = [key for key in earlier if key in later]
    if kept != [key for key in later if key in earlier]:
        yield Change(
            gettext("Order of the rewards"),
            _listed(earlier[key] for key in earlier if key in later),
            _listed(later[key] for key in later if key in earlier),
        )


def _listed(rules: Iterable[Rule]) -> str:
    return "; ".join(f"{side_words(rule)}: {_gets(rule)}" for rule in rules)


def side_words(rule: Rule) -> str:
    """ "The friend"; what the terms hold where this site does not know it."""
    return capfirst(str(Side(rule.side).label)) if rule.side in Side.values else rule.side


def rule_sentence(rule: Rule) -> str:
    """One rule as a sentence: "Once the friend has placed a first order, the friend gets 10% off one order."."""
    parts = {"condition": _when(rule), "gift": _gets(rule), "reward": _gets(rule)}
    minimum = minimum_words(rule)
    if minimum:
        parts["condition"] = f"{parts['condition']} ({minimum})"
    if rule.side == Side.ADVOCATE:
        return gettext("Once the friend %(condition)s, your customer gets %(reward)s.") % parts
    return gettext("Once the friend %(condition)s, the friend gets %(gift)s.") % parts


def _when(rule: Rule) -> str:
    if rule.trigger not in triggers:
        return gettext("does something that this site no longer knows")
    return triggers.get(rule.trigger).words(rule)


def _gets(rule: Rule, unit: str | None = None) -> str:
    return rule_gets(rule, unit)


def _rule(before: Rule, after: Rule) -> Iterator[Change]:
    about = gettext("%(who)s gets %(gift)s") % {"who": side_words(after), "gift": _gets(after)}
    changes = list(_gifts(before, after))
    for what, words in _RULE_FIELDS:
        earlier, later = words(before), words(after)
        if earlier != later:
            changes.append(Change(what(), earlier, later, about))
    yield from changes
    if not changes and (before.kind, before.trigger, before.options) != (
        after.kind,
        after.trigger,
        after.options,
    ):
        yield from _options(before, after, about)


def _gifts(before: Rule, after: Rule) -> Iterator[Change]:
    """What is given: a line for each unit in which the words differ, or one where it is another kind of reward."""
    what = gettext("%(who)s gets") % {"who": side_words(after)}
    units: list[str | None] = [None]
    if before.kind == after.kind:
        named = before.amounts.keys() | after.amounts.keys()
        units += [unit for unit in conf.units() if unit in named]
        units += sorted(named - set(conf.units()))
    told = set()
    for unit in units:
        pair = (_given(before, unit), _given(after, unit))
        if pair[0] != pair[1] and pair not in told:
            told.add(pair)
            yield Change(what, *pair)


def _given(rule: Rule, unit: str | None) -> str:
    uses_amounts = rule.kind in reward_kinds and "amounts" in reward_kinds.get(rule.kind).value_fields
    if unit is not None and uses_amounts and not rule.amounts.get(unit):
        return gettext("nothing in %(currency)s") % {"currency": credit.unit_name(unit)}
    return _gets(rule, unit)


def _once(rule: Rule) -> str:
    return gettext("once the friend %(condition)s") % {"condition": _when(rule)}


def _minimum(rule: Rule) -> str:
    return _amounts(rule.minimum_spend) or pgettext("minimum order", "none")


def _amounts(amounts: dict[str, Decimal]) -> str:
    return " / ".join(credit.format_money(amount, unit) for unit, amount in amounts.items() if amount)


def _usable(rule: Rule) -> str:
    return _days(rule.expires_days) if rule.expires_days else gettext("does not expire")


def _refund(rule: Rule) -> str:
    policy = rule.refund_policy
    return str(RefundPolicy(policy).label) if policy in RefundPolicy.values else policy


def _days(days: int | None) -> str:
    if days is None:
        return pgettext("terms", "none")
    return ngettext("%(days)s day", "%(days)s days", days) % {"days": days}


def _label(model: Any, name: str) -> str:
    return capfirst(str(model._meta.get_field(name).verbose_name))


_RULE_FIELDS: Final[list[tuple[Callable[[], str], Callable[[Rule], str]]]] = [
    (lambda: _label(ProgramRule, "side"), side_words),
    (lambda: _label(ProgramRule, "trigger"), _once),
    (lambda: _label(ProgramRule, "minimum_spend"), _minimum),
    (lambda: gettext("Can be used for"), _usable),
    (lambda: _label(ProgramRule, "refund_policy"), _refund),
]


def _options(before: Rule, after: Rule, about: str) -> Iterator[Change]:
    """What a kind or a trigger was told beyond its words: by the labels of its form, as far as it is known here."""
    told = False
    for owner in option_owners(after.kind, after.trigger):
        earlier, later = owner.initial_options(before.options), owner.initial_options(after.options)
        for name, field in owner.option_fields().items():
            if earlier.get(name) != later.get(name):
                told = True
                what = capfirst(str(field.label or name))
                yield Change(what, _option(field, earlier.get(name)), _option(field, later.get(name)), about)
    if not told:
        yield Change(gettext("Details of the reward have changed"), "", "", about)


def _option(field: Any, value: Any) -> str:
    if value in (None, "", [], ()):
        return pgettext("terms", "none")
    values = value if isinstance(value, list | tuple) else [value]
    names = {str(key): str(label) for key, label in _flat(getattr(field, "choices", None) or ())}
    return ", ".join(names.get(str(item), str(item)) for item in values)


def _flat(choices: Iterable[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
    for key, label in choices:
        if isinstance(label, list | tuple):
            yield from label
        else:
            yield key, label


# --- the program as such


def _conditions(before: TermsData, after: TermsData) -> Iterator[Change]:
    for what, words in _CONDITIONS:
        earlier, later = words(before), words(after)
        if earlier != later:
            yield Change(what(), earlier, later)
    if before.landing_page_id != after.landing_page_id:
        ids = [before.landing_page_id, after.landing_page_id]
        titles = apps.get_model(BASE_PAGE_MODEL_NAME)._default_manager.in_bulk(
            [pk for pk in ids if pk is not None]
        )
        earlier, later = (_page(pk, titles) for pk in ids)
        yield Change(_label(Program, "landing_page"), earlier, later)
    # What terms hold since, without words of its own here.
    for field in fields(TermsData):
        earlier, later = getattr(before, field.name), getattr(after, field.name)
        if field.name not in _TOLD and earlier != later:
            known = {item.name for item in Program._meta.get_fields()}
            name = _label(Program, field.name) if field.name in known else field.name
            yield Change(name, _plain(earlier), _plain(later))


def _page(pk: int | None, pages: dict[Any, Page]) -> str:
    if pk is None:
        return gettext("the general page")
    return pages[pk].title if pk in pages else gettext("a page that was deleted")


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return _yes(value)
    return pgettext("terms", "none") if value in (None, "", {}, ()) else str(value)


def _yes(value: bool) -> str:
    return gettext("yes") if value else gettext("no")


def _choice(choices: Any, value: str) -> str:
    return str(dict(choices).get(value, value))


def _limit(count: int | None) -> str:
    return gettext("no limit") if count is None else str(count)


def _budget(data: TermsData) -> str:
    return _amounts(data.budget_amounts) or gettext("no limit")


_CONDITIONS: Final[list[tuple[Callable[[], str], Callable[[TermsData], str]]]] = [
    (lambda: _label(Program, "name"), lambda data: data.name),
    (lambda: _label(Program, "audience"), lambda data: data.audience or gettext("everybody")),
    (lambda: _label(Program, "new_customers_only"), lambda data: _yes(data.new_customers_only)),
    (lambda: gettext("Time to order"), lambda data: _days(data.window_days)),
    (lambda: _label(Program, "touch"), lambda data: _choice(Program.Touch.choices, data.touch)),
    (lambda: gettext("Waiting period"), lambda data: hold_words(data) or pgettext("terms", "none")),
    (lambda: gettext("Rewards can be taken back for"), lambda data: _days(data.clawback_days)),
    (lambda: gettext("Rewards for one customer"), lambda data: cap_words(data) or gettext("no limit")),
    (lambda: gettext("Rewards for one friend"), lambda data: _limit(data.friend_cap_count)),
    (
        lambda: _label(Program, "credit_pays_renewals"),
        lambda data: _yes(data.credit_pays_renewals),
    ),
    (lambda: _label(Program, "budget_amounts"), _budget),
    (lambda: _label(Program, "budget_count"), lambda data: _limit(data.budget_count)),
]
_TOLD: Final = {
    "program_key",
    "rules",
    "texts",
    "landing_page_id",
    "name",
    "audience",
    "new_customers_only",
    "window_days",
    "touch",
    "hold_days",
    "hold_anchor",
    "clawback_days",
    "cap_count",
    "cap_period",
    "friend_cap_count",
    "credit_pays_renewals",
    "budget_amounts",
    "budget_count",
}


# --- texts


def language_name(code: str) -> str:
    """ "Français"; the code of a language that Django does not know."""
    try:
        return capfirst(get_language_info(code)["name_local"])
    except KeyError:
        return code


def _texts(before: TermsData, after: TermsData) -> Iterator[Section]:
    for code in sorted(before.texts.keys() | after.texts.keys()):
        earlier, later = before.texts.get(code, {}), after.texts.get(code, {})
        changes = tuple(
            Change(_label(ProgramText, name), earlier.get(name, ""), later.get(name, ""), is_text=True)
            for name in ("headline", "introduction", "share_message", "small_print")
            if earlier.get(name, "") != later.get(name, "")
        )
        yield Section(gettext("Texts: %(language)s") % {"language": language_name(code)}, changes)
