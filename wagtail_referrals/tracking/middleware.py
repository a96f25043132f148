"""``request.referral``: what the request knows about the share link that the visitor followed."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import patch_vary_headers

from wagtail_referrals import signals
from wagtail_referrals.tracking.cookie import Ticket, find_visit, read_ticket
from wagtail_referrals.tracking.models import Visit

logger = logging.getLogger(__name__)


class Arrival:
    """Lazy: nothing is read before somebody asks, and a visitor without a link costs a look at the cookies."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def ticket(self) -> Ticket | None:
        try:
            return read_ticket(self._request)
        except Exception:
            # A session store that is down, a broken setting: the page matters more than the referral.
            logger.exception("The visitor's referral could not be read")
            return None

    @property
    def visit_id(self) -> int | None:
        """The visit that the cookie names, while its days to order last. No query."""
        return self.ticket.visit_id if self.ticket else None

    @cached_property
    def visit(self) -> Visit | None:
        """The visit with advocate, terms and claim: one query, and only where there is a ticket."""
        return find_visit(self.ticket) if self.ticket else None

    @property
    def token(self) -> str | None:
        """For a client that keeps no cookies: see ``tracking.visit_from_token``."""
        return self.ticket.sign() if self.ticket else None

    def arrive(self, visit: Visit, ticket: Ticket | None) -> None:
        """The visitor followed a link in this very request."""
        self.__dict__["visit"] = visit
        self.__dict__["ticket"] = ticket


def arrival_of(request: HttpRequest) -> Arrival:
    """``request.referral``, also where the middleware is missing or was not run for this request."""
    arrival = getattr(request, "referral", None)
    if not isinstance(arrival, Arrival):
        arrival = Arrival(request)
        request.referral = arrival  # type: ignore[attr-defined]
    return arrival


class ReferralMiddleware:
    """Gives every request its ``referral``, and says when a view is entered. Reads and writes nothing itself.

    A page that asked who came by which link is for this visitor alone: caches are told that it varies.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self.__acall__(request)
        request.referral = Arrival(request)  # type: ignore[attr-defined]
        return _varied(request, self.get_response(request))

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        request.referral = Arrival(request)  # type: ignore[attr-defined]
        return _varied(request, await self.get_response(request))

    def process_view(self, request: HttpRequest, *args: Any) -> HttpResponseBase | None:
        answers = signals.entering_view.send_robust(sender=type(self), request=request)
        return next((answer for _who, answer in answers if isinstance(answer, HttpResponseBase)), None)


def _varied(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    arrival = getattr(request, "referral", None)
    if isinstance(arrival, Arrival) and "ticket" in vars(arrival):
        patch_vary_headers(response, ["Cookie"])
    return response
