""" "Did a friend send you?" in a shop's own templates: ``{% referral_question %}``, outside any other form.

It shows nothing where nobody is asked. The package shows it itself at the head of Oscar's blocks; where a shop's
template says it, it stands there and not a second time.
"""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import Context

register = template.Library()


@register.inclusion_tag("oscar_integration/checkout/question.html", takes_context=True)
def referral_question(context: Context) -> dict[str, Any]:
    panel = context.get("referral_question")
    if panel is None or panel.is_shown:
        return {"panel": None}
    panel.is_shown = True
    return {"panel": panel, "csrf_token": context.get("csrf_token")}
