"""What any page of the site can show: one's own link, an invitation, the offer, leaderboards and thanks.

None of them breaks the page it stands on: what fails is logged, and left out. Most are blocks of ``site.blocks`` too,
and draw the same templates.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from django import template
from django.db import transaction

from wagtail_referrals import people, programs, tracking
from wagtail_referrals.site import offer as words
from wagtail_referrals.site import panels
from wagtail_referrals.site.sharing import sharing_of

logger = logging.getLogger(__name__)
register = template.Library()
T = TypeVar("T")


def _safely(context: template.Context, what: str, read: Callable[[Any], T]) -> T | None:
    """What ``read(request)`` answers; ``None`` without a request, and where it fails."""
    request = context.get("request")
    if request is None:
        return None
    try:
        return read(request)
    except Exception:
        logger.exception("%s could not be shown", what)
        return None


@register.simple_tag(takes_context=True)
def referral_once(context: template.Context, name: str) -> bool:
    """Whether this is the first time on this page; for what a page needs once. Always where there is no request."""
    request = context.get("request")
    return request is None or panels.visitor_of(request).once(name)


@register.inclusion_tag("wagtail_referrals/includes/share_icon.html")
def referral_share_icon() -> dict[str, Any]:
    """A link to "Refer a friend" for the page header. No query."""
    return {}


@register.inclusion_tag("wagtail_referrals/includes/banner.html", takes_context=True)
def referral_banner(context: template.Context) -> dict[str, Any]:
    """ "Camille invites you: 10% off one order", on any page, for who followed a link. One query, for those only."""

    def read(request: Any) -> Any:
        return None if getattr(request, "is_preview", False) else panels.banner(request)

    return {
        "invitation": _safely(context, "The banner of an invitation", read),
        "request": context.get("request"),
    }


@register.inclusion_tag("wagtail_referrals/blocks/share.html", takes_context=True)
def referral_share(
    context: template.Context, heading: str = "", text: str = "", shows_offer: bool = True
) -> dict[str, Any]:
    """The customer's own link and the ways to share it; the way to it for who has none."""
    return _panel(
        context, "The share panel", panels.share_panel, heading=heading, text=text, shows_offer=shows_offer
    )


@register.inclusion_tag("wagtail_referrals/includes/product_share.html", takes_context=True)
def referral_product_share(context: template.Context, url: str = "") -> dict[str, Any]:
    """On the page of a product: a customer's link that leads a friend to this very page, or to ``url``."""
    return _panel(
        context,
        "The link to a product",
        lambda request: panels.share_panel(request, to=url or request.path),
    )


@register.inclusion_tag("wagtail_referrals/blocks/how_it_works.html", takes_context=True)
def referral_how_it_works(context: template.Context, heading: str = "", reader: str = "") -> dict[str, Any]:
    """The steps. ``reader``: "friend", "referrer", or "" to follow the visitor."""
    return _panel(
        context,
        "How it works",
        lambda request: panels.steps_panel(request, reader=reader),
        heading=heading,
    )


@register.inclusion_tag("wagtail_referrals/blocks/progress.html", takes_context=True)
def referral_progress(context: template.Context, heading: str = "", program: Any = None) -> dict[str, Any]:
    """How far the visitor is from the next reward. ``program``: one, or its key; else the one that they may offer."""
    return _panel(
        context,
        "The progress to a reward",
        lambda request: panels.progress_panel(request, program=program),
        heading=heading,
    )


@register.inclusion_tag("wagtail_referrals/blocks/leaderboard.html", takes_context=True)
def referral_leaderboard(
    context: template.Context, heading: str = "", program: Any = None, period: str = "month", size: int = 10
) -> dict[str, Any]:
    """Who has brought the most friends. ``period``: "month", "year" or "ever"."""
    return _panel(
        context,
        "A leaderboard",
        lambda request: panels.leaderboard_panel(request, program=program, period=period, size=size),
        heading=heading,
    )


@register.inclusion_tag("wagtail_referrals/blocks/wall.html", takes_context=True)
def referral_wall(
    context: template.Context, heading: str = "", text: str = "", size: int = 12
) -> dict[str, Any]:
    """Customers whom the shop thanks in public."""
    return _panel(
        context,
        "The wall of thanks",
        lambda request: panels.wall_panel(request, size=size),
        heading=heading,
        text=text,
    )


@register.inclusion_tag("wagtail_referrals/blocks/balance.html", takes_context=True)
def referral_balance(context: template.Context, heading: str = "") -> dict[str, Any]:
    """The referral credit of the customer who is logged in."""
    return _panel(context, "The balance", panels.balance_panel, heading=heading)


@register.inclusion_tag("wagtail_referrals/blocks/faq.html", takes_context=True)
def referral_faq(context: template.Context, heading: str = "", reader: str = "") -> dict[str, Any]:
    """Questions that the terms of the program answer. ``reader``: see ``referral_how_it_works``."""
    return _panel(
        context,
        "Questions and answers",
        lambda request: panels.faq_panel(request, reader=reader),
        heading=heading,
    )


@register.inclusion_tag("wagtail_referrals/blocks/terms.html", takes_context=True)
def referral_terms(context: template.Context, heading: str = "", reader: str = "") -> dict[str, Any]:
    """The terms of the offer. ``reader``: see ``referral_how_it_works``."""
    return _panel(
        context,
        "The terms of the offer",
        lambda request: panels.terms_panel(request, reader=reader),
        heading=heading,
    )


def _panel(context: template.Context, what: str, read: Callable[[Any], Any], **value: Any) -> dict[str, Any]:
    """What the template of a block is given: there ``value`` is what the editor filled in."""
    return {
        "panel": _safely(context, what, read),
        "value": value,
        "request": context.get("request"),
    }


@register.inclusion_tag("wagtail_referrals/includes/thank_you.html", takes_context=True)
def referral_thank_you(context: template.Context, order_email: str = "", user: Any = None) -> dict[str, Any]:
    """Invite friends, after an order: of the customer who is logged in, else of the guest with this address.

    A guest gets a code too; rewards wait until somebody registers with the address. Shown once on a page.
    """

    def read(request: Any) -> Any:
        if not panels.visitor_of(request).once("thank-you"):
            return None
        with transaction.atomic():
            return _thanks(request, order_email, user or getattr(request, "user", None))

    return {
        "panel": _safely(context, "The panel after an order", read),
        "share_id": "referrals-thank-you-link",
        "request": context.get("request"),
    }


def _thanks(request: Any, order_email: str, user: Any) -> dict[str, Any] | None:
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


@register.simple_tag(takes_context=True)
def referral_mail_link(context: template.Context, user: Any, site: Any = None) -> Any:
    """For an e-mail to a customer: the absolute address of "Refer a friend"; "" for who may refer nobody.

    With ``as link`` there are ``link.share_url`` too, one's own link, "" for who has not seen what friends will read,
    ``link.gift``, what the friend gets, and ``link.reward``, what the customer gets. ``site`` is Wagtail's, else that
    of the request, else the default one.
    """
    try:
        return panels.mail_link(user, site=site, request=context.get("request")) or ""
    except Exception:
        logger.exception("The link in an e-mail could not be made")
        return ""
