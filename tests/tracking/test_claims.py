"""Making claims, tying them to baskets, finding them again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import AnonymousUser

from tests.site.conftest import publish
from wagtail_referrals import tracking
from wagtail_referrals.tracking.models import Claim, ClaimBasket, Visit

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


@pytest.fixture
def visit(advocate, terms):
    return Visit.objects.create(advocate=advocate, terms=terms, language="fr", created_at=NOW)


def test_a_claim_takes_its_terms_from_the_visit_and_its_days_count_from_there(visit):
    claim, created = tracking.create_claim(visit=visit, source="link", now=NOW + timedelta(days=3))
    assert created and (claim.advocate, claim.terms, claim.language) == (visit.advocate, visit.terms, "fr")
    assert claim.expires_at == NOW + timedelta(days=30)


def test_one_visit_commits_once(visit):
    claim, _created = tracking.create_claim(visit=visit, source="link", now=NOW)
    again, created = tracking.create_claim(visit=visit, source="link", now=NOW)
    assert not created and again == claim and Claim.objects.count() == 1


def test_a_typed_code_counts_from_now(advocate, terms, make_user):
    lea = make_user("lea")
    claim, created = tracking.create_claim(
        advocate_id=advocate.pk, terms=terms, source="code", user=lea, language="en", now=NOW
    )
    assert created and claim.user == lea and claim.expires_at == NOW + timedelta(days=30)


def test_an_anonymous_visitor_is_nobody(visit):
    claim, _created = tracking.create_claim(visit=visit, source="link", user=AnonymousUser(), now=NOW)
    assert claim.user is None


def test_nobodys_invitation_to_nothing_is_an_error(advocate):
    visit = Visit.objects.create(advocate=advocate, terms=None, created_at=NOW)
    with pytest.raises(ValueError):
        tracking.create_claim(visit=visit, source="link", now=NOW)
    with pytest.raises(ValueError):
        tracking.create_claim(source="code", now=NOW)


def test_open_until_the_days_are_over_or_the_state_says_otherwise(visit):
    claim, _created = tracking.create_claim(visit=visit, source="link", now=NOW)
    assert tracking.claim_is_open(claim, NOW + timedelta(days=30))
    assert not tracking.claim_is_open(claim, NOW + timedelta(days=30, seconds=1))
    claim.state = Claim.State.USED
    assert not tracking.claim_is_open(claim, NOW)


def test_a_basket_belongs_to_the_claim_it_was_tied_to_last(visit, advocate, terms, django_assert_num_queries):
    first, _created = tracking.create_claim(visit=visit, source="link", now=NOW)
    second, _created = tracking.create_claim(advocate_id=advocate.pk, terms=terms, source="code", now=NOW)
    tracking.link_basket(first, "7", now=NOW)
    tracking.link_basket(first, "8", now=NOW)
    with django_assert_num_queries(1):
        tracking.link_basket(second, "7", now=NOW)
    with django_assert_num_queries(1):
        found = tracking.claim_of_basket("7")
        assert found == second and found.terms == terms and found.advocate == advocate
    assert tracking.claim_of_basket("8") == first and tracking.claim_of_basket("9") is None
    assert ClaimBasket.objects.count() == 2


def test_the_newest_open_claim_of_a_customer(advocate, make_user):
    lea, terms = make_user("lea"), publish()

    def claim(days: int, **values):
        made, _created = tracking.create_claim(
            advocate_id=advocate.pk, terms=terms, source="code", user=lea, now=NOW + timedelta(days=days)
        )
        Claim.objects.filter(pk=made.pk).update(**values) if values else None
        return made

    claim(-31)
    older, newer = claim(-5), claim(-1)
    assert tracking.open_claim_of(lea, now=NOW) == newer
    Claim.objects.filter(pk=newer.pk).update(state=Claim.State.REPLACED)
    assert tracking.open_claim_of(lea, now=NOW) == older
    assert tracking.open_claim_of(AnonymousUser(), now=NOW) is None and tracking.open_claim_of(None) is None
