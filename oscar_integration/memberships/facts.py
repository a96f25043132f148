"""Who is a member, for audiences of customers."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from oscar_integration.memberships.models import Membership, Plan
from wagtail_referrals.programs import Asked, CustomerFact, customer_facts

PLAN: Final = "membership_plan"


class IsMember(CustomerFact):
    """Has a membership that opens doors at this moment. With no plan chosen, those for trying out do not count."""

    key = "membership"
    label = _("is a member")

    def option_fields(self) -> dict[str, forms.Field]:
        return {
            PLAN: forms.ChoiceField(
                label=_("Membership"),
                choices=lambda: [("", _("any, except those for trying out")), *self.plans()],
                required=False,
            )
        }

    @staticmethod
    def plans() -> list[tuple[str, str]]:
        return [(str(pk), name) for pk, name in Plan.objects.order_by("name").values_list("pk", "name")]

    def freeze_options(self, values: dict[str, Any]) -> dict[str, Any]:
        plan = values.get(PLAN)
        return {PLAN: plan, "title": dict(self.plans()).get(plan, "")} if plan else {}

    def words(self, options: dict[str, Any]) -> str:
        if not options.get(PLAN):
            return gettext("is a member")
        return gettext("has the membership “%(plan)s”") % {"plan": options.get("title") or options[PLAN]}

    def matching(self, options: dict[str, Any], asked: Asked) -> Q:
        found = Membership.objects.filter(Membership.open_at(asked.now), user__isnull=False)
        plan = options.get(PLAN)
        found = found.filter(plan=plan) if plan else found.filter(plan__is_trial=False)
        if asked.user_id is not None:
            found = found.filter(user=asked.user_id)
        return Q(pk__in=found.values("user"))


def register() -> None:
    """Called once, from the app's ``ready``."""
    customer_facts.register(IsMember())
