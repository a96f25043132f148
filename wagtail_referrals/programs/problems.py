"""What is wrong with a program, in the editor's words: errors that stop a publication, hints that do not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Protocol

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext

from wagtail_referrals import conf, credit
from wagtail_referrals.kinds import (
    OPTION_PREFIX,
    Rule,
    Side,
    gives_credit,
    is_forbidden,
    notes_on,
    objection_to,
    option_owners,
    reward_kinds,
    triggers,
)
from wagtail_referrals.programs.amounts import as_decimals, friend_cost, local_amount

# Above these, somebody probably typed a nought too many. Amounts in a currency with cents.
MUCH: Final = Decimal(1000)
MUCH_PERCENT: Final = Decimal(50)
LONG_DAYS: Final = 730


class RuleRow(Protocol):
    """What is asked of a rule: a ``ProgramRule``, saved or not."""

    side: Any
    trigger: Any
    kind: Any
    occurrence: Any
    amounts: Any
    percent: Any
    minimum_spend: Any
    expires_days: Any
    options: Any


def _decimals(amounts: Any) -> dict[str, Decimal]:
    try:
        return as_decimals(amounts)
    except (ValueError, InvalidOperation, TypeError, AttributeError):
        return {}


def rule_problems(row: RuleRow) -> dict[str, str]:
    """Why this rule cannot be promised, by the name of the field to mend; empty when it can.

    Options have the names of their fields in the rule's form: "option_" and the option's name.
    """
    found: dict[str, str] = {}
    side = str(row.side or "")
    if side not in Side.values:
        found["side"] = gettext("Say who gets it.")
    _trigger_problems(row, side, found)
    _kind_problems(row, side, found)
    for owner in option_owners(row.kind, row.trigger):
        for name, message in owner.option_problems(row.options or {}).items():
            found[OPTION_PREFIX + name] = message
    if row.expires_days == 0:
        found["expires_days"] = gettext("It would expire at once. Leave it empty if it does not expire.")
    return found


def _trigger_problems(row: RuleRow, side: str, found: dict[str, str]) -> None:
    if not row.trigger:
        found["trigger"] = gettext("Say when.")
        return
    if row.trigger not in triggers:
        found["trigger"] = gettext("This site no longer knows this moment. Choose another one.")
        return
    trigger = triggers.get(row.trigger)
    if side in Side.values and side not in trigger.sides:
        found["trigger"] = gettext("“%(when)s” cannot bring %(who)s anything. Choose another moment.") % {
            "when": capfirst(str(trigger.label)),
            "who": Side(side).label,
        }
    if trigger.on == "tier" and not row.occurrence:
        found["occurrence"] = gettext("Say which friend: 5 for the fifth one who orders.")


def _kind_problems(row: RuleRow, side: str, found: dict[str, str]) -> None:
    if not row.kind:
        found["kind"] = gettext("Say what is given.")
        return
    if row.kind not in reward_kinds:
        found["kind"] = gettext("This site no longer knows this kind of reward. Choose another one.")
        return
    kind = reward_kinds.get(row.kind)
    objection = objection_to(kind)
    if objection is not None and objection.forbids:
        found["kind"] = objection.words
    elif side in Side.values and side not in kind.sides:
        found["kind"] = gettext("“%(what)s” cannot be given to %(who)s.") % {
            "what": kind.label,
            "who": Side(side).label,
        }
    if "amounts" in kind.value_fields and not any(_decimals(row.amounts).values()):
        found["amounts"] = gettext("Give an amount above zero in at least one currency.")
    if "percent" in kind.value_fields and not row.percent:
        found["percent"] = gettext("Give a percentage above zero.")
    if needs_order(row.kind) and row.trigger in triggers and not has_order(row.trigger):
        found.setdefault(
            "trigger",
            gettext("A percentage of the order needs an order. Choose a moment at which there is one."),
        )


def needs_order(kind_key: str) -> bool:
    """Is the reward a part of an order that has been placed?"""
    kind = reward_kinds.get(kind_key)
    return "percent" in kind.value_fields and not kind.is_discount


def has_order(trigger_key: str) -> bool:
    return triggers.get(trigger_key).on in ("purchase", "tier")


def rule_hints(row: RuleRow) -> list[str]:
    """What is possible but hardly meant, about a rule without problems."""
    hints = []
    kind = reward_kinds.get(row.kind)
    objection = objection_to(kind)
    if objection is not None:
        hints.append(objection.words)
    if "amounts" in kind.value_fields:
        missing = [code for code in conf.currencies() if not _decimals(row.amounts).get(code)]
        if missing:
            hints.append(
                gettext("“%(what)s” gives nothing in %(currencies)s.")
                % {"what": kind.label, "currencies": ", ".join(missing)}
            )
        for code, amount in _decimals(row.amounts).items():
            if amount > local_amount(MUCH, code):
                hints.append(
                    gettext("%(amount)s is a lot for one reward. Is that what you mean?")
                    % {"amount": credit.format_money(amount, code)}
                )
    minimum = _decimals(row.minimum_spend)
    unbound = [code for code in conf.currencies() if code not in minimum]
    if any(minimum.values()) and unbound:
        hints.append(
            gettext(
                "“%(what)s” has no minimum order in %(currencies)s: orders there bring nothing. "
                "0 stands for no minimum."
            )
            % {"what": kind.label, "currencies": ", ".join(unbound)}
        )
    for owner in option_owners(row.kind, row.trigger):
        hints += owner.option_hints(row.options or {})
    if "percent" in kind.value_fields and row.percent and row.percent > MUCH_PERCENT:
        hints.append(
            gettext("%(percent)s is a lot for one reward. Is that what you mean?")
            % {"percent": credit.format_percent(row.percent)}
        )
    return hints


def program_hints(program: Any, rules: list[Any], *, now: datetime | None = None) -> list[str]:
    """What an editor should think about before publishing, whole sentences. ``rules``: its rows, saved or not."""
    sound = [row for row in rules if not rule_problems(row)]
    hints = forbidden_hints(rules)
    if not rules:
        hints.append(gettext("Nobody gets anything yet: add a reward."))
    elif not sound:
        if not hints:
            hints.append(gettext("Nobody gets anything yet: no reward is complete."))
    else:
        if not any(row.side == Side.FRIEND for row in sound):
            hints.append(
                gettext(
                    "The friend gets nothing: few people pass on a link that brings the other one nothing."
                )
            )
        if not any(row.side == Side.ADVOCATE for row in sound):
            hints.append(gettext("Your customer gets nothing for referring a friend."))
    for row in sound:
        hints += rule_hints(row)
    if sound and program.credit_pays_renewals and not any(gives_credit(_plain_rule(row)) for row in sound):
        hints.append(gettext("No reward is credit: there is nothing that could pay a renewal."))
    hints += _time_hints(program, sound)
    hints += _date_hints(program, now or timezone.now())
    hints += _page_hints(program)
    hints += _budget_hints(program, sound)
    # The same thing may be said of several rules.
    return list(dict.fromkeys(hints))


def forbidden_hints(rules: Iterable[Any]) -> list[str]:
    """What the program promises, or would, and the shop cannot give at present."""
    kinds = {row.kind: reward_kinds.get(row.kind) for row in rules if row.kind in reward_kinds}
    objections = {key: objection_to(kind) for key, kind in kinds.items()}
    return [
        gettext("“%(what)s”: %(objection)s") % {"what": kinds[key].label, "objection": found.words}
        for key, found in objections.items()
        if found is not None and found.forbids
    ]


def friend_notes(rules: Iterable[Any]) -> list[str]:
    """What the shop says about what the friend gets; nothing where something forbids it."""
    keys = dict.fromkeys(row.kind for row in rules if row.side == Side.FRIEND and row.kind in reward_kinds)
    kinds = [reward_kinds.get(key) for key in keys if not is_forbidden(key)]
    return list(dict.fromkeys(note for kind in kinds for note in notes_on(kind)))


_return_days: Final[list[Callable[[int | None], int | None]]] = []


def register_return_days(ask: Callable[[int | None], int | None]) -> None:
    """Let a site, by its key, say how many days an order can be returned; ``None``: it is not known, or of no site in
    particular.
    """
    if ask not in _return_days:
        _return_days.append(ask)


def return_days(site_id: int | None) -> int | None:
    """How many days an order can be returned on this site, as far as anybody has said."""
    return next((days for ask in _return_days if (days := ask(site_id))), None)


def date_notes(program: Any, *, now: datetime | None = None) -> list[str]:
    """When it opens and ends, whole sentences. Nothing for dates that are over."""
    moment, notes = now or timezone.now(), []
    opens, ends = program.go_live_at, program.expire_at
    if opens is not None and opens > moment:
        notes.append(
            gettext("It opens on %(date)s: until then it promises nothing.") % {"date": _moment_words(opens)}
        )
    if ends is not None and ends > moment:
        notes.append(
            gettext("It ends on %(date)s: then nobody new is invited, and what was promised is kept.")
            % {"date": _moment_words(ends)}
        )
    return notes


def _moment_words(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "DATETIME_FORMAT")


def _date_hints(program: Any, now: datetime) -> list[str]:
    opens, ends, hints = program.go_live_at, program.expire_at, []
    if ends is not None and ends <= now:
        hints.append(
            gettext("It ended on %(date)s: take the date away, or choose a later one.")
            % {"date": _moment_words(ends)}
        )
    elif ends is not None and ends - max(opens or now, now) < timedelta(days=1):
        hints.append(gettext("It is open for less than a day: few links are followed so soon."))
    return hints


def _page_hints(program: Any) -> list[str]:
    page = program.landing_page
    if page is None or page.live:
        return []
    return [
        gettext("The landing page “%(page)s” is not published: friends get the general one.")
        % {"page": page.get_admin_display_title()}
    ]


def _time_hints(program: Any, sound: list[Any]) -> list[str]:
    hints = []
    later = any(row.side == Side.ADVOCATE for row in sound)
    returns = return_days(program.site_id)
    if later and program.hold_days == 0:
        hints.append(gettext("Without a waiting period a reward is given before the order can be returned."))
    elif later and returns and program.hold_days is not None and program.hold_days < returns:
        hints.append(
            gettext(
                "Rewards are given after %(hold)s days, but orders can be returned for %(returns)s: credit that "
                "was spent already is hard to take back."
            )
            % {"hold": program.hold_days, "returns": returns}
        )
    if program.hold_days and program.clawback_days is not None and program.clawback_days < program.hold_days:
        hints.append(
            gettext("Rewards are given after %(hold)s days but can be taken back for %(clawback)s days only.")
            % {"hold": program.hold_days, "clawback": program.clawback_days}
        )
    if program.clawback_days and program.clawback_days > LONG_DAYS:
        hints.append(
            gettext("Rewards can be taken back for %(days)s days: that is more than two years.")
            % {"days": program.clawback_days}
        )
    return hints


def _budget_hints(program: Any, sound: list[Any]) -> list[str]:
    """How far the budget goes, where that is soon."""
    hints = []
    # Of milestones only some friends bring one: they make no budget small.
    every_friend = [row for row in sound if triggers.get(row.trigger).on != "tier"]
    costs = friend_cost(_plain_rule(row) for row in every_friend)
    for currency, budget in _decimals(program.budget_amounts).items():
        cost = costs.get(currency)
        if not cost or not budget:
            continue
        # The friend who meets a budget that is not used up yet is promised everything.
        friends = -int(-budget // cost)
        if friends <= 20:
            hints.append(
                ngettext(
                    "The budget in %(currency)s is used up by %(count)s friend.",
                    "The budget in %(currency)s is used up by %(count)s friends.",
                    friends,
                )
                % {"currency": credit.unit_name(currency), "count": friends}
            )
    return hints


def _plain_rule(row: RuleRow) -> Rule:
    """A row without problems, as far as its cost depends on it."""
    return Rule(
        key="",
        side=str(row.side),
        trigger=row.trigger,
        kind=row.kind,
        refund_policy="",
        amounts=_decimals(row.amounts),
        occurrence=row.occurrence,
        options=row.options or {},
    )


def program_problems(program: Any) -> dict[str, str]:
    """Why the program as such cannot be published, by the name of the field to mend."""
    found: dict[str, str] = {}
    budget = _decimals(program.budget_amounts)
    if any(amount == 0 for amount in budget.values()):
        found["budget_amounts"] = gettext("A budget of zero invites nobody. Leave it empty for no budget.")
    return found
