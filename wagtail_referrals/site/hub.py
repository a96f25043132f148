"""What the public page about the program shows: the offer in words, and one's own link."""

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
    """For the template of a hub page. A visitor without an account costs no query of ours but the cached offer."""
    user = getattr(request, "user", None)
    known = user is not None and user.is_authenticated
    # The one that their link would bring today, and for who is not known the one that is for everybody: what a further
    # open program gives, nobody can choose.
    picked = programs.pick_terms(
        site_id=tracking.site_id_for(request),
        advocate_state="active",
        user_id=user.pk if user is not None and known else None,
    )
    offer = None
    if picked is not None:
        offer = {
            "friend": programs.friend_gets(picked.data),
            "advocate": words.advocate_lines(picked.data),
            "conditions": words.advocate_conditions(picked.data),
            "small_print": picked.data.text(get_language() or "")["small_print"],
        }
    context: dict[str, Any] = {
        "offer": offer,
        "headline": page.headline or page.title,
        "steps": [block.value for block in page.steps] if page.steps else _steps() if offer else [],
        "sharing": None,
    }
    # In the editor's preview nobody becomes a referrer.
    if picked is not None and known and not getattr(request, "is_preview", False):
        advocate = people.find_advocate(user)
        if advocate is not None and advocate.name_confirmed_at is not None and advocate.state == "active":
            context["sharing"] = sharing_of(request, advocate, picked.data)
    return context
