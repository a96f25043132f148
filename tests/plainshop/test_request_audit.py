"""The audit of requests about orders: each kind of tampering is found, and nothing else."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.audit.tampering import change, problems
from tests.books import assert_audit_clean
from tests.plainshop.shop import place_order
from tests.plainshop.test_chain import DAY
from tests.plainshop.test_requests import lyon, says, staff  # noqa: F401
from wagtail_referrals import rewards
from wagtail_referrals.people import advocate_for
from wagtail_referrals.referrals import answer_request, decide_request, name_friend, report_order
from wagtail_referrals.referrals.models import AttributionRequest, Purchase
from wagtail_referrals.tracking.models import Claim

pytestmark = pytest.mark.django_db


@pytest.fixture
def lived(lyon, advocate, basket, staff, now):  # noqa: F811
    """One who was named said yes; of two reported orders one was confirmed; one waits, one was never ordered."""
    says(basket, now)
    answer_request(AttributionRequest.objects.get().pk, advocate, True, now=now + timedelta(hours=1))
    for number in "89":
        place_order(
            basket(),
            number=number,
            goods=Decimal(50),
            email=f"f{number}@example.com",
            now=now + timedelta(hours=2),
        )
        request = report_order(advocate, number, now=now + timedelta(hours=3))
        decide_request(request.pk, confirmed=number == "8", actor=staff, now=now + timedelta(hours=4))
    report_order(advocate, "10", now=now + timedelta(hours=3))
    name_friend(basket_reference="x", name="A B", town="C", now=now)
    rewards.sweep(now=now + timedelta(hours=5))


@pytest.fixture
def soon(now):
    return now + timedelta(hours=6)


def one(**values) -> AttributionRequest:
    return AttributionRequest.objects.get(**values)


def test_what_was_lived_agrees(lived, soon):
    assert_audit_clean(now=soon)


def test_an_order_that_is_not_in_the_referral(lived, soon, make_user):
    first, second = one(reference="7"), one(reference="8")
    change(first, referral=second.referral_id)
    change(second, advocate=advocate_for(make_user("other")).pk)
    found = problems(now=soon, only=["requests"])
    assert ("request_confirmed", "request", first.pk) in found
    assert ("request_confirmed", "request", second.pk) in found
    assert ("claim_unasked", "claim", Purchase.objects.get(reference="7").referral.claim_id) in found


def test_an_invitation_that_nobody_confirmed(lived, soon):
    request = one(reference="8")
    claim = request.referral.claim_id
    change(request, state="refused", referral=None)
    assert problems(now=soon, only=["requests"]) == [("claim_unasked", "claim", claim)]


def test_an_invitation_from_before_the_offer(lived, soon, now):
    claim = one(reference="8").referral.claim
    change(claim, created_at=now - DAY)
    assert problems(now=soon, only=["requests"]) == [("claim_unasked", "claim", claim.pk)]


def test_what_was_typed_and_kept(lived, soon):
    request = one(reference="9")
    change(request, given_town="Lyon")
    assert problems(now=soon, only=["requests"]) == [("request_text", "request", request.pk)]


def test_what_nobody_looks_at(lived, soon, now):
    change(one(reference="10"), matched_at=None)
    assert_audit_clean(now=soon, only=["requests"])
    late = now + 2 * DAY
    assert problems(now=late, only=["requests"]) == [("request_overdue", "request", one(reference="10").pk)]
    change(one(reference="10"), matched_at=now)
    assert_audit_clean(now=now + 30 * DAY, only=["requests"])
    found = problems(now=now + 32 * DAY, only=["requests"])
    assert {kind for kind, _about, _number in found} == {"request_overdue"}
    assert len(found) == 2
    rewards.sweep(now=now + 32 * DAY)
    assert_audit_clean(now=now + 32 * DAY, only=["requests"])
    assert Claim.objects.count() == 2
