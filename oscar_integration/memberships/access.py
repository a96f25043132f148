"""What only members may see: in a view, a template, or any other code.

Pages of Wagtail need none of it: their privacy is given to the plan's group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers, patch_vary_headers

from oscar_integration.memberships.models import Membership, Plan
from wagtail_referrals.site.layout import layout_context

__all__ = [
    "has_membership",
    "membership_required",
    "memberships_of",
    "memberships_of_request",
]

# On the request: whose memberships were read, and what they are.
_READ = "_open_memberships"


def memberships_of(user: Any, now: datetime | None = None) -> list[Membership]:
    """The customer's open memberships with their plans, the oldest first. One query; none for who is not logged in."""
    if user is None or not user.is_authenticated:
        return []
    found = Membership.objects.filter(Membership.open_at(now or timezone.now()), user_id=user.pk)
    return list(found.select_related("plan").order_by("starts_at", "pk"))


def has_membership(user: Any, *slugs: str, now: datetime | None = None) -> bool:
    """Whether the customer has an open membership of one of these plans, or of any if none is named. One query.

    No query for who is not logged in.
    """
    if user is None or not user.is_authenticated:
        return False
    found = Membership.objects.filter(Membership.open_at(now or timezone.now()), user_id=user.pk)
    if slugs:
        found = found.filter(plan__slug__in=slugs)
    return found.exists()


def memberships_of_request(request: Any) -> list[Membership]:
    """The open memberships of who asks for this page. One query for the whole page; none without a customer."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return []
    read = getattr(request, _READ, None)
    # Who logs in while the page is made is somebody else.
    if read is None or read[0] != user.pk:
        # What the database refuses must not take the page's own transaction with it.
        with transaction.atomic():
            read = (user.pk, memberships_of(user))
        setattr(request, _READ, read)
    return list(read[1])


def is_among(memberships: Iterable[Membership], slugs: Iterable[str]) -> bool:
    """Whether one of them is of one of these plans; whether there is one at all, where none is named."""
    wanted = set(slugs)
    return any(not wanted or membership.plan.slug in wanted for membership in memberships)


def membership_required(*slugs: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A view for members: of one of these plans, or of any if none is named.

    Who is not logged in is led to the login page and back. Who has no such membership gets a page with status 403 that
    says which one it takes, and where to buy it. For methods there is
    ``django.utils.decorators.method_decorator``. The view is a synchronous one.
    """

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def members_only(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            user = getattr(request, "user", None)
            if user is None or not user.is_authenticated:
                answer: HttpResponseBase = redirect_to_login(request.get_full_path())
                add_never_cache_headers(answer)
            elif is_among(memberships_of_request(request), slugs):
                answer = view(request, *args, **kwargs)
            else:
                answer = refuse(request, slugs)
            patch_vary_headers(answer, ["Cookie"])
            return answer

        return members_only

    return decorate


def refuse(request: HttpRequest, slugs: Iterable[str]) -> HttpResponse:
    """The page, with status 403, that says which membership is asked for."""
    answer = render(
        request,
        "oscar_integration/memberships/membership_required.html",
        {**layout_context(), "offers": [offer_of(plan) for plan in plans_asked_for(slugs)]},
        status=403,
    )
    add_never_cache_headers(answer)
    return answer


def plans_asked_for(slugs: Iterable[str]) -> list[Plan]:
    """These plans, in the order in which they were named; without a name, those that can be bought."""
    wanted = list(slugs)
    plans = Plan.objects.select_related("product").prefetch_related("names")
    if not wanted:
        return list(plans.filter(product__is_public=True))
    return sorted(plans.filter(slug__in=wanted), key=lambda plan: wanted.index(plan.slug))


def offer_of(plan: Plan) -> dict[str, Any]:
    """What customers call the plan, and the address where it is sold; "" for one that nobody can buy."""
    product = plan.product
    url = product.get_absolute_url() if product is not None and product.is_public else ""
    return {"title": plan.title, "url": url, "is_gift": plan.gift_only}
