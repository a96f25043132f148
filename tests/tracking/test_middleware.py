"""``request.referral`` costs nothing without a link, and never breaks a page."""

from __future__ import annotations

import asyncio

import pytest
from django.http import HttpResponse
from django.test import AsyncRequestFactory, Client, RequestFactory
from django.utils import timezone

from wagtail_referrals import tracking
from wagtail_referrals.tracking.models import Visit


@pytest.fixture
def visit(advocate, terms):
    return Visit.objects.create(advocate=advocate, terms=terms, created_at=timezone.now())


class BrokenSession:
    def get(self, *args):
        raise RuntimeError("the session store is down")


def answer(request):
    return HttpResponse(str(request.referral.visit_id))


def test_a_visitor_without_a_link_costs_no_query_no_session_and_no_cookie(db, django_assert_num_queries):
    request = RequestFactory().get("/")
    request.session = BrokenSession()
    with django_assert_num_queries(0):
        response = tracking.ReferralMiddleware(answer)(request)
        assert response.content == b"None" and not response.cookies
        assert request.referral.visit is None and request.referral.token is None


@pytest.mark.parametrize("cookie", ["", "1", "1-2-3-4-5-6:nonsense", "\x00", "a" * 5000])
def test_forged_cookies_are_ignored_without_a_query(cookie, db, django_assert_num_queries):
    request = RequestFactory().get("/")
    request.COOKIES["referral"] = cookie
    with django_assert_num_queries(0):
        assert tracking.ReferralMiddleware(answer)(request).content == b"None"


def test_the_visit_is_read_once_and_only_when_somebody_asks(visit, django_assert_num_queries):
    request = RequestFactory().get("/")
    request.COOKIES["referral"] = tracking.token_for(visit)
    with django_assert_num_queries(0):
        assert tracking.ReferralMiddleware(answer)(request).content == str(visit.pk).encode()
    with django_assert_num_queries(1):
        assert request.referral.visit == visit
        assert request.referral.visit.advocate.public_name == "Camille"
        assert request.referral.visit.terms == visit.terms


def test_a_visit_that_is_gone_is_no_visit(visit):
    request = RequestFactory().get("/")
    request.COOKIES["referral"] = tracking.token_for(visit)
    Visit.objects.all().delete()
    assert tracking.arrival_of(request).visit is None


def test_a_broken_session_store_does_not_break_the_page(settings, caplog):
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "CONSENT": "tests.tracking.test_cookie.deny"}
    request = RequestFactory().get("/")
    request.COOKIES[settings.SESSION_COOKIE_NAME] = "x"
    request.session = BrokenSession()
    assert tracking.ReferralMiddleware(answer)(request).content == b"None"
    assert "could not be read" in caplog.text


def test_it_runs_under_asgi_too():
    async def view(request):
        return HttpResponse(str(request.referral.visit_id))

    async def run():
        return await tracking.ReferralMiddleware(view)(AsyncRequestFactory().get("/"))

    assert asyncio.run(run()).content == b"None"


def test_where_the_middleware_is_missing_the_arrival_is_made_when_asked_for(visit):
    request = RequestFactory().get("/")
    request.COOKIES["referral"] = tracking.token_for(visit)
    assert tracking.arrival_of(request).visit_id == visit.pk
    assert tracking.arrival_of(request) is request.referral


def test_a_page_of_the_shop_costs_the_same_with_and_without_the_middleware(
    db, settings, django_assert_num_queries
):
    """No share link and no claim: not one query more on a real page of the example shop."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def count() -> int:
        client = Client()
        client.get("/en/catalogue/")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            response = client.get("/en/catalogue/")
        assert response.status_code == 200 and "referral" not in response.cookies
        return len(queries)

    with_it = count()
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if "referrals" not in each]
    assert with_it == count()


@pytest.mark.parametrize(("reads", "expected"), [(True, "Cookie"), (False, None)])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_page_that_shows_an_invitation_is_not_cached_for_others(reads, expected, asynchronous):
    """A banner "Camille invites you" in a shared cache would greet everybody."""

    def view(request):
        return HttpResponse(str(request.referral.visit_id) if reads else "for all")

    async def later(request):
        return view(request)

    if asynchronous:
        response = asyncio.run(tracking.ReferralMiddleware(later)(AsyncRequestFactory().get("/")))
    else:
        response = tracking.ReferralMiddleware(view)(RequestFactory().get("/"))
    assert response.headers.get("Vary") == expected
