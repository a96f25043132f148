"""What the database refuses by itself, whatever the code does."""

import pytest
from django.db import IntegrityError, transaction

from tests.plainshop.test_chain import friend_orders
from wagtail_referrals import rewards
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.models import DiscountGrant, Reward
from wagtail_referrals.tracking.models import Claim
from wagtail_referrals.trust.models import Decision

pytestmark = pytest.mark.django_db


@pytest.fixture
def settled(advocate, make_program, basket, make_user, now):
    """A referral with an order, judged once."""
    _, terms, _ = make_program()
    friend_orders(advocate, terms, basket, now, user=make_user("lea"))
    rewards.sweep(now=now)
    return Referral.objects.get()


def refuses_a_copy_of(row, **changes):
    row.pk = None
    row._state.adding = True
    for name, value in changes.items():
        setattr(row, name, value)
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)


def test_a_purchase_belongs_to_one_referral(settled):
    refuses_a_copy_of(Purchase.objects.get())


def test_a_friend_is_referred_once_to_a_program(settled, advocate):
    # Another claim, so that only the friend and the program are the same.
    claim = Claim.objects.create(
        advocate=advocate,
        terms=settled.terms,
        source="code",
        created_at=settled.created_at,
        expires_at=settled.claim.expires_at,
    )
    refuses_a_copy_of(settled, claim=claim)


def test_a_rule_pays_once_an_occasion(settled):
    refuses_a_copy_of(Reward.objects.get())


def test_a_reward_is_never_below_zero(settled):
    with pytest.raises(IntegrityError), transaction.atomic():
        Reward.objects.update(posted=-1)


def test_a_discount_is_given_once_a_claim_and_again_once(settled):
    refuses_a_copy_of(DiscountGrant.objects.get(), token="00000000-0000-0000-0000-000000000001")
    refuses_a_copy_of(DiscountGrant.objects.get(), token="00000000-0000-0000-0000-000000000002", issue=2)


def test_a_check_speaks_once_about_a_referral_and_once_about_each_order(settled):
    refuses_a_copy_of(Decision.objects.get(check_key="own_account"))
    refuses_a_copy_of(Decision.objects.get(check_key="own_email"))
