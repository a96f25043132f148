"""Visits that led to nothing are removed, and stay as figures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.admin.rows import make_advocate, make_program, make_referral
from wagtail_referrals import conf, people, tracking
from wagtail_referrals.insights import figures, fold_visits, rebuild_days, refresh_days
from wagtail_referrals.insights.models import FiguredDay, StaleDay
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.tracking.models import RemovedVisits, Visit

pytestmark = pytest.mark.django_db

OLD = datetime(2026, 7, 10, 12, tzinfo=UTC)
NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def keep_for_100_days(settings: Any) -> None:
    settings.TIME_ZONE = "UTC"
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "VISITS_DAYS": 100}


@pytest.fixture
def terms(db: None) -> Terms:
    return Terms.objects.get(program=make_program())


@pytest.fixture
def advocate(db: None) -> Advocate:
    return make_advocate()


def visit(advocate: Advocate, terms: Terms | None, moment: datetime, channel: str = "email") -> Visit:
    return Visit.objects.create(advocate=advocate, terms=terms, channel=channel, created_at=moment)


def test_what_led_to_nothing_goes_and_is_still_counted(advocate: Advocate, terms: Terms) -> None:
    for channel in ("email", "email", "qr"):
        visit(advocate, terms, OLD, channel)
    make_referral(terms, advocate, moment=OLD)
    young = visit(advocate, terms, NOW - timedelta(days=50))
    refresh_days(NOW)
    assert fold_visits(NOW, most=None) == 3
    assert set(Visit.objects.filter(claim=None)) == {young} and Visit.objects.count() == 2
    assert tracking.visits_by_channel(advocate) == {"email": 3, "qr": 1, "": 1}
    found = figures(OLD.date(), OLD.date(), by="channel")
    assert {channel: each.visits for channel, each in found.items()} == {"email": 2, "qr": 1, "": 1}
    assert fold_visits(NOW, most=None) == 0


def test_visits_of_two_days_add_up(advocate: Advocate, terms: Terms) -> None:
    visit(advocate, terms, OLD)
    visit(advocate, terms, OLD + timedelta(days=1))
    refresh_days(NOW)
    assert fold_visits(NOW, most=1) == 1
    assert fold_visits(NOW, most=None) == 1
    assert RemovedVisits.objects.get().number == 2


def test_a_folded_day_that_is_counted_again_loses_no_visit(advocate: Advocate, terms: Terms) -> None:
    visit(advocate, terms, OLD)
    refresh_days(NOW)
    fold_visits(NOW, most=None)
    StaleDay.objects.create(day=OLD.date())
    # Also before it is counted again.
    assert figures(OLD.date(), OLD.date())[""].visits == 1
    assert refresh_days(NOW) == 1
    assert figures(OLD.date(), OLD.date())[""].visits == 1
    assert rebuild_days(OLD.date(), OLD.date()) == 1
    assert figures(OLD.date(), OLD.date())[""].visits == 1
    assert FiguredDay.objects.get(day=OLD.date()).visits_folded


def test_a_folded_day_among_many_that_were_never_counted_loses_none(advocate: Advocate, terms: Terms) -> None:
    """Where days that are kept and days that are not alternate too often, all of them are counted."""
    visit(advocate, terms, OLD)
    refresh_days(NOW)
    fold_visits(NOW, most=None)
    last = OLD.date() + timedelta(days=60)
    FiguredDay.objects.filter(day__in=[OLD.date() + timedelta(days=n) for n in range(1, 60, 2)]).delete()
    FiguredDay.objects.filter(day=OLD.date()).delete()
    FiguredDay.objects.create(day=OLD.date(), figured_at=NOW, time_zone="UTC", visits_folded=True)
    first = OLD.date() - timedelta(days=1)
    FiguredDay.objects.filter(day=first).delete()
    assert figures(first, last)[""].visits == 1


def test_nobody_loses_an_invitation(advocate: Advocate, terms: Terms) -> None:
    terms.data["window_days"] = 365
    terms.save()
    visit(advocate, terms, NOW - timedelta(days=120))
    refresh_days(NOW)
    assert fold_visits(NOW, most=None) == 0 and Visit.objects.count() == 1


@pytest.mark.parametrize(("days", "folded"), [(364, 0), (365, 0), (366, 0), (367, 1)])
def test_the_last_day_of_an_invitation_belongs_to_the_friend(
    days: int, folded: int, advocate: Advocate, terms: Terms
) -> None:
    terms.data["window_days"] = 365
    terms.save()
    visit(advocate, terms, NOW - timedelta(days=days))
    refresh_days(NOW)
    assert fold_visits(NOW, most=None) == folded


def test_days_that_are_to_be_counted_wait(advocate: Advocate, terms: Terms) -> None:
    visit(advocate, terms, OLD)
    assert fold_visits(NOW, most=None) == 0
    refresh_days(NOW)
    StaleDay.objects.create(day=OLD.date())
    assert fold_visits(NOW, most=None) == 0 and Visit.objects.count() == 1
    refresh_days(NOW)
    assert fold_visits(NOW, most=None) == 1


def test_a_shop_may_keep_them_for_ever(advocate: Advocate, terms: Terms, settings: Any) -> None:
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "VISITS_DAYS": None}
    visit(advocate, terms, OLD)
    refresh_days(NOW)
    assert fold_visits(NOW, most=None) == 0 and Visit.objects.count() == 1


def test_who_was_visited_does_not_give_way_to_a_guest(advocate: Advocate, terms: Terms) -> None:
    """As long as the visits are there, nor afterwards."""
    visit(advocate, terms, OLD)
    refresh_days(NOW)
    fold_visits(NOW, most=None)
    guest = people.advocate_for_guest("camille@example.com")
    assert people.adopt_guest(advocate.user) is None
    assert Advocate.objects.filter(pk__in=[advocate.pk, guest.pk]).count() == 2


def test_by_default_they_stay_for_more_than_a_year() -> None:
    assert conf.DEFAULTS["VISITS_DAYS"] > 366
