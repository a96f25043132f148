"""What a shop with memberships is told before its customers find out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.urls import include, path

from oscar_integration import checks as shop_checks
from oscar_integration.memberships import checks
from tests.checks import Mistake, say, urls

HERE = "tests.memberships.test_checks"


class Cards:
    def charge(self, request):
        raise NotImplementedError

    def card(self, user):
        return None


class Static:
    @staticmethod
    def charge(request):
        raise NotImplementedError

    @classmethod
    def card(cls, user):
        return None


class Delegates:
    def __getattr__(self, name):
        return getattr(Cards(), name)


def make_cards():
    return Cards()


class NeedsKey(Cards):
    def __init__(self, key):
        self.key = key


class NoCard:
    def charge(self, request):
        raise NotImplementedError


class ChargesAnAmount(Cards):
    def charge(self, user, amount):  # type: ignore[override]
        raise NotImplementedError


class ChargesLater(Cards):
    async def charge(self, request):
        raise NotImplementedError


some_cards = Cards()
RIGHT = {"RENEWAL_CARDS": f"{HERE}.Cards"}


def wrong(check_id: str, words: str, value: Any) -> Mistake:
    return Mistake(check_id, words, {"RENEWAL_CARDS": value}, RIGHT)


MISTAKES = [
    wrong("oscar_integration.E009", "cannot be imported (No module named", "shop.nowhere.Cards"),
    wrong("oscar_integration.E009", "cannot be imported", f"{HERE}.NotThere"),
    wrong("oscar_integration.E009", "is not a dotted path", Cards),
    wrong("oscar_integration.E009", "is not a dotted path", False),
    wrong("oscar_integration.E010", "cannot be made, as it is called without arguments", f"{HERE}.NeedsKey"),
    wrong("oscar_integration.E010", "cannot be made", f"{HERE}.some_cards"),
    wrong("oscar_integration.E010", "lacks card(user)", f"{HERE}.NoCard"),
    wrong(
        "oscar_integration.E010",
        "has charge, which cannot be called with the request",
        f"{HERE}.ChargesAnAmount",
    ),
    wrong("oscar_integration.E010", "has charge, which is asynchronous", f"{HERE}.ChargesLater"),
]


def look() -> list[Any]:
    return [message for check in checks.CHECKS for message in check()]


@pytest.mark.parametrize(
    "mistake", MISTAKES, ids=[f"{number}-{each}" for number, each in enumerate(MISTAKES)]
)
def test_a_mistake_is_said_and_its_mend_silences_it(mistake: Mistake, settings: Any) -> None:
    settings.WAGTAIL_REFERRALS_OSCAR = mistake.wrong
    found = look()
    assert say(found) == [mistake.id]
    assert mistake.words in found[0].msg
    settings.WAGTAIL_REFERRALS_OSCAR = mistake.mended
    assert say(look()) == []


@pytest.mark.parametrize(
    "value", [None, *(f"{HERE}.{name}" for name in ("Static", "Delegates", "make_cards"))]
)
def test_nothing_is_said_of_what_can_charge(value: str | None, settings: Any) -> None:
    settings.WAGTAIL_REFERRALS_OSCAR = {"RENEWAL_CARDS": value}
    assert say(look()) == []


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["oscar_integration.memberships", "oscar_integration"], 'stands before "oscar_integration"'),
        (["oscar_integration.memberships"], 'is installed without "oscar_integration"'),
    ],
)
def test_the_app_comes_after_the_one_that_it_belongs_to(
    names: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = [SimpleNamespace(name=name) for name in names]
    with monkeypatch.context() as patch:
        patch.setattr(checks, "apps", SimpleNamespace(get_app_configs=lambda: configs))
        (found,) = checks.check_app_order()
    assert say([found]) == ["oscar_integration.E008"] and words in found.msg
    assert checks.check_app_order() == []


def test_addresses_that_are_not_included(settings: Any) -> None:
    assert checks.check_urls() == []
    settings.ROOT_URLCONF = urls()
    assert say(checks.check_urls()) == ["oscar_integration.W015"]
    settings.ROOT_URLCONF = urls(path("a/", include("oscar_integration.memberships.urls")))
    assert checks.check_urls() == []


def test_cards_for_nothing(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WAGTAIL_REFERRALS_OSCAR = RIGHT
    assert say(shop_checks.check_settings()) == []
    installed = apps.is_installed
    monkeypatch.setattr(
        apps, "is_installed", lambda name: name != "oscar_integration.memberships" and installed(name)
    )
    assert say(shop_checks.check_settings()) == ["oscar_integration.W014"]
    settings.WAGTAIL_REFERRALS_OSCAR = {}
    assert say(shop_checks.check_settings()) == []
