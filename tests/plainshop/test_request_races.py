"""Requests about orders, when everybody decides at once."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import F

from tests.plainshop.models import Order
from tests.plainshop.shop import place_order
from tests.plainshop.test_concurrency import at_once
from tests.plainshop.test_requests import DAY, MINUTE, lyon, says, staff  # noqa: F401
from wagtail_referrals import credit, rewards
from wagtail_referrals.people import advocate_for
from wagtail_referrals.programs.models import Budget, Program, Terms
from wagtail_referrals.referrals import (
    PlacedOrder,
    RequestError,
    answer_request,
    decide_request,
    lapse_requests,
    match_requests,
    record_purchase,
    report_order,
)
from wagtail_referrals.referrals import requests as module
from wagtail_referrals.referrals.models import AttributionRequest, Purchase, Referral
from wagtail_referrals.tracking.models import Claim

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="concurrency is proved on PostgreSQL"),
]

THREADS = 8


def trying(job, *args, **values):
    """The job as one that says "no" instead of raising it."""

    def run():
        try:
            job(*args, **values)
        except RequestError:
            return "no"
        return "yes"

    return run


def assert_nothing_is_left_over():
    """Each claim that a request made has its referral, each of those its order, and the budget holds for no more."""
    claims = Claim.objects.filter(source__in=("named", "reported"))
    assert claims.filter(referral=None).count() == 0
    assert Referral.objects.filter(purchases=None).count() == 0
    confirmed = AttributionRequest.objects.filter(state="confirmed")
    assert confirmed.filter(referral__purchases__reference=F("reference")).count() == confirmed.count()
    for budget in Budget.objects.filter(currency=""):
        assert budget.held + budget.spent == Referral.objects.count()


def orders(basket, now, numbers, **values):
    for number in numbers:
        details = {"email": f"friend{number}@example.com", "goods": Decimal(100), "now": now} | values
        place_order(basket(), number=number, **details)


def test_editors_at_once_decide_once(lyon, advocate, basket, staff, now):  # noqa: F811
    orders(basket, now, "7")
    request = report_order(advocate, "7", now=now)
    jobs = [
        trying(decide_request, request.pk, confirmed=number % 2 == 0, actor=staff)
        for number in range(THREADS)
    ]
    assert sorted(at_once(*jobs)) == ["no"] * (THREADS - 1) + ["yes"]
    request.refresh_from_db()
    assert Referral.objects.count() == Claim.objects.count() == (request.state == "confirmed")
    assert_nothing_is_left_over()


def test_the_referrer_staff_and_the_calendar_decide_once(lyon, advocate, basket, staff, now):  # noqa: F811
    says(basket, now)
    request = AttributionRequest.objects.get()
    Order.objects.update(paid_at=now, shipped_at=now)
    at_once(
        trying(answer_request, request.pk, advocate, True, now=now),
        trying(answer_request, request.pk, advocate, False, now=now),
        trying(decide_request, request.pk, confirmed=True, actor=staff, now=now),
        lambda: lapse_requests(now=now + 31 * DAY),
        lambda: match_requests(now=now),
    )
    request.refresh_from_db()
    assert request.state != "waiting"
    assert Referral.objects.count() == (request.state == "confirmed")
    for _ in range(2):
        rewards.sweep(now=now + 20 * DAY)
    assert credit.available(lyon, "EUR") == (Decimal(15) if request.state == "confirmed" else 0)
    assert_nothing_is_left_over()


def test_one_order_and_many_who_say_it_is_their_friends(
    lyon,  # noqa: F811
    advocate,
    basket,
    make_user,
    staff,  # noqa: F811
    now,
):
    orders(basket, now, "7")
    others = [advocate_for(make_user(f"other{number}")) for number in range(THREADS)]
    asked = [report_order(each, "7", now=now) for each in others]
    results = at_once(*[trying(decide_request, each.pk, confirmed=True, actor=staff) for each in asked])
    assert results.count("yes") == Referral.objects.count() == Claim.objects.count() == 1
    assert_nothing_is_left_over()


def test_one_friend_and_two_orders_that_two_report(
    lyon,  # noqa: F811
    advocate,
    basket,
    make_user,
    staff,  # noqa: F811
    now,
):
    """A person is referred once to a program, whichever order is looked at first."""
    numbers = [str(number) for number in range(THREADS)]
    orders(basket, now, numbers, email="lea@example.com")
    others = [advocate_for(make_user(f"other{number}")) for number in numbers]
    asked = [report_order(each, number, now=now) for each, number in zip(others, numbers, strict=True)]
    results = at_once(*[trying(decide_request, each.pk, confirmed=True, actor=staff) for each in asked])
    assert results.count("yes") == Referral.objects.count() == Purchase.objects.count() == 1
    assert_nothing_is_left_over()


def test_a_repair_of_the_shop_that_records_the_order_at_the_same_time(
    lyon,  # noqa: F811
    advocate,
    basket,
    make_user,
    staff,  # noqa: F811
    now,
):
    """The order came by another's link, and the shop makes up for not having noted that."""
    terms = Terms.objects.get()
    others = [advocate_for(make_user(f"other{number}")) for number in range(THREADS)]
    orders(basket, now, [str(number) for number in range(THREADS)])
    jobs = []
    for number, other in enumerate(others):
        claim = Claim.objects.create(
            advocate=other, terms=terms, source="link", created_at=now, expires_at=now + DAY
        )
        found: PlacedOrder = module.shop_order(str(number), ())
        request = report_order(advocate if number < 5 else other, str(number), now=now)
        jobs += [
            trying(decide_request, request.pk, confirmed=True, actor=staff),
            lambda found=found, claim=claim: (
                record_purchase(found.snapshot, claim=claim, user=None, email=found.email) and None
            ),
        ]
    at_once(*jobs)
    assert Purchase.objects.count() == THREADS
    confirmed = AttributionRequest.objects.filter(state="confirmed")
    assert Purchase.objects.filter(referral__claim__source="reported").count() == confirmed.count()
    for request in confirmed:
        assert Purchase.objects.get(reference=request.reference).referral_id == request.referral_id
    made = Claim.objects.filter(source="reported")
    assert made.filter(referral=None).count() == 0


