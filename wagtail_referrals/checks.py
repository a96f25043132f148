"""System checks of the engine: mistakes that would be silent. Each says what is wrong, what happens, and the mend.

They read settings, addresses and templates, cost no query, and never raise: what Django says better itself is left to
it. Every id is in docs/reference/checks.md, and none is given twice.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from difflib import get_close_matches
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from importlib.util import find_spec
from math import isfinite
from typing import Any, Final
from urllib.parse import quote

from babel.numbers import is_currency
from django.apps import AppConfig, apps
from django.conf import settings
from django.conf.urls.i18n import is_language_prefix_patterns_used
from django.core.checks import CheckMessage, Error, Warning
from django.middleware.cache import UpdateCacheMiddleware
from django.template import TemplateDoesNotExist, engines
from django.template.backends.django import DjangoTemplates
from django.template.loader import get_template
from django.urls import NoReverseMatch, Resolver404, get_resolver, get_script_prefix, resolve, reverse
from django.utils.module_loading import import_string
from django.utils.translation import override

from wagtail_referrals import conf

# The names of a project's settings are not known to the type checker.
configured: Any = settings

MIDDLEWARE: Final = "wagtail_referrals.tracking.ReferralMiddleware"
SHARED_CACHE: Final = "wagtail_referrals.tracking.SharedCacheMiddleware"
# A code that may be one, for its address.
SAMPLE: Final = "K7WM2XQP"
# What happens where the dotted path in a setting leads to nothing that can be called.
LOST: Final = {
    "SHOP": "orders belong to no referral, and nobody gets a reward",
    "CONSENT": "share links cannot remember who came, and show a page without the invitation",
    "EMAIL_IS_VERIFIED": "no address counts as verified",
}
INCLUDE: Final = 'path("", include("wagtail_referrals.urls"))'


def _given() -> Mapping[str, Any]:
    """What the project has set; nothing where that is no dictionary, which stops the start already."""
    given = getattr(settings, "WAGTAIL_REFERRALS", {})
    return given if isinstance(given, Mapping) else {}


def _setting(name: str) -> Any:
    return _given().get(name, conf.DEFAULTS[name])


def _texts(name: str) -> list[str]:
    """The texts in a list of the project's settings."""
    value = getattr(settings, name, None)
    return [each for each in value if isinstance(each, str)] if isinstance(value, list | tuple | set) else []


def unknown_names(setting: str, given: Any, known: Mapping[str, Any], check_id: str) -> list[CheckMessage]:
    """Keys of a settings dictionary that mean nothing, each with the name that was probably meant."""
    found: list[CheckMessage] = []
    for name in sorted(map(str, set(given) - set(known))):
        close = get_close_matches(name.upper(), known, n=1)
        found.append(
            Error(
                f'{setting} has no setting "{name}": what it says is ignored, and the default holds.',
                hint=f'Write "{close[0]}".' if close else f"Remove it; there are {', '.join(sorted(known))}.",
                id=check_id,
            )
        )
    return found


# The apps


