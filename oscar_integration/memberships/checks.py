"""System checks of the memberships: what would make them silently do nothing, with the reason and the mend.

They cost no query and never raise. Every id is in docs/reference/checks.md, and none is given twice.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string
from django.utils.translation import override

from oscar_integration import conf
from wagtail_referrals.checks import takes

INCLUDE: Final = 'path("memberships/", include("oscar_integration.memberships.urls"))'
LOST: Final = "renewals that credit does not pay wholly fail, and the memberships end"
# What the class has to do, with the arguments that each method is called with.
METHODS: Final = {"charge": "request", "card": "user"}


def check_app_order(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """E008: the app this one is a part of is missing, or comes after it."""
    names = [config.name for config in apps.get_app_configs()]
    ours = names.index("oscar_integration.memberships")
    if "oscar_integration" in names[:ours]:
        return []
    where = "stands before" if "oscar_integration" in names else "is installed without"
    return [
        checks.Error(
            f'"oscar_integration.memberships" {where} "oscar_integration" in INSTALLED_APPS: its triggers, rewards and '
            "parts of the audit and the doctor come before what they build on.",
            hint='Write "oscar_integration", "oscar_integration.memberships" at the end of INSTALLED_APPS.',
            id="oscar_integration.E008",
        )
    ]


def check_cards(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """E009, E010: WAGTAIL_REFERRALS_OSCAR["RENEWAL_CARDS"]."""
    given = getattr(settings, "WAGTAIL_REFERRALS_OSCAR", {})
    name = "RENEWAL_CARDS"
    path = given.get(name, conf.DEFAULTS[name]) if isinstance(given, Mapping) else None
    if path is None:
        return []
    try:
        if not isinstance(path, str):
            raise ImportError(f"{path!r} is not a dotted path")
        factory = import_string(path)
    except Exception as error:
        # Whatever the module does when it is imported.
        return [
            checks.Error(
                f"{name} = {path!r} cannot be imported ({error}): {LOST}.",
                hint="Write the dotted path from the project's root, as in an import; None where no card is charged.",
                id="oscar_integration.E009",
            )
        ]
    wrong = _problem(factory)
    if wrong is None:
        return []
    return [
        checks.Error(
            f'{name} = "{path}" {wrong}: {LOST}.',
            hint="Name a class with charge(request) and card(user), as "
            "oscar_integration.memberships.charging.RenewalCards describes them; it is made without arguments.",
            id="oscar_integration.E010",
        )
    ]


def _problem(factory: Any) -> str | None:
    """What keeps this from charging cards, as far as can be told without making one."""
    if not callable(factory) or not takes(factory):
        return "cannot be made, as it is called without arguments"
    if not isinstance(factory, type) or hasattr(factory, "__getattr__"):
        # A function that makes one: what it makes is not known before.
        return None
    for method, argument in METHODS.items():
        found = inspect.getattr_static(factory, method, None)
        if found is None or getattr(found, "__isabstractmethod__", False):
            return f"lacks {method}({argument})"
        function = getattr(factory, method)
        # Called on what the class makes, so with itself first, unless it is static.
        itself = () if isinstance(found, staticmethod | classmethod) else (None,)
        if not callable(function) or not takes(function, *itself, None):
            return f"has {method}, which cannot be called with the {argument}"
        if inspect.iscoroutinefunction(function):
            return f"has {method}, which is asynchronous, so that nothing is waited for"
    return None


def check_urls(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """W015: the customer's page."""
    try:
        with override(settings.LANGUAGE_CODE):
            reverse("memberships:list")
    except NoReverseMatch:
        return [
            checks.Warning(
                "The addresses of memberships are not included: customers have no page on which they see their "
                "memberships, and cannot switch a renewal off.",
                hint=f"Add {INCLUDE} to the project's urls.py, beside Oscar's addresses.",
                id="oscar_integration.W015",
            )
        ]
    except Exception:
        # An URL configuration that cannot be read: Django says so.
        return []
    return []


CHECKS: Final = (check_app_order, check_cards, check_urls)
