"""Credit in a shop's own templates.

``{% referral_credit_form %}``            the payment step: use credit, how much, or not
``{% referral_credit_totals %}``          the preview: what credit pays and what the card pays
``{% credit_of_order order as credit %}`` an order: ``credit.amount_text``, ``credit.rest_text``..., or None

The first two belong outside any other form, and show nothing where there is no credit. The package shows them itself at
the end of Oscar's blocks; where a shop's template says them, they stand there and not a second time.
"""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import Context

from oscar_integration.paid import OrderCredit, credit_of

register = template.Library()


@register.inclusion_tag("oscar_integration/checkout/credit_form.html", takes_context=True)
def referral_credit_form(context: Context) -> dict[str, Any]:
    panel = context.get("referral_credit")
    if panel is None or panel.form_shown:
        return {"panel": None}
    panel.form_shown = True
    return {"panel": panel, "csrf_token": context.get("csrf_token")}


@register.inclusion_tag("oscar_integration/checkout/credit_totals.html", takes_context=True)
def referral_credit_totals(context: Context) -> dict[str, Any]:
    panel = context.get("referral_credit")
    if panel is None or panel.totals_shown or not panel.is_used:
        return {"panel": None}
    panel.totals_shown = True
    return {"panel": panel, "csrf_token": context.get("csrf_token")}


@register.simple_tag
def credit_of_order(order: Any) -> OrderCredit | None:
    return credit_of(order)
