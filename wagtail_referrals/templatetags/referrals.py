"""What any page of the site can show: the share icon, the banner of an invitation, the panel after an order.

None of them breaks the page it stands on: what fails is logged, and left out.
"""

from __future__ import annotations

import logging
from typing import Any

from django import template
from django.db import transaction

from wagtail_referrals import people, programs, tracking
from wagtail_referrals.site import offer as words
from wagtail_referrals.site.invitation import Invitation, saved_invitation
from wagtail_referrals.site.sharing import sharing_of

logger = logging.getLogger(__name__)
register = template.Library()


@register.inclusion_tag("wagtail_referrals/includes/share_icon.html")
def referral_share_icon() -> dict[str, Any]:
    """A link to "Refer a friend" for the page header. No query."""
    return {}


@register.inclusion_tag("wagtail_referrals/includes/banner.html", takes_context=True)
def referral_banner(context: template.Context) -> dict[str, Any]:
    """ "Camille invites you: 10% off one order", on any page, for who followed a link. One query, for those only."""
    request = context.get("request")
    invitation: Invitation | None = None
    # A landing page says it itself.
    says_so = hasattr(request, "referral_invitation")
    if request is not None and not says_so and not getattr(request, "is_preview", False):
        try:
            if tracking.arrival_of(request).visit_id is not None:
                with transaction.atomic():
                    invitation = saved_invitation(request)
        except Exception:
            logger.exception("The banner of an invitation could not be shown")
    return {"invitation": invitation}


@register.inclusion_tag("wagtail_referrals/includes/thank_you.html", takes_context=True)
def referral_thank_you(context: template.Context, order_email: str = "", user: Any = None) -> dict[str, Any]:
    """Invite friends, after an order: of the customer who is logged in, else of the guest with this address.

    A guest gets a code too; rewards wait until somebody registers with the address.
    """
    request = context.get("request")
    panel: dict[str, Any] | None = None
    if request is not None:
        try:
            with transaction.atomic():
                panel = _panel(request, order_email, user or getattr(request, "user", None))
        except Exception:
            logger.exception("The panel after an order could not be shown")
    return {"panel": panel, "share_id": "referrals-thank-you-link"}


def _panel(request: Any, order_email: str, user: Any) -> dict[str, Any] | None:
    known = user is not None and user.is_authenticated
    offer = programs.pick_terms(
        site_id=tracking.site_id_for(request), advocate_state="active", user_id=user.pk if known else None
    )
    if offer is None or (not known and not order_email):
        return None
    advocate = people.advocate_for(user) if known else people.advocate_for_guest(order_email)
    if advocate.state != "active":
        return None
    # An account holder first sees what friends will see; a guest has no name to show.
    may_share = not known or advocate.name_confirmed_at is not None
    return {
        "is_guest": not known,
        "gift": programs.friend_gets(offer.data),
        "advocate_lines": words.advocate_lines(offer.data),
        "sharing": sharing_of(request, advocate, offer.data) if may_share else None,
    }
