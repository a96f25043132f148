"""The signed value that names a visit."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.http import HttpResponse
from django.test import RequestFactory, override_settings
from django.utils import timezone

from tests.site.conftest import publish
from wagtail_referrals import tracking
from wagtail_referrals.programs import parse
from wagtail_referrals.tracking.cookie import SESSION_KEY, Ticket, read_ticket
from wagtail_referrals.tracking.models import Visit


@pytest.fixture
def visit(advocate, terms):
    return Visit.objects.create(advocate=advocate, terms=terms, created_at=timezone.now())


def request_with(cookie=None, **meta):
    request = RequestFactory().get("/", **meta)
    if cookie is not None:
        request.COOKIES["referral"] = cookie
    return request


def test_a_token_leads_back_to_the_visit_with_one_query(visit, django_assert_num_queries):
    token = tracking.token_for(visit)
    with django_assert_num_queries(1):
        found = tracking.visit_from_token(token)
        assert (found.pk, found.advocate, found.terms) == (visit.pk, visit.advocate, visit.terms)


def test_a_token_ends_with_the_days_to_order(visit):
    token = tracking.token_for(visit)
    with time_machine.travel(visit.created_at + timedelta(days=30, minutes=-1), tick=False):
        assert tracking.visit_from_token(token) == visit
    with time_machine.travel(visit.created_at + timedelta(days=30, minutes=1), tick=False):
        assert tracking.visit_from_token(token) is None


@pytest.mark.parametrize(
    "forged", ["", "1", "1-1-1-1-1-1:x", "é" * 50, "a" * 100_000, "0-0-0-0-0-0", ":", "1:1"]
)
def test_what_was_not_signed_here_is_nobodys(forged, django_assert_num_queries, db):
    with django_assert_num_queries(0):
        assert tracking.visit_from_token(forged) is None
        assert read_ticket(request_with(forged)) is None


def test_one_changed_letter_breaks_the_token(visit):
    token = tracking.token_for(visit)
    assert tracking.visit_from_token(token[:-1] + ("a" if token[-1] != "a" else "b")) is None
    first = "2" if token[0] != "2" else "3"
    assert tracking.visit_from_token(first + token[1:]) is None


def test_a_key_that_no_database_knows_is_refused(db):
    ticket = Ticket(2**70, 1, 1, 0, 2**33, False)
    assert tracking.visit_from_token(ticket.sign()) is None


def test_another_secret_key_reads_nothing(visit):
    token = tracking.token_for(visit)
    with override_settings(SECRET_KEY="another"):
        assert tracking.visit_from_token(token) is None


def test_there_is_no_token_for_a_visit_to_which_nothing_was_promised(advocate):
    visit = Visit.objects.create(advocate=advocate, terms=None, created_at=timezone.now())
    with pytest.raises(ValueError):
        tracking.token_for(visit)
    response = HttpResponse()
    tracking.remember(request_with(), response, visit)
    assert not response.cookies


def test_the_cookie_is_closed_to_scripts_and_other_sites(visit):
    response = HttpResponse()
    tracking.remember(request_with(secure=True), response, visit)
    cookie = response.cookies["referral"]
    assert cookie["httponly"] and cookie["secure"] and cookie["samesite"] == "Lax"
    assert 30 * 86400 - 60 < cookie["max-age"] <= 30 * 86400
    assert read_ticket(request_with(cookie.value)).visit_id == visit.pk


def test_the_cookie_is_not_secure_where_the_request_is_not(visit):
    response = HttpResponse()
    tracking.remember(request_with(), response, visit)
    assert not response.cookies["referral"]["secure"]


def test_name_and_domain_of_the_cookie_are_settings(visit, settings):
    settings.WAGTAIL_REFERRALS = {
        **settings.WAGTAIL_REFERRALS,
        "COOKIE_NAME": "ref",
        "COOKIE_DOMAIN": ".example.com",
    }
    response = HttpResponse()
    tracking.remember(request_with(), response, visit)
    assert response.cookies["ref"]["domain"] == ".example.com"


def deny(request):
    return False


def allow(request):
    return True


def test_without_consent_the_session_knows_the_visit_and_no_cookie_is_set(visit, settings):
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "CONSENT": f"{__name__}.deny"}
    response = HttpResponse()
    request = request_with()
    request.session = {}
    tracking.remember(request, response, visit)
    assert not response.cookies and request.session[SESSION_KEY] == tracking.token_for(visit)

    later = request_with()
    later.session = request.session
    assert read_ticket(later) is None  # a session that the browser did not name is not opened
    later.COOKIES[settings.SESSION_COOKIE_NAME] = "x"
    assert read_ticket(later).visit_id == visit.pk


def test_with_consent_the_cookie_is_set(visit, settings):
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "CONSENT": f"{__name__}.allow"}
    response = HttpResponse()
    tracking.remember(request_with(), response, visit)
    assert "referral" in response.cookies


def test_the_ticket_says_what_later_requests_decide_by(advocate):
    terms = publish(touch="first", window_days=7)
    visit = Visit.objects.create(advocate=advocate, terms=terms, created_at=timezone.now())
    ticket = Ticket.read(Ticket.of(visit, parse(terms)).sign())
    assert (ticket.visit_id, ticket.advocate_id, ticket.terms_id) == (visit.pk, advocate.pk, terms.pk)
    assert ticket.first_touch and ticket.expires - ticket.visited == 7 * 86400
