"""The engine's checks."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.conf.urls.i18n import i18n_patterns
from django.core.checks import run_checks
from django.http import HttpResponse
from django.urls import include, path, re_path
from wagtail import urls as wagtail_urls

from example_site.urls import urlpatterns as example_urls
from tests.checks import Mistake, say, urls, with_options
from wagtail_referrals import checks
from wagtail_referrals.referrals import Shop

REFERRALS = "wagtail_referrals.tracking.ReferralMiddleware"
HERE = "tests.checks.test_engine"

# What settings name below.


WholeShop = type("WholeShop", (), {name: lambda self: None for name in dir(Shop) if not name.startswith("_")})


class Delegates:
    def __getattr__(self, name):
        return getattr(WholeShop(), name)


class Half:
    def facts(self, references):
        return {}


class NeedsWords(WholeShop):
    def __init__(self, words):
        self.words = words


def make_shop():
    return WholeShop()


an_instance = WholeShop()


def consent(request):
    return True


def consent_of_nobody():
    return True


async def consent_later(request):
    return True


class Subclass(checks.import_string(REFERRALS)):  # type: ignore[misc]
    pass


SHOP = {"SHOP": f"{HERE}.WholeShop"}

MISTAKES = [
    # The shop
    Mistake("referrals.E004", "is not set: orders belong to no referral", {"SHOP": None}, SHOP),
    Mistake("referrals.E004", "is not set", {"SHOP": ""}, SHOP),
    Mistake("referrals.E008", "cannot be imported", {"SHOP": "shop.nowhere.Shop"}, SHOP),
    Mistake("referrals.E008", "cannot be imported", {"SHOP": "WholeShop"}, SHOP),
    Mistake("referrals.E008", "is not a dotted path", {"SHOP": WholeShop}, SHOP),
    Mistake(
        "referrals.E005",
        "cannot be made, as it is called without arguments",
        {"SHOP": f"{HERE}.NeedsWords"},
        SHOP,
    ),
    Mistake(
        "referrals.E005",
        "cannot be made, as it is called without arguments",
        {"SHOP": f"{HERE}.an_instance"},
        SHOP,
    ),
    Mistake("referrals.E006", "lacks customers_who_bought", {"SHOP": f"{HERE}.Half"}, SHOP),
    Mistake("referrals.E006", "lacks", {"SHOP": "wagtail_referrals.referrals.Shop"}, SHOP),
    # Settings
    Mistake("referrals.E009", 'no setting "cookie_name"', {"cookie_name": "x"}, {"COOKIE_NAME": "x"}),
    Mistake("referrals.E009", 'no setting "CURENCIES"', {"CURENCIES": ["EUR"]}, {"CURRENCIES": ["EUR"]}),
    Mistake("referrals.E009", 'no setting "Q"', {"Q": 1}),
    Mistake("referrals.E010", "is no list of currencies", {"CURRENCIES": "EUR"}, {"CURRENCIES": ["EUR"]}),
    Mistake("referrals.E010", "is no list of currencies", {"CURRENCIES": []}, {"CURRENCIES": ["EUR"]}),
    Mistake(
        "referrals.E010", "'eur', which is no currency", {"CURRENCIES": ["eur"]}, {"CURRENCIES": ["EUR"]}
    ),
    Mistake("referrals.E010", "twice", {"CURRENCIES": ["EUR", "EUR"]}, {"CURRENCIES": ["EUR", "CHF"]}),
    Mistake("referrals.E011", "no credit", {"RESERVATION_MINUTES": "60"}, {"RESERVATION_MINUTES": 60}),
    Mistake("referrals.E011", "no credit", {"RESERVATION_MINUTES": 0}, {"RESERVATION_MINUTES": 0.5}),
    Mistake("referrals.E011", "no referral can be settled", {"CHECK_HOURS": None}, {"CHECK_HOURS": 24}),
    *(
        Mistake("referrals.E022", "never removed", {"VISITS_DAYS": wrong}, {"VISITS_DAYS": None})
        for wrong in ("400", 0, -1, 1.5, True)
    ),
    # The addresses were made with the prefix as it was.
    *(
        Mistake(
            "referrals.E012",
            "share links lead nowhere",
            {"SHARE_PREFIX": wrong},
            {"SHARE_PREFIX": mended},
            {"ROOT_URLCONF": ""},
            {"ROOT_URLCONF": ""},
        )
        for wrong, mended in (("/r/", "r"), ("", "ami"), ("<str:x>", "a/b-c"), (5, "5"))
    ),
    Mistake(
        "referrals.E008",
        "page without the invitation",
        {"CONSENT": "nobody.says"},
        {"CONSENT": f"{HERE}.consent"},
    ),
    Mistake(
        "referrals.E013",
        "cannot be called with the request",
        {"CONSENT": f"{HERE}.consent_of_nobody"},
        {"CONSENT": f"{HERE}.consent"},
    ),
    Mistake(
        "referrals.E013",
        "cannot be called",
        {"CONSENT": f"{HERE}.consent_later"},
        {"CONSENT": f"{HERE}.consent"},
    ),
    Mistake("referrals.E013", "cannot be called", {"CONSENT": f"{HERE}.SHOP"}, {"CONSENT": None}),
    # The cookie
    Mistake(
        "referrals.E014", "is no name of a cookie", {"COOKIE_NAME": "my cookie"}, {"COOKIE_NAME": "referral"}
    ),
    Mistake("referrals.E014", "is no name of a cookie", {"COOKIE_NAME": ""}, {"COOKIE_NAME": "referral"}),
    Mistake(
        "referrals.E014",
        "is the cookie of SESSION_COOKIE_NAME too",
        {"COOKIE_NAME": "sessionid"},
        {"COOKIE_NAME": "referral"},
    ),
    Mistake(
        "referrals.E014",
        "is the cookie of OSCAR_BASKET_COOKIE_OPEN too",
        {"COOKIE_NAME": "oscar_open_basket"},
        {"COOKIE_NAME": "referral"},
    ),
    Mistake(
        "referrals.E014",
        "is the cookie of CSRF_COOKIE_NAME too",
        project={"CSRF_COOKIE_NAME": "referral"},
        mended_project={"CSRF_COOKIE_NAME": "csrftoken"},
    ),
    Mistake(
        "referrals.E014", "MESSAGE_STORAGE too", {"COOKIE_NAME": "messages"}, {"COOKIE_NAME": "referral"}
    ),
    Mistake(
        "referrals.E014",
        "goes with no COOKIE_DOMAIN",
        {"COOKIE_NAME": "__Host-referral", "COOKIE_DOMAIN": ".shop.example"},
        {"COOKIE_NAME": "__Host-referral"},
    ),
    *(
        Mistake(
            "referrals.E015",
            "is no domain that browsers take",
            {"COOKIE_DOMAIN": domain},
            {"COOKIE_DOMAIN": ".shop.example"},
        )
        for domain in (
            "https://shop.example",
            "shop.example:8000",
            "*.shop.example",
            "shop",
            "",
            ["shop.example"],
        )
    ),
    Mistake(
        "referrals.W002",
        "is the domain of none of ALLOWED_HOSTS (www.boutique.example)",
        {"COOKIE_DOMAIN": ".shop.example"},
        {"COOKIE_DOMAIN": ".boutique.example"},
        project={"ALLOWED_HOSTS": ["www.boutique.example"]},
        mended_project={"ALLOWED_HOSTS": ["www.boutique.example"]},
    ),
    # The project
    Mistake("referrals.E003", "the sweep fail", project={"USE_TZ": False}, mended_project={"USE_TZ": True}),
    Mistake(
        "referrals.W005",
        "is missing in MIDDLEWARE",
        project={"MIDDLEWARE": [each for each in django_settings.MIDDLEWARE if each != REFERRALS]},
        mended_project={"MIDDLEWARE": django_settings.MIDDLEWARE},
    ),
    Mistake(
        "referrals.W008",
        "stands before Django's UpdateCacheMiddleware",
        project={"MIDDLEWARE": [REFERRALS, "django.middleware.cache.UpdateCacheMiddleware"]},
        mended_project={"MIDDLEWARE": ["django.middleware.cache.UpdateCacheMiddleware", REFERRALS]},
    ),
    Mistake(
        "referrals.E018",
        "landing_page.html is not found",
        project={"TEMPLATES": with_options(django_settings.TEMPLATES, APP_DIRS=False)},
        mended_project={"TEMPLATES": django_settings.TEMPLATES},
    ),
    Mistake(
        "referrals.W006",
        "show nothing",
        project={"TEMPLATES": with_options(django_settings.TEMPLATES, context_processors=[])},
        mended_project={"TEMPLATES": django_settings.TEMPLATES},
    ),
    Mistake(
        "referrals.W007",
        'The template "gone.html" does not exist: our pages stand alone',
        {"BASE_TEMPLATE": "gone.html"},
        {"BASE_TEMPLATE": "oscar/layout.html"},
    ),
    Mistake(
        "referrals.W007",
        "our pages stand alone",
        {"BASE_TEMPLATE": "oscar_integration/checkout/credit_totals.html"},
        {"BASE_TEMPLATE": None},
    ),
    Mistake("referrals.W007", "cannot be read", {"BASE_TEMPLATE": 5}, {"BASE_TEMPLATE": None}),
]


def look() -> list[Any]:
    return [message for check in checks.CHECKS for message in check()]


def put(settings: Any, referrals: Any, project: Any) -> None:
    settings.WAGTAIL_REFERRALS = {**SHOP, **referrals}
    for name, value in project.items():
        setattr(settings, name, value)


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_a_mistake_is_said_and_its_mend_silences_it(mistake: Mistake, settings: Any) -> None:
    put(settings, mistake.wrong, mistake.project)
    found = look()
    assert mistake.id in say(found), found
    assert mistake.words in next(message.msg for message in found if message.id == mistake.id)
    # What follows from it may be said too, by others; after the mend all is well.
    put(settings, mistake.mended, mistake.mended_project)
    assert say(look()) == []


@pytest.mark.parametrize(
    ("referrals", "project"),
    [
        ({}, {}),
        ({"SHOP": "oscar_integration.OscarShop"}, {}),
        ({"SHOP": f"{HERE}.Delegates"}, {}),
        ({"SHOP": f"{HERE}.make_shop"}, {}),
        ({"CURRENCIES": ("CHF", "EUR", "JPY", "KWD")}, {}),
        ({"SHARE_PREFIX": "recommander-un-ami"}, {"ROOT_URLCONF": ""}),
        ({"COOKIE_DOMAIN": "shop.example"}, {"ALLOWED_HOSTS": [".shop.example", "localhost"]}),
        ({"COOKIE_DOMAIN": ".www.shop.example"}, {"ALLOWED_HOSTS": [".shop.example"]}),
        ({"COOKIE_DOMAIN": ".shop.example"}, {"ALLOWED_HOSTS": ["WWW.Shop.Example", "health.internal"]}),
        ({"COOKIE_DOMAIN": ".shop.example"}, {"ALLOWED_HOSTS": ["*"]}),
        ({"COOKIE_DOMAIN": ".shop.example"}, {"ALLOWED_HOSTS": []}),
        ({"CONSENT": f"{HERE}.consent"}, {}),
        ({}, {"MIDDLEWARE": [f"{HERE}.Subclass"]}),
        ({}, {"MIDDLEWARE": ["wagtail_referrals.tracking.middleware.ReferralMiddleware"]}),
        (
            {},
            {"MIDDLEWARE": [REFERRALS, "shop.middleware.NotThere", "django.middleware.gzip.GZipMiddleware"]},
        ),
        ({}, {"ROOT_URLCONF": ""}),
    ],
)
def test_what_is_right_is_not_said(referrals: Any, project: Any, settings: Any) -> None:
    put(settings, referrals, project)
    assert say(look()) == []


# Apps


@pytest.mark.parametrize(
    ("missing", "words"),
    [("wagtail_referrals.credit", "the ledger has no tables"), ("wagtail.snippets", "answer with an error")],
)
def test_an_app_that_is_missing_is_said(missing: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = apps.is_installed
    monkeypatch.setattr(apps, "is_installed", lambda name: name != missing and real(name))
    (found,) = checks.check_apps()
    assert say([found]) == ["referrals.E002"]
    assert words in found.msg and f'Add "{missing}"' in found.hint
    monkeypatch.undo()
    assert checks.check_apps() == []


def test_a_shop_of_an_app_that_is_not_installed_is_said(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """Its class can be imported all the same; what listens to the orders is not there."""
    put(settings, {"SHOP": "oscar_integration.shop.OscarShop"}, {})
    real = apps.get_containing_app_config
    monkeypatch.setattr(
        apps,
        "get_containing_app_config",
        lambda name: None if name.startswith("oscar_integration") else real(name),
    )
    (found,) = checks.check_shop()
    assert say([found]) == ["referrals.E007"]
    assert 'Add "oscar_integration" to INSTALLED_APPS' in found.hint
    monkeypatch.undo()
    assert checks.check_shop() == []


# Addresses


def anything(request: Any, **kwargs: Any) -> HttpResponse:
    return HttpResponse()


OURS = path("", include("wagtail_referrals.urls"))
WITHOUT = [each for each in example_urls if getattr(each, "urlconf_name", None) is not OURS.urlconf_name]
PAGES = path("", include(wagtail_urls))


@pytest.mark.parametrize(
    ("wrong", "check_id", "words", "mended"),
    [
        ([PAGES], "referrals.W003", "share links answer 404", [OURS, PAGES]),
        ([PAGES, OURS], "referrals.E017", "leads to wagtail_serve, which comes first", [OURS, PAGES]),
        (
            [path("r/<slug:code>/", anything, name="rating"), OURS],
            "referrals.E017",
            "/r/K7WM2XQP/ leads to rating",
            [OURS],
        ),
        (
            [path("account/<slug:page>/", anything), OURS],
            "referrals.E017",
            "customers do not get to their link",
            [OURS, path("account/<slug:page>/", anything)],
        ),
        (
            i18n_patterns(OURS, PAGES),
            "referrals.W010",
            "The share link has a language in it, /en/r/K7WM2XQP/",
            [OURS, *i18n_patterns(PAGES)],
        ),
        (
            i18n_patterns(OURS, PAGES, prefix_default_language=False),
            "referrals.W010",
            "The share link has a language in it, /fr/r/K7WM2XQP/",
            [OURS, *i18n_patterns(PAGES, prefix_default_language=False)],
        ),
        (
            [path("club/", include("wagtail_referrals.urls")), *i18n_patterns(PAGES)],
            "referrals.E016",
            "not at the root, as the share link /club/r/K7WM2XQP/ shows",
            [OURS, *i18n_patterns(PAGES)],
        ),
        (
            [OURS, path("r/<slug:room>/book/", anything)],
            "referrals.W004",
            "/r/<slug:room>/book/ is never reached",
            [path("r/<slug:room>/book/", anything), OURS],
        ),
        (
            [OURS, path("r/", include([re_path(r"^rooms/$", anything), path("x/", anything)]))],
            "referrals.W004",
            "/r/rooms/$, /r/x/ are never reached",
            [OURS, path("rooms/", include([re_path(r"^rooms/$", anything), path("x/", anything)]))],
        ),
    ],
)
def test_addresses_that_lead_elsewhere_are_said(
    wrong: Any, check_id: str, words: str, mended: Any, settings: Any
) -> None:
    settings.ROOT_URLCONF = urls(*wrong)
    found = checks.check_urls()
    assert check_id in say(found)
    assert any(words in message.msg for message in found), found
    settings.ROOT_URLCONF = urls(*mended)
    assert checks.check_urls() == []


def test_below_another_address_all_is_well_in_one_language(settings: Any) -> None:
    settings.ROOT_URLCONF = urls(path("club/", include("wagtail_referrals.urls")), PAGES)
    assert checks.check_urls() == []


def test_an_address_configuration_that_cannot_be_read_is_left_to_django(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.checks.nowhere"
    assert checks.check_urls() == []


# All of them


def test_they_cost_no_query(django_assert_num_queries: Any, db: Any) -> None:
    with django_assert_num_queries(0):
        assert [each for each in run_checks(tags=["referrals"]) if "referrals" in each.id] == []
