"""What each of the customer's own pages shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import get_language, gettext, pgettext_lazy
from wagtail.models import Site

from wagtail_referrals import credit, people, programs, tracking
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.recognition import badges_of, feature_of, version_of, words_of
from wagtail_referrals.referrals import RequestForAdvocate, get_shop, requests_of
from wagtail_referrals.site import elsewhere
from wagtail_referrals.site import offer as words
from wagtail_referrals.site.account.choices import NameForm, may_be_named
from wagtail_referrals.site.account.friends import (
    GROUPS,
    friend_counts,
    friends_of,
    newest_friends,
    opened_of,
)
from wagtail_referrals.site.account.invited import inviters_of
from wagtail_referrals.site.account.orders import ReportForm
from wagtail_referrals.site.account.rewards import balance_of, balances_in_short, discounts_of
from wagtail_referrals.site.milestones import milestones_of
from wagtail_referrals.site.sharing import sharing_of

NEWEST: Final = 3

# Name of the address, what it is called in the menu.
SECTIONS: Final[list[tuple[str, Any]]] = [
    ("account", pgettext_lazy("own page", "Overview")),
    ("friends", pgettext_lazy("own page", "Friends")),
    ("rewards", pgettext_lazy("own page", "Rewards")),
    ("settings", pgettext_lazy("own page", "Settings")),
]
GROUP_LABELS: Final[dict[str, Any]] = {
    "": pgettext_lazy("friends", "All"),
    "waiting": pgettext_lazy("friends", "On the way"),
    "rewarded": pgettext_lazy("friends", "Rewarded"),
    "ended": pgettext_lazy("friends", "Without a reward"),
}


@dataclass(frozen=True)
class Link:
    """A link to another of these pages, or to another part of this one. ``number`` is "" where there is none."""

    url: str
    label: str
    number: Any
    is_current: bool


def sections(current: str) -> list[Link]:
    """The menu over the pages."""
    return [Link(reverse(f"referrals:{name}"), str(label), "", name == current) for name, label in SECTIONS]


def overview(request: HttpRequest, advocate: Advocate, form: NameForm) -> dict[str, Any]:
    """The link, how far they are, and what waits for them. A constant number of queries."""
    offer = programs.pick_terms(
        site_id=tracking.site_id_for(request), advocate_state=advocate.state, user_id=advocate.user_id
    )
    data = offer.data if offer else None
    return {
        **_name(advocate, form),
        "gift": programs.friend_gets(data) if data else "",
        "offer_open": data is not None,
        "advocate_lines": words.advocate_lines(data, milestones=False) if data else [],
        "advocate_conditions": words.advocate_conditions(data) if data else [],
        "small_print": data.text(get_language() or "")["small_print"] if data else "",
        "milestones": milestones_of(advocate, data) if data else None,
        "sharing": sharing_of(request, advocate, data) if data else None,
        "to_answer": [each for each in requests_of(advocate) if each.needs_answer],
        "feature": _feature(advocate, only_unanswered=True),
        "questions": elsewhere.questions_for(request.user, Site.find_for_request(request)),
        "opened": opened_of(advocate),
        "counts": friend_counts(advocate),
        "newest": newest_friends(advocate, NEWEST),
        "balances": balances_in_short(request.user),
        "to_use": len(discounts_of(request.user)) + len(elsewhere.gifts_of(request.user)),
        "inviters": inviters_of(request.user),
    }


def friends(request: HttpRequest, advocate: Advocate, form: ReportForm | None = None) -> dict[str, Any]:
    """Every friend, and the orders that are not where they belong. A constant number of queries."""
    group = request.GET.get("show", "")
    group = group if group in GROUPS else ""
    counts = friend_counts(advocate)
    asked = requests_of(advocate)
    return {
        "opened": opened_of(advocate),
        "counts": counts,
        "friends": friends_of(advocate, request.GET.get("page"), group=group, counts=counts),
        "group": group,
        "kept_query": f"show={group}&" if group else "",
        "groups": _groups(group, counts) if counts.total else [],
        "to_answer": [each for each in asked if each.needs_answer],
        "reported": [_reported(each) for each in asked if not each.needs_answer],
        "report_form": form or ReportForm(),
    }


def rewards(request: HttpRequest, advocate: Advocate) -> dict[str, Any]:
    """What they have: to use, to spend, to wear. The queries grow with the number of accounts only."""
    balances = [
        balance_of(account, request.user, request.GET.get(f"movements-{account.currency}"))
        for account in credit.accounts_of(request.user)
    ]
    return {
        "discounts": discounts_of(request.user),
        "gifts": elsewhere.gifts_of(request.user),
        "balances": [balance for balance in balances if not balance.unit],
        "points": [balance for balance in balances if balance.unit],
        "credit_pays": get_shop().takes_credit(),
        "badges": badges_of(request.user),
    }


def settings(request: HttpRequest, advocate: Advocate, form: NameForm) -> dict[str, Any]:
    """What they decide for themselves."""
    return {
        **_name(advocate, form),
        "feature": _feature(advocate),
        "inviters": inviters_of(request.user),
    }


def _name(advocate: Advocate, form: NameForm) -> dict[str, Any]:
    return {
        "name_form": form,
        "confirmed": advocate.name_confirmed_at is not None,
        "invites": gettext("%(name)s invites you") % {"name": people.invitation_name(advocate.public_name)},
    }


def _groups(current: str, counts: Any) -> list[Link]:
    url = reverse("referrals:friends")
    return [
        Link(f"{url}?show={group}" if group else url, str(label), counts.of(group), group == current)
        for group, label in GROUP_LABELS.items()
    ]


def _reported(request: RequestForAdvocate) -> dict[str, Any]:
    return {
        "title": gettext("Order %(number)s") % {"number": request.reference},
        "since": request.created_at,
        "state": request.state,
        "state_words": request.state_words,
        "why": request.why,
    }


def _feature(advocate: Advocate, *, only_unanswered: bool = False) -> dict[str, Any] | None:
    """What staff would like to say on the wall of thanks; ``None`` where there is nothing to ask."""
    featured = feature_of(advocate)
    if featured is None or advocate.state != Advocate.State.ACTIVE:
        return None
    answered = featured.agreed_at is not None or featured.declined_at is not None
    if only_unanswered and answered:
        return None
    if featured.agreed_at is None and not may_be_named(advocate):
        return None
    return {
        "words": words_of(featured),
        "picture": featured.picture,
        "version": version_of(featured),
        "has_agreed": featured.agreed_at is not None,
        "is_answered": answered,
    }
