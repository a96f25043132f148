"""The big shop of the benchmarks, in small: its rows are those that the engine would have written."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from benchmarks.fill import DUE_IN, fill
from wagtail_referrals.audit import audit
from wagtail_referrals.credit.models import Entry
from wagtail_referrals.insights.daily import days_of
from wagtail_referrals.insights.models import FiguredDay
from wagtail_referrals.insights.periods import Period
from wagtail_referrals.insights.refresh import differences
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards import sweep
from wagtail_referrals.tracking.models import Visit


@pytest.mark.django_db(transaction=True)
def test_a_filled_shop_is_consistent_and_goes_on() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("the rows are copied by PostgreSQL")
    fill(100, over=timedelta(days=1))

    assert Advocate.objects.count() == 101
    referrals = Referral.objects.count()
    assert Visit.objects.count() == 3 * referrals
    assert 900 < referrals < 1100
    assert 250 < Purchase.objects.count() < 350
    assert set(Referral.objects.values_list("state", flat=True)) == {
        "waiting_order",
        "waiting_payment",
        "waiting_period",
        "to_check",
        "rewarded",
        "refused",
        "expired",
    }
    found: list[str] = []
    run = audit(report=lambda finding: found.append(finding.message))
    assert found == []
    assert run.looked_at["referrals"] == referrals
    counted = sorted(FiguredDay.objects.values_list("day", flat=True))
    assert list(differences(days_of(Period(counted[0], counted[-1])))) == []

    # What the last waiting period was for is given, once, to each of those who are waiting for it.
    given = Entry.objects.filter(kind="grant").count()
    swept = sweep(now=timezone.now() + DUE_IN)
    assert (swept.settled, swept.failed) == (10, 0)
    assert Entry.objects.filter(kind="grant").count() == given + 10
