"""Where the shop verifies addresses, what waits for a guest waits until the account's address is verified."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.signals import user_logged_in
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.plainshop.test_chain import DAY, deliver, friend_orders, visit
from wagtail_referrals import credit, rewards
from wagtail_referrals.people import advocate_for, advocate_for_guest, code_of, find_advocate, find_code
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.referrals import email_verified, register_friend
from wagtail_referrals.referrals.models import Referral

pytestmark = pytest.mark.django_db

FRIEND_GETS = [{"side": "friend", "trigger": "first_purchase", "kind": "credit", "amounts": {"EUR": "5.00"}}]
verified: set[Any] = set()


def is_verified(user: Any) -> bool:
    return user.pk in verified


def breaks(user: Any) -> bool:
    raise RuntimeError("the service does not answer, say")


@pytest.fixture(autouse=True)
def verifying(settings: Any) -> None:
    verified.clear()
    settings.WAGTAIL_REFERRALS = {
        **settings.WAGTAIL_REFERRALS,
        "EMAIL_IS_VERIFIED": "tests.plainshop.test_email_verified.is_verified",
    }


@pytest.fixture
def waiting(make_program: Any, basket: Any, now: Any) -> Advocate:
    """A guest who refers; 15 € wait for them."""
    _, terms, _ = make_program()
    advocate = advocate_for_guest("camille@example.com")
    deliver(friend_orders(advocate, terms, basket, now), now)
    rewards.sweep(now=now + 15 * DAY)
    return advocate


def log_in(user: Any) -> None:
    user_logged_in.send(sender=type(user), request=None, user=user)


def paid(user: Any, now: Any) -> Decimal:
    rewards.sweep(now=now + 400 * DAY)
    return credit.available(user, "EUR")


def test_nothing_before_it_is_verified_and_everything_at_the_next_login(
    waiting: Advocate, make_user: Any, now: Any
) -> None:
    camille = make_user("camille")
    own = advocate_for(camille)
    assert own.pk != waiting.pk
    log_in(camille)
    assert paid(camille, now) == 0
    verified.add(camille.pk)
    assert paid(camille, now) == 0, "asked at a login"
    log_in(camille)
    assert find_advocate(camille) == waiting
    assert paid(camille, now) == Decimal("15.00")


def test_the_shops_view_need_not_wait_for_a_login(waiting: Advocate, make_user: Any, now: Any) -> None:
    camille = make_user("camille")
    email_verified(camille)
    assert paid(camille, now) == 0, "it is asked all the same"
    verified.add(camille.pk)
    for _again in range(2):
        email_verified(camille)
    assert paid(camille, now) == Decimal("15.00")


def test_who_only_pretends_to_have_the_address_gets_nothing_and_the_owner_does(
    waiting: Advocate, make_user: Any, now: Any
) -> None:
    """Some shops allow an address twice; or the owner has the false account deleted."""
    mallory = make_user("mallory")
    mallory.email = "camille@example.com"
    mallory.save()
    register_friend(mallory, claim=None, now=now)
    assert advocate_for(mallory).pk != waiting.pk
    log_in(mallory)
    assert paid(mallory, now) == 0
    camille = make_user("camille")
    verified.add(camille.pk)
    log_in(camille)
    assert paid(camille, now) == Decimal("15.00")
    assert credit.available(mallory, "EUR") == 0


def test_what_the_account_said_meanwhile_stays(waiting: Advocate, make_user: Any, now: Any) -> None:
    camille = make_user("camille")
    own = advocate_for(camille)
    Advocate.objects.filter(pk=own.pk).update(
        public_name="Cam", name_confirmed_at=now, state="paused", language="fr"
    )
    text = code_of(own)
    assert find_code(text) is not None
    verified.add(camille.pk)
    email_verified(camille)
    found = Advocate.objects.get(user=camille)
    assert (found.pk, found.public_name, found.name_confirmed_at) == (waiting.pk, "Cam", now)
    assert (found.state, found.language) == ("paused", "fr")


def test_a_new_account_does_not_undo_that_staff_blocked_the_guest(
    waiting: Advocate, make_user: Any, now: Any
) -> None:
    Advocate.objects.filter(pk=waiting.pk).update(state="blocked")
    camille = make_user("camille")
    advocate_for(camille)
    verified.add(camille.pk)
    email_verified(camille)
    found = Advocate.objects.get(user=camille)
    assert (found.pk, found.state) == (waiting.pk, "blocked")


def test_a_link_by_which_somebody_came_stays(
    waiting: Advocate, make_user: Any, make_program: Any, now: Any
) -> None:
    camille = make_user("camille")
    own = advocate_for(camille)
    visit(own, make_program()[1], now)
    verified.add(camille.pk)
    email_verified(camille)
    assert find_advocate(camille) == own
    assert find_code(code_of(own)).user_id == camille.pk
    waiting.refresh_from_db()
    assert waiting.user_id is None


def test_a_friend_who_was_a_guest(
    advocate: Any, make_program: Any, basket: Any, make_user: Any, now: Any
) -> None:
    _, terms, _ = make_program(FRIEND_GETS)
    deliver(friend_orders(advocate, terms, basket, now, email="lea@example.com"), now)
    rewards.sweep(now=now + 15 * DAY)
    lea = make_user("lea")
    # Also when they come by a link once more: they are a friend in this program already.
    claim = rewards.commit(visit=visit(advocate, terms, now + 15 * DAY), user=lea, now=now + 15 * DAY)
    assert register_friend(lea, claim=claim, now=now + 15 * DAY) is None
    assert (Referral.objects.get().friend, paid(lea, now)) == (None, 0)
    verified.add(lea.pk)
    log_in(lea)
    assert Referral.objects.get().friend == lea
    assert paid(lea, now) == Decimal("5.00")


def test_a_shop_that_does_not_answer_gives_nothing_away_and_breaks_nothing(
    settings: Any, waiting: Advocate, make_user: Any, now: Any, caplog: Any
) -> None:
    settings.WAGTAIL_REFERRALS = {
        **settings.WAGTAIL_REFERRALS,
        "EMAIL_IS_VERIFIED": "tests.plainshop.test_email_verified.breaks",
    }
    camille = make_user("camille")
    assert advocate_for(camille).pk != waiting.pk
    log_in(camille)
    assert paid(camille, now) == 0
    assert "could not be asked" in caplog.text and "@" not in caplog.text


def test_it_is_asked_only_where_something_waits(settings: Any, make_user: Any) -> None:
    settings.WAGTAIL_REFERRALS = {
        **settings.WAGTAIL_REFERRALS,
        "EMAIL_IS_VERIFIED": "tests.plainshop.test_email_verified.breaks",
    }
    lea = make_user("lea")
    with CaptureQueriesContext(connection) as captured:
        log_in(lea)
    statements = [query["sql"] for query in captured.captured_queries if "SAVEPOINT" not in query["sql"]]
    assert len(statements) == 2 + 1, "and the date of the login, which Django writes"


def test_without_the_setting_a_login_costs_nothing(settings: Any, make_user: Any) -> None:
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "EMAIL_IS_VERIFIED": None}
    lea = make_user("lea")
    with CaptureQueriesContext(connection) as captured:
        log_in(lea)
    assert len(captured) == 1, "Django's own: the date of the login"
