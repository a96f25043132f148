"""When a rule gives something: the protocol of triggers, and the triggers that every shop has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals.kinds.registry import Registry
from wagtail_referrals.kinds.rule import Rule, Side


@dataclass(frozen=True)
class PurchaseOccasion:
    """What a trigger may ask about one purchase: frozen at the moment of ordering.

    ``is_first`` is about the friend's first qualifying purchase within the referral; ``lines`` are the frozen lines.
    """

    reference: str
    is_first: bool
    lines: Sequence[dict[str, Any]] = field(default_factory=tuple)


Occasion = Literal["arrival", "registration", "purchase", "tier"]


class Trigger(Protocol):
    """Register an instance in ``triggers``.

    ``on`` says which occasions the trigger is asked about: "arrival" (the claim), "registration", "purchase", "tier"
    (the n-th qualified referral of the advocate).
    """

    @property
    def key(self) -> str: ...

    @property
    def label(self) -> Any: ...

    @property
    def on(self) -> Occasion: ...

    @property
    def sides(self) -> Sequence[str]: ...

    def words(self, rule: Rule) -> str:
        """The condition, as it goes on after "Once the friend ...", in the current language."""

    def matches(self, rule: Rule, purchase: PurchaseOccasion) -> bool:
        """Asked for triggers on "purchase" only. Pure."""


triggers: Registry[Trigger] = Registry("trigger")


def trigger_choices() -> list[tuple[str, object]]:
    """For model fields: migrations name this function, so that a registered trigger needs no migration."""
    return triggers.choices()


class _Always:
    def matches(self, rule: Rule, purchase: PurchaseOccasion) -> bool:
        return True


class Arrives(_Always):
    key = "arrives"
    label = _("the friend arrives")
    on: Occasion = "arrival"
    sides = (Side.FRIEND,)

    def words(self, rule: Rule) -> str:
        return gettext("has followed the link")


class Registers(_Always):
    key = "registers"
    label = _("the friend registers")
    on: Occasion = "registration"
    sides = (Side.FRIEND, Side.ADVOCATE)

    def words(self, rule: Rule) -> str:
        return gettext("has opened an account")


class FirstPurchase:
    key = "first_purchase"
    label = _("the friend's first order")
    on: Occasion = "purchase"
    sides = (Side.FRIEND, Side.ADVOCATE)

    def words(self, rule: Rule) -> str:
        return gettext("has placed a first order")

    def matches(self, rule: Rule, purchase: PurchaseOccasion) -> bool:
        return purchase.is_first


class EveryPurchase(_Always):
    key = "every_purchase"
    label = _("every order of the friend")
    on: Occasion = "purchase"
    sides = (Side.FRIEND, Side.ADVOCATE)

    def words(self, rule: Rule) -> str:
        return gettext("has placed an order, each time")


class NthReferral(_Always):
    key = "nth_referral"
    label = _("the n-th friend who orders")
    on: Occasion = "tier"
    sides = (Side.ADVOCATE,)

    def words(self, rule: Rule) -> str:
        n = rule.occurrence or 1
        return ngettext("is the first who has ordered", "is number %(n)s of those who have ordered", n) % {
            "n": n
        }


_built_in: tuple[Trigger, ...] = (Arrives(), Registers(), FirstPurchase(), EveryPurchase(), NthReferral())
for _trigger in _built_in:
    triggers.register(_trigger)
