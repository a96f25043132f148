"""Who only looks: crawlers, link previews, browsers that fetch a page before anybody wants it."""

from __future__ import annotations

from functools import lru_cache

from django.http import HttpRequest

# A browser that fetches or draws a page ahead says so in one of these.
_AHEAD = ("HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_PURPOSE", "HTTP_X_MOZ")
_LONGEST_AGENT = 512


@lru_cache(maxsize=1024)
def _is_crawler(agent: str) -> bool:
    # Imported here: the first call compiles a thousand expressions, and most processes (migrate, shell) need none.
    from crawlerdetect import CrawlerDetect

    return bool(CrawlerDetect(user_agent=agent).is_crawler())


def is_ahead(request: HttpRequest) -> bool:
    """The browser prefetches, prerenders or previews: nobody has followed the link yet."""
    return any(
        word in request.META.get(name, "").lower()
        for name in _AHEAD
        for word in ("prefetch", "prerender", "preview")
    )


def is_robot(request: HttpRequest) -> bool:
    """A crawler or a link preview, by its user agent. Who sends none gets the benefit of the doubt."""
    return _is_crawler(request.META.get("HTTP_USER_AGENT", "")[:_LONGEST_AGENT])


def only_looks(request: HttpRequest) -> bool:
    """Does this request count as nobody's visit?"""
    return (
        request.method != "GET"
        or bool(getattr(request, "is_dummy", False))
        or bool(getattr(request, "is_preview", False))
        or is_ahead(request)
        or is_robot(request)
    )
