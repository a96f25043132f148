"""The moment at which a friend becomes a member: they buy a new membership, neither a renewal nor an extension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from oscar_integration.memberships.models import Period, Plan
from oscar_integration.triggers import EACH, FIRST
from wagtail_referrals.kinds import PurchaseOccasion, Rule, Trigger, in_language
from wagtail_referrals.programs import either_words

# Options of the rule: the plans' numbers (none: all), their names by language as they were when the rule was written,
# and whether the first new membership counts or each one.
PLANS: Final = "bought_plans"
NAMES: Final = "bought_plans_names"
ORDERS: Final = "bought_plans_orders"


def names_of(plan: Plan) -> dict[str, str]:
    """What customers call it, by language, for terms to keep: it may be renamed or deleted."""
    return plan.titles or {settings.LANGUAGE_CODE: plan.name}


def sold_plans() -> QuerySet[Plan]:
    return Plan.objects.filter(product__isnull=False).prefetch_related("names")


class BuysMembership(Trigger):
    """What a line of the order is, is written down when it is placed: see ``receivers.describe``.

    Percentages, minimum and refunds of the rule count the lines of new memberships only.
    """

    key = "buys_membership"
    label = _("the friend buys a new membership")

    def option_fields(self) -> dict[str, forms.Field]:
        return {
            PLANS: forms.ModelMultipleChoiceField(
                queryset=sold_plans(),
                label=_("Which memberships"),
                widget=forms.CheckboxSelectMultiple,
                help_text=_("Tick none for all that are sold, except those for trying out."),
                required=False,
            ),
            ORDERS: forms.ChoiceField(
                label=_("Which of them"),
                choices=[(FIRST, _("the first new membership")), (EACH, _("each new membership"))],
                initial=FIRST,
                help_text=_(
                    "A renewal is not new, nor is one more period of a membership that runs. The first one has to be "
                    "ordered within the days to order. Percentages and the minimum count memberships only."
                ),
            ),
        }

    def freeze_options(self, values: dict[str, Any]) -> dict[str, Any]:
        options: dict[str, Any] = {ORDERS: EACH if values.get(ORDERS) == EACH else FIRST}
        plans = list(values.get(PLANS) or ())
        if plans:
            options |= {PLANS: [plan.pk for plan in plans], NAMES: [names_of(plan) for plan in plans]}
        return options

    def initial_options(self, options: dict[str, Any]) -> dict[str, Any]:
        """What is no longer sold is as if it had not been chosen."""
        return {PLANS: self._still_sold(options), ORDERS: options.get(ORDERS, FIRST)}

    def option_problems(self, options: dict[str, Any]) -> dict[str, str]:
        chosen = options.get(PLANS)
        if chosen and not self._still_sold(options):
            return {PLANS: gettext("What was chosen is no longer sold. Choose again.")}
        if not chosen and not sold_plans().exists():
            return {PLANS: gettext("No membership is sold so far: give a plan its product first.")}
        return {}

    @staticmethod
    def _still_sold(options: dict[str, Any]) -> list[int]:
        chosen = options.get(PLANS) or []
        return list(sold_plans().filter(pk__in=chosen).values_list("pk", flat=True)) if chosen else []

    def eligible_lines(
        self, rule: Rule, lines: Sequence[Mapping[str, Any]]
    ) -> Sequence[Mapping[str, Any]] | None:
        """The lines of new memberships. What was given away with an order was not bought."""
        return [line for line in lines if _is_new(line, rule) and Decimal(line["amount"]) > 0]

    def matches(self, rule: Rule, purchase: PurchaseOccasion) -> bool:
        return purchase.is_first or self.repeats(rule)

    def repeats(self, rule: Rule) -> bool:
        return rule.options.get(ORDERS) == EACH

    def words(self, rule: Rule) -> str:
        plans = either_words(
            # Translators: the name of a membership, in quotation marks, to stand among others.
            gettext("“%(plan)s”") % {"plan": in_language(names)}
            for names in rule.options.get(NAMES, ())
        )
        if self.repeats(rule):
            if plans:
                return gettext("has bought a new membership (%(plans)s), each time") % {"plans": plans}
            return gettext("has bought a new membership, each time")
        if plans:
            return gettext("has bought a new membership (%(plans)s)") % {"plans": plans}
        return gettext("has bought a new membership")


def _is_new(line: Mapping[str, Any], rule: Rule) -> bool:
    membership = line.get("membership") or {}
    if membership.get("kind") != Period.Kind.NEW:
        return False
    chosen = rule.options.get(PLANS)
    return membership.get("plan") in chosen if chosen else not membership.get("trial", False)
