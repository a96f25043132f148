"""Whatever stands in the settings, a check says something or nothing: it never raises."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.checks import CheckMessage
from hypothesis import given as invented
from hypothesis import strategies as st

from oscar_integration import checks as oscar_checks
from oscar_integration import conf as oscar_conf
from oscar_integration.memberships import checks as membership_checks
from tests.checks import say
from wagtail_referrals import checks, conf

ALL = (*checks.CHECKS, *oscar_checks.CHECKS, *membership_checks.CHECKS)
# What the code asks for while Django starts is read loudly there, and so never comes to a check.
LOUD = {"POINTS"}

pytestmark = pytest.mark.one_database


class Hostile:
    """Raises at whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __call__(self) -> Any:
        raise RuntimeError("called")

    def __repr__(self) -> str:
        return "Hostile"


hostile = Hostile()
ODD = [
    None,
    0,
    -1,
    10**400,
    0.5,
    float("nan"),
    float("inf"),
    Decimal("NaN"),
    True,
    "",
    " ",
    "x",
    "EUR",
    "\x00",
    "é",
    "a.b.c",
    "os.path",
    "tests.checks.test_odd_settings.hostile",
    "tests.checks.test_odd_settings.not_there",
    "<int:x>",
    "(",
    b"EUR",
    [],
    ["EUR", None],
    [[]],
    (),
    {},
    {"EUR": "x"},
    {None: None},
    {"a": 1, 2: []},
    {1, "a"},
    object(),
    len,
    Hostile,
    hostile,
]
# By position, since what a set prints depends on the process, and the workers must agree on the names.
NAMES = [f"{position}-{type(value).__name__}" for position, value in enumerate(ODD)]
PROJECT = [
    "ALLOWED_HOSTS",
    "CSRF_COOKIE_NAME",
    "LANGUAGES",
    "LANGUAGE_CODE",
    "MESSAGE_STORAGE",
    "MIDDLEWARE",
    "OSCAR_DEFAULT_CURRENCY",
    "OSCAR_INITIAL_ORDER_STATUS",
    "OSCAR_ORDER_STATUS_PIPELINE",
    "SESSION_COOKIE_NAME",
    "USE_TZ",
    "WAGTAIL_REFERRALS",
    "WAGTAIL_REFERRALS_OSCAR",
]


def look() -> None:
    for check in ALL:
        found = check()
        assert all(isinstance(message, CheckMessage) for message in found)
        say(found)


@pytest.mark.parametrize("value", ODD, ids=NAMES)
def test_odd_values_never_raise(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for dictionary, known in (
        ("WAGTAIL_REFERRALS", conf.DEFAULTS),
        ("WAGTAIL_REFERRALS_OSCAR", oscar_conf.DEFAULTS),
    ):
        for name in sorted(set(known) - LOUD):
            with monkeypatch.context() as patch:
                given = {**getattr(django_settings, dictionary, {}), name: value}
                patch.setattr(django_settings, dictionary, given, raising=False)
                look()
    # Of a hostile setting Django itself can read nothing.
    for name in PROJECT if value is not hostile else ():
        with monkeypatch.context() as patch:
            patch.setattr(django_settings, name, value, raising=False)
            look()


@pytest.mark.parametrize("value", ODD, ids=NAMES)
@pytest.mark.parametrize("name", ["TEMPLATES", "ROOT_URLCONF"])
def test_odd_templates_and_addresses_never_raise(name: str, value: Any, settings: Any) -> None:
    """Django makes these anew when they change, and says itself what is wrong with them."""
    try:
        setattr(settings, name, value)
    except Exception:
        pytest.skip("Django refuses it at once")
    look()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.binary(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=6,
)


def dictionaries(known: dict[str, Any]) -> Any:
    names = st.sampled_from(sorted(set(known) - LOUD)) | st.text(max_size=8)
    return st.dictionaries(names, anything, max_size=4)


@invented(engine=dictionaries(conf.DEFAULTS), shop=dictionaries(oscar_conf.DEFAULTS))
def test_invented_settings_never_raise(engine: dict[str, Any], shop: dict[str, Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(django_settings, "WAGTAIL_REFERRALS", engine)
        patch.setattr(django_settings, "WAGTAIL_REFERRALS_OSCAR", shop, raising=False)
        look()
