"""The one place where ``settings.WAGTAIL_REFERRALS`` is read.

Every key is optional but ``SHOP``. A value is read at each use, so that tests can override settings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

DEFAULTS: Final[dict[str, Any]] = {
    # Dotted path of the class that implements wagtail_referrals.referrals.Shop.
    "SHOP": None,
    # First part of the share link: /r/<code>/.
    "SHARE_PREFIX": "r",
    # ISO 4217 codes (or names of points) that editors can give amounts in; the first is the default.
    "CURRENCIES": ["EUR"],
    "COOKIE_NAME": "referral",
    # None: the cookie belongs to the host that set it.
    "COOKIE_DOMAIN": None,
    # Dotted path of a callable(request) -> bool: may the visitor's browser be given our cookie?
    "CONSENT": None,
    # How long credit stays set aside for a payment that neither succeeds nor fails.
    "RESERVATION_MINUTES": 60,
    # How often the sweep reads a watched order again although nothing announced a change.
    "CHECK_HOURS": 24,
}


def get(name: str) -> Any:
    """The value of one setting. Raises ``KeyError`` for a name that is not in ``DEFAULTS``."""
    return getattr(settings, "WAGTAIL_REFERRALS", {}).get(name, DEFAULTS[name])


def load(name: str) -> Callable[..., Any] | None:
    """Import what the dotted path in a setting names; ``None`` when it is not set.

    Raises ``ImproperlyConfigured`` when the path leads nowhere.
    """
    path = get(name)
    if path is None:
        return None
    try:
        loaded: Callable[..., Any] = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(
            f'WAGTAIL_REFERRALS["{name}"] = "{path}" cannot be imported: {error}'
        ) from error
    return loaded


def currencies() -> list[str]:
    """Currencies in which editors can give amounts, the default first."""
    return list(get("CURRENCIES"))
