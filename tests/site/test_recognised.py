"""Badges and better places: told to who refers, once, and only for the better."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.admin.rows import make_advocate, make_program, make_referral, make_user
from wagtail_referrals.messages import kinds
from wagtail_referrals.messages.compose import compose
from wagtail_referrals.messages.models import Message
from wagtail_referrals.messages.sweeping import plan_all
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.recognition import join_leaderboards, leave_leaderboards
from wagtail_referrals.recognition.awards import award
from wagtail_referrals.recognition.models import Badge, BadgeAward, BadgeName
from wagtail_referrals.recognition.standings import recount
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import SweepRun

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
# A Monday, and the Thursday of the week before.
MONDAY = datetime(2026, 11, 9, 6, tzinfo=UTC)
LAST_WEEK = MONDAY - 4 * DAY
LONG_AGO = MONDAY - 30 * DAY


@pytest.fixture
def terms() -> Terms:
    make_program()
    return Terms.objects.get()


def referrer(terms: Terms, name: str, *, before: int, last_week: int = 0, joined: bool = True) -> Advocate:
    """With so many friends who count."""
    advocate = make_advocate(f"{name.lower()}@example.com", name)
    for number in range(before + last_week):
        make_referral(
            terms,
            advocate,
            state=Referral.State.REWARDED,
            qualified_at=LONG_AGO if number < before else LAST_WEEK,
            ordinal=number + 1,
        )
    recount([advocate])
    if joined:
        join_leaderboards(advocate)
    return advocate


def sent(message: Message) -> str:
    content = compose(message, message.user)
    return f"{content.subject}\n{content.text}"


def ranks() -> dict[str, int]:
    rows = Message.objects.filter(kind="new_rank").select_related("user")
    return {row.user.first_name: row.data["rank"] for row in rows if row.user is not None}


def test_last_weeks_friends_have_brought_somebody_up(terms: Terms) -> None:
    referrer(terms, "Ann", before=3)
    referrer(terms, "Bob", before=2, last_week=2)
    # No place better: she was the third before, too.
    referrer(terms, "Cid", before=1, last_week=1)
    # New in it.
    referrer(terms, "Dan", before=0, last_week=1)
    assert plan_all(now=MONDAY) == 2
    assert ranks() == {"Bob": 1, "Dan": 4}
    message = Message.objects.get(user__first_name="Bob")
    assert kinds.is_due(message, MONDAY)
    text = sent(message)
    assert "You have come up to place 1" in text and "Friends who count for you: 4." in text
    assert "Ann" not in text
    # Also where a sweep breaks off, and the next one is the first of the week again.
    plan_all(now=MONDAY + DAY)
    assert ranks() == {"Bob": 1, "Dan": 4}
    assert Message.objects.filter(kind="new_rank").count() == 2


def test_only_by_the_first_sweep_of_a_week(terms: Terms) -> None:
    referrer(terms, "Ann", before=3)
    referrer(terms, "Bob", before=2, last_week=2)
    SweepRun.objects.create(started_at=MONDAY - 3 * 60 * timedelta(minutes=1), finished_at=MONDAY)
    with CaptureQueriesContext(connection) as queries:
        assert plan_all(now=MONDAY) == 0
    assert "standing" not in str(queries.captured_queries).lower()
    assert plan_all(now=MONDAY + 7 * DAY) == 0


@pytest.mark.parametrize("how", ["not in it", "left it", "left the program", "overtaken"])
def test_nobody_reads_of_a_place_that_is_not_shown_or_not_theirs(how: str, terms: Terms) -> None:
    referrer(terms, "Ann", before=3)
    bob = referrer(terms, "Bob", before=2, last_week=2, joined=how != "not in it")
    if how == "not in it":
        assert plan_all(now=MONDAY) == 0
        return
    assert plan_all(now=MONDAY) == 1
    message = Message.objects.get()
    assert kinds.is_due(message, MONDAY)
    if how == "left it":
        leave_leaderboards(bob)
    elif how == "left the program":
        bob.state = Advocate.State.LEFT
        bob.save()
    else:
        referrer(terms, "Eve", before=9)
    assert not kinds.is_due(Message.objects.get(), MONDAY)


def test_only_the_first_ten(terms: Terms) -> None:
    for number in range(10):
        referrer(terms, f"N{number}", before=3)
    referrer(terms, "Bob", before=1, last_week=1)
    assert plan_all(now=MONDAY) == 0


# Badges


@pytest.fixture
def badge(terms: Terms) -> Badge:
    badge = Badge.objects.create(criterion=Badge.Criterion.REFERRALS, threshold=2)
    BadgeName.objects.create(badge=badge, language="en", name="Host")
    BadgeName.objects.create(badge=badge, language="fr", name="Hôte")
    return badge


def count_anew(advocate: Advocate) -> None:
    award([advocate], [Badge.objects.get()], recount([advocate]), now=MONDAY)


def test_a_badge_is_told_once_by_its_name_in_the_readers_language(terms: Terms, badge: Badge) -> None:
    ann = referrer(terms, "Ann", before=2)
    Advocate.objects.filter(pk=ann.pk).update(language="fr")
    count_anew(ann)
    count_anew(ann)
    message = Message.objects.get()
    assert (message.kind, message.user, message.language) == ("badge_given", ann.user, "fr")
    assert "Hôte" in sent(message)
    assert kinds.is_due(message, MONDAY)
    # Taken back, and given again: that is no news.
    Referral.objects.update(state=Referral.State.TAKEN_BACK)
    count_anew(ann)
    assert not kinds.is_due(message, MONDAY)
    Referral.objects.update(state=Referral.State.REWARDED)
    count_anew(ann)
    assert Message.objects.count() == 1 and BadgeAward.objects.get().taken_back_at is None


def test_who_left_keeps_the_badge_and_is_not_told(terms: Terms, badge: Badge) -> None:
    ann = referrer(terms, "Ann", before=2)
    Advocate.objects.filter(pk=ann.pk).update(state=Advocate.State.LEFT)
    count_anew(ann)
    assert BadgeAward.objects.count() == 1 and not Message.objects.exists()


def test_a_badge_is_given_also_where_nobody_can_be_told(
    terms: Terms, badge: Badge, monkeypatch: Any, caplog: Any
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        connection.cursor().execute("SELECT a FROM no_table")

    monkeypatch.setattr("wagtail_referrals.site.recognised.write", fail)
    ann = referrer(terms, "Ann", before=2)
    count_anew(ann)
    assert BadgeAward.objects.count() == 1
    assert "could not be told" in caplog.text


def test_a_referrer_without_an_account_is_told_nothing(terms: Terms, badge: Badge) -> None:
    ann = referrer(terms, "Ann", before=2)
    make_user("other@example.com")
    Advocate.objects.filter(pk=ann.pk).update(user=None, email_hash="a")
    count_anew(Advocate.objects.get(pk=ann.pk))
    assert BadgeAward.objects.count() == 1 and not Message.objects.exists()
