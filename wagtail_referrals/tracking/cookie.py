"""The signed value that names a visit: in a cookie, in the session of who agreed to no cookie, or as a token.

It carries what later requests must know without a query: whose visit it is, to which terms, how long they hold, and
whether an earlier link wins. It says nothing about the visitor.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponseBase
from django.utils.http import base36_to_int, int_to_base36

from wagtail_referrals import conf
from wagtail_referrals.programs import TermsData, parse
from wagtail_referrals.tracking.models import Visit

SALT: Final = "wagtail_referrals.visit"
SESSION_KEY: Final = "wagtail_referrals.visit"
# A real one has about 90 characters.
MAX_LENGTH: Final = 200
# Bigger numbers are nobody's key, and SQLite refuses them with an OverflowError.
_MAX_KEY: Final = 2**63 - 1


@dataclass(frozen=True)
class Ticket:
    """What the signed value says. Times are seconds since 1970."""

    visit_id: int
    advocate_id: int
    terms_id: int
    visited: int
    expires: int
    first_touch: bool

    @classmethod
    def of(cls, visit: Visit, data: TermsData) -> Ticket:
        """Of a visit that was shown terms. Raises ``ValueError`` for one to which nothing was promised."""
        if visit.terms_id is None:
            raise ValueError("nothing was promised to this visit")
        return cls(
            visit_id=visit.pk,
            advocate_id=visit.advocate_id,
            terms_id=visit.terms_id,
            visited=int(visit.created_at.timestamp()),
            expires=int((visit.created_at + timedelta(days=data.window_days)).timestamp()),
            first_touch=data.touch == "first",
        )

    @property
    def is_open(self) -> bool:
        """The days to order are not over. No query: a claim that has been used is found out later."""
        return time.time() <= self.expires

    def sign(self) -> str:
        numbers = (
            self.visit_id,
            self.advocate_id,
            self.terms_id,
            self.visited,
            self.expires,
            int(self.first_touch),
        )
        return signing.Signer(salt=SALT).sign("-".join(int_to_base36(number) for number in numbers))

    @classmethod
    def read(cls, text: Any) -> Ticket | None:
        """``None`` for whatever this site did not sign itself. Never raises."""
        if not isinstance(text, str) or len(text) > MAX_LENGTH:
            return None
        try:
            parts = signing.Signer(salt=SALT).unsign(text).split("-")
            visit_id, advocate_id, terms_id, visited, expires, first = (base36_to_int(part) for part in parts)
        except (signing.BadSignature, ValueError):
            return None
        if max(visit_id, advocate_id, terms_id) > _MAX_KEY:
            return None
        return cls(visit_id, advocate_id, terms_id, visited, expires, bool(first))


def may_set_cookie(request: HttpRequest) -> bool:
    """What the site's consent hook says; without one the cookie, which serves what the visitor clicked for, is set."""
    consent = conf.load("CONSENT")
    return consent is None or bool(consent(request))


def remember(
    request: HttpRequest,
    response: HttpResponseBase,
    visit: Visit,
    data: TermsData | None = None,
    *,
    arrived_at: datetime | None = None,
) -> None:
    """Let the visitor's next requests know the visit: by a signed cookie, without consent by the session only.

    ``arrived_at``: when they came back to a visit of before, so that the share link takes them for the same visitor.
    """
    if visit.terms_id is None:
        return
    ticket = Ticket.of(visit, data or parse(visit.terms))  # type: ignore[arg-type]
    if arrived_at is not None:
        ticket = replace(ticket, visited=int(arrived_at.timestamp()))
    value = ticket.sign()
    if may_set_cookie(request):
        response.set_cookie(
            conf.get("COOKIE_NAME"),
            value,
            max_age=max(ticket.expires - int(time.time()), 0),
            domain=conf.get("COOKIE_DOMAIN"),
            secure=request.is_secure(),
            httponly=True,
            samesite="Lax",
        )
    elif hasattr(request, "session"):
        request.session[SESSION_KEY] = value


def read_ticket(request: HttpRequest) -> Ticket | None:
    """The visitor's ticket, open ones only. Looks into the session only where one can be: no query without a reason."""
    value = request.COOKIES.get(conf.get("COOKIE_NAME"))
    if (
        value is None
        and conf.get("CONSENT")
        and settings.SESSION_COOKIE_NAME in request.COOKIES
        and hasattr(request, "session")
    ):
        value = request.session.get(SESSION_KEY)
    ticket = Ticket.read(value)
    return ticket if ticket is not None and ticket.is_open else None


def token_for(visit: Visit) -> str:
    """The visit for a client without cookies, e.g. a shop's app: what ``visit_from_token`` reads. Signed, not secret.

    Raises ``ValueError`` for a visit to which nothing was promised.
    """
    if visit.terms is None:
        raise ValueError("nothing was promised to this visit")
    return Ticket.of(visit, parse(visit.terms)).sign()


def visit_from_token(token: str) -> Visit | None:
    """The visit that a token names, while its days to order last; ``None`` for forged and old ones."""
    ticket = Ticket.read(token)
    if ticket is None or not ticket.is_open:
        return None
    return find_visit(ticket)


def find_visit(ticket: Ticket) -> Visit | None:
    return Visit.objects.filter(pk=ticket.visit_id).select_related("advocate", "terms", "claim").first()
