"""The tabs that our pages have in the customer's account."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context

from oscar_integration.account import Tab, tabs_for

register = template.Library()


@register.simple_tag(takes_context=True)
def account_tabs(context: Context) -> list[Tab]:
    """Those that this customer sees: ``{% account_tabs as own_tabs %}``."""
    request: Any = getattr(context, "request", None)
    return tabs_for(request, str(context.get("active_tab", ""))) if request is not None else []
