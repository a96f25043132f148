"""Members' parts of any page.

    {% load membership_tags %}
    {% has_membership "friends" as member %}{% if member %}...{% endif %}
    {% open_memberships as mine %}{% for membership in mine %}{{ membership.plan.title }}{% endfor %}

All tags of a page share one query. None of them breaks the page it stands on: what fails is logged, and nobody is a
member.
"""

from __future__ import annotations

import logging

from django import template
from django.db import transaction
from django.db.models import prefetch_related_objects

from oscar_integration.memberships.access import is_among, memberships_of_request
from oscar_integration.memberships.models import Membership

logger = logging.getLogger("oscar_integration")
register = template.Library()


@register.simple_tag(takes_context=True)
def has_membership(context: template.Context, *slugs: str) -> bool:
    """Whether who sees the page has an open membership of one of these plans, or of any if none is named."""
    return is_among(_read(context), slugs)


@register.simple_tag(takes_context=True)
def open_memberships(context: template.Context) -> list[Membership]:
    """The open memberships of who sees the page, the oldest first, with their plans. One more query for the names."""
    found = _read(context)
    if not found:
        return []
    try:
        with transaction.atomic():
            prefetch_related_objects(found, "plan__names")
    except Exception:
        logger.exception("The names of a customer's memberships could not be read")
        return []
    return found


def _read(context: template.Context) -> list[Membership]:
    try:
        return memberships_of_request(context.get("request"))
    except Exception:
        logger.exception("A customer's memberships could not be read")
        return []
