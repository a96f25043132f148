"""What reviewers say about many referrals, and about when they want to be asked again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine

from tests.admin.held import make_held
from tests.admin.rows import NOW, make_advocate, make_program, make_user
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals import event_words, events_of, record
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards import settle
from wagtail_referrals.trust import (
    Check,
    CheckResult,
    checks,
    postpone,
    postpone_all,
    review,
    review_all,
    to_review,
)
from wagtail_referrals.trust.models import Decision

pytestmark = pytest.mark.django_db

TOMORROW = date(2026, 11, 11)


@pytest.fixture(autouse=True)
def _on_that_day() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def actor() -> Any:
    return make_user("alix@example.com", "Alix", is_superuser=True)


@pytest.fixture
def three() -> list[Referral]:
    program = make_program()
    terms = Terms.objects.get(program_key=program.key)
    advocate = make_advocate()
    return [make_held(terms, advocate, name) for name in ("Léa", "Tom", "Zoé")]


def asked(moment: datetime = NOW, **kwargs: Any) -> set[int]:
    return set(Referral.objects.filter(to_review(moment, **kwargs)).values_list("pk", flat=True))


def test_each_is_decided_once_and_what_others_decided_is_left_alone(
    three: list[Referral], actor: Any
) -> None:
    first, second, third = three
    review(second.pk, "refuse", actor=None, note="The same person")
    result = review_all(
        [first.pk, second.pk, third.pk, 0, first.pk], "approve", actor=actor, note="Flatmates"
    )
    assert (result.decided, result.by_others, result.over) == ([first.pk, third.pk], [second.pk], [0])
    words = Decision.objects.filter(check_key="reviewer").order_by("referral")
    assert [word.outcome for word in words] == ["approve", "refuse", "approve"]
    assert words[0].actor == actor
    assert words[0].data == {"note": "Flatmates"}
    # Not settled yet, and to be: no longer to be checked.
    assert asked() == set()
    assert Referral.objects.filter(next_check_at=NOW).count() == 3
    again = review_all([first.pk], "approve", actor=actor)
    assert again.by_others == [first.pk]


def test_what_is_over_is_not_decided(three: list[Referral], actor: Any) -> None:
    Referral.objects.filter(pk=three[0].pk).update(state=Referral.State.TAKEN_BACK)
    assert review_all([three[0].pk], "approve", actor=actor).over == [three[0].pk]
    assert not postpone(three[0].pk, TOMORROW, actor=actor)
    assert not Decision.objects.filter(check_key="reviewer").exists()


def test_what_is_no_longer_as_it_was_seen_is_not_decided(three: list[Referral], actor: Any) -> None:
    pks = [referral.pk for referral in three]
    result = review_all(pks, "refuse", actor=actor, still=lambda referral: referral.pk != pks[1])
    assert (result.decided, result.changed) == ([pks[0], pks[2]], [pks[1]])
    result = postpone_all([pks[1]], TOMORROW, actor=actor, still=lambda referral: False)
    assert result.changed == [pks[1]]


def test_a_reviewer_approves_or_refuses(three: list[Referral], actor: Any) -> None:
    with pytest.raises(ValueError, match="approves or refuses"):
        review_all([three[0].pk], "hold", actor=actor)


def test_asking_later_hides_until_that_day_of_the_site(
    three: list[Referral], actor: Any, settings: Any
) -> None:
    settings.TIME_ZONE = "Europe/Paris"
    pk = three[0].pk
    assert postpone(pk, TOMORROW, actor=actor, note="Wait for the answer")
    begins = datetime(2026, 11, 10, 23, tzinfo=UTC)
    assert asked(begins - timedelta(seconds=1)) == {three[1].pk, three[2].pk}
    assert asked(begins - timedelta(seconds=1), postponed=True) == {pk}
    assert pk in asked(begins)
    assert asked(begins, postponed=True) == set()
    assert asked(NOW, postponed=None) == {referral.pk for referral in three}
    event = events_of(three[0])[-1]
    assert event.actor == actor
    assert event_words(event) == (
        "A member of staff will look at it again on Nov. 11, 2026. Wait for the answer"
    )
    # It is still held, and nothing is given.
    settle(pk)
    assert Referral.objects.get(pk=pk).state == Referral.State.TO_CHECK


def test_a_day_that_has_begun_is_no_later(three: list[Referral], actor: Any) -> None:
    with pytest.raises(ValueError, match="begun already"):
        postpone(three[0].pk, date(2026, 11, 10), actor=actor)


def test_a_word_ends_the_wait(three: list[Referral], actor: Any) -> None:
    postpone(three[0].pk, TOMORROW, actor=actor)
    review_all([three[0].pk], "approve", actor=actor)
    three[0].refresh_from_db()
    assert three[0].postponed_until is None


def test_a_check_that_objects_anew_asks_at_once(three: list[Referral], actor: Any) -> None:
    postpone(three[0].pk, TOMORROW, actor=actor)
    settle(three[0].pk)
    three[0].refresh_from_db()
    assert three[0].postponed_until is not None
    checks.register(
        Check("too_fast", lambda subject: CheckResult(Decision.Outcome.HOLD, "review"), on_purchase=False)
    )
    try:
        settle(three[0].pk)
    finally:
        checks.unregister("too_fast")
    three[0].refresh_from_db()
    assert three[0].postponed_until is None
    assert three[0].pk in asked()


@pytest.fixture
def own_checks() -> Iterator[None]:
    for key, label in (("speed", "many orders at once"), ("nameless", "")):
        checks.register(Check(key, lambda subject: CheckResult(), label=label))
    yield
    for key in ("speed", "nameless"):
        checks.unregister(key)


def test_the_timeline_names_the_check_that_holds(three: list[Referral], own_checks: None) -> None:
    """Also one of the shop's own, and one that the shop has no longer."""
    referral = three[0]
    for number, key in enumerate(("same_address", "speed", "nameless", "gone")):
        data = {"check": key, "reason": "review"}
        record("check_hold", referral=referral, data=data, now=NOW + timedelta(minutes=number))
    data = {"check": "speed", "reason": ""}
    record("check_pass", referral=referral, data=data, now=NOW + timedelta(hours=1))
    assert [event_words(event) for event in events_of(referral)][-5:] == [
        "To check because of “same address”: a member of staff will look at it.",
        "To check because of “many orders at once”: a member of staff will look at it.",
        "To check because of “nameless”: a member of staff will look at it.",
        "To check because of “gone”: a member of staff will look at it.",
        "Checked and in order: many orders at once.",
    ]