def test_a_budget_for_one_is_for_one(lyon, advocate, basket, make_user, make_program, staff, now):  # noqa: F811
    Program.objects.all().delete()
    make_program(budget_count=1)
    orders(basket, now, [str(number) for number in range(THREADS)])
    asked = [
        report_order(advocate_for(make_user(f"other{number}")), str(number), now=now)
        for number in range(THREADS)
    ]
    results = at_once(*[trying(decide_request, each.pk, confirmed=True, actor=staff) for each in asked])
    assert results.count("yes") == Referral.objects.count() == Claim.objects.count() == 1
    assert_nothing_is_left_over()


def test_the_limit_of_reports_holds(advocate, now):
    jobs = [trying(report_order, advocate, str(number), now=now) for number in range(16)]
    assert at_once(*jobs).count("yes") == 5
    assert AttributionRequest.objects.count() == 5


def test_reporting_one_order_twice_at_once_is_once(advocate, now):
    assert set(at_once(*[trying(report_order, advocate, "7", now=now)] * THREADS)) == {"yes"}
    assert AttributionRequest.objects.count() == 1


def test_naming_twice_at_once_is_once(basket, now):
    jobs = [
        lambda number=number: module.name_friend(
            basket_reference="1", name=f"Name {number}", town="Lyon", now=now + number * timedelta(seconds=1)
        )
        for number in range(THREADS)
    ]
    at_once(*jobs, lambda: module.note_order("7", basket_reference="1"))
    assert AttributionRequest.objects.count() == 1


def test_sweeps_at_once_ask_once(lyon, advocate, basket, now):  # noqa: F811
    for number in range(3):
        says(basket, now, number=str(number), email=f"friend{number}@example.com")
    AttributionRequest.objects.update(matched_at=None, advocate=None)
    at_once(*[lambda: match_requests(now=now + MINUTE)] * 4)
    assert AttributionRequest.objects.filter(advocate=advocate, matched_at=now + MINUTE).count() == 3
