"""A request by somebody of whom nothing is known, and what a page drawn for them needs.

Nothing of the visitor's is in it: what is not known to belong to the address that was asked for is left out, whatever
middleware put it there.
"""

from __future__ import annotations

import copy
from typing import Any, Final
from urllib.parse import urlencode

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import get_language, get_language_info

from wagtail_referrals import signals, tracking

_NOBODY: Final = "referrals_for_nobody"
# What a request knows of the address that was asked for, and of where it is served.
_OF_THE_ADDRESS: Final = frozenset(
    {
        "_csp_nonce",
        "_current_scheme_host",
        "_encoding",
        "_read_started",
        "_stream",
        "_wagtail_site",
        "content_params",
        "content_type",
        "csp_nonce",
        "environ",
        "META",
        "method",
        "path",
        "path_info",
        "resolver_match",
        "scope",
        "script_name",
        "site",
        "urlconf",
    }
)
# Which host, how it was reached: what absolute addresses are made of. All other headers are the visitor's.
_HEADERS: Final = frozenset({"HTTP_HOST", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT"})
_OF_THE_VISITOR: Final = frozenset(
    {
        "AUTH_TYPE",
        "CSRF_COOKIE",
        "CSRF_COOKIE_NEEDS_UPDATE",
        "REMOTE_ADDR",
        "REMOTE_HOST",
        "REMOTE_PORT",
        "REMOTE_USER",
    }
)


def for_nobody(request: HttpRequest) -> HttpRequest:
    """A request for the same address by somebody of whom nothing is known. ``request`` is left as it is."""
    bare = copy.copy(request)
    for name in set(vars(bare)) - _OF_THE_ADDRESS:
        del vars(bare)[name]
    headers = {*_HEADERS, *(settings.SECURE_PROXY_SSL_HEADER or ())[:1]}
    bare.META = {
        name: value
        for name, value in request.META.items()
        if name not in _OF_THE_VISITOR and (not name.startswith("HTTP_") or name in headers)
    }
    if hasattr(bare, "environ"):
        bare.environ = bare.META
    vars(bare)["COOKIES"] = {}
    bare.user = AnonymousUser()
    # It has no key, and is never saved.
    bare.session = SessionBase()
    if apps.is_installed("django.contrib.messages"):
        from django.contrib.messages.storage import default_storage

        bare._messages = default_storage(bare)  # type: ignore[attr-defined]
    bare.LANGUAGE_CODE = get_language()
    setattr(bare, _NOBODY, True)
    signals.drawing_for_nobody.send_robust(sender=type(bare), request=bare)
    return bare


def is_for_nobody(request: HttpRequest) -> bool:
    return bool(getattr(request, _NOBODY, False))


def seen_url(request: HttpRequest, code: str) -> str:
    """Of the picture that counts the visit, by the way on which the link came and the language that was chosen."""
    url = reverse("referrals:seen", args=[code])
    asked = {"via": tracking.channel_from(request.GET.get("via")), "lang": request.GET.get("lang", "")}
    if asked["lang"] not in dict(settings.LANGUAGES):
        del asked["lang"]
    said = {name: value for name, value in asked.items() if value}
    return f"{url}?{urlencode(said)}" if said else url


def everybody_context(request: HttpRequest, code: str) -> dict[str, Any]:
    """For includes/everybody.html: what a page needs that does not know who reads it. Nothing for other pages."""
    if not is_for_nobody(request) or not code:
        return {}
    channel = tracking.channel_from(request.GET.get("via"))
    languages = [
        {
            "code": code_of_language,
            "name": get_language_info(code_of_language)["name_local"],
            "url": "?" + urlencode({"lang": code_of_language, **({"via": channel} if channel else {})}),
        }
        for code_of_language, _name in settings.LANGUAGES
        if code_of_language != get_language()
    ]
    return {"seen_url": seen_url(request, code), "other_languages": languages}
