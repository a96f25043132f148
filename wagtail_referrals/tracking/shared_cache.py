"""Pages that a shared cache may keep: a CDN, Varnish, the web server. An option, off by default.

What a view drew for nobody in particular, it marks. The middleware stands before all others and has the last word: what
they added because they looked at the visitor, who is in no such page, is taken off again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase

from wagtail_referrals import conf

# On the request: the middleware is there, and the option on.
_OFFERED: Final = "referrals_may_be_shared"
# A directive of our own in Cache-Control, which the middleware takes off: it stays with an answer that a cache of the
# site's own kept, and with a "not modified" that takes its place.
_MARK: Final = "referrals-for-everybody"
_PERSONAL: Final = ("private", "no-store", "no-cache")
# What the middleware of a site adds when it looks at the visitor's session, basket and language.
_DROPPED: Final = ("cookie", "accept-language")


def may_be_shared(request: HttpRequest) -> bool:
    """Will the middleware make an answer to this request fit for a shared cache, if it is marked?"""
    return bool(getattr(request, _OFFERED, False))


def mark_for_everybody(response: HttpResponseBase) -> None:
    """This answer holds nothing of the visitor's."""
    response.headers["Cache-Control"] = _MARK


def is_for_everybody(response: HttpResponseBase) -> bool:
    return _MARK in response.headers.get("Cache-Control", "")


class SharedCacheMiddleware:
    """Makes marked answers public: without cookies, not varying with them. It is the first in ``MIDDLEWARE``."""

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
        _offer(request)
        return _made_public(self.get_response(request))

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        _offer(request)
        return _made_public(await self.get_response(request))


def _offer(request: HttpRequest) -> None:
    setattr(request, _OFFERED, _seconds() > 0)


def _seconds() -> int:
    """0 also for what is no number, which a system check says: pages matter more."""
    value = conf.get("SHARED_CACHE_SECONDS")
    return value if isinstance(value, int) else 0


def _made_public(response: HttpResponseBase) -> HttpResponseBase:
    if not is_for_everybody(response) or _is_personal(response):
        return response
    vary = [name for name in map(str.strip, response.headers.get("Vary", "").split(",")) if name]
    kept = [name for name in vary if name.lower() not in _DROPPED]
    if kept:
        response.headers["Vary"] = ", ".join(kept)
    elif vary:
        del response.headers["Vary"]
    response.cookies.clear()
    # Of a cache of the site's own, which counts otherwise.
    response.headers.pop("Expires", None)
    response.headers["Cache-Control"] = f"public, max-age={_seconds()}"
    return response


def _is_personal(response: HttpResponseBase) -> bool:
    said = response.headers.get("Cache-Control", "").lower()
    return any(word in said for word in _PERSONAL)
