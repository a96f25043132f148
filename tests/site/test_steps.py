"""How it works, as a friend reads it where the editor wrote nothing: where the present waits depends on what it is."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.rewards.test_judge import terms
from wagtail_referrals.kinds import Rule
from wagtail_referrals.site.offer import conditions, steps

OFF: dict[str, Any] = {"trigger": "arrives", "kind": "discount_percent", "percent": Decimal(10)}
CREDIT: dict[str, Any] = {"trigger": "arrives", "kind": "credit", "amounts": {"EUR": Decimal(5)}}
REGISTERS: dict[str, Any] = {"trigger": "registers", "kind": "credit", "amounts": {"EUR": Decimal(5)}}
LATER: dict[str, Any] = {"trigger": "first_purchase", "kind": "credit", "amounts": {"EUR": Decimal(5)}}
BASKET = (
    "Put what you like into the basket: Your present waits there, without a code to type: 10% off one order."
)
ACCOUNT = "Open an account: You get: €5.00 of referral credit."


def rule_of(rule: dict[str, Any], *, key: str = "0") -> Rule:
    return Rule(key=key, side="friend", refund_policy="keep", **rule)


def told(*rules: dict[str, Any], advocate: bool = True) -> list[str]:
    """From the second step on."""
    made = [rule_of(rule, key=str(number)) for number, rule in enumerate(rules)]
    if advocate:
        made.append(Rule(key="advocate", side="advocate", refund_policy="keep", **LATER))
    first, *others = [
        ": ".join(part for part in (step["heading"], step["text"]) if part) for step in steps(terms(*made))
    ]
    assert first == "Have a look around: Your invitation is saved in this browser."
    return others


def test_a_discount_waits_in_the_basket() -> None:
    assert told(OFF) == [BASKET, "Place your order: Your friend gets something too, as a thank-you."]
    assert told(OFF, advocate=False) == [BASKET, "Place your order"]


def test_what_is_no_discount_waits_for_an_account() -> None:
    assert told(CREDIT) == [ACCOUNT, "Place your order: Your friend gets something too, as a thank-you."]
    assert told(CREDIT, OFF, advocate=False) == [ACCOUNT, BASKET, "Place your order"]


def test_what_an_account_brings_is_told_there_and_asks_for_no_order() -> None:
    assert told(REGISTERS) == [ACCOUNT, "Place your order: Your friend gets something too, as a thank-you."]
    assert [words for words in conditions(terms(rule_of(REGISTERS))) if "order" in words] == []
    for rule in (OFF, LATER):
        both = terms(rule_of(REGISTERS), rule_of(rule, key="other"))
        assert [words for words in conditions(both) if "For an order within" in words]


def test_each_present_is_told_where_it_comes() -> None:
    assert told(OFF, LATER) == [BASKET, "Place your order: You get: €5.00 of referral credit."]


def test_what_comes_with_an_order_is_told_there() -> None:
    assert told(LATER) == [
        "Put what you like into the basket",
        "Place your order: You get: €5.00 of referral credit.",
    ]
