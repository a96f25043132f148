"""What the browser's session remembers of an invitation and of the gifts in the basket; nothing without one."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest

SESSION_KEY: Final = "wagtail_referrals.basket"


def memory(request: HttpRequest) -> dict[str, Any]:
    session = getattr(request, "session", None)
    found = session.get(SESSION_KEY) if session is not None else None
    return found if isinstance(found, dict) else {}


def remember(request: HttpRequest, **values: Any) -> None:
    """Keep values in the session; written only where they change something, and never one that says nothing."""
    if not hasattr(request, "session"):
        return
    before = memory(request)
    after = {name: value for name, value in {**before, **values}.items() if value}
    if after == before:
        return
    if after:
        request.session[SESSION_KEY] = after
    else:
        del request.session[SESSION_KEY]
