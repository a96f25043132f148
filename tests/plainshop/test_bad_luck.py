"""What a shop, an editor and the clock do to a referral that is on its way."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.plainshop.test_chain import visit
from wagtail_referrals import rewards
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.tracking.models import Claim

pytestmark = pytest.mark.django_db

PAID_ONCE = [{"side": "advocate", "trigger": "first_purchase", "kind": "credit", "amounts": {"EUR": "15.00"}}]
EVERY_ORDER = [
    {"side": "advocate", "trigger": "every_purchase", "kind": "credit", "amounts": {"EUR": "15.00"}}
]


def test_an_order_that_comes_in_time_counts_although_the_sweep_was_faster(
    advocate, make_program, basket, make_user, now
):
    """Placed in the last second; noted after the sweep let the invitation go, e.g. by a webhook or a repair."""
    from wagtail_referrals.referrals import PurchaseSnapshot

    _, terms, _ = make_program()
    made = basket()
    claim = rewards.commit(visit=visit(advocate, terms, now), basket_reference=str(made.pk), now=now)
    rewards.sweep(now=claim.expires_at + timedelta(seconds=1))
    assert Claim.objects.get().state == "lapsed"
    rewards.order_placed(
        PurchaseSnapshot(
            reference="1",
            placed_at=claim.expires_at,
            currency="EUR",
            eligible=Decimal(50),
            total=Decimal(50),
            was_customer=False,
        ),
        basket_reference=str(made.pk),
        email="lea@example.com",
        now=claim.expires_at + timedelta(seconds=2),
    )
    assert Referral.objects.get().claim == claim
