"""Terms: what a program promised at one moment, as plain values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from wagtail_referrals.kinds import Rule, Side, reward_kinds
from wagtail_referrals.programs.amounts import as_decimals
from wagtail_referrals.programs.models import Program, ProgramRule, Terms
from wagtail_referrals.programs.problems import rule_problems

SCHEMA: Final = 1

# A century. The form allows far less; rows that were written past it must not take a date beyond the calendar.
LONGEST_DAYS: Final = 36_525
_DAYS: Final = ("window_days", "hold_days", "clawback_days")

# Fields of Program that are promised as they stand.
_PLAIN: Final = (
    "name",
    "new_customers_only",
    "window_days",
    "touch",
    "hold_days",
    "hold_anchor",
    "clawback_days",
    "cap_count",
    "cap_period",
    "friend_cap_count",
    "budget_count",
    "landing_page_id",
)
_TEXTS: Final = ("headline", "introduction", "share_message", "small_print")


@dataclass(frozen=True)
class TermsData:
    """Published terms. Days are whole days; amounts are Decimals by currency; texts are by language."""

    program_key: str
    name: str
    rules: tuple[Rule, ...]
    new_customers_only: bool
    window_days: int
    touch: str
    hold_days: int
    hold_anchor: str
    clawback_days: int
    cap_count: int | None
    cap_period: str
    friend_cap_count: int | None
    budget_amounts: dict[str, Decimal]
    budget_count: int | None
    landing_page_id: int | None
    texts: dict[str, dict[str, str]]
    # The name of the audience whose customers may offer it, for the words; "" for everybody.
    audience: str = ""
    # Its credit pays renewals by itself.
    credit_pays_renewals: bool = False

    @property
    def friend_rules(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.side == Side.FRIEND)

    @property
    def advocate_rules(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.side == Side.ADVOCATE)

    def rule(self, key: str) -> Rule | None:
        return next((rule for rule in self.rules if rule.key == key), None)

    def text(self, language: str) -> dict[str, str]:
        """The texts in ``language`` ("fr-ca" falls back to "fr"), else empty ones: never another language's."""
        found = self.texts.get(language) or self.texts.get(language.split("-")[0]) or {}
        return {name: found.get(name, "") for name in _TEXTS}

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {name: getattr(self, name) for name in _PLAIN}
        data["program_key"] = self.program_key
        data["rules"] = [rule_json(rule) for rule in self.rules]
        data["budget_amounts"] = _amounts_json(self.budget_amounts)
        data["texts"] = self.texts
        # What came later is left out where it says nothing: older terms keep their content.
        if self.audience:
            data["audience"] = self.audience
        if self.credit_pays_renewals:
            data["credit_pays_renewals"] = True
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TermsData:
        return cls(
            program_key=data["program_key"],
            rules=tuple(rule_from_json(rule) for rule in data["rules"]),
            budget_amounts=as_decimals(data["budget_amounts"]),
            texts=data["texts"],
            audience=data.get("audience", ""),
            credit_pays_renewals=data.get("credit_pays_renewals", False),
            **_plain({name: data[name] for name in _PLAIN}),
        )


def bounded_days(days: int | None) -> int | None:
    """Days that can be counted from any date that occurs; what a draft left empty stays so."""
    return days if days is None else min(days, LONGEST_DAYS)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: bounded_days(value) if name in _DAYS else value for name, value in values.items()}


def _amounts_json(amounts: dict[str, Decimal]) -> dict[str, str]:
    return {code: str(amount) for code, amount in amounts.items()}


def rule_json(rule: Rule) -> dict[str, Any]:
    """The rule as JSON holds it; ``rule_from_json`` reads it."""
    return {
        "key": rule.key,
        "side": rule.side,
        "trigger": rule.trigger,
        "kind": rule.kind,
        "refund_policy": rule.refund_policy,
        "amounts": _amounts_json(rule.amounts),
        "percent": None if rule.percent is None else str(rule.percent),
        "minimum_spend": _amounts_json(rule.minimum_spend),
        "occurrence": rule.occurrence,
        "expires_days": rule.expires_days,
        "options": rule.options,
    }


