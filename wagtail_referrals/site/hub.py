"""What the public page about the program shows: the offer in words, and one's own link."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.html import escape, strip_tags
from django.utils.translation import get_language
from wagtail.rich_text import expand_db_html

from wagtail_referrals import people, programs, tracking
from wagtail_referrals.programs import TermsData
from wagtail_referrals.site import offer as words
from wagtail_referrals.site import panels
from wagtail_referrals.site.invitation import sample_invitation
from wagtail_referrals.site.public_picture import shared_picture
from wagtail_referrals.site.sharing import Sharing, sharing_of


def hub_context(request: HttpRequest, page: Any) -> dict[str, Any]:
    """For the template of a hub page. A visitor without an account costs no query of ours but the cached offer."""
    data = _data(request, page)
    gift = programs.friend_gets(data) if data is not None else ""
    body = page.body.raw_data if page.body else []
    placed = {part["type"] for part in body}
    offer = None
    if data is not None:
        offer = {
            "friend": gift,
            "advocate": words.advocate_lines(data),
            "conditions": words.advocate_conditions(data),
            "small_print": data.text(get_language() or "")["small_print"],
        }
    steps = [block.value for block in page.steps] if page.steps else words.referrer_steps() if data else []
    # What the editor placed on the page stands there, and not once more where it usually is.
    return {
        "offer": offer,
        "headline": page.headline.replace("{gift}", gift) or page.title,
        "introduction": _introduction(page, gift),
        "shared_title": getattr(page, "seo_title", "") or page.title,
        "shared_text": getattr(page, "search_description", ""),
        "shared_picture": shared_picture(request, page.picture),
        "steps": [] if "referral_how_it_works" in placed else steps,
        "says_offer": not any(
            part["type"] == "referral_share" and part["value"].get("shows_offer", True) for part in body
        ),
        "says_terms": "referral_terms" not in placed,
        "shares": "referral_share" not in placed,
        "sharing": _sharing(request, data) if data is not None and "referral_share" not in placed else None,
    }


def _introduction(page: Any, gift: str) -> str:
    """HTML; "" where the editor left an empty line behind."""
    written = page.introduction if strip_tags(page.introduction).strip() else ""
    return str(expand_db_html(written.replace("{gift}", escape(gift)))) if written else ""


def _data(request: HttpRequest, page: Any) -> TermsData | None:
    """What the visitor's link would bring today, and for who is not known what is for everybody: what a further open
    program gives, nobody can choose. In a preview of a day to come, what is open then.
    """
    moment = getattr(page, "preview_on", None) if getattr(request, "is_preview", False) else None
    if moment is not None:
        open_then = programs.terms_on(moment, site_id=tracking.site_id_for(request))
        return open_then[0] if open_then else None
    user = getattr(request, "user", None)
    known = user is not None and user.is_authenticated
    picked = programs.pick_terms(
        site_id=tracking.site_id_for(request),
        advocate_state="active",
        user_id=user.pk if user is not None and known else None,
    )
    return picked.data if picked is not None else None


def _sharing(request: HttpRequest, data: TermsData) -> Sharing | None:
    """The visitor's own link, once they have seen what friends will read; in a preview a sample's."""
    if getattr(request, "is_preview", False):
        # Nobody becomes a referrer in the editor.
        as_referrer = getattr(request, "referral_preview", "") == "referrer"
        return panels.sample_sharing(request, sample_invitation(request, "friend")) if as_referrer else None
    user = getattr(request, "user", None)
    advocate = people.find_advocate(user) if user is not None and user.is_authenticated else None
    if advocate is None or advocate.name_confirmed_at is None or advocate.state != "active":
        return None
    return sharing_of(request, advocate, data)