def check_apps(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """E002: an app is missing without which Django starts all the same."""
    found: list[CheckMessage] = []
    for name, why in (
        ("wagtail_referrals.credit", "the ledger has no tables, and the first reward fails"),
        ("wagtail.snippets", "the screens of Marketing > Referrals answer with an error"),
    ):
        if not apps.is_installed(name):
            found.append(
                Error(
                    f'"{name}" is missing in INSTALLED_APPS: {why}.',
                    hint=f'Add "{name}" to INSTALLED_APPS and run "python manage.py migrate".',
                    id="referrals.E002",
                )
            )
    return found


def check_time_zone(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """E003: moments without a time zone."""
    if getattr(settings, "USE_TZ", True):
        return []
    return [
        Error(
            "USE_TZ is False: pages with dates and the sweep fail, so that nothing is paid.",
            hint="Set USE_TZ = True, as Django and Wagtail recommend.",
            id="referrals.E003",
        )
    ]


# The shop


def check_shop(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """E004 to E007: WAGTAIL_REFERRALS["SHOP"]."""
    path = _setting("SHOP")
    if not path:
        return [
            Error(
                'WAGTAIL_REFERRALS["SHOP"] is not set: orders belong to no referral, and nobody gets a reward.',
                hint="Name the class that implements wagtail_referrals.referrals.Shop. With django-oscar, add "
                '"oscar_integration" to INSTALLED_APPS, which brings its own.',
                id="referrals.E004",
            )
        ]
    factory = _imported("SHOP", path)
    if isinstance(factory, CheckMessage):
        return [factory]
    return _shop_problems(path, factory)


def _shop_problems(path: str, factory: Any) -> list[CheckMessage]:
    from wagtail_referrals.referrals import Shop

    if not callable(factory) or not takes(factory):
        return [
            Error(
                f'WAGTAIL_REFERRALS["SHOP"] = "{path}" cannot be made, as it is called without arguments: '
                f"{LOST['SHOP']}.",
                hint="Name a class, not an instance of it, whose __init__ needs no arguments.",
                id="referrals.E005",
            )
        ]
    if not isinstance(factory, type):
        # A function that makes the shop: what it makes is not known before.
        return []
    found: list[CheckMessage] = []
    asked = [name for name in dir(Shop) if not name.startswith("_")]
    stubs = [Shop, *Shop.__mro__]
    missing = [
        name
        for name in asked
        if not hasattr(factory, "__getattr__")
        and (
            not callable(method := getattr(factory, name, None))
            or any(method is stub.__dict__.get(name) for stub in stubs)
            or getattr(method, "__isabstractmethod__", False)
        )
    ]
    if missing:
        found.append(
            Error(
                f'WAGTAIL_REFERRALS["SHOP"] = "{path}" lacks {", ".join(missing)}: the engine asks for them when an '
                "order is placed, settled or shown, and fails.",
                hint="Write them as wagtail_referrals.referrals.Shop describes them.",
                id="referrals.E006",
            )
        )
    for package in _apps_not_installed(factory):
        found.append(
            Error(
                f'WAGTAIL_REFERRALS["SHOP"] = "{path}" comes from "{package}", which is not in INSTALLED_APPS: nothing '
                "listens to the shop's orders, so that no friend is ever recognised.",
                hint=f'Add "{package}" to INSTALLED_APPS, after the shop\'s own apps.',
                id="referrals.E007",
            )
        )
    return found


def _apps_not_installed(factory: type) -> list[str]:
    """Packages that are apps, which a shop's class or its bases come from, and which are not installed."""
    found = []
    for owner in factory.__mro__:
        package = owner.__module__.split(".")[0]
        if package in ("builtins", "typing", "abc") or apps.get_containing_app_config(owner.__module__):
            continue
        try:
            if find_spec(f"{package}.apps") is None:
                continue
            values = vars(import_module(f"{package}.apps")).values()
        except Exception:
            continue
        if any(
            isinstance(each, type) and issubclass(each, AppConfig) and getattr(each, "name", None) == package
            for each in values
        ):
            found.append(package)
    return list(dict.fromkeys(found))


def _imported(name: str, path: Any) -> Any:
    """What a dotted path names, or the message that it leads nowhere."""
    try:
        if not isinstance(path, str):
            raise ImportError(f"{path!r} is not a dotted path")
        return import_string(path)
    except Exception as error:
        # Whatever the module does when it is imported.
        return Error(
            f'WAGTAIL_REFERRALS["{name}"] = {path!r} cannot be imported ({error}): {LOST[name]}.',
            hint="Write the dotted path from the project's root, as in an import.",
            id="referrals.E008",
        )


def takes(function: Callable[..., Any], *arguments: Any) -> bool:
    """Whether it can be called with these arguments, as far as can be told."""
    try:
        signature = inspect.signature(function)
    except Exception:
        # Of some functions that are not written in Python.
        return True
    try:
        signature.bind(*arguments)
    except TypeError:
        return False
    return True


# Settings


def check_settings(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """E009 to E013: names and values in WAGTAIL_REFERRALS."""
    return [
        *unknown_names("WAGTAIL_REFERRALS", _given(), conf.DEFAULTS, "referrals.E009"),
        *_currency_problems(_setting("CURRENCIES")),
        *(
            problem
            for name in ("RESERVATION_MINUTES", "CHECK_HOURS")
            for problem in _number_problems(name, _setting(name))
        ),
        *_shared_cache_problems(_setting("SHARED_CACHE_SECONDS")),
        *_visits_problems(_setting("VISITS_DAYS")),
        *_prefix_problems(_setting("SHARE_PREFIX")),
        *(
            problem
            for name in ("CONSENT", "EMAIL_IS_VERIFIED")
            if name in conf.DEFAULTS
            for problem in _callable_problems(name, _setting(name))
        ),
    ]


def _currency_problems(value: Any) -> list[CheckMessage]:
    hint = 'Write a list of ISO 4217 codes in capitals, the default first: "CURRENCIES": ["EUR"].'
    if not isinstance(value, list | tuple) or not value:
        # A text would be read letter by letter.
        return [
            Error(
                f'WAGTAIL_REFERRALS["CURRENCIES"] = {value!r} is no list of currencies: editors can give no amount.',
                hint=hint,
                id="referrals.E010",
            )
        ]
    wrong = [each for each in value if not isinstance(each, str) or not is_currency(each)]
    if wrong:
        return [
            Error(
                f'WAGTAIL_REFERRALS["CURRENCIES"] names {", ".join(map(repr, wrong))}, which is no currency: what '
                "customers earn in it pays for no order.",
                hint=hint,
                id="referrals.E010",
            )
        ]
    twice = sorted({each for each in value if value.count(each) > 1})
    if twice:
        return [
            Error(
                f'WAGTAIL_REFERRALS["CURRENCIES"] names {", ".join(twice)} twice: editors see two fields, of which one '
                "is lost.",
                hint=hint,
                id="referrals.E010",
            )
        ]
    return []


def _number_problems(name: str, value: Any) -> list[CheckMessage]:
    try:
        valid = not isinstance(value, bool) and isfinite(value) and timedelta(0) < timedelta(hours=value)
    except (TypeError, ValueError, OverflowError):
        valid = False
    # More than a lifetime leaves the calendar.
    if valid and value < 1_000_000:
        return []
    why = {
        "RESERVATION_MINUTES": "no credit can be set aside, so that nobody can pay with it",
        "CHECK_HOURS": "no referral can be settled, so that nobody gets a reward",
    }[name]
    return [
        Error(
            f'WAGTAIL_REFERRALS["{name}"] = {value!r} is no number above 0: {why}.',
            hint=f'Write a number without quotes, e.g. "{name}": {conf.DEFAULTS[name]}.',
            id="referrals.E011",
        )
    ]


def _shared_cache_problems(value: Any) -> list[CheckMessage]:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return []
    return [
        Error(
            f'WAGTAIL_REFERRALS["SHARED_CACHE_SECONDS"] = {value!r} is no whole number of '
            "seconds: no landing page is kept by a cache.",
            hint='Write a number without quotes, e.g. "SHARED_CACHE_SECONDS": 300; 0 where no cache keeps the pages.',
            id="referrals.E020",
        )
    ]


def _visits_problems(value: Any) -> list[CheckMessage]:
    # More than a lifetime leaves the calendar.
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 < value < 36_500):
        return []
    return [
        Error(
            f'WAGTAIL_REFERRALS["VISITS_DAYS"] = {value!r} is no whole number of days above 0: old visits are never '
            "removed.",
            hint=f'Write a number without quotes, e.g. "VISITS_DAYS": {conf.DEFAULTS["VISITS_DAYS"]}; None where they '
            "are to stay for ever.",
            id="referrals.E022",
        )
    ]


def _prefix_problems(value: Any) -> list[CheckMessage]:
    if isinstance(value, str) and re.fullmatch(r"[\w~-]+(/[\w~-]+)*", value):
        return []
    return [
        Error(
            f'WAGTAIL_REFERRALS["SHARE_PREFIX"] = {value!r} is no part of an address: share links lead nowhere.',
            hint='Write a word of letters, digits and dashes, without slashes at its ends: "SHARE_PREFIX": "r".',
            id="referrals.E012",
        )
    ]


def _callable_problems(name: str, path: Any) -> list[CheckMessage]:
    """Settings that name a function of one argument."""
    if path is None:
        return []
    function = _imported(name, path)
    if isinstance(function, CheckMessage):
        return [function]
    later = inspect.isfunction(function) and inspect.iscoroutinefunction(function)
    if callable(function) and takes(function, None) and not later:
        return []
    argument = "request" if name == "CONSENT" else "user"
    return [
        Error(
            f'WAGTAIL_REFERRALS["{name}"] = "{path}" cannot be called with the {argument}: {LOST[name]}.',
            hint=f"Write def {str(path).rpartition('.')[2]}({argument}) -> bool, not asynchronous.",
            id="referrals.E013",
        )
    ]


# The cookie


def check_cookie(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """E014, E015, W002: the cookie that names a visit."""
    name, domain = _setting("COOKIE_NAME"), _setting("COOKIE_DOMAIN")
    return [*_cookie_name_problems(name, domain), *_cookie_domain_problems(domain)]


def _cookie_name_problems(name: Any, domain: Any) -> list[CheckMessage]:
    default = conf.DEFAULTS["COOKIE_NAME"]
    hint = f'Choose another one, e.g. "COOKIE_NAME": "{default}".'
    legal = isinstance(name, str) and bool(name)
    try:
        if legal:
            SimpleCookie()[name] = "value"
    except CookieError:
        legal = False
    if not legal:
        return [
            Error(
                f'WAGTAIL_REFERRALS["COOKIE_NAME"] = {name!r} is no name of a cookie: share links cannot remember who '
                "came, and show a page without the invitation.",
                hint=hint,
                id="referrals.E014",
            )
        ]
    others = [
        each
        for each in sorted(set(dir(settings)))
        if each.endswith(("_COOKIE_NAME", "_COOKIE_OPEN")) and getattr(settings, each, None) == name
    ]
    if name == "messages" and "session" not in str(getattr(settings, "MESSAGE_STORAGE", "")).lower():
        others.append("MESSAGE_STORAGE")
    if others:
        return [
            Error(
                f'WAGTAIL_REFERRALS["COOKIE_NAME"] = "{name}" is the cookie of {" and ".join(others)} too: each '
                "overwrites the other, so that visitors lose what it held and their invitation.",
                hint=hint if name != default else f"Choose another name for {' and '.join(others)}.",
                id="referrals.E014",
            )
        ]
    if name.startswith("__Host-") and domain:
        return [
            Error(
                f'WAGTAIL_REFERRALS["COOKIE_NAME"] = "{name}" goes with no COOKIE_DOMAIN: browsers refuse the cookie, '
                "and forget the invitation.",
                hint='Leave COOKIE_DOMAIN out, or the "__Host-" of the name.',
                id="referrals.E014",
            )
        ]
    return []


def _cookie_domain_problems(domain: Any) -> list[CheckMessage]:
    if domain is None:
        return []
    bare = domain.removeprefix(".").lower() if isinstance(domain, str) else ""
    if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+|localhost", bare):
        return [
            Error(
                f'WAGTAIL_REFERRALS["COOKIE_DOMAIN"] = {domain!r} is no domain that browsers take for a cookie: they '
                "refuse it, and forget the invitation.",
                hint='Write the domain that all hosts of the shop end with, without scheme, port and "*": '
                '".shop.example". For one host leave it out.',
                id="referrals.E015",
            )
        ]
    hosts = [each.lower() for each in getattr(settings, "ALLOWED_HOSTS", None) or () if isinstance(each, str)]
    if not hosts or "*" in hosts or any(_belongs(host, bare) for host in hosts):
        return []
    return [
        Warning(
            f'WAGTAIL_REFERRALS["COOKIE_DOMAIN"] = "{domain}" is the domain of none of ALLOWED_HOSTS '
            f"({', '.join(hosts[:5])}): browsers refuse the cookie, and forget the invitation.",
            hint="Write the domain that these hosts end with; for one host leave it out.",
            id="referrals.W002",
        )
    ]


def _belongs(host: str, domain: str) -> bool:
    """Whether a host of ALLOWED_HOSTS, ".shop.example" for all below it, can have a cookie for this domain."""
    bare = host.removeprefix(".")
    return bare == domain or bare.endswith(f".{domain}") or (host != bare and domain.endswith(host))


# The addresses


def check_urls(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """W003, W004, W010, E016, E017: where the share link and the account page lead."""
    if not getattr(settings, "ROOT_URLCONF", None):
        return []
    try:
        with override(settings.LANGUAGE_CODE):
            return _url_problems()
    except Exception:
        # An URL configuration that cannot be read: Django's own checks say so.
        return []


def _url_problems() -> list[CheckMessage]:
    try:
        path = reverse("referrals:share", args=[SAMPLE])
    except NoReverseMatch:
        return [
            Warning(
                "The addresses of wagtail_referrals are not in ROOT_URLCONF: share links answer 404, and the account "
                'page "Refer a friend" is not there.',
                hint=f"Add {INCLUDE} to urlpatterns, before Wagtail's and outside i18n_patterns.",
                id="referrals.W003",
            )
        ]
    languages = [settings.LANGUAGE_CODE, *(code for code, _name in settings.LANGUAGES)]
    # Two are enough: one that has the prefix, where the default language has none.
    for language in list(dict.fromkeys(languages))[:2]:
        with override(language):
            written = reverse("referrals:share", args=[SAMPLE])
        if written == _expected() or not is_language_prefix_patterns_used(configured.ROOT_URLCONF)[0]:
            continue
        if written.startswith(f"{get_script_prefix()}{language}/"):
            return [
                Warning(
                    f"The share link has a language in it, {written}: who prints or keeps it has a link that ends with "
                    "the language, and the account page's address names the language twice.",
                    hint=f"Move {INCLUDE} out of i18n_patterns.",
                    id="referrals.W010",
                )
            ]
        return [
            Error(
                f"The addresses of wagtail_referrals are not at the root, as the share link {written} shows: mails "
                "lead customers whose browser speaks another language to an account page that is not found.",
                hint=f"Move {INCLUDE} out of other includes, to the root.",
                id="referrals.E016",
            )
        ]
    return [*_led_elsewhere(path), *_hidden_addresses(path)]


def _expected() -> str:
    """The share link at the root of the site."""
    return quote(f"{get_script_prefix()}{_setting('SHARE_PREFIX')}/{SAMPLE}/", safe="/~:@!$&'()*+,;=")


def _led_elsewhere(share_path: str) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for name, path, what in (
        ("referrals:share", share_path, "nobody sees an invitation"),
        ("referrals:account", reverse("referrals:account"), "customers do not get to their link"),
    ):
        try:
            match = resolve(f"/{path.removeprefix(get_script_prefix())}")
        except Resolver404:
            led = "nothing"
        else:
            if match.view_name == name:
                continue
            led = match.view_name or str(match._func_path)
        found.append(
            Error(
                f"{path} leads to {led}, which comes first: {what}.",
                hint=f"Move {INCLUDE} before it in urlpatterns.",
                id="referrals.E017",
            )
        )
    return found


def _hidden_addresses(share_path: str) -> list[CheckMessage]:
    if share_path != _expected():
        return []
    start = f"{_setting('SHARE_PREFIX')}/"
    hidden: list[str] = []
    ours_seen = False
    for route, callback in _routes(get_resolver()):
        if getattr(callback, "__module__", "").startswith("wagtail_referrals.site."):
            ours_seen = True
        elif ours_seen and route.startswith(start):
            hidden.append(f"/{route}")
    if not hidden:
        return []
    return [
        Warning(
            f"{', '.join(hidden[:3])} {'is' if len(hidden) == 1 else 'are'} never reached: share links take every "
            f"address under /{start}.",
            hint='Set WAGTAIL_REFERRALS["SHARE_PREFIX"] to a word that the site does not use, e.g. "invite".',
            id="referrals.W004",
        )
    ]


def _routes(resolver: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """All addresses, as far as they are plain text, and what they lead to."""
    for pattern in resolver.url_patterns:
        route = above + str(pattern.pattern).removeprefix("^").replace("\\", "")
        if hasattr(pattern, "url_patterns"):
            yield from _routes(pattern, route)
        else:
            yield route, pattern.callback


# Middleware and templates


def check_middleware(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """W005, W008: the middleware is missing, or outside the site's cache. E021, W011: that of the shared cache."""
    from wagtail_referrals.tracking import ReferralMiddleware

    paths = _texts("MIDDLEWARE")
    return [*_shared_cache_place(paths), *_middleware_problems(paths, ReferralMiddleware)]


def _shared_cache_place(paths: list[str]) -> list[CheckMessage]:
    """E021, W011: what makes landing pages public has to have the last word."""
    from wagtail_referrals.tracking import SharedCacheMiddleware

    places = [place for place, path in enumerate(paths) if _names_subclass(path, SharedCacheMiddleware)]
    seconds = _setting("SHARED_CACHE_SECONDS")
    if not isinstance(seconds, int) or not seconds:
        return []
    if not places:
        return [
            Warning(
                f'WAGTAIL_REFERRALS["SHARED_CACHE_SECONDS"] is set, and "{SHARED_CACHE}" is missing in MIDDLEWARE: no '
                "landing page is kept by a cache.",
                hint=f'Put "{SHARED_CACHE}" first in MIDDLEWARE.',
                id="referrals.W011",
            )
        ]
    if places[0] != 0:
        return [
            Error(
                f'"{paths[0]}" stands before "{SHARED_CACHE}": what it adds to a landing page, as a cookie, is kept '
                "by the cache and given to everybody.",
                hint=f'Move "{SHARED_CACHE}" to the beginning of MIDDLEWARE.',
                id="referrals.E021",
            )
        ]
    return []


def _middleware_problems(paths: list[str], middleware: type) -> list[CheckMessage]:
    ours = next((place for place, path in enumerate(paths) if _names_subclass(path, middleware)), None)
    if ours is None:
        return [
            Warning(
                f'"{MIDDLEWARE}" is missing in MIDDLEWARE: the shop is not asked before its checkout pages, so that a '
                "discount for new customers stays in an old customer's basket; a page with {% referral_banner %} may "
                "be cached and greet everybody; and request.referral is not there.",
                hint=f'Add "{MIDDLEWARE}" to the end of MIDDLEWARE.',
                id="referrals.W005",
            )
        ]
    if any(_names_subclass(path, UpdateCacheMiddleware) for path in paths[ours + 1 :]):
        return [
            Warning(
                f'"{MIDDLEWARE}" stands before Django\'s UpdateCacheMiddleware: the cache keeps a page with '
                "{% referral_banner %} before it is said to vary, and greets everybody with one visitor's invitation.",
                hint=f'Move "{MIDDLEWARE}" to the end of MIDDLEWARE.',
                id="referrals.W008",
            )
        ]
    return []


def _names_subclass(path: str, wanted: type) -> bool:
    try:
        found = import_string(path)
    except Exception:
        # Django says so when it starts to serve.
        return False
    return isinstance(found, type) and issubclass(found, wanted)


def check_templates(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """E018, W006, W007: templates that are not found or do not fit, a context without the request."""
    try:
        django_engines = [each for each in engines.all() if isinstance(each, DjangoTemplates)]
    except Exception:
        # TEMPLATES cannot be: Django's own checks say so.
        return []
    found: list[CheckMessage] = []
    try:
        get_template("wagtail_referrals/landing_page.html")
    except Exception as error:
        why = "is not found" if isinstance(error, TemplateDoesNotExist) else f"cannot be read ({error})"
        found.append(
            Error(
                f"The template wagtail_referrals/landing_page.html {why}: share links lead to the shop without an "
                "invitation, and other pages of ours fail.",
                hint='Set "APP_DIRS": True in TEMPLATES, or name '
                '"django.template.loaders.app_directories.Loader" among the loaders.',
                id="referrals.E018",
            )
        )
    processor = "django.template.context_processors.request"
    if django_engines and not any(processor in each.engine.context_processors for each in django_engines):
        found.append(
            Warning(
                f'"{processor}" is missing in TEMPLATES: {{% referral_banner %}} and {{% referral_thank_you %}} show '
                "nothing.",
                hint=f'Add "{processor}" to OPTIONS["context_processors"].',
                id="referrals.W006",
            )
        )
    return [*found, *_base_problems()]


def _base_problems() -> Iterator[CheckMessage]:
    """The site's templates in which our pages are to stand."""
    from wagtail_referrals.site import layout

    setting = _setting("BASE_TEMPLATE")
    # What the setting names comes before the site's wagtail_referrals/base.html.
    for name in (setting or layout.SITES_BASE, layout.ACCOUNT_BASE):
        try:
            problem = layout.template_problem(name)
            if name != setting and f'"{name}" does not exist' in (problem or ""):
                # It need not be there.
                continue
        except Exception as error:
            problem = f"The template {name!r} cannot be read ({error}): our pages stand alone."
        if problem:
            yield Warning(
                problem,
                hint='Name the template that the site\'s own pages extend: "BASE_TEMPLATE": "base.html". Where it '
                f'calls its blocks otherwise, write a {layout.SITES_BASE} that extends it, with the blocks "title", '
                '"extrahead" and "content".',
                id="referrals.W007",
            )


CHECKS: Final = (
    check_apps,
    check_time_zone,
    check_shop,
    check_settings,
    check_cookie,
    check_urls,
    check_middleware,
    check_templates,
)
