"""For the templates of our listings in the admin."""

from __future__ import annotations

from typing import Any

from django import template

from wagtail_referrals.admin.explanations import explanation_of

register = template.Library()


@register.inclusion_tag("wagtail_referrals/admin/_explanation.html")
def explanation(view: Any) -> dict[str, Any]:
    """What a listing shows, and what its words mean."""
    return {"explanation": explanation_of(view.model)}
