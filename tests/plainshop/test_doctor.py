"""The doctor in a shop without Oscar: the engine's examinations, on whatever the shop has."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import caches
from django.db import connection

from tests.doctor.patient import command, examine
from tests.plainshop.shop import PlainShop
from wagtail_referrals.doctor import Examination, Verdict, examinations, fine
from wagtail_referrals.rewards import sweep

LOOK = Verdict.LOOK


@pytest.fixture
def healthy(db, make_program):
    make_program()
    sweep()


def test_a_healthy_shop_without_oscar(healthy):
    record = examine()
    assert record.broken == []
    assert record.of(Verdict.NOT_TRIED) == []
    assert record.says("localhost: the cookie is kept, and known on the next page", Verdict.FINE)
    assert record.says("A visit becomes an invitation", Verdict.FINE)
    assert {key for key, _finding in record.findings} == {
        "ground",
        "sweep",
        "port",
        "programs",
        "link",
        "pages",
        "invitation",
    }
    text, code = command()
    assert code == 0
    assert "It works." in text


def test_it_leaves_nothing(transactional_db, make_program):
    make_program()
    caches["default"].set("colour", "red")
    before = everything()
    kept = dict(caches["default"]._cache)
    examine()
    assert everything() == before
    assert dict(caches["default"]._cache) == kept


def everything() -> dict[str, list[str]]:
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            found[table] = sorted(repr(row) for row in cursor.fetchall())
    return found


def test_a_port_that_lies(healthy, monkeypatch):
    monkeypatch.setattr(PlainShop, "was_customer", lambda self, **kwargs: True)
    record = examine()
    assert record.says("takes somebody who was never there for an old customer")


def test_a_port_that_has_no_answer(healthy, monkeypatch):
    monkeypatch.delattr(PlainShop, "ranges")
    record = examine()
    assert record.says("The shop does not answer ranges(): AttributeError")


def test_no_shop_at_all(healthy, settings):
    settings.WAGTAIL_REFERRALS = {"SHOP": "nowhere.Shop"}
    assert examine(("port",)).says("The shop does not answer: ImproperlyConfigured")


def test_a_part_of_the_shops_own_that_crashes_stops_nothing(healthy):
    def crashes(trial: Any) -> Any:
        yield fine("The donations are there.")
        raise ValueError("of ada@example.com")

    examinations.register(Examination("donations", "Donations", crashes), before="programs")
    try:
        record = examine()
    finally:
        examinations.unregister("donations")
    said = [finding.words for finding in record.part("donations")]
    assert said[0] == "The donations are there."
    assert said[1].startswith(f"This could not be tried: ValueError in {__name__}, line ")
    assert len(record.part("link")) == 2


def test_what_a_crash_wrote_is_gone_and_the_rest_is_there(healthy):
    """An examination that fails in the database, as PostgreSQL then refuses all that follows."""

    def fails(trial: Any) -> Any:
        trial.code = "CHANGED"
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM there_is_no_such_table")
        yield fine("never said")

    examinations.register(Examination("broken_part", "Broken", fails), before="link")
    try:
        record = examine()
    finally:
        examinations.unregister("broken_part")
    assert record.part("broken_part")[0].verdict == Verdict.BROKEN
    assert record.says("the share link shows the friend's page", Verdict.FINE)


def test_djangos_own_login_wall(healthy, settings):
    """Share links are for people without an account, whatever the rest of the site asks for."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    settings.LOGIN_URL = "/admin/login/"
    record = examine(("programs", "link"))
    assert record.says("the share link shows the friend's page", Verdict.FINE)
