"""Points: credit in a unit that the shop names. They stand in the ledger, and pay for nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from django import forms
from django.utils.functional import lazy
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals import conf, credit
from wagtail_referrals.kinds.reward import LedgerKind, reward_kinds
from wagtail_referrals.kinds.rule import Rule

# What is more was hardly meant, and has to fit the columns of what is given.
MOST: Final = 99_999_999


def _name() -> str:
    points = conf.points()
    return capfirst(points.named(2)) if points is not None else gettext("Points")


class PointsKind(LedgerKind):
    """Whole numbers of points. The terms keep the unit: another name in the settings is another unit."""

    key = "points"
    label = lazy(_name, str)()
    value_fields = ("points",)

    def option_fields(self) -> dict[str, forms.Field]:
        return {
            "points": forms.IntegerField(
                label=_("How many"),
                min_value=1,
                max_value=MOST,
                error_messages={"required": _("Say how many.")},
            )
        }

    def freeze_options(self, values: dict[str, Any]) -> dict[str, Any]:
        points = conf.points()
        if values["points"] is None or points is None:
            return {}
        return {"points": values["points"], "points_unit": points.unit}

    def words(self, rule: Rule, currency: str) -> str:
        return credit.format_money(Decimal(rule.options["points"]), self.unit(rule, currency))

    def worth(self, rule: Rule, currency: str, eligible: Decimal | None) -> Decimal | None:
        return Decimal(rule.options["points"])

    def unit(self, rule: Rule, currency: str) -> str:
        return str(rule.options["points_unit"])

    def cost(self, rule: Rule) -> dict[str, Decimal]:
        return {self.unit(rule, ""): Decimal(rule.options["points"])}


if conf.points() is not None:
    reward_kinds.register(PointsKind())
