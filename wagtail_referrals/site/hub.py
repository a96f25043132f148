"""What the public page about the program shows: the open offers in words, and one's own link."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import get_language, gettext

from wagtail_referrals import people, programs, tracking
from wagtail_referrals.site import offer as words
from wagtail_referrals.site.sharing import sharing_of


def _steps() -> list[dict[str, str]]:
    return [
        {
            "heading": gettext("Share your link"),
            "text": gettext("It is in your account, and it stays the same."),
        },
        {
            "heading": gettext("Your friend orders"),
            "text": gettext("Their present waits in the basket, without a code."),
        },
        {
            "heading": gettext("You get your reward"),
            "text": gettext("You see at any time what it is waiting for."),
        },
    ]


def hub_context(request: HttpRequest, page: Any) -> dict[str, Any]:
    """For the template of a hub page. A visitor without an account costs no query of ours but the cached offers."""
    offers = [
        {
            "friend": programs.friend_gets(offer.data),
            "advocate": words.advocate_lines(offer.data),
            "conditions": words.advocate_conditions(offer.data),
            "small_print": offer.data.text(get_language() or "")["small_print"],
        }
        for offer in programs.open_terms(site_id=tracking.site_id_for(request))
    ]
    context: dict[str, Any] = {
        "offers": offers,
        "headline": page.headline or page.title,
        "steps": [block.value for block in page.steps] if page.steps else _steps() if offers else [],
        "sharing": None,
    }
    user = getattr(request, "user", None)
    # In the editor's preview nobody becomes a referrer.
    if offers and user is not None and user.is_authenticated and not getattr(request, "is_preview", False):
        advocate = people.find_advocate(user)
        if advocate is not None and advocate.name_confirmed_at is not None and advocate.state == "active":
            first = programs.pick_terms(site_id=tracking.site_id_for(request), advocate_state=advocate.state)
            context["sharing"] = sharing_of(request, advocate, first.data if first else None)
    return context
