"""The one place where ``settings.WAGTAIL_REFERRALS`` is read.

Every key is optional. A value is read at each use, so that tests can override settings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from babel.numbers import is_currency
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

DEFAULTS: Final[dict[str, Any]] = {
    # Dotted path of the class that implements wagtail_referrals.referrals.Shop. An integration brings its own.
    "SHOP": None,
    # First part of the share link: /r/<code>/.
    "SHARE_PREFIX": "r",
    # ISO 4217 codes that editors can give amounts in; the first is the default.
    "CURRENCIES": ["EUR"],
    # {"unit": code of the shop's points, "name": their name}, see ``points``. None: the shop has no points.
    "POINTS": None,
    # Name of the site's own base template, in which our pages stand, see site.layout.
    "BASE_TEMPLATE": None,
    "COOKIE_NAME": "referral",
    # None: the cookie belongs to the host that set it.
    "COOKIE_DOMAIN": None,
    # Dotted path of a callable(request) -> bool: may the visitor's browser be given our cookie?
    "CONSENT": None,
    # Dotted path of a callable(user) -> bool: did the customer prove that the account's e-mail address is theirs? None:
    # the address alone is enough.
    "EMAIL_IS_VERIFIED": None,
    # How long credit stays set aside for a payment that neither succeeds nor fails.
    "RESERVATION_MINUTES": 60,
    # How often the sweep reads a watched order again although nothing announced a change.
    "CHECK_HOURS": 24,
    # How long a shared cache may keep landing pages. 0: not at all, each visitor gets a page of their own.
    "SHARED_CACHE_SECONDS": 0,
    # After how many days visits that led to nothing are removed, and kept as figures only. None: never.
    "VISITS_DAYS": 400,
}


def get(name: str) -> Any:
    """The value of one setting. Raises ``KeyError`` for a name that is not in ``DEFAULTS``.

    Raises ``ImproperlyConfigured`` where the settings are no dictionary.
    """
    given = getattr(settings, "WAGTAIL_REFERRALS", {})
    if not isinstance(given, Mapping):
        raise ImproperlyConfigured(f"WAGTAIL_REFERRALS is a dictionary, not {given!r}.")
    return given.get(name, DEFAULTS[name])


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


@dataclass(frozen=True)
class Points:
    """A unit of the shop's own that is no money: ``unit`` stands where a currency would.

    ``name`` is what people read: a text, or ``ngettext_lazy("leaf", "leaves")``, which is asked for each number.
    """

    unit: str
    name: Any

    def named(self, number: int) -> str:
        """The name as it goes with ``number``, in the current language."""
        try:
            return str(self.name % number)
        except TypeError:
            # One name, whatever the number.
            return str(self.name)


def points() -> Points | None:
    """The shop's points; ``None`` where it has none. Raises ``ImproperlyConfigured`` for a setting that cannot be."""
    setting = get("POINTS")
    if setting is None:
        return None
    if not isinstance(setting, Mapping) or set(setting) != {"unit", "name"}:
        raise ImproperlyConfigured('WAGTAIL_REFERRALS["POINTS"] is {"unit": ..., "name": ...} or None.')
    unit = setting["unit"]
    if not isinstance(unit, str) or not re.fullmatch(r"[A-Z][A-Z0-9]{1,11}", unit):
        raise ImproperlyConfigured(
            f'The unit of WAGTAIL_REFERRALS["POINTS"] is 2 to 12 capital letters and digits, not "{unit}".'
        )
    if is_currency(unit):
        raise ImproperlyConfigured(
            f'The unit of WAGTAIL_REFERRALS["POINTS"], "{unit}", is a currency: points would be spent as money.'
        )
    return Points(unit, setting["name"])


def units() -> list[str]:
    """What rewards are counted in: the currencies, and the unit of the shop's points."""
    found = points()
    return currencies() + ([found.unit] if found else [])