def rule_from_json(data: dict[str, Any]) -> Rule:
    return Rule(
        **{
            **data,
            "amounts": as_decimals(data["amounts"]),
            "percent": None if data["percent"] is None else Decimal(data["percent"]),
            "minimum_spend": as_decimals(data["minimum_spend"]),
            "expires_days": bounded_days(data["expires_days"]),
        }
    )


def _draft_rule(row: ProgramRule) -> Rule:
    policy = row.refund_policy
    if not policy and row.kind in reward_kinds:
        policy = reward_kinds.get(row.kind).refund_policy
    return Rule(
        key=str(row.key),
        side=str(row.side),
        trigger=row.trigger,
        kind=row.kind,
        refund_policy=str(policy),
        amounts=as_decimals(row.amounts),
        # Normalised, so that 10 and 10.00 are the same terms.
        percent=None if row.percent is None else Decimal(row.percent).quantize(Decimal("0.01")),
        minimum_spend=as_decimals(row.minimum_spend),
        occurrence=row.occurrence,
        expires_days=bounded_days(row.expires_days),
        options=row.options or {},
    )


def draft_data(program: Program) -> TermsData:
    """The terms that this program, saved or not, would have if it were published now.

    A rule that is not complete promises nothing and is left out: a workflow or a schedule can publish a draft that
    nobody finished.
    """
    plain = _plain({name: getattr(program, name) for name in _PLAIN})
    return TermsData(
        program_key=str(program.key),
        rules=tuple(_draft_rule(row) for row in program.rules.all() if not rule_problems(row)),
        budget_amounts=as_decimals(program.budget_amounts),
        texts={
            text.language: {name: getattr(text, name) for name in _TEXTS}
            for text in sorted(program.texts.all(), key=lambda text: text.language)
        },
        audience=program.audience.name if program.audience is not None else "",
        credit_pays_renewals=program.credit_pays_renewals,
        **plain,
    )


def parse(terms: Terms) -> TermsData:
    """The values of a Terms row. Raises ``ValueError`` for a schema that this version does not know."""
    if terms.schema != SCHEMA:
        raise ValueError(f"terms {terms.pk} have schema {terms.schema}; this version reads {SCHEMA}")
    return TermsData.from_json(terms.data)


def content_hash(data: TermsData) -> str:
    return hashlib.sha256(json.dumps(data.to_json(), sort_keys=True).encode()).hexdigest()


def publish_terms(program: Program, *, now: datetime | None = None) -> Terms:
    """Write the terms of the program as it is published, unless the newest ones say the same. Twice is once."""
    data = draft_data(program)
    digest = content_hash(data)
    while True:
        # Going back to an earlier wording is that earlier version again.
        found = Terms.objects.filter(program_key=program.key, content_hash=digest).first()
        if found is not None:
            return found
        newest = Terms.objects.filter(program_key=program.key).aggregate(Max("number"))["number__max"] or 0
        try:
            with transaction.atomic():
                return Terms.objects.create(
                    program=program,
                    program_key=program.key,
                    number=newest + 1,
                    content_hash=digest,
                    schema=SCHEMA,
                    data=data.to_json(),
                    created_at=now or timezone.now(),
                )
        except IntegrityError:
            # Another process published at this moment: look again.
            continue


def live_programs() -> Iterator[Program]:
    yield from (
        Program.objects.filter(live=True)
        .order_by("precedence", "pk")
        .select_related("audience")
        .prefetch_related("rules", "texts", "audience__rules")
    )


def heal_terms(*, now: datetime | None = None) -> int:
    """Write terms that a missed signal left out; the number written."""
    written = 0
    for program in live_programs():
        before = Terms.objects.filter(program_key=program.key).count()
        publish_terms(program, now=now)
        written += Terms.objects.filter(program_key=program.key).count() - before
    return written
