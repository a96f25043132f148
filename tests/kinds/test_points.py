"""Points: their name with every number, settings that cannot be, and the ledger that spends none of them."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy, ngettext_lazy

from tests.environment import ROOT
from tests.points import LEAVES, leaves
from wagtail_referrals import conf, credit
from wagtail_referrals.kinds import PointsKind, Rule

__all__ = ["leaves"]
D = Decimal


def named(settings: Any, points: Any) -> None:
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "POINTS": points}


@pytest.mark.parametrize(
    ("amount", "text"), [("1", "1 leaf"), ("0", "0 leaves"), ("50.00", "50 leaves"), ("1250", "1,250 leaves")]
)
def test_the_name_goes_with_the_number(leaves: str, amount: str, text: str) -> None:
    assert credit.format_money(D(amount), leaves) == text


def test_the_number_is_written_as_the_reader_writes_it(leaves: str) -> None:
    with translation.override("fr"):
        assert credit.format_money(D(1250), leaves).startswith("1\u202f250 ")


def test_the_form_of_the_word_is_that_of_the_readers_language(settings: Any) -> None:
    # Django's own catalogue has these words. In French, 0 is one of what there is one of.
    named(settings, {"unit": "HOUR", "name": ngettext_lazy("%(num)d hour", "%(num)d hours")})
    with translation.override("fr"):
        names = [conf.points().named(number) for number in (0, 1, 2)]  # type: ignore[union-attr]
    assert names == ["%(num)d heure", "%(num)d heure", "%(num)d heures"]


@pytest.mark.parametrize("name", ["points", gettext_lazy("points")])
def test_a_name_may_be_one_word_for_all_numbers(settings: Any, name: Any) -> None:
    named(settings, {"unit": "PTS", "name": name})
    assert credit.format_money(D(1), "PTS") == f"1 {name}"


def test_a_unit_that_the_settings_no_longer_name_is_still_told(settings: Any) -> None:
    named(settings, None)
    assert credit.format_money(D(50), "LEAF") == "50 LEAF"
    assert conf.points() is None and conf.units() == conf.currencies()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"unit": "EUR", "name": "points"}, "is a currency"),
        ({"unit": "leaf", "name": "points"}, "capital letters"),
        ({"unit": "MUCH_TOO_LONG_A_UNIT", "name": "points"}, "capital letters"),
        ({"unit": "LEAF"}, r'is \{"unit": ..., "name": ...\}'),
        ("LEAF", r'is \{"unit": ..., "name": ...\}'),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: Any, setting: Any, words: str) -> None:
    named(settings, setting)
    with pytest.raises(ImproperlyConfigured, match=words):
        conf.points()


def test_the_terms_keep_the_number_and_the_unit(leaves: str) -> None:
    kind = PointsKind()
    options = kind.freeze_options({"points": 50})
    rule = Rule("key", "advocate", "first_purchase", "points", "keep", options=options)
    assert options == {"points": 50, "points_unit": "LEAF"}
    assert (kind.worth(rule, "EUR", None), kind.unit(rule, "EUR")) == (D(50), "LEAF")
    assert kind.words(rule, "EUR") == "50 leaves"
    assert kind.initial_options(options)["points"] == 50
    assert kind.option_problems({}) == {"points": "Say how many."}
    assert str(kind.label) == "Leaves"


@pytest.mark.parametrize("setting", [None, LEAVES])
def test_the_kind_is_there_where_the_setting_is(setting: Any) -> None:
    given = {"unit": "LEAF", "name": "leaves"} if setting else None
    code = (
        "from tests import settings\n"
        f"settings.WAGTAIL_REFERRALS['POINTS'] = {given!r}\n"
        "import django; django.setup()\n"
        "from wagtail_referrals.kinds import reward_kinds; print('points' in reward_kinds)"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": "/usr/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.stdout.strip() == str(setting is not None), done.stderr


@pytest.mark.django_db
def test_points_have_an_account_like_money_and_pay_for_nothing(leaves: str, django_user_model: Any) -> None:
    user = django_user_model.objects.create_user("camille", "camille@example.com")
    credit.grant(user=user, currency=leaves, amount=D("49.6"), key="a")
    credit.grant(user=user, currency="EUR", amount=D("3"), key="b")
    assert credit.available(user, leaves) == D(50)
    with pytest.raises(ValueError, match="LEAF is no currency"):
        credit.reserve(
            user=user,
            currency=leaves,
            amount=D(10),
            order_number="1",
            expires_at=timezone.now() + timedelta(hours=1),
        )
    assert credit.active_reservation("1") is None
    assert credit.account_of(user, leaves).reserved == 0
    credit.claw_back(user=user, currency=leaves, amount=D(60), key="c")
    assert credit.account_of(user, leaves).shortfall == D(10)
    assert credit.available(user, "EUR") == D(3)
