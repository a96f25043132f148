"""When a rule gives something: the base of triggers, and the triggers that every shop has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals.kinds.options import HasOptions
from wagtail_referrals.kinds.registry import Registry
from wagtail_referrals.kinds.rule import Rule, Side


@dataclass(frozen=True)
class PurchaseOccasion:
    """What a trigger may ask about one purchase: frozen at the moment of ordering.

    ``is_first``: of the friend's orders within the referral the first that is worth something; for a trigger with
    ``eligible_lines`` the first, placed in time, of which such lines were kept. ``lines`` are all the frozen lines.
    """

    reference: str
    is_first: bool
    lines: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


Occasion = Literal["arrival", "registration", "purchase", "tier"]


class Trigger(HasOptions):
    """When a rule gives something. Subclass it and register an instance in ``triggers``.

    ``on`` says which occasions the trigger is asked about: "arrival" (the claim), "registration", "purchase", "tier"
    (the n-th qualified referral of the advocate).
    """

    on: Occasion = "purchase"
    sides: Sequence[str] = (Side.FRIEND, Side.ADVOCATE)

    def words(self, rule: Rule) -> str:
        """The condition, as it goes on after "Once the friend ...", in the current language."""
        raise NotImplementedError

    def matches(self, rule: Rule, purchase: PurchaseOccasion) -> bool:
        """Asked for triggers on "purchase" only. Pure."""
        return True

    def repeats(self, rule: Rule) -> bool:
        """Can one friend bring the reward more than once? For the words of a limit."""
        return self.on == "purchase"

    def eligible_lines(
        self, rule: Rule, lines: Sequence[Mapping[str, Any]]
    ) -> Sequence[Mapping[str, Any]] | None:
        """Which of the order's frozen ``lines`` the rule's percentage and minimum count; ``None``: the whole order.

        Pure.
        """
        return None


triggers: Registry[Trigger] = Registry("trigger")


def trigger_choices() -> list[tuple[str, object]]:
    """For model fields: migrations name this function, so that a registered trigger needs no migration."""
    return triggers.choices()


class Arrives(Trigger):
    key = "arrives"
    label = _("the friend arrives")
    on: Occasion = "arrival"
    sides = (Side.FRIEND,)

    def words(self, rule: Rule) -> str:
        return gettext("has followed the link")


class Registers(Trigger):
    key = "registers"
    label = _("the friend registers")
    on: Occasion = "registration"

    def words(self, rule: Rule) -> str:
        return gettext("has opened an account")


class FirstPurchase(Trigger):
    key = "first_purchase"
    label = _("the friend's first order")

    def words(self, rule: Rule) -> str:
        return gettext("has placed a first order")

    def matches(self, rule: Rule, purchase: PurchaseOccasion) -> bool:
        return purchase.is_first

    def repeats(self, rule: Rule) -> bool:
        return False


class EveryPurchase(Trigger):
    key = "every_purchase"
    label = _("every order of the friend")

    def words(self, rule: Rule) -> str:
        return gettext("has placed an order, each time")


class NthReferral(Trigger):
    key = "nth_referral"
    label = _("the n-th friend who orders")
    on: Occasion = "tier"
    sides = (Side.ADVOCATE,)

    def words(self, rule: Rule) -> str:
        n = rule.occurrence or 1
        return ngettext("is the first who has ordered", "is number %(n)s of those who have ordered", n) % {
            "n": n
        }


for _trigger in (Arrives(), Registers(), FirstPurchase(), EveryPurchase(), NthReferral()):
    triggers.register(_trigger)
