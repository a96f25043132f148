"""The kind of reward that is a badge."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals.kinds import Posting, RewardKind, Rule, in_language
from wagtail_referrals.recognition.models import Badge


class BadgeKind(RewardKind):
    """A badge on the customer's page. The terms keep its names and its drawing as they were."""

    key = "badge"
    label = _("Badge")
    only_writes_rows = True

    def option_fields(self) -> dict[str, forms.Field]:
        return {
            "badge": forms.ModelChoiceField(
                Badge.objects.prefetch_related("names"),
                label=_("Badge"),
                help_text=_("Badges are drawn and named under “Badges” in this menu."),
                error_messages={"required": _("Say which badge.")},
            )
        }

    def freeze_options(self, values: dict[str, Any]) -> dict[str, Any]:
        badge: Badge | None = values["badge"]
        return badge_options(badge) if badge is not None else {}

    def initial_options(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"badge": options.get("badge")}

    def words(self, rule: Rule, currency: str) -> str:
        return gettext("the badge “%(name)s”") % {"name": in_language(rule.options["badge_names"])}

    def post(self, posting: Posting) -> None:
        """Nothing: the reward itself says who wears it."""


def badge_options(badge: Badge) -> dict[str, Any]:
    """What the terms of a rule that gives ``badge`` keep."""
    return {"badge": badge.pk, "badge_names": badge.names_by_language, "badge_icon": badge.icon}
