"""Each time that a link is passed on is counted once, by the way it went."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.test import RequestFactory
from django.utils import timezone

from tests.site.conftest import BROWSER
from wagtail_referrals import people, programs, tracking
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.tracking.models import Share
from wagtail_referrals.tracking.shares import MOST_IN_A_DAY, SAME_SHARE


def asked_by(agent=BROWSER, **meta):
    return RequestFactory().post("/", HTTP_USER_AGENT=agent, **meta)


def shared(advocate, channel="whatsapp", request=None, **values):
    return tracking.record_share(request or asked_by(), advocate, channel=channel, **values)


def test_a_share_says_which_way_and_what_was_offered(advocate, terms):
    offer = programs.pick_terms(site_id=None)
    share = shared(advocate, offer=offer)
    assert (share.advocate, share.channel, share.terms, share.language) == (advocate, "whatsapp", terms, "en")
    assert str(share) == f"time that a link was shared {share.pk}"


def test_without_a_program_it_counts_too(advocate):
    assert shared(advocate).terms is None


@pytest.mark.parametrize("channel", ["", "carrier-pigeon", "whatsapp; DROP TABLE", "x" * 500])
def test_a_way_that_we_do_not_know_is_none(advocate, channel):
    assert shared(advocate, channel) is None and not Share.objects.exists()


@pytest.mark.parametrize(
    "request_",
    [asked_by("curl/8.5.0"), asked_by(HTTP_SEC_PURPOSE="prefetch"), asked_by(HTTP_X_MOZ="prefetch")],
)
def test_who_only_looks_is_not_counted(advocate, request_):
    assert shared(advocate, request=request_) is None


def test_a_double_click_is_one_share_and_the_next_friend_another(advocate):
    now = timezone.now()
    assert shared(advocate, now=now)
    assert shared(advocate, now=now + SAME_SHARE / 2) is None
    assert shared(advocate, "copy", now=now + SAME_SHARE / 2)
    assert shared(advocate, now=now + SAME_SHARE)
    assert Share.objects.count() == 3


def test_a_script_fills_no_table(advocate):
    now = timezone.now()
    Share.objects.bulk_create(
        Share(advocate=advocate, channel="copy", created_at=now - timedelta(hours=1))
        for _ in range(MOST_IN_A_DAY)
    )
    assert shared(advocate, now=now) is None
    assert shared(advocate, now=now + timedelta(days=1))


@pytest.mark.parametrize("state", ["left", "paused", "blocked"])
def test_a_link_that_brings_nothing_is_not_counted(advocate, state):
    Advocate.objects.update(state=state)
    assert shared(advocate) is None


def test_a_count_costs_five_statements(advocate, django_assert_num_queries):
    with django_assert_num_queries(5):  # savepoint, advocate, the day's shares, the row, release
        shared(advocate)


def test_the_token_names_the_advocate_and_nothing_else(advocate):
    token = tracking.share_token(advocate)
    assert tracking.advocate_from_share_token(token) == advocate
    assert tracking.share_token(advocate) == token and len(token) < 60


@pytest.mark.parametrize("token", ["", "1", "1:", ":", "1:x", "é:\x00", "zzzzzzzzzzzzzz:abc", "a" * 5000])
def test_what_this_site_did_not_sign_names_nobody(advocate, token):
    assert tracking.advocate_from_share_token(token) is None


def test_a_token_of_another_kind_names_nobody(advocate, terms):
    visit = tracking.record_visit(
        RequestFactory().get("/", HTTP_USER_AGENT=BROWSER), people.find_code(people.code_of(advocate))
    )
    assert tracking.advocate_from_share_token(tracking.token_for(visit)) is None


def test_the_token_of_a_customer_who_is_gone_names_nobody(make_user):
    advocate = people.advocate_for(make_user("zoe"))
    token = tracking.share_token(advocate)
    advocate.codes.all().delete()
    advocate.delete()
    assert tracking.advocate_from_share_token(token) is None


def test_who_has_shared_already_still_becomes_the_guest_that_they_were(make_user):
    guest = people.advocate_for_guest("nina@example.com")
    user = make_user("other")
    own = people.advocate_for(user)
    assert shared(own)
    user.email = "nina@example.com"
    user.save()
    assert people.adopt_guest(user) == guest
    assert Advocate.objects.get(user=user) == guest and not Advocate.objects.filter(pk=own.pk).exists()
    # What was counted of a day stays as it was.
    assert guest.shares.count() == 1


def test_two_clicks_at_the_same_moment_are_one(transactional_db, make_user):
    advocate = people.advocate_for(make_user("camille"))
    start = threading.Barrier(4)
    failed = []

    def click():
        try:
            start.wait()
            shared(advocate)
        except Exception as error:
            failed.append(error)
        finally:
            connections.close_all()

    clicks = [threading.Thread(target=click) for _ in range(4)]
    for each in clicks:
        each.start()
    for each in clicks:
        each.join()
    assert not failed and Share.objects.count() == 1


def test_the_lock_is_one_that_checkout_does_not_wait_for(advocate, django_assert_num_queries):
    with django_assert_num_queries(5) as queries:
        shared(advocate)
    if connection.vendor == "postgresql":
        assert "FOR NO KEY UPDATE" in queries.captured_queries[1]["sql"]
