"""How many customers could refer, passed their link on, and brought friends: people, each once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.admin.rows import make_advocate, make_program, make_referral, make_user
from tests.audiences import NEVER_BOUGHT, make_audience
from wagtail_referrals.insights import Period, people
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import program_audiences
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.tracking.models import Share

pytestmark = pytest.mark.django_db

NOVEMBER = Period(date(2026, 11, 1), date(2026, 11, 30))
OCTOBER = Period(date(2026, 10, 1), date(2026, 10, 31))
INSIDE = datetime(2026, 11, 10, 12, tzinfo=UTC)


def test_people_are_counted_once() -> None:
    program, other = make_program(name="One"), make_program("percentage_back", name="Two")
    one, two = Terms.objects.get(program=program), Terms.objects.get(program=other)
    camille, robin = make_advocate(), make_advocate("robin@example.com", "Robin")
    make_advocate("late@example.com", "Late")
    Advocate.objects.filter(pk__in=(camille.pk, robin.pk)).update(created_at=INSIDE)
    Advocate.objects.exclude(pk__in=(camille.pk, robin.pk)).update(created_at=NOVEMBER.end)
    for moment in (INSIDE, INSIDE, NOVEMBER.end - timedelta(seconds=1)):
        Share.objects.create(advocate=camille, terms=one, channel="copy", created_at=moment)
    Share.objects.create(advocate=robin, terms=two, channel="copy", created_at=INSIDE)
    Share.objects.create(advocate=robin, terms=one, channel="copy", created_at=NOVEMBER.end)
    for number in range(3):
        make_referral(one, camille, make_user(f"{number}@example.com"), moment=INSIDE)
    make_referral(two, robin, moment=NOVEMBER.start - timedelta(seconds=1))

    november, october = people(NOVEMBER, OCTOBER)
    assert (november.reached, november.sharers, november.referrers) == (2, 2, 1)
    assert (october.reached, october.sharers, october.referrers) == (0, 0, 1)
    assert people(NOVEMBER, program_key=program.key)[0].sharers == 1
    theirs = people(NOVEMBER, OCTOBER, program_key=other.key)
    assert [found.referrers for found in theirs] == [0, 1]


def test_the_audience_of_a_program_is_that_of_today() -> None:
    everybody = make_program(name="All")
    some = make_program("percentage_back", name="Some", audience=make_audience(NEVER_BOUGHT, name="New ones"))
    gone = make_program("percentage_back", name="Gone", audience=make_audience(NEVER_BOUGHT, name="Members"))
    key = gone.key
    gone.delete()
    keys = [str(everybody.key), str(some.key), str(key)]
    assert program_audiences(keys) == {str(everybody.key): "", str(some.key): "New ones", str(key): "Members"}
